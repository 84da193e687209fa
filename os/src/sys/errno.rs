//! The error number of the calling thread, wherever the C library of the platform keeps it.

use core::ffi::c_int;

use super::c_library as libc;
use crate::{Errno, Reason};

#[cfg(any(target_os = "linux", target_os = "dragonfly"))]
use libc::__errno_location as location;

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as location;

#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as location;

#[cfg(any(target_os = "nto", target_os = "qnx"))]
use libc::__get_errno_ptr as location;

/// The number left by the last failed call of this thread.
pub(crate) fn last() -> c_int {
    // SAFETY: the function has no preconditions.
    let number = unsafe { location() };
    // SAFETY: the C library keeps the number of a live thread at this address, for that thread.
    unsafe { number.read() }
}

/// Forgets the number, where a result alone does not tell success from failure.
#[cfg(any(target_os = "nto", target_os = "qnx"))]
pub(super) fn clear() {
    // SAFETY: the function has no preconditions.
    let number = unsafe { location() };
    // SAFETY: as above; the number is this thread's to write.
    unsafe { number.write(0) };
}

/// Puts a number back, after a signal handler made calls of its own.
#[cfg(target_os = "linux")]
pub(crate) fn restore(number: c_int) {
    // SAFETY: the function has no preconditions.
    let place = unsafe { location() };
    // SAFETY: the number is this thread's to write.
    unsafe { place.write(number) };
}

/// The same, as the reason of a refusal.
pub(crate) fn last_reason() -> Reason {
    Reason::Errno(Errno(last()))
}
