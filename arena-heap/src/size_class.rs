//! Which bin a free block of some size belongs to: two levels, no division, no search.
//!
//! ```text
//!  sizes in granules   0 1 2 … 31 | 32 33 … 63 | 64 66 … 126 | 128 132 … 252 | …
//!  row                     0      |     1      |      2      |       3       | …
//!  width of a column       1      |     1      |      2      |       4       | …
//! ```
//!
//! Row 0 holds each small size by itself; every later row covers one doubling in [`COLUMNS`] equal
//! columns, so a class is never wider than 1/[`COLUMNS`] of its sizes. Numbered through row by row,
//! classes grow with sizes.
#![forbid(unsafe_code)]

use crate::layout::{GRANULE, MAX_BLOCK, WORD};

const COLUMNS_LOG2: u32 = if WORD == 8 { 5 } else { 4 };

/// Classes in one row: one bit each in a `u32`.
pub(crate) const COLUMNS: usize = 1 << COLUMNS_LOG2;

/// Rows: one bit each in a `usize`.
pub(crate) const ROWS: usize = (MAX_BLOCK / GRANULE).ilog2() as usize - COLUMNS_LOG2 as usize + 2;

/// All classes.
pub(crate) const CLASSES: usize = ROWS * COLUMNS;

const _: () = assert!(ROWS <= usize::BITS as usize && COLUMNS <= 32);

/// The class of a block of `size` bytes, a multiple of [`GRANULE`] below `2 * MAX_BLOCK`.
#[inline]
pub(crate) const fn class_of(size: usize) -> usize {
    let granules = size / GRANULE;
    if granules < COLUMNS {
        return granules;
    }
    let shift = granules.ilog2() - COLUMNS_LOG2;
    ((shift as usize) << COLUMNS_LOG2) + (granules >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_never_fall_and_never_skip() {
        let mut last = class_of(GRANULE);
        for size in (GRANULE..4 << 20).step_by(GRANULE) {
            let class = class_of(size);
            assert!(class == last || class == last + 1, "{size:#x}");
            last = class;
        }
    }

    #[test]
    fn a_class_is_at_most_one_column_wide() {
        let mut start = GRANULE;
        for size in (GRANULE..4 << 20).step_by(GRANULE) {
            if class_of(size) != class_of(start) {
                start = size;
            }
            assert!((size - start) * COLUMNS <= start, "{size:#x}");
        }
    }

    #[test]
    fn small_sizes_have_a_class_each_and_the_largest_block_has_one() {
        for granules in 1..2 * COLUMNS {
            assert_eq!(class_of(granules * GRANULE), granules);
        }
        assert!(class_of(MAX_BLOCK) < CLASSES);
        assert_eq!(class_of(2 * MAX_BLOCK - GRANULE), CLASSES - 1);
        for power in COLUMNS_LOG2..(MAX_BLOCK / GRANULE).ilog2() {
            let size = GRANULE << power;
            assert_eq!(class_of(size), class_of(size - GRANULE) + 1);
        }
    }
}
