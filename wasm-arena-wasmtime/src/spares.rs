//! Allocators without a memory, kept for the next one.
//!
//! Making an allocator resolves all options and notes what became of each; a memory that comes and
//! goes needs none of that. So an allocator whose memory ended serves the next memory of the same
//! engine.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use os::{Mutex, ThreadShards};
use wasm_arena::{Allocator, ArenaSystem, Arenas};

/// Allocators kept at most in each shard, of about 3 KiB each.
const LIMIT: usize = 16;

/// Threads that come and go with memories at once seldom meet in one of so many.
const SHARDS: usize = 8;

type Idle<S> = Box<Allocator<Arc<Arenas<S>>>>;

/// A part of the allocators, in cache lines of its own. Nobody waits: whoever meets another thread
/// here does without.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Shard<S: ArenaSystem>(Mutex<Vec<Idle<S>>>);

impl<S: ArenaSystem> Shard<S> {
    /// Takes one, if there is one.
    pub(crate) fn take(&self) -> Option<Idle<S>> {
        self.0.try_lock()?.pop()
    }

    /// Keeps one that holds no memory, if there is room.
    pub(crate) fn keep(&self, allocator: Idle<S>) {
        if let Some(mut spares) = self.0.try_lock()
            && spares.len() < LIMIT
        {
            spares.push(allocator);
        }
    }
}

/// The allocators kept. Each shard is shared by itself: memories that count on it count in its cache
/// lines, not in those of all threads.
#[derive(Debug)]
pub(crate) struct Spares<S: ArenaSystem> {
    shards: [Arc<Shard<S>>; SHARDS],
    threads: ThreadShards,
}

impl<S: ArenaSystem> Spares<S> {
    pub(crate) fn new() -> Self {
        Self {
            shards: core::array::from_fn(|_| Arc::new(Shard(Mutex::new(Vec::new())))),
            threads: ThreadShards::new(),
        }
    }

    /// The shard that this thread mostly uses.
    pub(crate) fn own(&self) -> &Arc<Shard<S>> {
        &self.shards[self.threads.of_this_thread(SHARDS)]
    }
}
