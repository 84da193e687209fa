//! A lock for many readers or one writer: a word like the [`Mutex`](crate::Mutex), waiting as it does.
//!
//! ```text
//!   31       30        29 ........................ 0
//!   writer | waiters | number of readers inside
//! ```
//!
//! Invariants: (1) the writer bit is set only in an exchange that finds no writer and no reader, and
//! readers are added only in one that finds no writer; (2) a thread sleeps only while the waiters
//! bit is set, and whoever clears that bit wakes one thread; (3) a thread that has slept sets the
//! bit again when it gets in, because it cannot know whether others still sleep, and a reader that
//! has slept wakes the next at once, because readers may be inside together.
//!
//! Readers go before writers: a reader may enter while a writer waits, so a thread may read twice
//! at once, and readers that never leave a gap keep a writer out. Not priority-inheriting, as the
//! [`Mutex`](crate::Mutex).

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::sys;

const WRITER: u32 = 1 << 31;
const WAITERS: u32 = 1 << 30;
const READERS: u32 = WAITERS - 1;

/// Looks at a held lock this often before waiting.
const SPINS: u32 = 64;

/// A lock for many readers or one writer, without data: four bytes, no destructor, no allocation.
///
/// All zero bits are a free lock. Use it through [`RwLock`].
#[derive(Debug)]
#[repr(transparent)]
pub struct RawSharedLock {
    state: AtomicU32,
}

/// Data behind a [`RawSharedLock`]; usable in statics.
///
/// Entering a lock nobody is in, and leaving it without waiters, make no system call. Readers go
/// before writers. A thread may read twice at once; writing inside waits forever.
///
/// ```
/// static LIMITS: os::RwLock<[u32; 2]> = os::RwLock::new([1, 2]);
///
/// LIMITS.write()[1] = 5;
/// let (one, other) = (LIMITS.read(), LIMITS.read());
/// assert_eq!(one[0] + other[1], 6);
/// ```
pub type RwLock<T> = lock_api::RwLock<RawSharedLock, T>;

impl RawSharedLock {
    /// Enters as a reader if no writer is inside, setting `more` bits.
    fn enter_shared(&self, more: u32) -> bool {
        let enter = |state: u32| {
            (state & WRITER == 0 && state & READERS < READERS).then(|| (state + 1) | more)
        };
        self.change(enter)
    }

    /// Enters as the writer if nobody is inside, setting `more` bits.
    fn enter_exclusive(&self, more: u32) -> bool {
        let enter = |state: u32| (state & (WRITER | READERS) == 0).then_some(state | WRITER | more);
        self.change(enter)
    }

    fn change(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        self.state
            .try_update(Ordering::Acquire, Ordering::Relaxed, change)
            .is_ok()
    }

    /// Tries for a while, then sleeps between tries. Whether it may have slept.
    #[cold]
    fn contended(&self, enter: impl Fn(u32) -> bool) -> bool {
        for _ in 0..SPINS {
            if enter(0) {
                return false;
            }
            spin_loop();
        }
        // From the first sleep on: invariant (3).
        while !enter(WAITERS) {
            let state = self.state.fetch_or(WAITERS, Ordering::Relaxed) | WAITERS;
            if state & (WRITER | READERS) != 0 {
                sys::wait(&self.state, state);
            }
        }
        true
    }

    /// After leaving: if nobody is inside and somebody may sleep, wakes one.
    fn left(&self, state: u32) {
        if state & (WRITER | READERS) == 0 && state & WAITERS != 0 {
            self.state.fetch_and(!WAITERS, Ordering::Relaxed);
            sys::wake_one(&self.state);
        }
    }
}

// SAFETY: invariant (1) keeps a writer alone inside; acquire on entering and release on leaving order
// the accesses of those who are inside one after the other.
unsafe impl lock_api::RawRwLock for RawSharedLock {
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "the trait asks for a constant"
    )]
    const INIT: Self = Self {
        state: AtomicU32::new(0),
    };

    type GuardMarker = lock_api::GuardNoSend;

    #[inline]
    fn lock_shared(&self) {
        if !self.enter_shared(0) && self.contended(|more| self.enter_shared(more)) {
            sys::wake_one(&self.state);
        }
    }

    #[inline]
    fn try_lock_shared(&self) -> bool {
        self.enter_shared(0)
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        self.left(self.state.fetch_sub(1, Ordering::Release) - 1);
    }

    #[inline]
    fn lock_exclusive(&self) {
        if !self.enter_exclusive(0) {
            self.contended(|more| self.enter_exclusive(more));
        }
    }

    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        self.enter_exclusive(0)
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        self.left(self.state.fetch_and(!WRITER, Ordering::Release) & !WRITER);
    }

    fn is_locked(&self) -> bool {
        self.state.load(Ordering::Relaxed) & (WRITER | READERS) != 0
    }

    fn is_locked_exclusive(&self) -> bool {
        self.state.load(Ordering::Relaxed) & WRITER != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_inside_together_and_a_writer_alone() {
        let lock = RwLock::new(1);
        let (one, other) = (lock.read(), lock.read());
        assert!(lock.is_locked() && !lock.is_locked_exclusive());
        assert!(lock.try_write().is_none());
        drop(one);
        assert!(lock.try_write().is_none());
        drop(other);
        let writer = lock.try_write().unwrap();
        assert!(lock.is_locked_exclusive());
        assert!(lock.try_read().is_none() && lock.try_write().is_none());
        drop(writer);
        assert!(!lock.is_locked());
    }

    #[test]
    fn the_lock_is_one_word() {
        assert_eq!(size_of::<RawSharedLock>(), 4);
    }
}
