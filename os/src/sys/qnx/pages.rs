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
//! This code is executed by `cargo xtask qnx`, over a stand-in for the C library; it has not been
//! run on a QNX kernel by the authors.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use super::c_library::{self, EPERM, MAP_LAZY};
pub(super) use super::unix::{
    commit, facts, lock, map, page_size, protect, touched, unlock, unmap,
};
use super::{errno, unix};
use crate::{Errno, Protection, Reason, ResourceLimits};

pub(super) fn reserve(len: usize) -> Result<NonNull<u8>, Reason> {
    unix::map_anywhere(len, Protection::None, MAP_LAZY)
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
        Err(Reason::Errno(Errno(EPERM))) => {
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

/// A limit of the process in bytes, if there is one.
#[cfg(target_pointer_width = "64")]
fn limit(resource: c_int) -> Option<u64> {
    let mut limit = c_library::rlimit {
        rlim_cur: c_library::RLIM_INFINITY,
        rlim_max: c_library::RLIM_INFINITY,
    };
    // SAFETY: the place for the answer is a live local of the type the call writes.
    let status = unsafe { c_library::getrlimit(resource, &raw mut limit) };
    (status == 0 && limit.rlim_cur < c_library::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// The kinds of qnx-facts §7.1 that bind memory, and the size of the machine's (§7.2).
///
/// 32-bit targets are told the machine's only: which of two structs their `getrlimit` fills is not
/// known.
pub(super) fn limits() -> ResourceLimits {
    let limits = ResourceLimits {
        physical_memory: unix::physical_memory(),
        ..ResourceLimits::NONE
    };
    #[cfg(target_pointer_width = "64")]
    let limits = ResourceLimits {
        data: limit(c_library::RLIMIT_DATA),
        address_space: limit(c_library::RLIMIT_AS),
        locked_memory: limit(c_library::RLIMIT_MEMLOCK),
        least_free_thousandths: limit(c_library::RLIMIT_FREEMEM)
            .and_then(|thousandths| u16::try_from(thousandths).ok()),
        ..limits
    };
    limits
}

/// A command to the scheduler (`SchedCtl`, qnx-facts §7.4).
///
/// # Safety
/// `data` is what the command reads and writes, and is `len` bytes long.
pub(crate) unsafe fn scheduler_control(
    command: c_int,
    data: *mut c_void,
    len: usize,
) -> Result<(), Reason> {
    // SAFETY: the caller's promise, passed on unchanged.
    let status = unsafe { c_library::SchedCtl(command, data, len) };
    if status == -1 {
        Err(errno::last_reason())
    } else {
        Ok(())
    }
}
