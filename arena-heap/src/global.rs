//! What makes a heap that threads share a program's allocator.

/// Implements `GlobalAlloc` for a type with the methods of [`SharedArenaHeap`](crate::SharedArenaHeap).
macro_rules! global_allocator {
    ($heap:ty, $($parameters:tt)*) => {
        // SAFETY: the heap keeps blocks apart, aligned and at least as large as asked, until they
        // are freed, and moves none by itself; a failure is null, never a panic. A lock makes each
        // call one owner's.
        unsafe impl<$($parameters)*> GlobalAlloc for $heap {
            #[inline]
            unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
                self.allocate(layout)
                    .map_or(core::ptr::null_mut(), NonNull::as_ptr)
            }

            unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
                self.allocate_zeroed(layout)
                    .map_or(core::ptr::null_mut(), NonNull::as_ptr)
            }

            #[inline]
            unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
                if let Some(block) = NonNull::new(block) {
                    // SAFETY: the caller's promise: a block of this allocator, not used again.
                    // There is nobody to tell of a refusal; it is counted.
                    let _counted = unsafe { self.deallocate(block) };
                }
            }

            unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
                let Ok(layout) = Layout::from_size_align(new_size, layout.align()) else {
                    return core::ptr::null_mut();
                };
                let Some(block) = NonNull::new(block) else {
                    return core::ptr::null_mut();
                };
                // SAFETY: the caller's promise: a block of this allocator, whose old address is not
                // used after success.
                unsafe { self.reallocate(block, layout) }
                    .map_or(core::ptr::null_mut(), NonNull::as_ptr)
            }
        }
    };
}

pub(crate) use global_allocator;
