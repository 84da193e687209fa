//! As `global.rs`, with the heap in shards as the program's allocator.

#[path = "support/work.rs"]
mod work;

use core::alloc::{GlobalAlloc, Layout};

use arena_heap::{HeapConfig, ShardedArenaHeap};
use os::{FixedMemory, FixedStorage, OsPages, PageSize};

#[global_allocator]
static HEAP: ShardedArenaHeap<OsPages> = ShardedArenaHeap::new(OsPages::new(), 1 << 30);

#[test]
fn threads_work_on_the_heap_and_pass_blocks_to_each_other() {
    work::on_threads(|| HEAP.verify().unwrap());
    let before = HEAP.statistics();
    assert!(before.allocations > 100_000, "{before:?}");
    assert_eq!((before.refused_frees, before.failed_unmaps), (0, 0));
    let in_use = (0..8).filter(|shard| HEAP.statistics_of(*shard).unwrap().allocations > 1000);
    assert!(in_use.count() > 1, "the threads share a shard: {HEAP:?}");
    HEAP.trim();
    HEAP.configure(HeapConfig {
        cache_max_blocks: 4,
        ..HEAP.config()
    })
    .unwrap();
    work::sort_strings(9);
    HEAP.verify().unwrap();
    for shard in 0..8 {
        assert!(HEAP.statistics_of(shard).unwrap().cached_arenas <= 4);
    }
}

fn mark(number: usize) -> u8 {
    u8::try_from(number % 251).unwrap()
}

#[test]
fn a_static_array_serves_as_well() {
    static STORAGE: FixedStorage<{ 1 << 20 }> = FixedStorage::new();
    static FIXED: ShardedArenaHeap<FixedMemory<'static>, 2> = ShardedArenaHeap::new(
        FixedMemory::in_storage(&STORAGE, PageSize::new(4096).unwrap()),
        1_000_000,
    );

    let layout = Layout::from_size_align(1000, 64).unwrap();
    let mut blocks = Vec::new();
    loop {
        // SAFETY: the layout has a size.
        let block = unsafe { FIXED.alloc_zeroed(layout) };
        if block.is_null() {
            break;
        }
        // SAFETY: a new block, zeroed, of a thousand bytes.
        let contents = unsafe { core::slice::from_raw_parts_mut(block, 1000) };
        assert!(contents.iter().all(|byte| *byte == 0));
        contents.fill(mark(blocks.len()));
        blocks.push(block);
    }
    assert!(
        blocks.len() * 1000 > 850_000,
        "{} blocks in a megabyte",
        blocks.len()
    );
    FIXED.verify().unwrap();
    for (number, block) in blocks.into_iter().enumerate() {
        let smaller = Layout::from_size_align(100, 64).unwrap();
        // SAFETY: allocated above with this layout; the new address is used from now on.
        let block = unsafe { FIXED.realloc(block, layout, 100) };
        // SAFETY: written above.
        assert_eq!(unsafe { block.read() }, mark(number));
        // SAFETY: as above, freed once.
        unsafe { FIXED.dealloc(block, smaller) };
    }
    FIXED.trim();
    assert_eq!(FIXED.statistics().mapped_bytes, 0);
}
