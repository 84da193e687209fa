//! The heap's books: arenas, blocks, cache, settings, counters.
//!
//! ```text
//!   books (outside)            memory (arenas)
//!   blocks, sorted  ─────────▶ | arena header | header | bytes | footer | ... | sentinel |
//!   arenas
//!   cache, a stack  ─────────▶ | cache header | ................ dirty ................. |
//! ```
//!
//! All decisions are made from the books. The words in memory are written where QNX's heap writes
//! them, and checked against the books at every call: that is how a stray write is found, and the
//! books survive it.
//!
//! Simplifications: blocks of up to 128 bytes (256 at 16-byte alignment) are rounded up to the size of
//! a band and then served by the list heap; there are no pools. On 8.0, whose heap is not public, a
//! block owns the word behind it, where the next block's "previous size" would lie; between blocks the
//! search is the one of the arena heap.
//!
//! Invariants: (1) blocks are sorted and do not overlap; neighbours in one arena touch; two free ones
//! never do; (2) every block lies in one arena, every arena in heap pages; (3) cached ranges hold no
//! block.

#![forbid(unsafe_code)]

mod cache;
mod obtain;
mod release;
mod resize;
mod statistics;
mod walk;

pub use statistics::{Mallinfo, MallocStats};

use crate::settings::Settings;
use crate::table::Table;

/// A block, free or in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Where its header is.
    pub(crate) start: usize,
    /// Bytes with header and footer.
    pub(crate) size: usize,
    /// What was asked for; 0 while free.
    pub(crate) requested: usize,
    /// When it came onto the free lists.
    pub(crate) order: u64,
    pub(crate) busy: bool,
    /// That the header is covered was said.
    pub(crate) header_told: bool,
    /// That the footer is covered was said.
    pub(crate) footer_told: bool,
    /// That the free block is protected was said.
    pub(crate) protection_told: bool,
}

impl Block {
    pub(crate) fn free(start: usize, size: usize, order: u64) -> Self {
        Self {
            start,
            size,
            requested: 0,
            order,
            busy: false,
            header_told: false,
            footer_told: false,
            protection_told: false,
        }
    }

    pub(crate) fn end(&self) -> usize {
        self.start + self.size
    }
}

/// A mapping with blocks in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arena {
    pub(crate) base: usize,
    pub(crate) size: usize,
    /// Made for one block at or above the threshold.
    pub(crate) own_mapping: bool,
}

/// A mapping, or a part of one, in the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cached {
    pub(crate) base: usize,
    pub(crate) size: usize,
}

/// Counters behind the statistics (qnx-facts §5.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) core_allocations: usize,
    pub(crate) core_frees: usize,
    pub(crate) frees: usize,
    pub(crate) allocations: usize,
    pub(crate) reallocations: usize,
    /// Bytes mapped for the heap, cache included.
    pub(crate) mapped: usize,
    /// The most bytes there were in use.
    pub(crate) highest: usize,
    /// Bytes neither cached nor unmapped: the loss of qnx-facts §4.4.
    pub(crate) lost: usize,
}

/// Addresses given back of which the heap remembers that they were its own.
const REMEMBERED: usize = 256;

/// The books.
pub(crate) struct Heap {
    pub(crate) arenas: Table<Arena>,
    pub(crate) blocks: Table<Block>,
    pub(crate) cache: Table<Cached>,
    pub(crate) settings: Settings,
    pub(crate) environment_read: bool,
    pub(crate) counters: Counters,
    next_order: u64,
    given_back: [usize; REMEMBERED],
    next_given_back: usize,
}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self {
            arenas: Table::new(1 << 12),
            blocks: Table::new(1 << 16),
            cache: Table::new(1 << 14),
            settings: Settings::new(),
            environment_read: false,
            counters: Counters {
                core_allocations: 0,
                core_frees: 0,
                frees: 0,
                allocations: 0,
                reallocations: 0,
                mapped: 0,
                highest: 0,
                lost: 0,
            },
            next_order: 0,
            given_back: [0; REMEMBERED],
            next_given_back: 0,
        }
    }

    /// Forgets everything; the pages were given back before.
    pub(crate) fn clear(&mut self) {
        self.arenas.clear();
        self.blocks.clear();
        self.cache.clear();
        self.settings = Settings::new();
        self.environment_read = false;
        self.counters = Counters::default();
        self.next_order = 0;
        self.given_back = [0; REMEMBERED];
    }

    /// The next place in the order of frees.
    pub(crate) fn next_order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    /// Index of the block that holds `address`, its header and footer included.
    pub(crate) fn index_of(&self, address: usize) -> Option<usize> {
        let blocks = self.blocks.all();
        let index = blocks.partition_point(|block| block.end() <= address);
        (blocks.get(index)?.start <= address).then_some(index)
    }

    /// Index of the arena that holds `address`.
    pub(crate) fn arena_of(&self, address: usize) -> Option<usize> {
        self.arenas
            .all()
            .iter()
            .position(|arena| arena.base <= address && address - arena.base < arena.size)
    }

    /// The blocks in use.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Block> {
        self.blocks.all().iter().filter(|block| block.busy)
    }

    /// Remembers an address that was given back.
    pub(crate) fn remember(&mut self, address: usize) {
        self.given_back[self.next_given_back] = address;
        self.next_given_back = (self.next_given_back + 1) % REMEMBERED;
    }

    /// Forgets an address that is given out again.
    pub(crate) fn forget(&mut self, address: usize) {
        for place in self
            .given_back
            .iter_mut()
            .filter(|place| **place == address)
        {
            *place = 0;
        }
    }

    /// Whether an address was given back and not given out since.
    pub(crate) fn was_given_back(&self, address: usize) -> bool {
        address != 0 && self.given_back.contains(&address)
    }

    /// Whether every byte of `start .. end` is what a live block was asked for.
    pub(crate) fn is_inside_live(&self, start: usize, end: usize, header: usize) -> bool {
        let mut reached = start;
        while reached < end {
            let Some(index) = self.index_of(reached) else {
                return false;
            };
            let block = &self.blocks.all()[index];
            let user = block.start + header;
            if !block.busy || reached < user || reached - user >= block.requested {
                return false;
            }
            reached = user + block.requested;
        }
        true
    }
}
