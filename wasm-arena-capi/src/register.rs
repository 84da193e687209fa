//! Memories by the address of their first byte: for runtimes that hand back nothing but that.
//!
//! A table with open addressing, at most half full: looking up, adding and removing take constant
//! time on average. Removing closes the gap, so that a memory that moved can be entered under its
//! new address without needing more room: that must not fail.
//!
//! Invariants: (1) `slots` is a live block of `len` initialised slots, or dangling with `len` 0;
//! (2) `len` is 0 or a power of two, above twice the entries; (3) between an entry's home and its
//! place, no slot is empty.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::failure::Failure;
use crate::memory::Memory;
use crate::shared::{self, Shared};

/// A memory of a runtime.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) address: usize,
    pub(crate) memory: Shared<Memory>,
    /// Being grown by a thread, without the lock of the register.
    pub(crate) is_busy: bool,
}

#[derive(Debug)]
pub(crate) struct Register {
    slots: NonNull<Option<Entry>>,
    len: usize,
    count: usize,
}

// SAFETY: the slots belong to this value alone, and their contents may be sent.
unsafe impl Send for Register {}

const FIRST_LEN: usize = 16;

impl Register {
    pub(crate) const fn new() -> Self {
        Self {
            slots: NonNull::dangling(),
            len: 0,
            count: 0,
        }
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    const fn slots(&mut self) -> &mut [Option<Entry>] {
        // SAFETY: invariant 1; borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(self.slots.as_ptr(), self.len) }
    }

    /// Where an address would best be. Bases are multiples of a host page, so their low bits say
    /// nothing.
    const fn home(&self, address: usize) -> usize {
        let mixed = (address as u64 >> 12).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (self.len - 1)
    }

    /// The place of an address, or the empty one where it would go.
    fn place(&mut self, address: usize) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let mut place = self.home(address);
        let mask = self.len - 1;
        loop {
            // At least half of the slots are empty (invariant 2), so this ends.
            match self.slots().get(place) {
                Some(Some(entry)) if entry.address != address => place = (place + 1) & mask,
                _ => return Some(place),
            }
        }
    }

    /// The entry of an address.
    pub(crate) fn get(&mut self, address: usize) -> Option<&mut Entry> {
        let place = self.place(address)?;
        self.slots().get_mut(place)?.as_mut()
    }

    /// Makes room for one more entry.
    ///
    /// # Errors
    /// There is no memory for it; nothing has changed.
    pub(crate) fn reserve(&mut self) -> Result<(), Failure> {
        if (self.count + 1) * 2 < self.len {
            return Ok(());
        }
        let len = (self.len * 2).max(FIRST_LEN);
        let layout = Layout::array::<Option<Entry>>(len)
            .map_err(|_| Failure::OutOfHandles { limit: self.count })?;
        let slots = shared::allocate(layout)?.cast::<Option<Entry>>();
        for number in 0..len {
            // SAFETY: inside the block, which has room for `len` slots.
            let slot = unsafe { slots.add(number) };
            // SAFETY: a fresh block, nobody else's yet.
            unsafe { slot.write(None) };
        }
        let mut larger = Self {
            slots,
            len,
            count: 0,
        };
        for slot in self.slots() {
            if let Some(entry) = slot.take() {
                larger.insert(entry);
            }
        }
        *self = larger;
        Ok(())
    }

    /// Adds an entry, for which there is room: [`reserve`](Self::reserve) was called, or one was
    /// removed, and the lock was held since.
    pub(crate) fn insert(&mut self, entry: Entry) {
        let place = self.place(entry.address);
        if let Some(slot) = place.and_then(|place| self.slots().get_mut(place)) {
            *slot = Some(entry);
            self.count += 1;
        }
    }

    /// Removes the entry of an address.
    pub(crate) fn remove(&mut self, address: usize) -> Option<Entry> {
        let place = self.place(address)?;
        let removed = self.slots().get_mut(place)?.take()?;
        self.count -= 1;
        let mask = self.len - 1;
        let (mut gap, mut next) = (place, (place + 1) & mask);
        while let Some(address) = self.slots()[next].as_ref().map(|entry| entry.address) {
            let home = self.home(address);
            // It may move into the gap unless its home lies behind that.
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(gap) & mask) {
                self.slots().swap(gap, next);
                gap = next;
            }
            next = (next + 1) & mask;
        }
        Some(removed)
    }
}

impl Drop for Register {
    /// Ends all memories.
    fn drop(&mut self) {
        self.slots().iter_mut().for_each(|slot| *slot = None);
        if self.len > 0 {
            // SAFETY: the block of the slots (invariant 1), which are empty, and not used again.
            unsafe { shared::free(self.slots.cast()) };
        }
    }
}
