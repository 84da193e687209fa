//! Windows: what is closed is opened by whoever touches it, and nothing that was written is missed.
#![cfg(target_os = "linux")]
#![allow(
    clippy::single_range_in_vec_init,
    reason = "one range is what is expected"
)]

use core::ptr::NonNull;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::thread;

use os::{Counted, FailAt, OsCall, OsPages, PageSource, Protection, WindowedPages};

type Pages = WindowedPages<Counted<OsPages>>;

const PAGES: usize = 64;
/// Lives until the source is sure.
const WATCHED: usize = 4;

/// A run whose users touched the first page only, often enough.
struct Run {
    pages: Pages,
    start: NonNull<u8>,
    page: usize,
}

impl Run {
    /// `None` where this kernel cannot tell what was touched.
    fn closed() -> Option<Self> {
        WindowedPages::handle_faults().unwrap();
        let pages = WindowedPages::new(Counted::new(OsPages::new()));
        let page = pages.facts().page_size.get();
        let start = pages.map(PAGES * page).unwrap();
        let run = Self { pages, start, page };
        for _ in 0..=WATCHED {
            run.write(0);
            let mut found = [0..0];
            // SAFETY: the run above, which nobody else uses.
            unsafe { run.pages.touched(start, PAGES * page, &mut found) }.ok()?;
            assert_eq!(found[0], 0..page);
        }
        assert!(!run.is_open(1) && !run.is_open(PAGES - 1) && run.is_open(0));
        Some(run)
    }

    fn at(&self, index: usize) -> NonNull<u8> {
        // SAFETY: inside the run.
        unsafe { self.start.add(index * self.page) }
    }

    fn write(&self, index: usize) {
        // SAFETY: a page of the run, which nobody else uses.
        unsafe { self.at(index).write_volatile(1) };
    }

    fn read(&self, index: usize) -> u8 {
        // SAFETY: as above.
        unsafe { self.at(index).read_volatile() }
    }

    /// What the operating system lets instructions do, whoever handles faults.
    fn is_open(&self, index: usize) -> bool {
        let probed = self.pages.inner().probe(self.at(index).addr().get());
        probed.unwrap()
    }

    fn touched(&self) -> Vec<core::ops::Range<usize>> {
        self.write(0);
        let mut found = [const { 0..0 }; PAGES];
        let len = PAGES * self.page;
        // SAFETY: the test's own run, which nobody else uses.
        let answer = unsafe { self.pages.touched(self.start, len, &mut found) }.unwrap();
        assert_eq!(answer.searched, len);
        let pages =
            |bytes: &core::ops::Range<usize>| bytes.start / self.page..bytes.end / self.page;
        found[..answer.ranges].iter().map(pages).collect()
    }

    fn asked(&self) -> usize {
        self.pages.call_counts().unwrap().get(OsCall::Touched)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // SAFETY: exactly the run, used no more.
        unsafe { self.pages.unmap(self.start, PAGES * self.page) }.unwrap();
    }
}

#[test]
fn who_stays_in_the_window_asks_nobody() {
    let Some(run) = Run::closed() else { return };
    assert_eq!(run.touched(), [0..1]);
    let asked = run.asked();
    for _ in 0..100 {
        assert_eq!(run.touched(), [0..1]);
    }
    assert_eq!(run.asked(), asked);
    let end = run.at(PAGES - 1).addr().get();
    assert!(run.pages.probe(end).unwrap(), "it opens when it is read");
}

#[test]
fn a_touch_behind_the_window_opens_it_and_is_named() {
    let Some(run) = Run::closed() else { return };
    run.write(5);
    assert!(run.is_open(5) && !run.is_open(PAGES - 1));
    assert_eq!(run.touched(), [0..1, 5..6]);
    assert_eq!(run.read(PAGES - 1), 0);
    assert!(run.is_open(PAGES - 1));
    // Reading is not writing.
    assert_eq!(run.touched(), [0..1, 5..6]);
    run.write(PAGES - 1);
    assert_eq!(run.touched(), [0..1, 5..6, PAGES - 1..PAGES]);
}

#[test]
fn after_calm_lives_it_is_closed_again() {
    let Some(run) = Run::closed() else { return };
    run.write(40);
    assert_eq!(run.touched(), [0..1, 40..41]);
    let page = run.page;
    // SAFETY: pages of the run, readable and writable, whose contents nobody needs.
    unsafe { run.pages.discard(run.at(1), (PAGES - 1) * page) }.unwrap();
    for _ in 0..200 {
        assert_eq!(run.touched(), [0..1]);
    }
    assert!(!run.is_open(40) && !run.is_open(1));
    assert_eq!(run.read(40), 0);
}

#[test]
fn what_could_not_be_closed_is_asked_about() {
    let Some(run) = Run::closed() else { return };
    let page = run.page;
    drop(run);
    // The call that closes is refused, and then the one that undoes it, too.
    for refused in [1, 2] {
        let pages = WindowedPages::new(FailAt::new(OsPages::new()));
        let start = pages.map(PAGES * page).unwrap();
        // SAFETY: inside the run.
        let last = unsafe { start.add((PAGES - 1) * page) };
        let mut found = [const { 0..0 }; PAGES];
        for life in 0..3 * WATCHED {
            match refused {
                1 => pages.inner().fail_nth_of(OsCall::Protect, 1),
                // The question is the first call.
                _ => pages.inner().fail_from_nth(2),
            }
            // SAFETY: pages of the run, which nobody else uses.
            unsafe { start.write_volatile(1) };
            if life > 2 * WATCHED {
                // SAFETY: as above.
                unsafe { last.write_volatile(1) };
            }
            // SAFETY: the run above, which nobody else uses.
            let answer = unsafe { pages.touched(start, PAGES * page, &mut found) };
            pages.inner().clear();
            let Ok(answer) = answer else { continue };
            let named = found[..answer.ranges].last().unwrap().end;
            assert_eq!(named == PAGES * page, life > 2 * WATCHED, "life {life}");
        }
        // SAFETY: exactly the run, used no more.
        unsafe { pages.unmap(start, PAGES * page) }.unwrap();
    }
}

#[test]
fn system_calls_are_refused_behind_the_window() {
    let Some(run) = Run::closed() else { return };
    let read_into = |index: usize| {
        // SAFETY: a page of the run, initialised, which nobody else uses.
        let buffer = unsafe { core::slice::from_raw_parts_mut(run.at(index).as_ptr(), 16) };
        File::open("/dev/zero").unwrap().read(buffer)
    };
    assert_eq!(read_into(0).unwrap(), 16);
    let refused = read_into(30).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(14), "EFAULT: {refused}");
    assert_ne!(refused.kind(), ErrorKind::Interrupted);
    run.write(30);
    assert_eq!(read_into(30).unwrap(), 16);
}

#[test]
fn other_changes_find_it_open() {
    let changes: [fn(&Run); 4] = [
        // SAFETY: pages of the run, which nobody else uses.
        |run| unsafe { run.pages.commit(run.at(8), run.page) }.unwrap(),
        // SAFETY: as above.
        |run| unsafe { run.pages.protect(run.at(8), run.page, Protection::Read) }.unwrap(),
        // SAFETY: as above.
        |run| unsafe { run.pages.prefault(run.at(8), run.page) }.unwrap(),
        // SAFETY: as above.
        |run| unsafe { run.pages.decommit(run.at(8), run.page) }.unwrap(),
    ];
    for change in changes {
        let Some(run) = Run::closed() else { return };
        change(&run);
        assert!(run.is_open(1) && run.is_open(PAGES - 1));
    }
}

/// A memory that comes with this size and with that: pages closed under one are found under the other.
#[test]
fn sizes_that_take_turns_are_told_apart() {
    let Some(run) = Run::closed() else { return };
    let mut found = [const { 0..0 }; PAGES];
    for life in 0..200 {
        let pages = [PAGES, PAGES / 2, 3 * PAGES / 4][life / 20 % 3];
        run.write(0);
        let deep = life % 17 == 0;
        if deep {
            run.write(pages - 1);
            run.write(pages - 2);
        }
        let len = pages * run.page;
        // SAFETY: as above.
        let answer = unsafe { run.pages.touched(run.start, len, &mut found) }.unwrap();
        let named = found[..answer.ranges].iter();
        let last = named.map(|range| range.end).max().unwrap();
        assert!(!deep || last == len, "life {life}");
        for index in 1..pages {
            assert_eq!(run.read(index), u8::from(deep && index + 2 >= pages));
        }
        // What is named is cleaned, as its user would.
        for index in 1..pages {
            if deep && index + 2 >= pages {
                // SAFETY: a page of the run, which nobody else uses.
                unsafe { run.at(index).write_bytes(0, run.page) };
            }
        }
    }
}

#[test]
fn a_new_run_in_the_same_place_is_not_taken_for_the_old() {
    let Some(run) = Run::closed() else { return };
    let start = run.start;
    drop(run);
    for _ in 0..50 {
        let Some(run) = Run::closed() else { return };
        run.write(PAGES - 1);
        assert_eq!(run.touched(), [0..1, PAGES - 1..PAGES]);
        if run.start == start {
            return;
        }
    }
}

#[test]
fn threads_open_what_they_share_and_what_they_do_not() {
    let Some(run) = Run::closed() else { return };
    let (address, page) = (run.start.as_ptr().expose_provenance(), run.page);
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for index in (thread..PAGES).step_by(4) {
                    let byte = core::ptr::with_exposed_provenance_mut::<u8>(address + index * page);
                    // SAFETY: a page of the run, and this thread's alone.
                    unsafe { byte.write_volatile(1) };
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                if let Some(own) = Run::closed() {
                    own.write(33);
                    assert_eq!(own.touched(), [0..1, 33..34]);
                }
            }
        });
    });
    assert_eq!(run.touched(), [0..PAGES]);
}

/// A handler that came after ours hands back what is not its own; then ours goes in front again.
#[test]
fn handlers_that_point_at_each_other_do_not_turn_in_circles() {
    use core::ffi::{c_int, c_void};
    use core::sync::atomic::{AtomicUsize, Ordering};

    static NEXT: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
        // SAFETY: ours, as found when this one was installed.
        let next = unsafe { core::mem::transmute::<usize, Handler>(NEXT.load(Ordering::Relaxed)) };
        next(signal, info, context);
    }
    let pages = OsPages::new();
    let page = pages.facts().page_size.get();
    let nowhere = pages.reserve(page).unwrap();
    WindowedPages::handle_faults().unwrap();
    // SAFETY: the child only handles signals, accesses memory and leaves.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        let mut action = core::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: asks for the handler there is: ours.
        unsafe { libc::sigaction(libc::SIGSEGV, core::ptr::null(), action.as_mut_ptr()) };
        // SAFETY: written by the call above.
        let mut action = unsafe { action.assume_init() };
        NEXT.store(action.sa_sigaction, Ordering::Relaxed);
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = pass_on;
        action.sa_sigaction = handler as usize;
        // SAFETY: the handler passes everything on.
        unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, core::ptr::null_mut()) };
        let handled = WindowedPages::handle_faults().is_ok();
        // SAFETY: a fault, which must end this process.
        unsafe { nowhere.read_volatile() };
        // SAFETY: leaves at once.
        unsafe { libc::_exit(i32::from(handled)) };
    }
    let mut status = 0;
    // SAFETY: our own child, and a live local for the answer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFSIGNALED(status), "status {status:#x}");
    // SAFETY: exactly the run.
    unsafe { pages.unmap(nowhere, page) }.unwrap();
}
