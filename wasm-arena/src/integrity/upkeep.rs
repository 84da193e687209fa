//! What keeps a memory sound: verifying, scrubbing, repairing, taking checksums anew, and choosing
//! how much is checked.
#![forbid(unsafe_code)]

use core::hint::spin_loop;
use core::sync::atomic::Ordering;

use super::blocks::Block;
use super::lock::WriterGuard;
use super::read::TRIES;
use super::statistics::{count, count_alone};
use super::{AtomicMemoryOps, ChecksumTable, Found, IntegrityError};
use crate::{Provider, VerificationLevel};

/// What one call of [`AtomicMemoryOps::scrub`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScrubReport {
    /// Blocks that were checked.
    pub blocks_checked: usize,
    /// Of these, how many were damaged and put right.
    pub blocks_repaired: usize,
    /// Of these, how many are damaged still.
    pub blocks_damaged: usize,
    /// The end of the memory was reached: the next call starts over.
    pub completed_pass: bool,
    /// The first damage found, repaired or not.
    pub first_damage: Option<IntegrityError>,
}

impl<P: Provider, T: ChecksumTable> AtomicMemoryOps<P, T> {
    /// How much is checked.
    ///
    /// # Errors
    /// [`IntegrityError::BookkeepingDamaged`] if the record of the level is damaged; set it anew.
    pub fn verification_level(&self) -> Result<VerificationLevel, IntegrityError> {
        self.level.get()
    }

    /// Changes how much is checked, from the next operation on. Leaving
    /// [`Off`](VerificationLevel::Off) takes all checksums (and the second copy) anew, which costs
    /// the whole memory once, with writers and readers waiting.
    pub fn set_verification_level(&self, level: VerificationLevel) {
        let _alone = self.writers.lock();
        let stale = self.level.get() == Ok(VerificationLevel::Off);
        // Inside the sequence, so that a reader who saw the old level reads again.
        self.sequence.write(|| {
            if stale && level != VerificationLevel::Off {
                // The table was large enough before; one that shrank fails every check from now on.
                let _noticed_later = self.view().take_anew(0..self.blocks.count());
            }
            self.level.set(level);
        });
    }

    /// Checks the blocks that a range touches, both records of their checksums, the second copy and
    /// the bookkeeping. Repairs nothing. Never holds up a writer longer than one block takes.
    ///
    /// # Errors
    /// The first damage found; [`IntegrityError::OutOfRange`]; [`IntegrityError::NotVerifying`] at
    /// the level [`Off`](VerificationLevel::Off).
    pub fn verify_range(&self, offset: usize, len: usize) -> Result<(), IntegrityError> {
        self.compare_books()?;
        let range = self.blocks.check(offset, len)?;
        for number in self.blocks.touched(&range) {
            let result = self.look_at(&self.blocks.block(number))?;
            if let Err(damage) = result {
                self.counters.count_damage(&damage);
                return Err(damage);
            }
        }
        Ok(())
    }

    /// As [`verify_range`](Self::verify_range), for the whole memory.
    ///
    /// # Errors
    /// As there.
    pub fn verify_integrity(&self) -> Result<(), IntegrityError> {
        self.checked_level()?;
        self.verify_range(0, self.size())
    }

    /// Checks up to `budget_in_blocks` blocks from where the last call ended, both records of their
    /// checksums and the second copy, and repairs what can be repaired. Damage that cannot be
    /// repaired is reported and passed over, so that a cyclic task comes round to every block.
    /// Several threads may scrub at once; they share the work.
    ///
    /// # Errors
    /// [`IntegrityError::NotVerifying`] at the level [`Off`](VerificationLevel::Off), or damage of
    /// the bookkeeping.
    ///
    /// ```
    /// use wasm_arena::{AtomicMemoryExt, LinearMemory, QnxAllocatorBuilder};
    ///
    /// let memory = LinearMemory::new(QnxAllocatorBuilder::new().build()?, 1, None)?;
    /// let ops = memory.into_atomic_ops()?;
    /// // A cyclic task: 64 blocks each time.
    /// let calls = (0..).take_while(|_| !ops.scrub(64).unwrap().completed_pass).count() + 1;
    /// assert_eq!(calls, ops.block_count() / 64);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scrub(&self, budget_in_blocks: usize) -> Result<ScrubReport, IntegrityError> {
        self.compare_books()?;
        self.checked_level()?;
        let count_of_blocks = self.blocks.count();
        let mut report = ScrubReport::default();
        if count_of_blocks == 0 {
            report.completed_pass = true;
        }
        for _ in 0..budget_in_blocks.min(count_of_blocks) {
            let number = self.take_turn(count_of_blocks);
            let block = self.blocks.block(number);
            report.blocks_checked += 1;
            let mut found = None;
            if self.look_at(&block)?.is_err() {
                let mut guard = self.writers.lock();
                found = self.mend_block(&mut guard, &block)?;
            }
            if let Some((damage, repaired)) = found {
                report.first_damage.get_or_insert(damage);
                if repaired {
                    report.blocks_repaired += 1;
                } else {
                    report.blocks_damaged += 1;
                }
            }
            if number + 1 == count_of_blocks {
                report.completed_pass = true;
                count(&self.counters.scrub_passes, 1);
            }
        }
        count(&self.counters.blocks_scrubbed, report.blocks_checked);
        Ok(report)
    }

    /// Takes the checksums of the blocks that a range touches anew, from what they hold, and copies
    /// them to the mirror: for bytes that a guest changed without these operations. What else is
    /// wrong with these blocks is blessed with it.
    ///
    /// # Errors
    /// [`IntegrityError::OutOfRange`]; [`IntegrityError::NotVerifying`] at the level
    /// [`Off`](VerificationLevel::Off); damage of the bookkeeping, at
    /// [`Critical`](VerificationLevel::Critical).
    pub fn resync(&self, offset: usize, len: usize) -> Result<(), IntegrityError> {
        let range = self.blocks.check(offset, len)?;
        let _alone = self.writers.lock();
        self.enter()?;
        self.checked_level()?;
        let blocks = self.blocks.touched(&range);
        count_alone(&self.counters.blocks_resynced, blocks.len());
        self.sequence.write(|| self.view().take_anew(blocks))
    }

    /// The next block to scrub.
    fn take_turn(&self, count_of_blocks: usize) -> usize {
        let next = |position: usize| {
            let following = position.wrapping_add(1);
            Some(if following < count_of_blocks {
                following
            } else {
                0
            })
        };
        let taken = self
            .scrub_position
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        // The closure never refuses. After a damaged or outdated position, start over.
        let (Ok(position) | Err(position)) = taken;
        if position < count_of_blocks {
            position
        } else {
            0
        }
    }

    /// The level, unless there are no checksums.
    pub(super) fn checked_level(&self) -> Result<VerificationLevel, IntegrityError> {
        match self.level.get()? {
            VerificationLevel::Off => Err(IntegrityError::NotVerifying),
            level => Ok(level),
        }
    }

    /// Checks a block thoroughly, at one moment; waits for the writers' lock only if writers come
    /// in between too often. The outer result says that it could not be checked.
    fn look_at(&self, block: &Block) -> Result<Result<(), IntegrityError>, IntegrityError> {
        let look = || {
            self.checked_level()?;
            Ok(self.view().check_all(block))
        };
        for _ in 0..TRIES {
            if let Some(result) = self.sequence.try_read(look) {
                return result;
            }
            count(&self.counters.reads_repeated, 1);
            spin_loop();
        }
        let _alone = self.writers.lock();
        count(&self.counters.reads_under_lock, 1);
        look()
    }

    /// Repairs a block, counts and remembers what was wrong with it. Answers the first thing that
    /// was, and whether all of it was put right.
    fn mend_block(
        &self,
        guard: &mut WriterGuard<'_, Found>,
        block: &Block,
    ) -> Result<Option<(IntegrityError, bool)>, IntegrityError> {
        let mut first = None;
        // Two things can be wrong: a record or the data, and then the second copy.
        for _ in 0..2 {
            let mended = self.sequence.write(|| self.view().mend(block))?;
            let Some(damage) = mended else {
                break;
            };
            self.note(guard, damage);
            let first = *first.get_or_insert(damage);
            if !damage.is_repaired() {
                return Ok(Some((first, false)));
            }
        }
        Ok(first.map(|damage| (damage, true)))
    }

    /// Repairs the block that an error names; an error stands if the block cannot be used, or if it
    /// is about something else.
    pub(super) fn mend_or_fail(
        &self,
        guard: &mut WriterGuard<'_, Found>,
        error: IntegrityError,
    ) -> Result<(), IntegrityError> {
        let (IntegrityError::BlockDamaged { block, .. }
        | IntegrityError::ChecksumDamaged { block, .. }) = error
        else {
            return Err(error);
        };
        let block = self.blocks.block(block);
        self.mend_block(guard, &block)?;
        self.view().check(&block, true)
    }

    /// Counts damage and remembers it as the last.
    pub(super) fn note(&self, guard: &mut WriterGuard<'_, Found>, damage: IntegrityError) {
        self.counters.count_damage(&damage);
        guard.last = Some(damage);
    }
}
