//! The heap's words in memory, and the walk that compares them with the books.
//!
//! ```text
//!   arena heap:   | size, busy |  user bytes ...  | size, encoded |
//!   8.0:          | size, encoded | size, busy |  user bytes ...  | size, encoded |
//! ```

use crate::complaints::Complaint;
use crate::heap::{Arena, Block, Cached};
use crate::linux;
use crate::memory;
use crate::qnx::prot;
use crate::state::State;

/// Mixed into every encoded word, so that copies of a size are not taken for a footer.
const KEY: usize = usize::MAX / 0xFF * 0x5C;
const WORD: usize = size_of::<usize>();

/// The word that says a block's size and whether it is in use.
fn size_word(block: &Block) -> usize {
    block.size | usize::from(block.busy)
}

impl State {
    /// What every heap call begins with: the environment, once, and a walk.
    pub(crate) fn enter_heap(&mut self) {
        if !self.heap.environment_read {
            self.heap.environment_read = true;
            if self.profile.has_arenas() {
                let exclusive = self.switches.arena_size_exclusive;
                self.heap
                    .settings
                    .read_environment(exclusive, linux::environment);
            }
        }
        self.walk();
    }

    /// Writes header and footer of the block at `index`.
    pub(crate) fn write_block_words(&mut self, index: usize) {
        let block = self.heap.blocks.all()[index];
        for (address, value) in self.header_words(&block).into_iter().flatten() {
            self.write_word(address, value, Complaint::HeaderCovered);
        }
        let footer = block.end() - WORD;
        self.write_word(footer, block.size ^ KEY, Complaint::FooterCovered);
    }

    /// Writes the words at the base and the sentinel at the end of an arena.
    pub(crate) fn write_arena_words(&mut self, arena: Arena) {
        for (address, value) in self.arena_words(arena) {
            self.write_word(address, value, Complaint::HeaderCovered);
        }
    }

    /// Writes the three words at the base of a cached range (qnx-facts §4.4).
    pub(crate) fn write_cache_words(&mut self, cached: Cached) {
        for (address, value) in cache_words(cached) {
            self.write_word(address, value, Complaint::FreeMemoryProtected);
        }
    }

    /// Whether the three words of a cached range are as they were written.
    pub(crate) fn cache_words_are_whole(&self, cached: Cached) -> bool {
        cache_words(cached)
            .iter()
            .all(|&(address, value)| memory::load(&self.pages, address) == Some(value))
    }

    /// Writes one of the heap's own words, or complains that it is covered.
    pub(crate) fn write_word(&mut self, address: usize, value: usize, covered: Complaint) {
        if !memory::store(&self.pages, address, value) {
            self.complaints.add(covered, address);
        }
    }

    fn header_words(&self, block: &Block) -> [Option<(usize, usize)>; 2] {
        let first = (block.start, size_word(block));
        if self.shape().header == WORD {
            [Some(first), None]
        } else {
            [
                Some((block.start, block.size ^ KEY)),
                Some((block.start + WORD, size_word(block))),
            ]
        }
    }

    fn arena_words(&self, arena: Arena) -> impl Iterator<Item = (usize, usize)> + use<> {
        let words = self.shape().arena_header / WORD;
        let header =
            (0..words).map(move |word| (arena.base + word * WORD, arena.base ^ KEY ^ word));
        header.chain([(arena.base + arena.size - WORD, arena.base ^ !KEY)])
    }

    /// Compares every word of the heap with the books. What differs is complained about once and put
    /// right; what is covered is complained about once per covering.
    pub(crate) fn walk(&mut self) {
        for index in 0..self.heap.blocks.all().len() {
            let block = self.heap.blocks.all()[index];
            let mut header_covered = false;
            for (address, value) in self.header_words(&block).into_iter().flatten() {
                header_covered |= self
                    .check_word(address, value, Complaint::HeaderOverwritten)
                    .is_err();
            }
            let footer = block.end() - WORD;
            let value = block.size ^ KEY;
            let footer_covered = self
                .check_word(footer, value, Complaint::FooterOverwritten)
                .is_err();
            if header_covered && !block.header_told {
                self.complaints.add(Complaint::HeaderCovered, block.start);
            }
            if footer_covered && !block.footer_told {
                self.complaints.add(Complaint::FooterCovered, footer);
            }
            let record = &mut self.heap.blocks.all_mut()[index];
            record.header_told = header_covered;
            record.footer_told = footer_covered;
        }
        for index in 0..self.heap.arenas.all().len() {
            let arena = self.heap.arenas.all()[index];
            for (address, value) in self.arena_words(arena) {
                // A covered page of an arena is a covered header or footer of a block as well.
                let _ = self.check_word(address, value, Complaint::HeaderOverwritten);
            }
        }
    }

    /// Compares one word; `Err` if its page is not open.
    fn check_word(
        &mut self,
        address: usize,
        value: usize,
        overwritten: Complaint,
    ) -> Result<(), Covered> {
        if !self.pages.allows(address, address + WORD, prot::READ_WRITE) {
            return Err(Covered);
        }
        if memory::load(&self.pages, address) != Some(value) {
            self.complaints.add(overwritten, address);
            memory::store(&self.pages, address, value);
        }
        Ok(())
    }
}

/// The page of a word is not open for reading and writing.
struct Covered;

fn cache_words(cached: Cached) -> [(usize, usize); 3] {
    [
        (cached.base, cached.base ^ KEY),
        (cached.base + WORD, cached.size),
        (cached.base + 2 * WORD, cached.size ^ KEY),
    ]
}
