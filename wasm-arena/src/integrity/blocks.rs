//! How a memory is divided into blocks, and where it lies: the bookkeeping, kept twice.
//!
//! ```text
//!   base                                                            base + size
//!     |   block 0   |   block 1   |   block 2   |   ...   | last block, may be shorter |
//!      ◀ 2^shift ▶
//! ```
//!
//! The second copy is inverted; [`VerificationLevel::Critical`](crate::VerificationLevel::Critical)
//! compares the two whenever they are used.
#![forbid(unsafe_code)]

use core::ops::Range;

use super::{BookkeepingRecord, IntegrityError, checksum};

/// The least size of a block, in bytes.
pub const MIN_BLOCK_SIZE: usize = 256;

/// The numbers that describe a checked memory; they change only while nobody else uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocks {
    values: [usize; 4],
    inverted: [usize; 4],
    /// The checksum of a whole block of zeros: where the checksum of a rewritten block starts.
    whole_block_of_zeros: u32,
}

const BASE: usize = 0;
const SIZE: usize = 1;
const SHIFT: usize = 2;
const MIRROR: usize = 3;

/// What each number is called.
pub(super) const BLOCKS_RECORDS: [BookkeepingRecord; 4] = [
    BookkeepingRecord::Base,
    BookkeepingRecord::Size,
    BookkeepingRecord::BlockSize,
    BookkeepingRecord::Mirror,
];

/// One block: its number and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) number: usize,
    pub(super) bytes: Range<usize>,
}

impl Blocks {
    /// Divides `size` bytes at `base` into at most `entries` blocks.
    pub(super) fn new(
        base: usize,
        size: usize,
        mirror: Option<usize>,
        entries: usize,
    ) -> Result<Self, IntegrityError> {
        if entries == 0 {
            return Err(IntegrityError::NoTable);
        }
        let least = size.div_ceil(entries).max(MIN_BLOCK_SIZE);
        // At most `isize::MAX` bytes were let in, so the next power of two fits.
        let shift = least.next_power_of_two().trailing_zeros();
        Ok(Self::with_shift(base, size, mirror, shift))
    }

    pub(super) fn with_shift(base: usize, size: usize, mirror: Option<usize>, shift: u32) -> Self {
        let values = [base, size, shift as usize, mirror.unwrap_or(0)];
        Self {
            values,
            inverted: values.map(|value| !value),
            whole_block_of_zeros: checksum::of_zeros(1 << shift),
        }
    }

    pub(super) const fn size(&self) -> usize {
        self.values[SIZE]
    }

    pub(super) const fn base(&self) -> usize {
        self.values[BASE]
    }

    pub(super) const fn mirror(&self) -> usize {
        self.values[MIRROR]
    }

    /// The size of a block, as a power of two. Masked so that a damaged number cannot overflow a
    /// shift.
    #[inline]
    pub(super) const fn shift(&self) -> usize {
        self.values[SHIFT] & (usize::BITS as usize - 1)
    }

    #[inline]
    pub(super) const fn block_size(&self) -> usize {
        1 << self.shift()
    }

    pub(super) const fn count(&self) -> usize {
        self.size().div_ceil(self.block_size())
    }

    /// The block of that number.
    #[inline]
    pub(super) fn block(&self, number: usize) -> Block {
        let start = number << self.shift();
        Block {
            number,
            bytes: start..self.size().min(start.saturating_add(self.block_size())),
        }
    }

    /// The blocks that a range touches: none, if it is empty.
    #[inline]
    pub(super) fn touched(&self, range: &Range<usize>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        range.start >> self.shift()..((range.end - 1) >> self.shift()) + 1
    }

    /// The blocks that a range covers as a whole, as a range of bytes.
    #[inline]
    pub(super) fn covered(&self, range: &Range<usize>) -> Range<usize> {
        let mask = self.block_size() - 1;
        let start = range.start.saturating_add(mask) & !mask;
        let end = if range.end == self.size() {
            range.end
        } else {
            range.end & !mask
        };
        start..end.max(start)
    }

    /// A range that is not empty, as the part of a block it starts with, the blocks it covers as a
    /// whole, and the part of a block it ends with. Any of these may be empty.
    pub(super) fn parts(&self, range: &Range<usize>) -> (Range<usize>, Range<usize>, Range<usize>) {
        let covered = self.covered(range);
        // A range inside one block ends before the next one, where `covered` starts.
        let start = covered.start.min(range.end);
        let end = covered.end.min(range.end);
        (range.start..start, start..end, end..range.end)
    }

    /// Whether a range that is not empty touches one block, and not all of it.
    #[inline]
    pub(super) fn is_part(&self, range: &Range<usize>) -> bool {
        let block = self.block(range.start >> self.shift()).bytes;
        range.end <= block.end && range.len() < block.len()
    }

    /// The checksum of a block full of zeros.
    pub(super) fn of_zeros(&self, block: &Block) -> u32 {
        if block.bytes.len() == self.block_size() {
            self.whole_block_of_zeros
        } else {
            checksum::of_zeros(block.bytes.len())
        }
    }

    /// `offset .. offset + len`, if that lies inside the memory.
    #[inline]
    pub(super) fn check(&self, offset: usize, len: usize) -> Result<Range<usize>, IntegrityError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.size() => Ok(offset..end),
            _ => Err(IntegrityError::OutOfRange {
                offset,
                len,
                size: self.size(),
            }),
        }
    }

    /// Compares both copies.
    pub(super) fn compare(&self) -> Result<(), IntegrityError> {
        for (index, record) in BLOCKS_RECORDS.into_iter().enumerate() {
            let (value, inverse) = (self.values[index], self.inverted[index]);
            if value != !inverse {
                return Err(IntegrityError::BookkeepingDamaged {
                    record,
                    value,
                    inverse,
                });
            }
        }
        Ok(())
    }

    /// Flips one bit of one copy: to try the detectors.
    pub(super) fn flip(&mut self, index: usize, bit: u32, second: bool) {
        let copy = if second {
            &mut self.inverted
        } else {
            &mut self.values
        };
        copy[index] ^= 1 << bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_memory_and_fit_the_table() {
        for entries in [1, 2, 3, 7, 256, 1000] {
            for size in [
                0,
                8,
                248,
                256,
                264,
                65_536,
                65_536 * 3,
                1 << 24,
                (1 << 20) + 8,
            ] {
                let blocks = Blocks::new(4096, size, None, entries).unwrap();
                assert!(blocks.count() <= entries);
                assert!(blocks.block_size() >= MIN_BLOCK_SIZE);
                let smaller = blocks.block_size() / 2;
                assert!(smaller < MIN_BLOCK_SIZE || size.div_ceil(smaller) > entries);
                let mut end = 0;
                for number in 0..blocks.count() {
                    let block = blocks.block(number);
                    assert_eq!(block.bytes.start, end);
                    assert!(!block.bytes.is_empty());
                    end = block.bytes.end;
                }
                assert_eq!(end, size);
            }
        }
    }

    #[test]
    fn a_range_falls_into_an_end_whole_blocks_and_a_start() {
        // The last block is shorter.
        let blocks = Blocks::new(0, 1000, None, 4).unwrap();
        assert_eq!(blocks.block_size(), 256);
        for (range, parts) in [
            (0..1, (0..0, 0..0, 0..1)),
            (3..256, (3..256, 256..256, 256..256)),
            (3..257, (3..256, 256..256, 256..257)),
            (0..256, (0..0, 0..256, 256..256)),
            (255..769, (255..256, 256..768, 768..769)),
            (768..1000, (768..768, 768..1000, 1000..1000)),
            (769..1000, (769..1000, 1000..1000, 1000..1000)),
        ] {
            assert_eq!(blocks.parts(&range), parts, "{range:?}");
        }
        for start in 0..1000 {
            for end in start + 1..=1000 {
                let (head, covered, tail) = blocks.parts(&(start..end));
                assert_eq!((head.start, head.end), (start, covered.start));
                assert_eq!((tail.start, tail.end), (covered.end, end));
                for part in [&head, &tail] {
                    assert!(part.is_empty() || blocks.is_part(part), "{start}..{end}");
                }
                let one = covered.is_empty() && (head.is_empty() || tail.is_empty());
                assert_eq!(blocks.is_part(&(start..end)), one, "{start}..{end}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed_and_named() {
        let blocks = Blocks::new(0x7f00_1000, 65_536, Some(0x7f10_0000), 256).unwrap();
        assert_eq!(blocks.compare(), Ok(()));
        for (index, expected) in BLOCKS_RECORDS.into_iter().enumerate() {
            for bit in 0..usize::BITS {
                for second in [false, true] {
                    let mut damaged = blocks;
                    damaged.flip(index, bit, second);
                    assert!(matches!(
                        damaged.compare(),
                        Err(IntegrityError::BookkeepingDamaged { record, .. }) if record == expected
                    ));
                }
            }
        }
    }

    #[test]
    fn an_empty_range_touches_nothing() {
        let blocks = Blocks::new(0, 65_536, None, 256).unwrap();
        assert!(blocks.touched(&(256..256)).is_empty());
        assert_eq!(blocks.touched(&(255..257)), 0..2);
        assert_eq!(blocks.touched(&(256..512)), 1..2);
    }
}
