//! wasmi linear memories from wasm-arena.
//!
//! [`ArenaMemories::store`] makes a wasmi store whose linear memories come from
//! [`Arenas`](wasm_arena::Arenas): with their guards, budgets, limits, checks and accounts, and with
//! regions that one guest gives back serving the next. `no_std`, with `alloc` because wasmi needs
//! it.
//!
//! ```text
//!   module ── import_own_memories ──▶ its own memories are imports
//!                                            │
//!            ArenaStore::instantiate ── makes them, one region each, and links them
//!                    │
//!        Store ── grows inside its regions; a gate asks budget and limits first
//!                    │ ends first
//!                 regions ── go back to the arenas, never before the store is gone
//! ```
//!
//! ```
//! use std::sync::Arc;
//!
//! use wasm_arena::{MemoryBudget, MemoryOptions, QnxArenaAllocatorBuilder};
//! use wasm_arena_wasmi::{ArenaMemories, ArenaModule};
//! use wasmi::{Engine, Linker};
//!
//! static GUESTS: MemoryBudget = MemoryBudget::new("guests", 1 << 20);
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let arenas = Arc::new(QnxArenaAllocatorBuilder::new().build_arenas()?);
//! let mut options = MemoryOptions::default();
//! options.budget = Some((&GUESTS).into());
//! let memories = ArenaMemories::new(Arc::clone(&arenas))?
//!     .with_memory_options(options)?
//!     .with_records();
//!
//! let engine = Engine::default();
//! let module = ArenaModule::new(
//!     &engine,
//!     &wat::parse_str(
//!         r#"(module
//!             (memory (export "memory") 1 8)
//!             (func (export "double") (param $address i32) (result i32)
//!                 (drop (memory.grow (i32.const 3)))
//!                 (i32.store (local.get $address)
//!                     (i32.mul (i32.load (local.get $address)) (i32.const 2)))
//!                 (i32.load (local.get $address))))"#,
//!     )?,
//! )?;
//! for _guest in 0..2 {
//!     let mut store = memories.store(&engine, ());
//!     let instance = store.instantiate(&Linker::new(&engine), &module)?;
//!     let memory = instance.get_memory(&store, "memory").unwrap();
//!     memory.write(&mut store, 4096, &21_u32.to_le_bytes())?;
//!     let double = instance.get_typed_func::<u32, u32>(&store, "double")?;
//!     assert_eq!(double.call(&mut store, 4096)?, 42);
//!     // Past the end: a trap for the guest, and nothing else.
//!     assert!(double.call(&mut store, 8 * 65_536).is_err());
//! }
//!
//! for record in memories.records() {
//!     // One page at the start, and three more at each of two calls.
//!     assert_eq!(record.statistics.peak_bytes, 7 * 65_536);
//! }
//! assert_eq!(arenas.statistics().live_memories, 0);
//! assert_eq!(GUESTS.used(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # What you must know
//! - **Room.** wasmi takes a memory's room once, and cannot move it. The room is the maximum that
//!   the module declares, unless [`with_memory_options`](ArenaMemories::with_memory_options) or
//!   [`with_maximum_bytes`](ArenaMemories::with_maximum_bytes) say otherwise. All of it is
//!   accessible from the start, because wasmi holds it as a slice. On Linux that costs address
//!   space; where accessible memory costs RAM (QNX's heap, an array), it costs the room, and a
//!   budget is charged for it. A growth beyond is -1 for the guest.
//! - **Guards** lie before the data and behind the room. wasmi compares every access of a guest with
//!   the size, so they catch stray accesses of the *host*.
//! - **Every memory of a store is ours.** [`ArenaModule`] turns a module's own memories into
//!   imports, and [`ArenaStore::instantiate`] supplies them. A module with memories of its own that
//!   is instantiated without it is refused, and so is `wasmi::Memory::new`.
//! - **Ending.** Memories end with the store, as always in wasmi: instances cannot be ended alone.
//!   The types keep regions and store together; see [`ArenaStore`].
//! - **Zero.** wasmi fills new bytes with zeros itself, at creation and at growth; that is a cost in
//!   the size, whatever the arenas know to be zero already, and it makes all of them resident. So
//!   cap what untrusted modules may declare: by a budget, or by a maximum.
//! - **Exported types.** A memory whose maximum is beyond the address space shows its room as the
//!   maximum.
//! - **Records** of memories that have had the same size and the same maximum at once may count
//!   each other's growths: wasmi does not say which of them grows. Sums, sizes and limits are exact.
//!   A growth past the declared maximum is refused by wasmi itself, and not counted.
//! - **Tables, globals, stacks, compiled code** are wasmi's own, from the program's allocator:
//!   `arena-heap` can be that.
//! - **The host's stack.** wasmi's faster way from one instruction to the next is a call in tail
//!   position, which the compiler may or may not turn into a jump; where it does not, the host's
//!   stack grows with every instruction of the guest. Seen here with optimisation and debug
//!   assertions together. `portable-dispatch` is a loop instead; take it where a stack must be
//!   bounded.
//! - **Panics.** A host function that panics ends the program: wasmi cannot unwind. wasmi 2.0 panics
//!   itself when a memory supplied by the host grows beyond its room, and when
//!   a 64-bit memory whose maximum is 2^48 pages grows. In these stores, neither can happen.
//!
//! # Features
//! | feature | default | effect |
//! |---|---|---|
//! | `std` | yes | wasmi with `std`; this crate is the same without |
//! | `portable-dispatch` | no | wasmi's interpreter as a loop: slower, with a bounded stack |
//! | `libm` | no | wasmi's floating point from the crate `libm`, for targets without `std` |
//!
//! # Costs
//! Making a memory: no system call if a kept region of the shape fits, otherwise two to five; filling
//! its initial size with zeros. Growing: a lock, the checks of the verification level, the fill; no
//! system call. Ending: none if the region is kept.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod error;
mod guest;
mod ledger;
mod memories;
mod module;
mod options;
mod own_memories;
mod region;
mod store;

pub use error::MemoryError;
pub use guest::Guest;
pub use memories::ArenaMemories;
pub use module::ArenaModule;
pub use options::DEFAULT_CAPACITY;
pub use own_memories::{ImportError, ImportedMemories, NAMESPACE, import_own_memories};
pub use store::ArenaStore;
