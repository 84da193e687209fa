//! qnx-facts §4.6: `realloc`.

mod support;

use qnx_libc::qnx::errno::ENOMEM;
use qnx_libc::qnx::mallopt::MONOTONIC_GROWTH;
use qnx_libc::qnx::prot;
use qnx_libc::*;
use support::*;

fn numbered(block: usize, len: usize) {
    (0..len)
        .step_by(509)
        .for_each(|at| write_byte(block + at, u8::try_from(at % 251).unwrap()));
}

fn is_numbered(block: usize, len: usize) -> bool {
    (0..len)
        .step_by(509)
        .all(|at| read_byte(block + at) == u8::try_from(at % 251).unwrap())
}

#[test]
fn section_4_6_null_and_zero() {
    let _turn = turn(700);
    let block = realloc(0, 1000);
    assert_eq!(block_of(block), Some((block, 1000)));
    let empty = realloc(block, 0);
    assert_ne!(empty, 0, "a block of no bytes, not null");
    assert_eq!(
        (stand_in_live_blocks(), stand_in_live_block_bytes()),
        (1, 0)
    );
    free(empty);
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_6_shrinking_stays_and_writes_into_the_tail() {
    let _turn = turn(700);
    let block = memalign(PAGE, 20 * PAGE).unwrap();
    assert_eq!(realloc(block, 10 * PAGE), block);
    let tail = block + 10 * PAGE;
    assert!(
        (tail..tail + 64).any(|at| read_byte(at) != HANDED_OUT),
        "a free block's words"
    );
    assert_eq!(block_of(block), Some((block, 10 * PAGE)));
    assert_eq!(realloc(block, 10 * PAGE - 50), block, "too little to cut");
    free(block);
    assert_eq!(stand_in_heap_bytes(), 0);
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_6_grows_in_place_into_a_free_block_behind() {
    let _turn = turn(700);
    let pair = [malloc(1000), malloc(1000)];
    free(pair[0]);
    assert_eq!(realloc(pair[1], 1500), pair[1]);
    assert!(malloc(300) > pair[1], "the surplus was split off");
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_6_2_and_3_large_blocks_move_and_lose_their_alignment() {
    for profile in [650, 660, 700, 710] {
        let _turn = turn(profile);
        let block = memalign(PAGE, 40 * PAGE).unwrap();
        numbered(block, 40 * PAGE);
        let moved = realloc(block, 60 * PAGE);
        assert_ne!(moved, block);
        let expected = if profile == 710 && WORD == 8 {
            48
        } else if WORD == 8 {
            40
        } else {
            24
        };
        assert_eq!(moved % PAGE, expected, "{profile}");
        assert!(is_numbered(moved, 40 * PAGE));
        free(moved);
        assert_eq!(stand_in_live_blocks(), 0);
        assert_eq!(complaints(), []);
    }
}

#[test]
fn section_4_6_1_growth_by_one_half() {
    let mapped_after_growth = |monotonic: isize, arena: isize| {
        let _turn = turn(700);
        option(MONOTONIC_GROWTH, monotonic);
        arena_size(arena);
        let block = malloc(1 << 20);
        let moved = realloc(block, (1 << 20) + PAGE);
        assert_eq!(block_of(moved), Some((moved, (1 << 20) + PAGE)));
        stand_in_heap_bytes()
    };
    assert!(mapped_after_growth(0, 32_768) > 3 << 19);
    assert!(mapped_after_growth(1, 32_768) < (1 << 20) + 3 * PAGE);
    // Four arenas of 256 KiB are 1 MiB; the usable size is a little more.
    assert!(mapped_after_growth(0, 262_144) > 3 << 19);
    let _turn = turn(700);
    arena_size(262_144);
    realloc(malloc(900_000), 1_000_000);
    assert!(stand_in_heap_bytes() < 1_010_000, "not above four arenas");
}

#[test]
fn section_4_6_1_the_surplus_takes_the_next_growth_in_place() {
    let _turn = turn(700);
    let moved = realloc(malloc(1 << 20), (1 << 20) + PAGE);
    // The request is below the usable size, so that it stays, and is cut to what was asked.
    assert_eq!(realloc(moved, 5 << 18), moved);
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_6_5_failure_keeps_the_old_block() {
    for profile in [650, 700, 800] {
        let _turn = turn(profile);
        let block = memalign(PAGE, 40 * PAGE).unwrap();
        numbered(block, 40 * PAGE);
        switch(
            Switch::MemoryLimit,
            isize::try_from(stand_in_heap_bytes()).unwrap(),
        );
        assert_eq!((realloc(block, 1 << 20), errno()), (0, ENOMEM));
        assert_eq!(block_of(block), Some((block, 40 * PAGE)));
        assert!(is_numbered(block, 40 * PAGE));
        assert_eq!(complaints(), []);
    }
}

#[test]
fn section_4_6_6_new_bytes_are_not_zero() {
    let _turn = turn(700);
    let block = malloc(100_000);
    let moved = realloc(block, 200_000);
    assert!(is_full_of(moved + 150_000, 50_000, HANDED_OUT));
}

#[test]
fn section_4_6_switches() {
    let _turn = turn(700);
    let block = memalign(PAGE, 40 * PAGE).unwrap();
    switch(Switch::ReallocMoves, 1);
    let moved = realloc(block, 20 * PAGE);
    assert_ne!(moved, block, "even to shrink");
    free(moved);
    switch(Switch::ReallocMoves, 0);
    switch(Switch::ReallocKeepsAlignment, 1);
    let moved = realloc(memalign(PAGE, 40 * PAGE).unwrap(), 80 * PAGE);
    assert_eq!(moved % PAGE, 0);
    free(moved);
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_6_4_guards_across_realloc_are_named_and_refused() {
    let _turn = turn(700);
    let block = memalign(PAGE, 20 * PAGE).unwrap();
    mprotect(block, PAGE, prot::NONE).unwrap();
    assert_eq!(realloc(block, 40 * PAGE), 0);
    assert_eq!(complaints(), [Complaint::ReallocOfProtected]);
    assert_eq!(block_of(block), Some((block, 20 * PAGE)));
    mprotect(block, PAGE, prot::READ_WRITE).unwrap();
    assert_ne!(realloc(block, 40 * PAGE), 0);
    assert_eq!(stand_in_check(), 1);
}

#[test]
fn section_4_9_realloc_of_8_0() {
    let _turn = turn(800);
    let block = memalign(PAGE, 1 << 20).unwrap();
    numbered(block, 1 << 20);
    assert_eq!(
        realloc(block, (1 << 20) - PAGE),
        block,
        "little unused: it stays"
    );
    let moved = realloc(block, 3 << 18);
    assert_ne!(moved, block, "much unused: it moves");
    assert!(is_numbered(moved, 3 << 18));
    free(moved);
    assert_eq!(complaints(), []);
}
