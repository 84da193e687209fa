//! Mutexes of POSIX threads. They answer with the error itself and leave errno alone.

use core::ffi::{c_int, c_void};

use crate::calls::Call;
use crate::linux;
use crate::qnx::errno;
use crate::state::state;

/// `pthread_mutex_t`: 8 bytes (the `libc` crate, 0.2.191, `src/unix/nto/mod.rs`: `sync_t`).
#[derive(Debug, Default)]
#[repr(C)]
pub struct PthreadMutex {
    /// What the C library keeps there is nobody's business.
    pub fields: [u32; 2],
}

fn answer(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(0)
}

/// What an initialised mutex holds here: anything but what the caller had there.
const MADE: [u32; 2] = [0x8000_0000, 0];

/// `pthread_mutex_init`. Attributes are not known here: only none, which are the default ones, with
/// priority inheritance.
///
/// # Safety
/// `mutex` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_pthread_mutex_init(
    mutex: *mut PthreadMutex,
    attributes: *const c_void,
) -> c_int {
    let mut state = state();
    state.calls.enter(Call::PthreadMutexInit);
    if !attributes.is_null() || mutex.is_null() {
        return errno::EINVAL;
    }
    let made = state.mutex_init(mutex.addr());
    if made.is_ok() {
        // SAFETY: the caller says it is writable.
        unsafe { mutex.write_unaligned(PthreadMutex { fields: MADE }) };
    }
    answer(made)
}

/// `pthread_mutex_destroy`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_pthread_mutex_destroy(mutex: *mut PthreadMutex) -> c_int {
    let mut state = state();
    state.calls.enter(Call::PthreadMutexDestroy);
    answer(state.mutex_destroy(mutex.addr()))
}

/// `pthread_mutex_lock`: tries again and again while another thread holds it.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_pthread_mutex_lock(mutex: *mut PthreadMutex) -> c_int {
    let thread = linux::thread();
    state().calls.enter(Call::PthreadMutexLock);
    loop {
        match state().mutex_try_lock(mutex.addr(), thread) {
            Err(errno::EBUSY) => {}
            result => return answer(result),
        }
        linux::sched_yield();
    }
}

/// `pthread_mutex_trylock`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_pthread_mutex_trylock(mutex: *mut PthreadMutex) -> c_int {
    let thread = linux::thread();
    let mut state = state();
    state.calls.enter(Call::PthreadMutexTrylock);
    match state.mutex_try_lock(mutex.addr(), thread) {
        // Held is held, whoever holds it.
        Err(errno::EDEADLK) => errno::EBUSY,
        result => answer(result),
    }
}

/// `pthread_mutex_unlock`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_pthread_mutex_unlock(mutex: *mut PthreadMutex) -> c_int {
    let thread = linux::thread();
    let mut state = state();
    state.calls.enter(Call::PthreadMutexUnlock);
    answer(state.mutex_unlock(mutex.addr(), thread))
}
