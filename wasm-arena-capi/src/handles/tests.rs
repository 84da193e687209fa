//! Handles that mean nothing any more, or never did, and threads that use the same ones.

use super::*;
use core::sync::atomic::AtomicUsize;
use std::thread;
use std::vec::Vec;

struct Number(AtomicUsize);
struct NumberHandle;

// SAFETY: the tests have no other object of this kind.
unsafe impl Object for Number {
    type Opaque = NumberHandle;
    const KIND: Kind = Kind::Runtime;
}

struct Other;

// SAFETY: as above.
unsafe impl Object for Other {
    type Opaque = NumberHandle;
    const KIND: Kind = Kind::Atomic;
}

fn make(number: usize) -> *mut NumberHandle {
    insert(Shared::new(Number(AtomicUsize::new(number))).unwrap()).unwrap()
}

fn end(handle: *mut NumberHandle) {
    drop(own::<Number>(handle, "handle").unwrap().remove());
}

#[test]
fn places_follow_each_other_without_a_gap() {
    let mut expected = (0, 0);
    for index in 0..10_000 {
        assert_eq!(place(index), expected);
        expected.1 += 1;
        if expected.1 == FIRST_CHUNK << expected.0 {
            expected = (expected.0 + 1, 0);
        }
    }
    assert_eq!(place(LIMIT).0, CHUNKS);
}

#[test]
fn what_is_no_live_handle_is_named() {
    let handle = make(7);
    assert_eq!(
        pin::<Number>(handle, "h")
            .unwrap()
            .0
            .load(Ordering::Relaxed),
        7
    );
    assert!(matches!(
        pin::<Other>(handle, "h"),
        Err(Failure::WrongHandleKind {
            found: "runtime's memory",
            ..
        })
    ));
    let null = ptr::null::<NumberHandle>();
    assert!(matches!(
        pin::<Number>(null, "h"),
        Err(Failure::NullArgument { argument: "h" })
    ));
    for stray in [2, 4, 8, 16, 4096, usize::MAX & !1, usize::MAX] {
        let stray = ptr::without_provenance::<NumberHandle>(stray);
        assert!(matches!(
            pin::<Number>(stray, "h"),
            Err(Failure::InvalidHandle { .. })
        ));
    }
    // Another kind, by changing the handle's bits.
    let forged = ptr::without_provenance::<NumberHandle>(
        handle.addr() & !0xe | ((Kind::Atomic as usize) << 1),
    );
    assert!(matches!(
        pin::<Other>(forged, "h"),
        Err(Failure::StaleHandle { .. })
    ));
    end(handle);
    assert!(matches!(
        pin::<Number>(handle, "h"),
        Err(Failure::StaleHandle { argument: "h" })
    ));
    assert!(matches!(
        own::<Number>(handle, "h"),
        Err(Failure::StaleHandle { argument: "h" })
    ));
    // The slot is used again, and the old handle means as little as before.
    let next = make(8);
    assert!(pin::<Number>(handle, "h").is_err());
    end(next);
}

#[test]
fn users_exclude_an_owner_and_an_owner_everybody() {
    let handle = make(1);
    let (one, two) = (
        pin::<Number>(handle, "h").unwrap(),
        pin::<Number>(handle, "h").unwrap(),
    );
    assert!(matches!(
        own::<Number>(handle, "h"),
        Err(Failure::InUse { .. })
    ));
    drop(one);
    drop(two);
    let mut owned = own::<Number>(handle, "h").unwrap();
    assert!(matches!(
        pin::<Number>(handle, "h"),
        Err(Failure::InUse { .. })
    ));
    assert!(owned.get_mut().is_some());
    let shared = owned.share();
    assert!(owned.get_mut().is_none());
    drop(shared);
    drop(owned);
    end(handle);
}

#[test]
fn threads_that_make_and_end_handles_never_see_another_s() {
    thread::scope(|scope| {
        for thread in 0..4_usize {
            scope.spawn(move || {
                for round in 0..200_usize {
                    let handles: Vec<_> =
                        (0..40).map(|n| make(thread * 1000 + round + n)).collect();
                    for (n, &handle) in handles.iter().enumerate() {
                        let value = pin::<Number>(handle, "h")
                            .unwrap()
                            .0
                            .load(Ordering::Relaxed);
                        assert_eq!(value, thread * 1000 + round + n);
                        end(handle);
                        assert!(pin::<Number>(handle, "h").is_err());
                    }
                }
            });
        }
    });
}
