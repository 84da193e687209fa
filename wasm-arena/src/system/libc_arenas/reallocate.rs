//! Growth by the heap's own `realloc`: recipe C, with a way out of every failure.
//!
//! ```text
//!   lift guards ─▶ realloc ─▶ aligned? ── yes ──────────────▶ zero, guards ─▶ done
//!        │            │           │ no, or its guards failed       │ refused
//!        ▼            ▼           ▼                                │
//!   guards again  guards again   aligned block, guards, copy, free ◀┘
//!                                 │ refused
//!                                 ▼
//!                                align within the block's own slack, guards ─▶ done
//! ```
//!
//! `realloc` is asked for one host page more than needed. Once it has succeeded the old block is
//! gone and nothing may be lost any more; with that page of slack the last way out needs no memory.
//! Only if guards are refused at every stage is the region left without: it says so.

use core::ptr::NonNull;

use os::{NativeHeap, PageSource};

use super::LibcArenas;
use crate::{AllocError, Region, RegionLayout};

impl<H: NativeHeap, P: PageSource> LibcArenas<H, P> {
    /// Makes a region one of `layout`.
    ///
    /// # Safety
    /// As [`ArenaSystem::reallocate`](crate::ArenaSystem::reallocate).
    pub(super) unsafe fn resize(
        &self,
        region: &mut Region,
        layout: RegionLayout,
        keep: usize,
    ) -> Result<(), AllocError> {
        let page = self.pages.facts().page_size.get();
        let limit = self.version().profile().largest_block;
        let requested = layout.total().saturating_add(page);
        if requested > limit {
            return Err(AllocError::BeyondBlockLimit { requested, limit });
        }
        // SAFETY: ours; protections other than the guards' there are none, by the caller's promise.
        if let Err(error) = unsafe { self.lift(region) } {
            self.put_back(region);
            return Err(error);
        }
        // Data keeps its distance from the block's start, wherever that goes (qnx-facts §9.6).
        let data_offset = region.base().addr().get() - region.run().addr().get();
        // SAFETY: a live block, all of it accessible now, whose old address is not used again.
        let start = match unsafe { self.heap.reallocate(region.run(), requested) } {
            Ok(start) => start,
            Err(error) => {
                self.put_back(region);
                return Err(error.into());
            }
        };
        let block = Block {
            start,
            len: requested,
            data_offset,
            accessible: true,
        };
        // SAFETY: ours, all of it accessible, with `keep` bytes of data at the offset.
        *region = unsafe { self.house(block, layout, keep) };
        Ok(())
    }

    /// Puts the guards of an old region up again after a refusal. The error that led here counts.
    fn put_back(&self, region: &mut Region) {
        // SAFETY: ours, and as it was but for its guards.
        if unsafe { self.guard(region) }.is_err() {
            region.note_guards_down();
        }
    }

    /// Makes a region of what `realloc` returned. Never fails, see the picture above.
    ///
    /// # Safety
    /// The block is ours and all of it is accessible; `keep` bytes of data lie at its offset; it is
    /// a page longer than the layout.
    unsafe fn house(&self, mut block: Block, layout: RegionLayout, keep: usize) -> Region {
        let page = self.pages.facts().page_size.get();
        let lead = block.start.addr().get().next_multiple_of(page) - block.start.addr().get();
        if lead == 0 {
            // SAFETY: the caller's promise, passed on unchanged.
            let (region, guarded) = unsafe { self.settle(&mut block, layout, keep, lead) };
            if guarded || !block.accessible {
                return region;
            }
        }
        // SAFETY: as before: what failed was undone, and the block says where the data is now.
        if let Some(region) = unsafe { self.move_to_aligned(&block, layout, keep) } {
            return region;
        }
        // SAFETY: as above.
        unsafe { self.settle(&mut block, layout, keep, lead) }.0
    }

    /// Makes a region of a block in place, `lead` bytes from its start, moving the data there. Says
    /// whether its guards are up; if not, the block says whether all of its pages are accessible.
    ///
    /// # Safety
    /// The block is ours and all of it is accessible; `keep` bytes of data lie at its offset; the
    /// lead makes it aligned, and the block is long enough.
    unsafe fn settle(
        &self,
        block: &mut Block,
        layout: RegionLayout,
        keep: usize,
        lead: usize,
    ) -> (Region, bool) {
        // SAFETY: a page longer than the layout, and the lead is less than a page.
        let start = unsafe { block.start.add(lead) };
        // SAFETY: the layout's bytes from there are inside the block, by the line above; what is
        // to be closed is closed below, or the caller is told.
        let region = unsafe { Region::from_raw_parts(start, block.len - lead, layout) };
        // SAFETY: the lead belongs to the same block.
        let mut region = unsafe { region.with_lead(lead) };
        // SAFETY: inside the block.
        let data = unsafe { block.data() };
        // SAFETY: both are `keep` accessible bytes of this block; they may overlap.
        unsafe { data.copy_to(region.base(), keep) };
        block.data_offset = lead + layout.guard_before();
        // SAFETY: ours; only the kept bytes are in use.
        unsafe { Self::clear(&region, keep) };
        // SAFETY: as above.
        let guarded = unsafe { self.guard(&region) }.is_ok();
        if !guarded {
            region.note_guards_down();
            // SAFETY: as above.
            block.accessible = unsafe { self.lift(&region) }.is_ok();
        }
        (region, guarded)
    }

    /// Copies the data into an aligned block with guards, and frees the one it came from.
    ///
    /// # Safety
    /// The block is ours and all of it is accessible; `keep` bytes of data lie at its offset.
    unsafe fn move_to_aligned(
        &self,
        block: &Block,
        layout: RegionLayout,
        keep: usize,
    ) -> Option<Region> {
        let aligned = self.block(layout.total()).ok()?;
        // SAFETY: ours, aligned, long enough; what is to be closed is closed below.
        let region = unsafe { Region::from_raw_parts(aligned, layout.total(), layout) };
        // SAFETY: inside the block.
        let data = unsafe { block.data() };
        // SAFETY: `keep` bytes of two blocks that are both ours and accessible.
        unsafe { data.copy_to_nonoverlapping(region.base(), keep) };
        // SAFETY: ours; only the kept bytes are in use.
        unsafe { Self::clear(&region, keep) };
        // SAFETY: as above.
        if unsafe { self.guard(&region) }.is_err() {
            // SAFETY: nobody has seen it.
            if unsafe { self.lift(&region) }.is_err() {
                self.leak(&region);
            } else {
                // SAFETY: all of it is accessible again, and nobody uses it.
                unsafe { self.heap.free(aligned) };
            }
            return None;
        }
        // SAFETY: all of it is accessible, and its data was copied.
        unsafe { self.heap.free(block.start) };
        Some(region)
    }
}

/// What `realloc` returned.
#[derive(Debug)]
struct Block {
    start: NonNull<u8>,
    len: usize,
    data_offset: usize,
    accessible: bool,
}

impl Block {
    /// Where the data lies.
    ///
    /// # Safety
    /// The block is live.
    unsafe fn data(&self) -> NonNull<u8> {
        // SAFETY: the offset was inside the old block, and so is in the longer new one.
        unsafe { self.start.add(self.data_offset) }
    }
}
