//! What is done to blocks, their checksums and their second copies, except [storing](super::store). No
//! synchronisation: readers run this inside the sequence, writers under the lock.
#![forbid(unsafe_code)]

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::blocks::{Block, Blocks};
use super::checksum::{self, WORD};
use super::remedy::{Remedy, remedy};
use super::run::{Loaded, Out};
use super::table::Records;
use super::words::{self, Span, words_of};
use super::{ChecksumEntry, IntegrityError};

/// A memory and what belongs to it, as slices.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) blocks: &'a Blocks,
    pub(super) data: &'a [AtomicUsize],
    pub(super) mirror: Option<&'a [AtomicUsize]>,
    pub(super) entries: &'a [ChecksumEntry],
}

impl<'a> View<'a> {
    /// The checksum records of a block; an error if the table shrank.
    #[inline]
    pub(super) fn entry(&self, block: &Block) -> Result<&'a ChecksumEntry, IntegrityError> {
        self.entries
            .get(block.number)
            .ok_or(IntegrityError::NoTable)
    }

    fn sum(words: &[AtomicUsize], block: &Block) -> u32 {
        checksum::finish(checksum::sum(
            checksum::START,
            Loaded(&words[words_of(&block.bytes)]),
        ))
    }

    /// The checksum of what a block holds now.
    pub(super) fn sum_of_data(&self, block: &Block) -> u32 {
        Self::sum(self.data, block)
    }

    /// The checksum records of blocks in a row, with their numbers; an error if the table shrank.
    pub(super) fn entries_of(
        &self,
        numbers: Range<usize>,
    ) -> Result<impl Iterator<Item = (usize, &'a ChecksumEntry)>, IntegrityError> {
        let entries = self.entries.get(numbers.clone());
        Ok(numbers.zip(entries.ok_or(IntegrityError::NoTable)?))
    }

    /// Compares a block's checksum with its records, or with the first alone.
    #[inline]
    fn judge(
        block: &Block,
        computed: u32,
        records: Records,
        both_records: bool,
    ) -> Result<(), IntegrityError> {
        if computed == records.first && (!both_records || records.agree()) {
            return Ok(());
        }
        Err(damage(block, computed, records))
    }

    /// Checks all blocks that a range touches, which is not empty, and copies its bytes to `target`.
    /// What is copied is what was checked.
    #[inline]
    pub(super) fn check_and_copy_all(
        &self,
        range: &Range<usize>,
        target: &mut [u8],
        both_records: bool,
    ) -> Result<(), IntegrityError> {
        if self.blocks.is_part(range) {
            return self.check_and_copy(range, target, both_records);
        }
        let (head, covered, tail) = self.blocks.parts(range);
        let (of_head, rest) = target.split_at_mut(head.len());
        let (of_covered, of_tail) = rest.split_at_mut(covered.len());
        if !head.is_empty() {
            self.check_and_copy(&head, of_head, both_records)?;
        }
        self.check_and_copy_blocks(&covered, of_covered, both_records)?;
        if !tail.is_empty() {
            self.check_and_copy(&tail, of_tail, both_records)?;
        }
        Ok(())
    }

    /// Checks a block and copies a part of it that is not empty, or all of it.
    pub(super) fn check_and_copy(
        &self,
        part: &Range<usize>,
        target: &mut [u8],
        both_records: bool,
    ) -> Result<(), IntegrityError> {
        let block = self.blocks.block(part.start >> self.blocks.shift());
        let records = self.entry(&block)?.get(block.number);
        let (words, of_part) = (words_of(&block.bytes), words_of(part));
        let before = &self.data[words.start..of_part.start];
        let behind = &self.data[of_part.end..words.end];
        let mut state = checksum::sum(checksum::START, Loaded(before));
        state = Span::new(part).load_and_sum(state, self.data, target);
        let computed = checksum::finish(checksum::sum(state, Loaded(behind)));
        Self::judge(&block, computed, records, both_records)
    }

    /// Checks whole blocks and copies them.
    fn check_and_copy_blocks(
        &self,
        covered: &Range<usize>,
        target: &mut [u8],
        both_records: bool,
    ) -> Result<(), IntegrityError> {
        let mut entries = self.entries_of(self.blocks.touched(covered))?;
        let mut result = Ok(());
        let run = Out {
            from: &self.data[words_of(covered)],
            target: target.as_chunks_mut().0,
        };
        checksum::sum_blocks(run, self.blocks.block_size() / WORD, |computed| {
            if let Some((number, entry)) = entries.next() {
                let (block, records) = (self.blocks.block(number), entry.get(number));
                if let Err(damage) = Self::judge(&block, computed, records, both_records) {
                    result = result.and(Err(damage));
                }
            }
        });
        result
    }

    /// Checks a block.
    pub(super) fn check(&self, block: &Block, both_records: bool) -> Result<(), IntegrityError> {
        let records = self.entry(block)?.get(block.number);
        Self::judge(block, self.sum_of_data(block), records, both_records)
    }

    /// Checks a block, both records and the second copy.
    pub(super) fn check_all(&self, block: &Block) -> Result<(), IntegrityError> {
        self.check(block, true)?;
        match self.first_mirror_difference(block) {
            None => Ok(()),
            Some(first_difference) => Err(IntegrityError::MirrorDamaged {
                block: block.number,
                offset: block.bytes.start,
                first_difference,
                repaired: false,
            }),
        }
    }

    /// The offset of the first byte that differs between data and mirror.
    fn first_mirror_difference(&self, block: &Block) -> Option<usize> {
        let mirror = self.mirror?;
        let range = words_of(&block.bytes);
        let pairs = self.data[range.clone()].iter().zip(&mirror[range.clone()]);
        for (index, (word, copy)) in range.zip(pairs) {
            let (word, copy) = (word.load(Ordering::Relaxed), copy.load(Ordering::Relaxed));
            if word != copy {
                let difference = (word ^ copy).to_ne_bytes();
                let inside = difference.iter().take_while(|&&byte| byte == 0).count();
                return Some(index * WORD + inside);
            }
        }
        None
    }

    /// Puts a block right, as far as anything is left to do it from. Only for the holder of the
    /// lock, inside the sequence. Answers what was wrong, with whether it was repaired.
    pub(super) fn mend(&self, block: &Block) -> Result<Option<IntegrityError>, IntegrityError> {
        let entry = self.entry(block)?;
        let records = entry.get(block.number);
        let computed = self.sum_of_data(block);
        let of_mirror = self.mirror.map(|mirror| Self::sum(mirror, block));
        let mut found = damage(block, computed, records);
        match remedy(computed, of_mirror, records) {
            Remedy::CopyToMirror => {
                let Err(error) = self.check_all(block) else {
                    return Ok(None);
                };
                self.copy_block(block, self.data, self.mirror);
                // Believed only when seen, here and below: a stuck bit cannot be repaired.
                return Ok(Some(match self.check_all(block) {
                    Ok(()) => repaired(error),
                    Err(_) => error,
                }));
            }
            Remedy::Record(sum) => entry.set(block.number, Records::of(sum)),
            Remedy::CopyFromMirror(sum) => {
                if !records.agree() {
                    found = damage(block, computed, Records::of(sum));
                }
                if let Some(mirror) = self.mirror {
                    self.copy_block(block, mirror, Some(self.data));
                }
                entry.set(block.number, Records::of(sum));
            }
            Remedy::None => return Ok(Some(found)),
        }
        Ok(Some(match self.check(block, true) {
            Ok(()) => repaired(found),
            Err(_) => found,
        }))
    }

    fn copy_block(&self, block: &Block, from: &[AtomicUsize], to: Option<&[AtomicUsize]>) {
        let Some(to) = to else {
            return;
        };
        let range = words_of(&block.bytes);
        words::copy(&from[range.clone()], &to[range]);
    }

    /// Takes the checksums of blocks anew from what they hold, and copies them to the mirror.
    pub(super) fn take_anew(&self, numbers: Range<usize>) -> Result<(), IntegrityError> {
        if numbers.is_empty() {
            return Ok(());
        }
        let last = self.blocks.block(numbers.end - 1).bytes;
        let words = words_of(&(self.blocks.block(numbers.start).bytes.start..last.end));
        let data = &self.data[words.clone()];
        let mut entries = self.entries_of(numbers)?;
        checksum::sum_blocks(Loaded(data), self.blocks.block_size() / WORD, |sum| {
            if let Some((number, entry)) = entries.next() {
                entry.set(number, Records::of(sum));
            }
        });
        if let Some(mirror) = self.mirror {
            words::copy(data, &mirror[words]);
        }
        Ok(())
    }
}

impl Records {
    pub(super) const fn of(sum: u32) -> Self {
        Self {
            first: sum,
            second: sum,
        }
    }
}

/// What is wrong with a block whose checksum and records are not all the same.
pub(super) fn damage(block: &Block, computed: u32, records: Records) -> IntegrityError {
    if records.agree() {
        IntegrityError::BlockDamaged {
            block: block.number,
            offset: block.bytes.start,
            len: block.bytes.len(),
            stored: records.first,
            computed,
            repaired: false,
        }
    } else {
        IntegrityError::ChecksumDamaged {
            block: block.number,
            offset: block.bytes.start,
            stored: records.first,
            second: records.second,
            computed,
            repaired: false,
        }
    }
}

pub(super) const fn repaired(mut found: IntegrityError) -> IntegrityError {
    if let IntegrityError::BlockDamaged { repaired, .. }
    | IntegrityError::ChecksumDamaged { repaired, .. }
    | IntegrityError::MirrorDamaged { repaired, .. } = &mut found
    {
        *repaired = true;
    }
    found
}
