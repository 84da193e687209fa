//! Taking blocks back, and refusing what is no block.

use core::ptr::NonNull;

use super::source::ArenaSource;
use super::{HeapState, Working};
use crate::HeapError;
use crate::block::Block;
use crate::header::Header;
use crate::layout::{GRANULE, WORD};
use crate::pool::{BlockIndex, Pool};

/// A block in use whose address was checked.
pub(super) enum Owned {
    Band(Pool, BlockIndex),
    List(Block),
}

/// What a free left behind that is for the heap to deal with.
#[must_use]
pub(super) enum Left {
    Nothing,
    /// A pool without blocks in use, beside another one of its band.
    Pool(Pool),
    /// An arena without blocks in use: its first block, in no bin.
    Arena(Block),
}

impl HeapState {
    /// See [`ArenaHeap::usable_size`](crate::ArenaHeap::usable_size).
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn usable_size(&self, block: NonNull<u8>) -> Result<usize, HeapError> {
        // SAFETY: the caller's promise.
        match unsafe { self.owned(block) } {
            Some(Owned::Band(pool, _)) => Ok(pool.stride()),
            Some(Owned::List(block)) => Ok(block.header().size() - WORD),
            // SAFETY: the caller's promise.
            None => Err(unsafe { self.reason(block) }),
        }
    }

    /// What is at an address, if it is a block in use.
    ///
    /// # Safety
    /// `address` came from this heap.
    #[inline(always)]
    pub(super) unsafe fn owned(&self, address: NonNull<u8>) -> Option<Owned> {
        let number = address.addr().get();
        if !self.arenas.may_contain(number) {
            return None;
        }
        match number % GRANULE {
            WORD => {
                // SAFETY: the address came from this heap, and at such addresses only bands hand
                // out blocks; their foot is in the same window.
                let pool = unsafe { Pool::of_block(address, self.bands.window) };
                let index = pool.find(address)?;
                Some(Owned::Band(pool, index))
            }
            0 => {
                // SAFETY: the address came from this heap, and at such addresses only the list
                // heap hands out blocks.
                let block = unsafe { Block::of_payload(address) };
                let header = block.header();
                let end = number.wrapping_add(header.size()).wrapping_sub(WORD);
                if !header.is_owned() || !self.arenas.may_contain(end) {
                    return None;
                }
                // SAFETY: behind a block there is a header or the end word.
                let behind = unsafe { block.behind(header.size()) };
                (!behind.header().before_is_free()).then_some(Owned::List(block))
            }
            _ => None,
        }
    }

    /// Why an address is no block in use.
    ///
    /// # Safety
    /// `address` came from this heap.
    #[cold]
    unsafe fn reason(&self, block: NonNull<u8>) -> HeapError {
        let address = block.addr().get();
        let not_a_block = HeapError::NotABlock { address };
        if !self.arenas.may_contain(address) {
            return not_a_block;
        }
        match address % GRANULE {
            WORD => {
                // SAFETY: as in `owned`.
                let pool = unsafe { Pool::of_block(block, self.bands.window) };
                if !pool.is_alive() || pool.is_free(block) {
                    HeapError::AlreadyFree { address }
                } else {
                    not_a_block
                }
            }
            0 => {
                // SAFETY: as in `owned`.
                let header = unsafe { Block::of_payload(block) }.header();
                if header.is_free() {
                    HeapError::AlreadyFree { address }
                } else if header.is_pool() || header.is_end() {
                    not_a_block
                } else {
                    HeapError::Damaged { address }
                }
            }
            _ => not_a_block,
        }
    }

    /// Counts a refusal, and says why.
    ///
    /// # Safety
    /// `block` came from this heap, and is no block in use.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn refuse(&mut self, block: NonNull<u8>) -> HeapError {
        self.counters.refused_frees += 1;
        // SAFETY: the caller's promise.
        unsafe { self.reason(block) }
    }

    /// Frees a block whose address was checked.
    #[inline(always)]
    pub(super) fn take_back(&mut self, owned: Owned) -> Left {
        match owned {
            Owned::Band(pool, index) => {
                let free = pool.give_back(index);
                self.counters.band_block_freed(pool.stride());
                if free == 1 {
                    self.bands.became_available(pool, self.config.free_order);
                }
                if free as usize == pool.count()
                    && let Some(pool) = self.bands.superfluous(pool)
                {
                    return Left::Pool(pool);
                }
                Left::Nothing
            }
            Owned::List(block) => {
                let header = block.header();
                self.counters.list_block_freed(header.size() - WORD);
                match self.join(block, header) {
                    None => Left::Nothing,
                    Some(first) => Left::Arena(first),
                }
            }
        }
    }

    /// Makes a block in use, counted nowhere, a free one: joined with free neighbours and in its
    /// bin. If its arena is all free now, its first block is returned, in no bin. `header` is the
    /// block's.
    #[inline(always)]
    fn join(&mut self, block: Block, header: Header) -> Option<Block> {
        // SAFETY: behind a block there is a header or the end word.
        let behind = unsafe { block.behind(header.size()) };
        let behind_header = behind.header();
        let mut first = header;
        let mut start = block;
        let mut size = header.size();
        if header.before_is_free() {
            // SAFETY: the header says so.
            start = unsafe { block.before() };
            first = start.header();
            self.bins.remove(start, first.size());
            size += first.size();
            // The header stays behind inside the joined block, to tell a second free.
            block.set_header(header.freed());
        }
        if behind_header.is_free() {
            self.bins.remove(behind, behind_header.size());
            size += behind_header.size();
        } else {
            behind.set_header(behind_header.with_before_free(true));
        }
        // SAFETY: behind a block there is a header or the end word.
        if first.is_first() && unsafe { start.behind(size) }.header().is_end() {
            block.set_header(header.freed());
            return Some(start);
        }
        // SAFETY: the block and the neighbours joined to it belong to no one now.
        unsafe { start.write_free(Header::free(size).with_first_of(first)) };
        self.bins.insert(start, size, self.config.free_order);
        None
    }
}

impl<P: ArenaSource> Working<'_, P> {
    /// See [`ArenaHeap::deallocate`](crate::ArenaHeap::deallocate).
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub(crate) unsafe fn deallocate(&mut self, block: NonNull<u8>) -> Result<(), HeapError> {
        // SAFETY: the caller's promise 1.
        let Some(owned) = (unsafe { self.state.owned(block) }) else {
            // SAFETY: the caller's promise 1.
            return Err(unsafe { self.state.refuse(block) });
        };
        let left = self.state.take_back(owned);
        self.deal_with(left);
        Ok(())
    }

    /// Deals with what a free left behind. At most one system call.
    #[inline(always)]
    pub(super) fn deal_with(&mut self, left: Left) {
        match left {
            Left::Nothing => {}
            Left::Pool(pool) => self.reborrow().pool_became_free(pool),
            Left::Arena(first) => self.reborrow().arena_became_free(first),
        }
    }

    #[cold]
    #[inline(never)]
    fn pool_became_free(mut self, pool: Pool) {
        self.end_pool(pool);
    }

    /// Makes a block in use, counted nowhere, a free one.
    #[inline(never)]
    pub(super) fn release(&mut self, block: Block) {
        if let Some(first) = self.state.join(block, block.header()) {
            self.reborrow().arena_became_free(first);
        }
    }
}
