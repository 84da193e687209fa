//! The heap behind a lock: for several threads, or for a whole program.

use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use core::ptr::NonNull;

use os::{Mutex, PageSource};

use crate::global::global_allocator;
use crate::heap::{HeapState, Working};
use crate::{ConfigError, Corruption, HeapConfig, HeapError, HeapStatistics, Trimmed};

/// A heap over a page source that several threads share, and that a program can have as its
/// allocator.
///
/// Every call holds one lock for as long as the heap's own call takes, system calls included; the
/// [page source](Self::source) itself can be used meanwhile. For threads that allocate at the same
/// time there is [`ShardedArenaHeap`](crate::ShardedArenaHeap). Not for signal handlers. What
/// [`ArenaHeap`](crate::ArenaHeap) says of errors, costs and dropping holds here too.
///
/// ```
/// use arena_heap::SharedArenaHeap;
///
/// #[global_allocator]
/// static HEAP: SharedArenaHeap<os::OsPages> = SharedArenaHeap::new(os::OsPages::new());
///
/// let words: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
/// assert_eq!(words.concat().len(), 2890);
/// assert!(HEAP.statistics().allocations > 1000);
/// HEAP.verify().unwrap();
/// ```
pub struct SharedArenaHeap<P: PageSource> {
    source: P,
    state: Mutex<HeapState>,
}

impl<P: PageSource> SharedArenaHeap<P> {
    /// A heap with the default settings. Maps nothing until it is used; can be called in a
    /// constant.
    pub const fn new(source: P) -> Self {
        Self {
            source,
            state: Mutex::new(HeapState::new(HeapConfig::DEFAULT, false)),
        }
    }

    /// The page source. No lock.
    pub const fn source(&self) -> &P {
        &self.source
    }

    #[inline(always)]
    fn with<T>(&self, work: impl FnOnce(&mut Working<'_, P>) -> T) -> T {
        let mut state = self.state.lock();
        work(&mut Working::new(&self.source, &mut state))
    }

    /// See [`ArenaHeap::allocate`](crate::ArenaHeap::allocate).
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        self.with(|heap| heap.allocate(layout))
    }

    /// See [`ArenaHeap::allocate_zeroed`](crate::ArenaHeap::allocate_zeroed).
    ///
    /// # Errors
    /// As there.
    pub fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        self.with(|heap| heap.allocate_zeroed(layout))
    }

    /// See [`ArenaHeap::deallocate`](crate::ArenaHeap::deallocate).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// As there.
    #[inline]
    pub unsafe fn deallocate(&self, block: NonNull<u8>) -> Result<(), HeapError> {
        // SAFETY: the caller's promises, passed on unchanged.
        self.with(|heap| unsafe { heap.deallocate(block) })
    }

    /// See [`ArenaHeap::reallocate`](crate::ArenaHeap::reallocate).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// As there.
    pub unsafe fn reallocate(
        &self,
        block: NonNull<u8>,
        layout: Layout,
    ) -> Result<NonNull<u8>, HeapError> {
        // SAFETY: the caller's promises, passed on unchanged.
        self.with(|heap| unsafe { heap.reallocate(block, layout) })
    }

    /// See [`ArenaHeap::usable_size`](crate::ArenaHeap::usable_size).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// As there.
    pub unsafe fn usable_size(&self, block: NonNull<u8>) -> Result<usize, HeapError> {
        let state = self.state.lock();
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { state.usable_size(block) }
    }

    /// See [`ArenaHeap::trim`](crate::ArenaHeap::trim).
    pub fn trim(&self) -> Trimmed {
        self.with(|heap| heap.trim())
    }

    /// See [`ArenaHeap::configure`](crate::ArenaHeap::configure). As a program's allocator the heap
    /// cannot change its bands: a program allocates before `main`.
    ///
    /// # Errors
    /// As there.
    pub fn configure(&self, config: HeapConfig) -> Result<(), ConfigError> {
        self.with(|heap| heap.configure(config))
    }

    /// See [`ArenaHeap::prepare`](crate::ArenaHeap::prepare).
    ///
    /// # Errors
    /// As there.
    pub fn prepare(&self) -> Result<(), HeapError> {
        self.with(|heap| heap.prepare())
    }

    /// The settings in force.
    pub fn config(&self) -> HeapConfig {
        self.state.lock().config
    }

    /// See [`ArenaHeap::statistics`](crate::ArenaHeap::statistics).
    pub fn statistics(&self) -> HeapStatistics {
        self.state.lock().statistics()
    }

    /// See [`ArenaHeap::verify`](crate::ArenaHeap::verify). Other threads wait for the end of the
    /// walk.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn verify(&self) -> Result<(), Corruption> {
        self.state.lock().verify()
    }
}

global_allocator!(SharedArenaHeap<P>, P: PageSource);

impl<P: PageSource> Drop for SharedArenaHeap<P> {
    /// Gives every arena back, as [`ArenaHeap`](crate::ArenaHeap) does.
    fn drop(&mut self) {
        self.state.get_mut().end(&self.source);
    }
}

impl<P: PageSource> fmt::Debug for SharedArenaHeap<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statistics = self.state.try_lock().map(|state| state.statistics());
        f.debug_struct("SharedArenaHeap")
            .field("statistics", &statistics)
            .finish_non_exhaustive()
    }
}
