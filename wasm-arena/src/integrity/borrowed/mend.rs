//! Repair of borrowed contents from a second copy of them, and of the copy from them.
#![forbid(unsafe_code)]

use super::super::blocks::Block;
use super::super::remedy::{Remedy, remedy};
use super::super::table::Records;
use super::super::view::{damage, repaired};
use super::super::{ChecksumTable, IntegrityError};
use super::{BorrowedChecksums, sum};

impl<T: ChecksumTable> BorrowedChecksums<T> {
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
}
