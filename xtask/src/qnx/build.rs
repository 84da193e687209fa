//! Builds archives with the second compiler, renames what they import, and links a program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::imports::{self, List};
use super::target::Target;
use crate::symbols::Symbols;
use crate::{command, place};

/// How the suite is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// As for a machine with QNX.
    Machine,
    /// To be watched by the stand-in.
    Watched,
}

/// Where the sources are: those of this checkout, unless defects are put into a copy of them.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// Compile fast rather than well.
    pub(crate) in_haste: bool,
}

impl Sources {
    /// This checkout.
    pub(crate) fn own() -> Self {
        Self {
            root: place::root().to_path_buf(),
            target: place::build_std_target(),
            in_haste: false,
        }
    }

    fn cargo(&self) -> Command {
        let mut cargo = command::build_std_cargo("build");
        cargo.args(["--release", "--locked", "--manifest-path"]);
        cargo.arg(self.root.join("conformance/qnx/Cargo.toml"));
        cargo.env("CARGO_TARGET_DIR", &self.target);
        if self.in_haste {
            cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
        } else {
            // No other check compiles what only QNX has.
            cargo.env("RUSTFLAGS", "--deny warnings");
        }
        cargo
    }

    /// Builds the suite for these targets.
    pub(crate) fn suites(&self, targets: &[&Target], flavour: Flavour) -> Result<(), String> {
        let mut cargo = self.cargo();
        cargo.args(["--package", "suite"]);
        if flavour == Flavour::Watched {
            cargo.args(["--features", "stand-in"]);
        }
        for target in targets {
            cargo.args(["--target", target.name]);
        }
        command::run(&mut cargo)
    }

    /// Builds the stand-in for the counterparts of these targets.
    pub(crate) fn stand_ins(&self, targets: &[&Target]) -> Result<(), String> {
        let mut counterparts: Vec<_> = targets.iter().map(|target| target.linux).collect();
        counterparts.sort_unstable();
        counterparts.dedup();
        let mut cargo = self.cargo();
        cargo.args(["--package", "stand-in"]);
        for counterpart in counterparts {
            cargo.args(["--target", counterpart]);
        }
        command::run(&mut cargo)
    }

    fn suite(&self, target: &Target) -> PathBuf {
        self.archive(target.name, "libsuite.a")
    }

    fn archive(&self, target: &str, name: &str) -> PathBuf {
        self.target.join(target).join("release").join(name)
    }

    /// What the suite imports, the compiler's own needs aside.
    pub(crate) fn imports(&self, target: &Target) -> Result<Vec<String>, String> {
        let symbols = Symbols::read(&self.suite(target), &target.tool("nm"))?;
        Ok(symbols
            .missing()
            .filter(|name| !imports::is_compilers(name))
            .map(str::to_owned)
            .collect())
    }

    /// Links the suite with the stand-in.
    pub(crate) fn link(
        &self,
        target: &Target,
        flavour: Flavour,
        list: &List,
    ) -> Result<PathBuf, String> {
        let folder = self.target.join("linked").join(target.name);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let suite = self.renamed_suite(target, &folder, list)?;
        let stand_in = self.sealed_stand_in(target, &folder)?;
        let program = folder.join(match flavour {
            Flavour::Machine => "suite",
            Flavour::Watched => "suite-watched",
        });
        let mut link = Command::new(target.tool("gcc"));
        // One file that needs no library of its own, which an emulator could not find.
        link.arg("-static").arg("-o").arg(&program);
        link.arg("-Wl,--whole-archive").arg(&suite);
        link.arg("-Wl,--no-whole-archive").arg(&stand_in);
        command::run(&mut link)?;
        Ok(program)
    }

    /// The suite with every listed import of the C library under the stand-in's name. Code that was
    /// compiled in haste may import a little more, of the compiler's own, and gets it from here.
    fn renamed_suite(
        &self,
        target: &Target,
        folder: &Path,
        list: &List,
    ) -> Result<PathBuf, String> {
        let renamed = folder.join("libsuite.a");
        let mut objcopy = Command::new(target.tool("objcopy"));
        for import in self.imports(target)? {
            if list.names(&import) {
                let name = target.stand_in_name(&import);
                objcopy.args(["--redefine-sym", &format!("{import}={name}")]);
            }
        }
        objcopy.arg(self.suite(target)).arg(&renamed);
        command::run(&mut objcopy)?;
        Ok(renamed)
    }

    /// The stand-in as one object that shows nothing but its interface: it was compiled by the same
    /// compiler as the suite, and both bring parts of Rust's library under the same names.
    fn sealed_stand_in(&self, target: &Target, folder: &Path) -> Result<PathBuf, String> {
        let (joined, sealed) = (folder.join("joined.o"), folder.join("stand-in.o"));
        let mut join = Command::new(target.tool("ld"));
        join.args(["--relocatable", "--whole-archive", "-o"])
            .arg(&joined)
            .arg(self.archive(target.linux, "libstand_in.a"));
        command::run(&mut join)?;
        let mut seal = Command::new(target.tool("objcopy"));
        seal.args([
            "--wildcard",
            "--keep-global-symbol=qnx_*",
            "--keep-global-symbol=stand_in_*",
        ]);
        command::run(seal.arg(&joined).arg(&sealed))?;
        Ok(sealed)
    }
}
