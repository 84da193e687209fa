//! What the documentation of the heap promises, point by point.

use core::alloc::Layout;
use core::ptr::NonNull;

use arena_heap::{ArenaHeap, Band, BandConfig, ConfigError, FreeOrder, HeapConfig, HeapError};
use os::{Counted, OsCall, OsPages, PageSource};

type Heap = ArenaHeap<Counted<OsPages>>;

/// A request whose block is so many bytes with its header. If that is where a size class begins, as
/// at a power of two, all such blocks are of one class on every host.
fn block_of(bytes: usize) -> Layout {
    Layout::from_size_align(bytes - size_of::<usize>(), 1).unwrap()
}

fn config() -> HeapConfig {
    HeapConfig::for_page_size(OsPages::new().facts().page_size)
}

fn heap(config: HeapConfig) -> Heap {
    ArenaHeap::with_config(Counted::new(OsPages::new()), config).unwrap()
}

fn bytes(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

fn free(heap: &mut Heap, block: NonNull<u8>) {
    // SAFETY: the tests of this file free what they allocated, once.
    unsafe { heap.deallocate(block) }.unwrap();
}

fn resize(heap: &mut Heap, block: NonNull<u8>, size: usize) -> NonNull<u8> {
    // SAFETY: the tests of this file resize what they allocated, and use the new address.
    unsafe { heap.reallocate(block, bytes(size)) }.unwrap()
}

#[test]
fn a_new_heap_maps_nothing_and_one_block_takes_one_arena() {
    let mut heap = heap(config());
    assert_eq!(heap.source().call_counts().unwrap().total(), 0);
    let block = heap.allocate(bytes(1000)).unwrap();
    assert_eq!(heap.statistics().mapped_bytes, config().arena_size);
    free(&mut heap, block);
}

#[test]
fn a_block_beyond_an_arena_takes_whole_arenas_and_leaves_the_rest_to_others() {
    let arena = config().arena_size;
    let mut heap = heap(config());
    heap.allocate(bytes(arena + 1)).unwrap();
    assert_eq!(heap.statistics().mapped_bytes, 2 * arena);
    heap.allocate(bytes(arena - 1000)).unwrap();
    assert_eq!(heap.statistics().mapped_bytes, 2 * arena);
}

#[test]
fn fifo_takes_the_oldest_block_of_a_class_and_lifo_the_newest() {
    for (free_order, oldest_first) in [(FreeOrder::Fifo, true), (FreeOrder::Lifo, false)] {
        let mut heap = heap(HeapConfig {
            free_order,
            ..config()
        });
        let blocks: Vec<_> = (0..6)
            .map(|_| heap.allocate(block_of(1024)).unwrap())
            .collect();
        // Every other block, so that none are neighbours.
        for index in [0, 2, 4] {
            free(&mut heap, blocks[index]);
        }
        let again: Vec<_> = (0..3)
            .map(|_| heap.allocate(block_of(1024)).unwrap())
            .collect();
        let mut expected = vec![blocks[0], blocks[2], blocks[4]];
        if !oldest_first {
            expected.reverse();
        }
        assert_eq!(again, expected);
    }
}

#[test]
fn neighbours_are_joined_in_every_order_of_freeing() {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut heap = heap(config());
        let blocks: Vec<_> = (0..3)
            .map(|_| heap.allocate(block_of(1024)).unwrap())
            .collect();
        let wall = heap.allocate(block_of(1024)).unwrap();
        for index in order {
            free(&mut heap, blocks[index]);
            heap.verify().unwrap();
        }
        assert_eq!(
            heap.allocate(block_of(3 * 1024)),
            Ok(blocks[0]),
            "{order:?}"
        );
        free(&mut heap, blocks[0]);
        free(&mut heap, wall);
        assert_eq!(heap.statistics().cached_arenas, 1);
    }
}

#[test]
fn the_cache_keeps_arenas_up_to_its_limits_and_makes_no_call_within_them() {
    let arena = config().arena_size;
    let mut heap = heap(HeapConfig {
        cache_max_blocks: 2,
        ..config()
    });
    let blocks: Vec<_> = (0..4)
        .map(|_| heap.allocate(bytes(arena - 100)).unwrap())
        .collect();
    for block in blocks {
        free(&mut heap, block);
    }
    let now = heap.statistics();
    assert_eq!(
        (now.arenas, now.cached_arenas, now.cached_bytes),
        (2, 2, 2 * arena)
    );
    let calls = heap.source().call_counts().unwrap();
    for _ in 0..100 {
        let block = heap.allocate(bytes(arena - 100)).unwrap();
        free(&mut heap, block);
    }
    assert_eq!(heap.source().call_counts().unwrap(), calls);
    assert_eq!(heap.statistics().cache_hits, 100);
}

#[test]
fn an_arena_above_the_arena_size_goes_back_at_once_unless_memory_is_held() {
    let arena = config().arena_size;
    for hold in [false, true] {
        let mut heap = heap(HeapConfig { hold, ..config() });
        let block = heap.allocate(bytes(3 * arena)).unwrap();
        free(&mut heap, block);
        let kept = if hold { 4 * arena } else { 0 };
        assert_eq!(heap.statistics().cached_bytes, kept);
        assert_eq!(heap.trim().bytes, kept);
        assert_eq!(heap.statistics().mapped_bytes, 0);
    }
}

#[test]
fn lowering_the_limits_gives_back_at_once() {
    let arena = config().arena_size;
    let mut heap = heap(config());
    let blocks: Vec<_> = (0..8)
        .map(|_| heap.allocate(bytes(arena - 100)).unwrap())
        .collect();
    for block in blocks {
        free(&mut heap, block);
    }
    assert_eq!(heap.statistics().cached_arenas, 8);
    heap.configure(HeapConfig {
        cache_max_blocks: 5,
        ..config()
    })
    .unwrap();
    assert_eq!(heap.statistics().cached_arenas, 5);
    heap.configure(HeapConfig {
        cache_max_bytes: 2 * arena,
        ..config()
    })
    .unwrap();
    assert_eq!(heap.statistics().cached_arenas, 2);
    heap.configure(HeapConfig {
        cache_max_blocks: 0,
        ..config()
    })
    .unwrap();
    assert_eq!(heap.statistics().cached_arenas, 0);
}

#[test]
fn preallocated_arenas_serve_without_a_call_and_stay() {
    let arena = config().arena_size;
    let settings = HeapConfig {
        preallocate: 3 * arena,
        cache_max_blocks: 0,
        ..config()
    };
    let mut heap = heap(settings);
    heap.prepare().unwrap();
    let calls = heap.source().call_counts().unwrap();
    assert_eq!(calls.get(OsCall::Map), 1, "one run for all of it");
    assert!(heap.statistics().cached_bytes >= 3 * arena);
    for _ in 0..3 {
        let blocks: Vec<_> = (0..3)
            .map(|_| heap.allocate(bytes(arena - 100)).unwrap())
            .collect();
        for block in blocks {
            free(&mut heap, block);
        }
    }
    assert_eq!(heap.source().call_counts().unwrap(), calls);
}

#[test]
fn preallocated_band_blocks_exist_from_the_start() {
    let band = Band {
        block_size: 64,
        blocks_per_pool: 0,
        preallocate: 200,
    };
    let mut heap = heap(HeapConfig {
        bands: BandConfig::new(&[band]).unwrap(),
        ..config()
    });
    heap.prepare().unwrap();
    assert!(heap.statistics().band_blocks >= 200);
    let calls = heap.source().call_counts().unwrap();
    for _ in 0..200 {
        heap.allocate(bytes(64)).unwrap();
    }
    assert_eq!(heap.source().call_counts().unwrap(), calls);
    assert_eq!(heap.statistics().list_blocks, 0);
}

#[test]
fn empty_pools_go_back_but_the_last_of_a_band_stays_until_trim() {
    let mut heap = heap(config());
    let blocks: Vec<_> = (0..1000)
        .map(|_| heap.allocate(bytes(64)).unwrap())
        .collect();
    let many = heap.statistics().pools;
    assert!(many > 10);
    for block in blocks {
        free(&mut heap, block);
    }
    assert_eq!(heap.statistics().pools, 1);
    heap.verify().unwrap();
    heap.trim();
    assert_eq!(
        (heap.statistics().pools, heap.statistics().mapped_bytes),
        (0, 0)
    );
}

#[test]
fn of_the_empty_pools_of_a_band_the_lowest_stays() {
    for descending in [false, true] {
        let mut heap = heap(config());
        let mut blocks: Vec<_> = (0..200)
            .map(|_| heap.allocate(bytes(64)).unwrap())
            .collect();
        assert!(heap.statistics().pools > 2);
        blocks.sort();
        let lowest = blocks[0];
        if descending {
            blocks.reverse();
        }
        for block in blocks {
            free(&mut heap, block);
        }
        heap.verify().unwrap();
        assert_eq!(heap.statistics().pools, 1);
        assert_eq!(heap.allocate(bytes(64)), Ok(lowest));
    }
}

#[test]
fn shrinking_stays_in_place_and_frees_the_tail() {
    let mut heap = heap(config());
    let block = heap.allocate(bytes(8000)).unwrap();
    let wall = heap.allocate(bytes(1000)).unwrap();
    assert_eq!(resize(&mut heap, block, 2000), block);
    let tail = heap.allocate(bytes(5000)).unwrap();
    assert!(block < tail && tail < wall);
    assert_eq!(heap.statistics().reallocations_in_place, 1);
}

#[test]
fn growing_takes_over_a_free_successor_and_moves_otherwise() {
    let mut heap = heap(config());
    let block = heap.allocate(bytes(1000)).unwrap();
    let behind = heap.allocate(bytes(1000)).unwrap();
    let wall = heap.allocate(bytes(1000)).unwrap();
    free(&mut heap, behind);
    assert_eq!(resize(&mut heap, block, 1900), block);
    let moved = resize(&mut heap, block, 4000);
    assert!(moved > wall);
    let now = heap.statistics();
    assert_eq!(
        (now.reallocations_in_place, now.reallocations_moved),
        (1, 1)
    );
    assert!(now.reallocated_bytes_copied >= 1900);
}

#[test]
fn a_large_growing_block_gets_half_as_much_again_unless_growth_is_monotonic() {
    let arena = config().arena_size;
    for monotonic_growth in [false, true] {
        let mut heap = heap(HeapConfig {
            monotonic_growth,
            ..config()
        });
        let size = 10 * arena;
        let block = heap.allocate(bytes(size)).unwrap();
        // Takes what the whole arenas left over, so that the block cannot grow in place.
        heap.allocate(bytes(arena - 1000)).unwrap();
        let block = resize(&mut heap, block, size + arena);
        // SAFETY: just allocated.
        let usable = unsafe { heap.usable_size(block) }.unwrap();
        assert_eq!(usable >= size + size / 2, !monotonic_growth, "{usable}");
    }
}

#[test]
fn fresh_arenas_make_zeroed_blocks_without_filling() {
    let mut heap = heap(config());
    // 64 MiB that nobody touched: filling would make them resident.
    let size = 64 << 20;
    let block = heap.allocate_zeroed(bytes(size)).unwrap();
    let page = heap.source().facts().page_size.get();
    let base = NonNull::new(block.as_ptr().map_addr(|address| address & !(page - 1))).unwrap();
    let resident = heap.source().resident(base, size).unwrap();
    assert!(resident <= 4 << 20, "{resident} bytes are resident");
    for index in (0..size).step_by(4093) {
        // SAFETY: inside the zeroed block.
        let byte = unsafe { block.add(index) };
        // SAFETY: zeroed, so initialised.
        assert_eq!(unsafe { byte.read() }, 0);
    }
}

#[test]
fn alignments_up_to_a_mebibyte_and_what_lies_before_stays_usable() {
    let mut heap = heap(config());
    for power in 0..=20 {
        let align = 1 << power;
        for size in [0, 1, 24, 100, 5000] {
            let block = heap
                .allocate(Layout::from_size_align(size, align).unwrap())
                .unwrap();
            assert!(block.addr().get().is_multiple_of(align));
        }
        heap.verify().unwrap();
    }
    let mapped = heap.statistics().mapped_bytes;
    heap.allocate(bytes(1 << 19)).unwrap();
    assert_eq!(heap.statistics().mapped_bytes, mapped);
}

#[test]
fn requests_that_no_block_can_hold_are_refused_without_a_call() {
    let mut heap = heap(config());
    heap.prepare().unwrap();
    for layout in [
        Layout::from_size_align(isize::MAX as usize, 1).unwrap(),
        Layout::from_size_align(0, 1 << (usize::BITS - 1)).unwrap(),
        Layout::from_size_align(HeapConfig::MAX_PREALLOCATE, 1 << 12).unwrap(),
        // Without the alignment it would just fit.
        Layout::from_size_align(HeapConfig::MAX_PREALLOCATE - 4096, 1 << 20).unwrap(),
    ] {
        let refused = heap.allocate(layout).unwrap_err();
        assert!(matches!(refused, HeapError::TooLarge { .. }), "{refused}");
    }
    assert_eq!(heap.source().call_counts().unwrap().total(), 0);
}

#[test]
fn addresses_that_are_no_blocks_are_refused_and_counted() {
    let mut heap = heap(config());
    let small = heap.allocate(bytes(64)).unwrap();
    let large = heap.allocate(bytes(1000)).unwrap();
    let mut outside = 0_u64;
    let outside = NonNull::from_mut(&mut outside).cast::<u8>();
    // SAFETY: inside the block; the heap only looks at the address.
    let inside = unsafe { small.add(16) };
    let before = heap.statistics();
    for stray in [outside, inside] {
        // SAFETY: no promise kept, on purpose: the heap recognises both.
        let error = unsafe { heap.deallocate(stray) }.unwrap_err();
        assert_eq!(
            error,
            HeapError::NotABlock {
                address: stray.addr().get()
            }
        );
        // SAFETY: as above.
        let error = unsafe { heap.reallocate(stray, bytes(1)) }.unwrap_err();
        assert_eq!(
            error,
            HeapError::NotABlock {
                address: stray.addr().get()
            }
        );
    }
    assert_eq!(heap.statistics().refused_frees, before.refused_frees + 4);
    assert_eq!(
        heap.statistics().allocated_bytes(),
        before.allocated_bytes()
    );
    free(&mut heap, small);
    free(&mut heap, large);
    heap.verify().unwrap();
}

#[test]
fn an_overflow_into_the_next_header_is_noticed_at_free() {
    let mut heap = heap(config());
    let block = heap.allocate(bytes(1000)).unwrap();
    heap.allocate(bytes(1000)).unwrap();
    // SAFETY: in use.
    let usable = unsafe { heap.usable_size(block) }.unwrap();
    // SAFETY: the word behind the block is the next header, inside the arena.
    let header = unsafe { block.add(usable) };
    // SAFETY: as above; that it is not ours to write is the point.
    unsafe { header.cast::<usize>().write(usize::MAX) };
    // SAFETY: in use, not used again.
    let error = unsafe { heap.deallocate(block) }.unwrap_err();
    assert_eq!(
        error,
        HeapError::Damaged {
            address: block.addr().get()
        }
    );
}

#[test]
fn bands_change_only_before_the_first_use() {
    let mut heap = heap(config());
    heap.configure(HeapConfig {
        bands: BandConfig::NONE,
        ..config()
    })
    .unwrap();
    heap.allocate(bytes(8)).unwrap();
    assert_eq!(heap.statistics().pools, 0);
    assert_eq!(heap.configure(config()), Err(ConfigError::BandsInUse));
    assert_eq!(heap.config().bands, BandConfig::NONE);
}

#[test]
fn a_wrong_setting_leaves_everything_as_it_was() {
    let mut heap = heap(config());
    let wrong = HeapConfig {
        arena_size: 1,
        hold: true,
        ..config()
    };
    assert!(matches!(
        heap.configure(wrong),
        Err(ConfigError::ArenaSize { bytes: 1, .. })
    ));
    assert_eq!(*heap.config(), config());
}

#[test]
fn a_heap_can_be_moved_and_sent_while_blocks_are_in_use() {
    let mut heap = Box::new(heap(config()));
    let blocks: Vec<_> = (0..100)
        .map(|index| heap.allocate(bytes(index * 10)).unwrap().addr())
        .collect();
    let moved = *heap;
    let (heap, count) = std::thread::spawn(move || {
        let mut heap = moved;
        for _ in 0..100 {
            heap.allocate(bytes(500)).unwrap();
        }
        (heap, blocks.len())
    })
    .join()
    .unwrap();
    assert_eq!(heap.statistics().allocations, 100 + count);
    heap.verify().unwrap();
}
