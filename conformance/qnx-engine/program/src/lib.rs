//! Wasmtime without `std` as a program for QNX: linked by `qcc` for a machine with QNX, or here with
//! a stand-in for its C library.
//!
//! ```text
//!   main ─▶ words ─▶ run: a WASI command, as a user would start it
//!                 ─▶ all: cases, each with Pulley's bytecode and with native code
//!                        │
//!           Wasmtime ── linear memory ─▶ wasm-arena-wasmtime ─▶ QnxArenaAllocator's arenas
//!                    ── its own objects ─▶ HEAP, an arena-heap over a static array
//!                    ── code, slots, locks ─▶ PLATFORM ─▶ os
//! ```
#![no_std]

extern crate alloc;

mod cases;
mod code;
mod embedding;
mod run;
mod wasi;

use core::ffi::{c_char, c_int};

use os::{FixedMemory, FixedStorage, PageSize};
use qnx_guests::cases::RuntimeHeap;
use qnx_program::arguments::Arguments;
use wasm_arena_wasmtime_platform::Platform;

/// All memory for the runtime's own objects: taken when the program is loaded, and never more.
static STORAGE: FixedStorage<{ 24 << 20 }> = FixedStorage::new();

/// The runtime's own objects: code that is being loaded, tables, instances, Pulley's stacks.
#[global_allocator]
static HEAP: RuntimeHeap = RuntimeHeap::new(FixedMemory::in_storage(
    &STORAGE,
    PageSize::new(4096).unwrap(),
));

/// What Wasmtime asks of the system.
static PLATFORM: Platform = Platform::of_this_system();

wasm_arena_wasmtime_platform::export!(PLATFORM);

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
