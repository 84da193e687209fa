//! Other Unix systems: contents are dropped by putting fresh pages in the place of the old.
//!
//! `madvise` promises zeros on Linux only, so decommit and discard are one `mmap` with `MAP_FIXED`
//! each. New pages are not locked: a discard undoes a lock.
//!
//! This arm is compile-checked; it has not been run by the authors.

use core::ffi::c_int;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use super::unix;
#[cfg(not(target_os = "openbsd"))]
pub(super) use super::unix::resident;
pub(super) use super::unix::{
    commit, facts, limits, lock, map, page_size, protect, touched, unlock, unmap,
};
use crate::{Protection, Reason};

/// Asks for address space that is not charged; systems without the flag do not charge for it.
#[cfg(any(target_vendor = "apple", target_os = "netbsd"))]
const RESERVATION_FLAGS: c_int = libc::MAP_NORESERVE;
#[cfg(not(any(target_vendor = "apple", target_os = "netbsd")))]
const RESERVATION_FLAGS: c_int = 0;

pub(super) fn reserve(len: usize) -> Result<NonNull<u8>, Reason> {
    unix::map_anywhere(len, Protection::None, RESERVATION_FLAGS)
}

/// # Safety
/// As [`PageSource::decommit`](crate::PageSource::decommit).
pub(super) unsafe fn decommit(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: whole pages of one live run whose contents are given up.
    unsafe { unix::replace(address, len, Protection::None, RESERVATION_FLAGS) }
}

/// # Safety
/// As [`PageSource::discard`](crate::PageSource::discard).
pub(super) unsafe fn discard(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: whole pages of one live run whose contents are given up.
    unsafe { unix::replace(address, len, Protection::ReadWrite, RESERVATION_FLAGS) }
}

/// # Safety
/// As [`PageSource::prefault`](crate::PageSource::prefault).
#[allow(clippy::unnecessary_wraps, reason = "every arm answers alike")]
pub(super) unsafe fn prefault(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: the caller's promise, passed on unchanged.
    unsafe { unix::touch_each(address, len) };
    Ok(())
}

/// This system has no call that tells.
#[cfg(target_os = "openbsd")]
pub(super) fn resident(_address: NonNull<u8>, _len: usize) -> Result<usize, Reason> {
    Err(Reason::Unsupported)
}

pub(super) fn probe(_address: usize) -> Result<bool, Reason> {
    Err(Reason::Unsupported)
}

/// Sleeps for a moment while the word holds what was expected.
pub(crate) fn wait(word: &AtomicU32, expected: u32) {
    unix::sleep_while_equal(word, expected);
}

/// Waiters wake by themselves.
pub(crate) fn wake_one(_word: &AtomicU32) {}
