//! The one lock of the house. Everywhere but on QNX it is a word, a short spin, then a wait in the
//! operating system; on QNX the C library's mutex, and this one only where that is refused.
//!
//! ```text
//!            lock                      lock by another thread
//!    FREE ─────────▶ HELD ──────────────────────────────▶ HELD, WITH WAITERS
//!      ▲               │ unlock: no system call                 │ unlock: wakes one waiter
//!      └───────────────┴────────────────────────────────────────┘
//! ```
//!
//! Invariants: (1) the word leaves `FREE` only in an exchange that succeeds for one thread, which
//! is then the holder; (2) a thread waits only after it wrote `HELD, WITH WAITERS` itself, so the
//! unlock that follows wakes somebody; (3) a woken thread takes the lock as `HELD, WITH WAITERS`,
//! because it cannot know whether others still wait.
//!
//! This lock does not inherit priority: a low-priority holder that is pre-empted delays a
//! high-priority waiter for as long as threads in between run. Holders in this project run a few
//! dozen instructions, or copy and check what one call was asked to. QNX's does: see
//! `sys/qnx/mutex.rs`. `sys` is the one place that chooses; the guard stays on its thread, which a
//! lock that inherits priority needs.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::sys::{self, RawLock};

const FREE: u32 = 0;
const HELD: u32 = 1;
const HELD_WITH_WAITERS: u32 = 2;

/// Looks at a held lock this often before waiting: about as long as a holder needs.
const SPINS: u32 = 64;

/// A mutual-exclusion lock without data: four bytes, no destructor, no allocation.
///
/// All zero bits are a free lock. Use it through [`Mutex`].
#[derive(Debug)]
#[repr(transparent)]
pub struct WordLock {
    state: AtomicU32,
}

/// Data behind a [`RawLock`]; usable in statics.
///
/// Locking a free lock and unlocking one without waiters make no system call; on QNX they are calls
/// of the C library, and the first one at a place makes the mutex there. Not reentrant: locking
/// twice on one thread waits forever. Not fair. On QNX a holder inherits the priority of whoever
/// waits for it, elsewhere not.
///
/// ```
/// static TOTAL: os::Mutex<u32> = os::Mutex::new(0);
///
/// *TOTAL.lock() += 3;
/// assert_eq!(*TOTAL.lock(), 3);
/// ```
pub type Mutex<T> = lock_api::Mutex<RawLock, T>;

/// Access to the data of a locked [`Mutex`]; unlocks it when dropped, on the thread that locked.
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawLock, T>;

impl WordLock {
    #[cold]
    fn lock_contended(&self) {
        for _ in 0..SPINS {
            if self.state.load(Ordering::Relaxed) == FREE && self.take(HELD) {
                return;
            }
            spin_loop();
        }
        while self.state.swap(HELD_WITH_WAITERS, Ordering::Acquire) != FREE {
            sys::wait(&self.state, HELD_WITH_WAITERS);
        }
    }

    /// Takes the lock if it is free, leaving `state` behind.
    #[inline]
    fn take(&self, state: u32) -> bool {
        self.state
            .compare_exchange(FREE, state, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }
}

// SAFETY: invariant (1) gives the lock to one thread at a time; acquire on taking and release on
// giving back order the accesses of successive holders.
unsafe impl lock_api::RawMutex for WordLock {
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "the trait asks for a constant"
    )]
    const INIT: Self = Self {
        state: AtomicU32::new(FREE),
    };

    type GuardMarker = lock_api::GuardNoSend;

    #[inline]
    fn lock(&self) {
        if !self.take(HELD) {
            self.lock_contended();
        }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.take(HELD)
    }

    #[inline]
    unsafe fn unlock(&self) {
        if self.state.swap(FREE, Ordering::Release) == HELD_WITH_WAITERS {
            sys::wake_one(&self.state);
        }
    }

    fn is_locked(&self) -> bool {
        self.state.load(Ordering::Relaxed) != FREE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_cannot_be_taken_and_a_dropped_guard_frees_it() {
        let mutex = Mutex::new(1);
        let guard = mutex.lock();
        assert!(mutex.is_locked());
        assert!(mutex.try_lock().is_none());
        drop(guard);
        assert!(!mutex.is_locked());
        assert!(mutex.try_lock().is_some());
    }

    #[test]
    fn the_lock_is_one_word() {
        assert_eq!(size_of::<WordLock>(), 4);
        assert_eq!(size_of::<lock_api::Mutex<WordLock, u32>>(), 8);
    }
}
