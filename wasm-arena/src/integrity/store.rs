//! How bytes get into a memory, and their checksums into the table. No synchronisation: writers run
//! this under the lock.
//!
//! ```text
//!   range            |  end of a block  |  block  |  block  |  block  |  start of a block  |
//!   checksums          by what changes     of what is written, anew     by what changes
//!                                          side by side
//! ```
#![forbid(unsafe_code)]

use core::ops::Range;
use core::sync::atomic::{Ordering, fence};

use super::IntegrityError;
use super::checksum::{self, Distance, WORD};
use super::run::In;
use super::table::Records;
use super::view::View;
use super::words::{Span, words_of};

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

impl View<'_> {
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
        let unit = S::AT_A_TIME;
        if range.start / unit == (range.end - 1) / unit {
            return self.write_piece(range, source.bytes(range), manner);
        }
        let covered = self.blocks.covered(range);
        let in_pieces = manner.checked && unit < self.blocks.block_size();
        if in_pieces {
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
            let bytes = source.bytes(&piece);
            let stored = if in_pieces && covered.contains(&piece.start) {
                self.rewrite_piece(&piece, bytes, manner)
            } else {
                self.write_piece(&piece, bytes, manner)
            };
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

    /// Writes what can be had at a time.
    #[inline]
    fn write_piece(
        &self,
        piece: &Range<usize>,
        bytes: &[u8],
        manner: Manner,
    ) -> Result<(), IntegrityError> {
        if !manner.checked {
            Span::new(piece).store(self.data, bytes);
        } else if self.blocks.is_part(piece) {
            self.store_part(piece, bytes)?;
        } else {
            self.store_parts(piece, bytes)?;
        }
        self.follow(piece, bytes, manner)
    }

    /// Writes a piece of a block that is written as a whole, and whose checksum was set to that of
    /// zeros: what changes is what is written.
    fn rewrite_piece(
        &self,
        piece: &Range<usize>,
        bytes: &[u8],
        manner: Manner,
    ) -> Result<(), IntegrityError> {
        let block = self.blocks.block(piece.start >> self.blocks.shift());
        let change = Span::new(piece).store_and_sum(0, self.data, bytes);
        let after = Distance::new(block.bytes.end - piece.end);
        self.entry(&block)?.change(after.shift(change));
        self.follow(piece, bytes, manner)
    }

    /// Stores a range that touches one block.
    #[inline]
    fn store_part(&self, part: &Range<usize>, bytes: &[u8]) -> Result<(), IntegrityError> {
        let block = self.blocks.block(part.start >> self.blocks.shift());
        let entry = self.entry(&block)?;
        let after = Distance::new(block.bytes.end - part.end.next_multiple_of(WORD));
        let change = Span::new(part).store_and_sum_change(self.data, bytes);
        entry.change(after.shift(change));
        Ok(())
    }

    /// Stores a range: what touches blocks in part by what changes, whole blocks side by side.
    fn store_parts(&self, range: &Range<usize>, bytes: &[u8]) -> Result<(), IntegrityError> {
        let (head, covered, tail) = self.blocks.parts(range);
        let (of_head, rest) = bytes.split_at(head.len());
        let (of_covered, of_tail) = rest.split_at(covered.len());
        if !head.is_empty() {
            self.store_part(&head, of_head)?;
        }
        self.store_blocks(&covered, of_covered)?;
        if !tail.is_empty() {
            self.store_part(&tail, of_tail)?;
        }
        Ok(())
    }

    /// Stores whole blocks.
    fn store_blocks(&self, covered: &Range<usize>, bytes: &[u8]) -> Result<(), IntegrityError> {
        let mut entries = self.entries_of(self.blocks.touched(covered))?;
        let source = bytes.as_chunks().0;
        let to = &self.data[words_of(covered)];
        let words = self.blocks.block_size() / WORD;
        checksum::sum_blocks(In { source, to }, words, |sum| {
            if let Some((number, entry)) = entries.next() {
                entry.set(number, Records::of(sum));
            }
        });
        Ok(())
    }

    /// What follows a store: the second copy, and a look at what was stored.
    #[inline]
    fn follow(
        &self,
        piece: &Range<usize>,
        bytes: &[u8],
        manner: Manner,
    ) -> Result<(), IntegrityError> {
        if let Some(mirror) = self.mirror.filter(|_| manner.checked) {
            Span::new(piece).store(mirror, bytes);
        }
        if manner.read_back {
            // Not before the stores are visible to others.
            fence(Ordering::SeqCst);
            let difference = Span::new(piece).first_difference(self.data, bytes);
            if let Some((index, written, found)) = difference {
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
