//! Thread-specific data.

mod support;

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use std::thread;

use qnx_libc::qnx::errno::{EAGAIN, EINVAL, ENOMEM};
use qnx_libc::*;
use support::*;

fn key() -> c_int {
    let mut key = -1;
    // SAFETY: a live local, and no destructor.
    assert_eq!(unsafe { qnx_pthread_key_create(&raw mut key, None) }, 0);
    key
}

#[test]
fn each_thread_has_a_value_of_its_own() {
    let _turn = turn(710);
    let key = key();
    let mut values = [0_u8; 2];
    let first: *mut c_void = (&raw mut values[0]).cast();
    assert!(qnx_pthread_getspecific(key).is_null());
    assert_eq!(qnx_pthread_setspecific(key, first), 0);
    thread::scope(|scope| {
        scope.spawn(|| assert!(qnx_pthread_getspecific(key).is_null()));
    });
    assert_eq!(qnx_pthread_getspecific(key), first);
    assert_eq!(qnx_pthread_key_delete(key), 0);
    assert_eq!(qnx_pthread_key_delete(key), EINVAL);
    assert_eq!(qnx_pthread_setspecific(-1, first), EINVAL);
}

#[test]
fn refusals_are_returned() {
    let _turn = turn(710);
    let mut unmade = -1;
    stand_in_fail_nth(1);
    // SAFETY: a live local, and no destructor.
    let refused = unsafe { qnx_pthread_key_create(&raw mut unmade, None) };
    assert_eq!((refused, unmade), (EAGAIN, -1));
    let key = key();
    stand_in_fail_nth(1);
    assert_eq!(qnx_pthread_setspecific(key, null_mut()), ENOMEM);
    assert_eq!(qnx_pthread_key_delete(key), 0);
    assert_eq!(stand_in_failures(), 2);
}
