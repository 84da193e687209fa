//! What all Unix arms share: the calls whose meaning POSIX fixes.
//!
//! The arms differ in the flags of a reservation and in how contents are dropped; they hand the
//! flags in. Nothing here can replace pages that somebody uses: `MAP_FIXED` appears only in
//! `replace`, whose caller owns the range.

use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::{c_library as libc, errno};
use crate::{Facts, PageSize, Protection, Reason};

/// Zero until the page size was asked for.
static PAGE_SIZE: AtomicUsize = AtomicUsize::new(0);

/// Stands in for an answer that is no page size; every Unix page size in use divides it.
const LARGEST_PAGE_SIZE: PageSize = PageSize::new(65536).unwrap();

/// The page size, asked of the system once. Threads that race for it store the same answer.
#[inline]
pub(crate) fn page_size() -> PageSize {
    match PageSize::new(PAGE_SIZE.load(Ordering::Relaxed)) {
        Some(known) => known,
        None => ask_page_size(),
    }
}

#[cold]
fn ask_page_size() -> PageSize {
    // SAFETY: the call has no preconditions.
    let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let asked = usize::try_from(answer)
        .ok()
        .and_then(PageSize::new)
        .unwrap_or(LARGEST_PAGE_SIZE);
    PAGE_SIZE.store(asked.get(), Ordering::Relaxed);
    asked
}

/// The platform's bits for a protection.
pub(super) const fn protection_bits(protection: Protection) -> c_int {
    match protection {
        Protection::None => libc::PROT_NONE,
        Protection::Read => libc::PROT_READ,
        Protection::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        Protection::ReadExecute => libc::PROT_READ | libc::PROT_EXEC,
        Protection::ReadWriteExecute => libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    }
}

/// Turns the usual 0 or -1 into a result.
fn checked(status: c_int) -> Result<(), Reason> {
    if status == 0 {
        Ok(())
    } else {
        Err(errno::last_reason())
    }
}

/// What every Unix can do; arms that can do more say so.
#[inline]
pub(super) fn facts() -> Facts {
    Facts {
        page_size: page_size(),
        reserves_for_free: true,
        can_protect: true,
        returns_memory: true,
        discards_cheaply: false,
        can_lock: true,
        can_probe: false,
        can_tell_touched: false,
        touched_is_quick: false,
    }
}

/// Fresh pages, accessible from the start.
pub(super) fn map(len: usize) -> Result<NonNull<u8>, Reason> {
    map_anywhere(len, Protection::ReadWrite, 0)
}

/// New anonymous private pages wherever the system likes.
pub(super) fn map_anywhere(
    len: usize,
    protection: Protection,
    more_flags: c_int,
) -> Result<NonNull<u8>, Reason> {
    let bits = protection_bits(protection);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | more_flags;
    // SAFETY: without MAP_FIXED the system picks unused address space, so nothing is replaced.
    let mapped = unsafe { libc::mmap(null_mut(), len, bits, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return Err(errno::last_reason());
    }
    // No system in reach maps page zero unasked; were it to, the run could not be named here.
    NonNull::new(mapped.cast::<u8>()).ok_or(Reason::Unsupported)
}

/// Puts fresh, zero, anonymous private pages in the place of the ones there, in one call.
///
/// # Safety
/// The range is whole pages of one live run, and nobody uses their contents again.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) unsafe fn replace(
    address: NonNull<u8>,
    len: usize,
    protection: Protection,
    more_flags: c_int,
) -> Result<(), Reason> {
    let bits = protection_bits(protection);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED | more_flags;
    // SAFETY: only pages of the caller's own run are replaced, and their contents are given up.
    let mapped = unsafe { libc::mmap(address.as_ptr().cast::<c_void>(), len, bits, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        Err(errno::last_reason())
    } else {
        Ok(())
    }
}

/// Changes the access of pages; contents stay.
///
/// # Safety
/// As [`PageSource::protect`](crate::PageSource::protect).
pub(super) unsafe fn protect(
    address: NonNull<u8>,
    len: usize,
    protection: Protection,
) -> Result<(), Reason> {
    let bits = protection_bits(protection);
    // SAFETY: the pages are the caller's own, and the caller answers for references into them.
    checked(unsafe { libc::mprotect(address.as_ptr().cast::<c_void>(), len, bits) })
}

/// Makes reserved pages readable and writable.
///
/// # Safety
/// As [`PageSource::commit`](crate::PageSource::commit).
pub(super) unsafe fn commit(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: more access contradicts no reference; the range is the caller's own.
    unsafe { protect(address, len, Protection::ReadWrite) }
}

/// Gives a run back.
///
/// # Safety
/// As [`PageSource::unmap`](crate::PageSource::unmap).
pub(super) unsafe fn unmap(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: exactly one run of the caller, not used again.
    checked(unsafe { libc::munmap(address.as_ptr().cast::<c_void>(), len) })
}

/// Locks pages in memory.
///
/// # Safety
/// As [`PageSource::lock`](crate::PageSource::lock).
pub(super) unsafe fn lock(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: locking changes no contents; the range is mapped, as the caller promised.
    checked(unsafe { libc::mlock(address.as_ptr().cast::<c_void>(), len) })
}

/// Unlocks pages.
///
/// # Safety
/// As [`PageSource::unlock`](crate::PageSource::unlock).
pub(super) unsafe fn unlock(address: NonNull<u8>, len: usize) -> Result<(), Reason> {
    // SAFETY: unlocking changes no contents; the range is mapped, as the caller promised.
    checked(unsafe { libc::munlock(address.as_ptr().cast::<c_void>(), len) })
}

/// Makes pages resident by writing back one byte of each.
///
/// # Safety
/// As [`PageSource::prefault`](crate::PageSource::prefault).
pub(super) unsafe fn touch_each(address: NonNull<u8>, len: usize) {
    let step = page_size().get();
    for offset in (0..len).step_by(step) {
        // SAFETY: the offset is below the length of the caller's range.
        let byte = unsafe { address.add(offset) };
        // SAFETY: the range is readable; volatile keeps the access.
        let value = unsafe { byte.read_volatile() };
        // SAFETY: the range is writable, and no other thread writes to it meanwhile.
        unsafe { byte.write_volatile(value) };
    }
}

/// Fills pages with zeros.
///
/// # Safety
/// The range lies inside one live run, is readable and writable, and nobody else uses it.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "nto",
    target_os = "qnx"
))]
pub(super) unsafe fn fill_with_zeros(address: NonNull<u8>, len: usize) {
    // SAFETY: the range is writable and the caller's own.
    unsafe { address.write_bytes(0, len) };
}

/// Counts resident bytes, one system call per 4096 pages.
#[cfg(not(any(target_os = "nto", target_os = "qnx", target_os = "openbsd")))]
pub(super) fn resident(address: NonNull<u8>, len: usize) -> Result<usize, Reason> {
    const PAGES_PER_CALL: usize = 4096;
    let page = page_size().get();
    let mut states = [0_u8; PAGES_PER_CALL];
    let mut resident_pages = 0;
    let mut offset = 0;
    while offset < len {
        let part = (len - offset).min(PAGES_PER_CALL * page);
        let at = address.as_ptr().wrapping_add(offset).cast::<c_void>();
        // SAFETY: the buffer has one byte for each page asked about; the pages themselves are
        // only looked up, not accessed, and any address may be asked about.
        let status = unsafe { libc::mincore(at, part, states.as_mut_ptr().cast()) };
        checked(status)?;
        resident_pages += states[..part / page]
            .iter()
            .filter(|state| **state & 1 != 0)
            .count();
        offset += part;
    }
    Ok(resident_pages * page)
}

/// No other system has a call that tells.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn touched(
    _address: NonNull<u8>,
    _len: usize,
    _found: &mut [core::ops::Range<usize>],
) -> Result<crate::Touched, Reason> {
    Err(Reason::Unsupported)
}

/// Bytes of the machine's memory, if the system tells.
pub(super) fn physical_memory() -> Option<u64> {
    // SAFETY: the call has no preconditions.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    u64::try_from(pages)
        .ok()
        .filter(|&pages| pages > 0)
        .and_then(|pages| pages.checked_mul(page_size().get() as u64))
}

/// The limits of the process. Asked anew each time, since they can be changed at any time.
#[cfg(not(any(target_os = "nto", target_os = "qnx")))]
#[allow(
    clippy::useless_conversion,
    reason = "the type has 32 bits on some systems"
)]
pub(super) fn limits() -> crate::ResourceLimits {
    let limit = |resource| -> Option<u64> {
        let mut limit = libc::rlimit {
            rlim_cur: libc::RLIM_INFINITY,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: the place for the answer is a live local of the type the call writes.
        let status = unsafe { libc::getrlimit(resource, &raw mut limit) };
        (status == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur.into())
    };
    crate::ResourceLimits {
        data: limit(libc::RLIMIT_DATA),
        // The kernel of OpenBSD has no limit of this kind.
        #[cfg(not(target_os = "openbsd"))]
        address_space: limit(libc::RLIMIT_AS),
        locked_memory: limit(libc::RLIMIT_MEMLOCK),
        physical_memory: physical_memory(),
        ..crate::ResourceLimits::NONE
    }
}

/// How long a waiter sleeps before it looks again.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PAUSE_MICROSECONDS: u32 = 50;

/// Waits for a word to change where the system offers no wait on an address.
///
/// Giving up the processor alone would not do: a waiter of a higher real-time priority would be
/// chosen again and again and starve the holder. So the waiter sleeps.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn sleep_while_equal(word: &core::sync::atomic::AtomicU32, expected: u32) {
    // SAFETY: the call has no preconditions.
    unsafe { libc::sched_yield() };
    if word.load(Ordering::Relaxed) != expected {
        return;
    }
    // SAFETY: the call has no preconditions. An early return is allowed by what `wait` promises.
    unsafe { libc::usleep(PAUSE_MICROSECONDS) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_size_is_the_same_before_and_after_it_is_remembered() {
        let first = page_size();
        assert_eq!(PAGE_SIZE.load(Ordering::Relaxed), first.get());
        assert_eq!(page_size(), first);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn touching_makes_every_page_resident_and_keeps_contents() {
        let len = 5 * page_size().get();
        let run = map_anywhere(len, Protection::ReadWrite, 0).unwrap();
        // SAFETY: mapped above, readable and writable.
        unsafe { run.write(9) };
        assert_eq!(resident(run, len), Ok(page_size().get()));
        // SAFETY: mapped above, used by nobody else.
        unsafe { touch_each(run, len) };
        assert_eq!(resident(run, len), Ok(len));
        // SAFETY: as above.
        assert_eq!(unsafe { run.read() }, 9);
        // SAFETY: exactly the run mapped above, not used again.
        unsafe { unmap(run, len) }.unwrap();
    }
}
