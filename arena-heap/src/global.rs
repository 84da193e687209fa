//! The heap behind a lock, for a whole program.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use os::{Mutex, PageSource};

use crate::{ArenaHeap, ConfigError, Corruption, HeapConfig, HeapStatistics, Trimmed};

/// An [`ArenaHeap`] that several threads share, and that a program can have as its allocator.
///
/// Every call holds one lock for as long as the heap's own call takes, system calls included. Not
/// for signal handlers.
///
/// ```
/// use arena_heap::GlobalArenaHeap;
///
/// #[global_allocator]
/// static HEAP: GlobalArenaHeap<os::OsPages> = GlobalArenaHeap::new(os::OsPages::new());
///
/// let words: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
/// assert_eq!(words.concat().len(), 2890);
/// assert!(HEAP.statistics().allocations > 1000);
/// HEAP.verify().unwrap();
/// ```
pub struct GlobalArenaHeap<P: PageSource> {
    heap: Mutex<ArenaHeap<P>>,
}

impl<P: PageSource> GlobalArenaHeap<P> {
    /// A heap with the default settings. Maps nothing until it is used; can be called in a
    /// constant.
    pub const fn new(source: P) -> Self {
        Self {
            heap: Mutex::new(ArenaHeap::new(source)),
        }
    }

    /// Any heap, to be shared.
    pub const fn from_heap(heap: ArenaHeap<P>) -> Self {
        Self {
            heap: Mutex::new(heap),
        }
    }

    /// See [`ArenaHeap::statistics`].
    pub fn statistics(&self) -> HeapStatistics {
        self.heap.lock().statistics()
    }

    /// See [`ArenaHeap::verify`]. Other threads wait for the end of the walk.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn verify(&self) -> Result<(), Corruption> {
        self.heap.lock().verify()
    }

    /// See [`ArenaHeap::trim`].
    pub fn trim(&self) -> Trimmed {
        self.heap.lock().trim()
    }

    /// See [`ArenaHeap::configure`]. Bands cannot change: a program allocates before `main`.
    ///
    /// # Errors
    /// As there.
    pub fn configure(&self, config: HeapConfig) -> Result<(), ConfigError> {
        self.heap.lock().configure(config)
    }

    /// The settings in force.
    pub fn config(&self) -> HeapConfig {
        *self.heap.lock().config()
    }
}

// SAFETY: the heap keeps blocks apart, aligned and at least as large as asked, until they are
// freed, and moves none by itself; a failure is null, never a panic. The lock makes each call one
// owner's.
unsafe impl<P: PageSource> GlobalAlloc for GlobalArenaHeap<P> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.heap
            .lock()
            .allocate(layout)
            .map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.heap
            .lock()
            .allocate_zeroed(layout)
            .map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller's promise: a block of this allocator, not used again. There is
            // nobody to tell of a refusal; it is counted.
            let _counted = unsafe { self.heap.lock().deallocate(block) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Ok(layout) = Layout::from_size_align(new_size, layout.align()) else {
            return ptr::null_mut();
        };
        let Some(block) = NonNull::new(block) else {
            return ptr::null_mut();
        };
        // SAFETY: the caller's promise: a block of this allocator, whose old address is not used
        // after success.
        unsafe { self.heap.lock().reallocate(block, layout) }
            .map_or(ptr::null_mut(), NonNull::as_ptr)
    }
}

impl<P: PageSource> core::fmt::Debug for GlobalArenaHeap<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.heap.try_lock() {
            Some(heap) => f.debug_tuple("GlobalArenaHeap").field(&*heap).finish(),
            None => f.write_str("GlobalArenaHeap(locked)"),
        }
    }
}
