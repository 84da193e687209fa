//! Mutexes: made once, known by their address, one holder at a time.

mod support;

use qnx_libc::*;
use support::turn;

const EPERM: i32 = 1;
const EAGAIN: i32 = 11;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const EDEADLK: i32 = 45;

fn init(mutex: &mut PthreadMutex) -> i32 {
    // SAFETY: a live mutex; no attributes.
    unsafe { qnx_pthread_mutex_init(mutex, core::ptr::null()) }
}

#[test]
fn a_mutex_has_a_life() {
    let _turn = turn(710);
    let mut mutex = PthreadMutex::default();
    let before = stand_in_mutexes(1);
    assert_eq!(qnx_pthread_mutex_destroy(&raw mut mutex), EINVAL);
    assert_eq!(init(&mut mutex), 0);
    assert_ne!(mutex.fields, [0; 2]);
    assert_eq!(init(&mut mutex), EBUSY);
    assert_eq!(stand_in_mutexes(1), before + 1);
    assert_eq!(stand_in_mutexes(0), 0, "the default inherits");
    assert_eq!(qnx_pthread_mutex_lock(&raw mut mutex), 0);
    assert_eq!(qnx_pthread_mutex_lock(&raw mut mutex), EDEADLK);
    assert_eq!(qnx_pthread_mutex_trylock(&raw mut mutex), EBUSY);
    assert_eq!(stand_in_complaints(), 0);
    assert_eq!(qnx_pthread_mutex_destroy(&raw mut mutex), EBUSY);
    assert_eq!(qnx_pthread_mutex_unlock(&raw mut mutex), 0);
    assert_eq!(qnx_pthread_mutex_unlock(&raw mut mutex), EPERM);
    assert_eq!(qnx_pthread_mutex_trylock(&raw mut mutex), 0);
    assert_eq!(qnx_pthread_mutex_unlock(&raw mut mutex), 0);
    assert_eq!(qnx_pthread_mutex_destroy(&raw mut mutex), 0);
    assert_eq!(stand_in_mutexes(1), before);
    // A copy is no mutex.
    assert_eq!(qnx_pthread_mutex_lock(&raw mut mutex), EINVAL);
    assert_eq!(stand_in_complaints(), 3);
    assert_eq!(stand_in_switch(Switch::MutexesRefused as u32, 1), 0);
    assert_eq!(init(&mut mutex), EAGAIN);
}

#[test]
fn threads_exclude_each_other() {
    let _turn = turn(800);
    let mut mutex = PthreadMutex::default();
    assert_eq!(init(&mut mutex), 0);
    let address = (&raw mut mutex).expose_provenance();
    let total = core::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mutex = core::ptr::with_exposed_provenance_mut(address);
                for _ in 0..200 {
                    assert_eq!(qnx_pthread_mutex_lock(mutex), 0);
                    let seen = total.load(core::sync::atomic::Ordering::Relaxed);
                    std::thread::yield_now();
                    total.store(seen + 1, core::sync::atomic::Ordering::Relaxed);
                    assert_eq!(qnx_pthread_mutex_unlock(mutex), 0);
                }
            });
        }
    });
    assert_eq!(total.into_inner(), 600);
    assert_eq!(qnx_pthread_mutex_destroy(&raw mut mutex), 0);
    assert_eq!(stand_in_complaints(), 0);
}
