//! Every call the stand-in makes to Linux, in Linux's numbers on one side and QNX's on the other.

use core::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};

use crate::qnx::{errno, prot};

/// Linux's protection bits for QNX's.
fn linux_protection(protection: c_int) -> c_int {
    let pairs = [
        (prot::READ, libc::PROT_READ),
        (prot::WRITE, libc::PROT_WRITE),
        (prot::EXEC, libc::PROT_EXEC),
    ];
    pairs
        .iter()
        .filter(|(qnx, _)| protection & qnx != 0)
        .fold(0, |bits, (_, linux)| bits | linux)
}

/// The error of the last call to Linux, as QNX numbers it; what has no number here is `EINVAL`.
fn qnx_error() -> c_int {
    // SAFETY: the call has no preconditions.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: the pointer is valid for this thread's life.
    match unsafe { *location } {
        // Up to 34 the numbers agree (qnx-facts §8.1).
        same @ 1..=34 => same,
        libc::ENOSYS => errno::ENOSYS,
        libc::ENAMETOOLONG => errno::ENAMETOOLONG,
        libc::EDQUOT => errno::EDQUOT,
        libc::EOPNOTSUPP => errno::ENOTSUP,
        _ => errno::EINVAL,
    }
}

/// The page size of the machine that executes us, in bytes.
pub(crate) fn page_size() -> usize {
    // SAFETY: the call has no preconditions.
    let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(answer).unwrap_or(4096)
}

/// Physical pages of the machine that executes us.
pub(crate) fn physical_pages() -> c_long {
    // SAFETY: the call has no preconditions.
    unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) }
}

/// Our process number.
pub(crate) fn process() -> c_int {
    // SAFETY: the call has no preconditions.
    unsafe { libc::getpid() }
}

/// Fresh private pages somewhere, without a promise that there is memory for all of them.
pub(crate) fn map(len: usize, protection: c_int) -> Option<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: without a fixed address nothing that exists is touched.
    let address = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            len,
            linux_protection(protection),
            flags,
            -1,
            0,
        )
    };
    (address != libc::MAP_FAILED).then(|| address.expose_provenance())
}

/// Fresh pages somewhere, starting at a multiple of `alignment`.
pub(crate) fn map_aligned(len: usize, alignment: usize, protection: c_int) -> Option<usize> {
    if alignment <= page_size() {
        return map(len, protection);
    }
    let longer = len.checked_add(alignment)?;
    let base = map(longer, protection)?;
    let start = base.next_multiple_of(alignment);
    for (from, to) in [(base, start), (start + len, base + longer)] {
        if from < to {
            // SAFETY: the range is part of the mapping just made, which nobody else knows.
            unsafe { unmap(from, to - from) };
        }
    }
    Some(start)
}

/// Fresh pages at `address`, only where nothing is mapped.
pub(crate) fn map_at(address: usize, len: usize, protection: c_int) -> bool {
    let flags =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    let wanted = core::ptr::without_provenance_mut(address);
    // SAFETY: the flag makes Linux refuse to replace what exists.
    let got = unsafe { libc::mmap(wanted, len, linux_protection(protection), flags, -1, 0) };
    if got == libc::MAP_FAILED {
        return false;
    }
    let got = got.expose_provenance();
    if got != address {
        // Linux before 4.17 takes the address for a wish.
        // SAFETY: the mapping was just made, and nobody else knows it.
        unsafe { unmap(got, len) };
        return false;
    }
    true
}

/// Takes pages away.
///
/// # Safety
/// The pages are the stand-in's, and nobody uses them afterwards.
pub(crate) unsafe fn unmap(address: usize, len: usize) {
    // SAFETY: passed on.
    unsafe { libc::munmap(core::ptr::with_exposed_provenance_mut(address), len) };
}

/// Changes protections; false if Linux refuses.
///
/// # Safety
/// The pages are the stand-in's.
pub(crate) unsafe fn protect(address: usize, len: usize, protection: c_int) -> bool {
    let pages = core::ptr::with_exposed_provenance_mut(address);
    // SAFETY: passed on.
    unsafe { libc::mprotect(pages, len, linux_protection(protection)) == 0 }
}

/// Locks or unlocks pages as far as Linux lets us: its own limits are none of QNX's, and the books
/// keep the state in any case.
pub(crate) fn lock(address: usize, len: usize, locked: bool) {
    let pages: *const c_void = core::ptr::without_provenance(address);
    if locked {
        // SAFETY: locking changes neither content nor access.
        unsafe { libc::mlock(pages, len) };
    } else {
        // SAFETY: unlocking changes neither content nor access.
        unsafe { libc::munlock(pages, len) };
    }
}

/// Writes `bytes` to an address that may be anything: Linux itself copies them there through a pipe,
/// and reports a bad address instead of faulting. False if it did.
///
/// # Safety
/// If the address is writable memory, nobody else uses it during the call.
pub(crate) unsafe fn write_checked(address: usize, bytes: &[u8]) -> bool {
    let mut ends = [-1; 2];
    // SAFETY: the array has the two places that the call fills.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the slice is readable for its length.
    let sent = unsafe { libc::write(ends[1], bytes.as_ptr().cast(), bytes.len()) };
    let target = core::ptr::with_exposed_provenance_mut(address);
    // SAFETY: Linux checks the address; that its memory is free to be written is the caller's word.
    let arrived = unsafe { libc::read(ends[0], target, bytes.len()) };
    for end in ends {
        // SAFETY: the descriptor was just made here, and is closed once.
        unsafe { libc::close(end) };
    }
    sent == arrived && usize::try_from(arrived) == Ok(bytes.len())
}

/// The value of an environment variable.
pub(crate) fn environment(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: the name is a C string.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: the environment holds C strings; callers read them at once, before it can change.
    Some(unsafe { CStr::from_ptr(value) })
}

/// `getenv` for a caller's own string.
///
/// # Safety
/// `name` is a C string.
pub(crate) unsafe fn getenv(name: *const c_char) -> *mut c_char {
    // SAFETY: passed on.
    unsafe { libc::getenv(name) }
}

/// `usleep`.
///
/// # Errors
/// QNX's error number.
pub(crate) fn usleep(microseconds: c_uint) -> Result<(), c_int> {
    // SAFETY: the call has no preconditions.
    if unsafe { libc::usleep(microseconds) } == 0 {
        Ok(())
    } else {
        Err(qnx_error())
    }
}

/// The number of this thread; never 0.
pub(crate) fn thread() -> c_int {
    // SAFETY: the call has no preconditions.
    unsafe { libc::gettid() }
}

/// `sched_yield`.
pub(crate) fn sched_yield() -> c_int {
    // SAFETY: the call has no preconditions.
    unsafe { libc::sched_yield() }
}

/// `write`.
///
/// # Errors
/// QNX's error number.
///
/// # Safety
/// `bytes` is readable for `len`.
pub(crate) unsafe fn write(fd: c_int, bytes: *const c_void, len: usize) -> Result<isize, c_int> {
    // SAFETY: passed on.
    let answer = unsafe { libc::write(fd, bytes, len) };
    if answer >= 0 {
        Ok(answer)
    } else {
        Err(qnx_error())
    }
}

/// Ends the process at once.
pub(crate) fn exit(code: c_int) -> ! {
    // SAFETY: the call has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Ends the process with `SIGABRT`.
pub(crate) fn abort() -> ! {
    // SAFETY: the call has no preconditions.
    unsafe { libc::abort() }
}

/// An answer of Linux's thread functions, as QNX numbers it.
fn thread_answer(number: c_int) -> Result<(), c_int> {
    match number {
        0 => Ok(()),
        libc::EAGAIN | libc::ENOMEM => Err(number),
        _ => Err(errno::EINVAL),
    }
}

/// `pthread_key_create`.
///
/// # Errors
/// QNX's error number.
///
/// # Safety
/// The destructor may be called with any pointer that was set.
pub(crate) unsafe fn create_key(
    destructor: Option<unsafe extern "C" fn(*mut c_void)>,
) -> Result<c_int, c_int> {
    let mut key = 0;
    // SAFETY: the place for the key is a live local; the rest is passed on.
    thread_answer(unsafe { libc::pthread_key_create(&raw mut key, destructor) })?;
    c_int::try_from(key).map_err(|_| errno::EAGAIN)
}

/// Linux's type for a key; a negative number is no key, and Linux says so.
const fn linux_key(key: c_int) -> libc::pthread_key_t {
    key.cast_unsigned()
}

/// `pthread_key_delete`.
///
/// # Errors
/// QNX's error number.
pub(crate) fn delete_key(key: c_int) -> Result<(), c_int> {
    // SAFETY: Linux checks the key.
    thread_answer(unsafe { libc::pthread_key_delete(linux_key(key)) })
}

/// `pthread_getspecific`.
pub(crate) fn specific(key: c_int) -> *mut c_void {
    // SAFETY: Linux checks the key.
    unsafe { libc::pthread_getspecific(linux_key(key)) }
}

/// `pthread_setspecific`.
///
/// # Errors
/// QNX's error number.
pub(crate) fn set_specific(key: c_int, value: *const c_void) -> Result<(), c_int> {
    // SAFETY: Linux checks the key, and stores the pointer without a look at it.
    thread_answer(unsafe { libc::pthread_setspecific(linux_key(key), value) })
}
