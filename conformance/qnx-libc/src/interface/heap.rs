//! The heap: `malloc` and its relatives.

use core::ffi::{c_int, c_void};

use crate::calls::Call;
use crate::heap::Mallinfo;
use crate::interface::fail;
use crate::qnx::errno;
use crate::state::state;

/// An address, or null with errno set.
fn pointer(result: Result<usize, c_int>) -> *mut c_void {
    match result {
        Ok(address) => core::ptr::with_exposed_provenance_mut(address),
        Err(error) => {
            fail(error);
            core::ptr::null_mut()
        }
    }
}

/// `mallopt` (qnx-facts §1). Injected failure: −1, `EINVAL`.
///
/// # Safety
/// For `MALLOC_STATS`, `value` is the address of a `struct malloc_stats` that nobody else uses during
/// the call. An address that is not writable is found out and complained about.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_mallopt(command: c_int, value: isize) -> c_int {
    let mut state = state();
    if state.calls.enter(Call::Mallopt) {
        return fail(errno::EINVAL);
    }
    state.enter_heap();
    state.mallopt(command, value).unwrap_or_else(fail)
}

/// `posix_memalign` (qnx-facts §4.7). Injected failure: `ENOMEM`.
///
/// # Safety
/// `place` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_posix_memalign(
    place: *mut *mut c_void,
    alignment: usize,
    size: usize,
) -> c_int {
    let mut state = state();
    let refused = state.calls.enter(Call::PosixMemalign);
    state.enter_heap();
    state.heap.counters.allocations += 1;
    let least = state.shape().alignment;
    let valid = alignment == 0 || (alignment.is_power_of_two() && alignment.is_multiple_of(least));
    let result = if !valid || place.is_null() {
        Err(errno::EINVAL)
    } else if refused {
        Err(errno::ENOMEM)
    } else {
        state.obtain(size, alignment)
    };
    match result {
        Ok(address) => {
            // SAFETY: the caller says the place is writable.
            unsafe { place.write(core::ptr::with_exposed_provenance_mut(address)) };
            0
        }
        Err(error) if state.switches.memalign_minus_one => fail(error),
        Err(error) => error,
    }
}

/// `malloc`. Injected failure: null, `ENOMEM`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_malloc(size: usize) -> *mut c_void {
    let mut state = state();
    let refused = state.calls.enter(Call::Malloc);
    state.enter_heap();
    state.heap.counters.allocations += 1;
    pointer(if refused {
        Err(errno::ENOMEM)
    } else {
        state.obtain(size, 1)
    })
}

/// `realloc` (qnx-facts §4.6). Injected failure: null, `ENOMEM`, the old block as it was.
///
/// # Safety
/// If the answer is not null, the old block is used no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_realloc(old: *mut c_void, size: usize) -> *mut c_void {
    let mut state = state();
    let refused = state.calls.enter(Call::Realloc);
    state.enter_heap();
    state.heap.counters.reallocations += 1;
    pointer(if refused {
        Err(errno::ENOMEM)
    } else if old.is_null() {
        state.obtain(size, 1)
    } else {
        state.resize(old.expose_provenance(), size)
    })
}

/// `free` (qnx-facts §4.5): overwrites the block before it lets go of it.
///
/// # Safety
/// The block is used no more. Addresses that are no live block are complained about.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_free(old: *mut c_void) {
    let mut state = state();
    state.calls.enter(Call::Free);
    state.enter_heap();
    if !old.is_null() {
        state.heap.counters.frees += 1;
        state.give_back(old.expose_provenance());
    }
}

/// `mallinfo` with fields of type `int`: up to SDP 7.1 (qnx-facts §5.2).
#[unsafe(no_mangle)]
pub extern "C" fn qnx_mallinfo() -> Mallinfo<c_int> {
    qnx_mallinfo_800().wrapped()
}

/// `mallinfo` with fields of type `size_t`: SDP 8.0 (qnx-facts §5.2).
#[unsafe(no_mangle)]
pub extern "C" fn qnx_mallinfo_800() -> Mallinfo<usize> {
    let mut state = state();
    state.calls.enter(Call::Mallinfo);
    state.enter_heap();
    state.mallinfo()
}
