//! Wasmtime linear memories from wasm-arena.
//!
//! [`ArenaMemories::engine`] makes a Wasmtime engine whose linear memories come from
//! [`Arenas`](wasm_arena::Arenas): with their guards, budgets, limits, checks and accounts, and
//! with regions that one guest gives back serving the next.
//!
//! ```text
//!            Engine  ── compiled code leaves checks out as its settings allow
//!              │
//!   private creator  ── grants exactly what those settings promise, or refuses with their name
//!              │
//!     Allocator each ── limits, budget, verification
//!              │
//!           Arenas
//! ```
//!
//! ```
//! use std::sync::Arc;
//!
//! use wasm_arena::{MemoryBudget, MemoryOptions, QnxArenaAllocatorBuilder};
//! use wasm_arena_wasmtime::{ArenaMemories, Strategy};
//! use wasmtime::{Config, Instance, Module, Store};
//!
//! static GUESTS: MemoryBudget = MemoryBudget::new("guests", 1 << 20);
//!
//! fn main() -> wasmtime::Result<()> {
//!     let arenas = Arc::new(QnxArenaAllocatorBuilder::new().build_arenas()?);
//!     let mut options = MemoryOptions::default();
//!     options.budget = Some((&GUESTS).into());
//!     let memories = ArenaMemories::new(Arc::clone(&arenas), Strategy::Bounded)
//!         .with_memory_options(options)?
//!         .with_records();
//!     let engine = memories.engine(Config::new())?;
//!
//!     let module = Module::new(
//!         &engine,
//!         r#"(module
//!             (memory (export "memory") 1 8)
//!             (func (export "double") (param $address i32) (result i32)
//!                 (drop (memory.grow (i32.const 3)))
//!                 (i32.store (local.get $address)
//!                     (i32.mul (i32.load (local.get $address)) (i32.const 2)))
//!                 (i32.load (local.get $address))))"#,
//!     )?;
//!     for _guest in 0..2 {
//!         let mut store = Store::new(&engine, ());
//!         let instance = Instance::new(&mut store, &module, &[])?;
//!         let memory = instance.get_memory(&mut store, "memory").unwrap();
//!         memory.write(&mut store, 4096, &21_u32.to_le_bytes())?;
//!         let double = instance.get_typed_func::<u32, u32>(&mut store, "double")?;
//!         assert_eq!(double.call(&mut store, 4096)?, 42);
//!         // Past the end: a trap for the guest, and nothing else.
//!         assert!(double.call(&mut store, 8 * 65_536).is_err());
//!     }
//!
//!     for record in memories.records() {
//!         println!("memory {}: {:?}", record.id, record.statistics);
//!         // One page at the start, and three more at each of two calls.
//!         assert_eq!(record.statistics.peak_bytes, 7 * 65_536);
//!     }
//!     assert_eq!(arenas.statistics().live_memories, 0);
//!     assert_eq!(GUESTS.used(), 0);
//!     Ok(())
//! }
//! ```
//!
//! # Strategies
//! | | [`Bounded`](Strategy::Bounded) | [`Reserved`](Strategy::Reserved) |
//! |---|---|---|
//! | a stray access | is compared with the size and traps | faults, and the engine makes a trap of it |
//! | needs | nothing | 64-bit host, pages that protect and reserve for free |
//! | address space per memory | the size and half of it, and guards | 4 GiB, the guard after (32 MiB), the guard before |
//! | `memory.grow` within the room | arithmetic, no system call | one system call |
//! | `memory.grow` beyond | moves: copies the contents | 32-bit memories: never needed; 64-bit ones move |
//! | speed of compiled code | a comparison for most accesses | the fastest Wasmtime has |
//! | our guards | catch stray accesses of the *host* | the same, and the guest's |
//!
//! Where Wasmtime checks explicitly anyway (64-bit memories, custom page sizes, targets without
//! signals), the strategies differ only in address space.
//!
//! # What you must know
//! - **Settings.** `engine` is the only way to these memories, and sets last what their safety
//!   depends on: `memory_*`, `gc_heap_*` (but for the initial size), `guard_before_linear_memory`,
//!   `memory_init_cow`, `allocation_strategy` and `with_host_memory`; what was set of these before
//!   is lost. Wasmtime lets everybody clone the configuration of an engine, though. If a copy is
//!   changed so that compiled code would rely on more than the memories provide, every
//!   instantiation is refused with the name of the setting. One change cannot be noticed by a
//!   creator: with `memory_init_cow(true)` in such a copy, Wasmtime panics when it instantiates a
//!   module with data segments (it does so with any creator). Use `engine` for every engine.
//! - **Precompiled modules** must come from an engine of the same strategy and guard size: Wasmtime
//!   compares, and refuses others.
//! - **Data segments** are copied at instantiation instead of being mapped: the cost is that of a
//!   copy of the segments.
//! - **Memories made by the host** (`wasmtime::Memory::new`, `wasmtime::SharedMemory::new`) do not
//!   come from the arenas: Wasmtime 48 does not ask the creator. They are safe, and appear in no
//!   account, budget or limit. Under `Bounded` such a shared memory cannot grow.
//! - **Shared memories that a module defines** do come from the arenas. Their maximum is reserved,
//!   because they must not move.
//! - **GC heaps** come from the arenas and appear among the records; limits and budgets hold for
//!   them.
//! - **Tables and instances** are Wasmtime's own, not from the arenas.
//! - **Threads.** Stores on any number of threads may share one engine; making and ending memories
//!   takes the arenas' lock for a few dozen instructions.
//! - **Async, epochs, fuel, the component model** are not affected: a memory is a memory, inside a
//!   component too. Fiber stacks are Wasmtime's own.
//! - **A refused growth** is -1 for the guest. [`MemoryRecord::last_refusal`] tells the host why.
//! - **Ending.** A store's memories end with the store.
//! - **Contents.** Verification levels of memory options are about the allocator. What a guest's
//!   memory holds is watched by a [`MemoryGuard`], while the guest does not run.
//!
//! # Features
//! | feature | effect | default |
//! |---|---|---|
//! | `call-hook` | `GuardedCalls`: guards that work by themselves at every call. Wasmtime then asks at each change between guest and host whether there is a hook | off |
//!
//! # Without `std`
//! Without the feature `std`, on by default, this crate and Wasmtime need an allocator and a
//! platform: `wasm-arena-wasmtime-platform` is one. Modules are compiled elsewhere:
//! [`Strategy::configure_compilation`]. The guide `docs/wasmtime-on-qnx.md` goes all the way.
//!
//! # Costs
//! Making a memory: no system call if a kept region of the shape fits, otherwise two to five, and
//! three small allocations of the host's heap (two without records). Ending one: none if the region
//! is kept. The check of a request: constant time.

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_op_in_unsafe_fn)]

extern crate alloc;

mod bridge;
#[cfg(test)]
mod creator_tests;
mod error;
mod guard;
mod memories;
mod memory;
mod options;
mod request;
mod spares;
mod strategy;

pub use error::MemoryError;
pub use guard::{DEFAULT_GUARD_BLOCK_SIZE, GuardError, GuardStatistics, MemoryGuard};
#[cfg(feature = "call-hook")]
pub use guard::{GuardedCallError, GuardedCalls};
pub use memories::ArenaMemories;
pub use strategy::{Strategy, UnknownStrategy};
pub use wasm_arena::MemoryRecord;

/// The README's examples, run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;

/// Those of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/wasmtime.md")]
#[derive(Debug)]
pub struct Guide;
