//! The free blocks of the list heap, by size class, found through bitmaps.
//!
//! ```text
//!   rows     0 1 0 0 1 …           a bit for each row that has a block
//!              │
//!   columns  0 0 1 0 1 …           for each row: a bit for each class that has a block
//!                │
//!   heads        ▼
//!               block ⇄ block ⇄ block ⇄ (around)      oldest first
//! ```
//!
//! Every operation is constant time: no list is ever walked.
//!
//! Invariants: (1) a head is set exactly if its column bit is, and a row bit exactly if one of the
//! row's columns is; (2) every list is a ring of free blocks of one class; (3) a block is in at
//! most one list.

use crate::FreeOrder;
use crate::block::Block;
use crate::size_class::{CLASSES, COLUMNS, ROWS, class_of};

pub(crate) struct Bins {
    rows: usize,
    columns: [u32; ROWS],
    heads: [Option<Block>; CLASSES],
}

impl Bins {
    pub(crate) const fn new() -> Self {
        Self {
            rows: 0,
            columns: [0; ROWS],
            heads: [None; CLASSES],
        }
    }

    /// Puts a free block of `size` bytes into its bin.
    #[inline]
    pub(crate) fn insert(&mut self, block: Block, size: usize, order: FreeOrder) {
        let class = class_of(size);
        match self.heads[class] {
            None => {
                block.set_next(block);
                block.set_previous(block);
                self.heads[class] = Some(block);
                self.columns[class / COLUMNS] |= 1 << (class % COLUMNS);
                self.rows |= 1 << (class / COLUMNS);
            }
            Some(head) => {
                let tail = head.previous();
                block.set_next(head);
                block.set_previous(tail);
                tail.set_next(block);
                head.set_previous(block);
                if matches!(order, FreeOrder::Lifo) {
                    self.heads[class] = Some(block);
                }
            }
        }
    }

    /// Takes a free block of `size` bytes out of its bin.
    #[inline]
    pub(crate) fn remove(&mut self, block: Block, size: usize) {
        self.remove_from(block, class_of(size));
    }

    /// Takes a free block out of its bin, whose class is known.
    #[inline]
    pub(crate) fn remove_from(&mut self, block: Block, class: usize) {
        let next = block.next();
        if next == block {
            self.heads[class] = None;
            let columns = &mut self.columns[class / COLUMNS];
            *columns &= !(1 << (class % COLUMNS));
            if *columns == 0 {
                self.rows &= !(1 << (class / COLUMNS));
            }
            return;
        }
        let previous = block.previous();
        previous.set_next(next);
        next.set_previous(previous);
        if self.heads[class] == Some(block) {
            self.heads[class] = Some(next);
        }
    }

    /// The block of a class that is used next.
    #[inline]
    pub(crate) fn head(&self, class: usize) -> Option<Block> {
        self.heads[class]
    }

    /// The least class that has a block and is not below `class`.
    #[inline]
    pub(crate) fn first_from(&self, class: usize) -> Option<usize> {
        let row = class / COLUMNS;
        if row >= ROWS {
            return None;
        }
        let columns = self.columns[row] & (u32::MAX << (class % COLUMNS));
        if columns != 0 {
            return Some(row * COLUMNS + columns.trailing_zeros() as usize);
        }
        // Two shifts: one of all the bits would overflow for the last row.
        let rows = self.rows & (usize::MAX << row << 1);
        if rows == 0 {
            return None;
        }
        let row = rows.trailing_zeros() as usize;
        Some(row * COLUMNS + self.columns[row].trailing_zeros() as usize)
    }

    /// The block that is used next of the least class from `class` on that has one, and its class.
    #[inline]
    pub(crate) fn find_from(&self, class: usize) -> Option<(Block, usize)> {
        let class = self.first_from(class)?;
        Some((self.heads[class]?, class))
    }

    /// A block of at least `size` bytes, still in its bin, and its class: the head of the class of
    /// `size` if it is large enough, else the head of the next class that has one, where every
    /// block is.
    pub(crate) fn find(&self, size: usize) -> Option<(Block, usize)> {
        let class = class_of(size);
        if let Some(head) = self.heads[class]
            && head.header().size() >= size
        {
            return Some((head, class));
        }
        self.find_from(class + 1)
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
