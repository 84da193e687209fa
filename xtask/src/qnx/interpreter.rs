//! `cargo xtask qnx-wasmi`: wasmi as QNX object code, running guests on our memory over a stand-in
//! for QNX's C library.
//!
//! ```text
//!   guests, wasmi ─▶ second compiler, with alloc ─▶ libinterpreter.a for QNX
//!                                                │ imports: only what its list names
//!   stand-in ────────────────────────────────────┴─▶ one program ─▶ cases, and guests as commands
//! ```

use std::path::Path;

use super::alloc_program::AllocProgram;
use super::build::Sources;
use super::choose_among;
use super::execute::{self, Tally};
use super::imports::{List, Used};
use super::target::{TARGETS, Target};
use crate::tasks::Failure;

/// What wasmi is executed for: QNX 7.1 on both of its 64-bit processors.
const NAMES: [&str; 2] = ["x86_64-pc-nto-qnx710", "aarch64-unknown-nto-qnx710"];

const PROGRAM: AllocProgram = AllocProgram {
    folder: "conformance/qnx-wasmi",
    package: "interpreter",
};

/// What the program may import.
const IMPORTS: &str = "conformance/qnx-wasmi/imports.txt";

/// A guest started as a command: its words, how it ends, and what it has to say.
type Command = (&'static [&'static str], i32, &'static str);

/// As the program reports a trap.
const TRAPPED: i32 = 134;

/// What the documents of the guests say of them.
const COMMANDS: [Command; 4] = [
    (
        &["word-index", "--words", "20000", "river"],
        0,
        "check     index and scan agree",
    ),
    (
        &["misbehave", "read-past-end", "4096"],
        TRAPPED,
        "out of bounds memory access",
    ),
    (&["misbehave", "recurse"], TRAPPED, "call stack exhausted"),
    (
        &["misbehave", "exit", "42"],
        42,
        "linear memory from \"libc\"",
    ),
];

/// Builds and executes for the targets named, or for both.
///
/// # Errors
/// A word that is no target; something does not build, imports what it must not, or fails.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let chosen = choose_among(&targets(), words)?;
    Ok(check(&chosen)?)
}

/// Both targets, for the list of checks.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_all() -> Result<(), String> {
    check(&targets())
}

fn targets() -> Vec<&'static Target> {
    let wanted = |target: &&Target| NAMES.contains(&target.name);
    TARGETS.iter().filter(wanted).collect()
}

fn check(targets: &[&Target]) -> Result<(), String> {
    let list = List::read(IMPORTS)?;
    let mut used = Used::default();
    let sources = Sources::own();
    sources.stand_ins(targets)?;
    let mut tallies = Vec::new();
    for target in targets {
        let archive = PROGRAM.build(target, &[])?;
        used.check(&list, target, &archive.imports()?)?;
        let linked = PROGRAM.linked(target);
        let program = archive.link(&sources.stand_in(target), &list, &linked, "interpreter")?;
        tallies.extend(execute::engine(target, &program)?);
        tallies.push(play(target, &program)?);
    }
    if targets.len() == NAMES.len() {
        used.nothing_else_in(&list)?;
    }
    execute::sum_up(&tallies)
}

/// Starts guests as commands.
fn play(target: &Target, program: &Path) -> Result<Tally, String> {
    let mut tally = Tally::new(format!("{} wasmi commands", target.name));
    for (words, status, said) in COMMANDS {
        let words: Vec<&str> = ["run"].iter().chain(words).copied().collect();
        let output = execute::output(target, program, &words)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let verdict = if output.status.code() != Some(status) {
            Err(format!("{}, not {status}\n{text}", output.status))
        } else if text.contains(said) {
            Ok(())
        } else {
            Err(format!("it does not say `{said}`\n{text}"))
        };
        tally.count(&words.join(" "), verdict);
    }
    println!("{tally}");
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_target() {
        assert_eq!(targets().len(), NAMES.len());
    }
}
