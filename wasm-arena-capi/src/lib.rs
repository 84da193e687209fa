//! wasm-arena for C: handles, status codes with numbers and texts, and hooks for C runtimes.
//!
//! The interface is the header `include/wasm_arena.h`, which is made from this crate; `docs/c-api.md`
//! is its guide. Rust programs use the crate `wasm-arena` itself.
//!
//! ```text
//!   C ──▶ exported functions      arenas_…, memory_…, atomic_…, budget, runtime
//!             │ pointers: call     numbers: numbers     failures: failure ─▶ error ─▶ status
//!         handles                  numbers that C takes for pointers; pinned while in use
//!             │
//!          shared                  objects, counted, in a heap of their own
//!             │
//!         wasm-arena
//! ```
//!
//! Nothing here allocates from the C library, and nothing waits for another thread, but where the
//! library itself does. No panic crosses the border: a function of C's calling convention ends the
//! process instead, by Rust's own rule.
//!
//! # Two ways to build it
//! | `panic` | what is linked | for |
//! |---|---|---|
//! | `abort` (the profile `capi`) | `core`, and a panic handler that calls C's `abort`: imports nothing but the C library's functions | the libraries that are installed, QNX |
//! | `unwind` | Rust's standard library, for its panic handler | tests, and programs in Rust that want the exported functions |
#![no_std]
#![allow(non_camel_case_types, reason = "types of C are named as C names them")]

#[cfg(any(panic = "unwind", test))]
extern crate std;

mod arenas;
mod arenas_calls;
mod atomic;
mod atomic_calls;
mod atomic_upkeep;
mod budget;
mod call;
mod effective;
mod error;
mod failure;
mod general;
mod handles;
mod memory;
mod memory_calls;
mod memory_contents;
mod memory_options;
mod numbers;
#[cfg(not(any(panic = "unwind", test)))]
mod panic;
mod register;
mod runtime;
mod shared;
mod statistics;
mod status;
mod text;

pub use arenas::*;
pub use arenas_calls::*;
pub use atomic_calls::*;
pub use atomic_upkeep::*;
pub use budget::*;
pub use effective::*;
pub use error::*;
pub use general::*;
pub use memory_calls::*;
pub use memory_contents::*;
pub use memory_options::*;
pub use numbers::*;
pub use runtime::*;
pub use statistics::*;
pub use status::*;

/// The size that a struct of options says it has.
const fn size_of_struct<T>() -> u32 {
    assert!(size_of::<T>() < 4096, "a struct of options is small");
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    {
        size_of::<T>() as u32
    }
}
