//! A region in use, together with its record.

use core::cell::UnsafeCell;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use super::record::Record;
use crate::Region;

/// A region that belongs to a memory.
///
/// Invariants: (1) the record is initialised, in the register of the arenas it came from, and
/// describes the region; (2) the region in it is this value's alone: whoever else looks at the
/// record leaves that field alone.
#[derive(Debug)]
pub(crate) struct HeldRegion {
    record: NonNull<Record>,
    locked: bool,
    reused: bool,
    /// Bytes from the base that may be in memory, as far as former lives of the region go.
    occupied: usize,
}

// SAFETY: the region is the holder's alone (invariant 2); else the holder touches only atomics of
// the record.
unsafe impl Send for HeldRegion {}
// SAFETY: a shared reference only reads the region and writes atomics of the record.
unsafe impl Sync for HeldRegion {}

impl HeldRegion {
    pub(super) const fn new(record: NonNull<Record>, locked: bool) -> Self {
        Self {
            record,
            locked,
            reused: false,
            occupied: 0,
        }
    }

    /// A region out of the cache, of which so many bytes may be in memory.
    pub(super) const fn reused(record: NonNull<Record>, locked: bool, occupied: usize) -> Self {
        Self {
            record,
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
        // SAFETY: the record is initialised (invariant 1); only the place is named.
        let place = unsafe { &raw const (*self.record.as_ptr()).region };
        // SAFETY: the region is this value's alone (invariant 2), which is borrowed.
        unsafe { &*UnsafeCell::raw_get(place) }
    }

    pub(super) const fn region_mut(&mut self) -> &mut Region {
        // SAFETY: the record is initialised (invariant 1); only the place is named.
        let place = unsafe { &raw const (*self.record.as_ptr()).region };
        // SAFETY: the region is this value's alone (invariant 2), which is borrowed mutably.
        unsafe { &mut *UnsafeCell::raw_get(place) }
    }

    pub(super) const fn record(&self) -> NonNull<Record> {
        self.record
    }

    pub(crate) const fn is_locked(&self) -> bool {
        self.locked
    }

    /// Hands the region over to whoever has the record next.
    pub(super) fn into_record(self) -> NonNull<Record> {
        self.record
    }

    /// Tells the register how many bytes the memory shows.
    pub(crate) fn publish_size(&self, size: usize) {
        let place = self.record.as_ptr();
        // SAFETY: the record is initialised (invariant 1); the field is atomic and shared on purpose.
        let field = unsafe { &(*place).size };
        field.store(size, Ordering::Relaxed);
    }

    pub(super) fn publish_accessible(&self) {
        let place = self.record.as_ptr();
        // SAFETY: the record is initialised (invariant 1); the field is atomic and shared on purpose.
        let field = unsafe { &(*place).accessible };
        field.store(self.region().accessible(), Ordering::Relaxed);
    }
}
