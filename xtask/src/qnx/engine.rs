//! `cargo xtask qnx-engine`: Wasmtime as QNX object code, running guests on our memory over a
//! stand-in for QNX's C library.
//!
//! ```text
//!   guests ─▶ precompile, here ─▶ Pulley's bytecode, native code ─┐
//!                                                                 ▼
//!   engine ─▶ second compiler, with alloc ─▶ libengine.a for QNX, the guests in it
//!                                                │ imports: only what its list names
//!   stand-in ────────────────────────────────────┴─▶ one program ─▶ cases, and guests as commands
//! ```
//!
//! What a guest prints has to be the same for every target and both kinds of code.

mod scenarios;

use std::path::PathBuf;

use super::alloc_program::{AllocProgram, borrowed_name};
use super::build::Sources;
use super::imports::{List, Used};
use super::target::{TARGETS, Target};
use super::{choose_among, execute};
use crate::tasks::Failure;
use crate::{command, place};

/// What Wasmtime is executed for: QNX 7.1 on both of its 64-bit processors.
const NAMES: [&str; 2] = ["x86_64-pc-nto-qnx710", "aarch64-unknown-nto-qnx710"];

const PROGRAM: AllocProgram = AllocProgram {
    folder: "conformance/qnx-engine",
    package: "engine",
};

/// What the engine may import.
const IMPORTS: &str = "conformance/qnx-engine/imports.txt";

const GUESTS: [&str; 3] = [
    "conformance/qnx-engine/guests/steps.wat",
    "examples/guests/word-index.wasm",
    "examples/guests/misbehave.wasm",
];

/// What Pulley's bytecode is compiled for.
const PULLEY: &str = "pulley64";

/// Builds and executes for the targets named, or for both.
///
/// # Errors
/// A word that is no target; something does not build, imports what it must not, or fails.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let chosen = choose_among(&engine_targets(), words)?;
    Ok(check(&chosen)?)
}

/// Both targets, for the list of checks.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_all() -> Result<(), String> {
    check(&engine_targets())
}

fn engine_targets() -> Vec<&'static Target> {
    let wanted = |target: &&Target| NAMES.contains(&target.name);
    TARGETS.iter().filter(wanted).collect()
}

fn check(targets: &[&Target]) -> Result<(), String> {
    let guests = precompile(targets)?;
    let list = List::read(IMPORTS)?;
    let mut used = Used::default();
    let sources = Sources::own();
    sources.stand_ins(targets)?;
    let mut tallies = Vec::new();
    for target in targets {
        let variables = [
            ("GUESTS", guests.clone()),
            ("GUESTS_NATIVE", PathBuf::from(borrowed_name(target))),
        ];
        let archive = PROGRAM.build(target, &variables)?;
        used.check(&list, target, &archive.imports()?)?;
        let linked = PROGRAM.linked(target);
        let program = archive.link(&sources.stand_in(target), &list, &linked, "engine")?;
        tallies.extend(execute::engine(target, &program)?);
        tallies.push(scenarios::play(target, &program)?);
    }
    if targets.len() == NAMES.len() {
        used.nothing_else_in(&list)?;
    }
    execute::sum_up(&tallies)
}

/// Compiles the guests here, with the version of Wasmtime that runs them there: one lock file names
/// it for both.
fn precompile(targets: &[&Target]) -> Result<PathBuf, String> {
    let folder = place::target().join("qnx-engine");
    let guests = folder.join("guests");
    let manifest = place::root().join(PROGRAM.folder).join("Cargo.toml");
    let natives = targets.iter().map(|target| borrowed_name(target));
    for compiled_for in natives.chain([PULLEY.to_owned()]) {
        let mut cargo = command::cargo("run");
        cargo.args(["--quiet", "--locked", "--package", "precompile"]);
        cargo.arg("--manifest-path").arg(&manifest);
        cargo.arg("--target-dir").arg(&folder).arg("--");
        cargo.arg(&compiled_for).arg(&guests);
        cargo.args(GUESTS.map(|guest| place::root().join(guest)));
        command::run(&mut cargo)?;
    }
    Ok(guests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_target_and_every_guest_is_there() {
        assert_eq!(engine_targets().len(), NAMES.len());
        for guest in GUESTS {
            assert!(place::root().join(guest).exists(), "{guest}");
        }
    }
}
