//! Taking blocks back, and refusing what is no block.

use core::ptr::NonNull;

use os::PageSource;

use super::ArenaHeap;
use crate::HeapError;
use crate::block::Block;
use crate::header::Header;
use crate::layout::{GRANULE, MIN_BLOCK, WORD};
use crate::pool::{BlockIndex, Pool, Stray};

/// A block in use whose address was checked.
pub(super) enum Owned {
    Band(Pool, BlockIndex),
    List(Block),
}

impl<P: PageSource> ArenaHeap<P> {
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
        // SAFETY: the caller's promise 1.
        match unsafe { self.owned(block) } {
            Ok(owned) => {
                self.take_back(owned);
                Ok(())
            }
            Err(error) => self.refuse(error),
        }
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
        // SAFETY: the caller's promise.
        Ok(match unsafe { self.owned(block)? } {
            Owned::Band(pool, _) => pool.stride(),
            Owned::List(block) => block.header().size() - WORD,
        })
    }

    #[cold]
    pub(super) fn refuse<T>(&mut self, error: HeapError) -> Result<T, HeapError> {
        self.counters.refused_frees += 1;
        Err(error)
    }

    /// What is at an address, if it is a block in use.
    ///
    /// # Safety
    /// `address` came from this heap.
    #[inline]
    pub(super) unsafe fn owned(&self, address: NonNull<u8>) -> Result<Owned, HeapError> {
        let number = address.addr().get();
        if !self.arenas.may_contain(number) {
            return Err(HeapError::NotABlock { address: number });
        }
        match number % GRANULE {
            WORD => {
                // SAFETY: the address came from this heap, and at such addresses only bands hand
                // out blocks; their foot is in the same window.
                let pool = unsafe { Pool::of_block(address, self.bands.window) };
                if !pool.is_alive() {
                    return Err(HeapError::AlreadyFree { address: number });
                }
                match pool.find(address) {
                    Ok(index) => Ok(Owned::Band(pool, index)),
                    Err(Stray::AlreadyFree) => Err(HeapError::AlreadyFree { address: number }),
                    Err(Stray::NotABlock) => Err(HeapError::NotABlock { address: number }),
                }
            }
            0 => {
                // SAFETY: the address came from this heap, and at such addresses only the list
                // heap hands out blocks.
                let block = unsafe { Block::of_payload(address) };
                let header = block.header();
                if header.is_free() {
                    return Err(HeapError::AlreadyFree { address: number });
                }
                if !header.is_owned() {
                    return Err(HeapError::NotABlock { address: number });
                }
                let size = header.size();
                if size < MIN_BLOCK || !self.arenas.may_contain(number.wrapping_add(size - WORD)) {
                    return Err(HeapError::Damaged { address: number });
                }
                // SAFETY: behind a block there is a header or the end word.
                if unsafe { block.behind(size) }.header().before_is_free() {
                    return Err(HeapError::Damaged { address: number });
                }
                Ok(Owned::List(block))
            }
            _ => Err(HeapError::NotABlock { address: number }),
        }
    }

    /// Frees a block whose address was checked.
    #[inline(always)]
    pub(super) fn take_back(&mut self, owned: Owned) {
        match owned {
            Owned::Band(pool, index) => {
                let free = pool.give_back(index);
                self.counters.band_block_freed(pool.stride());
                if free == 1 {
                    self.bands.became_available(pool, self.config.free_order);
                }
                if usize::from(free) == pool.count() && !self.bands.is_last(pool) {
                    self.end_pool(pool);
                }
            }
            Owned::List(block) => {
                self.counters.list_block_freed(block.header().size() - WORD);
                self.release(block);
            }
        }
    }

    /// Makes a block in use, counted nowhere, a free one: joined with free neighbours and in its
    /// bin, or its arena cached or gone. Kept out of line: the path of the bands shall not save
    /// registers for it.
    #[inline(never)]
    pub(super) fn release(&mut self, block: Block) {
        let header = block.header();
        let mut first = header;
        let mut start = block;
        let mut size = header.size();
        // SAFETY: behind a block there is a header or the end word.
        let behind = unsafe { block.behind(size) };
        let behind_header = behind.header();
        if header.before_is_free() {
            // SAFETY: the header says so.
            start = unsafe { block.before() };
            first = start.header();
            self.bins.remove(start, first.size());
            size += first.size();
            // The header stays behind inside the joined block, to tell a second free.
            block.set_header(header.freed());
        }
        let end = if behind_header.is_free() {
            self.bins.remove(behind, behind_header.size());
            size += behind_header.size();
            // SAFETY: behind a block there is a header or the end word.
            unsafe { start.behind(size) }.header().is_end()
        } else {
            behind.set_header(behind_header.with_before_free(true));
            behind_header.is_end()
        };
        if end && first.is_first() {
            if start == block {
                block.set_header(header.freed());
            }
            self.arena_became_free(start, size);
            return;
        }
        // SAFETY: the block and the neighbours joined to it belong to no one now.
        unsafe { start.write_free(Header::free(size).with_first_of(first)) };
        self.bins.insert(start, size, self.config.free_order);
    }
}
