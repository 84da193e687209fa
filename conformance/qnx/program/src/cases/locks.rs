//! The lock of the house is the C library's mutex, whose holder inherits priority.
#![forbid(unsafe_code)]

use conformance::{Observer, Verdict};
use os::Mutex;

use super::LibcCase;
use super::support::{Bench, Calls, ensure, ensure_same, named, switch};
use crate::bench::{self, StandIn, Switch};

pub(super) fn cases() -> [LibcCase; 4] {
    [
        named!(
            the_lock_is_the_c_librarys_mutex,
            "made at the first use, called each time, destroyed at the end"
        ),
        named!(
            holders_inherit_priority,
            "the protocol is the default one, and there is no mutex of another"
        ),
        named!(
            a_lock_that_moved_is_made_anew,
            "a mutex is known by its address"
        ),
        named!(
            a_refused_mutex_leaves_a_lock_that_works,
            "the library has none to give"
        ),
    ]
}

fn the_lock_is_the_c_librarys_mutex(_: &Bench) -> Verdict {
    let calls = Calls::now();
    // Dropped where it is: `drop` would move it.
    {
        let lock = Mutex::new(1_u32);
        ensure_same!(calls.since("pthread_mutex_init"), 0, "not made yet");
        for round in 1..=3 {
            let mut guard = lock.lock();
            *guard += 1;
            ensure_same!(calls.since("pthread_mutex_init"), 1, "made once");
            ensure_same!(calls.since("pthread_mutex_lock"), round, "taken there");
            ensure_same!(calls.since("pthread_mutex_unlock"), round - 1, "and held");
            ensure!(lock.try_lock().is_none(), "by one");
            drop(guard);
            ensure_same!(calls.since("pthread_mutex_unlock"), round, "and given back");
        }
        ensure!(lock.try_lock().is_some_and(|value| *value == 4), "free");
        ensure_same!(calls.since("pthread_mutex_trylock"), 4, "asked there");
        ensure_same!(calls.since("pthread_mutex_destroy"), 0, "it lives");
    }
    ensure_same!(calls.since("pthread_mutex_destroy"), 1, "it is gone");
    ensure_same!(StandIn.complaints(), 0, "no misuse");
    Ok(())
}

fn holders_inherit_priority(_: &Bench) -> Verdict {
    let before = bench::mutexes(true);
    {
        let lock = Mutex::new(());
        drop(lock.lock());
        ensure_same!(bench::mutexes(true), before + 1, "an inheriting one more");
        ensure_same!(bench::mutexes(false), 0, "and none of another protocol");
    }
    ensure_same!(bench::mutexes(true), before, "destroyed");
    Ok(())
}

fn a_lock_that_moved_is_made_anew(_: &Bench) -> Verdict {
    let calls = Calls::now();
    let mut places = [Some(Mutex::new(7_u32)), None];
    for round in 1..=4 {
        let (from, to) = (round % 2, 1 - round % 2);
        places[to] = places[1 - to].take().or(places[to].take());
        let moved = places[to].as_ref().map(|lock| *lock.lock());
        ensure_same!(moved.unwrap_or(0), 7, "the value moved along");
        ensure!(places[from].is_none(), "from there");
        ensure_same!(
            calls.since("pthread_mutex_init") >= round,
            true,
            "made here"
        );
        let again = places[to].as_ref().map(|lock| *lock.lock());
        ensure_same!(again.unwrap_or(0), 7, "and used again");
    }
    drop(places);
    ensure_same!(StandIn.complaints(), 0, "no copy was ever locked");
    Ok(())
}

fn a_refused_mutex_leaves_a_lock_that_works(_: &Bench) -> Verdict {
    switch(Switch::MutexesRefused, 1)?;
    let calls = Calls::now();
    let lock = Mutex::new(0_u32);
    for _ in 0..3 {
        let mut guard = lock.lock();
        *guard += 1;
        ensure!(lock.try_lock().is_none(), "held by one");
    }
    ensure_same!(*lock.lock(), 3, "nothing is lost");
    ensure_same!(calls.since("pthread_mutex_lock"), 0, "without a mutex");
    ensure_same!(calls.since("pthread_mutex_init"), 2, "tried twice");
    // The choice stays, for all who use it.
    switch(Switch::MutexesRefused, 0)?;
    drop(lock.lock());
    ensure_same!(calls.since("pthread_mutex_lock"), 0, "while it stays there");
    Ok(())
}
