//! Every call of the page source fails once, and from every call on for good: what was allocated
//! stays intact, nothing leaks, and the error names the call.

mod support;

use core::alloc::Layout;

use arena_heap::{ArenaHeap, ConfigError, HeapConfig, HeapError};
use os::{FailAt, OsCall, OsPages, PageSource, Reason};
use support::{Model, TestHeap, bytes};

fn small_config() -> HeapConfig {
    // Few bytes cached, so that arenas come and go.
    let page_size = OsPages::new().facts().page_size;
    HeapConfig {
        cache_max_blocks: 1,
        preallocate: 0,
        ..HeapConfig::for_page_size(page_size)
    }
}

fn run(source: &FailAt<OsPages>, program: &[u8]) -> (usize, usize) {
    let mut heap = TestHeap::with_config(source, small_config()).unwrap();
    let mut model = Model::default();
    model.run(&mut heap, program, 20);
    model.check_contents();
    source.clear();
    model.free_all(&mut heap);
    model.check(&heap);
    let failed_unmaps = heap.statistics().failed_unmaps;
    drop(heap);
    (model.refused, failed_unmaps)
}

#[test]
fn each_call_fails_once() {
    let program = bytes(7, 5000);
    let source = FailAt::new(OsPages::new());
    run(&source, &program);
    let calls = source.calls_seen();
    // How many arenas aligned blocks need depends on where the system puts them.
    assert!(calls > 20, "{calls}");
    let (mut refused, mut kept) = (0, 0);
    for n in 1..=calls {
        let source = FailAt::new(OsPages::new());
        source.fail_nth(n);
        let (refusals, failed_unmaps) = run(&source, &program);
        assert_eq!(source.live_bytes(), 0, "call {n}");
        refused += refusals;
        kept += failed_unmaps;
    }
    assert!(
        refused > 0 && kept > 0,
        "both kinds of failure were met: {refused} {kept}"
    );
}

#[test]
fn all_calls_fail_from_some_point_on() {
    let program = bytes(8, 4000);
    let source = FailAt::new(OsPages::new());
    run(&source, &program);
    for n in 1..=source.calls_seen() {
        let source = FailAt::new(OsPages::new());
        source.fail_from_nth(n);
        run(&source, &program);
        assert_eq!(source.live_bytes(), 0, "from call {n}");
    }
}

#[test]
fn the_error_names_the_call_and_leaves_the_heap_usable() {
    let source = FailAt::new(OsPages::new());
    let mut heap = ArenaHeap::new(&source);
    source.fail_nth(1);
    let layout = Layout::new::<[u8; 5000]>();
    let error = heap.allocate(layout).unwrap_err();
    let HeapError::OutOfMemory {
        size: 5000,
        source: cause,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((cause.call, cause.reason), (OsCall::Map, Reason::Injected));
    assert!(
        error
            .to_string()
            .starts_with("no memory for 5000 bytes: map of "),
        "{error}"
    );
    heap.verify().unwrap();
    heap.allocate(layout).unwrap();
}

#[test]
fn an_arena_that_cannot_be_unmapped_is_kept_counted_and_used_again() {
    let source = FailAt::new(OsPages::new());
    let config = HeapConfig {
        cache_max_blocks: 0,
        ..small_config()
    };
    let mut heap = ArenaHeap::with_config(&source, config).unwrap();
    let layout = Layout::new::<[u8; 5000]>();
    let block = heap.allocate(layout).unwrap();
    source.fail_nth_of(OsCall::Unmap, 1);
    // SAFETY: allocated above.
    unsafe { heap.deallocate(block) }.unwrap();
    let now = heap.statistics();
    assert_eq!(
        (now.failed_unmaps, now.cached_arenas, now.arenas),
        (1, 1, 1)
    );
    heap.verify().unwrap();
    assert_eq!(heap.allocate(layout), Ok(block));
    assert_eq!(heap.statistics().arenas_mapped, 1);
    // SAFETY: allocated above.
    unsafe { heap.deallocate(block) }.unwrap();
    assert_eq!((heap.statistics().arenas, source.live_bytes()), (0, 0));
}

#[test]
fn trim_reports_failures_and_goes_on() {
    let source = FailAt::new(OsPages::new());
    let config = HeapConfig {
        preallocate: 4 * small_config().arena_size,
        ..small_config()
    };
    let mut heap = ArenaHeap::with_config(&source, config).unwrap();
    // No run for all four, so there are four.
    source.fail_nth(1);
    heap.prepare().unwrap();
    source.fail_nth_of(OsCall::Unmap, 2);
    let trimmed = heap.trim();
    assert_eq!((trimmed.arenas, trimmed.failures), (3, 1));
    heap.verify().unwrap();
    assert_eq!(heap.trim().arenas, 1);
    assert_eq!(source.live_bytes(), 0);
}

#[test]
fn trim_counts_an_arena_once_however_often_it_is_refused() {
    let source = FailAt::new(OsPages::new());
    let config = HeapConfig {
        cache_max_blocks: 0,
        ..small_config()
    };
    let mut heap = ArenaHeap::with_config(&source, config).unwrap();
    let block = heap.allocate(Layout::new::<u64>()).unwrap();
    // SAFETY: allocated above.
    unsafe { heap.deallocate(block) }.unwrap();
    // Refused when the pool in it ends, and again when it is one of the cached ones.
    source.fail_from_nth(1);
    let trimmed = heap.trim();
    assert_eq!((trimmed.arenas, trimmed.failures), (0, 1));
    assert_eq!(heap.statistics().failed_unmaps, 2);
    heap.verify().unwrap();
    source.clear();
    assert_eq!((heap.trim().arenas, source.live_bytes()), (1, 0));
}

#[test]
fn a_failed_preallocation_is_reported_and_counted() {
    let source = FailAt::new(OsPages::new());
    let config = HeapConfig {
        preallocate: 3 * small_config().arena_size,
        ..small_config()
    };
    let mut heap = ArenaHeap::with_config(&source, config).unwrap();
    source.fail_from_nth(1);
    assert!(matches!(heap.prepare(), Err(HeapError::OutOfMemory { .. })));
    assert_eq!(heap.statistics().failed_preallocations, 1);
    source.fail_from_nth(1);
    let error = heap.configure(config).unwrap_err();
    assert!(matches!(error, ConfigError::Preallocation(cause) if cause.call == OsCall::Map));
    source.clear();
    heap.configure(config).unwrap();
    assert_eq!(heap.statistics().arenas_mapped, 1);
    assert!(heap.statistics().cached_bytes >= config.preallocate);
    heap.verify().unwrap();
}

#[test]
fn without_one_run_for_all_of_it_arenas_are_preallocated_one_by_one() {
    let source = FailAt::new(OsPages::new());
    let config = HeapConfig {
        preallocate: 3 * small_config().arena_size,
        ..small_config()
    };
    let mut heap = ArenaHeap::with_config(&source, config).unwrap();
    source.fail_nth(1);
    heap.prepare().unwrap();
    assert_eq!(heap.statistics().failed_preallocations, 0);
    assert_eq!(heap.statistics().arenas_mapped, 3);
    assert!(heap.statistics().cached_bytes >= config.preallocate);
    heap.verify().unwrap();
}
