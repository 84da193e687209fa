//! A key of POSIX threads, made when it is first needed.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI64, Ordering};

use super::c_library::{self as libc, pthread_key_t};
use crate::{Errno, Reason};

/// Stands for "not made yet". Keys are numbers of at most 32 bits, signed or not.
const NONE: i64 = i64::MIN;

/// Invariant: the word is [`NONE`], or a live key that is deleted by the drop alone.
#[derive(Debug)]
pub(crate) struct SlotKey(AtomicI64);

/// The key as the word holds it; the type of a key differs between systems.
fn word(key: impl TryInto<i64>) -> Result<i64, Reason> {
    key.try_into().map_err(|_| Reason::Unsupported)
}

/// What pthread functions answer: the error number itself.
fn checked(number: c_int) -> Result<(), Reason> {
    if number == 0 {
        Ok(())
    } else {
        Err(Reason::Errno(Errno(number)))
    }
}

impl SlotKey {
    pub(crate) const fn new() -> Self {
        Self(AtomicI64::new(NONE))
    }

    fn key(&self) -> Option<pthread_key_t> {
        pthread_key_t::try_from(self.0.load(Ordering::Acquire)).ok()
    }

    fn key_or_new(&self) -> Result<pthread_key_t, Reason> {
        if let Some(key) = self.key() {
            return Ok(key);
        }
        let mut new: pthread_key_t = 0;
        // SAFETY: the place for the key is a live local; there is no destructor.
        checked(unsafe { libc::pthread_key_create(&raw mut new, None) })?;
        let made = word(new)?;
        match self
            .0
            .compare_exchange(NONE, made, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => Ok(new),
            Err(_) => {
                // Another thread was faster.
                // SAFETY: the key was made just now and nobody else knows it.
                unsafe { libc::pthread_key_delete(new) };
                self.key().ok_or(Reason::Unsupported)
            }
        }
    }

    pub(crate) fn prepare(&self) -> Result<(), Reason> {
        self.key_or_new().map(|_key| ())
    }

    pub(crate) fn get(&self) -> *mut u8 {
        let Some(key) = self.key() else {
            return core::ptr::null_mut();
        };
        // SAFETY: the key is live (invariant).
        unsafe { libc::pthread_getspecific(key) }.cast::<u8>()
    }

    pub(crate) fn set(&self, value: *mut u8) -> Result<(), Reason> {
        let key = self.key_or_new()?;
        // SAFETY: the key is live (invariant); the C library stores the pointer and nothing more.
        checked(unsafe { libc::pthread_setspecific(key, value.cast::<c_void>()) })
    }
}

impl Drop for SlotKey {
    fn drop(&mut self) {
        if let Some(key) = self.key() {
            // SAFETY: the key is live (invariant), and this is the last use of it.
            unsafe { libc::pthread_key_delete(key) };
        }
    }
}
