//! Taking blocks back, and refusing what is no block.

use core::ptr::NonNull;

use os::PageSource;

use super::{HeapState, Working};
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

impl HeapState {
    /// See [`ArenaHeap::usable_size`](crate::ArenaHeap::usable_size).
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn usable_size(&self, block: NonNull<u8>) -> Result<usize, HeapError> {
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
}

impl<P: PageSource> Working<'_, P> {
    /// See [`ArenaHeap::deallocate`](crate::ArenaHeap::deallocate).
    ///
    /// # Safety
    /// As there.
    #[inline]
    pub(crate) unsafe fn deallocate(&mut self, block: NonNull<u8>) -> Result<(), HeapError> {
        // SAFETY: the caller's promise 1.
        match unsafe { self.state.owned(block) } {
            Ok(owned) => {
                self.take_back(owned);
                Ok(())
            }
            Err(error) => self.state.refuse(error),
        }
    }

    /// Frees a block whose address was checked.
    #[inline(always)]
    pub(super) fn take_back(&mut self, owned: Owned) {
        match owned {
            Owned::Band(pool, index) => {
                let free = pool.give_back(index);
                self.state.counters.band_block_freed(pool.stride());
                if free == 1 {
                    self.state
                        .bands
                        .became_available(pool, self.state.config.free_order);
                }
                if usize::from(free) == pool.count() && !self.state.bands.is_last(pool) {
                    self.end_pool(pool);
                }
            }
            Owned::List(block) => {
                self.state
                    .counters
                    .list_block_freed(block.header().size() - WORD);
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
            self.state.bins.remove(start, first.size());
            size += first.size();
            // The header stays behind inside the joined block, to tell a second free.
            block.set_header(header.freed());
        }
        let end = if behind_header.is_free() {
            self.state.bins.remove(behind, behind_header.size());
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
        self.state
            .bins
            .insert(start, size, self.state.config.free_order);
    }
}
