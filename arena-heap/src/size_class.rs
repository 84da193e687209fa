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
    let shift = shift_of(granules);
    ((shift as usize) << COLUMNS_LOG2) + (granules >> shift)
}

/// The least class in which every block has at least `size` bytes, and what all its blocks have:
/// `size`, a multiple of [`GRANULE`] up to `MAX_BLOCK`, rounded up to where a class begins.
#[inline]
pub(crate) const fn class_holding(size: usize) -> (usize, usize) {
    let granules = size / GRANULE;
    let shift = shift_of(granules);
    let columns = (granules + (1 << shift) - 1) >> shift;
    // One column too many is the first of the next row.
    let class = ((shift as usize) << COLUMNS_LOG2) + columns;
    (class, (columns << shift) * GRANULE)
}

/// Which doubling a size is in: 0 below two rows' worth of granules. No branch, because sizes are
/// as mixed as programs are.
#[inline]
const fn shift_of(granules: usize) -> u32 {
    (granules | COLUMNS).ilog2() - COLUMNS_LOG2
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
    fn every_block_of_the_holding_class_is_large_enough_and_no_class_below_is() {
        let near_powers = (COLUMNS_LOG2..(MAX_BLOCK / GRANULE).ilog2())
            .flat_map(|power| (1 << power) - 2..(1 << power) + 3)
            .map(|granules: usize| granules * GRANULE);
        for size in (GRANULE..4 << 20).step_by(GRANULE).chain(near_powers) {
            let (class, least) = class_holding(size);
            assert_eq!(class_of(least), class, "{size:#x}");
            assert!(
                least >= size && (least - size) * COLUMNS < size,
                "{size:#x}"
            );
            assert!(
                class_of(least - GRANULE) < class || least == GRANULE,
                "{size:#x}"
            );
            assert!(class_of(size) == class || least > size, "{size:#x}");
        }
        assert!(class_holding(MAX_BLOCK).0 < CLASSES);
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
