//! A region in use, together with its record.

use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use super::record::Record;
use crate::Region;

/// A region that belongs to a memory.
///
/// Invariant: the record is initialised, in the live list of the arenas it came from, and describes
/// the region.
#[derive(Debug)]
pub(crate) struct HeldRegion {
    record: NonNull<Record>,
    region: Region,
    locked: bool,
    reused: bool,
    /// Bytes from the base that may be in memory, as far as former lives of the region go.
    occupied: usize,
}

// SAFETY: the region is the holder's alone; of the record the holder touches only atomics.
unsafe impl Send for HeldRegion {}
// SAFETY: a shared reference only reads the region and writes atomics of the record.
unsafe impl Sync for HeldRegion {}

impl HeldRegion {
    pub(super) const fn new(record: NonNull<Record>, region: Region, locked: bool) -> Self {
        Self {
            record,
            region,
            locked,
            reused: false,
            occupied: 0,
        }
    }

    /// A region out of the cache, of which so many bytes may be in memory.
    pub(super) const fn reused(
        record: NonNull<Record>,
        region: Region,
        locked: bool,
        occupied: usize,
    ) -> Self {
        Self {
            record,
            region,
            locked,
            reused: true,
            occupied,
        }
    }

    /// Bytes from the base that may be in memory, if this life wrote `dirty` at most.
    pub(super) fn occupied(&self, dirty: usize) -> usize {
        self.occupied.max(dirty)
    }

    /// This life wrote `dirty` bytes at most.
    pub(super) fn note_dirty(&mut self, dirty: usize) {
        self.occupied = self.occupied.max(dirty);
    }

    /// Pages went back to the operating system. What lies behind them may still be in memory.
    pub(super) fn note_given_back(&mut self, pages: Range<usize>) {
        if self.occupied <= pages.end {
            self.occupied = self.occupied.min(pages.start);
        }
    }

    /// Whether the region came from the cache.
    pub(crate) const fn is_reused(&self) -> bool {
        self.reused
    }

    pub(crate) const fn region(&self) -> &Region {
        &self.region
    }

    pub(super) const fn region_mut(&mut self) -> &mut Region {
        &mut self.region
    }

    pub(super) const fn record(&self) -> NonNull<Record> {
        self.record
    }

    pub(crate) const fn is_locked(&self) -> bool {
        self.locked
    }

    pub(super) fn into_parts(self) -> (NonNull<Record>, Region) {
        (self.record, self.region)
    }

    /// Tells the register how many bytes the memory shows.
    pub(crate) fn publish_size(&self, size: usize) {
        let place = self.record.as_ptr();
        // SAFETY: the record is initialised (invariant); the field is atomic and shared on purpose.
        let field = unsafe { &(*place).size };
        field.store(size, Ordering::Relaxed);
    }

    pub(super) fn publish_accessible(&self) {
        let place = self.record.as_ptr();
        // SAFETY: the record is initialised (invariant); the field is atomic and shared on purpose.
        let field = unsafe { &(*place).accessible };
        field.store(self.region.accessible(), Ordering::Relaxed);
    }
}
