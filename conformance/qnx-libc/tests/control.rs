//! Counts, failures on purpose, leaks, limits of the control interface.

mod support;

use core::ffi::CStr;

use qnx_libc::qnx::errno::*;
use qnx_libc::qnx::prot;
use qnx_libc::*;
use support::*;

/// One call of each function that can fail, in order, and how it answered.
fn scenario() -> Vec<(Call, Result<(), i32>)> {
    let null = |address: usize| if address == 0 { Err(errno()) } else { Ok(()) };
    let mut place = RLimit::default();
    // SAFETY: the place is a local of ours.
    let mut limit = || unsafe { qnx_getrlimit(2, &raw mut place) };
    let mut info = [0_u64; 8];
    let base = mmap_at(0, PAGE, prot::READ_WRITE, ANONYMOUS);
    let page = base.unwrap_or(0);
    let aligned = memalign(PAGE, PAGE);
    let block = malloc(100);
    let old = malloc(100);
    let grown = realloc(old, 70_000);
    let answers = vec![
        (Call::Mmap, base.map(drop)),
        (Call::PosixMemalign, aligned.map(drop)),
        (Call::Malloc, null(block)),
        (Call::Realloc, null(grown)),
        (Call::Mallopt, checked(option(0, 0))),
        (Call::Mprotect, mprotect(page, PAGE, prot::READ_WRITE)),
        (Call::Mlock, mlock(page, PAGE)),
        (Call::Munlock, munlock(page, PAGE)),
        (Call::Getrlimit, checked(limit())),
        (Call::SchedCtl, {
            // SAFETY: the block has 64 bytes.
            checked(unsafe { qnx_SchedCtl(200, info.as_mut_ptr().cast(), 64) })
        }),
        (Call::Munmap, munmap(page, PAGE)),
    ];
    for block in [
        aligned.unwrap_or(0),
        block,
        if grown == 0 { old } else { grown },
    ] {
        free(block);
    }
    if answers[10].1.is_err() && page != 0 {
        munmap(page, PAGE).unwrap();
    }
    answers
}

#[test]
fn each_call_fails_with_the_error_qnx_would_give() {
    let expected = [
        (Call::Mmap, ENOMEM),
        (Call::PosixMemalign, ENOMEM),
        (Call::Malloc, ENOMEM),
        (Call::Realloc, ENOMEM),
        (Call::Mallopt, EINVAL),
        (Call::Mprotect, ENOMEM),
        (Call::Mlock, EAGAIN),
        (Call::Munlock, ENOMEM),
        (Call::Getrlimit, EINVAL),
        (Call::SchedCtl, EACCES),
        (Call::Munmap, ENOMEM),
    ];
    for (call, error) in expected {
        let _turn = turn(710);
        assert_eq!(stand_in_fail_nth_of(call as u32, 1), 0);
        let answers = scenario();
        let answer = answers.iter().find(|(other, _)| *other == call).unwrap().1;
        assert_eq!(answer, Err(error), "{call:?}");
        assert_eq!(stand_in_failures(), 1);
        assert_eq!(
            (
                stand_in_live_blocks(),
                stand_in_mappings(),
                stand_in_check()
            ),
            (0, 0, 0)
        );
        assert!(scenario().iter().all(|(_, answer)| answer.is_ok()), "once");
    }
}

#[test]
fn the_nth_of_all_and_all_from_the_nth() {
    let _turn = turn(710);
    scenario();
    let calls = stand_in_failable_calls();
    assert_eq!(calls, 12);
    for n in 1..=calls {
        stand_in_forget_calls();
        stand_in_fail_nth(n);
        scenario();
        assert_eq!(stand_in_failures(), 1, "{n}");
    }
    stand_in_forget_calls();
    stand_in_fail_nth(calls * 3);
    stand_in_fail_nth(0);
    (0..4).for_each(|_| drop(scenario()));
    assert_eq!(stand_in_failures(), 0, "0 is never");
    stand_in_forget_calls();
    stand_in_fail_from(3);
    assert_ne!(malloc(1), 0);
    assert_ne!(malloc(1), 0);
    assert_eq!((malloc(1), errno()), (0, ENOMEM));
    assert_eq!((malloc(1), mlock(0, 0)), (0, Err(EAGAIN)));
    assert_eq!(stand_in_failures(), 3);
}

#[test]
fn the_second_of_a_kind() {
    let _turn = turn(710);
    assert_eq!(stand_in_fail_nth_of(Call::Malloc as u32, 2), 0);
    let aligned = memalign(PAGE, 1).unwrap();
    assert_ne!(malloc(1), 0);
    assert_ne!(realloc(aligned, 9), 0);
    assert_eq!(malloc(1), 0);
    assert_ne!(malloc(1), 0);
    for cannot_fail in [Call::Free, Call::Mallinfo, Call::Sysconf, Call::Abort] {
        assert_eq!(stand_in_fail_nth_of(cannot_fail as u32, 1), -1);
    }
    assert_eq!(stand_in_fail_nth_of(1000, 1), -1);
}

#[test]
fn an_injected_failure_of_memalign_follows_the_switch() {
    let _turn = turn(650);
    switch(Switch::MemalignMinusOne, 1);
    stand_in_fail_nth(1);
    assert_eq!(memalign(PAGE, PAGE), Err(-1));
    assert_eq!(errno(), ENOMEM);
}

#[test]
fn every_call_is_counted_by_its_name() {
    let _turn = turn(710);
    scenario();
    qnx_sched_yield();
    qnx_sysconf(11);
    qnx_mallinfo();
    // SAFETY: the name is a C string; no other test of this program changes the environment.
    unsafe { qnx_getenv(c"PATH".as_ptr()) };
    let counted = [
        (Call::Malloc, 2, c"malloc"),
        (Call::Free, 3, c"free"),
        (Call::Mmap, 1, c"mmap"),
        (Call::SchedYield, 1, c"sched_yield"),
        (Call::Sysconf, 1, c"sysconf"),
        (Call::Mallinfo, 1, c"mallinfo"),
        (Call::Getenv, 1, c"getenv"),
        (Call::GetErrnoPtr, 1, c"__get_errno_ptr"),
        (Call::Abort, 0, c"abort"),
    ];
    for (call, count, name) in counted {
        assert_eq!(calls(call), count, "{call:?}");
        // SAFETY: the names are static C strings.
        let told = unsafe { CStr::from_ptr(stand_in_call_name(call as u32)) };
        assert_eq!(told, name);
    }
    stand_in_forget_calls();
    assert!(Call::ALL.iter().all(|&call| calls(call) == 0));
}

#[test]
fn numbers_of_calls_switches_and_settings_are_their_places() {
    let _turn = turn(710);
    assert_eq!(stand_in_call_kinds() as usize, Call::ALL.len());
    for (index, call) in Call::ALL.iter().enumerate() {
        assert_eq!(*call as usize, index);
    }
    for (index, switch) in Switch::ALL.iter().enumerate() {
        assert_eq!(*switch as usize, index);
        assert_eq!(stand_in_switch(*switch as u32, -2), -1, "{switch:?}");
    }
    for (index, setting) in Setting::ALL.iter().enumerate() {
        assert_eq!(*setting as usize, index);
    }
    assert!(stand_in_call_name(stand_in_call_kinds()).is_null());
    assert_eq!(stand_in_switch(1000, 0), -1);
    assert_eq!(stand_in_setting(1000), -1);
    assert_eq!(stand_in_calls(1000), 0);
}

#[test]
fn reset_gives_everything_back() {
    let turn = turn(650);
    let base = mmap(10 * PAGE);
    mlock(base, PAGE).unwrap();
    memalign(PAGE, 1 << 20).unwrap();
    free(malloc(1 << 20));
    option(qnx::mallopt::MEMORY_HOLD, 1);
    switch(Switch::MemalignMinusOne, 1);
    stand_in_limit(2, 1);
    stand_in_fail_nth(5);
    assert_eq!(
        (stand_in_live_blocks(), stand_in_live_block_bytes()),
        (1, 1 << 20)
    );
    assert_eq!(
        (stand_in_mappings(), stand_in_mapped_bytes()),
        (1, 10 * PAGE)
    );
    assert!(stand_in_heap_bytes() > 2 << 20);
    for wrong in [0, 651, 720, 900] {
        assert_eq!(stand_in_reset(wrong), -1);
    }
    assert_eq!(
        (stand_in_profile(), stand_in_live_blocks()),
        (650, 1),
        "nothing done"
    );
    assert_eq!(stand_in_reset(710), 0);
    assert_eq!(stand_in_profile(), 710);
    assert_eq!(
        (
            stand_in_live_blocks(),
            stand_in_mappings(),
            stand_in_heap_bytes()
        ),
        (0, 0, 0)
    );
    assert_eq!((stand_in_locked_bytes(), stand_in_failable_calls()), (0, 0));
    assert_eq!(setting(Setting::Hold), 0);
    assert_eq!(stand_in_protection(base), -1);
    assert!((0..10).all(|_| malloc(1) != 0));
    assert_eq!(memalign(3, 1), Err(EINVAL));
    drop(turn);
}

#[test]
fn blocks_by_address() {
    let _turn = turn(710);
    let base = memalign(PAGE, 1000).unwrap();
    let (mut start, mut len) = (0, 0);
    let mut ask = |address: usize| {
        // SAFETY: both places are locals of ours.
        let answer = unsafe { stand_in_block_of(address, &raw mut start, &raw mut len) };
        (answer, start, len)
    };
    assert_eq!(ask(base + 999), (0, base, 1000));
    assert_eq!(ask(base + 1000).0, -1);
    assert_eq!(ask(base - 1).0, -1);
    free(base);
    assert_eq!(ask(base).0, -1);
}

#[test]
fn threads_share_the_heap() {
    let _turn = turn(710);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..100 {
                    let block = malloc(100 + round * 50);
                    let grown = realloc(block, 10_000 + round);
                    free(grown);
                }
            });
        }
    });
    assert_eq!((stand_in_live_blocks(), stand_in_check()), (0, 0));
    assert_eq!((calls(Call::Malloc), calls(Call::Free)), (400, 400));
}

#[test]
fn sleeping_takes_time_and_writing_passes_errors_in_qnx_numbers() {
    let _turn = turn(710);
    let before = std::time::Instant::now();
    assert_eq!(checked(qnx_usleep(2000)), Ok(()));
    assert!(before.elapsed() >= core::time::Duration::from_micros(2000));
    // SAFETY: one byte of a static is readable.
    assert_eq!(unsafe { qnx_write(-1, b"x".as_ptr().cast(), 1) }, -1);
    assert_eq!(errno(), 9, "a bad descriptor has one number everywhere");
}
