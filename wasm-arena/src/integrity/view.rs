//! What is done to blocks, their checksums and their second copies. No synchronisation: readers run
//! this inside the sequence, writers under the lock.
#![forbid(unsafe_code)]

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

use super::blocks::{Block, Blocks};
use super::checksum::{self, WORD};
use super::remedy::{Remedy, remedy};
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

/// Where the bytes of a write come from.
pub(super) trait Source {
    /// Bytes that can be had at a time: a power of two.
    const AT_A_TIME: usize;

    /// The bytes for a range inside that of the write, at most so many.
    fn bytes(&mut self, range: &Range<usize>) -> &[u8];
}

/// How a write is carried out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Checksums and mirror are kept.
    pub(super) checked: bool,
    /// What was stored is loaded again and compared.
    pub(super) read_back: bool,
    /// From the end to the start, so that an overlapping copy to a higher offset reads every byte
    /// before it writes it.
    pub(super) backwards: bool,
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
            &words[words_of(&block.bytes)],
        ))
    }

    /// The checksum of what a block holds now.
    pub(super) fn sum_of_data(&self, block: &Block) -> u32 {
        Self::sum(self.data, block)
    }

    /// Compares a block's checksum with its records, or with the first alone.
    fn judge(
        &self,
        block: &Block,
        computed: u32,
        both_records: bool,
    ) -> Result<(), IntegrityError> {
        let records = self.entry(block)?.get(block.number);
        if computed == records.first && (!both_records || records.agree()) {
            return Ok(());
        }
        Err(damage(block, computed, records))
    }

    /// Checks a block and copies those of its bytes that lie in `range`, which touches it, to their
    /// places in `target`, which holds the whole range. What is copied is what was checked.
    pub(super) fn check_and_copy(
        &self,
        block: &Block,
        range: &Range<usize>,
        target: &mut [u8],
        both_records: bool,
    ) -> Result<(), IntegrityError> {
        let part = range.start.max(block.bytes.start)..range.end.min(block.bytes.end);
        let place = &mut target[part.start - range.start..part.end - range.start];
        let (words, of_part) = (words_of(&block.bytes), words_of(&part));
        let before = &self.data[words.start..of_part.start];
        let behind = &self.data[of_part.end..words.end];
        let mut state = checksum::sum(checksum::START, before);
        state = Span::new(&part).load_and_sum(state, self.data, place);
        let computed = checksum::finish(checksum::sum(state, behind));
        self.judge(block, computed, both_records)
    }

    /// Checks a block.
    pub(super) fn check(&self, block: &Block, both_records: bool) -> Result<(), IntegrityError> {
        self.judge(block, self.sum_of_data(block), both_records)
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
    pub(super) fn take_anew(&self, blocks: Range<usize>) -> Result<(), IntegrityError> {
        for number in blocks {
            let block = self.blocks.block(number);
            let sum = self.sum_of_data(&block);
            self.entry(&block)?.set(number, Records::of(sum));
            self.copy_block(&block, self.data, self.mirror);
        }
        Ok(())
    }

    /// The blocks that a range covers as a whole, as a range of bytes.
    #[inline]
    pub(super) fn covered(&self, range: &Range<usize>) -> Range<usize> {
        let mask = self.blocks.block_size() - 1;
        let start = range.start.saturating_add(mask) & !mask;
        let end = if range.end == self.blocks.size() {
            range.end
        } else {
            range.end & !mask
        };
        start..end.max(start)
    }

    /// Writes a range that is not empty and inside the memory.
    ///
    /// # Errors
    /// What was written could not be read back; everything was written all the same, and the
    /// checksums are those of what was to be written.
    #[inline]
    pub(super) fn write<S: Source>(
        &self,
        range: &Range<usize>,
        source: &mut S,
        manner: Manner,
    ) -> Result<(), IntegrityError> {
        let covered = self.covered(range);
        // A piece lies in one block, and can be had at a time.
        let unit = self.blocks.block_size().min(S::AT_A_TIME);
        if range.start / unit == (range.end - 1) / unit {
            // A single piece. If it covers a block, it is that block.
            return self.write_piece(range, source.bytes(range), false, manner);
        }
        if manner.checked && unit < self.blocks.block_size() {
            // Blocks that are rewritten piece by piece start as blocks of zeros.
            for number in self.blocks.touched(&covered) {
                let block = self.blocks.block(number);
                let sum = self.blocks.of_zeros(&block);
                self.entry(&block)?.set(number, Records::of(sum));
            }
        }
        let mut result = Ok(());
        let mut store = |number: usize| {
            let piece = range.start.max(number * unit)..range.end.min((number + 1) * unit);
            let rewritten = covered.contains(&piece.start);
            let stored = self.write_piece(&piece, source.bytes(&piece), rewritten, manner);
            if result.is_ok() {
                result = stored;
            }
        };
        let units = range.start / unit..(range.end - 1) / unit + 1;
        if manner.backwards {
            units.rev().for_each(&mut store);
        } else {
            units.for_each(&mut store);
        }
        result
    }

    /// Writes the piece of one block. If the whole block is being `rewritten`, in pieces, its
    /// checksum was set to that of zeros, and what changes is what is written.
    #[inline]
    fn write_piece(
        &self,
        piece: &Range<usize>,
        bytes: &[u8],
        rewritten: bool,
        manner: Manner,
    ) -> Result<(), IntegrityError> {
        let span = Span::new(piece);
        if manner.checked {
            let block = self.blocks.block(piece.start >> self.blocks.shift());
            let entry = self.entry(&block)?;
            if *piece == block.bytes {
                let state = span.store_and_sum(checksum::START, self.data, bytes);
                entry.set(block.number, Records::of(checksum::finish(state)));
            } else {
                let change = if rewritten {
                    span.store_and_sum(0, self.data, bytes)
                } else {
                    span.store_and_sum_change(self.data, bytes)
                };
                let after = block.bytes.end - piece.end.next_multiple_of(WORD);
                entry.change(checksum::shift(change, after));
            }
            if let Some(mirror) = self.mirror {
                span.store(mirror, bytes);
            }
        } else {
            span.store(self.data, bytes);
        }
        if manner.read_back {
            // Not before the stores are visible to others.
            fence(Ordering::SeqCst);
            if let Some((index, written, found)) = span.first_difference(self.data, bytes) {
                return Err(IntegrityError::ReadBackFailed {
                    offset: index * WORD,
                    written: written.to_le() as u64,
                    found: found.to_le() as u64,
                });
            }
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
