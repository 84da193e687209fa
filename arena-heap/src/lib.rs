//! The portable arena heap: a bounded-time heap in the manner of the QNX allocator, over any source
//! of host pages.
//!
//! ```text
//!   allocate ──▶ size ≤ largest band, alignment ≤ one word?
//!                  │ yes                          │ no
//!                  ▼                              ▼
//!               bands                         list heap
//!         pools of equal blocks ──cut from──▶ blocks by size class, neighbours joined
//!         a bit for each block                    │ no free block fits
//!                                                 ▼
//!                              arenas, wholly free ones cached up to a limit
//!                                                 │ none
//!                                                 ▼
//!                                  a page source: OS pages, or a static array
//! ```
//!
//! Every path is constant time but for the one call of the page source and the bytes copied or
//! zeroed: no list is walked, neither when memory is taken nor when it is freed. A block of the list
//! heap costs one word; a block of a band costs nothing but its share of the pool.
//!
//! | name | what it is |
//! |---|---|
//! | [`ArenaHeap`] | the heap, for one owner |
//! | [`SharedArenaHeap`] | the same behind a lock, as `#[global_allocator]` |
//! | [`ShardedArenaHeap`] | several heaps, each behind a lock of its own, for threads that allocate at once |
//! | [`HeapConfig`], [`BandConfig`] | settings, also [from the environment](HeapConfig::with_environment) |
//! | [`HeapStatistics`] | counters |
//! | [`Corruption`] | what [`ArenaHeap::verify`] finds |
//!
//! What is as documented for the QNX allocator: arenas of 32 KiB by default and at most 256 KiB,
//! requests beyond an arena in whole arenas with the rest free for others, the cache and its limits
//! in the form of SDP 6.6 and 7.0, hold, preallocation, FIFO or LIFO reuse, bands, the factor 1.5
//! of a large reallocation, the environment variables. What is not:
//!
//! - The costs: size classes with bitmaps take the place of searched lists.
//! - A request is cut from the low end of a free block, so that what is behind it can grow.
//! - Band blocks have no header, and what is free is a bit in the pool, so bands are finer and
//!   a second free is always noticed while the pool lives.
//! - No request gets a mapping of its own outside the arenas.
//! - Lowering a cache limit gives back at once what is above it.
//! - A wrong setting is an error, with the range in it.
//!
//! This crate uses neither `std` nor `alloc`, and nothing but `wasm-arena-os`.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

mod arena;
mod band_config;
mod bands;
mod bins;
mod block;
mod config;
mod environment;
mod error;
mod global;
mod header;
mod heap;
mod layout;
mod owned;
mod pool;
mod pool_layout;
mod sharded;
mod shared;
mod size_class;
mod statistics;
mod verify;

pub use band_config::{Band, BandConfig, BandError};
pub use config::{ConfigError, FreeOrder, HeapConfig};
pub use environment::{EnvironmentReport, Outcome, Refusal, Variable};
pub use error::{Corruption, Damage, HeapError, Trimmed};
pub use owned::ArenaHeap;
pub use sharded::ShardedArenaHeap;
pub use shared::SharedArenaHeap;
pub use statistics::HeapStatistics;
