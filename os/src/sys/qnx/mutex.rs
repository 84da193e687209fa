//! QNX: the C library's mutex, which inherits priority.
//!
//! ```text
//!            home: where the mutex is           first lock at a new place
//!   moved, or never locked ──────────────────▶ being made ──────────────┬──▶ mutex of the C library
//!            ▲                                                          │
//!            └──────── the value is moved ◀─────────────────────────────┴──▶ word of our own, if refused
//! ```
//!
//! A thread of low priority that holds a mutex with the protocol `PTHREAD_PRIO_INHERIT` runs with
//! the priority of the highest that waits for it, so threads in between cannot hold both up. That
//! protocol is the default of QNX's mutex attributes (QNX C Library Reference,
//! `pthread_mutexattr_init`, editions 6.4.1 and 8.0), and no attributes are default attributes
//! (POSIX, `pthread_mutex_init`). So nothing has to be known but the size of a mutex: neither the
//! value of a constant nor of a static initialiser, of which two editions of the `libc` crate have
//! different ones for 7.1 (0.2.183 and 0.2.191).
//!
//! A mutex may not be moved once it was made; a value in Rust may. So the address at which it was
//! made is remembered: at another one it is made anew, which is right because nobody can hold a lock
//! that is moved. What is left at the old address is no mutex any more; one that is made there later
//! may be refused because the library still knows it, and is then destroyed first.
//!
//! Invariants: (1) `home` becomes this value's address, or that address and one, only from
//! `BEING_MADE`, which one thread at a time can set; the first after the mutex was made at this
//! address, the second after the library refused to; (2) while the value stays where it is, neither
//! changes, so all threads use the same of the two locks.

use core::cell::UnsafeCell;
use core::ptr::{from_ref, null};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::c_library;
use crate::lock::WordLock;

/// The mutex is nowhere.
const NOWHERE: usize = 0;
/// A thread is making it. No address: values are aligned to more.
const BEING_MADE: usize = 2;

/// How long a thread sleeps that finds the mutex being made, or its lock refused.
const PAUSE_MICROSECONDS: core::ffi::c_uint = 100;

/// A mutual-exclusion lock without data, that inherits priority: see the documentation of the file.
///
/// Use it through [`Mutex`](crate::Mutex).
#[derive(Debug)]
#[repr(align(8))]
pub struct InheritingLock {
    home: AtomicUsize,
    mutex: UnsafeCell<c_library::pthread_mutex_t>,
    own: WordLock,
}

// SAFETY: the mutex is reached by the functions of the C library alone, which are there for many
// threads; the rest is atomic.
unsafe impl Sync for InheritingLock {}
// SAFETY: the C library's mutex belongs to no thread unless it is locked, and a locked one is
// borrowed and so stays where it is.
unsafe impl Send for InheritingLock {}

impl InheritingLock {
    /// The mutex, if it is made, or can be; `None` where the library refused it.
    #[inline]
    fn mutex(&self) -> Option<*mut c_library::pthread_mutex_t> {
        let here = from_ref(self).addr();
        let home = self.home.load(Ordering::Acquire);
        if home == here || (home != here + 1 && self.settle(here)) {
            Some(self.mutex.get())
        } else {
            None
        }
    }

    /// Makes the mutex here, or waits until another thread did; says whether there is one.
    #[cold]
    fn settle(&self, here: usize) -> bool {
        loop {
            let home = self.home.load(Ordering::Acquire);
            if home == here || home == here + 1 {
                return home == here;
            }
            if home == BEING_MADE {
                pause();
                continue;
            }
            let taken =
                self.home
                    .compare_exchange(home, BEING_MADE, Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                let made = self.make();
                self.home
                    .store(here + usize::from(!made), Ordering::Release);
                return made;
            }
        }
    }

    /// Only for the thread that set `BEING_MADE`.
    fn make(&self) -> bool {
        let mutex = self.mutex.get();
        // SAFETY: memory of a mutex that only this thread uses now; no attributes are the default
        // ones.
        if unsafe { c_library::pthread_mutex_init(mutex, null()) } == 0 {
            return true;
        }
        // Whatever the library still knows of this address was moved away, and is free.
        // SAFETY: as above; that there may be no mutex is an error and does no harm.
        let _known_or_not = unsafe { c_library::pthread_mutex_destroy(mutex) };
        // SAFETY: as above.
        unsafe { c_library::pthread_mutex_init(mutex, null()) == 0 }
    }
}

impl Drop for InheritingLock {
    fn drop(&mut self) {
        if *self.home.get_mut() == from_ref(self).addr() {
            // SAFETY: made here (invariant 1), not moved since, and free: it is borrowed mutably.
            let _nobody_left_to_tell =
                unsafe { c_library::pthread_mutex_destroy(self.mutex.get()) };
        }
    }
}

fn pause() {
    // SAFETY: the call has no preconditions.
    unsafe { c_library::usleep(PAUSE_MICROSECONDS) };
}

// SAFETY: the mutex of the C library, or the word of our own, admits one thread at a time and orders
// the accesses of successive holders; all threads use the same of the two (invariant 2).
unsafe impl lock_api::RawMutex for InheritingLock {
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "the trait asks for a constant"
    )]
    const INIT: Self = Self {
        home: AtomicUsize::new(NOWHERE),
        mutex: UnsafeCell::new(c_library::pthread_mutex_t { fields: [0; 2] }),
        own: WordLock::INIT,
    };

    type GuardMarker = lock_api::GuardNoSend;

    fn lock(&self) {
        let Some(mutex) = self.mutex() else {
            return self.own.lock();
        };
        // SAFETY: made at this address (invariant 1).
        while unsafe { c_library::pthread_mutex_lock(mutex) } != 0 {
            // Not taken. Most likely this thread holds it already, which is documented to wait
            // forever; going on without the lock is not to be thought of.
            pause();
        }
    }

    fn try_lock(&self) -> bool {
        match self.mutex() {
            // SAFETY: made at this address (invariant 1).
            Some(mutex) => unsafe { c_library::pthread_mutex_trylock(mutex) == 0 },
            None => self.own.try_lock(),
        }
    }

    unsafe fn unlock(&self) {
        match self.mutex() {
            Some(mutex) => {
                // SAFETY: made at this address (invariant 1) and held by this thread, by the
                // caller's promise, so this cannot fail.
                let _cannot_fail = unsafe { c_library::pthread_mutex_unlock(mutex) };
            }
            // SAFETY: the caller's promise, passed on unchanged.
            None => unsafe { self.own.unlock() },
        }
    }
}
