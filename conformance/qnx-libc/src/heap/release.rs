//! Taking blocks back (qnx-facts §4.5).

use crate::complaints::Complaint;
use crate::heap::Block;
use crate::memory;
use crate::qnx::prot;
use crate::state::State;

const WORD: usize = size_of::<usize>();

impl State {
    /// The index of the live block whose user bytes start at `address`, or a complaint.
    pub(crate) fn live_block_at(&mut self, address: usize) -> Option<usize> {
        let header = self.shape().header;
        let found = self.heap.index_of(address);
        let block = found.map(|index| self.heap.blocks.all()[index]);
        let kind = match block {
            Some(block) if block.busy && address == block.start + header => return found,
            Some(block) if block.busy => Complaint::FreeOfInterior,
            _ if self.heap.was_given_back(address) => Complaint::DoubleFree,
            _ => Complaint::FreeOfUnknown,
        };
        self.complaints.add(kind, address);
        None
    }

    /// Takes the block at `address` back; refuses, with a complaint, what is no live block and what
    /// has pages that are not open: such a block stays live.
    pub(crate) fn give_back(&mut self, address: usize) {
        let shape = self.shape();
        let Some(index) = self.live_block_at(address) else {
            return;
        };
        let block = self.heap.blocks.all()[index];
        let end = address + shape.usable(block.size);
        if !self.pages.allows(address, end, prot::READ_WRITE) {
            self.complaints.add(Complaint::FreeOfProtected, address);
            return;
        }
        if self.pages.any_locked(address, end) {
            self.complaints.add(Complaint::FreeOfLocked, address);
        }
        memory::fill(&self.pages, address, end, memory::GIVEN_BACK);
        self.heap.remember(address);
        let order = self.heap.next_order();
        self.heap.blocks.all_mut()[index] = Block::free(block.start, block.size, order);
        self.settle(index);
    }

    /// Joins the free block at `index` with free neighbours, writes its words, and gives its arena up
    /// if nothing else is in it.
    pub(crate) fn settle(&mut self, mut index: usize) {
        let header = self.shape().header;
        self.join_next(index);
        let before = index
            .checked_sub(1)
            .map(|before| self.heap.blocks.all()[before]);
        let block = self.heap.blocks.all()[index];
        match before {
            Some(before) if !before.busy && before.end() == block.start => {
                // The block before takes this one over: no links are written (qnx-facts §4.5).
                let joined = Block::free(before.start, before.size + block.size, block.order);
                self.heap.blocks.all_mut()[index - 1] = joined;
                self.heap.blocks.remove(index);
                index -= 1;
            }
            _ => self.write_links(block.start + header),
        }
        self.write_block_words(index);
        self.give_up_empty_arena(index);
    }

    /// Joins the free block at `index` with the one behind it, if that is free.
    fn join_next(&mut self, index: usize) {
        let block = self.heap.blocks.all()[index];
        let next = self.heap.blocks.all().get(index + 1);
        if let Some(&next) = next.filter(|next| !next.busy && next.start == block.end()) {
            self.heap.blocks.all_mut()[index].size += next.size;
            self.heap.blocks.remove(index + 1);
        }
    }

    /// Writes the list links of a free block: two words at its user bytes. The books hold the lists,
    /// so that the words only have to differ from what a program could have left there.
    fn write_links(&mut self, user: usize) {
        for word in 0..2 {
            let value = usize::from_ne_bytes([memory::GIVEN_BACK; WORD]) ^ (user + word);
            self.write_word(user + word * WORD, value, Complaint::FreeMemoryProtected);
        }
    }

    /// If the free block at `index` is all that is in its arena, the arena goes: to the cache, or
    /// back to the kernel.
    fn give_up_empty_arena(&mut self, index: usize) {
        let block = self.heap.blocks.all()[index];
        let Some(place) = self.heap.arena_of(block.start) else {
            return;
        };
        let arena = self.heap.arenas.all()[place];
        let blocks = self.heap.blocks.all();
        let holds = |other: Option<&Block>| {
            other.is_some_and(|other| {
                other.start >= arena.base && other.start - arena.base < arena.size
            })
        };
        let alone = !holds(blocks.get(index + 1))
            && !holds(index.checked_sub(1).and_then(|before| blocks.get(before)));
        if !alone || self.keeps_segment(arena.own_mapping) {
            return;
        }
        self.heap.blocks.remove(index);
        self.heap.arenas.remove(place);
        self.cache_or_unmap(arena.base, arena.size);
    }

    /// 8.0: an empty segment stays while not more than the trim threshold is free.
    fn keeps_segment(&self, own_mapping: bool) -> bool {
        let free = self.heap.blocks.all().iter().filter(|block| !block.busy);
        !self.profile.has_arenas()
            && !own_mapping
            && free.map(|block| block.size).sum::<usize>() <= self.heap.settings.trim_threshold
    }
}
