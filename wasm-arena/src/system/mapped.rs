//! Every memory in a mapping of its own: reserve, then commit as it grows.

use core::alloc::Layout;
use core::ptr::NonNull;

use arena_heap::SharedArenaHeap;
use os::{PageSource, Protection};

use super::page_regions::PageRegions;
use super::{ArenaSystem, BookkeepingReport, Region, SystemFacts, Unreturned};
use crate::{
    AllocError, ArenaOptions, ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation,
    OptionValue, Outcome, RegionLayout,
};

/// The arena system of [`QnxAllocator`](crate::QnxAllocator): plain mappings, as long as they have
/// to be and no longer. Its bookkeeping lives in a small arena heap over the same page source.
#[derive(Debug)]
pub struct MappedPages<P: PageSource> {
    records: SharedArenaHeap<P>,
    regions: PageRegions,
}

impl<P: PageSource> MappedPages<P> {
    /// A system over `source`. Asks nothing of it yet.
    #[must_use]
    pub const fn new(source: P) -> Self {
        Self {
            records: SharedArenaHeap::new(source),
            regions: PageRegions::new(),
        }
    }
}

impl<P: PageSource + Default> Default for MappedPages<P> {
    fn default() -> Self {
        Self::new(P::default())
    }
}

// SAFETY: 1, 2, 3 and 5 are the page source's promises, handed on by `PageRegions`; 4 is the heap's
// promise; 6 holds because nothing here ever changes.
unsafe impl<P: PageSource + Send + Sync> ArenaSystem for MappedPages<P> {
    type Source = P;

    const HAS_ARENAS: bool = false;

    fn source(&self) -> &P {
        self.records.source()
    }

    fn facts(&self) -> SystemFacts {
        SystemFacts {
            name: "mapped",
            pages: self.source().facts(),
            guards_cost_memory: !self.source().facts().reserves_for_free,
            reallocates: false,
        }
    }

    fn acquire(&self, layout: RegionLayout) -> Result<Region, AllocError> {
        self.regions.acquire(self.source(), layout, layout.total())
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
        let defaults = ArenaOptions::DEFAULT;
        let bytes = OptionValue::Bytes;
        for (option, asked, default) in [
            (
                ConfigOption::ArenaSize,
                bytes(options.arena_size),
                bytes(defaults.arena_size),
            ),
            (
                ConfigOption::Preallocate,
                bytes(options.preallocate),
                bytes(defaults.preallocate),
            ),
            (
                ConfigOption::MonotonicGrowth,
                OptionValue::Switch(options.monotonic_growth),
                OptionValue::Switch(defaults.monotonic_growth),
            ),
        ] {
            // Only what somebody asked for can be missing: a default is not a wish.
            if asked != default {
                effective.set(EffectiveOption {
                    option,
                    asked,
                    in_force: default,
                    outcome: Outcome::Unsupported(Limitation::NoArenas),
                });
            }
        }
        Ok(())
    }

    fn allocate_record(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Ok(self.records.allocate(layout)?)
    }

    unsafe fn free_record(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { super::portable::free_in(&self.records, block) };
    }

    fn trim(&self) -> usize {
        self.records.trim().bytes
    }

    fn bookkeeping(&self) -> BookkeepingReport {
        super::portable::bookkeeping_of(&self.records)
    }
}
