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

use core::ops::Range;

use super::blocks::{Block, Blocks, MIN_BLOCK_SIZE};
use super::checksum::{self, WORD};
use super::remedy::{Remedy, remedy};
use super::run::Shown;
use super::table::Records;
use super::view::{damage, repaired};
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
        (0..self.block_count()).try_for_each(|number| self.verify_block(contents, number))
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

    /// Compares one block with a second copy of the contents; one that is not covered is the same.
    ///
    /// # Errors
    /// [`IntegrityError::MirrorDamaged`] with the first byte that differs;
    /// [`IntegrityError::SizeChanged`] if the contents are not as long as they were,
    /// [`IntegrityError::MirrorTooSmall`] if the copy is shorter.
    pub fn compare_block(
        &self,
        contents: &[u8],
        mirror: &[u8],
        number: usize,
    ) -> Result<(), IntegrityError> {
        self.check_lengths(contents, mirror)?;
        if number >= self.block_count() {
            return Ok(());
        }
        let block = self.blocks.block(number);
        let (bytes, copies) = (&contents[block.bytes.clone()], &mirror[block.bytes.clone()]);
        if bytes == copies {
            return Ok(());
        }
        let same = bytes
            .iter()
            .zip(copies)
            .take_while(|(byte, copy)| byte == copy);
        Err(IntegrityError::MirrorDamaged {
            block: number,
            offset: block.bytes.start,
            first_difference: block.bytes.start + same.count(),
            repaired: false,
        })
    }

    /// Puts one block right, as far as anything is left to do it from: a record from the contents
    /// and the other record, the contents from the second copy, the second copy from the contents.
    /// Answers the first thing that was wrong, with whether the block was repaired.
    ///
    /// # Errors
    /// As [`compare_block`](Self::compare_block), about the lengths alone.
    pub fn mend_block(
        &self,
        contents: &mut [u8],
        mirror: Option<&mut [u8]>,
        number: usize,
    ) -> Result<Option<IntegrityError>, IntegrityError> {
        let mut mirror = mirror;
        match mirror.as_deref() {
            Some(mirror) => self.check_lengths(contents, mirror)?,
            None => self.check_lengths(contents, contents)?,
        }
        if number >= self.block_count() {
            return Ok(None);
        }
        let block = self.blocks.block(number);
        let range = block.bytes.clone();
        let mut found = match self.look(contents, mirror.as_deref(), &block) {
            Ok(()) => return Ok(None),
            Err(found) => found,
        };
        let entry = self.entry(number)?;
        let records = entry.get(number);
        let computed = sum(&contents[range.clone()]);
        let of_mirror = mirror.as_deref().map(|mirror| sum(&mirror[range.clone()]));
        match remedy(computed, of_mirror, records) {
            Remedy::CopyToMirror => {}
            Remedy::Record(sum) => entry.set(number, Records::of(sum)),
            Remedy::CopyFromMirror(sum) => {
                if let IntegrityError::ChecksumDamaged { .. } = found {
                    found = damage(&block, computed, Records::of(sum));
                }
                if let Some(mirror) = mirror.as_deref() {
                    contents[range.clone()].copy_from_slice(&mirror[range.clone()]);
                }
                entry.set(number, Records::of(sum));
            }
            Remedy::None => return Ok(Some(found)),
        }
        if let Some(mirror) = mirror.as_deref_mut() {
            mirror[range.clone()].copy_from_slice(&contents[range]);
        }
        // Believed only when seen: a stuck bit cannot be repaired.
        Ok(Some(match self.look(contents, mirror.as_deref(), &block) {
            Ok(()) => repaired(found),
            Err(_) => found,
        }))
    }

    /// Compares the size and the size of a block with their inverted copies.
    ///
    /// # Errors
    /// [`IntegrityError::BookkeepingDamaged`].
    pub fn compare_bookkeeping(&self) -> Result<(), IntegrityError> {
        self.blocks.compare()
    }

    fn check(&self, contents: &[u8], number: usize) -> Result<(), IntegrityError> {
        let block = self.blocks.block(number);
        let records = self.entry(number)?.get(number);
        let computed = sum(&contents[block.bytes.clone()]);
        if computed == records.first && records.agree() {
            return Ok(());
        }
        Err(damage(&block, computed, records))
    }

    fn look(
        &self,
        contents: &[u8],
        mirror: Option<&[u8]>,
        block: &Block,
    ) -> Result<(), IntegrityError> {
        self.check(contents, block.number)?;
        mirror.map_or(Ok(()), |mirror| {
            self.compare_block(contents, mirror, block.number)
        })
    }

    fn record(&self, contents: &[u8], numbers: Range<usize>) -> Result<(), IntegrityError> {
        for number in numbers {
            let bytes = self.blocks.block(number).bytes;
            let records = Records::of(sum(&contents[bytes]));
            self.entry(number)?.set(number, records);
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

    fn check_lengths(&self, contents: &[u8], mirror: &[u8]) -> Result<(), IntegrityError> {
        if contents.len() != self.size() {
            return Err(self.size_changed(contents));
        }
        if mirror.len() < self.size() {
            return Err(IntegrityError::MirrorTooSmall {
                mirror: mirror.len(),
                size: self.size(),
            });
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InlineTable;
    use std::vec::Vec;

    fn contents(len: usize) -> Vec<u8> {
        (0..len)
            .map(|at| u8::try_from((at * 31 + at / 7) % 251).unwrap())
            .collect()
    }

    #[test]
    fn sums_are_those_of_another_implementation_at_any_length_and_address() {
        let all = contents(5000);
        for start in 0..WORD {
            for len in (0..300).chain(4080..4110) {
                let bytes = &all[start..start + len];
                assert_eq!(sum(bytes), crc32c::crc32c(bytes), "{start} {len}");
            }
        }
        assert_eq!(sum(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn every_flipped_bit_is_found_and_named() {
        let mut bytes = contents(1300);
        let mut checksums = BorrowedChecksums::new(InlineTable::<6>::new(), 256).unwrap();
        checksums.take(&bytes).unwrap();
        assert_eq!(checksums.verify(&bytes), Ok(()));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                let Err(IntegrityError::BlockDamaged {
                    block,
                    offset,
                    len,
                    stored,
                    computed,
                    repaired: false,
                }) = checksums.verify(&bytes)
                else {
                    panic!("bit {bit} of byte {at} went unnoticed");
                };
                let end = bytes.len().min(offset + 256);
                assert_eq!((block, offset, len), (at / 256, block * 256, end - offset));
                assert_eq!(computed, crc32c::crc32c(&bytes[offset..end]));
                assert_ne!(stored, computed);
                bytes[at] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn damage_of_the_table_is_told_apart_and_mended() {
        let mut bytes = contents(1000);
        let mut checksums = BorrowedChecksums::new(InlineTable::<4>::new(), 256).unwrap();
        checksums.take(&bytes).unwrap();
        for number in 0..4 {
            for second in [false, true] {
                for bit in 0..32 {
                    checksums.table.entries()[number].flip(bit, second);
                    let damage = checksums.verify(&bytes).unwrap_err();
                    assert!(matches!(
                        damage,
                        IntegrityError::ChecksumDamaged { block, .. } if block == number
                    ));
                    let mended = checksums.mend_block(&mut bytes, None, number).unwrap();
                    assert_eq!(mended, Some(repaired(damage)));
                    assert_eq!(checksums.verify(&bytes), Ok(()));
                }
            }
        }
        assert_eq!(bytes, contents(1000));
    }

    #[test]
    fn damage_of_one_copy_is_repaired_and_of_both_is_not() {
        let whole = contents(777);
        let (mut bytes, mut mirror) = (whole.clone(), whole.clone());
        let mut checksums = BorrowedChecksums::new(InlineTable::<4>::new(), 256).unwrap();
        checksums.take(&bytes).unwrap();
        let mend = |bytes: &mut Vec<u8>, mirror: &mut Vec<u8>| {
            let mended = checksums.mend_block(bytes, Some(mirror), 3);
            let sound = checksums.verify(bytes).is_ok() && bytes == mirror;
            (mended.unwrap(), sound)
        };
        assert_eq!(mend(&mut bytes, &mut mirror), (None, true));
        for at in [768, 776] {
            bytes[at] ^= 0x10;
            let (found, sound) = mend(&mut bytes, &mut mirror);
            assert!(
                sound
                    && matches!(
                        found,
                        Some(IntegrityError::BlockDamaged {
                            block: 3,
                            len: 9,
                            repaired: true,
                            ..
                        })
                    )
            );
            mirror[at] ^= 0x10;
            let (found, sound) = mend(&mut bytes, &mut mirror);
            assert!(
                sound
                    && matches!(
                        found,
                        Some(IntegrityError::MirrorDamaged { first_difference, repaired: true, .. })
                            if first_difference == at
                    )
            );
            assert_eq!((&bytes, &mirror), (&whole, &whole));
        }
        bytes[770] ^= 1;
        mirror[771] ^= 1;
        let (found, sound) = mend(&mut bytes, &mut mirror);
        assert!(!sound);
        assert!(matches!(
            found,
            Some(IntegrityError::BlockDamaged {
                repaired: false,
                ..
            })
        ));
        assert_eq!((bytes[770], mirror[771]), (whole[770] ^ 1, whole[771] ^ 1));
    }

    #[test]
    fn contents_that_grow_are_covered_when_told_and_never_blessed_by_it() {
        let mut bytes = contents(1000);
        let mut checksums = BorrowedChecksums::new(InlineTable::<8>::new(), 256).unwrap();
        checksums.take(&bytes).unwrap();
        bytes.resize(1500, 0);
        let changed = IntegrityError::SizeChanged {
            covered: 1000,
            size: 1500,
        };
        assert_eq!(checksums.verify(&bytes), Err(changed));
        assert_eq!(checksums.verify_block(&bytes, 0), Err(changed));
        // The last block got longer: what was there of it must still be right.
        bytes[990] ^= 4;
        let damage = checksums.renew(&bytes, 0..0).unwrap_err();
        assert!(matches!(
            damage,
            IntegrityError::BlockDamaged {
                block: 3,
                len: 232,
                ..
            }
        ));
        assert_eq!(checksums.size(), 1000);
        bytes[990] ^= 4;
        checksums.renew(&bytes, 0..0).unwrap();
        assert_eq!(checksums.verify(&bytes), Ok(()));
        assert_eq!((checksums.size(), checksums.block_count()), (1500, 6));
        // Nor is damage elsewhere.
        bytes[10] ^= 4;
        checksums.renew(&bytes, 256..1500).unwrap();
        assert!(checksums.verify(&bytes).is_err());
        checksums.renew(&bytes, 10..11).unwrap();
        assert_eq!(checksums.verify(&bytes), Ok(()));
        assert_eq!(
            checksums.renew(&bytes[..1000], 0..0),
            Err(IntegrityError::SizeChanged {
                covered: 1500,
                size: 1000
            })
        );
        bytes.resize(2049, 0);
        assert_eq!(
            checksums.renew(&bytes, 0..0),
            Err(IntegrityError::TableTooSmall {
                entries: 8,
                blocks: 9
            })
        );
        assert_eq!(
            checksums.renew(&bytes[..1500], 1500..1501),
            Err(IntegrityError::OutOfRange {
                offset: 1500,
                len: 1,
                size: 1500
            })
        );
        assert_eq!(checksums.verify(&bytes[..1500]), Ok(()));
    }

    #[test]
    fn sizes_of_blocks_have_limits() {
        for block_size in [0, 1, 128, 255, 300, usize::MAX] {
            let refused = BorrowedChecksums::new(InlineTable::<1>::new(), block_size);
            assert_eq!(
                refused.err(),
                Some(IntegrityError::InvalidBlockSize {
                    block_size,
                    minimum: 256
                })
            );
        }
        for block_size in [256, 1 << 16, 1 << (usize::BITS - 1)] {
            let mut checksums =
                BorrowedChecksums::new(InlineTable::<1>::new(), block_size).unwrap();
            checksums.take(&contents(256)).unwrap();
            assert_eq!(checksums.verify(&contents(256)), Ok(()));
            checksums.compare_bookkeeping().unwrap();
        }
    }
}
