//! The rest: errno, limits, the scheduler, and what a program needs to speak and to end.

use core::ffi::{c_char, c_int, c_long, c_uint, c_void};

use crate::calls::Call;
use crate::interface::{answer, errno_cell, fail};
use crate::linux;
use crate::qnx::{errno, sysconf};
use crate::state::state;

/// `struct rlimit`: two numbers of 64 bits (qnx-facts §7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RLimit {
    /// What binds now.
    pub current: u64,
    /// How far it may be raised.
    pub maximum: u64,
}

/// `__get_errno_ptr`: the process-wide errno of QNX; Linux's errno is another.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "QNX's name with the prefix")]
pub extern "C" fn qnx___get_errno_ptr() -> *mut c_int {
    state().calls.enter(Call::GetErrnoPtr);
    errno_cell()
}

/// `sysconf` for pages and their size (qnx-facts §6.6, §7.2); −1 with `EINVAL` for all else.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_sysconf(name: c_int) -> c_long {
    let mut state = state();
    state.calls.enter(Call::Sysconf);
    let page = state.pages.page();
    let limit = state.switches.memory_limit;
    let pages = |count: usize| c_long::try_from(count).unwrap_or(c_long::MAX);
    let physical = if limit == 0 {
        linux::physical_pages() / pages(page / linux::page_size()).max(1)
    } else {
        pages(limit / page)
    };
    match name {
        sysconf::PAGESIZE => pages(page),
        sysconf::PHYS_PAGES => physical,
        sysconf::AVPHYS_PAGES => {
            (physical - pages(state.pages.bytes(|run| !run.lazy) / page)).max(0)
        }
        _ => c_long::from(fail(errno::EINVAL)),
    }
}

/// `getrlimit` (qnx-facts §7.1): the limits set through the control interface, as both numbers.
/// Injected failure: −1, `EINVAL`.
///
/// # Safety
/// `limit` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_getrlimit(kind: c_int, limit: *mut RLimit) -> c_int {
    let mut state = state();
    let refused = state.calls.enter(Call::Getrlimit);
    let known = usize::try_from(kind)
        .ok()
        .filter(|&kind| kind < state.profile.limit_kinds());
    match known.filter(|_| !refused && !limit.is_null()) {
        None => fail(errno::EINVAL),
        Some(kind) => {
            let value = state.limits[kind];
            let both = RLimit {
                current: value,
                maximum: value,
            };
            // SAFETY: the caller says it is writable.
            unsafe { limit.write_unaligned(both) };
            0
        }
    }
}

/// `SchedCtl` (qnx-facts §7.4). Injected failure: −1, `EACCES`.
///
/// # Safety
/// `data` points to `length` bytes that may be read and written; names in it are C strings.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "QNX's name with the prefix")]
pub unsafe extern "C" fn qnx_SchedCtl(command: c_int, data: *mut c_void, length: usize) -> c_int {
    let mut state = state();
    if state.calls.enter(Call::SchedCtl) {
        return fail(errno::EACCES);
    }
    // SAFETY: passed on.
    answer(unsafe { state.sched_ctl(command, data, length) })
}

/// `getenv`: the environment of the Linux process.
///
/// # Safety
/// `name` is a C string; nobody changes the environment during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_getenv(name: *const c_char) -> *mut c_char {
    state().calls.enter(Call::Getenv);
    // SAFETY: passed on.
    unsafe { linux::getenv(name) }
}

/// `usleep`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_usleep(microseconds: c_uint) -> c_int {
    state().calls.enter(Call::Usleep);
    answer(linux::usleep(microseconds))
}

/// `sched_yield`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_sched_yield() -> c_int {
    state().calls.enter(Call::SchedYield);
    linux::sched_yield()
}

/// `write`.
///
/// # Safety
/// `bytes` is readable for `len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_write(fd: c_int, bytes: *const c_void, len: usize) -> isize {
    state().calls.enter(Call::Write);
    // SAFETY: passed on.
    unsafe { linux::write(fd, bytes, len) }.unwrap_or_else(|error| {
        fail(error);
        -1
    })
}

/// `_exit`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "QNX's name with the prefix")]
pub extern "C" fn qnx__exit(code: c_int) -> ! {
    state().calls.enter(Call::Exit);
    linux::exit(code)
}

/// `abort`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_abort() -> ! {
    state().calls.enter(Call::Abort);
    linux::abort()
}
