//! The one platform switch, and the operating system as a page source.
//!
//! Nothing above this file names a target. Every arm offers the same functions, and each function
//! is one request without its error wrapping: it answers with the bare [`Reason`].
//!
//! | arm | targets |
//! |---|---|
//! | `linux` | Linux and Android |
//! | `qnx` | QNX Neutrino 7.0 and 7.1, QNX 8.0 |
//! | `posix` | every other Unix: Apple systems and the BSDs |
//! | `none` | targets without an operating system, or with one that is not known here |
//!
//! An arm also supplies the two primitives under the lock of this crate: `wait` returns when
//! woken, or when the word does not hold what was expected, or for no reason at all; `wake_one`
//! wakes one waiter if there is one. And it tells the process's limits, and passes commands to the
//! scheduler if that takes any. A pointer for each thread is POSIX's on every Unix.
//!
//! On QNX there are two more files: the C library's heap, which has arenas, and its mutex, which
//! inherits priority and is the lock of the house there.
#![allow(
    unexpected_cfgs,
    reason = "compilers before 1.97 have no `qnx` among their systems"
)]

use core::ops::Range;
use core::ptr::NonNull;

use crate::check::{check_length, check_range};
use crate::{Facts, OsCall, OsError, PageSource, Protection, Reason, ResourceLimits, Touched};

#[cfg(unix)]
pub(crate) mod errno;
#[cfg(unix)]
mod slot_key;
#[cfg(unix)]
mod unix;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod platform;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod pagemap;

#[cfg(target_os = "linux")]
pub(crate) use unix::page_size;

#[cfg(any(target_os = "nto", target_os = "qnx"))]
#[path = "qnx/pages.rs"]
mod platform;

#[cfg(any(target_os = "nto", target_os = "qnx"))]
#[path = "qnx/c_library.rs"]
mod c_library;

#[cfg(all(unix, not(any(target_os = "nto", target_os = "qnx"))))]
use libc as c_library;

#[cfg(any(target_os = "nto", target_os = "qnx"))]
#[path = "qnx/heap.rs"]
mod heap;

#[cfg(any(target_os = "nto", target_os = "qnx"))]
#[path = "qnx/mutex.rs"]
mod mutex;

/// The lock under [`Mutex`](crate::Mutex): the C library's, which inherits priority.
#[cfg(any(target_os = "nto", target_os = "qnx"))]
pub use mutex::InheritingLock as RawLock;

#[cfg(not(any(target_os = "nto", target_os = "qnx")))]
pub use crate::lock::WordLock as RawLock;

#[cfg(any(target_os = "nto", target_os = "qnx"))]
pub use heap::SystemHeap;

#[cfg(all(
    unix,
    not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "nto",
        target_os = "qnx"
    ))
))]
#[path = "posix.rs"]
mod platform;

#[cfg(not(unix))]
#[path = "none.rs"]
mod platform;

#[cfg(any(target_os = "nto", target_os = "qnx"))]
pub(crate) use platform::scheduler_control;
pub(crate) use platform::{wait, wake_one};

#[cfg(not(unix))]
pub(crate) use platform::SlotKey;
#[cfg(unix)]
pub(crate) use slot_key::SlotKey;

/// Elsewhere no scheduler takes commands.
///
/// # Safety
/// Nothing is asked: the command is refused unread.
#[cfg(not(any(target_os = "nto", target_os = "qnx")))]
pub(crate) const unsafe fn scheduler_control(
    _command: core::ffi::c_int,
    _data: *mut core::ffi::c_void,
    _len: usize,
) -> Result<(), Reason> {
    Err(Reason::Unsupported)
}

/// The pages of the operating system this program runs on.
///
/// All values are the same source: the type has no state, and copies share everything. On a
/// target without an operating system every call answers [`Reason::Unsupported`] and the facts
/// say that nothing can be done; the page size of 4096 bytes is nominal there.
///
/// Locked pages that are discarded stay locked on Linux (they are filled with zeros where they
/// are); on other systems a discard replaces them, so lock them again. Decommit undoes a lock.
///
/// ```
/// use os::{OsPages, PageSource};
///
/// let pages = OsPages::new();
/// let page = pages.facts().page_size.get();
/// let run = pages.reserve(4 * page)?;
/// // SAFETY: both pages lie inside the run just reserved.
/// unsafe { pages.commit(run, 2 * page)? };
/// // SAFETY: committed above, and used by nobody else.
/// unsafe { run.write(7) };
/// // SAFETY: exactly the run reserved above, not used again.
/// unsafe { pages.unmap(run, 4 * page)? };
/// # Ok::<(), os::OsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OsPages(());

impl OsPages {
    /// The operating system's pages. No system call.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

fn answer<T>(
    call: OsCall,
    address: usize,
    len: usize,
    result: Result<T, Reason>,
) -> Result<T, OsError> {
    result.map_err(|reason| OsError {
        call,
        address,
        len,
        reason,
    })
}

// SAFETY: promise by promise: (1) runs come from the kernel's own choice of address and are never
// replaced by a hole: see the decommit of each arm; (2) reserved pages have no access, fresh
// anonymous pages are zero, and decommit and discard drop contents; (3) the memory management unit
// enforces protections; (4) each function is one call, or says what its second one can leave
// behind; (5) the facts are constants and a page size that is read once; (6) the kernel finds every
// page of this process that is in memory or in the swap: see `pagemap`.
unsafe impl PageSource for OsPages {
    #[inline]
    fn facts(&self) -> Facts {
        platform::facts()
    }

    fn reserve(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        check_length(OsCall::Reserve, platform::page_size(), len)?;
        answer(OsCall::Reserve, 0, len, platform::reserve(len))
    }

    fn map(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        check_length(OsCall::Map, platform::page_size(), len)?;
        answer(OsCall::Map, 0, len, platform::map(len))
    }

    unsafe fn commit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        check_range(OsCall::Commit, platform::page_size(), address, len)?;
        // SAFETY: whole pages, checked; the rest is the caller's promise, passed on unchanged.
        let result = unsafe { platform::commit(address, len) };
        answer(OsCall::Commit, address.addr().get(), len, result)
    }

    unsafe fn decommit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        check_range(OsCall::Decommit, platform::page_size(), address, len)?;
        // SAFETY: whole pages, checked; the rest is the caller's promise, passed on unchanged.
        let result = unsafe { platform::decommit(address, len) };
        answer(OsCall::Decommit, address.addr().get(), len, result)
    }

    unsafe fn discard(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        check_range(OsCall::Discard, platform::page_size(), address, len)?;
        // SAFETY: whole pages, checked; the rest is the caller's promise, passed on unchanged.
        let result = unsafe { platform::discard(address, len) };
        answer(OsCall::Discard, address.addr().get(), len, result)
    }

    unsafe fn protect(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError> {
        check_range(OsCall::Protect, platform::page_size(), address, len)?;
        // SAFETY: whole pages, checked; the rest is the caller's promise, passed on unchanged.
        let result = unsafe { platform::protect(address, len, protection) };
        answer(OsCall::Protect, address.addr().get(), len, result)
    }

    unsafe fn unmap(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        check_range(OsCall::Unmap, platform::page_size(), address, len)?;
        // SAFETY: whole pages, checked; the rest is the caller's promise, passed on unchanged.
        let result = unsafe { platform::unmap(address, len) };
        answer(OsCall::Unmap, address.addr().get(), len, result)
    }

    unsafe fn lock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        check_range(OsCall::Lock, platform::page_size(), address, len)?;
        // SAFETY: whole pages, checked; the rest is the caller's promise, passed on unchanged.
        let result = unsafe { platform::lock(address, len) };
        answer(OsCall::Lock, address.addr().get(), len, result)
    }

    unsafe fn unlock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        check_range(OsCall::Unlock, platform::page_size(), address, len)?;
        // SAFETY: whole pages, checked; the rest is the caller's promise, passed on unchanged.
        let result = unsafe { platform::unlock(address, len) };
        answer(OsCall::Unlock, address.addr().get(), len, result)
    }

    unsafe fn prefault(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        check_range(OsCall::Prefault, platform::page_size(), address, len)?;
        // SAFETY: whole pages, checked; the rest is the caller's promise, passed on unchanged.
        let result = unsafe { platform::prefault(address, len) };
        answer(OsCall::Prefault, address.addr().get(), len, result)
    }

    fn resident(&self, address: NonNull<u8>, len: usize) -> Result<usize, OsError> {
        check_range(OsCall::Resident, platform::page_size(), address, len)?;
        answer(
            OsCall::Resident,
            address.addr().get(),
            len,
            platform::resident(address, len),
        )
    }

    unsafe fn touched(
        &self,
        address: NonNull<u8>,
        len: usize,
        found: &mut [Range<usize>],
    ) -> Result<Touched, OsError> {
        check_range(OsCall::Touched, platform::page_size(), address, len)?;
        answer(
            OsCall::Touched,
            address.addr().get(),
            len,
            platform::touched(address, len, found),
        )
    }

    fn probe(&self, address: usize) -> Result<bool, OsError> {
        answer(OsCall::Probe, address, 1, platform::probe(address))
    }

    fn limits(&self) -> ResourceLimits {
        platform::limits()
    }
}
