//! How readers notice writers: a number that is odd while data changes.
//!
//! ```text
//!   writer (holds the lock)          reader (holds nothing)
//!   ───────────────────────          ──────────────────────
//!   number := odd                    before := number        odd? try again
//!   fence: release                   read the data
//!   change the data                  fence: acquire
//!   number := even, release          after := number         different? try again
//! ```
//!
//! A reader that saw a changed word, and then fences, sees the odd number or a later one: the
//! release fence comes before the change. A reader that saw the even number sees all that was
//! written before it. So an unchanged even number means that what was read is one state. The data
//! itself is read and written by relaxed atomics, so that what a losing reader saw is stale or
//! mixed, but never undefined.
//!
//! The number wraps; a reader would be deceived if it slept through exactly as many writes as the
//! number has values, half a word's worth.
//!
//! This file is also compiled against a model checker's atomics: it uses nothing but `primitive`.
#![forbid(unsafe_code)]

use super::primitive::{AtomicUsize, Ordering, fence};

/// The number, and the protocol.
#[derive(Debug)]
pub(crate) struct Sequence {
    number: AtomicUsize,
}

impl Sequence {
    pub(crate) fn new() -> Self {
        Self {
            number: AtomicUsize::new(0),
        }
    }

    /// Runs `change` while readers are turned away. Only for the holder of the writers' lock.
    #[inline]
    pub(crate) fn write<T>(&self, change: impl FnOnce() -> T) -> T {
        // A number that is odd already was left by a writer that panicked, or is damaged; it is
        // mended here.
        let odd = self.number.load(Ordering::Relaxed) | 1;
        self.number.store(odd, Ordering::Relaxed);
        fence(Ordering::Release);
        let result = change();
        self.number.store(odd.wrapping_add(1), Ordering::Release);
        result
    }

    /// Runs `attempt` once; `None` if a writer was or came in between, and then what `attempt` saw
    /// may be of two states.
    #[inline]
    pub(crate) fn try_read<T>(&self, attempt: impl FnOnce() -> T) -> Option<T> {
        let before = self.number.load(Ordering::Acquire);
        if before & 1 != 0 {
            return None;
        }
        let result = attempt();
        fence(Ordering::Acquire);
        (self.number.load(Ordering::Relaxed) == before).then_some(result)
    }
}
