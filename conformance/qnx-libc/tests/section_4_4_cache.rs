//! qnx-facts §4.4: the cache of arenas and its limits.

mod support;

use qnx_libc::qnx::mallopt::*;
use qnx_libc::*;
use support::*;

fn in_cache_after_freeing(sizes: &[usize]) -> usize {
    let blocks: Vec<usize> = sizes.iter().map(|&size| malloc(size)).collect();
    blocks.into_iter().for_each(free);
    stand_in_cached_bytes()
}

#[test]
fn section_4_4_large_blocks_are_cached_on_6_5_only() {
    for (profile, cached) in [
        (650, true),
        (660, false),
        (700, false),
        (710, false),
        (800, false),
    ] {
        let _turn = turn(profile);
        let bytes = in_cache_after_freeing(&[1 << 24]);
        assert_eq!(bytes > 1 << 24, cached, "{profile}");
        assert_eq!(stand_in_heap_bytes(), bytes);
    }
}

#[test]
fn section_4_4_arenas_are_cached_up_to_the_arena_size() {
    for profile in [660, 700, 710] {
        let _turn = turn(profile);
        assert_eq!(in_cache_after_freeing(&[1000]), 32_768);
        assert_eq!(
            in_cache_after_freeing(&[1000, 40_000]),
            32_768,
            "two arenas are too large"
        );
        arena_size(65_536);
        option(CACHE_FREE_NOW, 1);
        assert_eq!(in_cache_after_freeing(&[40_000]), 65_536);
    }
}

#[test]
fn section_4_4_the_switch_overrides_the_profile() {
    let _turn = turn(710);
    switch(Switch::LargeBlocksCached, 1);
    assert!(in_cache_after_freeing(&[1 << 20]) > 1 << 20);
    let _turn = {
        drop(_turn);
        turn(650)
    };
    switch(Switch::LargeBlocksCached, 0);
    assert_eq!(in_cache_after_freeing(&[1 << 20]), 0);
    switch(Switch::LargeBlocksCached, -1);
    assert!(in_cache_after_freeing(&[1 << 20]) > 1 << 20);
}

#[test]
fn section_4_4_hold_caches_everything() {
    let _turn = turn(710);
    option(MEMORY_HOLD, 1);
    assert_eq!(setting(Setting::Hold), 1);
    assert!(in_cache_after_freeing(&[1 << 20; 20]) > 20 << 20);
    option(MEMORY_HOLD, 0);
    assert_eq!(setting(Setting::Hold), 0);
    option(CACHE_FREE_NOW, 1);
    assert_eq!(
        in_cache_after_freeing(&[1000]),
        0,
        "off is caching off, not the defaults"
    );
}

#[test]
fn section_4_4_twelve_by_default() {
    let _turn = turn(650);
    assert_eq!(in_cache_after_freeing(&[61_440 + 4096; 15]), 12 * 69_632);
}

#[test]
fn section_4_4_limits() {
    let _turn = turn(650);
    option(CACHE_MAXBLK, 3);
    assert_eq!(in_cache_after_freeing(&[65_536; 5]), 3 * 69_632);
    option(CACHE_FREE_NOW, 1);
    option(CACHE_MAXBLK, 0);
    assert_eq!(
        in_cache_after_freeing(&[65_536; 5]),
        0,
        "both limits 0: off"
    );
    option(CACHE_MAXSZ, 2 * 69_632);
    assert_eq!(
        in_cache_after_freeing(&[65_536; 5]),
        2 * 69_632,
        "no limit of the count"
    );
}

#[test]
fn section_1_3_3_lower_limits_act_later() {
    let _turn = turn(650);
    assert_eq!(in_cache_after_freeing(&[65_536; 5]), 5 * 69_632);
    option(CACHE_MAXBLK, 1);
    assert_eq!(stand_in_cached_bytes(), 5 * 69_632);
    option(CACHE_FREE_NOW, 1);
    assert_eq!(stand_in_cached_bytes(), 0);
}

#[test]
fn section_4_4_a_stack_that_is_split_first_fit() {
    let _turn = turn(650);
    let sizes = [1 << 20, 200_000, 1 << 19];
    let blocks = sizes.map(malloc);
    blocks.into_iter().for_each(free);
    let before = stand_in_cached_bytes();
    let taken = malloc(150_000);
    assert_eq!(
        taken, blocks[2],
        "the first large enough from the top, not the best"
    );
    assert_eq!(stand_in_heap_bytes(), before, "no new mapping");
    assert_eq!(
        stand_in_cached_bytes(),
        before - 151_552,
        "the rest went back"
    );
    free(taken);
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_2_3_a_small_surplus_stays_with_the_block() {
    let _turn = turn(650);
    free(malloc(100_000));
    let block = memalign(PAGE, 65_536).unwrap();
    assert_eq!(stand_in_cached_bytes(), 0);
    let slack = qnx_mallinfo_800().fordblks;
    assert!(slack > 2 * PAGE, "p is farther from its base: {slack}");
    free(block);
}

#[test]
fn section_4_4_lowered_limits_lose_the_rest_of_a_split() {
    let _turn = turn(650);
    free(malloc(1 << 20));
    free(malloc(1000));
    option(CACHE_MAXBLK, 1);
    let block = malloc(100_000);
    assert!(stand_in_lost_bytes() > 900_000);
    free(block);
    option(CACHE_FREE_NOW, 1);
    assert_eq!(
        stand_in_heap_bytes(),
        stand_in_lost_bytes(),
        "neither cached nor unmapped"
    );
}

#[test]
fn section_4_4_a_live_block_keeps_its_arena() {
    let _turn = turn(700);
    let pair = [malloc(1000), malloc(1000)];
    free(pair[0]);
    option(CACHE_FREE_NOW, 1);
    assert_eq!(stand_in_heap_bytes(), 32_768);
    free(pair[1]);
    option(CACHE_FREE_NOW, 1);
    assert_eq!(stand_in_heap_bytes(), 0);
}
