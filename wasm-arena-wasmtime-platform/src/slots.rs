//! The pointers Wasmtime keeps for each thread.

use os::{Reason, ThreadSlot};

/// How many pointers Wasmtime may keep: one always, a second for asynchronous components.
pub(crate) const SLOTS: usize = 2;

/// Where the pointers that Wasmtime keeps for each thread are.
///
/// [`[ThreadSlot; 2]`](ThreadSlot) is what a [`Platform`](crate::Platform) has unless told
/// otherwise. A system with threads that [`os`] does not know needs slots of its own: with one
/// pointer for all threads, guests on two threads destroy each other's stacks of calls.
///
/// # Safety
/// `get` answers with what *this thread* set last at the same index, and with null before that.
pub unsafe trait ThreadSlots: Sync {
    /// Makes whatever setting needs, so that it cannot be refused for want of it later.
    ///
    /// # Errors
    /// There is none left.
    fn prepare(&self) -> Result<(), Reason>;

    /// This thread's pointer at `index`, 0 or 1.
    fn get(&self, index: usize) -> *mut u8;

    /// Sets this thread's pointer at `index`, 0 or 1.
    ///
    /// # Errors
    /// There is no room for it.
    fn set(&self, index: usize, value: *mut u8) -> Result<(), Reason>;
}

// SAFETY: a `ThreadSlot` keeps a pointer for each thread, null at first.
unsafe impl ThreadSlots for [ThreadSlot; SLOTS] {
    fn prepare(&self) -> Result<(), Reason> {
        self.iter().try_for_each(ThreadSlot::prepare)
    }

    fn get(&self, index: usize) -> *mut u8 {
        self[index].get()
    }

    fn set(&self, index: usize, value: *mut u8) -> Result<(), Reason> {
        self[index].set(value)
    }
}
