//! Programs for QNX that need `alloc`, and dependencies that know targets by name only.
//!
//! Some crates read the name of the target and know no QNX. They get the specification of the QNX
//! target, word for word as the compiler prints it, under the name of a target without a system: what
//! is compiled is QNX's (`target_os`, calling convention, objects), and only the name is another.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::archive::Archive;
use super::target::Target;
use crate::{command, place};

/// A program for QNX, in a workspace of its own.
#[derive(Debug)]
pub(crate) struct AllocProgram {
    /// Its workspace, from the root of the project.
    pub(crate) folder: &'static str,
    /// Its package, which becomes a static library.
    pub(crate) package: &'static str,
}

/// The name a target goes by: its processor, and no system.
pub(crate) fn borrowed_name(target: &Target) -> String {
    let processor = target.name.split('-').next().unwrap_or(target.name);
    format!("{processor}-unknown-none")
}

impl AllocProgram {
    /// Where what is built goes: a folder for each version of QNX, because targets of two versions go
    /// by one name.
    fn output(&self, target: &Target) -> PathBuf {
        let version = target.name.rsplit('-').next().unwrap_or(target.name);
        let folder = place::build_std_target().join(self.package);
        folder.join(version)
    }

    /// Builds it for a target, with the stand-in's features, and with these variables for it.
    pub(crate) fn build<'a>(
        &self,
        target: &'a Target,
        variables: &[(&str, PathBuf)],
    ) -> Result<Archive<'a>, String> {
        let output = self.output(target);
        let specification = specification(target, output.join("specification"))?;
        let mut cargo = command::build_std_cargo_with("build", "core,alloc");
        cargo.args([
            "-Zjson-target-spec",
            "--release",
            "--locked",
            "--manifest-path",
        ]);
        cargo.arg(place::root().join(self.folder).join("Cargo.toml"));
        cargo.args([
            "--package",
            self.package,
            "--features",
            "stand-in",
            "--target",
        ]);
        cargo.arg(&specification);
        cargo.env("CARGO_TARGET_DIR", &output);
        cargo.envs(variables.iter().map(|(name, value)| (name, value)));
        command::run(&mut cargo)?;
        let built = output.join(borrowed_name(target)).join("release");
        Ok(Archive {
            target,
            file: built.join(format!("lib{}.a", self.package)),
        })
    }

    /// Where its linked program goes.
    pub(crate) fn linked(&self, target: &Target) -> PathBuf {
        self.output(target).join("linked").join(target.name)
    }
}

/// Writes the specification of a target under the name it goes by.
fn specification(target: &Target, folder: PathBuf) -> Result<PathBuf, String> {
    let mut rustc: Command = command::build_std_rustc();
    rustc.args(["-Zunstable-options", "--print", "target-spec-json"]);
    let text = command::output(rustc.args(["--target", target.name]))?;
    let file = folder.join(format!("{}.json", borrowed_name(target)));
    let problem = |error: std::io::Error| format!("{}: {error}", file.display());
    fs::create_dir_all(&folder).map_err(problem)?;
    // Cargo builds everything anew when the file is newer.
    if fs::read_to_string(&file).is_ok_and(|old| old == text) {
        return Ok(file);
    }
    fs::write(&file, text).map_err(problem)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qnx::target::TARGETS;

    #[test]
    fn a_target_goes_by_the_name_of_its_processor() {
        assert_eq!(borrowed_name(&TARGETS[0]), "x86_64-unknown-none");
        for target in &TARGETS {
            let name = borrowed_name(target);
            assert!(name.ends_with("-unknown-none") && target.name.starts_with(&name[..4]));
        }
    }
}
