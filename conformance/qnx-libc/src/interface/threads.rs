//! Thread-specific data, as POSIX has it; keys are of type `int` (libc crate, LC191). Errors are
//! returned, and errno is left alone.

use core::ffi::{c_int, c_void};

use crate::calls::Call;
use crate::linux;
use crate::qnx::errno;
use crate::state::state;

/// 0, or the error number.
fn number(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(0)
}

/// `pthread_key_create`. Injected failure: `EAGAIN`.
///
/// # Safety
/// `key` is writable; the destructor, if there is one, may be called with any pointer that was set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qnx_pthread_key_create(
    key: *mut c_int,
    destructor: Option<unsafe extern "C" fn(*mut c_void)>,
) -> c_int {
    if state().calls.enter(Call::PthreadKeyCreate) {
        return errno::EAGAIN;
    }
    // SAFETY: passed on.
    match unsafe { linux::create_key(destructor) } {
        Ok(new) => {
            // SAFETY: the caller says it is writable.
            unsafe { key.write(new) };
            0
        }
        Err(error) => error,
    }
}

/// `pthread_key_delete`: `EINVAL` for what is no key.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_pthread_key_delete(key: c_int) -> c_int {
    state().calls.enter(Call::PthreadKeyDelete);
    number(linux::delete_key(key))
}

/// `pthread_getspecific`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_pthread_getspecific(key: c_int) -> *mut c_void {
    state().calls.enter(Call::PthreadGetspecific);
    linux::specific(key)
}

/// `pthread_setspecific`. Injected failure: `ENOMEM`.
#[unsafe(no_mangle)]
pub extern "C" fn qnx_pthread_setspecific(key: c_int, value: *const c_void) -> c_int {
    if state().calls.enter(Call::PthreadSetspecific) {
        return errno::ENOMEM;
    }
    number(linux::set_specific(key, value))
}
