//! Resizing blocks: in place if a neighbour allows it, else by copying.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::Working;
use super::free::Owned;
use super::source::ArenaSource;
use crate::HeapError;
use crate::block::Block;
use crate::header::Header;
use crate::layout::{MIN_BLOCK, WORD, block_size};

impl<P: ArenaSource> Working<'_, P> {
    /// See [`ArenaHeap::reallocate`](crate::ArenaHeap::reallocate).
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn reallocate(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
    ) -> Result<NonNull<u8>, HeapError> {
        // SAFETY: the caller's promise 1.
        let Some(owned) = (unsafe { self.state.owned(block) }) else {
            // SAFETY: the caller's promise 1.
            return Err(unsafe { self.state.refuse(block) });
        };
        let aligned = block.addr().get().is_multiple_of(layout.align());
        if aligned && self.resize_in_place(&owned, layout) {
            self.state.counters.reallocations_in_place += 1;
            return Ok(block);
        }
        self.move_block(block, owned, layout, aligned)
    }

    /// Whether the block, which has the alignment, now has the size.
    fn resize_in_place(&mut self, owned: &Owned, layout: Layout) -> bool {
        let size = layout.size();
        match *owned {
            Owned::Band(pool, _) => {
                let band = self.state.bands.band_for(size);
                // A block is worth moving to a smaller band if that saves half of it.
                size <= pool.stride() && (size > pool.stride() / 2 || band == Some(pool.band()))
            }
            Owned::List(block) => {
                let Some(need) = block_size(size) else {
                    return false;
                };
                let old = block.header().size();
                if need > old && !self.absorb(block, need) {
                    return false;
                }
                self.cut_tail(block, need);
                let new = block.header().size();
                if new > old {
                    self.state.counters.list_grown(new - old);
                } else {
                    self.state.counters.list_allocated -= old - new;
                }
                true
            }
        }
    }

    /// Joins a block in use with the free block behind it if both together have `need` bytes.
    fn absorb(&mut self, block: Block, need: usize) -> bool {
        let header = block.header();
        // SAFETY: behind a block there is a header or the end word.
        let behind = unsafe { block.behind(header.size()) };
        let free = behind.header();
        let sum = header.size() + free.size();
        if !free.is_free() || sum < need {
            return false;
        }
        self.state.bins.remove(behind, free.size());
        let rest = sum - need;
        if rest >= MIN_BLOCK {
            block.set_header(header.resized(need));
            // SAFETY: here the header of the rest is about to be written.
            let tail = unsafe { block.behind(need) };
            // SAFETY: the rest of the free block, which is ours.
            unsafe { tail.write_free(free.rest(rest)) };
            self.state
                .bins
                .insert(tail, rest, self.state.config.free_order);
        } else {
            block.set_header(header.resized(sum));
            // SAFETY: behind a block there is a header or the end word.
            unsafe { block.behind(sum) }.set_before_free(false);
        }
        true
    }

    /// Frees what a block in use has beyond `need` bytes, if it is enough for a block.
    fn cut_tail(&mut self, block: Block, need: usize) {
        let header = block.header();
        let rest = header.size() - need;
        if rest < MIN_BLOCK {
            return;
        }
        block.set_header(header.resized(need));
        // SAFETY: here the header of the tail is about to be written.
        let tail = unsafe { block.behind(need) };
        tail.set_header(Header::used(rest));
        self.release(tail);
    }

    fn move_block(
        &mut self,
        old: NonNull<u8>,
        owned: Owned,
        layout: Layout,
        aligned: bool,
    ) -> Result<NonNull<u8>, HeapError> {
        let usable = match owned {
            Owned::Band(pool, _) => pool.stride(),
            Owned::List(block) => block.header().size() - WORD,
        };
        let new = match self.allocate_generously(usable, layout) {
            Ok(new) => new,
            // A block that is large enough serves on.
            Err(_) if aligned && usable >= layout.size() => {
                self.state.counters.reallocations_in_place += 1;
                return Ok(old);
            }
            Err(error) => return Err(error),
        };
        let bytes = usable.min(layout.size());
        // SAFETY: both blocks have that many bytes, and two blocks never overlap.
        unsafe { old.copy_to_nonoverlapping(new, bytes) };
        let left = self.state.take_back(owned);
        self.deal_with(left);
        self.state.counters.moved(bytes);
        Ok(new)
    }

    /// A new block for one of `usable` bytes that has to move: larger than asked for if it grows
    /// and the settings say so.
    fn allocate_generously(
        &mut self,
        usable: usize,
        layout: Layout,
    ) -> Result<NonNull<u8>, HeapError> {
        let generous = usable.saturating_add(usable / 2);
        let large = usable / 4 > self.state.config.arena_size;
        if large
            && !self.state.config.monotonic_growth
            && layout.size() > usable
            && layout.size() < generous
            && let Ok(layout) = Layout::from_size_align(generous, layout.align())
            && let Ok(block) = self.allocate(layout)
        {
            return Ok(block);
        }
        self.allocate(layout)
    }
}
