//! The runtime's own objects, from an arena heap.

use core::alloc::Layout;
use core::ptr::NonNull;

use arena_heap::{HeapError, SharedArenaHeap};
use os::PageSource;
use spacewasm::{AllocError, Allocator};

/// An arena heap as SpaceWasm's allocator: for `spacewasm::global_allocator!`.
///
/// Allocating and freeing take constant time. What the heap may take is bounded by its page source.
#[derive(Debug)]
pub struct RuntimeHeap<P: PageSource>(SharedArenaHeap<P>);

impl<P: PageSource> RuntimeHeap<P> {
    /// Wraps a heap. Takes nothing from it.
    pub const fn new(heap: SharedArenaHeap<P>) -> Self {
        Self(heap)
    }

    /// The heap, for its accounts and checks.
    pub const fn heap(&self) -> &SharedArenaHeap<P> {
        &self.0
    }
}

// SAFETY: a successful answer is a block of the heap for this layout, nobody else's until it is
// given back.
unsafe impl<P: PageSource> Allocator for RuntimeHeap<P> {
    unsafe fn alloc(&self, layout: Layout) -> Result<*mut u8, AllocError> {
        match self.0.allocate(layout) {
            Ok(block) => Ok(block.as_ptr()),
            Err(HeapError::OutOfMemory { .. }) => Err(AllocError::OutOfMemory),
            Err(_) => Err(AllocError::AllocationFailed),
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, _: Layout) {
        if let Some(block) = NonNull::new(ptr) {
            // SAFETY: the caller's promise: a block of this heap, not used again. There is nobody to
            // tell of a refusal; the heap counts it.
            let _counted = unsafe { self.0.deallocate(block) };
        }
    }
}
