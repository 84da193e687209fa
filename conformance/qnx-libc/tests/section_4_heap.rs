//! qnx-facts §3 and §4: blocks, arenas, free lists, dirty memory.

mod support;

use core::ffi::c_int;

use qnx_libc::qnx::errno::{EINVAL, ENOMEM};
use qnx_libc::*;
use support::*;

#[test]
fn section_3_2_alignment_of_malloc() {
    for (profile, alignment) in [(650, 8), (660, 8), (700, 8), (710, 16), (800, 16)] {
        let _turn = turn(profile);
        let alignment = if WORD == 4 { 8 } else { alignment };
        let blocks: Vec<usize> = (0..300).map(malloc).collect();
        assert!(blocks.iter().all(|block| block % alignment == 0));
        assert!(
            alignment == 16 || blocks.iter().any(|block| block % 16 == 8),
            "a caller who needs 16 must not get it by luck"
        );
        blocks.into_iter().for_each(free);
        assert_eq!(complaints(), []);
    }
}

#[test]
fn section_3_3_sizes_beyond_the_limit() {
    for profile in [650, 660] {
        let _turn = turn(profile);
        assert_eq!((malloc(0x8000_0000), errno()), (0, ENOMEM));
        assert_eq!(memalign(4096, 0x7FFF_F000), Err(ENOMEM));
    }
    let _turn = turn(700);
    assert_eq!((malloc(usize::MAX), errno()), (0, ENOMEM));
    assert_eq!(memalign(4096, usize::MAX - 100), Err(ENOMEM));
}

/// Mapping, p − base, footer − (p + n), leading slack (qnx-facts §4.2), as the heap really lays out.
fn lay_out(alignment: usize, request: usize) -> (usize, usize, usize, usize) {
    let block = memalign(alignment, request).unwrap();
    let mapping = stand_in_heap_bytes();
    // Nothing else is mapped, so that the mapping starts where the books start to know pages.
    let base = (0..=block / PAGE)
        .map(|pages| block - block % PAGE - pages * PAGE)
        .take_while(|&page| stand_in_protection(page) != -1)
        .last()
        .unwrap();
    // The arena ends with footer, sentinel.
    let footer = base + mapping - 2 * WORD;
    let statistics = qnx_mallinfo_800();
    // One free block: what is free is its usable size.
    let slack = statistics.fordblks + 2 * WORD;
    free(block);
    (mapping, block - base, footer - (block + request), slack)
}

#[test]
#[cfg(target_pointer_width = "64")]
fn section_4_2_table_in_memory() {
    // The row with 64 KiB supposes a mapping that starts at a multiple of them, which is chance: it is
    // among the tests of the pure sums.
    let rows = [
        (700, 73_728, 4096, (81_920, 4096, 4080, 4056)),
        (710, 73_728, 4096, (98_304, 20_480, 4080, 20_432)),
        (710, 1_056_768, 4096, (1_064_960, 4096, 4080, 4048)),
    ];
    for (profile, request, alignment, expected) in rows {
        let _turn = turn(profile);
        let base = lay_out(alignment, request);
        assert_eq!(base, expected, "{profile} {request}");
        assert_eq!(complaints(), []);
    }
}

#[test]
#[cfg(target_pointer_width = "32")]
fn section_4_2_table_in_memory() {
    let _turn = turn(700);
    assert_eq!(lay_out(4096, 73_728), (81_920, 4096, 4088, 4072));
}

#[test]
fn section_4_1_rounding_to_arenas_and_to_pages() {
    let _turn = turn(700);
    let small = malloc(200);
    assert_eq!(stand_in_heap_bytes(), 32_768);
    let middle = malloc(40_000);
    assert_eq!(
        stand_in_heap_bytes(),
        32_768 + 65_536,
        "a multiple of arenas"
    );
    let large = malloc(65_536);
    assert_eq!(stand_in_heap_bytes(), 3 * 32_768 + 69_632, "whole pages");
    assert_eq!(
        large % PAGE,
        if WORD == 8 { 40 } else { 24 },
        "at the start of its mapping"
    );
    [small, middle, large].into_iter().for_each(free);
    assert_eq!(stand_in_live_blocks(), 0);
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_1_large_requests_search_no_free_list() {
    let _turn = turn(700);
    arena_size(262_144);
    let pin = malloc(300);
    assert_eq!(stand_in_heap_bytes(), 262_144);
    let large = malloc(65_536);
    assert_eq!(stand_in_heap_bytes(), 262_144 + 69_632);
    [pin, large].into_iter().for_each(free);
}

#[test]
fn section_4_2_4_leading_slack_is_used_by_others_and_pins_the_arena() {
    let _turn = turn(700);
    let large = memalign(PAGE, 73_728).unwrap();
    let other = malloc(600);
    assert_eq!(stand_in_heap_bytes(), 81_920, "it fits into the slack");
    assert!(other < large);
    free(large);
    assert_eq!(stand_in_heap_bytes(), 81_920, "pinned");
    free(other);
    assert_eq!(stand_in_heap_bytes(), 0);
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_3_first_fit_fifo_and_joining() {
    let _turn = turn(700);
    let blocks: Vec<usize> = (0..9).map(|_| malloc(1000)).collect();
    assert!(
        blocks.windows(2).all(|pair| pair[0] > pair[1]),
        "cut from the tail"
    );
    free(blocks[1]);
    free(blocks[5]);
    assert_eq!(malloc(1000), blocks[1], "the oldest first");
    assert_eq!(malloc(1000), blocks[5]);
    free(blocks[3]);
    free(blocks[4]);
    assert_eq!(malloc(2000), blocks[4], "neighbours joined at once");
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_5_free_writes_two_words_only_if_the_block_before_is_busy() {
    let _turn = turn(700);
    let pair = [malloc(1000), malloc(1000)];
    free(pair[0]);
    let filled = usize::from_ne_bytes([GIVEN_BACK; WORD]);
    assert_ne!(read_word(pair[0]), filled, "a link");
    assert_ne!(read_word(pair[0] + WORD), filled, "a link");
    assert!(is_full_of(pair[0] + 2 * WORD, 900, GIVEN_BACK));
    let front = malloc(1000);
    assert_eq!(front, pair[0]);
    free(pair[1]);
    free(front);
    assert_eq!(complaints(), []);
}

#[test]
fn section_4_7_posix_memalign_answers_error_numbers() {
    for profile in [650, 660, 700, 710, 800] {
        let _turn = turn(profile);
        for wrong in [1, 2, 4, 3, 24, 4095] {
            assert_eq!(memalign(wrong, 100), Err(EINVAL), "{profile} {wrong}");
        }
        let least = if profile >= 710 && WORD == 8 { 16 } else { 8 };
        assert_eq!(memalign(8, 100).is_ok(), least == 8);
        let plain = memalign(0, 100).unwrap();
        assert_eq!(plain % least, 0);
        for alignment in (0..18).map(|log| least << log) {
            for size in [0, 1, 100, 5000, 70_000, 300_000] {
                assert_eq!(memalign(alignment, size).unwrap() % alignment, 0);
            }
        }
        assert_eq!(complaints(), []);
    }
}

#[test]
fn section_4_7_the_other_convention() {
    let _turn = turn(650);
    switch(Switch::MemalignMinusOne, 1);
    assert_eq!(memalign(3, 100), Err(-1));
    assert_eq!(errno(), EINVAL);
    switch(Switch::MemoryLimit, 65_536);
    assert_eq!(memalign(PAGE, 1 << 20), Err(-1));
    assert_eq!(errno(), ENOMEM);
}

#[test]
fn section_4_8_nothing_is_zero() {
    for profile in [650, 660, 700, 710, 800] {
        let _turn = turn(profile);
        for size in [1, 100, 1000, 40_000, 100_000, 1 << 20] {
            for _ in 0..2 {
                let block = memalign(PAGE, size).unwrap();
                assert!(is_full_of(block, size, HANDED_OUT), "{profile} {size}");
                free(block);
            }
        }
        switch(Switch::FreshMemoryZero, 1);
        assert_eq!(
            option(qnx::mallopt::CACHE_FREE_NOW, 1),
            if profile == 800 { -1 } else { 0 }
        );
        let block = memalign(PAGE, 1 << 20).unwrap();
        assert!(is_full_of(block, 1 << 20, 0), "{profile}");
        free(block);
    }
}

#[test]
fn section_4_8_recycled_memory_is_dirty_even_where_fresh_memory_is_zero() {
    let _turn = turn(650);
    switch(Switch::FreshMemoryZero, 1);
    let first = memalign(PAGE, 131_072).unwrap();
    assert_eq!(read_byte(first), 0);
    free(first);
    let second = memalign(PAGE, 131_072).unwrap();
    assert_eq!(second, first, "from the cache");
    assert_eq!(read_byte(second), HANDED_OUT);
}

#[test]
fn section_4_9_the_heap_of_8_0() {
    let _turn = turn(800);
    let large = memalign(PAGE, 1 << 20).unwrap();
    assert_eq!(
        qnx_mallinfo_800().hblkhd,
        stand_in_heap_bytes(),
        "a mapping of its own"
    );
    assert_eq!(
        read_word(large - WORD) & 1,
        1,
        "the word before p holds the size"
    );
    free(large);
    assert_eq!(stand_in_heap_bytes(), 0, "unmapped at once");
    let small = malloc(1000);
    assert_eq!(stand_in_heap_bytes(), 65_536);
    assert_eq!(qnx_mallinfo_800().hblkhd, 0);
    free(small);
    assert_eq!(
        stand_in_heap_bytes(),
        65_536,
        "below the trim threshold it stays"
    );
    assert_eq!(option(20, 0), 0);
    free(malloc(1000));
    assert_eq!(stand_in_heap_bytes(), 0);
    assert_eq!(option(22, 4096), 0);
    let block = malloc(5000);
    assert!(qnx_mallinfo_800().hblkhd > 0);
    free(block);
    assert_eq!(complaints(), []);
}

#[test]
fn section_5_1_statistics() {
    for profile in [650, 700, 710] {
        let _turn = turn(profile);
        let kept = [
            malloc(1000),
            malloc(100_000),
            memalign(PAGE, 73_728).unwrap(),
        ];
        free(malloc(100_000));
        let narrow = profile < 700;
        let mut fields = [u64::MAX; 15];
        let address = fields.as_mut_ptr().expose_provenance();
        assert_eq!(option(qnx::mallopt::STATS, address.cast_signed()), 0);
        let bytes: Vec<u8> = fields
            .iter()
            .flat_map(|field| field.to_ne_bytes())
            .collect();
        let width = if narrow { 4 } else { WORD };
        let value = |index: usize| {
            let mut word = [0; 8];
            word[..width].copy_from_slice(&bytes[index * width..][..width]);
            usize::try_from(u64::from_le_bytes(word)).unwrap()
        };
        assert!(
            bytes[15 * width..].iter().all(|&byte| byte == 0xFF),
            "60 or 120 bytes"
        );
        let [free_bytes, overhead, in_use, mapped] = [1, 3, 5, 8].map(value);
        assert_eq!(mapped, stand_in_heap_bytes());
        assert_eq!(
            mapped,
            free_bytes + overhead + in_use,
            "the invariant of §5.1"
        );
        assert!(in_use >= 1000 + 100_000 + 73_728);
        assert_eq!([9, 10].map(value), [1, 4], "frees and allocations");
        let info = qnx_mallinfo();
        assert_eq!(info.arena, c_int::try_from(mapped).unwrap());
        assert_eq!(info.uordblks, c_int::try_from(in_use).unwrap());
        assert_eq!(size_of_val(&info), 40);
        kept.into_iter().for_each(free);
        assert_eq!(complaints(), []);
    }
}

#[test]
fn section_5_2_int_fields_wrap() {
    let info = Mallinfo {
        arena: 0x8000_0001,
        ..Mallinfo::default()
    };
    assert_eq!(info.wrapped().arena, c_int::MIN + 1);
    assert_eq!(size_of::<Mallinfo<usize>>(), 10 * WORD);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_memory_of_65536_wasm_pages_costs_no_4_gib() {
    let _turn = turn(710);
    let len = (65_536 << 16) + 2 * PAGE;
    let base = memalign(PAGE, len).unwrap();
    assert_eq!(read_byte(base), HANDED_OUT);
    assert_eq!(read_byte(base + len - 1), HANDED_OUT);
    assert_eq!(read_byte(base + 2 * FILL_HEAD), 0, "not filled: documented");
    mprotect(base + len - PAGE, PAGE, qnx::prot::NONE).unwrap();
    mprotect(base + len - PAGE, PAGE, qnx::prot::READ_WRITE).unwrap();
    free(base);
    assert_eq!((stand_in_heap_bytes(), stand_in_check()), (0, 0));
}

#[test]
fn many_blocks_of_all_sizes() {
    for profile in [650, 660, 700, 710, 800] {
        let _turn = turn(profile);
        let mut live: Vec<(usize, usize)> = Vec::new();
        let mut seed = 12_345_u64;
        for step in 0..2000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let number = usize::try_from(seed >> 40).unwrap();
            let size = [number % 300, number % 5000, number % 90_000][step % 3];
            if live.len() > 40 || (number % 3 == 0 && !live.is_empty()) {
                let (block, len) = live.swap_remove(number % live.len());
                let byte = u8::try_from(block / 8 % 251).unwrap();
                assert!(is_full_of(block, len, byte), "{profile} {step}");
                if number % 2 == 0 {
                    let moved = realloc(block, size + 1);
                    assert!(
                        is_full_of(moved, len.min(size + 1), byte),
                        "{profile} {step}"
                    );
                    free(moved);
                } else {
                    free(block);
                }
            } else {
                let block = malloc(size);
                let byte = u8::try_from(block / 8 % 251).unwrap();
                (block..block + size).for_each(|address| write_byte(address, byte));
                live.push((block, size));
            }
        }
        live.into_iter().for_each(|(block, _)| free(block));
        assert_eq!(stand_in_live_blocks(), 0);
        assert_eq!(stand_in_check(), 0);
    }
}
