//! What a forbidden access does: it faults, in a child process that dies of it.
#![cfg(unix)]

mod common;

use core::ptr::NonNull;

use common::{at, bytes, fill};
use os::{OsPages, PageSource, Protection, Reason};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Survived,
    Faulted,
}

/// Forks, lets the child do one access, and reports how the child ended.
fn in_child(access: impl FnOnce()) -> Outcome {
    // SAFETY: the child only accesses memory and leaves, so nothing it inherited half-done matters.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        // A handler that was inherited (of the test harness, of a sanitizer) would report the
        // fault in its own way.
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            // SAFETY: the default action is a valid disposition for both.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        access();
        // SAFETY: leaves at once, running no code of the parent's.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: our own child, and a live local for the answer.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        assert!(
            [libc::SIGSEGV, libc::SIGBUS].contains(&signal),
            "died of signal {signal}"
        );
        return Outcome::Faulted;
    }
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        "status {status:#x}"
    );
    Outcome::Survived
}

fn read(address: NonNull<u8>) -> Outcome {
    in_child(|| {
        // SAFETY: faults, or reads a page of ours: that is the question.
        unsafe { address.read_volatile() };
    })
}

fn write(address: NonNull<u8>) -> Outcome {
    in_child(|| {
        // SAFETY: faults, or writes to the child's copy of a page of ours: that is the question.
        unsafe { address.write_volatile(1) };
    })
}

fn execute(address: NonNull<u8>) -> Outcome {
    in_child(|| {
        // SAFETY: the address is no null; calling it is the question, and the page holds `ret`.
        let function: extern "C" fn() = unsafe { core::mem::transmute(address) };
        function();
    })
}

#[test]
fn guards_around_committed_pages_fault_on_every_edge() {
    let source = OsPages::new();
    let page = source.facts().page_size.get();
    let run = source.reserve(4 * page).unwrap();
    let data = at(run, page);
    // SAFETY: inside the run.
    unsafe { source.commit(data, 2 * page) }.unwrap();
    for inside in [data, at(data, 2 * page - 1)] {
        assert_eq!(
            (read(inside), write(inside)),
            (Outcome::Survived, Outcome::Survived)
        );
    }
    for outside in [
        run,
        at(run, page - 1),
        at(data, 2 * page),
        at(run, 4 * page - 1),
    ] {
        assert_eq!(
            (read(outside), write(outside)),
            (Outcome::Faulted, Outcome::Faulted)
        );
    }
    // SAFETY: exactly the run reserved above, not used again.
    unsafe { source.unmap(run, 4 * page) }.unwrap();
}

#[test]
fn protections_forbid_what_they_say_and_nothing_else() {
    use Outcome::{Faulted, Survived};
    let source = OsPages::new();
    let page = source.facts().page_size.get();
    let run = source.map(3 * page).unwrap();
    let middle = at(run, page);
    let cases = [
        (Protection::None, Faulted, Faulted),
        (Protection::Read, Survived, Faulted),
        (Protection::ReadExecute, Survived, Faulted),
        (Protection::ReadWrite, Survived, Survived),
    ];
    for (protection, reading, writing) in cases {
        // SAFETY: inside the run, and nobody holds references into it.
        unsafe { source.protect(middle, page, protection) }.unwrap();
        assert_eq!(
            (read(middle), write(middle)),
            (reading, writing),
            "{protection:?}"
        );
        let neighbours = [at(middle, page), NonNull::new(run.as_ptr()).unwrap()];
        for neighbour in neighbours {
            assert_eq!(
                write(neighbour),
                Survived,
                "{protection:?} reached a neighbour"
            );
        }
    }
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, 3 * page) }.unwrap();
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
#[test]
fn only_executable_pages_execute() {
    const RETURN: u8 = 0xC3;
    let source = OsPages::new();
    let page = source.facts().page_size.get();
    let run = source.map(page).unwrap();
    fill(run, page, RETURN);
    assert_eq!(execute(run), Outcome::Faulted);
    for (protection, outcome) in [
        (Protection::Read, Outcome::Faulted),
        (Protection::ReadExecute, Outcome::Survived),
        (Protection::ReadWriteExecute, Outcome::Survived),
    ] {
        // SAFETY: inside the run, and nobody holds references into it.
        unsafe { source.protect(run, page, protection) }.unwrap();
        assert_eq!(execute(run), outcome, "{protection:?}");
    }
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, page) }.unwrap();
}

#[test]
fn decommitted_pages_fault() {
    let source = OsPages::new();
    let page = source.facts().page_size.get();
    let run = source.map(2 * page).unwrap();
    // SAFETY: inside the run, contents given up.
    unsafe { source.decommit(run, page) }.unwrap();
    assert_eq!(
        (read(run), write(run)),
        (Outcome::Faulted, Outcome::Faulted)
    );
    assert_eq!(write(at(run, page)), Outcome::Survived);
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, 2 * page) }.unwrap();
}

#[test]
fn probing_agrees_with_reading() {
    let source = OsPages::new();
    if !source.facts().can_probe {
        assert_eq!(source.probe(8).unwrap_err().reason, Reason::Unsupported);
        return;
    }
    let page = source.facts().page_size.get();
    let run = source.reserve(3 * page).unwrap();
    let start = run.addr().get();
    // SAFETY: inside the run.
    unsafe { source.commit(at(run, page), page) }.unwrap();
    for offset in [
        0,
        page - 1,
        page,
        page + 1,
        2 * page - 1,
        2 * page,
        3 * page - 1,
    ] {
        let readable = read(at(run, offset)) == Outcome::Survived;
        assert_eq!(readable, (page..2 * page).contains(&offset));
        assert_eq!(
            source.probe(start + offset),
            Ok(readable),
            "offset {offset}"
        );
    }
    for protection in [Protection::Read, Protection::None, Protection::ReadExecute] {
        // SAFETY: inside the run, and nobody holds references into it.
        unsafe { source.protect(at(run, page), page, protection) }.unwrap();
        assert_eq!(source.probe(start + page), Ok(protection.can_read()));
    }
    assert_eq!(source.probe(0), Ok(false));
    assert_eq!(source.probe(usize::MAX), Ok(false));
    assert_eq!(source.probe((&raw const page).addr()), Ok(true));
    // SAFETY: exactly the run reserved above, not used again.
    unsafe { source.unmap(run, 3 * page) }.unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_discarded_locked_page_stays_in_memory() {
    let source = OsPages::new();
    let page = source.facts().page_size.get();
    let run = source.map(page).unwrap();
    fill(run, page, 1);
    // SAFETY: inside the run and readable.
    unsafe { source.lock(run, page) }.unwrap();
    // SAFETY: inside the run, readable and writable, contents given up.
    unsafe { source.discard(run, page) }.unwrap();
    assert_eq!(source.resident(run, page), Ok(page));
    assert!(bytes(run, page).iter().all(|byte| *byte == 0));
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { source.unmap(run, page) }.unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn residence_is_counted_across_many_calls() {
    let source = OsPages::new();
    let page = source.facts().page_size.get();
    // More pages than one call asks about, and not a multiple of it.
    let len = (2 * 4096 + 100) * page;
    let run = source.reserve(len).unwrap();
    let touched = [0, 4095, 4096, 4097, 8191, 8192, 8291];
    for index in touched {
        // SAFETY: inside the run.
        unsafe { source.commit(at(run, index * page), page) }.unwrap();
        fill(at(run, index * page), 1, 1);
    }
    assert_eq!(source.resident(run, len), Ok(touched.len() * page));
    // SAFETY: exactly the run reserved above, not used again.
    unsafe { source.unmap(run, len) }.unwrap();
    assert!(
        source.resident(run, len).is_err(),
        "nothing is mapped there any more"
    );
}
