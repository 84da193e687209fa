//! Arenas come and go: mapping, the cache of wholly free ones, and giving back.
//!
//! ```text
//!             map                  first block cut
//!   source ─────────▶ wholly free ─────────────────▶ in use
//!      ▲              (cached)   ◀─────────────────┘
//!      └──────────────────┘       last block freed
//!     limits, trim, configure
//! ```
//!
//! A cached arena is one free block in the bins like any other, so finding it costs nothing extra.

use os::OsError;

use super::source::ArenaSource;
use super::{HeapState, Working};
use crate::arena::Arena;
use crate::block::Block;
use crate::header::Header;
use crate::layout::{ARENA_OVERHEAD, MIN_BLOCK, arena_length};
use crate::{HeapError, Trimmed};

impl HeapState {
    /// The first block of an arena, taken out of its bin, is about to be cut: the arena leaves the
    /// cache.
    #[cold]
    pub(super) fn leave_cache(&mut self, first: Block) {
        // SAFETY: the caller found the mark of a first block.
        let arena = unsafe { Arena::of_first_block(first) };
        self.arenas.uncache(arena);
        self.counters.cache_hits += 1;
    }
}

impl<P: ArenaSource> Working<'_, P> {
    /// See [`ArenaHeap::trim`](crate::ArenaHeap::trim).
    pub(crate) fn trim(&mut self) -> Trimmed {
        let bytes = self.state.arenas.bytes;
        let unmapped = self.state.counters.arenas_unmapped;
        self.end_empty_pools();
        let mut next = self.state.arenas.newest_cached();
        while let Some(arena) = next {
            // A failure puts the arena back as the newest, which this walk does not see again.
            next = arena.cached_next();
            self.give_back_cached(arena);
        }
        Trimmed {
            arenas: self.state.counters.arenas_unmapped - unmapped,
            bytes: bytes - self.state.arenas.bytes,
            // Every cached arena was offered, so those that are left were refused.
            failures: self.state.arenas.cached_count,
        }
    }

    /// Brings the cache within the limits. Stops at the first arena the source refuses to take.
    pub(super) fn enforce_limits(&mut self) {
        let mut next = self.state.arenas.newest_cached();
        while let Some(arena) = next {
            next = arena.cached_next();
            let too_large = arena.length() > self.state.config.arena_size;
            let kept = self.state.config.hold
                || self.state.arenas.cached_bytes <= self.state.config.preallocate;
            if too_large && !kept && !self.give_back_cached(arena) {
                return;
            }
        }
        while let Some(arena) = self.state.arenas.oldest_cached() {
            let (count, bytes) = (
                self.state.arenas.cached_count,
                self.state.arenas.cached_bytes,
            );
            if self.state.config.within_limits(count, bytes) || !self.give_back_cached(arena) {
                return;
            }
        }
    }

    /// Maps until the cache holds what is to be preallocated: in one arena, where blocks of all sizes
    /// share one run of memory, or in arenas of the usual size where the source has no such run.
    pub(super) fn preallocate_arenas(&mut self) -> Result<(), OsError> {
        let arena_size = self.state.config.arena_size;
        let mut largest = usize::MAX;
        while let Some(missing) = self
            .state
            .config
            .preallocate
            .checked_sub(self.state.arenas.cached_bytes)
            .filter(|missing| *missing > 0)
        {
            // The maximum of preallocation leaves room for the sum, and an arena holds a block at
            // least.
            let least = (ARENA_OVERHEAD + MIN_BLOCK).next_multiple_of(arena_size);
            let length = missing.next_multiple_of(arena_size).clamp(least, largest);
            match self.map_arena(length) {
                Ok(arena) => {
                    let block = arena.first_block();
                    self.state.bins.insert(
                        block,
                        block.header().size(),
                        self.state.config.free_order,
                    );
                    self.state.arenas.cache(arena);
                }
                Err(_) if length > least => largest = least,
                Err(error) => {
                    self.state.counters.failed_preallocations += 1;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Maps an arena of `length` bytes: one fresh free block, in no list. One system call.
    fn map_arena(&mut self, length: usize) -> Result<Arena, OsError> {
        let base = self.source.map(length)?;
        // SAFETY: a new run of the source, zero and ours; every caller asks for at least a block
        // more than the overhead.
        let arena = unsafe { Arena::create(base, length) };
        self.state.arenas.add(arena);
        self.state.counters.arenas_mapped += 1;
        self.state.counters.peak_mapped =
            self.state.counters.peak_mapped.max(self.state.arenas.bytes);
        Ok(arena)
    }

    /// A new arena of at least `length` bytes for a request of `size`, as its first block, which is
    /// free and in no list. If the source has none, what the heap does not need is given back and
    /// the source asked again.
    #[cold]
    pub(super) fn block_of_new_arena(
        &mut self,
        length: usize,
        size: usize,
    ) -> Result<Block, HeapError> {
        self.state.counters.cache_misses += 1;
        let length = length.next_multiple_of(self.state.config.arena_size);
        let refused = match self.map_arena(length) {
            Ok(arena) => return Ok(arena.first_block()),
            Err(error) => error,
        };
        if self.trim().arenas == 0 {
            return Err(HeapError::OutOfMemory {
                size,
                source: refused,
            });
        }
        let arena = self.map_arena(length);
        let arena = arena.map_err(|source| HeapError::OutOfMemory { size, source })?;
        Ok(arena.first_block())
    }

    /// An arena became wholly free: one block, in no bin. Keeps it in the cache or gives it back. At
    /// most one system call.
    #[cold]
    #[inline(never)]
    pub(super) fn arena_became_free(mut self, first: Block) {
        // SAFETY: the caller found the mark of a first block.
        let arena = unsafe { Arena::of_first_block(first) };
        let (count, bytes) = (
            self.state.arenas.cached_count,
            self.state.arenas.cached_bytes,
        );
        if !self.state.config.keeps(count, bytes, arena.length()) && self.unmap(arena) {
            return;
        }
        self.keep(arena);
    }

    /// Puts a wholly free arena into the cache.
    fn keep(&mut self, arena: Arena) {
        let size = arena.length() - ARENA_OVERHEAD;
        let first = arena.first_block();
        // SAFETY: the whole arena is free, so the block's bytes belong to no one.
        unsafe { first.write_free(Header::free(size).with_first()) };
        self.state
            .bins
            .insert(first, size, self.state.config.free_order);
        self.state.arenas.cache(arena);
    }

    /// Gives one cached arena back; on failure it stays in the cache. Returns whether it went.
    fn give_back_cached(&mut self, arena: Arena) -> bool {
        let size = arena.length() - ARENA_OVERHEAD;
        self.state.bins.remove(arena.first_block(), size);
        self.state.arenas.uncache(arena);
        let gone = self.unmap(arena);
        if !gone {
            self.keep(arena);
        }
        gone
    }

    /// Unmaps an arena that is in no list but that of all arenas. Returns whether it went.
    fn unmap(&mut self, arena: Arena) -> bool {
        self.state.arenas.remove(arena);
        let (base, length) = (arena.base(), arena.length());
        // SAFETY: exactly one run mapped by this source; it is wholly free and in no list, so
        // nobody uses it again.
        match unsafe { self.source.unmap(base, length) } {
            Ok(()) => {
                self.state.counters.arenas_unmapped += 1;
                true
            }
            Err(_) => {
                // A refused unmap has changed nothing (promise 4 of the source).
                self.state.arenas.add(arena);
                self.state.counters.failed_unmaps += 1;
                false
            }
        }
    }

    /// The arena length for a pool of which `span` bytes in a window are wanted.
    pub(super) fn pool_arena_length(&self, window: usize, search_size: usize) -> usize {
        // A page-aligned arena holds a pool in its first window.
        if self.state.page_size.is_multiple_of(window) {
            window
        } else {
            search_size + ARENA_OVERHEAD
        }
    }

    /// The length of a new arena for a block of `need` bytes at `align`.
    pub(super) fn arena_length(&self, need: usize, align: usize) -> Option<usize> {
        arena_length(
            need,
            align,
            self.state.page_size,
            self.state.config.arena_size,
        )
    }
}
