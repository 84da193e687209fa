//! Hands over to the C program, which does everything: see `tests/c/wasmtime.c`.

use core::ffi::c_int;
use std::process::ExitCode;

// Both libraries export functions by name; nothing is called from here.
use wasm_arena_capi as _;
use wasmtime_c_api as _;

unsafe extern "C" {
    /// The C program.
    safe fn hook_test() -> c_int;
}

fn main() -> ExitCode {
    match hook_test() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
