//! A table of plain records outside of the heap it keeps the books of.
//!
//! ```text
//!   | guard | records, as many as were written | room, untouched ...... | guard |
//! ```
//!
//! The room for all records is reserved at first use; Linux gives memory as records are written, so
//! that a table grows without being copied. The guards are there because the programs under watch
//! overrun their blocks, and Linux maps close together.
//!
//! Invariants: (1) `base` is 0 or the address of room for `capacity` records that only this table
//! knows; (2) the first `len` of them were written.

use crate::linux;
use crate::qnx::prot;

/// Records of one kind, in order.
pub(crate) struct Table<T: Copy> {
    base: usize,
    len: usize,
    capacity: usize,
    kind: core::marker::PhantomData<T>,
}

impl<T: Copy> Table<T> {
    /// An empty table for at most `capacity` records.
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            base: 0,
            len: 0,
            capacity,
            kind: core::marker::PhantomData,
        }
    }

    /// Whether there is room for `more` records; reserves the table at first use.
    pub(crate) fn has_room(&mut self, more: usize) -> bool {
        if self.base == 0 {
            self.base = reserve(self.capacity * size_of::<T>()).unwrap_or(0);
        }
        self.base != 0 && self.capacity - self.len >= more
    }

    /// The records.
    pub(crate) fn all(&self) -> &[T] {
        if self.base == 0 {
            return &[];
        }
        let first: *const T = core::ptr::with_exposed_provenance(self.base);
        // SAFETY: the first `len` records are in our mapping (1) and written (2); mappings are aligned
        // to pages, and the table is borrowed.
        unsafe { core::slice::from_raw_parts(first, self.len) }
    }

    /// The records, to be changed.
    pub(crate) fn all_mut(&mut self) -> &mut [T] {
        if self.base == 0 {
            return &mut [];
        }
        let first: *mut T = core::ptr::with_exposed_provenance_mut(self.base);
        // SAFETY: as for `all`; the table is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(first, self.len) }
    }

    /// Puts a record at `index`; false, and nothing done, without room.
    pub(crate) fn insert(&mut self, index: usize, record: T) -> bool {
        if index > self.len || !self.has_room(1) {
            return false;
        }
        let first: *mut T = core::ptr::with_exposed_provenance_mut(self.base);
        // SAFETY: there is room for one more record (1).
        let behind = unsafe { first.add(self.len) };
        // SAFETY: the place is inside our mapping (1), aligned, and nobody refers to it.
        unsafe { behind.write(record) };
        self.len += 1;
        self.all_mut()[index..].rotate_right(1);
        true
    }

    /// Puts a record at the end; false, and nothing done, without room.
    pub(crate) fn push(&mut self, record: T) -> bool {
        self.insert(self.len, record)
    }

    /// Takes the record at `index` out.
    pub(crate) fn remove(&mut self, index: usize) {
        self.all_mut()[index..].rotate_left(1);
        self.len -= 1;
    }

    /// Forgets all records.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

/// Room for `bytes` between two guards.
fn reserve(bytes: usize) -> Option<usize> {
    let guard = linux::page_size();
    let room = bytes.next_multiple_of(guard);
    let base = linux::map(room + 2 * guard, prot::NONE)? + guard;
    // SAFETY: the pages are inside the mapping just made, which nobody else knows.
    unsafe { linux::protect(base, room, prot::READ_WRITE) }.then_some(base)
}
