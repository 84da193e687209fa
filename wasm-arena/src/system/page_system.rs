//! Regions straight from host pages: the portable arenas, and plain mappings.
//!
//! ```text
//!            a region: as many whole arenas as it needs            bookkeeping: blocks in arenas
//!   | guard | data ........ | room ........ | guard | tail |      | record | record | free ... |
//!   |◀─ arena ─▶|◀─ arena ─▶|◀─ arena ─▶|◀─ arena ─▶|             |◀──────── arena ─────────▶|
//! ```
//!
//! As in the QNX heap, what is larger than an arena gets whole arenas of its own, and small things
//! share one. A linear memory always gets its own: guards must not meet a heap's bookkeeping. Plain
//! mappings are the same without the rounding, so the tail is missing.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use arena_heap::SharedArenaHeap;
use os::{PageSource, Protection};

use super::{ArenaSystem, BookkeepingReport, Region, SystemFacts, Unreturned, settings};
use crate::arenas::FILL_LIMIT;
use crate::options::DEFAULT_ARENA_SIZE;
use crate::{AllocError, ArenaOptions, EffectiveConfiguration, RegionLayout};

/// Memories from this capacity on are laid out along page tables: for smaller ones it costs more
/// address space than they have themselves.
const LEAST_LAID_OUT: usize = 1 << 20;

/// Address space is not spent on larger page tables than these.
const LARGEST_SPAN: usize = 2 << 20;

/// An arena system over a page source. See its two names: [`PortableArenas`] and [`MappedPages`].
#[derive(Debug)]
pub struct PageSystem<P: PageSource, const WHOLE_ARENAS: bool> {
    heap: SharedArenaHeap<P>,
    arena_size: AtomicUsize,
    unreturned_regions: AtomicUsize,
    unreturned_bytes: AtomicUsize,
}

/// Whole arenas: the arena system of [`QnxArenaAllocator`](crate::QnxArenaAllocator) wherever the C
/// library has no arenas of its own.
pub type PortableArenas<P> = PageSystem<P, true>;

/// Mappings as long as they have to be and no longer: the arena system of
/// [`QnxAllocator`](crate::QnxAllocator). Its bookkeeping lives in arenas all the same.
pub type MappedPages<P> = PageSystem<P, false>;

impl<P: PageSource, const WHOLE_ARENAS: bool> PageSystem<P, WHOLE_ARENAS> {
    /// A system over `source`, with the default settings. Asks nothing of it yet.
    #[must_use]
    pub const fn new(source: P) -> Self {
        Self {
            heap: SharedArenaHeap::new(source),
            arena_size: AtomicUsize::new(DEFAULT_ARENA_SIZE),
            unreturned_regions: AtomicUsize::new(0),
            unreturned_bytes: AtomicUsize::new(0),
        }
    }

    /// The heap of small blocks that keeps the books. It may serve a runtime's own small objects
    /// too.
    #[must_use]
    pub const fn heap(&self) -> &SharedArenaHeap<P> {
        &self.heap
    }

    /// Bytes of the run for a region of `total` bytes.
    fn run_len(&self, total: usize) -> Result<usize, AllocError> {
        if !WHOLE_ARENAS {
            return Ok(total);
        }
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

impl<P: PageSource, const WHOLE_ARENAS: bool> PageSystem<P, WHOLE_ARENAS> {
    /// Bytes of address space by which a run is longer than it has to be, so that its region can be
    /// laid out well: what one page table spans, or nothing.
    ///
    /// A search for touched pages looks at every entry of a page table, and passes over tables that
    /// do not exist. So the first bytes of a large memory, which most guests write, end where a
    /// table ends: of a guest that wrote no others, no other table exists.
    fn slack(&self, layout: &RegionLayout) -> usize {
        let facts = self.heap.source().facts();
        let page = facts.page_size.get();
        // An entry takes eight bytes, and a table one page.
        let span = (page / 8).saturating_mul(page);
        let worthwhile = facts.can_tell_touched
            && facts.reserves_for_free
            && span <= LARGEST_SPAN
            && layout.capacity() >= LEAST_LAID_OUT
            && layout.total() <= isize::MAX as usize / 2;
        if worthwhile { span } else { 0 }
    }
}

/// The distance from the start of a run to a region in it whose first [`FILL_LIMIT`] bytes of data
/// end at a multiple of `span`.
fn lead_before(run: usize, layout: &RegionLayout, span: usize) -> usize {
    if span == 0 {
        return 0;
    }
    let seam = run + layout.guard_before() + FILL_LIMIT;
    seam.next_multiple_of(span) - seam
}

impl<P: PageSource + Default, const WHOLE_ARENAS: bool> Default for PageSystem<P, WHOLE_ARENAS> {
    fn default() -> Self {
        Self::new(P::default())
    }
}

// SAFETY: 1, 2, 3 and 5 are the page source's promises, handed on (a run is at least as long as its
// layout, and what a step commits or protects is what it notes in the region); 4 is the heap's
// promise; 6 holds because the source and what it can do never change.
unsafe impl<P, const WHOLE_ARENAS: bool> ArenaSystem for PageSystem<P, WHOLE_ARENAS>
where
    P: PageSource + Send + Sync,
{
    type Source = P;

    const HAS_ARENAS: bool = WHOLE_ARENAS;

    fn source(&self) -> &P {
        self.heap.source()
    }

    fn facts(&self) -> SystemFacts {
        let pages = self.source().facts();
        SystemFacts {
            name: if WHOLE_ARENAS { "arena" } else { "mapped" },
            pages,
            guards_cost_memory: !pages.reserves_for_free,
            reallocates: false,
            regions_are_runs: true,
        }
    }

    /// One call where all of the run is opened, otherwise up to six.
    fn acquire(&self, layout: RegionLayout) -> Result<Region, AllocError> {
        let run_len = self.run_len(layout.total())?;
        if layout.opened() == run_len {
            let start = self.source().map(run_len)?;
            // SAFETY: the run is live and ours (promise 1 of `PageSource`), and all of it, which is
            // what the layout opens, is accessible.
            return Ok(unsafe { Region::from_raw_parts(start, run_len, layout) });
        }
        let slack = self.slack(&layout);
        let run = self.source().reserve(run_len + slack)?;
        let lead = lead_before(run.addr().get(), &layout, slack);
        // SAFETY: the lead is less than the slack, by which the run is longer.
        let start = unsafe { run.add(lead) };
        // SAFETY: the run is live and ours (promise 1 of `PageSource`); nothing of it is accessible
        // yet, which the next step makes true or the region is given back.
        let region = unsafe { Region::from_raw_parts(start, run_len + slack - lead, layout) };
        // SAFETY: the bytes before the start are the run's.
        let region = unsafe { region.with_lead(lead) };
        match open_parts(self.source(), &region) {
            Ok(()) => Ok(region),
            Err(error) => {
                // SAFETY: the region was made here and never left.
                let _counted = unsafe { self.release(region) };
                Err(error)
            }
        }
    }

    unsafe fn open(&self, region: &mut Region, accessible: usize) -> Result<(), AllocError> {
        let from = region.accessible();
        if accessible > from {
            // SAFETY: `from` is at most the capacity (invariant 3 of `Region`).
            let address = unsafe { region.address(from) };
            // SAFETY: the range is inside the region's run, by the caller's promise.
            unsafe { self.source().commit(address, accessible - from)? };
            // SAFETY: the commit made it so; alignment and limit are the caller's promise.
            unsafe { region.set_accessible(accessible) };
        }
        Ok(())
    }

    unsafe fn close(&self, region: &mut Region, accessible: usize) -> Result<(), AllocError> {
        let len = region.accessible().saturating_sub(accessible);
        if len > 0 {
            // SAFETY: the range is accessible and whole pages, and nobody refers into it, by the
            // caller's promise.
            let closed = unsafe { self.protect(region, accessible, len, Protection::None) };
            if let Err(error) = closed {
                // A part may be closed now. The first error counts.
                // SAFETY: as above; more access contradicts nothing.
                let _reopened =
                    unsafe { self.protect(region, accessible, len, Protection::ReadWrite) };
                return Err(error);
            }
            // SAFETY: the call made it so.
            unsafe { region.set_accessible(accessible) };
        }
        Ok(())
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
        let (start, run_len) = (region.run(), region.run_len());
        // SAFETY: exactly one live run (invariant 1 of `Region`), unused from now on, by the
        // caller's promise.
        let returned = unsafe { self.source().unmap(start, run_len) };
        returned.map_err(|error| {
            self.unreturned_regions.fetch_add(1, Ordering::Relaxed);
            self.unreturned_bytes.fetch_add(run_len, Ordering::Relaxed);
            AllocError::Os(error)
        })
    }

    fn unreturned(&self) -> Unreturned {
        Unreturned {
            regions: self.unreturned_regions.load(Ordering::Relaxed),
            bytes: self.unreturned_bytes.load(Ordering::Relaxed),
        }
    }

    fn configure(
        &self,
        options: &ArenaOptions,
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), AllocError> {
        if !WHOLE_ARENAS {
            settings::note_missing_arenas(options, effective);
            return Ok(());
        }
        let config = settings::heap_config(options, self.source().facts().page_size)?;
        self.heap.configure(config)?;
        if config.preallocate > 0 {
            self.heap.prepare()?;
        }
        self.arena_size.store(config.arena_size, Ordering::Relaxed);
        settings::note_arenas(&config, effective);
        Ok(())
    }

    fn allocate_record(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Ok(self.heap.allocate(layout)?)
    }

    unsafe fn free_record(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promise, passed on unchanged. A refusal means damaged bookkeeping;
        // the heap counts it in its statistics.
        let _counted = unsafe { self.heap.deallocate(block) };
    }

    fn trim(&self) -> usize {
        self.heap.trim().bytes
    }

    fn bookkeeping(&self) -> BookkeepingReport {
        let statistics = self.heap.statistics();
        BookkeepingReport {
            mapped_bytes: statistics.mapped_bytes,
            used_bytes: statistics.allocated_bytes(),
            cached_arenas: statistics.cached_arenas,
            arenas_mapped: statistics.arenas_mapped,
            cache_hits: statistics.cache_hits,
            cache_misses: statistics.cache_misses,
        }
    }
}

/// Opens the data, and the guards where they are to be readable.
fn open_parts(source: &impl PageSource, region: &Region) -> Result<(), AllocError> {
    let layout = *region.layout();
    if layout.opened() > 0 {
        // SAFETY: the opened data is inside the run by the layout's invariants.
        unsafe { source.commit(region.base(), layout.opened())? };
    }
    if layout.guards_readable() {
        // SAFETY: the end of the capacity is inside the run.
        let after = unsafe { region.address(layout.capacity()) };
        for (address, len) in [
            (region.start(), layout.guard_before()),
            (after, layout.guard_after()),
        ] {
            if len > 0 {
                // SAFETY: a guard is inside the run by the layout's invariants.
                unsafe { source.commit(address, len)? };
                // SAFETY: as above, and it was committed by the line before.
                unsafe { source.protect(address, len, Protection::Read)? };
            }
        }
    }
    Ok(())
}
