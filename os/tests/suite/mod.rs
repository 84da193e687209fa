//! The promises of [`PageSource`], checked on any source.

use core::ops::Range;
use core::ptr::NonNull;

use os::{OsCall, OsError, PageSource, Protection, Reason};

use crate::common::{at, bytes, fill};

fn all_are(address: NonNull<u8>, len: usize, value: u8) -> bool {
    bytes(address, len).iter().all(|byte| *byte == value)
}

/// Checks every promise that can be checked without a fault. Needs 24 free pages.
pub(crate) fn conformance(source: &dyn PageSource) {
    assert_eq!(source.facts(), source.facts());
    mapped_runs_are_zero_aligned_and_disjoint(source);
    committing_keeps_contents_and_zeroes_the_rest(source);
    decommitted_pages_come_back_zero(source);
    discarded_pages_read_zero_at_once(source);
    protection_keeps_contents(source);
    bad_lengths_and_addresses_are_refused_before_anything_happens(source);
    residence_follows_use(source);
    touched_pages_are_named(source);
    locking_keeps_contents_and_survives_a_discard(source);
}

fn mapped_runs_are_zero_aligned_and_disjoint(source: &dyn PageSource) {
    let page = source.facts().page_size.get();
    let lens = [page, 3 * page, 2 * page, page, 5 * page];
    let runs = lens.map(|len| source.map(len).unwrap());
    for (tag, (run, len)) in (1..).zip(runs.into_iter().zip(lens)) {
        assert_eq!(run.addr().get() % page, 0);
        assert!(all_are(run, len, 0), "a mapped run is not zero");
        fill(run, len, tag);
    }
    for (tag, (run, len)) in (1..).zip(runs.into_iter().zip(lens)) {
        assert!(all_are(run, len, tag), "runs overlap");
        // SAFETY: exactly a run mapped above, not used again.
        unsafe { source.unmap(run, len) }.unwrap();
    }
    // What was used before is zero again when it is handed out again.
    for len in lens {
        let run = source.map(len).unwrap();
        assert!(all_are(run, len, 0), "a recycled run is not zero");
        // SAFETY: exactly the run mapped above, not used again.
        unsafe { source.unmap(run, len) }.unwrap();
    }
}

fn committing_keeps_contents_and_zeroes_the_rest(source: &dyn PageSource) {
    let page = source.facts().page_size.get();
    let used_before = source.map(8 * page).unwrap();
    fill(used_before, 8 * page, 0xEE);
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(used_before, 8 * page) }.unwrap();

    let run = source.reserve(8 * page).unwrap();
    assert_eq!(run.addr().get() % page, 0);
    // SAFETY: inside the run just reserved.
    unsafe { source.commit(at(run, 2 * page), 2 * page) }.unwrap();
    assert!(all_are(at(run, 2 * page), 2 * page, 0));
    fill(at(run, 2 * page), 2 * page, 0x55);
    // SAFETY: inside the run; two of the pages are committed already.
    unsafe { source.commit(at(run, page), 6 * page) }.unwrap();
    assert!(
        all_are(at(run, page), page, 0),
        "the page before is not zero"
    );
    assert!(
        all_are(at(run, 2 * page), 2 * page, 0x55),
        "committed contents were lost"
    );
    assert!(
        all_are(at(run, 4 * page), 3 * page, 0),
        "the pages after are not zero"
    );
    // SAFETY: exactly the run reserved above, not used again.
    unsafe { source.unmap(run, 8 * page) }.unwrap();
}

fn decommitted_pages_come_back_zero(source: &dyn PageSource) {
    let page = source.facts().page_size.get();
    let run = source.map(6 * page).unwrap();
    fill(run, 6 * page, 0xA1);
    // SAFETY: inside the run, and its contents are given up.
    unsafe { source.decommit(at(run, page), 3 * page) }.unwrap();
    assert!(all_are(run, page, 0xA1));
    assert!(all_are(at(run, 4 * page), 2 * page, 0xA1));
    // SAFETY: inside the run; wider than what was decommitted.
    unsafe { source.commit(run, 5 * page) }.unwrap();
    assert!(
        all_are(run, page, 0xA1),
        "a page that stayed committed lost its contents"
    );
    assert!(
        all_are(at(run, page), 3 * page, 0),
        "a decommitted page kept its contents"
    );
    assert!(all_are(at(run, 4 * page), 2 * page, 0xA1));
    // SAFETY: inside the run; a run may be unmapped with pages in any state.
    unsafe { source.decommit(run, page) }.unwrap();
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, 6 * page) }.unwrap();
}

fn discarded_pages_read_zero_at_once(source: &dyn PageSource) {
    let page = source.facts().page_size.get();
    let run = source.map(4 * page).unwrap();
    fill(run, 4 * page, 0x77);
    // SAFETY: inside the run, readable and writable, contents given up.
    unsafe { source.discard(at(run, page), 2 * page) }.unwrap();
    assert!(all_are(run, page, 0x77));
    assert!(all_are(at(run, page), 2 * page, 0));
    assert!(all_are(at(run, 3 * page), page, 0x77));
    fill(run, 4 * page, 0x78);
    assert!(
        all_are(run, 4 * page, 0x78),
        "discarded pages are no longer writable"
    );
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, 4 * page) }.unwrap();
}

fn protection_keeps_contents(source: &dyn PageSource) {
    let page = source.facts().page_size.get();
    let run = source.map(3 * page).unwrap();
    fill(run, 3 * page, 0x31);
    for protection in [Protection::Read, Protection::None, Protection::ReadExecute] {
        // SAFETY: inside the run, and nobody holds references into it.
        let result = unsafe { source.protect(at(run, page), page, protection) };
        if source.facts().can_protect {
            result.unwrap();
        } else {
            assert_eq!(result.unwrap_err().reason, Reason::Unsupported);
        }
        if protection.can_read() {
            assert!(all_are(run, 3 * page, 0x31));
        }
        // SAFETY: as above.
        unsafe { source.protect(at(run, page), page, Protection::ReadWrite) }.unwrap();
        assert!(all_are(run, 3 * page, 0x31));
    }
    fill(run, 3 * page, 0x32);
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, 3 * page) }.unwrap();
}

fn bad_lengths_and_addresses_are_refused_before_anything_happens(source: &dyn PageSource) {
    let page = source.facts().page_size.get();
    let misaligned = Reason::Misaligned { page_size: page };
    assert_eq!(source.map(0).unwrap_err().reason, Reason::ZeroLength);
    assert_eq!(source.reserve(0).unwrap_err().reason, Reason::ZeroLength);
    assert_eq!(source.map(page + 1).unwrap_err().reason, misaligned);
    assert_eq!(source.reserve(page - 1).unwrap_err().reason, misaligned);
    let too_long = usize::MAX & !(page - 1);
    let error = source.reserve(too_long).unwrap_err();
    assert_eq!((error.call, error.len), (OsCall::Reserve, too_long));

    let run = source.map(2 * page).unwrap();
    fill(run, 2 * page, 9);
    let calls = [
        OsCall::Commit,
        OsCall::Decommit,
        OsCall::Discard,
        OsCall::Protect,
        OsCall::Unmap,
        OsCall::Lock,
        OsCall::Unlock,
        OsCall::Prefault,
        OsCall::Resident,
        OsCall::Touched,
    ];
    for call in calls {
        if call == OsCall::Touched && !source.facts().can_tell_touched {
            let error = ask_badly(source, call, run, page).unwrap_err();
            assert_eq!((error.call, error.reason), (call, Reason::Unsupported));
            continue;
        }
        for (address, len, reason) in [
            (run, 0, Reason::ZeroLength),
            (run, page + 8, misaligned),
            (at(run, 8), page, misaligned),
        ] {
            let error = ask_badly(source, call, address, len).unwrap_err();
            assert_eq!((error.call, error.reason), (call, reason));
            assert_eq!((error.address, error.len), (address.addr().get(), len));
        }
    }
    assert_eq!(
        source.resident(at(run, 8), page).unwrap_err().reason,
        misaligned
    );
    assert!(
        all_are(run, 2 * page, 9),
        "a refused call changed something"
    );
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, 2 * page) }.unwrap();
}

/// Makes a call whose address or length no source may accept.
fn ask_badly(
    source: &dyn PageSource,
    call: OsCall,
    address: NonNull<u8>,
    len: usize,
) -> Result<(), OsError> {
    match call {
        // SAFETY: refused before anything happens.
        OsCall::Commit => unsafe { source.commit(address, len) },
        // SAFETY: refused before anything happens.
        OsCall::Decommit => unsafe { source.decommit(address, len) },
        // SAFETY: refused before anything happens.
        OsCall::Discard => unsafe { source.discard(address, len) },
        // SAFETY: refused before anything happens.
        OsCall::Unmap => unsafe { source.unmap(address, len) },
        // SAFETY: refused before anything happens.
        OsCall::Lock => unsafe { source.lock(address, len) },
        // SAFETY: refused before anything happens.
        OsCall::Unlock => unsafe { source.unlock(address, len) },
        // SAFETY: refused before anything happens.
        OsCall::Prefault => unsafe { source.prefault(address, len) },
        // SAFETY: refused before anything happens.
        OsCall::Protect => unsafe { source.protect(address, len, Protection::ReadWrite) },
        OsCall::Resident => source.resident(address, len).map(drop),
        // SAFETY: refused before anything happens.
        OsCall::Touched => unsafe {
            source
                .touched(address, len, &mut [const { 0..0 }; 1])
                .map(drop)
        },
        _ => panic!("{call} takes no range"),
    }
}

fn residence_follows_use(source: &dyn PageSource) {
    let page = source.facts().page_size.get();
    let run = source.reserve(8 * page).unwrap();
    match source.resident(run, 8 * page) {
        Ok(bytes) => assert_eq!(bytes, 0, "a reservation occupies memory"),
        Err(error) => {
            assert_eq!(error.reason, Reason::Unsupported);
            // SAFETY: exactly the run reserved above, not used again.
            return unsafe { source.unmap(run, 8 * page) }.unwrap();
        }
    }
    // SAFETY: inside the run.
    unsafe { source.commit(run, 4 * page) }.unwrap();
    // SAFETY: inside the run, committed, used by nobody else.
    unsafe { source.prefault(run, 4 * page) }.unwrap();
    assert_eq!(source.resident(run, 8 * page).unwrap(), 4 * page);
    fill(run, 4 * page, 3);
    // SAFETY: as above.
    unsafe { source.prefault(run, 4 * page) }.unwrap();
    assert!(all_are(run, 4 * page, 3), "prefault changed contents");
    // SAFETY: inside the run, contents given up.
    unsafe { source.decommit(run, 3 * page) }.unwrap();
    assert_eq!(source.resident(run, 8 * page).unwrap(), page);
    if source.facts().returns_memory {
        // SAFETY: inside the run, readable and writable, contents given up.
        unsafe { source.discard(at(run, 3 * page), page) }.unwrap();
        assert_eq!(source.resident(run, 8 * page).unwrap(), 0);
    }
    // SAFETY: exactly the run reserved above, not used again.
    unsafe { source.unmap(run, 8 * page) }.unwrap();
}

fn touched_pages_are_named(source: &dyn PageSource) {
    let page = source.facts().page_size.get();
    let run = source.map(16 * page).unwrap();
    // SAFETY: the run above, which nobody else uses.
    let ask = |buffer: &mut [Range<usize>]| unsafe { source.touched(run, 16 * page, buffer) };
    let mut found = [const { 0..0 }; 8];
    for index in [0, 3, 4, 9] {
        fill(at(run, index * page), page, 1);
    }
    match ask(&mut found) {
        Ok(answer) => {
            assert_eq!((answer.ranges, answer.searched), (3, 16 * page));
            let pages = [0..page, 3 * page..5 * page, 9 * page..10 * page];
            assert_eq!(found[..3], pages);
        }
        Err(error) => {
            assert_eq!(error.reason, Reason::Unsupported);
            // SAFETY: exactly the run mapped above, not used again.
            return unsafe { source.unmap(run, 16 * page) }.unwrap();
        }
    }
    // A page that was only read is no page that was written; one that holds zeros again is.
    assert!(all_are(at(run, 12 * page), page, 0));
    fill(at(run, 3 * page), 2 * page, 0);
    // A buffer that is too small ends the search where the next one goes on.
    let mut first = [const { 0..0 }; 1];
    let answer = ask(&mut first).unwrap();
    assert_eq!((answer.ranges, &first[0]), (1, &(0..page)));
    assert!((page..=3 * page).contains(&answer.searched));
    // What was discarded was not written since.
    // SAFETY: inside the run, readable and writable, contents given up.
    unsafe { source.discard(at(run, 4 * page), 2 * page) }.unwrap();
    assert_eq!(ask(&mut found).unwrap().ranges, 3);
    assert_eq!(
        found[..3],
        [0..page, 3 * page..4 * page, 9 * page..10 * page]
    );
    // Protections make no difference.
    // SAFETY: inside the run, and nobody holds references into it.
    unsafe { source.protect(at(run, 8 * page), 4 * page, Protection::None) }.unwrap();
    assert_eq!(ask(&mut found).unwrap().ranges, 3);
    // Without the first page, the answer is not believed.
    // SAFETY: inside the run, readable and writable, contents given up.
    unsafe { source.discard(run, page) }.unwrap();
    assert_eq!(ask(&mut found).unwrap_err().reason, Reason::NotARun);
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, 16 * page) }.unwrap();
}

fn locking_keeps_contents_and_survives_a_discard(source: &dyn PageSource) {
    let page = source.facts().page_size.get();
    let run = source.map(2 * page).unwrap();
    fill(run, 2 * page, 0x44);
    // SAFETY: inside the run and readable. Two pages are within every usual limit.
    unsafe { source.lock(run, 2 * page) }.unwrap();
    assert!(all_are(run, 2 * page, 0x44));
    // SAFETY: inside the run, readable and writable, contents given up.
    unsafe { source.discard(run, page) }.unwrap();
    assert!(all_are(run, page, 0), "a locked page was not discarded");
    assert!(all_are(at(run, page), page, 0x44));
    // SAFETY: inside the run, contents given up.
    unsafe { source.decommit(at(run, page), page) }.unwrap();
    // SAFETY: inside the run.
    unsafe { source.commit(at(run, page), page) }.unwrap();
    assert!(
        all_are(at(run, page), page, 0),
        "a locked page was not decommitted"
    );
    // SAFETY: inside the run.
    unsafe { source.unlock(run, 2 * page) }.unwrap();
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, 2 * page) }.unwrap();
}
