//! Regions straight from host pages: what [`PortableArenas`](super::PortableArenas) and
//! [`MappedPages`](super::MappedPages) have in common. They differ in how long a run they take.

use core::sync::atomic::{AtomicUsize, Ordering};

use os::{PageSource, Protection};

use super::{Region, Unreturned};
use crate::{AllocError, RegionLayout};

/// A page source, and the account of what it would not take back.
#[derive(Debug)]
pub(super) struct PageRegions {
    unreturned_regions: AtomicUsize,
    unreturned_bytes: AtomicUsize,
}

impl PageRegions {
    pub(super) const fn new() -> Self {
        Self {
            unreturned_regions: AtomicUsize::new(0),
            unreturned_bytes: AtomicUsize::new(0),
        }
    }

    pub(super) fn unreturned(&self) -> Unreturned {
        Unreturned {
            regions: self.unreturned_regions.load(Ordering::Relaxed),
            bytes: self.unreturned_bytes.load(Ordering::Relaxed),
        }
    }

    /// Reserves `run_len` bytes (at least the layout's total, a multiple of the host page) and
    /// opens what the layout says. One call where all of it is opened, otherwise up to four.
    pub(super) fn acquire(
        &self,
        source: &impl PageSource,
        layout: RegionLayout,
        run_len: usize,
    ) -> Result<Region, AllocError> {
        if layout.opened() == run_len {
            let start = source.map(run_len)?;
            // SAFETY: the run is live and ours (promise 1 of `PageSource`), and all of it, which is
            // what the layout opens, is accessible.
            return Ok(unsafe { Region::from_raw_parts(start, run_len, layout) });
        }
        let start = source.reserve(run_len)?;
        // SAFETY: the run is live and ours (promise 1 of `PageSource`); nothing of it is accessible
        // yet, which the next step makes true or the region is given back.
        let region = unsafe { Region::from_raw_parts(start, run_len, layout) };
        match open_parts(source, &region) {
            Ok(()) => Ok(region),
            Err(error) => {
                // SAFETY: the region was made three lines above and never left this function.
                let _counted = unsafe { self.release(source, region) };
                Err(error)
            }
        }
    }

    /// See [`ArenaSystem::open`](super::ArenaSystem::open).
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn open(
        source: &impl PageSource,
        region: &mut Region,
        accessible: usize,
    ) -> Result<(), AllocError> {
        let from = region.accessible();
        if accessible > from {
            // SAFETY: `from` is at most the capacity (invariant 3 of `Region`).
            let address = unsafe { region.address(from) };
            // SAFETY: the range is inside the region's run, by the caller's promise.
            unsafe { source.commit(address, accessible - from)? };
            // SAFETY: the commit made it so; alignment and limit are the caller's promise.
            unsafe { region.set_accessible(accessible) };
        }
        Ok(())
    }

    /// See [`ArenaSystem::close`](super::ArenaSystem::close).
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn close(
        source: &impl PageSource,
        region: &mut Region,
        accessible: usize,
    ) -> Result<(), AllocError> {
        let until = region.accessible();
        if accessible < until {
            // SAFETY: `accessible` is at most the capacity, by the caller's promise.
            let address = unsafe { region.address(accessible) };
            // SAFETY: the range is inside the region's run and committed; nobody refers into it, by
            // the caller's promise.
            unsafe { source.protect(address, until - accessible, Protection::None)? };
            // SAFETY: the call made it so.
            unsafe { region.set_accessible(accessible) };
        }
        Ok(())
    }

    /// See [`ArenaSystem::release`](super::ArenaSystem::release).
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn release(
        &self,
        source: &impl PageSource,
        region: Region,
    ) -> Result<(), AllocError> {
        let (start, run_len) = (region.start(), region.run_len());
        // SAFETY: exactly one live run (invariant 1 of `Region`), unused from now on, by the
        // caller's promise.
        let returned = unsafe { source.unmap(start, run_len) };
        returned.map_err(|error| {
            self.unreturned_regions.fetch_add(1, Ordering::Relaxed);
            self.unreturned_bytes.fetch_add(run_len, Ordering::Relaxed);
            AllocError::Os(error)
        })
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
