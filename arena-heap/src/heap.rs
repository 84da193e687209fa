//! The heap itself: what it owns, how it comes to life, is configured, and ends.
//!
//! The work is in the files below this one: [`allocate`] hands blocks out, [`free`] takes them
//! back, [`reallocate`] resizes them, [`pools`] makes and ends pools, [`arenas`] talks to the page
//! source.

mod allocate;
mod arenas;
mod free;
mod pools;
mod reallocate;

use core::fmt;

use os::PageSource;

use crate::arena::ArenaList;
use crate::bands::Bands;
use crate::bins::Bins;
use crate::layout::{ARENA_OVERHEAD, WORD};
use crate::statistics::Counters;
use crate::{ConfigError, HeapConfig, HeapError, HeapStatistics};

/// A heap over a page source, for one owner.
///
/// The heap can be moved and sent to another thread; blocks keep their addresses. Dropping it gives
/// every arena back to the source, blocks in use included, so their addresses must not be used
/// afterwards; `core::mem::forget` keeps them for the life of the program.
///
/// ```
/// use arena_heap::ArenaHeap;
/// use core::alloc::Layout;
///
/// let mut heap = ArenaHeap::new(os::OsPages::new());
/// let block = heap.allocate(Layout::from_size_align(100, 4096).unwrap())?;
/// assert!(block.addr().get().is_multiple_of(4096));
/// // SAFETY: at least 100 bytes that are ours.
/// unsafe { block.write_bytes(7, 100) };
/// // SAFETY: allocated above, in use, not used again.
/// unsafe { heap.deallocate(block)? };
/// assert_eq!(heap.verify(), Ok(()));
/// # Ok::<(), arena_heap::HeapError>(())
/// ```
pub struct ArenaHeap<P: PageSource> {
    pub(crate) source: P,
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

// SAFETY: the heap's pointers lead into arenas that it owns alone, and nothing in them or in it
// depends on the thread; the source may be sent, and is needed as a whole.
unsafe impl<P: PageSource + Send> Send for ArenaHeap<P> {}

impl<P: PageSource> ArenaHeap<P> {
    /// A heap with the [default settings](HeapConfig::for_page_size). Maps nothing until it is
    /// used; can be called in a constant.
    pub const fn new(source: P) -> Self {
        Self::with(source, HeapConfig::DEFAULT, false)
    }

    /// A heap with these settings. Maps nothing until it is used, or [prepared](Self::prepare).
    ///
    /// # Errors
    /// A setting is out of its range.
    ///
    /// ```
    /// use arena_heap::{ArenaHeap, ConfigError, HeapConfig};
    ///
    /// let small = HeapConfig { arena_size: 1, ..HeapConfig::DEFAULT };
    /// let error = ArenaHeap::with_config(os::OsPages::new(), small).unwrap_err();
    /// assert!(matches!(error, ConfigError::ArenaSize { bytes: 1, .. }));
    /// ```
    pub fn with_config(source: P, config: HeapConfig) -> Result<Self, ConfigError> {
        config.validate(source.facts().page_size)?;
        Ok(Self::with(source, config, true))
    }

    const fn with(source: P, config: HeapConfig, chosen: bool) -> Self {
        Self {
            source,
            chosen,
            page_size: 0,
            bins: Bins::new(),
            bands: Bands::new(&config.bands),
            config,
            arenas: ArenaList::new(),
            counters: Counters::ZERO,
        }
    }

    /// The page source.
    pub const fn source(&self) -> &P {
        &self.source
    }

    /// The settings in force.
    #[must_use]
    pub const fn config(&self) -> &HeapConfig {
        &self.config
    }

    /// Changes the settings of a living heap.
    ///
    /// The arena size acts on arenas mapped from now on. Lowered cache limits give back at once
    /// what is above them, at the cost of one call of the page source for each arena.
    /// A raised preallocation is mapped at once if the heap is in use, else at first use. Blocks do
    /// not move.
    ///
    /// # Errors
    /// A setting is out of its range, or bands change after the first use: nothing has changed.
    /// [`ConfigError::Preallocation`]: all settings are in force, but the source refused an arena.
    ///
    /// ```
    /// use arena_heap::{ArenaHeap, HeapConfig};
    ///
    /// let mut heap = ArenaHeap::new(os::OsPages::new());
    /// heap.configure(HeapConfig { hold: true, ..*heap.config() })?;
    /// assert!(heap.config().hold);
    /// # Ok::<(), arena_heap::ConfigError>(())
    /// ```
    pub fn configure(&mut self, config: HeapConfig) -> Result<(), ConfigError> {
        config.validate(self.source.facts().page_size)?;
        if config.bands != self.config.bands {
            if self.is_started() {
                return Err(ConfigError::BandsInUse);
            }
            self.bands = Bands::new(&config.bands);
        }
        self.config = config;
        self.chosen = true;
        self.enforce_limits();
        if self.is_started() {
            self.preallocate_arenas()
                .map_err(ConfigError::Preallocation)?;
        }
        Ok(())
    }

    /// Does now what the first allocation would do: maps the arenas and makes the pools to
    /// preallocate. Does nothing on a heap that was used.
    ///
    /// # Errors
    /// The page source refused. The heap works all the same, with less preallocated.
    ///
    /// ```
    /// use arena_heap::{ArenaHeap, HeapConfig};
    ///
    /// let config = HeapConfig { preallocate: 1 << 20, ..HeapConfig::DEFAULT };
    /// let mut heap = ArenaHeap::with_config(os::OsPages::new(), config)?;
    /// heap.prepare()?;
    /// assert!(heap.statistics().cached_bytes >= 1 << 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prepare(&mut self) -> Result<(), HeapError> {
        if self.is_started() {
            return Ok(());
        }
        self.start()
    }

    #[inline]
    fn is_started(&self) -> bool {
        self.page_size != 0
    }

    #[cold]
    fn start(&mut self) -> Result<(), HeapError> {
        let page_size = self.source.facts().page_size;
        self.page_size = page_size.get();
        if !self.chosen {
            self.config.arena_size = HeapConfig::for_page_size(page_size).arena_size;
        }
        let arenas = self
            .preallocate_arenas()
            .map_err(|source| HeapError::OutOfMemory {
                size: self.config.preallocate,
                source,
            });
        self.preallocate_pools().and(arenas)
    }

    /// A snapshot of all counters. Constant time.
    #[must_use]
    pub fn statistics(&self) -> HeapStatistics {
        let counters = &self.counters;
        let arenas = &self.arenas;
        let list_allocated_bytes = counters.allocated - counters.band_allocated;
        let list_overhead_bytes = arenas.count * ARENA_OVERHEAD + counters.list_blocks * WORD;
        HeapStatistics {
            mapped_bytes: arenas.bytes,
            peak_mapped_bytes: counters.peak_mapped,
            peak_allocated_bytes: counters.peak_allocated,
            list_allocated_bytes,
            list_free_bytes: arenas.bytes
                - list_overhead_bytes
                - list_allocated_bytes
                - counters.pool_bytes,
            list_overhead_bytes,
            band_allocated_bytes: counters.band_allocated,
            band_free_bytes: counters.pool_capacity - counters.band_allocated,
            band_overhead_bytes: counters.pool_bytes - counters.pool_capacity,
            list_blocks: counters.list_blocks,
            band_blocks: counters.pool_blocks,
            pools: counters.pools,
            arenas: arenas.count,
            arenas_mapped: counters.arenas_mapped,
            arenas_unmapped: counters.arenas_unmapped,
            cached_arenas: arenas.cached_count,
            cached_bytes: arenas.cached_bytes,
            cache_hits: counters.cache_hits,
            cache_misses: counters.cache_misses,
            allocations: counters.allocations,
            frees: counters.frees,
            reallocations_in_place: counters.reallocations_in_place,
            reallocations_moved: counters.reallocations_moved,
            reallocated_bytes_copied: counters.reallocated_bytes_copied,
            refused_frees: counters.refused_frees,
            failed_unmaps: counters.failed_unmaps,
            failed_preallocations: counters.failed_preallocations,
        }
    }
}

impl<P: PageSource> Drop for ArenaHeap<P> {
    /// Gives every arena back. What the page source refuses to take is leaked: there is nobody left
    /// to keep it for.
    fn drop(&mut self) {
        let mut next = self.arenas.newest();
        while let Some(arena) = next {
            next = arena.next();
            let (base, length) = (arena.base(), arena.length());
            // SAFETY: exactly one run mapped by this source; the heap ends, so nobody uses it
            // again: see the type's documentation about blocks in use.
            let _refused = unsafe { self.source.unmap(base, length) };
        }
    }
}

impl<P: PageSource> fmt::Debug for ArenaHeap<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaHeap")
            .field("config", &self.config)
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}
