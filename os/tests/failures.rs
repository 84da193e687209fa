//! Counting calls and failing them on purpose.

mod common;

use common::{at, bytes, fill};
use os::{Counted, FailAt, OsCall, OsError, OsPages, PageSource, Protection, Reason};

/// Every call that changes something, once; gives back what it got, whatever happens.
fn program(source: &impl PageSource) -> Result<(), OsError> {
    let page = source.facts().page_size.get();
    let run = source.reserve(4 * page)?;
    let result = middle(source, run, page);
    // A source that fails once lets the second attempt through.
    // SAFETY: exactly the run reserved above, not used again.
    let unmapped = unsafe { source.unmap(run, 4 * page) };
    // SAFETY: the first attempt failed, so the run is still live.
    unmapped.or_else(|_| unsafe { source.unmap(run, 4 * page) })?;
    result.and(unmapped)
}

fn middle(
    source: &impl PageSource,
    run: core::ptr::NonNull<u8>,
    page: usize,
) -> Result<(), OsError> {
    // SAFETY: inside the caller's run.
    unsafe { source.commit(run, 2 * page) }?;
    fill(run, 2 * page, 5);
    let second = at(run, page);
    // SAFETY: inside the run, committed, used by nobody else.
    unsafe { source.prefault(run, 2 * page) }?;
    // SAFETY: as above.
    unsafe { source.lock(run, page) }?;
    // SAFETY: as above.
    unsafe { source.unlock(run, page) }?;
    // SAFETY: as above.
    unsafe { source.protect(second, page, Protection::Read) }?;
    // SAFETY: as above.
    unsafe { source.protect(second, page, Protection::ReadWrite) }?;
    assert!(bytes(run, 2 * page).iter().all(|byte| *byte == 5));
    // SAFETY: the run above, which nobody else uses.
    match unsafe { source.touched(run, 2 * page, &mut [const { 0..0 }; 1]) } {
        // This kernel cannot tell.
        Err(error) if error.reason == Reason::Unsupported => {}
        other => drop(other?),
    }
    // SAFETY: as above, contents given up.
    unsafe { source.discard(second, page) }?;
    // SAFETY: as above.
    unsafe { source.decommit(run, page) }?;
    let other = source.map(page)?;
    source.resident(run, page)?;
    source.probe(run.addr().get())?;
    // SAFETY: exactly the run just mapped, not used again.
    let unmapped = unsafe { source.unmap(other, page) };
    // SAFETY: the first attempt failed, so the run is still live.
    unmapped.or_else(|_| unsafe { source.unmap(other, page) })?;
    unmapped
}

#[cfg(target_os = "linux")]
#[test]
fn every_call_can_fail_and_nothing_leaks() {
    let source = FailAt::new(Counted::new(OsPages::new()));
    program(&source).unwrap();
    let calls = source.calls_seen();
    assert_eq!(calls, 13);
    let mut refused = Vec::new();
    for n in 1..=calls {
        source.fail_nth(n);
        let before = source.call_counts().unwrap();
        let seen = source.calls_seen();
        let error = program(&source).unwrap_err();
        assert_eq!((error.reason, source.injected()), (Reason::Injected, n));
        assert_eq!((source.live_runs(), source.live_bytes()), (0, 0), "{error}");
        let reached = source.call_counts().unwrap().since(&before);
        let changing = reached.total() - reached.get(OsCall::Resident) - reached.get(OsCall::Probe);
        assert_eq!(
            changing,
            source.calls_seen() - seen - 1,
            "a refused call got through"
        );
        refused.push(error.call);
    }
    assert_eq!(
        refused,
        [
            OsCall::Reserve,
            OsCall::Commit,
            OsCall::Prefault,
            OsCall::Lock,
            OsCall::Unlock,
            OsCall::Protect,
            OsCall::Protect,
            OsCall::Touched,
            OsCall::Discard,
            OsCall::Decommit,
            OsCall::Map,
            OsCall::Unmap,
            OsCall::Unmap,
        ]
    );
    program(&source).unwrap();
}

#[test]
fn plans_count_only_what_they_name_and_replace_each_other() {
    let source = FailAt::new(OsPages::new());
    let page = source.facts().page_size.get();
    let mut runs = Vec::new();
    let mut map = || {
        let result = source.map(page);
        runs.extend(result.ok());
        result.is_ok()
    };

    source.fail_nth_of(OsCall::Map, 2);
    let reserved = source.reserve(page).unwrap();
    assert_eq!([map(), map(), map()], [true, false, true]);
    source.fail_nth_of(OsCall::Unmap, 1);
    assert_eq!([map(), map()], [true, true]);
    // SAFETY: exactly the run reserved above.
    unsafe { source.unmap(reserved, page) }.unwrap_err();
    assert_eq!(source.live_runs(), 5, "a refused unmap leaves the run live");
    source.fail_from_nth(2);
    assert_eq!([map(), map(), map()], [true, false, false]);
    source.clear();
    assert!(map());
    source.fail_nth(1);
    source.fail_nth(0);
    assert!(map());
    assert_eq!(source.injected(), 4);

    runs.push(reserved);
    assert_eq!(
        (source.live_runs(), source.live_bytes()),
        (runs.len(), runs.len() * page)
    );
    for run in runs {
        // SAFETY: exactly a live run, not used again.
        unsafe { source.unmap(run, page) }.unwrap();
    }
    assert_eq!((source.live_runs(), source.live_bytes()), (0, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn every_kind_of_call_is_counted_under_its_own_name() {
    let source = Counted::new(OsPages::new());
    program(&source).unwrap();
    let counts = source.call_counts().unwrap();
    for (call, count) in counts.iter() {
        let expected = match call {
            OsCall::Protect | OsCall::Unmap => 2,
            // Asked of a heap, never of pages.
            OsCall::Allocate | OsCall::Reallocate | OsCall::Configure => 0,
            _ => 1,
        };
        assert_eq!(count, expected, "{call}");
        assert_eq!(counts.get(call), count);
    }
    assert_eq!(counts.total(), 15);
    source.map(0).unwrap_err();
    let after = source.call_counts().unwrap().since(&counts);
    assert_eq!(
        (after.get(OsCall::Map), after.total()),
        (1, 1),
        "refused calls count too"
    );
    assert!(OsPages::new().call_counts().is_none());
}
