//! Small blocks: from a heap that is almost empty, fragmented, or full.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use arena_heap::ArenaHeap;
use os::{FixedMemory, OsPages, PageSize, PageSource};

use crate::Log;

/// One of a band, the largest of the bands' kind, some of the list heap, one beyond an arena.
const SIZES: [usize; 6] = [16, 128, 1000, 5000, 20_000, 100_000];
const LIVE: [usize; 3] = [10, 1000, 100_000];
const CALLS: usize = 24;

pub(crate) fn run(log: &mut Log) -> Result<(), String> {
    for live in LIVE {
        let mut heap = Filled::new(ArenaHeap::new(OsPages::new()));
        heap.fragment(live)?;
        heap.measure(log, "heap, fragmented", live)?;
    }
    full(log)
}

/// A heap and its blocks.
///
/// Invariant: `blocks` are blocks of `heap`, in use, each once.
struct Filled<P: PageSource> {
    heap: ArenaHeap<P>,
    blocks: Vec<NonNull<u8>>,
}

impl<P: PageSource> Filled<P> {
    const fn new(heap: ArenaHeap<P>) -> Self {
        Self {
            heap,
            blocks: Vec::new(),
        }
    }

    fn allocate(&mut self, size: usize) -> Result<NonNull<u8>, String> {
        let block = self.heap.allocate(layout(size)?);
        let block = block.map_err(|error| error.to_string())?;
        self.blocks.push(block);
        Ok(block)
    }

    /// Takes the block at an index out of the list and frees it.
    fn free(&mut self, index: usize, mark: impl FnOnce(&mut dyn FnMut())) -> Result<(), String> {
        let block = self.blocks.swap_remove(index);
        let heap = &mut self.heap;
        let mut freed = Ok(());
        mark(&mut || {
            // SAFETY: the invariant; the block is out of the list, so it is not used again.
            freed = unsafe { heap.deallocate(block) };
        });
        freed.map_err(|error| error.to_string())
    }

    /// Leaves `live` blocks of all sizes, with a hole beside each.
    fn fragment(&mut self, live: usize) -> Result<(), String> {
        // Large ones are rare, so that a hundred thousand fit.
        let sizes = [16, 48, 128, 300, 1000, 16, 64, 2000, 24, 5000];
        for number in 0..2 * live {
            self.allocate(sizes[number % sizes.len()] + number % 8)?;
        }
        // From the end, so that the last one does not take a place that is still to come.
        for index in (0..live).rev() {
            self.free(2 * index, |free| free())?;
        }
        Ok(())
    }

    fn measure(&mut self, log: &mut Log, heap: &str, live: usize) -> Result<(), String> {
        for size in SIZES {
            let layout = layout(size)?;
            let taken = self.blocks.len();
            for _ in 0..CALLS {
                let heap_itself = &mut self.heap;
                let block = log.count(&format!("{heap}: allocate {size} B"), live, || {
                    heap_itself.allocate(layout)
                });
                self.blocks.push(block.map_err(|error| error.to_string())?);
            }
            // Every other one first, so that the rest has free neighbours on both sides.
            for turn in 0..CALLS {
                let left = self.blocks.len() - taken;
                let index = taken
                    + if turn < CALLS / 2 {
                        turn % left
                    } else {
                        left - 1
                    };
                let label = format!("{heap}: free {size} B");
                self.free(index, |free| log.count(&label, live, free))?;
            }
        }
        self.heap.verify().map_err(|damage| format!("{damage:?}"))
    }
}

fn layout(size: usize) -> Result<Layout, String> {
    Layout::from_size_align(size, 8).map_err(|error| error.to_string())
}

/// A heap in an array that has no room left: what is refused, and what a freed block serves.
fn full(log: &mut Log) -> Result<(), String> {
    const ARRAY: usize = 16 << 20;
    let array: Box<[MaybeUninit<u8>]> = Box::new_uninit_slice(ARRAY);
    let page = PageSize::new(4096).ok_or("4096 is a page size")?;
    let source = FixedMemory::new(Box::leak(array), page).map_err(|error| error.to_string())?;
    let mut heap = Filled::new(ArenaHeap::new(source));
    while heap.allocate(1000).is_ok() {}
    let live = heap.blocks.len();
    for turn in 0..CALLS {
        let heap_itself = &mut heap.heap;
        let refused = log.count("heap, full: allocate 1000 B, refused", live, || {
            heap_itself
                .allocate(layout(1000)?)
                .map_err(|_| String::new())
        });
        if refused.is_ok() {
            return Err("a full heap had a block".to_owned());
        }
        heap.free(turn * 7 % live, |free| {
            log.count("heap, full: free 1000 B", live, free);
        })?;
        let heap_itself = &mut heap.heap;
        let block = log.count("heap, full: allocate 1000 B, the last", live, || {
            heap_itself
                .allocate(layout(1000)?)
                .map_err(|error| error.to_string())
        });
        heap.blocks.push(block?);
    }
    Ok(())
}
