//! Overwrites words of the heap on purpose: `verify` must name them, and must never crash.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use arena_heap::{ArenaHeap, Damage, HeapConfig};
use os::{FixedMemory, PageSize};

const WORD: usize = size_of::<usize>();
const ARENA_OVERHEAD: usize = 8 * WORD;
const FOOT: usize = if WORD == 8 { 80 } else { 64 };

/// Storage that is a multiple of the page and aligned to it.
#[repr(align(4096))]
struct Storage([MaybeUninit<u8>; 160 << 10]);

fn with_heap(test: impl FnOnce(ArenaHeap<FixedMemory<'_>>)) {
    let mut storage = Box::new(Storage([MaybeUninit::uninit(); 160 << 10]));
    let memory = FixedMemory::new(&mut storage.0, PageSize::new(4096).unwrap()).unwrap();
    test(ArenaHeap::with_config(memory, HeapConfig::DEFAULT).unwrap());
}

fn block(heap: &mut ArenaHeap<FixedMemory<'_>>, size: usize) -> NonNull<u8> {
    heap.allocate(Layout::from_size_align(size, 16).unwrap())
        .unwrap()
}

fn free(heap: &mut ArenaHeap<FixedMemory<'_>>, block: NonNull<u8>) {
    // SAFETY: the tests of this file free what they allocated, once.
    unsafe { heap.deallocate(block) }.unwrap();
}

/// A word of an arena, `offset` bytes from a block.
fn word(block: NonNull<u8>, offset: isize) -> NonNull<usize> {
    // SAFETY: the tests of this file stay inside the arena of the block.
    unsafe { block.byte_offset(offset) }.cast()
}

/// Changes a word, verifies, and puts the word back.
fn damaged(
    heap: &ArenaHeap<FixedMemory<'_>>,
    word: NonNull<usize>,
    change: impl FnOnce(usize) -> usize,
) -> (usize, Damage) {
    heap.verify().unwrap();
    // SAFETY: a word of an arena.
    let old = unsafe { word.read() };
    // SAFETY: as above; that it is not ours to write is the point.
    unsafe { word.write(change(old)) };
    let found = heap.verify().unwrap_err();
    // SAFETY: as above.
    unsafe { word.write(old) };
    heap.verify().unwrap();
    (found.address, found.damage)
}

fn at(word: NonNull<usize>) -> usize {
    word.addr().get()
}

#[test]
fn headers_of_blocks_in_use() {
    with_heap(|mut heap| {
        block(&mut heap, 1000);
        let middle = block(&mut heap, 1000);
        block(&mut heap, 1000);
        let header = word(middle, -(WORD as isize));
        let (address, damage) = damaged(&heap, header, |_| 0);
        assert_eq!(
            (address, damage),
            (at(header), Damage::BlockSize { size: 0 })
        );
        let (address, damage) = damaged(&heap, header, |_| usize::MAX & !15);
        assert!(address == at(header) && matches!(damage, Damage::BlockSize { .. }));
        // Marks: 1 free, 2 before free, 4 pool, 8 first.
        let (_, damage) = damaged(&heap, header, |old| old | 1);
        assert!(matches!(damage, Damage::Footer { .. }), "{damage:?}");
        let found = damaged(&heap, header, |old| old | 2);
        assert_eq!(found, (at(header), Damage::NeighbourState));
        let (_, damage) = damaged(&heap, header, |old| old | 4);
        assert_eq!(damage, Damage::PoolFoot);
        let found = damaged(&heap, header, |old| old | 8);
        assert_eq!(found, (at(header), Damage::BlockMarks));
        // A size that leads into the middle of the next block.
        damaged(&heap, header, |old| old + 64);
    });
}

#[test]
fn headers_links_and_footers_of_free_blocks() {
    with_heap(|mut heap| {
        let blocks: Vec<_> = (0..6).map(|_| block(&mut heap, 1000)).collect();
        free(&mut heap, blocks[1]);
        free(&mut heap, blocks[3]);
        let size = blocks[2].addr().get() - blocks[1].addr().get();
        let header = word(blocks[1], -(WORD as isize));
        let footer = word(blocks[1], (size - 2 * WORD) as isize);
        let found = damaged(&heap, footer, |old| old ^ 32);
        assert_eq!(found, (at(footer), Damage::Footer { size: size ^ 32 }));
        let behind = word(blocks[2], -(WORD as isize));
        let found = damaged(&heap, behind, |old| old & !2);
        assert_eq!(found, (at(behind), Damage::NeighbourState));
        // No longer marked free: the block behind it contradicts.
        let found = damaged(&heap, header, |old| old & !1);
        assert_eq!(found, (at(behind), Damage::NeighbourState));
        // Both are in one list, the one that was freed first in front.
        for (block, link, targets) in [
            (blocks[1], 0, [0, 1, usize::MAX & !7, 4096]),
            (blocks[1], WORD, [3, 8, 1 << 20, usize::MAX]),
            (blocks[3], 0, [1, 8, 4096, usize::MAX & !7]),
            (blocks[3], WORD, [0, 3, 8, 1 << 20]),
        ] {
            for target in targets {
                let link = word(block, link as isize);
                let (address, damage) = damaged(&heap, link, |_| target);
                assert_eq!((address, damage), (at(link), Damage::Link { target }));
            }
        }
        // A link to a block that exists, but is in use.
        let link = word(blocks[1], 0);
        let target = blocks[4].addr().get() - WORD;
        assert_eq!(
            damaged(&heap, link, |_| target),
            (at(link), Damage::Link { target })
        );
    });
}

#[test]
fn arena_headers_and_end_words() {
    with_heap(|mut heap| {
        let first = block(&mut heap, 1000);
        let base = -(ARENA_OVERHEAD as isize);
        for index in 0..4 {
            let found = damaged(&heap, word(first, base + index * WORD as isize), |old| {
                old ^ 64
            });
            assert_eq!(
                found,
                (first.addr().get() - ARENA_OVERHEAD, Damage::ArenaHeader)
            );
        }
        let state = word(first, base + 6 * WORD as isize);
        let (_, damage) = damaged(&heap, state, |_| 1);
        assert_eq!(damage, Damage::ArenaState);
        let end = heap.config().arena_size - ARENA_OVERHEAD - WORD;
        let end = word(first, end as isize);
        for value in [0, 1, 64, usize::MAX] {
            let found = damaged(&heap, end, |_| value);
            assert_eq!(found, (at(end), Damage::NeighbourState));
        }
        free(&mut heap, first);
        for index in [4, 5, 6] {
            let (_, damage) = damaged(&heap, word(first, base + index * WORD as isize), |_| 4096);
            assert!(
                matches!(damage, Damage::ArenaList | Damage::ArenaState),
                "{damage:?}"
            );
        }
    });
}

#[test]
fn every_bit_of_the_foot_of_a_pool() {
    with_heap(|mut heap| {
        let small: Vec<_> = (0..10)
            .map(|_| heap.allocate(Layout::new::<[u64; 4]>()).unwrap())
            .collect();
        free(&mut heap, small[3]);
        let window_end = (small[0].addr().get() | 4095) + 1;
        let foot = window_end - WORD - FOOT - small[0].addr().get();
        for index in 0..FOOT / WORD {
            let word = word(small[0], (foot + index * WORD) as isize);
            for bit in 0..usize::BITS {
                let (_, damage) = damaged(&heap, word, |old| old ^ 1 << bit);
                let expected = matches!(
                    damage,
                    Damage::PoolFoot | Damage::Link { .. } | Damage::List | Damage::Counter { .. }
                );
                assert!(expected, "word {index} bit {bit}: {damage:?}");
            }
        }
    });
}

#[test]
fn verify_survives_any_word_of_any_arena() {
    with_heap(|mut heap| {
        let mut blocks = Vec::new();
        for size in [20, 100, 500, 2000, 7000, 40, 30_000, 300, 64, 1, 24] {
            blocks.push(
                heap.allocate(Layout::from_size_align(size, 8).unwrap())
                    .unwrap(),
            );
            blocks.push(block(&mut heap, size / 2));
        }
        let kept = blocks.split_off(blocks.len() / 2);
        for block in blocks.iter().step_by(2) {
            free(&mut heap, *block);
        }
        heap.verify().unwrap();
        let arena = heap.config().arena_size;
        let mut found = 0;
        let mut last = usize::MAX;
        for block in blocks.iter().chain(&kept) {
            // Arenas of the fixed array are page-aligned and this walk stays in one page.
            let page = block.addr().get() & !4095;
            if page == last {
                continue;
            }
            last = page;
            for offset in (0..4096).step_by(WORD) {
                let word = word(*block, page as isize - block.addr().get() as isize + offset);
                for bits in [
                    1,
                    2,
                    4,
                    8,
                    16,
                    1 << 12,
                    arena,
                    1 << (usize::BITS - 1),
                    usize::MAX,
                ] {
                    // SAFETY: a word of an arena.
                    let old = unsafe { word.read() };
                    // SAFETY: as above.
                    unsafe { word.write(old ^ bits) };
                    found += usize::from(heap.verify().is_err());
                    // SAFETY: as above.
                    unsafe { word.write(old) };
                }
            }
        }
        heap.verify().unwrap();
        assert!(found > 500, "{found}");
    });
}
