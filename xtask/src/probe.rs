//! Builds the probe: code that uses all of the libraries, so that there is machine code to look at.
//!
//! A library of generic code compiles to next to nothing by itself. `xtask/no-std-probe` makes a
//! memory of each kind over each source of pages, and does with it what can be done.

use std::path::PathBuf;

use crate::{command, place};

/// What the probe is built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The libraries alone.
    Clean,
    /// The libraries and a call of `malloc`, which a check must notice.
    Tainted,
}

/// Builds the probe and, with it, `os`, `arena-heap` and `wasm-arena` for each target, with the
/// second compiler; returns the archives in the same order.
///
/// # Errors
/// It does not build.
pub(crate) fn build(targets: &[&str], kind: Kind) -> Result<Vec<PathBuf>, String> {
    let manifest = place::root().join("xtask/no-std-probe/Cargo.toml");
    let mut cargo = command::build_std_cargo("build");
    cargo.args(["--release", "--locked", "--manifest-path"]);
    cargo.arg(manifest);
    if kind == Kind::Tainted {
        cargo.args(["--features", "tainted"]);
    }
    for target in targets {
        cargo.args(["--target", target]);
    }
    command::run(&mut cargo)?;
    let archive = |target: &&str| {
        place::build_std_target()
            .join(target)
            .join("release/libno_std_probe.a")
    };
    Ok(targets.iter().map(archive).collect())
}
