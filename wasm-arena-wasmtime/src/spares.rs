//! Allocators without a memory, kept for the next one.
//!
//! Making an allocator resolves all options and notes what became of each; a memory that comes and
//! goes needs none of that. So an allocator whose memory ended serves the next memory of the same
//! engine.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use os::Mutex;
use wasm_arena::{Allocator, ArenaSystem, Arenas};

/// Allocators kept at most in each shard, of about 3 KiB each.
const LIMIT: usize = 16;

/// Threads that come and go with memories at once seldom meet in one of so many.
const SHARDS: usize = 8;

type Idle<S> = Box<Allocator<Arc<Arenas<S>>>>;

/// A part of the allocators, in cache lines of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Shard<S: ArenaSystem>(Mutex<Vec<Idle<S>>>);

/// The allocators kept. Nobody waits: whoever meets another thread here does without.
#[derive(Debug)]
pub(crate) struct Spares<S: ArenaSystem>([Shard<S>; SHARDS]);

impl<S: ArenaSystem> Spares<S> {
    pub(crate) const fn new() -> Self {
        Self([const { Shard(Mutex::new(Vec::new())) }; SHARDS])
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&self) -> Option<Idle<S>> {
        self.own_first().find_map(|shard| shard.0.try_lock()?.pop())
    }

    /// Keeps one that holds no memory, if there is room.
    pub(crate) fn keep(&self, allocator: Idle<S>) {
        if let Some(mut spares) = self.own_first().find_map(|shard| shard.0.try_lock())
            && spares.len() < LIMIT
        {
            spares.push(allocator);
        }
    }

    /// The shards, beginning with the one that this thread mostly uses.
    fn own_first(&self) -> impl Iterator<Item = &Shard<S>> {
        let (before, from_own) = self.0.split_at(near_stack() % SHARDS);
        from_own.iter().chain(before)
    }
}

/// A number that is mostly the same for one thread and mostly another for the next: where its stack
/// is, to the megabyte. Any answer will do.
fn near_stack() -> usize {
    let here = 0_u8;
    let megabyte = (&raw const here).addr() >> 20;
    megabyte.wrapping_mul(0x9e37_79b9) >> 13
}
