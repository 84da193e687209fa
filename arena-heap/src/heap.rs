//! What a heap is made of, and how it comes to life, is configured, and ends.
//!
//! [`HeapState`] is everything but the page source. [`Working`] is a state together with a source,
//! for as long as one call takes; whoever owns both ([`ArenaHeap`](crate::ArenaHeap)) or guards states
//! with locks ([`SharedArenaHeap`](crate::SharedArenaHeap),
//! [`ShardedArenaHeap`](crate::ShardedArenaHeap)) makes one for each call.
//!
//! The work is in the files below this one: [`allocate`] hands blocks out, [`free`] takes them
//! back, [`reallocate`] resizes them, [`pools`] makes and ends pools, [`arenas`] talks to the
//! [`source`] of arenas.

mod allocate;
mod arenas;
mod free;
mod pools;
mod reallocate;
mod source;

use os::PageSource;

use crate::arena::ArenaList;
use crate::bands::Bands;
use crate::bins::Bins;
use crate::layout::{ARENA_OVERHEAD, WORD};
use crate::statistics::Counters;
use crate::{ConfigError, HeapConfig, HeapError, HeapStatistics};
pub(crate) use source::ArenaSource;

/// A heap without its page source.
///
/// Invariant: every arena in the list was mapped by one and the same source, and belongs to this
/// state alone.
pub(crate) struct HeapState {
    pub(crate) config: HeapConfig,
    /// Whether the arena size was chosen by the owner; the default is a page on hosts with large
    /// pages, which a constant function cannot know.
    chosen: bool,
    /// 0 until the heap is used for the first time.
    page_size: usize,
    pub(crate) bins: Bins,
    pub(crate) bands: Bands,
    pub(crate) arenas: ArenaList,
    pub(crate) counters: Counters,
}

// SAFETY: the pointers lead into arenas that belong to this state alone, and nothing in them or in
// it depends on the thread.
unsafe impl Send for HeapState {}

impl HeapState {
    pub(crate) const fn new(config: HeapConfig, chosen: bool) -> Self {
        Self {
            chosen,
            page_size: 0,
            bins: Bins::new(),
            bands: Bands::new(&config.bands),
            config,
            arenas: ArenaList::new(),
            counters: Counters::ZERO,
        }
    }

    #[inline]
    pub(crate) fn is_started(&self) -> bool {
        self.page_size != 0
    }

    /// See [`ArenaHeap::statistics`](crate::ArenaHeap::statistics).
    pub(crate) fn statistics(&self) -> HeapStatistics {
        let counters = &self.counters;
        let arenas = &self.arenas;
        let list_blocks = counters.list_blocks();
        let list_overhead_bytes = arenas.count * ARENA_OVERHEAD + list_blocks * WORD;
        HeapStatistics {
            mapped_bytes: arenas.bytes,
            peak_mapped_bytes: counters.peak_mapped,
            peak_allocated_bytes: counters.peak_allocated,
            list_allocated_bytes: counters.list_allocated,
            list_free_bytes: arenas.bytes
                - list_overhead_bytes
                - counters.list_allocated
                - counters.pool_bytes,
            list_overhead_bytes,
            band_allocated_bytes: counters.band_allocated,
            band_free_bytes: counters.pool_capacity - counters.band_allocated,
            band_overhead_bytes: counters.pool_bytes - counters.pool_capacity,
            list_blocks,
            band_blocks: counters.pool_blocks,
            pools: counters.pools,
            arenas: arenas.count,
            arenas_mapped: counters.arenas_mapped,
            arenas_unmapped: counters.arenas_unmapped,
            cached_arenas: arenas.cached_count,
            cached_bytes: arenas.cached_bytes,
            cache_hits: counters.cache_hits,
            cache_misses: counters.cache_misses,
            allocations: counters.list_taken + counters.band_taken,
            frees: counters.list_freed + counters.band_freed,
            reallocations_in_place: counters.reallocations_in_place,
            reallocations_moved: counters.reallocations_moved,
            reallocated_bytes_copied: counters.reallocated_bytes_copied,
            refused_frees: counters.refused_frees,
            failed_unmaps: counters.failed_unmaps,
            failed_preallocations: counters.failed_preallocations,
        }
    }

    /// Gives every arena back, blocks in use included. What the source refuses to take is leaked:
    /// this is for the end of a heap, when there is nobody left to keep it for.
    pub(crate) fn end(&mut self, source: &impl PageSource) {
        let mut next = self.arenas.newest();
        while let Some(arena) = next {
            next = arena.next();
            let (base, length) = (arena.base(), arena.length());
            // SAFETY: exactly one run mapped by this source (invariant); the heap ends, so nobody
            // uses it again: see the owners' documentation about blocks in use.
            let _refused = unsafe { source.unmap(base, length) };
        }
    }
}

/// A heap at work: its state, and the source that mapped its arenas.
pub(crate) struct Working<'a, P: ArenaSource> {
    source: &'a P,
    state: &'a mut HeapState,
}

impl<'a, P: ArenaSource> Working<'a, P> {
    /// Callers always pair a state with the same source.
    #[inline(always)]
    pub(crate) const fn new(source: &'a P, state: &'a mut HeapState) -> Self {
        Self { source, state }
    }

    /// The same once more, to be passed on by value: what is passed in registers need not be in
    /// memory for the sake of a path that is seldom taken.
    #[inline(always)]
    const fn reborrow(&mut self) -> Working<'_, P> {
        Working::new(self.source, self.state)
    }

    /// See [`ArenaHeap::configure`](crate::ArenaHeap::configure).
    pub(crate) fn configure(&mut self, config: HeapConfig) -> Result<(), ConfigError> {
        config.validate(self.source.page_size())?;
        if config.bands != self.state.config.bands {
            if self.state.is_started() {
                return Err(ConfigError::BandsInUse);
            }
            self.state.bands = Bands::new(&config.bands);
        }
        self.state.config = config;
        self.state.chosen = true;
        self.enforce_limits();
        if self.state.is_started() {
            self.preallocate_arenas()
                .map_err(ConfigError::Preallocation)?;
        }
        Ok(())
    }

    /// See [`ArenaHeap::prepare`](crate::ArenaHeap::prepare).
    pub(crate) fn prepare(&mut self) -> Result<(), HeapError> {
        if self.state.is_started() {
            return Ok(());
        }
        self.start()
    }

    #[cold]
    fn start(&mut self) -> Result<(), HeapError> {
        let page_size = self.source.page_size();
        self.state.page_size = page_size.get();
        if !self.state.chosen {
            self.state.config.arena_size = HeapConfig::for_page_size(page_size).arena_size;
        }
        let arenas = self
            .preallocate_arenas()
            .map_err(|source| HeapError::OutOfMemory {
                size: self.state.config.preallocate,
                source,
            });
        self.preallocate_pools().and(arenas)
    }
}
