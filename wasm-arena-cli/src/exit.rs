//! How the program ends: exit codes, and the one line that says why.
//!
//! A guest's own exit code is from 0 to 125 (WASI permits no other), and all of ours lie above: a
//! script can always tell the two apart.

use core::fmt::Display;
use std::io::Write;

/// The guest (or the report) was asked for wrongly: an option, a size, an argument of `--invoke`.
pub(crate) const USAGE: u8 = 127;
/// The module could not be started: not there, damaged, an import missing, memory refused.
pub(crate) const NOT_STARTED: u8 = 126;
/// The guest ended with exit code 0, but the report (or a result) could not be written.
pub(crate) const NOT_WRITTEN: u8 = 128;
/// The guest was stopped by a trap: what a shell shows for a native program that aborts.
pub(crate) const TRAPPED: u8 = 134;

/// The guest's memory was changed while no guest ran: what a shell shows for a native program whose
/// memory the hardware reports as damaged.
pub(crate) const DAMAGED: u8 = 135;

/// The table of exit codes, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0-125  the guest's own (WASI permits no other)
  126    the module could not be started: not found, damaged, import missing, memory refused
  127    wrong options or arguments
  128    the guest ended with 0, but the report or its results could not be written
  134    the guest was stopped by a trap
  135    the guest's memory was found damaged (--verify full, critical)";

/// Why nothing (more) can be done, in one line.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(USAGE, message)
    }

    pub(crate) fn not_started(message: impl Display) -> Self {
        Self::new(NOT_STARTED, message)
    }

    pub(crate) fn not_written(message: impl Display) -> Self {
        Self::new(NOT_WRITTEN, message)
    }

    fn new(code: u8, message: impl Display) -> Self {
        Self {
            code,
            message: one_line(&message.to_string()),
        }
    }
}

/// Joins the lines of a message that was made for a larger screen.
pub(crate) fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Writes `wasm-arena: message` to stderr. Nothing is left to do if even that fails.
pub(crate) fn complain(message: &str) {
    let _unheard = writeln!(std::io::stderr().lock(), "wasm-arena: {message}");
}
