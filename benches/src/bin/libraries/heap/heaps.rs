//! The heaps that have no lock, as allocators of one thread.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use arena_heap::{ArenaHeap, HeapConfig};
use os::OsPages;
use rlsf::Tlsf;

/// Ours, for one owner.
pub(super) struct OwnedArena(RefCell<ArenaHeap<OsPages>>);

impl OwnedArena {
    pub(super) fn new(config: HeapConfig) -> Result<Self, String> {
        let heap = ArenaHeap::with_config(OsPages::new(), config);
        heap.map(|heap| Self(RefCell::new(heap)))
            .map_err(|error| error.to_string())
    }
}

// SAFETY: blocks are the heap's, which keeps them apart, aligned, and as large as asked.
unsafe impl GlobalAlloc for OwnedArena {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.0.borrow_mut().allocate(layout);
        block.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        let Some(block) = NonNull::new(block) else {
            return;
        };
        // SAFETY: the caller's promise: a block of this heap, not used again.
        let freed = unsafe { self.0.borrow_mut().deallocate(block) };
        freed.expect("a block in use can be freed");
    }
}

type Levels = Tlsf<'static, usize, usize, { usize::BITS as usize }, { usize::BITS as usize }>;

/// The allocator of the crate `rlsf`, over one piece of memory.
pub(super) struct OwnedRlsf(RefCell<Levels>);

impl OwnedRlsf {
    /// With so many bytes, which are never given back.
    pub(super) fn new(bytes: usize) -> Self {
        let mut levels = Levels::new();
        let pool: Box<[MaybeUninit<u8>]> = Box::new_uninit_slice(bytes);
        levels.insert_free_block(Box::leak(pool));
        Self(RefCell::new(levels))
    }
}

// SAFETY: blocks are the allocator's, which keeps them apart, aligned, and as large as asked.
unsafe impl GlobalAlloc for OwnedRlsf {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.0.borrow_mut().allocate(layout);
        block.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller's promise: a block of this heap with that alignment, not used again.
            unsafe { self.0.borrow_mut().deallocate(block, layout.align()) }
        }
    }
}
