//! The conformance suite as a program for QNX: the objects are linked by `qcc` for a machine with
//! QNX, or here with a stand-in for its C library.
//!
//! ```text
//!   main ─▶ arguments ─▶ subjects: libc, arena, mapped ─▶ cases of the suite
//!                             │                        ─▶ cases about the C library   (stand-in)
//!                             └─ bench: calls, refusals, leaks                        (stand-in)
//! ```
#![no_std]

#[cfg(feature = "stand-in")]
mod cases;
#[cfg(all(
    target_pointer_width = "64",
    any(target_env = "nto70", target_env = "nto71")
))]
mod compare;
mod run;
mod subjects;
#[cfg(feature = "stand-in")]
mod table;

use core::ffi::{c_char, c_int};
use core::panic::PanicInfo;

#[cfg(feature = "stand-in")]
pub(crate) use qnx_program::bench;
pub(crate) use qnx_program::{arguments, output};

use arguments::Arguments;
use output::{end, say};

/// Where the C library's start-up code goes.
///
/// # Safety
/// As C has it: `values` are `count` strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(count: c_int, values: *const *const c_char) -> c_int {
    // SAFETY: the caller's promise, passed on unchanged.
    let arguments = unsafe { Arguments::new(count, values) };
    run::run(&arguments)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("{info}\n"));
    end(101)
}
