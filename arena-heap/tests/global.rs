//! A program that has the heap as its allocator, and works: on several threads it parses, sorts,
//! and builds maps, and compares everything with what it must be.

#[path = "support/work.rs"]
mod work;

use arena_heap::{HeapConfig, SharedArenaHeap};
use os::{FixedMemory, FixedStorage, OsPages, PageSize};

#[global_allocator]
static HEAP: SharedArenaHeap<OsPages> = SharedArenaHeap::new(OsPages::new());

#[test]
fn threads_work_on_the_heap_and_pass_blocks_to_each_other() {
    work::on_threads(|| HEAP.verify().unwrap());
    let before = HEAP.statistics();
    assert!(before.allocations > 100_000, "{before:?}");
    assert_eq!((before.refused_frees, before.failed_unmaps), (0, 0));
    let parts = before.overhead_bytes() + before.free_bytes() + before.allocated_bytes();
    assert_eq!(before.mapped_bytes, parts);
    HEAP.trim();
    HEAP.configure(HeapConfig {
        cache_max_blocks: 4,
        ..HEAP.config()
    })
    .unwrap();
    work::sort_strings(9);
    HEAP.verify().unwrap();
    assert!(HEAP.statistics().cached_arenas <= 4);
}

#[test]
fn a_static_array_serves_as_well() {
    use core::alloc::{GlobalAlloc, Layout};

    static STORAGE: FixedStorage<{ 1 << 20 }> = FixedStorage::new();
    static FIXED: SharedArenaHeap<FixedMemory<'static>> = SharedArenaHeap::new(
        FixedMemory::in_storage(&STORAGE, PageSize::new(4096).unwrap()),
    );

    let layout = Layout::from_size_align(1000, 64).unwrap();
    let mut blocks = Vec::new();
    loop {
        // SAFETY: the layout has a size.
        let block = unsafe { FIXED.alloc(layout) };
        if block.is_null() {
            break;
        }
        blocks.push(block);
    }
    assert!(
        blocks.len() * 1000 > 900_000,
        "{} blocks in a mebibyte",
        blocks.len()
    );
    FIXED.verify().unwrap();
    for block in blocks {
        // SAFETY: allocated above with this layout, freed once.
        unsafe { FIXED.dealloc(block, layout) };
    }
    FIXED.trim();
    assert_eq!(FIXED.statistics().mapped_bytes, 0);
}
