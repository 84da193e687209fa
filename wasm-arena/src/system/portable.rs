//! The portable arenas: whole arenas over any page source, with the settings of the QNX heap.
//!
//! ```text
//!            a region: as many whole arenas as it needs            bookkeeping: blocks in arenas
//!   | guard | data ........ | room ........ | guard | tail |      | record | record | free ... |
//!   |◀─ arena ─▶|◀─ arena ─▶|◀─ arena ─▶|◀─ arena ─▶|             |◀──────── arena ─────────▶|
//! ```
//!
//! As in the QNX heap, what is larger than an arena gets whole arenas of its own, and small things
//! share one. A linear memory always gets its own: guards must not meet a heap's bookkeeping.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use arena_heap::{FreeOrder, HeapConfig, SharedArenaHeap};
use os::{PageSource, Protection};

use super::page_regions::PageRegions;
use super::{ArenaSystem, BookkeepingReport, Region, SystemFacts, Unreturned};
use crate::options::{DEFAULT_ARENA_SIZE, MAX_ARENA_SIZE};
use crate::{
    AllocError, ArenaOptions, ConfigOption, EffectiveConfiguration, OptionValue, RegionLayout,
};

/// The arena system of [`QnxArenaAllocator`](crate::QnxArenaAllocator) wherever the C library has
/// no arenas of its own.
#[derive(Debug)]
pub struct PortableArenas<P: PageSource> {
    heap: SharedArenaHeap<P>,
    regions: PageRegions,
    arena_size: AtomicUsize,
}

impl<P: PageSource> PortableArenas<P> {
    /// Arenas over `source`, with the default settings. Asks nothing of it yet.
    #[must_use]
    pub const fn new(source: P) -> Self {
        Self {
            heap: SharedArenaHeap::new(source),
            regions: PageRegions::new(),
            arena_size: AtomicUsize::new(DEFAULT_ARENA_SIZE),
        }
    }

    /// The heap of small blocks that lives in the same arenas. It may serve a runtime's own small
    /// objects too.
    #[must_use]
    pub const fn heap(&self) -> &SharedArenaHeap<P> {
        &self.heap
    }

    /// Bytes of the whole arenas that hold `total` bytes.
    fn whole_arenas(&self, total: usize) -> Result<usize, AllocError> {
        let page = self.heap.source().facts().page_size.get();
        let arena = self.arena_size.load(Ordering::Relaxed).max(page);
        total
            .div_ceil(arena)
            .checked_mul(arena)
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .ok_or(AllocError::TooLarge {
                bytes: total as u64,
            })
    }
}

impl<P: PageSource + Default> Default for PortableArenas<P> {
    fn default() -> Self {
        Self::new(P::default())
    }
}

// SAFETY: 1, 2, 3 and 5 are the page source's promises, handed on by `PageRegions` (a run of whole
// arenas is at least as long as the layout); 4 is the heap's promise; 6 holds because the source
// and what it can do never change.
unsafe impl<P: PageSource + Send + Sync> ArenaSystem for PortableArenas<P> {
    type Source = P;

    const HAS_ARENAS: bool = true;

    fn source(&self) -> &P {
        self.heap.source()
    }

    fn facts(&self) -> SystemFacts {
        SystemFacts {
            name: "arena",
            pages: self.source().facts(),
            guards_cost_memory: !self.source().facts().reserves_for_free,
            reallocates: false,
        }
    }

    fn acquire(&self, layout: RegionLayout) -> Result<Region, AllocError> {
        let run_len = self.whole_arenas(layout.total())?;
        self.regions.acquire(self.source(), layout, run_len)
    }

    unsafe fn open(&self, region: &mut Region, accessible: usize) -> Result<(), AllocError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { PageRegions::open(self.source(), region, accessible) }
    }

    unsafe fn close(&self, region: &mut Region, accessible: usize) -> Result<(), AllocError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { PageRegions::close(self.source(), region, accessible) }
    }

    unsafe fn protect(
        &self,
        region: &Region,
        offset: usize,
        len: usize,
        protection: Protection,
    ) -> Result<(), AllocError> {
        // SAFETY: the offset is inside the accessible bytes, by the caller's promise.
        let address = unsafe { region.address(offset) };
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.source().protect(address, len, protection)? };
        Ok(())
    }

    unsafe fn release(&self, region: Region) -> Result<(), AllocError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.regions.release(self.source(), region) }
    }

    fn unreturned(&self) -> Unreturned {
        self.regions.unreturned()
    }

    fn configure(
        &self,
        options: &ArenaOptions,
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), AllocError> {
        let page = self.source().facts().page_size;
        // The default follows a host page that is larger than it; what somebody asked for does not.
        let arena_size = if options.arena_size == DEFAULT_ARENA_SIZE {
            options.arena_size.max(page.get())
        } else {
            options.arena_size
        };
        if arena_size < page.get() || arena_size > MAX_ARENA_SIZE {
            return Err(AllocError::InvalidOption {
                option: ConfigOption::ArenaSize,
                value: arena_size,
                minimum: page.get(),
                maximum: MAX_ARENA_SIZE,
            });
        }
        if !page.divides(arena_size) {
            return Err(AllocError::Misaligned {
                value: arena_size,
                page_size: page.get(),
            });
        }
        let config = HeapConfig {
            arena_size,
            cache_max_blocks: options.cache_max_blocks,
            cache_max_bytes: options.cache_max_bytes,
            hold: options.memory_hold,
            monotonic_growth: options.monotonic_growth,
            free_order: if options.lifo_free {
                FreeOrder::Lifo
            } else {
                FreeOrder::Fifo
            },
            preallocate: options.preallocate,
            ..HeapConfig::DEFAULT
        };
        self.heap.configure(config)?;
        if options.preallocate > 0 {
            self.heap.prepare()?;
        }
        self.arena_size.store(arena_size, Ordering::Relaxed);
        for (option, value) in [
            (ConfigOption::ArenaSize, OptionValue::Bytes(arena_size)),
            (
                ConfigOption::MonotonicGrowth,
                OptionValue::Switch(options.monotonic_growth),
            ),
            (
                ConfigOption::Preallocate,
                OptionValue::Bytes(options.preallocate),
            ),
        ] {
            effective.applied(option, value);
        }
        Ok(())
    }

    fn allocate_record(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Ok(self.heap.allocate(layout)?)
    }

    unsafe fn free_record(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { free_in(&self.heap, block) };
    }

    fn trim(&self) -> usize {
        self.heap.trim().bytes
    }

    fn bookkeeping(&self) -> BookkeepingReport {
        bookkeeping_of(&self.heap)
    }
}

/// Frees a record; the heap counts what it has to refuse.
///
/// # Safety
/// The block came from this heap, and nobody uses it again.
pub(super) unsafe fn free_in<P: PageSource>(heap: &SharedArenaHeap<P>, block: NonNull<u8>) {
    // SAFETY: the caller's promise, passed on unchanged. A refusal means damaged bookkeeping; it is
    // counted in the heap's statistics and shown in the report.
    let _counted = unsafe { heap.deallocate(block) };
}

/// The heap's account in the words of the seam.
pub(super) fn bookkeeping_of<P: PageSource>(heap: &SharedArenaHeap<P>) -> BookkeepingReport {
    let statistics = heap.statistics();
    BookkeepingReport {
        mapped_bytes: statistics.mapped_bytes,
        used_bytes: statistics.allocated_bytes(),
        cached_arenas: statistics.cached_arenas,
        arenas_mapped: statistics.arenas_mapped,
        cache_hits: statistics.cache_hits,
        cache_misses: statistics.cache_misses,
    }
}
