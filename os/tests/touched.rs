//! Pages that may hold data: what the platform says of them after a fork, and under pressure.
#![cfg(target_os = "linux")]
#![allow(
    clippy::single_range_in_vec_init,
    reason = "one range is what is expected"
)]

mod common;

use core::ops::Range;

use os::{OsPages, PageSource, Reason};

use common::{at, bytes, fill};

/// The pages of a run of 8 that are named, or nothing if this kernel cannot tell.
fn named(pages: &OsPages, run: core::ptr::NonNull<u8>) -> Option<Vec<Range<usize>>> {
    let page = pages.facts().page_size.get();
    let mut found = [const { 0..0 }; 8];
    // SAFETY: the test's own run, which nobody else uses.
    match unsafe { pages.touched(run, 8 * page, &mut found) } {
        Ok(answer) => {
            assert_eq!(answer.searched, 8 * page);
            Some(found[..answer.ranges].to_vec())
        }
        Err(error) => {
            assert_eq!(error.reason, Reason::Unsupported);
            None
        }
    }
}

/// The descriptor that a child inherits speaks of its parent: the child must not use it.
#[test]
fn a_child_is_told_about_its_own_pages() {
    let pages = OsPages::new();
    let page = pages.facts().page_size.get();
    let run = pages.map(8 * page).unwrap();
    fill(run, page, 1);
    let Some(before) = named(&pages, run) else {
        return;
    };
    assert_eq!(before, [0..page]);
    // SAFETY: the child only touches its own memory, and ends without running destructors.
    let child = unsafe { libc::fork() };
    if child == 0 {
        fill(at(run, 2 * page), page, 2);
        let told = named(&pages, run);
        let right = told.is_some_and(|told| told == [0..page, 2 * page..3 * page]);
        // SAFETY: ends this process and nothing else.
        unsafe { libc::_exit(i32::from(!right)) };
    }
    assert!(child > 0);
    let mut status = -1;
    // SAFETY: the place for the status is a live local.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child was told about another process");
    assert_eq!(named(&pages, run), Some(vec![0..page]));
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { pages.unmap(run, 8 * page) }.unwrap();
}

/// Pages on their way out of memory, and out of it where there is a swap, are named all the same.
#[test]
fn a_page_that_was_paged_out_is_named() {
    let pages = OsPages::new();
    let page = pages.facts().page_size.get();
    let run = pages.map(8 * page).unwrap();
    fill(run, page, 1);
    fill(at(run, 5 * page), page, 3);
    if named(&pages, run).is_none() {
        return;
    }
    for _ in 0..100 {
        // SAFETY: paging out keeps contents; the range is our own.
        unsafe { libc::madvise(run.as_ptr().cast(), 8 * page, libc::MADV_PAGEOUT) };
        let named = named(&pages, run);
        assert_eq!(named, Some(vec![0..page, 5 * page..6 * page]));
    }
    assert!(bytes(at(run, 5 * page), page).iter().all(|&byte| byte == 3));
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { pages.unmap(run, 8 * page) }.unwrap();
}

/// A descriptor closed behind our back leads to a refusal, not to a wrong answer.
#[test]
fn a_descriptor_that_was_closed_is_noticed_and_replaced() {
    let pages = OsPages::new();
    let page = pages.facts().page_size.get();
    let run = pages.map(8 * page).unwrap();
    fill(run, page, 1);
    if named(&pages, run).is_none() {
        return;
    }
    // In a child, so that the descriptor of this process stays what it is.
    // SAFETY: the child only touches its own memory, and ends without running destructors.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let first = named(&pages, run);
        // SAFETY: closes descriptors of this process alone, which uses none of them any more.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
        let mut found = [const { 0..0 }; 8];
        // SAFETY: the run above, which nobody else uses.
        let without = unsafe { pages.touched(run, 8 * page, &mut found) };
        // The next question opens the file anew.
        let again = named(&pages, run);
        let right = first.is_some() && closed == 0 && without.is_err() && again == first;
        // SAFETY: ends this process and nothing else.
        unsafe { libc::_exit(i32::from(!right)) };
    }
    let mut status = -1;
    // SAFETY: the place for the status is a live local.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "an answer without a descriptor");
    // SAFETY: exactly the run mapped above, not used again.
    unsafe { pages.unmap(run, 8 * page) }.unwrap();
}
