//! Giving out blocks (qnx-facts §4.1, §4.2, §4.3, §4.7).

use core::ffi::c_int;

use crate::complaints::Complaint;
use crate::heap::{Arena, Block};
use crate::layout::HEAP_PAGE;
use crate::memory;
use crate::pages::{Owner, Place};
use crate::qnx::{errno, prot};
use crate::state::State;

/// How a block is cut out of a free one.
#[derive(Clone, Copy)]
struct Cut {
    /// Bytes needed, with header and footer.
    block: usize,
    /// Alignment of the user bytes; `None` for that of the heap.
    alignment: Option<usize>,
    /// From a mapping made for this block.
    own_mapping: bool,
}

impl State {
    /// Gives out a block of `request` bytes and returns the address of its user bytes.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn obtain(&mut self, request: usize, alignment: usize) -> Result<usize, c_int> {
        let shape = self.shape();
        let alignment = (alignment > shape.alignment).then_some(alignment);
        let asked = match alignment {
            None => Some(shape.band_request(request)),
            Some(alignment) => shape.aligned_request(request, alignment),
        };
        let largest = self.profile.largest_request(shape.word);
        let asked = asked
            .filter(|&asked| asked <= largest)
            .ok_or(errno::ENOMEM)?;
        let block = shape
            .block_size(asked)
            .ok_or(errno::ENOMEM)?
            .max(shape.least_free_block());
        self.books_have_room()?;
        let own_mapping = asked >= self.own_mapping_from();
        let found = if own_mapping {
            None
        } else {
            self.first_fit(block)
        };
        let (index, fresh) = match found {
            Some(index) => (index, false),
            None => self.new_arena(block, own_mapping)?,
        };
        let index = self.cut(
            index,
            Cut {
                block,
                alignment,
                own_mapping,
            },
        );
        self.heap.blocks.all_mut()[index].requested = request;
        self.write_block_words(index);
        let taken = self.heap.blocks.all()[index];
        let user = taken.start + shape.header;
        self.heap.forget(user);
        if !(fresh && self.switches.fresh_memory_zero) {
            memory::fill(
                &self.pages,
                user,
                user + shape.usable(taken.size),
                memory::HANDED_OUT,
            );
        }
        let in_use = self.heap.live().map(|block| shape.usable(block.size)).sum();
        self.heap.counters.highest = self.heap.counters.highest.max(in_use);
        Ok(user)
    }

    /// From this request on, a block has a mapping of its own.
    pub(crate) fn own_mapping_from(&self) -> usize {
        if self.profile.has_arenas() {
            self.shape().threshold()
        } else {
            self.heap.settings.mmap_threshold
        }
    }

    /// The free block for `block` bytes: from the smallest bin that has one, and there the oldest
    /// (FIFO) or the newest (LIFO).
    fn first_fit(&mut self, block: usize) -> Option<usize> {
        let shape = self.shape();
        let lifo = self.heap.settings.lifo;
        let mut best = None;
        for index in 0..self.heap.blocks.all().len() {
            let free = self.heap.blocks.all()[index];
            if free.busy || free.size < block {
                continue;
            }
            if !self.pages.allows(free.start, free.end(), prot::READ_WRITE) {
                if !free.protection_told {
                    self.complaints
                        .add(Complaint::FreeMemoryProtected, free.start);
                    self.heap.blocks.all_mut()[index].protection_told = true;
                }
                continue;
            }
            let order = if lifo { !free.order } else { free.order };
            let rank = (shape.bin(free.size), order);
            if best.is_none_or(|(other, _)| rank < other) {
                best = Some((rank, index));
            }
        }
        best.map(|(_, index)| index)
    }

    /// Takes a mapping from the cache or from the kernel and makes one free block of it; returns its
    /// index, and whether the kernel has just cleared it.
    fn new_arena(&mut self, block: usize, own_mapping: bool) -> Result<(usize, bool), c_int> {
        let shape = self.shape();
        let unit = match (own_mapping, self.profile.has_arenas()) {
            (true, _) => HEAP_PAGE,
            (false, true) => self.heap.settings.arena_size,
            (false, false) => self.heap.settings.granularity,
        };
        let size = shape
            .mapping_for(block)
            .and_then(|size| size.checked_next_multiple_of(unit))
            .ok_or(errno::ENOMEM)?;
        let (base, size, fresh) = if let Some(cached) = self.take_cached(size) {
            (cached.base, cached.size, false)
        } else {
            let place = Place::Anywhere;
            let base = self.map_within_limits(place, size, prot::READ_WRITE, Owner::Heap, false)?;
            self.heap.counters.core_allocations += 1;
            self.heap.counters.mapped += size;
            (base, size, true)
        };
        let arena = Arena {
            base,
            size,
            own_mapping,
        };
        self.heap.arenas.push(arena);
        self.write_arena_words(arena);
        let order = self.heap.next_order();
        let free = Block::free(base + shape.first_block(), shape.room(size), order);
        let index = self
            .heap
            .blocks
            .all()
            .partition_point(|other| other.start < free.start);
        self.heap.blocks.insert(index, free);
        Ok((index, fresh))
    }

    /// Cuts a block from the tail of the free block at `index`; returns the index of the new one.
    fn cut(&mut self, index: usize, cut: Cut) -> usize {
        let shape = self.shape();
        let free = self.heap.blocks.all()[index];
        let whole = free.start;
        let start = match cut.alignment {
            Some(alignment) => shape
                .place_aligned(free.start, free.size, cut.block, alignment)
                .unwrap_or(whole),
            // A mapping of its own is filled to the sentinel (qnx-facts §4.6.2).
            None if cut.own_mapping => whole,
            None if free.size - cut.block >= shape.least_cut() => free.end() - cut.block,
            None => whole,
        };
        let front = start - free.start;
        let mut taken = Block {
            start,
            size: free.end() - start,
            busy: true,
            ..free
        };
        taken.protection_told = false;
        // On 8.0 what lies in front stays with the mapping and is nobody's (qnx-facts §4.9).
        let front_is_free = front != 0 && (self.profile.has_arenas() || !cut.own_mapping);
        if !front_is_free {
            self.heap.blocks.all_mut()[index] = taken;
            return index;
        }
        self.heap.blocks.all_mut()[index].size = front;
        self.heap.blocks.insert(index + 1, taken);
        self.write_block_words(index);
        index + 1
    }
}
