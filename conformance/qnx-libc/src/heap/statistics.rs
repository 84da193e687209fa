//! What the heap says about itself (qnx-facts §5).

use core::ffi::c_int;

use crate::state::State;

/// `struct malloc_stats` of 7.x: fields of the size of a pointer, in QNX's order and meaning.
///
/// There are no bands here, so that the fields for small blocks are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct MallocStats {
    /// Free bytes in bands.
    pub small_freemem: usize,
    /// Free bytes in lists, and cached arenas.
    pub freemem: usize,
    /// Overhead of bands.
    pub small_overhead: usize,
    /// Headers, footers, arena headers, and what was lost.
    pub overhead: usize,
    /// Bytes given out by bands.
    pub small_allocmem: usize,
    /// Usable bytes of blocks given out.
    pub allocmem: usize,
    /// Mappings made.
    pub coreallocs: usize,
    /// Mappings given back.
    pub corefrees: usize,
    /// Bytes mapped, cache included.
    pub heapsize: usize,
    /// Calls of `free`.
    pub frees: usize,
    /// Calls of `malloc` and its aligned relatives.
    pub allocs: usize,
    /// Calls of `realloc`.
    pub reallocs: usize,
    /// Blocks of bands.
    pub small_blocks: usize,
    /// Blocks, free and in use.
    pub blocks: usize,
    /// Pools of bands.
    pub hblocks: usize,
}

impl MallocStats {
    /// The fields, in order.
    #[must_use]
    pub const fn fields(&self) -> [usize; 15] {
        [
            self.small_freemem,
            self.freemem,
            self.small_overhead,
            self.overhead,
            self.small_allocmem,
            self.allocmem,
            self.coreallocs,
            self.corefrees,
            self.heapsize,
            self.frees,
            self.allocs,
            self.reallocs,
            self.small_blocks,
            self.blocks,
            self.hblocks,
        ]
    }
}

/// `struct mallinfo` with fields of one type; `c_int` up to 7.1, `usize` on 8.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Mallinfo<T> {
    /// Bytes from the system.
    pub arena: T,
    /// Blocks (arena heap), free blocks (8.0).
    pub ordblks: T,
    /// Small blocks.
    pub smblks: T,
    /// Pools (arena heap), arenas (8.0).
    pub hblks: T,
    /// Overhead of small blocks (arena heap), bytes in mappings of their own (8.0).
    pub hblkhd: T,
    /// Small bytes (arena heap), the most bytes so far (8.0).
    pub usmblks: T,
    /// Free small bytes.
    pub fsmblks: T,
    /// Bytes in use.
    pub uordblks: T,
    /// Bytes free.
    pub fordblks: T,
    /// Bytes that a trim could return (8.0).
    pub keepcost: T,
}

impl<T> Mallinfo<T> {
    /// The same numbers in another type.
    fn map<U>(self, how: impl Fn(T) -> U) -> Mallinfo<U> {
        Mallinfo {
            arena: how(self.arena),
            ordblks: how(self.ordblks),
            smblks: how(self.smblks),
            hblks: how(self.hblks),
            hblkhd: how(self.hblkhd),
            usmblks: how(self.usmblks),
            fsmblks: how(self.fsmblks),
            uordblks: how(self.uordblks),
            fordblks: how(self.fordblks),
            keepcost: how(self.keepcost),
        }
    }
}

impl Mallinfo<usize> {
    /// As `int` fields show it: the lower 31 bits and the sign wrap (qnx-facts §5.2).
    #[must_use]
    pub fn wrapped(self) -> Mallinfo<c_int> {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "QNX's fields wrap in the same way"
        )]
        self.map(|value| value as c_int)
    }
}

impl State {
    /// The statistics now.
    pub(crate) fn statistics(&self) -> MallocStats {
        let shape = self.shape();
        let counters = &self.heap.counters;
        let blocks = self.heap.blocks.all();
        let usable = |busy: bool| -> usize {
            blocks
                .iter()
                .filter(|block| block.busy == busy)
                .map(|block| shape.usable(block.size))
                .sum()
        };
        let (allocmem, freemem) = (usable(true), usable(false) + self.cached_bytes());
        MallocStats {
            freemem,
            overhead: counters.mapped - allocmem - freemem,
            allocmem,
            coreallocs: counters.core_allocations,
            corefrees: counters.core_frees,
            heapsize: counters.mapped,
            frees: counters.frees,
            allocs: counters.allocations,
            reallocs: counters.reallocations,
            blocks: blocks.len(),
            ..MallocStats::default()
        }
    }

    /// `mallinfo` as the profile fills it.
    pub(crate) fn mallinfo(&self) -> Mallinfo<usize> {
        let statistics = self.statistics();
        if self.profile.has_arenas() {
            return Mallinfo {
                arena: statistics.heapsize,
                ordblks: statistics.blocks,
                uordblks: statistics.allocmem,
                fordblks: statistics.freemem,
                ..Mallinfo::default()
            };
        }
        let arenas = self.heap.arenas.all();
        let own = arenas.iter().filter(|arena| arena.own_mapping);
        let hblkhd: usize = own.map(|arena| arena.size).sum();
        Mallinfo {
            arena: statistics.heapsize - hblkhd,
            ordblks: self
                .heap
                .blocks
                .all()
                .iter()
                .filter(|block| !block.busy)
                .count(),
            hblks: arenas.len(),
            hblkhd,
            usmblks: self.heap.counters.highest,
            uordblks: statistics.allocmem,
            fordblks: statistics.freemem,
            keepcost: statistics.freemem,
            ..Mallinfo::default()
        }
    }
}
