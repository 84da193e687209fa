//! What programs for QNX that run guests have in common, whatever the engine: the frame of their
//! cases, what guests have to show, the little of WASI that guests call, and what a user is told.
//!
//! ```text
//!   engine, interpreter ─▶ cases     named, counted, each on memory nobody used before
//!                       ─▶ guests    word-index and misbehave: what they print, how they end
//!                       ─▶ wasi      arguments, output, an exit
//!                       ─▶ program   words of the command line, accounts of memory
//!                       ─▶ watch     refusals, and what is left behind            (stand-in)
//! ```
#![no_std]

extern crate alloc;

pub mod cases;
pub mod guests;
pub mod program;
pub mod wasi;
#[cfg(feature = "stand-in")]
pub mod watch;

use core::panic::PanicInfo;

use qnx_program::output::{end, say};

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("{info}\n"));
    end(101)
}
