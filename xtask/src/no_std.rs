//! `cargo xtask no-std`: the libraries on processors without a system, and without an allocator.
//!
//! ```text
//!   os, arena-heap, wasm-arena ──▶ probe (static library) ──▶ nm ──▶ may need memcpy and its kin
//! ```
//!
//! The two 32-bit targets have no 64-bit atomics.

use crate::probe::{self, Kind};
use crate::symbols::{self, Symbols};

const TARGETS: &[&str] = &[
    "x86_64-unknown-none",
    "thumbv7em-none-eabi",
    "riscv32imac-unknown-none-elf",
];

/// Builds, looks, and sees that the look would notice.
///
/// # Errors
/// It does not build, an allocator is referenced, or the check would not notice one.
pub(crate) fn run() -> Result<(), String> {
    // First, so that what stays behind is the clean one.
    let tainted = probe::build(&TARGETS[..1], Kind::Tainted)?;
    for (target, archive) in TARGETS.iter().zip(&tainted) {
        let verdict = symbols::check(target, &Symbols::of(archive)?, &[]);
        match verdict {
            Err(problem) if problem.contains("malloc") => {
                println!("the malloc put there on purpose was noticed");
            }
            _ => return Err(format!("{target}: the check does not notice malloc")),
        }
    }
    let clean = probe::build(TARGETS, Kind::Clean)?;
    for (target, archive) in TARGETS.iter().zip(&clean) {
        symbols::check(target, &Symbols::of(archive)?, &[])?;
    }
    Ok(())
}
