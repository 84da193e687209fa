//! The free blocks of the list heap, by size class, found through bitmaps.
//!
//! ```text
//!   rows     0 1 0 0 1 …           a bit for each row that has a block
//!              │
//!   columns  0 0 1 0 1 …           for each row: a bit for each class that has a block
//!                │
//!   bins         ▼
//!            ┌─ bin ─────────────────────────┐
//!            ▼ next                          ▼ previous
//!          block ⇄ block ⇄ block ⇄ … ⇄ block          oldest first; links beyond the ends are none
//! ```
//!
//! Every operation is constant time: no list is ever walked. What a program frees and takes next is
//! anybody's guess, the processor's too, so there is no branch on it: a link that is none stands for
//! the bin itself, which has its two ends where a block has its two links. A few instructions more cost
//! less than one wrong guess.
//!
//! Invariants: (1) a bin has ends exactly if its column bit is set, and a row bit is set exactly if
//! one of the row's columns is; (2) every list has free blocks of one class; (3) a block is in at most
//! one list.

use core::hint::select_unpredictable;

use crate::FreeOrder;
use crate::block::{Block, Links};
use crate::size_class::{CLASSES, COLUMNS, ROWS, class_of};

/// One word of column bits for each row there could be, so that no index needs a check.
const MOST_ROWS: usize = usize::BITS as usize;

const _: () = assert!(ROWS <= MOST_ROWS);

pub(crate) struct Bins {
    rows: usize,
    columns: [u32; MOST_ROWS],
    bins: [Links; CLASSES],
}

impl Bins {
    pub(crate) const fn new() -> Self {
        Self {
            rows: 0,
            columns: [0; MOST_ROWS],
            bins: [Links::NONE; CLASSES],
        }
    }

    /// Puts a free block of `size` bytes into its bin.
    #[inline(always)]
    pub(crate) fn insert(&mut self, block: Block, size: usize, order: FreeOrder) {
        let class = class_of(size);
        let bin = &mut self.bins[class];
        let links = match order {
            FreeOrder::Fifo => Links {
                next: None,
                previous: bin.previous.replace(block),
            },
            FreeOrder::Lifo => Links {
                next: bin.next.replace(block),
                previous: None,
            },
        };
        // SAFETY: the links of a free block, which nobody else has.
        unsafe { block.links().write(links) };
        match order {
            // SAFETY: the links of a block of this bin, or the bin.
            FreeOrder::Fifo => unsafe { (*self.links(links.previous, class)).next = Some(block) },
            // SAFETY: as above.
            FreeOrder::Lifo => unsafe { (*self.links(links.next, class)).previous = Some(block) },
        }
        let row = class / COLUMNS % MOST_ROWS;
        self.columns[row] |= 1 << (class % COLUMNS);
        self.rows |= 1 << row;
    }

    /// Takes a free block of `size` bytes out of its bin.
    #[inline(always)]
    pub(crate) fn remove(&mut self, block: Block, size: usize) {
        let class = class_of(size);
        // SAFETY: the links of a block in a bin.
        let Links { next, previous } = unsafe { block.links().read() };
        // SAFETY: the links of a block of this bin, or the bin.
        unsafe { (*self.links(next, class)).previous = previous };
        // SAFETY: as above.
        unsafe { (*self.links(previous, class)).next = next };
        self.note(class, next.is_none() & previous.is_none());
    }

    /// Takes the block that is used next out of the bin of `class`, if it has one.
    #[inline(always)]
    fn take_first(&mut self, class: usize) -> Option<Block> {
        let first = self.bins[class].next?;
        // SAFETY: the links of a block in a bin.
        let Links { next, .. } = unsafe { first.links().read() };
        self.bins[class].next = next;
        // SAFETY: the links of a block of this bin, or the bin.
        unsafe { (*self.links(next, class)).previous = None };
        self.note(class, next.is_none());
        Some(first)
    }

    /// Where the links of a block of the bin of `class` are; if there is none, the bin.
    #[inline(always)]
    fn links(&mut self, block: Option<Block>, class: usize) -> *mut Links {
        let bin = &raw mut self.bins[class];
        // Only an address is chosen here; nothing is read through it.
        let links = block.map_or(bin, |block| block.links().as_ptr());
        select_unpredictable(block.is_some(), links, bin)
    }

    /// Keeps invariant (1) after a removal.
    #[inline(always)]
    fn note(&mut self, class: usize, empty: bool) {
        let row = class / COLUMNS % MOST_ROWS;
        let columns = self.columns[row] & !(u32::from(empty) << (class % COLUMNS));
        self.columns[row] = columns;
        self.rows &= !(usize::from(columns == 0) << row);
    }

    /// The block of a class that is used next.
    #[inline]
    pub(crate) fn head(&self, class: usize) -> Option<Block> {
        self.bins[class].next
    }

    /// The least class that has a block and is not below `class`.
    #[inline(always)]
    pub(crate) fn first_from(&self, class: usize) -> Option<usize> {
        let row = class / COLUMNS % MOST_ROWS;
        let columns = self.columns[row] & (u32::MAX << (class % COLUMNS));
        // Two shifts: one of all the bits would overflow for the last row.
        let rows = self.rows & (usize::MAX << row << 1);
        if columns == 0 && rows == 0 {
            return None;
        }
        let above = rows.trailing_zeros() as usize % MOST_ROWS;
        let row = select_unpredictable(columns != 0, row, above);
        let columns = select_unpredictable(columns != 0, columns, self.columns[above]);
        Some(row * COLUMNS + columns.trailing_zeros() as usize)
    }

    /// Takes the block that is used next out of the least class from `class` on that has one.
    #[inline(always)]
    pub(crate) fn take_from(&mut self, class: usize) -> Option<Block> {
        let class = self.first_from(class)?;
        self.take_first(class)
    }

    /// A block of at least `size` bytes, still in its bin: the head of the class of `size` if it is
    /// large enough, else the head of the next class that has one, where every block is.
    pub(crate) fn find(&self, size: usize) -> Option<Block> {
        let class = class_of(size);
        if let Some(head) = self.head(class)
            && head.header().size() >= size
        {
            return Some(head);
        }
        self.head(self.first_from(class + 1)?)
    }

    /// The blocks of a class that are used first and last.
    pub(crate) fn ends(&self, class: usize) -> (Option<Block>, Option<Block>) {
        let Links { next, previous } = self.bins[class];
        (next, previous)
    }

    /// Whether the bits say that `class` has a block: `(column bit, row bit)`.
    pub(crate) fn bits(&self, class: usize) -> (bool, bool) {
        let columns = self.columns[class / COLUMNS];
        (
            columns & (1 << (class % COLUMNS)) != 0,
            self.rows & (1 << (class / COLUMNS)) != 0,
        )
    }

    /// Whether a row has a bit set in its columns.
    pub(crate) fn row_has_columns(&self, class: usize) -> bool {
        self.columns[class / COLUMNS] != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArenaHeap, Damage};
    use core::alloc::Layout;

    #[test]
    fn the_next_class_is_the_least_one_with_a_bit() {
        let mut bins = Bins::new();
        for classes in [
            [5, 6],
            [3, COLUMNS],
            [COLUMNS - 1, 7 * COLUMNS],
            [40, CLASSES - 1],
        ] {
            for class in classes {
                bins.columns[class / COLUMNS] |= 1 << (class % COLUMNS);
                bins.rows |= 1 << (class / COLUMNS);
            }
            for from in 0..=CLASSES {
                let expected = classes.into_iter().filter(|class| *class >= from).min();
                assert_eq!(bins.first_from(from), expected, "{classes:?} from {from}");
            }
            bins = Bins::new();
        }
    }

    #[test]
    fn verify_finds_every_wrong_bit() {
        let mut heap = ArenaHeap::new(os::OsPages::new());
        heap.allocate(Layout::new::<[u8; 1000]>()).unwrap();
        for class in 0..CLASSES {
            heap.state_mut().bins.columns[class / COLUMNS] ^= 1 << (class % COLUMNS);
            assert!(matches!(
                heap.verify().unwrap_err().damage,
                Damage::Bitmap { .. }
            ));
            heap.state_mut().bins.columns[class / COLUMNS] ^= 1 << (class % COLUMNS);
        }
        for row in 0..ROWS {
            heap.state_mut().bins.rows ^= 1 << row;
            assert!(matches!(
                heap.verify().unwrap_err().damage,
                Damage::Bitmap { .. }
            ));
            heap.state_mut().bins.rows ^= 1 << row;
        }
        heap.verify().unwrap();
    }
}
