//! One suite for every source: see `suite`.

mod common;
mod suite;

use core::mem::MaybeUninit;

use os::{Counted, FailAt, FixedMemory, FixedStorage, OsPages, PageSize, PageSource, Reason};

use suite::conformance;

fn page_size(bytes: usize) -> PageSize {
    PageSize::new(bytes).unwrap()
}

#[test]
fn the_operating_system() {
    conformance(&OsPages::new());
}

#[test]
fn a_reference_to_a_source() {
    conformance(&&&OsPages::new());
}

#[test]
fn a_counted_source() {
    conformance(&Counted::new(OsPages::new()));
}

#[test]
fn a_source_that_could_fail_leaks_nothing() {
    let source = FailAt::new(OsPages::new());
    conformance(&source);
    assert_eq!(
        (source.live_runs(), source.live_bytes(), source.injected()),
        (0, 0, 0)
    );
}

#[test]
fn a_fixed_memory_of_any_page_size_alignment_and_dirt() {
    for page in [16, 256, 4096, 16384] {
        for skew in [0, 1, 8] {
            let mut array = vec![MaybeUninit::new(0xCD_u8); 40 * page + skew];
            let source = FixedMemory::new(&mut array[skew..], page_size(page)).unwrap();
            let capacity = source.capacity();
            assert!(capacity >= 24 * page);
            conformance(&source);
            assert_eq!(source.free_bytes(), capacity, "something leaked");
            assert_eq!(source.longest_free_run(), capacity, "holes did not join");
        }
    }
}

#[test]
fn a_fixed_memory_in_a_static_under_wrappers() {
    static STORAGE: FixedStorage<{ 40 * 4096 }> = FixedStorage::new();
    static SOURCE: Counted<FailAt<FixedMemory<'static>>> = Counted::new(FailAt::new(
        FixedMemory::in_storage(&STORAGE, PageSize::new(4096).unwrap()),
    ));
    assert!(!STORAGE.is_claimed());
    conformance(&SOURCE);
    assert!(STORAGE.is_claimed());
    assert_eq!(SOURCE.inner().live_runs(), 0);

    let second = FixedMemory::in_storage(&STORAGE, page_size(4096));
    assert_eq!(second.map(4096).unwrap_err().reason, Reason::AlreadyClaimed);
    assert_eq!((second.capacity(), second.free_bytes()), (0, 0));
    conformance(&SOURCE);
}

#[test]
fn storage_too_small_for_a_page_is_refused_with_a_number() {
    static TINY: FixedStorage<4096> = FixedStorage::new();
    let source = FixedMemory::in_storage(&TINY, page_size(4096));
    assert_eq!(
        source.map(4096).unwrap_err().reason,
        Reason::OutOfPages { longest_free: 0 }
    );
    let mut array = [MaybeUninit::uninit(); 100];
    let error = FixedMemory::new(&mut array, page_size(4096)).unwrap_err();
    assert_eq!(
        (error.len, error.reason),
        (100, Reason::OutOfPages { longest_free: 0 })
    );
}
