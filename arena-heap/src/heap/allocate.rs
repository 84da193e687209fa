//! Handing blocks out.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::source::ArenaSource;
use super::{HeapState, Working};
use crate::HeapError;
use crate::block::Block;
use crate::header::Header;
use crate::layout::{
    GRANULE, MAX_BLOCK, MIN_BLOCK, WORD, aligned_search_size, block_size, leading_slack,
};
use crate::size_class::class_holding;

/// A block that was just cut out of a free one.
pub(super) struct Cut {
    pub(super) block: Block,
    /// Bytes of its payload.
    pub(super) usable: usize,
    /// Its bytes are zero, except where links and footer were.
    pub(super) fresh: bool,
}

impl HeapState {
    /// A block from what the heap has, if it is one of the usual: from a pool with free blocks, or
    /// one free block of the list heap that certainly fits.
    #[inline(always)]
    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.align() <= WORD
            && let Some(band) = self.bands.band_for(layout.size())
        {
            return self.take_from_band(band);
        }
        Some(self.take_from_list(layout)?.block.payload())
    }

    #[inline(always)]
    fn take_from_band(&mut self, band: usize) -> Option<NonNull<u8>> {
        let pool = self.bands.available(band).first()?;
        let (block, left) = pool.take();
        if left == 0 {
            self.bands.became_full(pool);
        }
        self.counters.band_block_taken(pool.stride());
        Some(block)
    }

    /// A block, counted as in use, from the front of a free one. What is needed is rounded up to
    /// where a size class begins: so it serves the next request of its size when it is free again,
    /// and one look at the bitmaps finds it.
    #[inline(always)]
    fn take_from_list(&mut self, layout: Layout) -> Option<Cut> {
        if layout.align() > GRANULE {
            return None;
        }
        let (class, need) = class_holding(block_size(layout.size())?);
        let free = self.bins.take_from(class)?;
        self.leave_cache_if_whole(free);
        let header = free.header();
        let cut = self.cut_front(free, header.front(need), header);
        self.counters.list_block_taken(cut.usable);
        Some(cut)
    }

    #[inline(always)]
    fn leave_cache_if_whole(&mut self, block: Block) {
        let header = block.header();
        if header.is_first() {
            // SAFETY: behind a block there is a header or the end word.
            let behind = unsafe { block.behind(header.size()) };
            if behind.header().is_end() {
                self.leave_cache(block);
            }
        }
    }

    /// Cuts a block with the header `used` out of the front of one with the header `free`. What is
    /// left behind it goes to the bins, or stays with the block if it is too small for one.
    #[inline(always)]
    fn cut_front(&mut self, block: Block, used: Header, free: Header) -> Cut {
        let (need, size) = (used.size(), free.size());
        let rest = size - need;
        let usable = if rest >= MIN_BLOCK {
            block.set_header(used);
            // SAFETY: here the header of the rest is about to be written.
            let behind = unsafe { block.behind(need) };
            // SAFETY: the rest of the free block, which is ours.
            unsafe { behind.write_free(free.rest(rest)) };
            self.bins.insert(behind, rest, self.config.free_order);
            need - WORD
        } else {
            block.set_header(used.resized(size));
            // SAFETY: behind a block there is a header or the end word.
            unsafe { block.behind(size) }.set_before_free(false);
            size - WORD
        };
        Cut {
            block,
            usable,
            fresh: free.is_fresh(),
        }
    }
}

impl<P: ArenaSource> Working<'_, P> {
    /// See [`ArenaHeap::allocate`](crate::ArenaHeap::allocate).
    #[inline(always)]
    pub(crate) fn allocate(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        match self.state.take(layout) {
            Some(block) => Ok(block),
            None => self.reborrow().allocate_otherwise(layout),
        }
    }

    #[inline(never)]
    fn allocate_otherwise(mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        if layout.align() <= WORD
            && let Some(band) = self.state.bands.band_for(layout.size())
        {
            return self.allocate_from_new_pool(band, layout);
        }
        Ok(self.cut_otherwise(layout)?.block.payload())
    }

    /// See [`ArenaHeap::allocate_zeroed`](crate::ArenaHeap::allocate_zeroed).
    pub(crate) fn allocate_zeroed(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        if layout.align() <= WORD && self.state.bands.band_for(layout.size()).is_some() {
            let block = self.allocate(layout)?;
            // SAFETY: a block of at least this size that nobody else has yet.
            unsafe { block.write_bytes(0, layout.size()) };
            return Ok(block);
        }
        let cut = self.allocate_from_list(layout)?;
        if cut.fresh {
            // SAFETY: just cut from a fresh block; nobody has its payload yet.
            unsafe { cut.block.clear_links_and_footer() };
        } else {
            // SAFETY: a block of at least this size that nobody else has yet.
            unsafe { cut.block.payload().write_bytes(0, layout.size()) };
        }
        Ok(cut.block.payload())
    }

    #[cold]
    #[inline(never)]
    fn allocate_from_new_pool(
        &mut self,
        band: usize,
        layout: Layout,
    ) -> Result<NonNull<u8>, HeapError> {
        self.ensure_started();
        // The start may have made pools already.
        if self.state.bands.available(band).first().is_none() {
            // A source without room for a pool may still have a block.
            let _counted = self.make_pool(band);
        }
        match self.state.take_from_band(band) {
            Some(block) => Ok(block),
            None => Ok(self.allocate_from_list(layout)?.block.payload()),
        }
    }

    /// A block of the list heap, counted as in use.
    pub(super) fn allocate_from_list(&mut self, layout: Layout) -> Result<Cut, HeapError> {
        match self.state.take_from_list(layout) {
            Some(cut) => Ok(cut),
            None => self.cut_otherwise(layout),
        }
    }

    /// The other cases: an alignment above the granule, or nothing free that fits.
    #[inline(never)]
    fn cut_otherwise(&mut self, layout: Layout) -> Result<Cut, HeapError> {
        let (size, align) = (layout.size(), layout.align());
        let Some(need) = block_size(size) else {
            return Err(too_large(layout));
        };
        let cut = match self.find_aligned(need, align) {
            Some((block, slack)) => {
                self.unlink(block);
                self.cut(block, slack, need)
            }
            None => self.cut_from_new_arena(layout, need)?,
        };
        self.state.counters.list_block_taken(cut.usable);
        Ok(cut)
    }

    /// A free block, still in its bin, with room for `need` bytes at `align`, and the bytes to
    /// leave free at its front. Looks at two blocks at most before it goes where all fit.
    fn find_aligned(&self, need: usize, align: usize) -> Option<(Block, usize)> {
        let fits = |block: &Block| {
            let sum = slack_in(*block, align).checked_add(need);
            sum.is_some_and(|sum| sum <= block.header().size())
        };
        let likely = self.state.bins.find(need).filter(fits);
        let certain = || self.state.bins.find(aligned_search_size(need, align)?);
        let block = likely.or_else(certain)?;
        Some((block, slack_in(block, align)))
    }

    #[cold]
    #[inline(never)]
    fn cut_from_new_arena(&mut self, layout: Layout, need: usize) -> Result<Cut, HeapError> {
        self.ensure_started();
        let (size, align) = (layout.size(), layout.align());
        let Some(length) = self.arena_length(need, align) else {
            return Err(too_large(layout));
        };
        // The start may have preallocated arenas.
        if let Some((block, slack)) = self.find_aligned(need, align) {
            self.unlink(block);
            return Ok(self.cut(block, slack, need));
        }
        let block = self.block_of_new_arena(length, size)?;
        Ok(self.cut(block, slack_in(block, align), need))
    }

    #[inline]
    pub(super) fn ensure_started(&mut self) {
        if !self.state.is_started() {
            // What could not be preallocated is counted; the request itself may still succeed.
            let _counted = self.start();
        }
    }

    /// Takes a free block out of its bin, and its arena out of the cache if it was all free.
    pub(super) fn unlink(&mut self, block: Block) {
        self.state.bins.remove(block, block.header().size());
        self.state.leave_cache_if_whole(block);
    }

    /// Cuts a block of `need` bytes out of a free block that is in no bin: `slack` bytes before it
    /// and what is left behind it go to the bins. `slack` is nothing or enough for a block.
    pub(super) fn cut(&mut self, free: Block, slack: usize, need: usize) -> Cut {
        let header = free.header();
        if slack == 0 {
            return self.state.cut_front(free, header.front(need), header);
        }
        let front = header.rest(slack).with_first_of(header);
        // SAFETY: the front of the free block, which is ours.
        unsafe { free.write_free(front) };
        self.state
            .bins
            .insert(free, slack, self.state.config.free_order);
        // SAFETY: here the header of the cut block is about to be written.
        let block = unsafe { free.behind(slack) };
        let used = Header::used(need).with_before_free(true);
        self.state
            .cut_front(block, used, header.rest(header.size() - slack))
    }
}

/// What has to stay free at the front of a block so that its payload is aligned.
fn slack_in(block: Block, align: usize) -> usize {
    if align <= GRANULE {
        0
    } else {
        leading_slack(block.address() + WORD, align)
    }
}

#[cold]
fn too_large(layout: Layout) -> HeapError {
    HeapError::TooLarge {
        size: layout.size(),
        align: layout.align(),
        maximum: MAX_BLOCK,
    }
}
