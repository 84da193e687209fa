//! qnx-facts §1: commands, ranges, results of `mallopt`.

mod support;

use qnx_libc::qnx::errno::EINVAL;
use qnx_libc::qnx::mallopt::*;
use qnx_libc::{Complaint, Setting, Switch};
use support::*;

const ARENA_PROFILES: [u32; 4] = [650, 660, 700, 710];

#[test]
fn section_1_2_commands_of_each_version() {
    for (profile, last) in [(650, 12), (660, 17), (700, 17), (710, 17)] {
        let _turn = turn(profile);
        for command in [VERIFY, VERIFY_ON, FREE_CHECK, MONOTONIC_GROWTH, MEMORY_HOLD] {
            assert_eq!(option(command, 0), 0, "{profile} {command}");
        }
        for command in last..=last + 6 {
            assert_eq!(option(command, 1), 0, "{profile} {command}");
        }
        for command in [-1, 10, 11, last + 7, 100, 125] {
            set_errno(0);
            assert_eq!(
                (option(command, 1), errno()),
                (-1, EINVAL),
                "{profile} {command}"
            );
        }
    }
}

#[test]
fn section_1_3_arena_size() {
    for profile in ARENA_PROFILES {
        let _turn = turn(profile);
        assert_eq!(arena_size(0), 32_768);
        assert_eq!(arena_size(65_536), 32_768);
        assert_eq!(arena_size(4097), 65_536);
        assert_eq!(arena_size(0), 8192, "rounded up to pages");
        assert_eq!(arena_size(262_144), 8192, "inclusive");
        for wrong in [1, 4095, 262_145, -1, 0x7FFF_FFFF] {
            set_errno(0);
            assert_eq!((arena_size(wrong), errno()), (-1, EINVAL), "{wrong}");
        }
        switch(Switch::ArenaSizeExclusive, 1);
        assert_eq!(arena_size(262_144), -1);
        assert_eq!(arena_size(258_048), 262_144);
        assert_eq!(setting(Setting::ArenaSize), 258_048);
    }
}

#[test]
fn section_1_3_arena_size_is_that_of_the_next_arena() {
    let _turn = turn(700);
    arena_size(131_072);
    let first = malloc(1000);
    assert_eq!(qnx_libc::stand_in_heap_bytes(), 131_072);
    free(first);
}

#[test]
fn section_1_3_1_limits_answer_with_the_previous_value() {
    for profile in ARENA_PROFILES {
        let _turn = turn(profile);
        assert_eq!(option(CACHE_MAXBLK, 4), 12);
        assert_eq!(option(CACHE_MAXBLK, 5), 4);
        assert_eq!(option(CACHE_MAXSZ, 400_000), 0);
        assert_eq!(option(CACHE_MAXSZ, 1), 400_000);
        for command in [CACHE_MAXSZ, CACHE_MAXBLK, CACHE_FREE_NOW] {
            set_errno(0);
            assert_eq!((option(command, -1), errno()), (-1, EINVAL));
        }
        assert_eq!(setting(Setting::CacheMaxBlocks), 5);
        assert_eq!(setting(Setting::CacheMaxBytes), 1);
        switch(Switch::PreviousValues, 0);
        assert_eq!((option(CACHE_MAXBLK, 4), option(CACHE_MAXSZ, 4)), (0, 0));
    }
}

#[test]
fn section_1_3_2_minus_one_as_a_success() {
    let _turn = turn(710);
    assert_eq!(option(MEMORY_HOLD, 1), 0);
    set_errno(0);
    assert_eq!((option(CACHE_MAXBLK, 8), errno()), (-1, 0));
    assert_eq!((option(CACHE_MAXSZ, 65_536), errno()), (-1, 0));
    assert_eq!(option(CACHE_MAXBLK, 8), 8);
    assert_eq!(option(MEMORY_HOLD, 0), 0);
    assert_eq!(
        (option(CACHE_MAXBLK, 12), option(CACHE_MAXSZ, 0)),
        (0, 0),
        "off is 0 and 0"
    );
}

#[test]
fn section_1_3_4_values_are_narrowed_to_int() {
    let _turn = turn(710);
    if WORD == 8 {
        assert_eq!(
            arena_size(isize::MAX / 2 + 1),
            32_768,
            "the lower half is 0: a query"
        );
        assert_eq!(setting(Setting::ArenaSize), 32_768);
    } else {
        assert_eq!(arena_size(isize::MAX), -1);
    }
}

#[test]
fn section_1_3_failed_calls_leave_errno_of_successes_alone() {
    let _turn = turn(700);
    set_errno(77);
    assert_eq!(option(VERIFY, 0), 0);
    assert_eq!(errno(), 77);
}

#[test]
fn section_1_4_free_now() {
    let _turn = turn(650);
    let fill = || {
        let blocks = [malloc(100_000), malloc(100_000)];
        blocks.into_iter().for_each(free);
    };
    fill();
    assert!(qnx_libc::stand_in_cached_bytes() > 200_000);
    assert_eq!(option(CACHE_FREE_NOW, 1), 0);
    assert_eq!(qnx_libc::stand_in_cached_bytes(), 0);
    assert_eq!(setting(Setting::CacheMaxBlocks), 12, "limits are kept");
    fill();
    assert_eq!(option(CACHE_FREE_NOW, 0), 0);
    assert_eq!(
        qnx_libc::stand_in_cached_bytes(),
        0,
        "with no byte limit, 0 empties everything too"
    );
    option(MEMORY_HOLD, 1);
    fill();
    option(CACHE_FREE_NOW, 0);
    assert!(
        qnx_libc::stand_in_cached_bytes() > 200_000,
        "held memory is within the limits"
    );
    option(CACHE_FREE_NOW, 1);
    assert_eq!(qnx_libc::stand_in_heap_bytes(), 0);
}

#[test]
fn section_1_6_live_and_deprecated_commands_of_8_0() {
    let _turn = turn(800);
    assert_eq!(option(20, 1 << 20), 0);
    assert_eq!(option(22, 1 << 17), 0);
    assert_eq!(option(24, 0), 0);
    assert_eq!(setting(Setting::TrimThreshold), 1 << 20);
    assert_eq!(setting(Setting::MmapThreshold), 1 << 17);
    assert_eq!(
        setting(Setting::Granularity),
        4096,
        "0 selects the page size"
    );
    for wrong in [2048, 12_288, -4096] {
        set_errno(0);
        assert_eq!((option(24, wrong), errno()), (-1, EINVAL), "{wrong}");
    }
    for command in (0..=19).chain([21, 23]) {
        set_errno(0);
        assert_eq!((option(command, 0), errno()), (-1, EINVAL), "{command}");
    }
    switch(Switch::DeprecatedRefused, 0);
    switch(Switch::LiveSuccess, 1);
    for command in (0..=19).chain([21, 23]) {
        assert_eq!(option(command, 0), 0, "{command}");
    }
    assert_eq!(option(20, 0), 1);
    assert_eq!(option(25, 0), -1);
    assert_eq!(option(100, 0), -1);
}

#[test]
fn section_10_statistics_to_nowhere() {
    let _turn = turn(710);
    for nowhere in [0, 1, 4096, 65_536] {
        assert_eq!(option(STATS, nowhere), -1);
    }
    let guard = mmap_at(0, PAGE, 0, ANONYMOUS).unwrap();
    assert_eq!(option(STATS, guard.cast_signed()), -1);
    assert_eq!(complaints(), [Complaint::StatsToNowhere; 5]);
    munmap(guard, PAGE).unwrap();
}
