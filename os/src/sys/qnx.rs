//! QNX: a reservation must be lazy, or it takes memory at once.
//!
//! Up to 6.6 every mapping is backed when it is made, whatever its protection; 7.x charges for it;
//! an 8.0 kernel backs it. Only `MAP_LAZY` is exempt, on all of them. So pages that are reserved
//! and then committed are lazy: **a first touch that finds no memory raises `SIGBUS`** instead of
//! failing the commit. Where that must not happen, use `map` (charged when it is made), or lock
//! the pages after the commit. `MAP_NORESERVE` must not appear here: up to 7.0 its number means
//! "do not clear".
//!
//! Contents are dropped by putting fresh pages in the place of the old. A system may want an
//! ability for `MAP_FIXED`; without it a decommit is refused and a discard fills with zeros.
//!
//! This arm is compile-checked; it has not been run on a target by the authors.

use core::ffi::c_int;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use super::unix;
pub(super) use super::unix::{commit, lock, page_size, protect, unlock, unmap};
use crate::{Errno, Facts, Protection, Reason};

/// `MAP_LAZY` of `sys/mman.h`, the same in SDP 6.5, 6.6, 7.0, 7.1 and 8.0; the `libc` crate lacks
/// it.
const MAP_LAZY: c_int = 0x80;

// The same header in all those versions; these differ from every other Unix, so a wrong binding
// would be found here and not by a kernel that refuses or misreads them.
const _: () = assert!(libc::PROT_NONE == 0);
const _: () = assert!(libc::PROT_READ == 0x100);
const _: () = assert!(libc::PROT_WRITE == 0x200);
const _: () = assert!(libc::PROT_EXEC == 0x400);
const _: () = assert!(libc::MAP_PRIVATE == 2);
const _: () = assert!(libc::MAP_FIXED == 0x10);
const _: () = assert!(libc::MAP_ANON == 0x0008_0000);
const _: () = assert!(libc::_SC_PAGESIZE == 11);

pub(super) fn facts() -> Facts {
    Facts {
        page_size: page_size(),
        reserves_for_free: true,
        can_protect: true,
        returns_memory: true,
        can_lock: true,
        can_probe: false,
    }
}

pub(super) fn reserve(len: usize) -> Result<NonNull<u8>, Reason> {
    unix::map_anywhere(len, Protection::None, MAP_LAZY)
}

pub(super) fn map(len: usize) -> Result<NonNull<u8>, Reason> {
    unix::map_anywhere(len, Protection::ReadWrite, 0)
}

/// # Safety
/// As [`PageSource::decommit`](crate::PageSource::decommit).
pub(super) unsafe fn decommit(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: whole pages of one live run whose contents are given up.
    unsafe { unix::replace(address, len, Protection::None, MAP_LAZY) }
}

/// # Safety
/// As [`PageSource::discard`](crate::PageSource::discard).
pub(super) unsafe fn discard(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: whole pages of one live run whose contents are given up.
    match unsafe { unix::replace(address, len, Protection::ReadWrite, MAP_LAZY) } {
        Err(Reason::Errno(Errno(libc::EPERM))) => {
            // SAFETY: refused before anything was changed; the range is writable.
            unsafe { unix::fill_with_zeros(address, len) };
            Ok(())
        }
        other => other,
    }
}

/// # Safety
/// As [`PageSource::prefault`](crate::PageSource::prefault).
#[allow(clippy::unnecessary_wraps, reason = "every arm answers alike")]
pub(super) unsafe fn prefault(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: the caller's promise, passed on unchanged.
    unsafe { unix::touch_each(address, len) };
    Ok(())
}

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
