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

/// Allocators kept at most, of about 3 KiB each.
const LIMIT: usize = 32;

type Idle<S> = Box<Allocator<Arc<Arenas<S>>>>;

/// The allocators kept. Nobody waits: whoever meets another thread here does without.
#[derive(Debug)]
pub(crate) struct Spares<S: ArenaSystem>(Mutex<Vec<Idle<S>>>);

impl<S: ArenaSystem> Spares<S> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

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
