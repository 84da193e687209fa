//! Growth of a checked memory: checksums follow without a look at the data.
//!
//! New bytes are zero, and the checksum of zeros is known. If the table has too few entries for the
//! new size, blocks are joined in pairs: the checksum of a pair follows from those of its parts. So
//! growing reads nothing, and damage that was there is found afterwards as before.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use super::blocks::Blocks;
use super::checksum::{self, WORD};
use super::table::Records;
use super::{AtomicMemoryOps, ChecksumEntry, ChecksumTable, IntegrityError, place_of};
use crate::{Provider, VerificationLevel, bytes_to_pages};

impl<P: Provider, T: ChecksumTable> AtomicMemoryOps<P, T> {
    /// Grows by `additional_pages` Wasm pages and returns the previous size in pages. Needs the
    /// memory exclusively. Besides what the provider does, one step for each block; at
    /// [`Critical`](VerificationLevel::Critical) the whole memory is verified before.
    ///
    /// # Errors
    /// [`IntegrityError::Growth`], or damage of the bookkeeping (at `Critical`, of anything): the
    /// memory is as it was. If the provider, against its promise, moves to a place that cannot be
    /// checked, that is the error, and the size is 0 from then on.
    pub fn grow(&mut self, additional_pages: u32) -> Result<u32, IntegrityError> {
        let level = self.level.get()?;
        self.compare_books()?;
        if level >= VerificationLevel::Critical {
            self.verify_integrity()?;
        }
        let old_size = self.size();
        let grown = self.provider.grow(additional_pages);
        // Whether or not it grew: see promise 3 of `Provider`.
        let place = place_of(&self.provider);
        let (base, mirror, size) = match place {
            Ok(place) => place,
            Err(error) => {
                self.blocks = Blocks::with_shift(
                    self.blocks.base(),
                    0,
                    self.mirror.map(|mirror| mirror.addr().get()),
                    self.shift(),
                );
                return Err(error);
            }
        };
        (self.base, self.mirror) = (base, mirror);
        let entries = self.table.entries();
        let at = |size: usize, shift: u32| {
            let mirror = mirror.map(|mirror| mirror.addr().get());
            Blocks::with_shift(base.addr().get(), size, mirror, shift)
        };
        let mut shift = self.shift();
        while size.div_ceil(1 << shift) > entries.len() {
            if level != VerificationLevel::Off {
                join_pairs(entries, &at(old_size, shift), &at(old_size, shift + 1));
            }
            shift += 1;
        }
        self.blocks = at(size, shift);
        if level != VerificationLevel::Off {
            append_zeros(entries, old_size, &self.blocks);
            let added = self.mirror().into_iter().flatten().skip(old_size / WORD);
            added.for_each(|word| word.store(0, Ordering::Relaxed));
        }
        grown?;
        Ok(bytes_to_pages(old_size))
    }

    fn shift(&self) -> u32 {
        self.block_size().trailing_zeros()
    }
}

/// Turns the entries of `old` into those of `new`, whose blocks are twice as large.
fn join_pairs(entries: &[ChecksumEntry], old: &Blocks, new: &Blocks) {
    for number in 0..new.count() {
        let (left, right) = (2 * number, 2 * number + 1);
        let mut joined = entries[left].get(left);
        if right < old.count() {
            let len = old.block(right).bytes.len();
            let second = entries[right].get(right);
            joined = Records {
                first: checksum::join(joined.first, second.first, len),
                second: checksum::join(joined.second, second.second, len),
            };
        }
        // The entry's new place is not above its old one, so nothing is overwritten unread.
        entries[number].set(number, joined);
    }
}

/// Extends the entries of a memory of `old_size` bytes to those of `blocks`, which adds zeros.
fn append_zeros(entries: &[ChecksumEntry], old_size: usize, blocks: &Blocks) {
    let first = old_size >> blocks.shift();
    let touched = entries.iter().enumerate().take(blocks.count());
    for (number, entry) in touched.skip(first) {
        let block = blocks.block(number);
        let added = block.bytes.end - block.bytes.start.max(old_size);
        let zeros = checksum::of_zeros(added);
        let records = if added < block.bytes.len() {
            let old = entry.get(number);
            Records {
                first: checksum::join(old.first, zeros, added),
                second: checksum::join(old.second, zeros, added),
            }
        } else {
            Records {
                first: zeros,
                second: zeros,
            }
        };
        entry.set(number, records);
    }
}
