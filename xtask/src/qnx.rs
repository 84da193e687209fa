//! `cargo xtask qnx`: the libraries, compiled to objects for QNX.
//!
//! No linker and no system for them is to be had freely, so nothing is linked and nothing is run.
//! What this shows: the code for QNX compiles, including all that is generic, and calls nothing of
//! the C library but what is named here. Running it comes with the conformance suite.

use crate::probe::{self, Kind};
use crate::symbols::{self, Symbols};

const TARGETS: [&str; 3] = [
    "x86_64-pc-nto-qnx710",
    "aarch64-unknown-nto-qnx700",
    "aarch64-unknown-nto-qnx710",
];

/// All that the libraries may call of QNX's C library.
const C_LIBRARY: [&str; 9] = [
    "__get_errno_ptr",
    "mlock",
    "mmap",
    "mprotect",
    "munlock",
    "munmap",
    "nanosleep",
    "sched_yield",
    "sysconf",
];

/// Builds for each target and looks at what the objects call.
///
/// # Errors
/// It does not build, or something else is called.
pub(crate) fn run() -> Result<(), String> {
    let archives = probe::build(&TARGETS, Kind::Clean)?;
    for (target, archive) in TARGETS.iter().zip(&archives) {
        symbols::check(target, &Symbols::of(archive)?, &C_LIBRARY)?;
    }
    println!("compiled for {}; nothing was run", TARGETS.join(", "));
    Ok(())
}
