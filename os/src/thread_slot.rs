//! A pointer that every thread has for itself.
#![forbid(unsafe_code)]

use crate::{Reason, sys};

/// A pointer for each thread, null until it is set there; usable in statics.
///
/// For code that cannot use a language's own thread-local variables: on QNX Rust has none without
/// `std`. There and on other Unix systems it is a key of POSIX threads, made at the first
/// [`set`](Self::set) or [`prepare`](Self::prepare); a process has a limited number of those. On a
/// target without an operating system there is one thread as far as this crate knows, and one
/// pointer: a system with threads of its own needs slots of its own.
///
/// Dropping it gives the key back. What the pointers point to is for whoever set them.
///
/// ```
/// static CURRENT: os::ThreadSlot = os::ThreadSlot::new();
///
/// let mut value = 7_u8;
/// assert!(CURRENT.get().is_null());
/// CURRENT.set(&raw mut value)?;
/// assert_eq!(CURRENT.get(), &raw mut value);
/// # Ok::<(), os::Reason>(())
/// ```
#[derive(Debug)]
pub struct ThreadSlot(sys::SlotKey);

impl ThreadSlot {
    /// A slot that is null for every thread. Asks nothing of the system yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(sys::SlotKey::new())
    }

    /// Makes what [`set`](Self::set) needs, so that it cannot be refused for want of a key later.
    /// One call of the C library the first time, none after that.
    ///
    /// # Errors
    /// The process has no key left, or no memory for one.
    pub fn prepare(&self) -> Result<(), Reason> {
        self.0.prepare()
    }

    /// This thread's pointer. One call of the C library.
    #[must_use]
    pub fn get(&self) -> *mut u8 {
        self.0.get()
    }

    /// Sets this thread's pointer. One call of the C library, two the first time.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare), and if there is no memory for the first pointer of a thread;
    /// the pointer is as it was.
    pub fn set(&self, value: *mut u8) -> Result<(), Reason> {
        self.0.set(value)
    }
}

impl Default for ThreadSlot {
    fn default() -> Self {
        Self::new()
    }
}
