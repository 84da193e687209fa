//! Builds the suite and the stand-in with the second compiler, and links a program.

use std::path::PathBuf;
use std::process::Command;

use super::archive::Archive;
use super::imports::List;
use super::target::Target;
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

    fn suite<'a>(&self, target: &'a Target) -> Archive<'a> {
        Archive {
            target,
            file: self.archive(target.name, "libsuite.a"),
        }
    }

    /// The stand-in for a target, as an archive for its counterpart.
    pub(crate) fn stand_in(&self, target: &Target) -> PathBuf {
        self.archive(target.linux, "libstand_in.a")
    }

    fn archive(&self, target: &str, name: &str) -> PathBuf {
        self.target.join(target).join("release").join(name)
    }

    /// What the suite imports, the compiler's own needs aside.
    pub(crate) fn imports(&self, target: &Target) -> Result<Vec<String>, String> {
        self.suite(target).imports()
    }

    /// Links the suite with the stand-in.
    pub(crate) fn link(
        &self,
        target: &Target,
        flavour: Flavour,
        list: &List,
    ) -> Result<PathBuf, String> {
        let folder = self.target.join("linked").join(target.name);
        let name = match flavour {
            Flavour::Machine => "suite",
            Flavour::Watched => "suite-watched",
        };
        self.suite(target)
            .link(&self.stand_in(target), list, &folder, name)
    }
}
