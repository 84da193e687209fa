//! A test of the detectors: damage is done on purpose, must be found by its name, and is taken back.
//!
//! What watches for damage can itself be broken, and nothing would tell: a comparison that always
//! agrees looks like a memory that is always sound. So the detectors of what only the inside can
//! reach can be tried, when the program starts or as often as its safety case asks.
#![forbid(unsafe_code)]

use core::hint::black_box;

use super::blocks::BLOCKS_RECORDS;
use super::{AtomicMemoryOps, BookkeepingRecord, ChecksumTable, IntegrityError};
use crate::{Provider, VerificationLevel};

impl<P: Provider, T: ChecksumTable> AtomicMemoryOps<P, T> {
    /// Flips every bit of both copies of the bookkeeping, of the word that holds the level, and of
    /// both records of the first block's checksum, one at a time; checks each time that the damage
    /// is found and named correctly; puts it back. Answers how many flips there were. The data is
    /// not touched. Needs the memory exclusively.
    ///
    /// Cost: constant for the bookkeeping; 64 times the first block for its records, which are left
    /// out at [`Off`](VerificationLevel::Off) and if the memory is empty.
    ///
    /// # Errors
    /// Damage that was there before; [`IntegrityError::DetectorFailed`] if a flip was not found, or
    /// taken for something else.
    ///
    /// ```
    /// use wasm_arena::{AtomicMemoryExt, LinearMemory, QnxAllocatorBuilder};
    ///
    /// let memory = LinearMemory::new(QnxAllocatorBuilder::new().build()?, 1, None)?;
    /// let mut ops = memory.into_atomic_ops()?;
    /// let bits = usize::BITS as usize;
    /// assert_eq!(ops.self_test()?, 4 * 2 * bits + 32 + 64);
    /// ops.verify_integrity()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn self_test(&mut self) -> Result<usize, IntegrityError> {
        let level = self.level.get()?;
        self.compare_books()?;
        let mut flips = 0;
        for (index, expected) in BLOCKS_RECORDS.into_iter().enumerate() {
            for second in [false, true] {
                for bit in 0..usize::BITS {
                    self.blocks.flip(index, bit, second);
                    // Compared as it lies in memory: a comparison that the compiler foresees shows
                    // nothing.
                    let found = black_box(&mut *self).compare_books();
                    self.blocks.flip(index, bit, second);
                    named(found, expected, bit)?;
                    flips += 1;
                }
            }
        }
        for bit in 0..u32::BITS {
            self.level.flip(bit);
            let found = self.level.get().map(drop);
            self.level.flip(bit);
            named(found, BookkeepingRecord::Level, bit)?;
            flips += 1;
        }
        if level != VerificationLevel::Off && self.size() > 0 {
            flips += self.test_first_entry()?;
        }
        Ok(flips)
    }

    fn test_first_entry(&self) -> Result<usize, IntegrityError> {
        let view = self.view();
        let block = self.blocks.block(0);
        view.check(&block, true)?;
        let entry = view.entry(&block)?;
        for second in [false, true] {
            for bit in 0..u32::BITS {
                entry.flip(bit, second);
                let found = view.check(&block, true);
                entry.flip(bit, second);
                if !matches!(found, Err(IntegrityError::ChecksumDamaged { block: 0, .. })) {
                    return Err(IntegrityError::DetectorFailed {
                        record: BookkeepingRecord::Checksum,
                        bit,
                    });
                }
            }
        }
        Ok(2 * u32::BITS as usize)
    }
}

/// Whether damage of one record was found and called by its name.
fn named(
    found: Result<(), IntegrityError>,
    expected: BookkeepingRecord,
    bit: u32,
) -> Result<(), IntegrityError> {
    match found {
        Err(IntegrityError::BookkeepingDamaged { record, .. }) if record == expected => Ok(()),
        _ => Err(IntegrityError::DetectorFailed {
            record: expected,
            bit,
        }),
    }
}
