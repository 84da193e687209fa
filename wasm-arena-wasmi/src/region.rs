//! Regions lent to wasmi.
//!
//! wasmi takes memory from the host as a slice without an end of its life. What keeps that promise
//! true is [`ArenaStore`](crate::ArenaStore): it owns the store that has the slice and the regions
//! behind it, never hands out the store itself, and ends the store first.

use core::ptr::NonNull;
use core::slice;

use wasm_arena::{Allocator, ArenasRef, PageAllocator};

/// The room of a region, to be lent to a store.
///
/// Invariants, by the contract of [`new`](Self::new): (1) `capacity` bytes from `base` are accessible
/// and initialised (the region was opened up to its capacity); (2) they belong to this value alone
/// until the ledger is closed or the memory cancelled.
#[derive(Debug)]
pub(crate) struct LentRegion {
    base: NonNull<u8>,
    capacity: usize,
}

impl LentRegion {
    /// # Safety
    /// (1) `base` and `capacity` are those of a live memory whose room is open up to there; (2) this is
    /// the only value for it, and its allocator touches no byte of it before the ledger is closed or
    /// the memory cancelled.
    pub(crate) const unsafe fn new(base: NonNull<u8>, capacity: usize) -> Self {
        Self { base, capacity }
    }

    /// The room as wasmi wants it.
    ///
    /// # Safety
    /// The slice must not be used after the ledger that lent the region is closed, or the memory
    /// cancelled.
    pub(crate) unsafe fn into_slice(self) -> &'static mut [u8] {
        // SAFETY: accessible, initialised, at most `isize::MAX` bytes (the region has a layout) and
        // nobody else's (invariants 1 and 2; the value is consumed); the caller lets go of it in
        // time.
        unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.capacity) }
    }
}

/// Zeroes the data of a memory beyond the size its allocator knows, up to `end`.
///
/// # Safety
/// Nobody else has the region of the memory any more, and its room is open.
pub(crate) unsafe fn zero<R: ArenasRef>(allocator: &mut Allocator<R>, end: usize) {
    let (size, capacity) = (allocator.size(), allocator.capacity());
    let Some(base) = allocator.base() else {
        return;
    };
    let end = end.min(capacity);
    if size < end {
        // SAFETY: within the capacity of the region held.
        let start = unsafe { base.add(size) };
        // SAFETY: open and writable up to the capacity (`options::resolve` accepts no other
        // protection), and nobody else's: the caller's promise.
        unsafe { start.write_bytes(0, end - size) };
    }
}
