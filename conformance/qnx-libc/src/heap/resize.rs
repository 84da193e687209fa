//! `realloc` (qnx-facts §4.6).

use core::ffi::c_int;

use crate::complaints::Complaint;
use crate::heap::Block;
use crate::memory;
use crate::qnx::{errno, prot};
use crate::state::State;

impl State {
    /// Makes the block at `address` hold `request` bytes, in place or by moving it.
    ///
    /// # Errors
    /// `ENOMEM`, with the old block as it was; `EINVAL` and `EFAULT` where QNX would have corrupted
    /// its heap or faulted, after a complaint.
    pub(crate) fn resize(&mut self, address: usize, request: usize) -> Result<usize, c_int> {
        let shape = self.shape();
        let index = self.live_block_at(address).ok_or(errno::EINVAL)?;
        let block = self.heap.blocks.all()[index];
        let usable = shape.usable(block.size);
        if !self
            .pages
            .allows(address, address + usable, prot::READ_WRITE)
        {
            self.complaints.add(Complaint::ReallocOfProtected, address);
            return Err(errno::EFAULT);
        }
        if request > self.profile.largest_request(shape.word) {
            return Err(errno::ENOMEM);
        }
        self.books_have_room()?;
        if request == 0 {
            self.give_back(address);
            return self.obtain(0, 1);
        }
        if !self.switches.realloc_moves && self.resize_in_place(index, request) {
            return Ok(address);
        }
        self.resize_by_moving(address, request, usable)
    }

    /// Shrinks in place, or grows into a free block behind; false if neither is possible.
    fn resize_in_place(&mut self, index: usize, request: usize) -> bool {
        let shape = self.shape();
        let block = self.heap.blocks.all()[index];
        let asked = shape.band_request(request);
        let Some(need) = shape.block_size(asked) else {
            return false;
        };
        let need = need.max(shape.least_free_block());
        if need > block.size {
            let next = self.heap.blocks.all().get(index + 1).copied();
            let Some(next) = next.filter(|next| !next.busy && next.start == block.end()) else {
                return false;
            };
            if block.size + next.size < need
                || !self.pages.allows(next.start, next.end(), prot::READ_WRITE)
            {
                return false;
            }
            self.heap.blocks.remove(index + 1);
            self.heap.blocks.all_mut()[index].size += next.size;
            let from = block.end() - shape.word;
            memory::fill(
                &self.pages,
                from,
                next.end() - shape.word,
                memory::HANDED_OUT,
            );
        } else if self.moves_to_shrink(block, need) {
            return false;
        }
        self.heap.blocks.all_mut()[index].requested = request;
        self.cut_tail(index, need);
        true
    }

    /// 8.0: a mapping of its own stays only while not much of it is unused; it is never cut.
    fn moves_to_shrink(&self, block: Block, need: usize) -> bool {
        let arena = self
            .heap
            .arena_of(block.start)
            .map(|index| self.heap.arenas.all()[index]);
        !self.profile.has_arenas()
            && arena.is_some_and(|arena| arena.own_mapping)
            && block.size - need > 2 * self.heap.settings.granularity
    }

    /// Cuts what is not needed off the tail, if it makes a free block: header, links and footer are
    /// written into the old tail.
    fn cut_tail(&mut self, index: usize, need: usize) {
        let shape = self.shape();
        let block = self.heap.blocks.all()[index];
        let arena = self
            .heap
            .arena_of(block.start)
            .map(|index| self.heap.arenas.all()[index]);
        let is_cut = block.size - need >= shape.least_cut()
            && (self.profile.has_arenas() || arena.is_some_and(|arena| !arena.own_mapping));
        if !is_cut {
            self.write_block_words(index);
            return;
        }
        let order = self.heap.next_order();
        let tail = Block::free(block.start + need, block.size - need, order);
        self.heap.blocks.all_mut()[index].size = need;
        self.heap.blocks.insert(index + 1, tail);
        self.write_block_words(index);
        let user = tail.start + shape.header;
        memory::fill(
            &self.pages,
            user,
            tail.end() - shape.word,
            memory::GIVEN_BACK,
        );
        self.settle(index + 1);
    }

    /// Takes a new block, copies the whole old one as far as it fits, gives the old one back.
    fn resize_by_moving(
        &mut self,
        address: usize,
        request: usize,
        usable: usize,
    ) -> Result<usize, c_int> {
        let settings = &self.heap.settings;
        let by_half = self.profile.has_arenas()
            && !settings.monotonic
            && request > usable
            && usable > 4 * settings.arena_size;
        let wanted = if by_half {
            request.max(usable + usable / 2)
        } else {
            request
        };
        let alignment = if self.switches.realloc_keeps_alignment {
            1 << address
                .trailing_zeros()
                .min(self.pages.page().trailing_zeros())
        } else {
            1
        };
        let new = self.obtain(wanted, alignment)?;
        memory::copy(&self.pages, address, new, usable.min(request));
        if let Some(index) = self.heap.index_of(new) {
            self.heap.blocks.all_mut()[index].requested = request;
        }
        self.give_back(address);
        Ok(new)
    }
}
