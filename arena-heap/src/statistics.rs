//! Counters that cost nothing to keep, and the snapshot made of them.
#![forbid(unsafe_code)]

/// A snapshot of a heap's counters.
///
/// Bytes fulfil `mapped = overhead + free + allocated`, where each of the three has a part in the
/// list heap and one in the bands. The fields answer to those of the QNX `struct malloc_stats`:
///
/// | here | there |
/// |---|---|
/// | [`mapped_bytes`](Self::mapped_bytes) | `m_heapsize` |
/// | [`list_free_bytes`](Self::list_free_bytes) | `m_freemem`, cached arenas included |
/// | [`list_overhead_bytes`](Self::list_overhead_bytes) | `m_overhead` |
/// | [`list_allocated_bytes`](Self::list_allocated_bytes) | `m_allocmem` |
/// | [`band_free_bytes`](Self::band_free_bytes) | `m_small_freemem` |
/// | [`band_overhead_bytes`](Self::band_overhead_bytes) | `m_small_overhead` |
/// | [`band_allocated_bytes`](Self::band_allocated_bytes) | `m_small_allocmem` |
/// | [`arenas_mapped`](Self::arenas_mapped), [`arenas_unmapped`](Self::arenas_unmapped) | `m_coreallocs`, `m_corefrees` |
/// | [`list_blocks`](Self::list_blocks), in use only | `m_blocks`, free ones included |
/// | [`band_blocks`](Self::band_blocks), in use and free | `m_small_blocks` |
/// | [`pools`](Self::pools) | `m_hblocks` |
/// | [`allocations`](Self::allocations), [`frees`](Self::frees) | `m_allocs`, `m_frees` |
/// | [`reallocations_in_place`](Self::reallocations_in_place) + [`reallocations_moved`](Self::reallocations_moved) | `m_reallocs` |
///
/// ```
/// use arena_heap::ArenaHeap;
/// use core::alloc::Layout;
///
/// let mut heap = ArenaHeap::new(os::OsPages::new());
/// let block = heap.allocate(Layout::new::<[u64; 100]>())?;
/// let now = heap.statistics();
/// assert_eq!(now.mapped_bytes, now.overhead_bytes() + now.free_bytes() + now.allocated_bytes());
/// assert!(now.allocated_bytes() >= 800 && now.allocations == 1);
/// # // SAFETY: allocated above, freed once.
/// # unsafe { heap.deallocate(block)? };
/// # Ok::<(), arena_heap::HeapError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeapStatistics {
    /// Bytes mapped from the page source now.
    pub mapped_bytes: usize,
    /// The most bytes ever mapped at once.
    pub peak_mapped_bytes: usize,
    /// The most usable bytes ever allocated at once.
    pub peak_allocated_bytes: usize,
    /// Usable bytes of blocks in use, list heap.
    pub list_allocated_bytes: usize,
    /// Bytes of free blocks, their headers included; cached arenas are free blocks.
    pub list_free_bytes: usize,
    /// Headers of blocks in use, arena headers and end words.
    pub list_overhead_bytes: usize,
    /// Usable bytes of blocks in use, bands.
    pub band_allocated_bytes: usize,
    /// Bytes of free blocks of pools.
    pub band_free_bytes: usize,
    /// Everything in pools that can never be allocated.
    pub band_overhead_bytes: usize,
    /// Blocks of the list heap in use, pools not counted.
    pub list_blocks: usize,
    /// Blocks of pools, in use and free.
    pub band_blocks: usize,
    /// Pools.
    pub pools: usize,
    /// Arenas mapped now.
    pub arenas: usize,
    /// Arenas mapped so far.
    pub arenas_mapped: usize,
    /// Arenas given back so far.
    pub arenas_unmapped: usize,
    /// Arenas that are wholly free now, and stay mapped.
    pub cached_arenas: usize,
    /// Their bytes.
    pub cached_bytes: usize,
    /// How often a cached arena was used again.
    pub cache_hits: usize,
    /// How often an arena had to be mapped because neither a free block nor the cache fitted.
    pub cache_misses: usize,
    /// Successful allocations; a reallocation that moved counts as one.
    pub allocations: usize,
    /// Successful frees; a reallocation that moved counts as one.
    pub frees: usize,
    /// Reallocations that kept the address.
    pub reallocations_in_place: usize,
    /// Reallocations that copied.
    pub reallocations_moved: usize,
    /// Bytes copied by them.
    pub reallocated_bytes_copied: usize,
    /// Frees and reallocations refused because the address was no block in use.
    pub refused_frees: usize,
    /// Arenas the page source refused to take back, by attempt; they stay usable.
    pub failed_unmaps: usize,
    /// Preallocations, of arenas or of pools, that failed for lack of memory.
    pub failed_preallocations: usize,
}

impl HeapStatistics {
    /// The sums of two heaps.
    pub(crate) const fn plus(&self, other: &Self) -> Self {
        Self {
            mapped_bytes: self.mapped_bytes + other.mapped_bytes,
            peak_mapped_bytes: self.peak_mapped_bytes + other.peak_mapped_bytes,
            peak_allocated_bytes: self.peak_allocated_bytes + other.peak_allocated_bytes,
            list_allocated_bytes: self.list_allocated_bytes + other.list_allocated_bytes,
            list_free_bytes: self.list_free_bytes + other.list_free_bytes,
            list_overhead_bytes: self.list_overhead_bytes + other.list_overhead_bytes,
            band_allocated_bytes: self.band_allocated_bytes + other.band_allocated_bytes,
            band_free_bytes: self.band_free_bytes + other.band_free_bytes,
            band_overhead_bytes: self.band_overhead_bytes + other.band_overhead_bytes,
            list_blocks: self.list_blocks + other.list_blocks,
            band_blocks: self.band_blocks + other.band_blocks,
            pools: self.pools + other.pools,
            arenas: self.arenas + other.arenas,
            arenas_mapped: self.arenas_mapped + other.arenas_mapped,
            arenas_unmapped: self.arenas_unmapped + other.arenas_unmapped,
            cached_arenas: self.cached_arenas + other.cached_arenas,
            cached_bytes: self.cached_bytes + other.cached_bytes,
            cache_hits: self.cache_hits + other.cache_hits,
            cache_misses: self.cache_misses + other.cache_misses,
            allocations: self.allocations + other.allocations,
            frees: self.frees + other.frees,
            reallocations_in_place: self.reallocations_in_place + other.reallocations_in_place,
            reallocations_moved: self.reallocations_moved + other.reallocations_moved,
            reallocated_bytes_copied: self.reallocated_bytes_copied
                + other.reallocated_bytes_copied,
            refused_frees: self.refused_frees + other.refused_frees,
            failed_unmaps: self.failed_unmaps + other.failed_unmaps,
            failed_preallocations: self.failed_preallocations + other.failed_preallocations,
        }
    }

    /// Usable bytes of all blocks in use.
    #[must_use]
    pub const fn allocated_bytes(&self) -> usize {
        self.list_allocated_bytes + self.band_allocated_bytes
    }

    /// Bytes that can be allocated without mapping more, if they fit.
    #[must_use]
    pub const fn free_bytes(&self) -> usize {
        self.list_free_bytes + self.band_free_bytes
    }

    /// Bytes that the heap needs for itself.
    #[must_use]
    pub const fn overhead_bytes(&self) -> usize {
        self.list_overhead_bytes + self.band_overhead_bytes
    }
}

/// What a heap counts while it works. Everything else in [`HeapStatistics`] follows from it.
///
/// The order is that of the fields: two that one call changes are never neighbours, or the compiler
/// would join them in one vector, and a processor has to wait when it reads as one what it has just
/// written as two.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Counters {
    /// Blocks of the list heap, and of bands, handed out so far; pools not counted.
    pub(crate) list_taken: usize,
    pub(crate) band_taken: usize,
    /// Those that came back.
    pub(crate) list_freed: usize,
    pub(crate) band_freed: usize,
    /// Usable bytes of those in use.
    pub(crate) list_allocated: usize,
    pub(crate) band_allocated: usize,
    pub(crate) peak_allocated: usize,
    /// Pools, the bytes of their blocks of the list heap, and of all their own blocks.
    pub(crate) pools: usize,
    pub(crate) pool_bytes: usize,
    pub(crate) pool_capacity: usize,
    pub(crate) pool_blocks: usize,
    pub(crate) peak_mapped: usize,
    pub(crate) arenas_mapped: usize,
    pub(crate) arenas_unmapped: usize,
    pub(crate) cache_hits: usize,
    pub(crate) cache_misses: usize,
    pub(crate) reallocations_in_place: usize,
    pub(crate) reallocations_moved: usize,
    pub(crate) reallocated_bytes_copied: usize,
    pub(crate) refused_frees: usize,
    pub(crate) failed_unmaps: usize,
    pub(crate) failed_preallocations: usize,
}

impl Counters {
    pub(crate) const ZERO: Self = Self {
        list_taken: 0,
        list_freed: 0,
        list_allocated: 0,
        band_taken: 0,
        band_freed: 0,
        band_allocated: 0,
        peak_allocated: 0,
        pools: 0,
        pool_bytes: 0,
        pool_capacity: 0,
        pool_blocks: 0,
        peak_mapped: 0,
        arenas_mapped: 0,
        arenas_unmapped: 0,
        cache_hits: 0,
        cache_misses: 0,
        reallocations_in_place: 0,
        reallocations_moved: 0,
        reallocated_bytes_copied: 0,
        refused_frees: 0,
        failed_unmaps: 0,
        failed_preallocations: 0,
    };

    /// A reallocation copied so many bytes.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.reallocations_moved += 1;
        self.reallocated_bytes_copied += bytes;
    }

    /// Blocks of the list heap in use, pools not counted.
    pub(crate) const fn list_blocks(&self) -> usize {
        self.list_taken.wrapping_sub(self.list_freed)
    }

    /// A block of the list heap with `usable` bytes was handed out.
    #[inline]
    pub(crate) fn list_block_taken(&mut self, usable: usize) {
        self.list_taken += 1;
        self.list_grown(usable);
    }

    /// A block of a band with `usable` bytes was handed out.
    #[inline]
    pub(crate) fn band_block_taken(&mut self, usable: usize) {
        self.band_taken += 1;
        self.band_allocated += usable;
        self.note_peak();
    }

    /// Blocks of the list heap in use have `bytes` more.
    #[inline]
    pub(crate) fn list_grown(&mut self, bytes: usize) {
        self.list_allocated += bytes;
        self.note_peak();
    }

    #[inline]
    fn note_peak(&mut self) {
        let allocated = self.list_allocated + self.band_allocated;
        if allocated > self.peak_allocated {
            self.peak_allocated = allocated;
        }
    }

    /// A block of the list heap with `usable` bytes came back.
    #[inline]
    pub(crate) fn list_block_freed(&mut self, usable: usize) {
        self.list_freed += 1;
        self.list_allocated -= usable;
    }

    /// A block of a band with `usable` bytes came back.
    #[inline]
    pub(crate) fn band_block_freed(&mut self, usable: usize) {
        self.band_freed += 1;
        self.band_allocated -= usable;
    }
}
