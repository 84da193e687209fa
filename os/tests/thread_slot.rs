//! A slot holds one pointer for each thread.

use core::ptr::null_mut;
use std::thread;

use os::ThreadSlot;

#[test]
fn each_thread_has_its_own_and_none_has_anothers() {
    static SLOT: ThreadSlot = ThreadSlot::new();
    static OTHER: ThreadSlot = ThreadSlot::new();
    SLOT.prepare().unwrap();
    let mut values = [0_u8; 4];
    thread::scope(|scope| {
        for value in &mut values {
            scope.spawn(move || {
                assert!(SLOT.get().is_null());
                let place: *mut u8 = value;
                for _ in 0..100 {
                    SLOT.set(place).unwrap();
                    thread::yield_now();
                    assert_eq!(SLOT.get(), place);
                    assert!(OTHER.get().is_null());
                }
                SLOT.set(null_mut()).unwrap();
                assert!(SLOT.get().is_null());
            });
        }
    });
    assert!(SLOT.get().is_null());
}

#[test]
fn threads_that_race_for_the_first_use_end_up_with_one_slot() {
    for _ in 0..200 {
        let slot = ThreadSlot::new();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut value = 0_u8;
                    slot.set(&raw mut value).unwrap();
                    assert_eq!(slot.get(), &raw mut value);
                });
            }
        });
        assert!(slot.get().is_null());
    }
}

/// A process has 1024 keys or fewer: slots that come and go must not use them up.
#[test]
fn a_dropped_slot_gives_its_key_back() {
    let mut value = 0_u8;
    for _ in 0..10_000 {
        let slot = ThreadSlot::new();
        slot.set(&raw mut value).unwrap();
    }
}
