//! The kernel's memory calls.

use core::ffi::{c_int, c_void};

use crate::calls::Call;
use crate::interface::{answer, fail};
use crate::qnx::errno;
use crate::state::state;

/// `MAP_FAILED` (qnx-facts §6.2).
fn map_failed(error: c_int) -> *mut c_void {
    fail(error);
    core::ptr::without_provenance_mut(usize::MAX)
}

/// `mmap` of anonymous memory (qnx-facts §6.1 to §6.3). The offset is not looked at. Injected
/// failure: `MAP_FAILED`, `ENOMEM`.
///
/// # Safety
/// With `MAP_FIXED`, what is mapped at the address is used no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_mmap(
    address: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    _offset: i64,
) -> *mut c_void {
    let mut state = state();
    if state.calls.enter(Call::Mmap) {
        return map_failed(errno::ENOMEM);
    }
    match state.mmap(address.addr(), len, protection, flags, fd) {
        Ok(base) => core::ptr::with_exposed_provenance_mut(base),
        Err(error) => map_failed(error),
    }
}

/// `mmap64`: the same call, and counted as `mmap`.
///
/// # Safety
/// As for [`qnx_mmap`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_mmap64(
    address: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
) -> *mut c_void {
    // SAFETY: passed on.
    unsafe { qnx_mmap(address, len, protection, flags, fd, offset) }
}

/// `munmap` (qnx-facts §6.5). Injected failure: −1, `ENOMEM`.
///
/// # Safety
/// The pages are used no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_munmap(address: *mut c_void, len: usize) -> c_int {
    let mut state = state();
    if state.calls.enter(Call::Munmap) {
        return fail(errno::ENOMEM);
    }
    answer(state.munmap(address.addr(), len))
}

/// `mprotect` (qnx-facts §6.4): really protects, so that accesses really fault. Injected failure:
/// −1, `ENOMEM`.
///
/// # Safety
/// What the new protection forbids is not done by anybody any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_mprotect(
    address: *mut c_void,
    len: usize,
    protection: c_int,
) -> c_int {
    let mut state = state();
    if state.calls.enter(Call::Mprotect) {
        return fail(errno::ENOMEM);
    }
    answer(state.mprotect(address.addr(), len, protection))
}

/// `mlock` (qnx-facts §6.5). Injected failure: −1, `EAGAIN`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_mlock(address: *const c_void, len: usize) -> c_int {
    let mut state = state();
    if state.calls.enter(Call::Mlock) {
        return fail(errno::EAGAIN);
    }
    answer(state.set_locked(address.addr(), len, true))
}

/// `munlock` (qnx-facts §6.5). Injected failure: −1, `ENOMEM`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_munlock(address: *const c_void, len: usize) -> c_int {
    let mut state = state();
    if state.calls.enter(Call::Munlock) {
        return fail(errno::ENOMEM);
    }
    answer(state.set_locked(address.addr(), len, false))
}
