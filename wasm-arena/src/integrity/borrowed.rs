//! Checksums of contents that somebody else owns and shows us from time to time.
//!
//! ```text
//!   a guest runs        nobody runs                    a guest runs
//!   ───────────▶ take ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ▶ verify ───────────▶
//!                 │  a byte that changes here  │
//!                 ▼                            ▼
//!        |c0|i0|c1|i1| ...  the table   compared with it
//! ```
//!
//! Nothing is remembered of the contents but their checksums and their size, neither address nor
//! borrow: the owner may move them between two calls.
#![forbid(unsafe_code)]

mod mend;
#[cfg(test)]
mod tests;

use core::ops::Range;

use super::blocks::{Blocks, MIN_BLOCK_SIZE};
use super::checksum::{self, WORD};
use super::run::Shown;
use super::table::Records;
use super::view::damage;
use super::{ChecksumEntry, ChecksumTable, IntegrityError};

/// Checksums of contents that are shown at each call, block by block.
///
/// For memory that belongs to somebody who uses it without telling us, such as a guest: take the
/// checksums when it pauses, verify before it goes on. Where writes go through us,
/// [`AtomicMemoryOps`](super::AtomicMemoryOps) does more.
///
/// Every verification compares the contents with both records of each checksum, so that damage of
/// the table is told apart from damage of the contents. No operation allocates, locks or makes a
/// system call. Costs: the bytes of the blocks that are looked at.
///
/// ```
/// use wasm_arena::{BorrowedChecksums, InlineTable, IntegrityError};
///
/// let mut contents = vec![7; 10_000];
/// let mut checksums = BorrowedChecksums::new(InlineTable::<16>::new(), 1024)?;
/// checksums.take(&contents)?;
/// checksums.verify(&contents)?;
///
/// contents[5000] ^= 1;
/// let damage = checksums.verify(&contents).unwrap_err();
/// assert!(matches!(damage, IntegrityError::BlockDamaged { block: 4, offset: 4096, len: 1024, .. }));
///
/// // A change of our own is told.
/// checksums.renew(&contents, 5000..5001)?;
/// checksums.verify(&contents)?;
/// # Ok::<(), IntegrityError>(())
/// ```
#[derive(Debug)]
pub struct BorrowedChecksums<T: ChecksumTable> {
    table: T,
    /// Of the contents that are covered; they have no address.
    blocks: Blocks,
}

impl<T: ChecksumTable> BorrowedChecksums<T> {
    /// Checksums of nothing yet, for blocks of `block_size` bytes.
    ///
    /// # Errors
    /// [`IntegrityError::InvalidBlockSize`] unless that is a power of two of at least
    /// [`MIN_BLOCK_SIZE`].
    pub fn new(table: T, block_size: usize) -> Result<Self, IntegrityError> {
        if !block_size.is_power_of_two() || block_size < MIN_BLOCK_SIZE {
            return Err(IntegrityError::InvalidBlockSize {
                block_size,
                minimum: MIN_BLOCK_SIZE,
            });
        }
        let blocks = Blocks::with_shift(0, 0, None, block_size.trailing_zeros());
        Ok(Self { table, blocks })
    }

    /// Bytes that are covered.
    pub const fn size(&self) -> usize {
        self.blocks.size()
    }

    /// Bytes that share a checksum.
    pub const fn block_size(&self) -> usize {
        self.blocks.block_size()
    }

    /// Blocks that are covered; the last may be shorter than the others.
    pub const fn block_count(&self) -> usize {
        self.blocks.count()
    }

    /// The table, to be made larger. Entries that were there must stay, in their places.
    pub const fn table_mut(&mut self) -> &mut T {
        &mut self.table
    }

    /// Takes all checksums from `contents`, which are covered from now on.
    ///
    /// # Errors
    /// [`IntegrityError::TableTooSmall`]; nothing has changed.
    pub fn take(&mut self, contents: &[u8]) -> Result<(), IntegrityError> {
        let blocks = self.blocks_of(contents)?;
        self.blocks = blocks;
        self.record(contents, 0..blocks.count())
    }

    /// Takes the checksums of the blocks that `range` touches from `contents`, whatever was wrong
    /// with them. Contents that grew are covered from now on; what was covered of a block that
    /// growth made longer is verified first.
    ///
    /// # Errors
    /// [`IntegrityError::OutOfRange`]; [`IntegrityError::TableTooSmall`];
    /// [`IntegrityError::SizeChanged`] if the contents shrank; damage in a block that became longer.
    /// Nothing has changed.
    pub fn renew(&mut self, contents: &[u8], range: Range<usize>) -> Result<(), IntegrityError> {
        let blocks = self.blocks_of(contents)?;
        let range = blocks.check(range.start, range.end.saturating_sub(range.start))?;
        let (before, after) = (self.blocks.size(), contents.len());
        if after < before {
            return Err(self.size_changed(contents));
        }
        let renewed = blocks.touched(&range);
        let added = blocks.touched(&(before..after));
        let longer = added.start < self.blocks.count() && !added.is_empty();
        if longer && !renewed.contains(&added.start) {
            self.check(contents, added.start)?;
        }
        self.blocks = blocks;
        self.record(contents, added)?;
        self.record(contents, renewed)
    }

    /// Verifies all blocks.
    ///
    /// # Errors
    /// The first damage: [`IntegrityError::BlockDamaged`] or [`IntegrityError::ChecksumDamaged`];
    /// [`IntegrityError::SizeChanged`] if the contents are not as long as they were.
    pub fn verify(&self, contents: &[u8]) -> Result<(), IntegrityError> {
        if contents.len() != self.size() {
            return Err(self.size_changed(contents));
        }
        let mut result = Ok(());
        self.sum_each(
            contents,
            0..self.block_count(),
            |number, entry, computed| {
                if result.is_ok() {
                    result = self.judge(number, entry, computed);
                }
            },
        )?;
        result
    }

    /// Verifies one block; one that is not covered is sound.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_block(&self, contents: &[u8], number: usize) -> Result<(), IntegrityError> {
        if contents.len() != self.size() {
            return Err(self.size_changed(contents));
        }
        if number >= self.block_count() {
            return Ok(());
        }
        self.check(contents, number)
    }

    /// Compares the size and the size of a block with their inverted copies.
    ///
    /// # Errors
    /// [`IntegrityError::BookkeepingDamaged`].
    pub fn compare_bookkeeping(&self) -> Result<(), IntegrityError> {
        self.blocks.compare()
    }

    fn check(&self, contents: &[u8], number: usize) -> Result<(), IntegrityError> {
        let computed = sum(&contents[self.blocks.block(number).bytes]);
        self.judge(number, self.entry(number)?, computed)
    }

    #[inline]
    fn judge(
        &self,
        number: usize,
        entry: &ChecksumEntry,
        computed: u32,
    ) -> Result<(), IntegrityError> {
        let records = entry.get(number);
        if computed == records.first && records.agree() {
            return Ok(());
        }
        Err(damage(&self.blocks.block(number), computed, records))
    }

    fn record(&self, contents: &[u8], numbers: Range<usize>) -> Result<(), IntegrityError> {
        self.sum_each(contents, numbers, |number, entry, sum| {
            entry.set(number, Records::of(sum));
        })
    }

    /// Sums blocks in a row, neighbours side by side, and tells `each` number, entry and checksum in
    /// turn.
    fn sum_each(
        &self,
        contents: &[u8],
        numbers: Range<usize>,
        mut each: impl FnMut(usize, &ChecksumEntry, u32),
    ) -> Result<(), IntegrityError> {
        let Some(last) = numbers.clone().next_back() else {
            return Ok(());
        };
        self.entry(last)?;
        let entries = self.table.entries().iter().enumerate();
        let mut entries = entries.skip(numbers.start);
        let mut tell = |sum| {
            if let Some((number, entry)) = entries.next() {
                each(number, entry, sum);
            }
        };
        let start = self.blocks.block(numbers.start).bytes.start;
        let last = self.blocks.block(last).bytes;
        // A last block that ends within a word is summed by itself.
        let is_whole = last.end.is_multiple_of(WORD);
        let end = if is_whole { last.end } else { last.start };
        let words = contents[start..end].as_chunks().0;
        checksum::sum_blocks(Shown(words), self.block_size() / WORD, &mut tell);
        if !is_whole {
            tell(sum(&contents[last]));
        }
        Ok(())
    }

    fn entry(&self, number: usize) -> Result<&ChecksumEntry, IntegrityError> {
        let entries = self.table.entries();
        entries.get(number).ok_or(IntegrityError::TableTooSmall {
            entries: entries.len(),
            blocks: self.block_count(),
        })
    }

    /// How `contents` are divided, if the table has room for that.
    fn blocks_of(&self, contents: &[u8]) -> Result<Blocks, IntegrityError> {
        let shift = self.block_size().trailing_zeros();
        let blocks = Blocks::with_shift(0, contents.len(), None, shift);
        let entries = self.table.entries().len();
        if blocks.count() > entries {
            return Err(IntegrityError::TableTooSmall {
                entries,
                blocks: blocks.count(),
            });
        }
        Ok(blocks)
    }

    const fn size_changed(&self, contents: &[u8]) -> IntegrityError {
        IntegrityError::SizeChanged {
            covered: self.size(),
            size: contents.len(),
        }
    }
}

/// CRC-32C of bytes anywhere.
fn sum(bytes: &[u8]) -> u32 {
    let (words, tail) = bytes.as_chunks::<WORD>();
    let state = checksum::sum(checksum::START, Shown(words));
    checksum::finish(checksum::sum_bytes(state, tail))
}
