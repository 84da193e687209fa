//! The heap for one owner.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use os::PageSource;

use crate::heap::{HeapState, Working};
use crate::{ConfigError, Corruption, HeapConfig, HeapError, HeapStatistics, Trimmed};

/// A heap over a page source, for one owner.
///
/// The heap can be moved and sent to another thread; blocks keep their addresses. Dropping it gives
/// every arena back to the source, blocks in use included, so their addresses must not be used
/// afterwards; `core::mem::forget` keeps them for the life of the program.
///
/// ```
/// use arena_heap::ArenaHeap;
/// use core::alloc::Layout;
///
/// let mut heap = ArenaHeap::new(os::OsPages::new());
/// let block = heap.allocate(Layout::from_size_align(100, 4096).unwrap())?;
/// assert!(block.addr().get().is_multiple_of(4096));
/// // SAFETY: at least 100 bytes that are ours.
/// unsafe { block.write_bytes(7, 100) };
/// // SAFETY: allocated above, in use, not used again.
/// unsafe { heap.deallocate(block)? };
/// assert_eq!(heap.verify(), Ok(()));
/// # Ok::<(), arena_heap::HeapError>(())
/// ```
pub struct ArenaHeap<P: PageSource> {
    source: P,
    state: HeapState,
}

impl<P: PageSource> ArenaHeap<P> {
    /// A heap with the [default settings](HeapConfig::for_page_size). Maps nothing until it is
    /// used; can be called in a constant.
    pub const fn new(source: P) -> Self {
        Self {
            source,
            state: HeapState::new(HeapConfig::DEFAULT, false),
        }
    }

    /// A heap with these settings. Maps nothing until it is used, or [prepared](Self::prepare).
    ///
    /// # Errors
    /// A setting is out of its range.
    ///
    /// ```
    /// use arena_heap::{ArenaHeap, ConfigError, HeapConfig};
    ///
    /// let small = HeapConfig { arena_size: 1, ..HeapConfig::DEFAULT };
    /// let error = ArenaHeap::with_config(os::OsPages::new(), small).unwrap_err();
    /// assert!(matches!(error, ConfigError::ArenaSize { bytes: 1, .. }));
    /// ```
    pub fn with_config(source: P, config: HeapConfig) -> Result<Self, ConfigError> {
        config.validate(source.facts().page_size)?;
        Ok(Self {
            source,
            state: HeapState::new(config, true),
        })
    }

    #[inline(always)]
    const fn working(&mut self) -> Working<'_, P> {
        Working::new(&self.source, &mut self.state)
    }

    /// The page source.
    pub const fn source(&self) -> &P {
        &self.source
    }

    /// The settings in force.
    #[must_use]
    pub const fn config(&self) -> &HeapConfig {
        &self.state.config
    }

    /// Changes the settings of a living heap.
    ///
    /// The arena size acts on arenas mapped from now on. Lowered cache limits give back at once
    /// what is above them, at the cost of one call of the page source for each arena.
    /// A raised preallocation is mapped at once if the heap is in use, else at first use. Blocks do
    /// not move.
    ///
    /// # Errors
    /// A setting is out of its range, or bands change after the first use: nothing has changed.
    /// [`ConfigError::Preallocation`]: all settings are in force, but the source refused an arena.
    ///
    /// ```
    /// use arena_heap::{ArenaHeap, HeapConfig};
    ///
    /// let mut heap = ArenaHeap::new(os::OsPages::new());
    /// heap.configure(HeapConfig { hold: true, ..*heap.config() })?;
    /// assert!(heap.config().hold);
    /// # Ok::<(), arena_heap::ConfigError>(())
    /// ```
    pub fn configure(&mut self, config: HeapConfig) -> Result<(), ConfigError> {
        self.working().configure(config)
    }

    /// Does now what the first allocation would do: maps the arenas and makes the pools to
    /// preallocate. Does nothing on a heap that was used.
    ///
    /// # Errors
    /// The page source refused. The heap works all the same, with less preallocated.
    ///
    /// ```
    /// use arena_heap::{ArenaHeap, HeapConfig};
    ///
    /// let config = HeapConfig { preallocate: 1 << 20, ..HeapConfig::DEFAULT };
    /// let mut heap = ArenaHeap::with_config(os::OsPages::new(), config)?;
    /// heap.prepare()?;
    /// assert!(heap.statistics().cached_bytes >= 1 << 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prepare(&mut self) -> Result<(), HeapError> {
        self.working().prepare()
    }

    /// A block of at least `layout.size()` bytes at a multiple of `layout.align()`. Size 0 is
    /// legal. The contents are undefined.
    ///
    /// Constant time; at most one system call, and only if no free block fits. (If the source has
    /// no more, the heap gives back what it does not need, as [`trim`](Self::trim) does, and asks
    /// again.) Alignments above one word are served by the list heap; an alignment beyond 16 bytes
    /// cuts the block out of a larger one, and what lies before it stays free.
    ///
    /// # Errors
    /// [`HeapError::OutOfMemory`] with what the page source said, or [`HeapError::TooLarge`].
    /// Nothing has changed.
    ///
    /// ```
    /// use arena_heap::{ArenaHeap, HeapError};
    /// use core::alloc::Layout;
    ///
    /// let mut heap = ArenaHeap::new(os::OsPages::new());
    /// let small = heap.allocate(Layout::new::<u64>())?;
    /// let large = heap.allocate(Layout::from_size_align(1 << 20, 65536).unwrap())?;
    /// assert!(large.addr().get().is_multiple_of(65536));
    /// let beyond = Layout::from_size_align(isize::MAX as usize, 1).unwrap();
    /// assert!(matches!(heap.allocate(beyond), Err(HeapError::TooLarge { .. })));
    /// # Ok::<(), HeapError>(())
    /// ```
    #[inline]
    pub fn allocate(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        self.working().allocate(layout)
    }

    /// As [`allocate`](Self::allocate), with the first `layout.size()` bytes zero.
    ///
    /// Constant time where the bytes come from an arena that was just mapped; otherwise they are
    /// filled.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate).
    ///
    /// ```
    /// use arena_heap::ArenaHeap;
    /// use core::alloc::Layout;
    ///
    /// let mut heap = ArenaHeap::new(os::OsPages::new());
    /// let block = heap.allocate_zeroed(Layout::new::<[u8; 5000]>())?;
    /// // SAFETY: 5000 initialised bytes that are ours.
    /// let bytes = unsafe { block.cast::<[u8; 5000]>().as_ref() };
    /// assert!(bytes.iter().all(|byte| *byte == 0));
    /// # Ok::<(), arena_heap::HeapError>(())
    /// ```
    pub fn allocate_zeroed(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        self.working().allocate_zeroed(layout)
    }

    /// Frees a block. Free neighbours are joined at once; an arena that is wholly free stays in the
    /// cache or goes back to the source, as the limits say. Constant time, at most one system call.
    ///
    /// Neither size nor alignment is needed. In a free block of the list heap the first two words
    /// and the last one are overwritten; in one of a band nothing is.
    ///
    /// # Errors
    /// The address is no block in use, as far as the heap's own words tell: nothing has changed,
    /// and the refusal is [counted](crate::HeapStatistics::refused_frees). Freeing twice is found
    /// while the memory was not handed out again.
    ///
    /// # Safety
    /// 1. `block` came from this heap. (An address beyond every arena is recognised and refused,
    ///    but one in an arena that went back to the source meanwhile may fault.)
    /// 2. Nobody uses the block from now on.
    ///
    /// ```
    /// use arena_heap::{ArenaHeap, HeapError};
    /// use core::alloc::Layout;
    ///
    /// let mut heap = ArenaHeap::new(os::OsPages::new());
    /// let block = heap.allocate(Layout::new::<u64>())?;
    /// // SAFETY: allocated above, not used again.
    /// unsafe { heap.deallocate(block)? };
    /// // SAFETY: not in use; the heap has just this one arena, still cached.
    /// let again = unsafe { heap.deallocate(block) };
    /// assert_eq!(again, Err(HeapError::AlreadyFree { address: block.addr().get() }));
    /// # Ok::<(), HeapError>(())
    /// ```
    #[inline]
    pub unsafe fn deallocate(&mut self, block: NonNull<u8>) -> Result<(), HeapError> {
        // SAFETY: the caller's promises, passed on unchanged.
        unsafe { self.working().deallocate(block) }
    }

    /// Resizes a block to `layout`, which may also ask for another alignment. The first bytes, as
    /// many as both sizes have, are kept; bytes beyond the old size are undefined.
    ///
    /// The block stays where it is if the new size fits: shrinking frees its tail, growing takes
    /// over a free neighbour behind it. Otherwise it moves. A growing block whose usable size is
    /// above four arena sizes then gets at least 1.5 times that, unless the heap is set to
    /// [monotonic growth](crate::HeapConfig::monotonic_growth) or has no memory for more than was
    /// asked. Constant time but for the copy.
    ///
    /// A smaller size at an alignment the block already has never fails.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate) and [`deallocate`](Self::deallocate). The block is
    /// unchanged, still in use, still owned by the caller.
    ///
    /// # Safety
    /// 1. `block` came from this heap and is in use.
    /// 2. If the call succeeds, nobody uses the old address from now on.
    ///
    /// ```
    /// use arena_heap::ArenaHeap;
    /// use core::alloc::Layout;
    ///
    /// let mut heap = ArenaHeap::new(os::OsPages::new());
    /// let block = heap.allocate(Layout::new::<[u8; 1000]>())?;
    /// // SAFETY: allocated above, the old address is not used again.
    /// let grown = unsafe { heap.reallocate(block, Layout::new::<[u8; 3000]>())? };
    /// assert_eq!(grown, block, "the neighbour behind was free");
    /// # Ok::<(), arena_heap::HeapError>(())
    /// ```
    pub unsafe fn reallocate(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
    ) -> Result<NonNull<u8>, HeapError> {
        // SAFETY: the caller's promises, passed on unchanged.
        unsafe { self.working().reallocate(block, layout) }
    }

    /// The bytes that the owner of a block may use: at least what was asked for. Constant time.
    ///
    /// # Errors
    /// As [`deallocate`](Self::deallocate), not counted.
    ///
    /// # Safety
    /// `block` came from this heap and is in use.
    ///
    /// ```
    /// use arena_heap::ArenaHeap;
    /// use core::alloc::Layout;
    ///
    /// let mut heap = ArenaHeap::new(os::OsPages::new());
    /// let block = heap.allocate(Layout::new::<[u8; 1001]>())?;
    /// // SAFETY: allocated above and in use.
    /// assert!((1001..1032).contains(&unsafe { heap.usable_size(block)? }));
    /// # Ok::<(), arena_heap::HeapError>(())
    /// ```
    pub unsafe fn usable_size(&self, block: NonNull<u8>) -> Result<usize, HeapError> {
        // SAFETY: the caller's promises, passed on unchanged.
        unsafe { self.state.usable_size(block) }
    }

    /// Gives back to the page source what is wholly free: pools without blocks in use are joined
    /// with their neighbours, then every cached arena goes, whatever the limits and even on hold.
    ///
    /// Blocks in use are not touched. One call of the page source for each arena; otherwise the
    /// cost grows with the number of pools that have free blocks.
    ///
    /// ```
    /// use arena_heap::ArenaHeap;
    /// use core::alloc::Layout;
    ///
    /// let mut heap = ArenaHeap::new(os::OsPages::new());
    /// let block = heap.allocate(Layout::new::<[u8; 3000]>())?;
    /// // SAFETY: allocated above, not used again.
    /// unsafe { heap.deallocate(block)? };
    /// let mapped = heap.statistics().mapped_bytes;
    /// assert_eq!(heap.trim().bytes, mapped);
    /// assert_eq!(heap.statistics().mapped_bytes, 0);
    /// # Ok::<(), arena_heap::HeapError>(())
    /// ```
    pub fn trim(&mut self) -> Trimmed {
        self.working().trim()
    }

    /// Checks that the heap's structures agree with each other: arenas, blocks and their
    /// neighbours, free lists and bitmaps, pools, the cache, every counter. Changes nothing.
    ///
    /// Can be called on a heap that was overwritten: it follows no pointer out of an arena. Cost
    /// grows with the number of blocks, and with free blocks times arenas.
    ///
    /// # Errors
    /// The first contradiction, with its address.
    ///
    /// ```
    /// use arena_heap::{ArenaHeap, Damage};
    /// use core::alloc::Layout;
    ///
    /// let mut heap = ArenaHeap::new(os::OsPages::new());
    /// let block = heap.allocate(Layout::new::<[u64; 100]>())?;
    /// assert_eq!(heap.verify(), Ok(()));
    /// // SAFETY: not sound at all: overwrites the word before the block, to have it found.
    /// unsafe { block.cast::<usize>().sub(1).write(8 << 20) };
    /// let found = heap.verify().unwrap_err();
    /// assert_eq!(found.address, block.addr().get() - size_of::<usize>());
    /// assert!(matches!(found.damage, Damage::BlockSize { .. }));
    /// # Ok::<(), arena_heap::HeapError>(())
    /// ```
    pub fn verify(&self) -> Result<(), Corruption> {
        self.state.verify()
    }

    /// A snapshot of all counters. Constant time.
    #[must_use]
    pub fn statistics(&self) -> HeapStatistics {
        self.state.statistics()
    }

    /// For tests that damage the state on purpose.
    #[cfg(test)]
    pub(crate) const fn state_mut(&mut self) -> &mut HeapState {
        &mut self.state
    }
}

impl<P: PageSource> Drop for ArenaHeap<P> {
    /// Gives every arena back. What the page source refuses to take is leaked: there is nobody left
    /// to keep it for.
    fn drop(&mut self) {
        self.state.end(&self.source);
    }
}

impl<P: PageSource> fmt::Debug for ArenaHeap<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaHeap")
            .field("config", self.config())
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}
