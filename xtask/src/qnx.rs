//! `cargo xtask qnx`: the conformance suite as QNX object code, linked with a stand-in for QNX's C
//! library, and executed.
//!
//! ```text
//!   suite ─▶ second compiler ─▶ libsuite.a for QNX ─▶ imports: only what the list names
//!                                       │ each import NAME becomes qnx_NAME
//!                                       ▼
//!   stand-in ─▶ second compiler ─▶ its archive for Linux ─▶ one program ─▶ run, or qemu
//! ```
//!
//! What this shows: the very instructions a QNX machine would get do what the suite says, over a C
//! library that keeps to the documents and punishes misuse. What it does not show: anything about a
//! QNX kernel. `docs/qnx.md` says how to run the same archive on one.

mod alloc_program;
mod archive;
mod build;
pub(crate) mod defects;
pub(crate) mod engine;
mod execute;
mod imports;
pub(crate) mod interpreter;
mod target;

use crate::tasks::Failure;
use build::{Flavour, Sources};
use target::TARGETS;
pub(crate) use target::Target;

/// What QNX objects may import.
///
/// # Errors
/// The list cannot be read.
pub(crate) fn import_list() -> Result<imports::List, String> {
    imports::List::read(imports::OF_THE_SUITE)
}

pub(crate) use imports::is_compilers;

/// Builds, checks and executes for the targets named, or for all.
///
/// # Errors
/// A word that is no target; something does not build, imports what it must not, or fails.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let chosen = choose(words)?;
    Ok(check(&chosen)?)
}

/// All targets, for the list of checks.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_all() -> Result<(), String> {
    check(&TARGETS.iter().collect::<Vec<_>>())
}

fn choose(words: &[String]) -> Result<Vec<&'static Target>, Failure> {
    choose_among(&TARGETS.iter().collect::<Vec<_>>(), words)
}

/// The targets named, of those there are for a task; all without names.
fn choose_among(
    targets: &[&'static Target],
    words: &[String],
) -> Result<Vec<&'static Target>, Failure> {
    for word in words {
        if targets.iter().all(|target| target.name != word) {
            let names: Vec<_> = targets.iter().map(|target| target.name).collect();
            return Err(Failure::Usage(format!(
                "no QNX target is called `{word}`; there are {}",
                names.join(", ")
            )));
        }
    }
    let wanted = |target: &&Target| words.is_empty() || words.iter().any(|w| w == target.name);
    Ok(targets.iter().copied().filter(wanted).collect())
}

fn check(targets: &[&Target]) -> Result<(), String> {
    let list = imports::List::read(imports::OF_THE_SUITE)?;
    let mut used = imports::Used::default();
    let mut tallies = Vec::new();

    // As it is linked for a machine with QNX: nobody watches, but all of it runs.
    let sources = Sources::own();
    sources.stand_ins(targets)?;
    let unwatched: Vec<_> = targets
        .iter()
        .copied()
        .filter(|target| target.unwatched)
        .collect();
    if !unwatched.is_empty() {
        sources.suites(&unwatched, Flavour::Machine)?;
    }
    for target in unwatched {
        used.check(&list, target, &sources.imports(target)?)?;
        let program = sources.link(target, Flavour::Machine, &list)?;
        tallies.push(execute::unwatched(target, &program)?);
    }

    sources.suites(targets, Flavour::Watched)?;
    for target in targets {
        used.check(&list, target, &sources.imports(target)?)?;
        let program = sources.link(target, Flavour::Watched, &list)?;
        tallies.extend(execute::watched(target, &program)?);
    }
    if targets.len() == TARGETS.len() {
        used.nothing_else_in(&list)?;
    }
    execute::sum_up(&tallies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_chosen_by_name() {
        assert_eq!(choose(&[]).ok().map(|all| all.len()), Some(TARGETS.len()));
        let one = ["aarch64-unknown-nto-qnx710".to_owned()];
        let chosen = choose(&one).ok().unwrap();
        assert_eq!(chosen.len(), 1);
        assert_eq!(chosen[0].name, one[0]);
        let wrong = choose(&["aarch64-unknown-qnx".to_owned()]);
        assert!(matches!(wrong, Err(Failure::Usage(text)) if text.contains("qnx710")));
    }
}
