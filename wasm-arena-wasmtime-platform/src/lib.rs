//! What Wasmtime asks of its platform when it is built without `std`, answered with wasm-arena's
//! page sources, locks and thread slots.
//!
//! ```text
//!   wasmtime (no std) ──▶ C symbols wasmtime_*  ◀── export!(PLATFORM), in the program
//!                                                        │
//!                                                    Platform ── last refusal, with its numbers
//!                                          ┌─────────────┼────────────┐
//!                                     page source   thread slots    locks
//! ```
//!
//! A program has one [`Platform`] in a static and exports it once:
//!
//! ```
//! use wasm_arena_wasmtime_platform::Platform;
//!
//! static PLATFORM: Platform = Platform::of_this_system();
//! wasm_arena_wasmtime_platform::export!(PLATFORM);
//!
//! // Before the first engine: afterwards a thread without a slot could only end the program.
//! PLATFORM.prepare()?;
//! # Ok::<(), os::Reason>(())
//! ```
//!
//! # Which feature of Wasmtime asks for what
//! | feature of `wasmtime` | symbols | answered by |
//! |---|---|---|
//! | `runtime` (always) | `wasmtime_tls_get`, `wasmtime_tls_set` | [`ThreadSlots`]: [`os::ThreadSlot`], or your own |
//! | `custom-sync-primitives` | `wasmtime_sync_lock_*`, `wasmtime_sync_rwlock_*` | [`locks`]: a word each, no allocation |
//! | `custom-virtual-memory` | `wasmtime_mmap_new`, `wasmtime_mmap_remap`, `wasmtime_munmap`, `wasmtime_mprotect`, `wasmtime_page_size` | the [`os::PageSource`] |
//! | the same | `wasmtime_memory_image_new`, `_map_at`, `_free` | "no image": data segments are copied |
//! | `custom-native-signals` | `wasmtime_init_traps` | not here, so that linking fails: without a handler of the system's faults behind it, every trap would end the process |
//!
//! Pulley, Wasmtime's interpreter, needs the first alone; the second as soon as there are threads.
//! Native code needs the third as well, and a page source that protects. Signals are not needed for
//! either: `signals_based_traps(false)` makes compiled code check for itself.
//!
//! # Costs
//! A page symbol is one or two calls of the page source; a thread slot is one call of the C library,
//! twice for each entry into a guest; a lock nobody holds makes no call.
//!
//! This crate uses neither `std` nor `alloc`, and not Wasmtime: the symbols are the interface.
//! Written against Wasmtime 48.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

mod code;
mod export;
pub mod locks;
mod pages;
mod platform;
mod slots;

pub use platform::Platform;
pub use slots::ThreadSlots;
