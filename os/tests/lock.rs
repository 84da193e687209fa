//! The locks under contention.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::thread;

use os::{Mutex, RwLock};

#[test]
fn four_threads_lose_no_update() {
    const ROUNDS: usize = 50_000;
    static PAIR: Mutex<(usize, usize)> = Mutex::new((0, 0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    let mut pair = PAIR.lock();
                    assert_eq!(pair.0, pair.1, "somebody else was inside");
                    pair.0 += 1;
                    if round % 64 == 0 {
                        // Holding the lock across a yield makes the others wait in the system.
                        thread::yield_now();
                    }
                    pair.1 += 1;
                }
            });
        }
    });
    assert_eq!(*PAIR.lock(), (4 * ROUNDS, 4 * ROUNDS));
}

#[test]
fn every_waiter_is_woken_in_turn() {
    let mutex = Mutex::new(());
    let passed = AtomicUsize::new(0);
    let held = AtomicBool::new(true);
    thread::scope(|scope| {
        let guard = mutex.lock();
        for _ in 0..4 {
            scope.spawn(|| {
                let _guard = mutex.lock();
                assert!(!held.load(Ordering::SeqCst), "passed a lock that was held");
                passed.fetch_add(1, Ordering::SeqCst);
            });
        }
        // Long enough for the spin to end and the wait to begin.
        thread::sleep(Duration::from_millis(50));
        assert_eq!(passed.load(Ordering::SeqCst), 0);
        held.store(false, Ordering::SeqCst);
        drop(guard);
    });
    assert_eq!(passed.load(Ordering::SeqCst), 4);
}

#[test]
fn readers_see_no_half_of_a_write_and_no_write_is_lost() {
    const ROUNDS: usize = 20_000;
    static PAIR: RwLock<(usize, usize)> = RwLock::new((0, 0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    let mut pair = PAIR.write();
                    pair.0 += 1;
                    if round % 64 == 0 {
                        thread::yield_now();
                    }
                    pair.1 += 1;
                }
            });
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    let pair = PAIR.read();
                    assert_eq!(pair.0, pair.1, "a writer is inside");
                    if round % 64 == 0 {
                        thread::yield_now();
                        assert_eq!(*PAIR.read(), *pair, "read twice at once");
                    }
                }
            });
        }
    });
    assert_eq!(*PAIR.read(), (2 * ROUNDS, 2 * ROUNDS));
}

#[test]
fn readers_and_writers_that_sleep_are_all_woken() {
    let lock = RwLock::new(());
    let passed = AtomicUsize::new(0);
    thread::scope(|scope| {
        let guard = lock.write();
        for number in 0..6 {
            let (lock, passed) = (&lock, &passed);
            scope.spawn(move || {
                if number % 2 == 0 {
                    let _guard = lock.read();
                    passed.fetch_add(1, Ordering::SeqCst);
                } else {
                    let _guard = lock.write();
                    passed.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // Long enough for the spin to end and the wait to begin.
        thread::sleep(Duration::from_millis(50));
        assert_eq!(passed.load(Ordering::SeqCst), 0);
        drop(guard);
    });
    assert_eq!(passed.load(Ordering::SeqCst), 6);
}

/// A waiter that spins burns a second of processor time in a second; one that sleeps, next to none.
#[cfg(target_os = "linux")]
#[test]
fn waiting_costs_no_processor_time() {
    fn processor_time_of_this_thread() -> Duration {
        // SAFETY: all zeros is a valid time.
        let mut time: libc::timespec = unsafe { core::mem::zeroed() };
        // SAFETY: the clock exists and the place for the answer is a live local.
        let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        assert_eq!(status, 0);
        Duration::new(
            time.tv_sec.try_into().unwrap(),
            time.tv_nsec.try_into().unwrap(),
        )
    }
    let mutex = Mutex::new(());
    thread::scope(|scope| {
        let guard = mutex.lock();
        let waiter = scope.spawn(|| {
            let before = processor_time_of_this_thread();
            drop(mutex.lock());
            processor_time_of_this_thread() - before
        });
        thread::sleep(Duration::from_millis(300));
        drop(guard);
        assert!(waiter.join().unwrap() < Duration::from_millis(30));
    });
}
