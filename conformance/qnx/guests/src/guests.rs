//! What the two guests that are commands have to show, on every engine.
#![forbid(unsafe_code)]

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::c_int;

use wasm_arena::{MemoryRecord, SystemArenas, WASM_PAGE_SIZE};

use crate::cases::{Verdict, ensure};

/// Indexes words, and checks itself: a program of the everyday kind.
pub const WORD_INDEX: &str = "word-index";
/// Does one wrong thing, chosen by its argument.
pub const MISBEHAVE: &str = "misbehave";

/// Traps, whatever engines call them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "as the standard has them")]
pub enum Trap {
    OutOfBounds,
    StackExhausted,
    Unreachable,
    DivisionByZero,
    WrongType,
    Other,
}

/// A command that did not end by itself.
#[derive(Debug)]
pub struct Problem {
    /// The trap, if it is one.
    pub trap: Option<Trap>,
    /// All that the engine says.
    pub said: String,
}

/// How a command ended: its exit code, or what went wrong.
pub type Ended = Result<c_int, Problem>;

/// An engine with these guests.
pub trait Commands {
    /// Runs a guest with these words in a store of its own: how it ended, and what it printed.
    fn run(&self, guest: &str, words: &[&str]) -> (Ended, String);

    /// Where its memory comes from.
    fn arenas(&self) -> &SystemArenas;

    /// The accounts of all memories so far.
    fn records(&self) -> Vec<MemoryRecord>;
}

/// The exit code.
///
/// # Errors
/// It did not end by itself.
pub fn status(ended: Ended) -> Result<c_int, String> {
    ended.map_err(|problem| problem.said)
}

/// `word-index` with these words computes, checks itself, and tells of its memory what the arenas
/// tell.
///
/// # Errors
/// Something of this is not so.
pub fn computes(commands: &impl Commands, words: &[&str]) -> Verdict {
    let (ended, printed) = commands.run(WORD_INDEX, words);
    let status = status(ended)?;
    ensure!(status == 0, "exit code {status}:\n{printed}");
    ensure!(
        printed.contains("check     index and scan agree"),
        "it does not agree with itself:\n{printed}"
    );
    let records = commands.records();
    ensure!(records.len() == 1, "{} memories", records.len());
    let statistics = records[0].statistics;
    ensure!(statistics.refused_grows == 0, "{statistics:?}");
    let pages = format!(
        "memory    {} pages at the start, {} now, {} growths",
        statistics.initial_bytes / WASM_PAGE_SIZE,
        statistics.peak_bytes / WASM_PAGE_SIZE,
        statistics.grows
    );
    ensure!(printed.contains(&pages), "not `{pages}`:\n{printed}");
    Ok(())
}

/// Whatever `misbehave` does wrong traps as it should, its memory ends with it, and the engine
/// goes on.
///
/// # Errors
/// Something of this is not so.
pub fn misbehaves(commands: &impl Commands) -> Verdict {
    for (words, trap) in [
        (&["read-past-end"][..], Trap::OutOfBounds),
        (&["read-past-end", "16777216"], Trap::OutOfBounds),
        (&["write-past-end"], Trap::OutOfBounds),
        (&["straddle-end"], Trap::OutOfBounds),
        (&["recurse"], Trap::StackExhausted),
        (&["overflow-stack"], Trap::OutOfBounds),
        (&["abort"], Trap::Unreachable),
        (&["divide-by-zero"], Trap::DivisionByZero),
        (&["call-wrong-type"], Trap::WrongType),
    ] {
        let (ended, printed) = commands.run(MISBEHAVE, words);
        match ended {
            Ok(status) => return Err(format!("{words:?}: exit code {status}:\n{printed}")),
            Err(problem) => ensure!(
                problem.trap == Some(trap),
                "{words:?}: not {trap:?}, but {problem:?}"
            ),
        }
        let live = commands.arenas().statistics().live_memories;
        ensure!(live == 0, "{words:?}: its memory is still there");
    }
    for (words, status) in [
        (&["exit", "42"][..], 42),
        (&["grow-huge"], 0),
        (&["null"], 0),
    ] {
        let (ended, printed) = commands.run(MISBEHAVE, words);
        let got = self::status(ended)?;
        ensure!(got == status, "{words:?}: exit code {got}:\n{printed}");
    }
    let statistics = commands.arenas().statistics();
    ensure!(
        statistics.cache_hits > 0,
        "no region served a second guest: {statistics:?}"
    );
    Ok(())
}
