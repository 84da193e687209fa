//! Linux and Android: contents are dropped by `madvise`, waiting is a futex.
//!
//! Decommit could be one `mmap` with `MAP_FIXED`, but that call may take the old pages away and
//! then fail, leaving a hole into which another thread's mapping can fall. Two calls that each
//! leave the range mapped cannot.

use core::ffi::{c_int, c_long};
use core::ptr::{NonNull, null, null_mut};
use core::sync::atomic::AtomicU32;

pub(super) use super::pagemap::touched;
pub(super) use super::unix::{
    commit, limits, lock, map, page_size, protect, resident, unlock, unmap,
};
use super::{errno, unix};
use crate::{Errno, Facts, Protection, Reason};

/// `MADV_POPULATE_WRITE`, Linux 5.14 and later: `include/uapi/asm-generic/mman-common.h`.
const POPULATE_WRITE: c_int = 23;

/// The size of the kernel's own signal set, which is not that of the C library.
const KERNEL_SIGNAL_SET_BYTES: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    16
} else {
    8
};

#[inline]
pub(super) fn facts() -> Facts {
    Facts {
        discards_cheaply: true,
        can_probe: true,
        can_tell_touched: true,
        ..unix::facts()
    }
}

pub(super) fn reserve(len: usize) -> Result<NonNull<u8>, Reason> {
    unix::map_anywhere(len, Protection::None, libc::MAP_NORESERVE)
}

/// Protects first: that is the call that can fail, and its failure leaves the contents.
///
/// # Safety
/// As [`PageSource::decommit`](crate::PageSource::decommit).
pub(super) unsafe fn decommit(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: nobody uses the range again, so no reference is contradicted.
    unsafe { protect(address, len, Protection::None) }?;
    // SAFETY: nobody uses the contents again.
    match unsafe { drop_contents(address, len) } {
        Err(Reason::Errno(Errno(libc::EINVAL))) => {
            // Locked pages are not dropped; pages nobody can access need no lock.
            // SAFETY: the range lies inside a live run.
            unsafe { unlock(address, len) }?;
            // SAFETY: as above.
            unsafe { drop_contents(address, len) }
        }
        other => other,
    }
}

/// Locked pages stay where they are and are filled with zeros.
///
/// # Safety
/// As [`PageSource::discard`](crate::PageSource::discard).
pub(super) unsafe fn discard(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: nobody relies on the contents.
    match unsafe { drop_contents(address, len) } {
        Err(Reason::Errno(Errno(libc::EINVAL))) => {
            // SAFETY: the range is writable and nobody holds references into it.
            unsafe { unix::fill_with_zeros(address, len) };
            Ok(())
        }
        other => other,
    }
}

/// Drops the contents of private anonymous pages: the next read sees zero.
///
/// # Safety
/// The range lies inside one live run, and nobody relies on its contents.
unsafe fn drop_contents(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: only the caller's own pages, whose contents are given up.
    unsafe { advise(address, len, libc::MADV_DONTNEED) }
}

/// # Safety
/// The range lies inside one live run, and the caller accepts what the advice does to it.
unsafe fn advise(address: NonNull<u8>, len: usize, advice: c_int) -> Result<(), Reason> {
    // SAFETY: the range is the caller's own, and so is the choice of the advice.
    let status = unsafe { libc::madvise(address.as_ptr().cast(), len, advice) };
    if status == 0 {
        Ok(())
    } else {
        Err(errno::last_reason())
    }
}

/// One call where the kernel knows how, else one write per page.
///
/// # Safety
/// As [`PageSource::prefault`](crate::PageSource::prefault).
pub(super) unsafe fn prefault(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: populating changes no contents.
    match unsafe { advise(address, len, POPULATE_WRITE) } {
        Err(Reason::Errno(Errno(libc::EINVAL))) => {
            // SAFETY: readable, writable, and written by nobody else, as the caller promised.
            unsafe { unix::touch_each(address, len) };
            Ok(())
        }
        other => other,
    }
}

/// Asks the kernel to read a signal set at the address and to refuse it for another reason.
///
/// The kernel copies the set before it looks at what is to be done with it, so an unreadable
/// address is a bad address and a readable one an invalid request. The set is aligned to its
/// size, so it lies in the page of the byte asked about. A null set is not read at all: the byte
/// at 0 is judged by its neighbour in the same page.
pub(super) fn probe(address: usize) -> Result<bool, Reason> {
    const NO_SUCH_REQUEST: c_int = !0;
    let aligned = address & !(KERNEL_SIGNAL_SET_BYTES - 1);
    let set = if aligned == 0 {
        KERNEL_SIGNAL_SET_BYTES
    } else {
        aligned
    };
    // SAFETY: the request does not exist, so the signal mask stays as it is, and nothing is
    // written: the place for the old mask is null.
    let status = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            NO_SUCH_REQUEST,
            set,
            null_mut::<u8>(),
            KERNEL_SIGNAL_SET_BYTES,
        )
    };
    match (status, errno::last()) {
        (-1, libc::EFAULT) => Ok(false),
        (-1, libc::EINVAL) => Ok(true),
        (-1, number) => Err(Reason::Errno(Errno(number))),
        _ => Err(Reason::Unsupported),
    }
}

/// Sleeps in the kernel while the word holds what was expected.
pub(crate) fn wait(word: &AtomicU32, expected: u32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word is live and aligned for the whole call; without a timeout nothing else is
    // read. Every way of returning is allowed by what `wait` promises.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation,
            expected,
            null::<libc::timespec>(),
        )
    };
}

/// Wakes one thread that waits on the word.
pub(crate) fn wake_one(word: &AtomicU32) {
    const ONE: c_int = 1;
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel uses the address as a name only.
    let _woken: c_long = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, ONE) };
}
