//! Reading: optimistic first, under the writers' lock if that does not work out.
#![forbid(unsafe_code)]

use core::hint::spin_loop;
use core::ops::Range;
use core::sync::atomic::Ordering;

use super::statistics::count;
use super::words::Span;
use super::{AtomicMemoryOps, ChecksumTable, IntegrityError};
use crate::{LittleEndian, Provider, VerificationLevel};

/// A reader tries this often before it waits for the writers' lock.
pub(super) const TRIES: usize = 16;

/// At [`VerificationLevel::Sampling`], one block in so many is checked.
const SAMPLING_INTERVAL: usize = 16;

impl<P: Provider, T: ChecksumTable> AtomicMemoryOps<P, T> {
    /// Copies bytes at `offset` out of the memory, all of one moment. Cost: the bytes, and the
    /// blocks they touch as far as the level has them checked.
    ///
    /// # Errors
    /// [`IntegrityError::OutOfRange`], or damage that could not be repaired: the target is then
    /// filled with zeros, so that damaged bytes go nowhere.
    pub fn atomic_read(&self, offset: usize, target: &mut [u8]) -> Result<(), IntegrityError> {
        let range = self.blocks.check(offset, target.len())?;
        let mut damage = None;
        for _ in 0..TRIES {
            match self.sequence.try_read(|| self.attempt(&range, target)) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => {
                    damage = Some(error);
                    break;
                }
                None => {
                    count(&self.counters.reads_repeated, 1);
                    spin_loop();
                }
            }
        }
        let result = self.read_under_lock(&range, target, damage);
        if result.is_err() {
            target.fill(0);
        }
        result
    }

    /// As [`atomic_read`](Self::atomic_read), but never waits: it neither takes the lock nor
    /// repairs.
    ///
    /// # Errors
    /// As there; and [`IntegrityError::Contended`] after sixteen lost tries.
    pub fn try_atomic_read(&self, offset: usize, target: &mut [u8]) -> Result<(), IntegrityError> {
        let range = self.blocks.check(offset, target.len())?;
        for _ in 0..TRIES {
            match self.sequence.try_read(|| self.attempt(&range, target)) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => {
                    self.counters.count_damage(&error);
                    target.fill(0);
                    return Err(error);
                }
                None => {
                    count(&self.counters.reads_repeated, 1);
                    spin_loop();
                }
            }
        }
        target.fill(0);
        Err(IntegrityError::Contended { tries: TRIES })
    }

    /// Reads a little-endian number at `offset`, which need not be aligned.
    ///
    /// # Errors
    /// As [`atomic_read`](Self::atomic_read).
    pub fn read_le<N: LittleEndian>(&self, offset: usize) -> Result<N, IntegrityError> {
        let mut bytes = N::Bytes::default();
        self.atomic_read(offset, bytes.as_mut())?;
        Ok(N::from_bytes(bytes))
    }

    /// Checks as the level asks, and copies. What it answers counts only if no writer came in
    /// between.
    #[inline]
    fn attempt(&self, range: &Range<usize>, target: &mut [u8]) -> Result<(), IntegrityError> {
        let level = self.enter()?;
        if range.is_empty() {
            return Ok(());
        }
        let view = self.view();
        match level {
            VerificationLevel::Off => {
                Span::new(range).load(view.data, target);
                Ok(())
            }
            VerificationLevel::Sampling => self.sample(range, target),
            _ => view.check_and_copy_all(range, target, level >= VerificationLevel::Full),
        }
    }

    /// Checks the blocks that are due, and copies.
    fn sample(&self, range: &Range<usize>, target: &mut [u8]) -> Result<(), IntegrityError> {
        let view = self.view();
        for number in self.blocks.touched(range) {
            let block = self.blocks.block(number);
            let part = range.start.max(block.bytes.start)..range.end.min(block.bytes.end);
            let place = &mut target[part.start - range.start..part.end - range.start];
            if self.is_due(VerificationLevel::Sampling) {
                view.check_and_copy(&part, place, false)?;
            } else {
                Span::new(&part).load(view.data, place);
            }
        }
        Ok(())
    }

    /// Whether the level wants the next block checked.
    #[inline]
    pub(super) fn is_due(&self, level: VerificationLevel) -> bool {
        match level {
            VerificationLevel::Off => false,
            VerificationLevel::Sampling => self
                .samples
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(SAMPLING_INTERVAL),
            _ => true,
        }
    }

    #[cold]
    fn read_under_lock(
        &self,
        range: &Range<usize>,
        target: &mut [u8],
        mut damage: Option<IntegrityError>,
    ) -> Result<(), IntegrityError> {
        count(&self.counters.reads_under_lock, 1);
        let mut found = self.writers.lock();
        // Each round repairs one block, or fails. What was found before the lock was taken is not
        // left to a second look, which a sampling level might not take.
        for _ in 0..=self.blocks.touched(range).len() {
            if let Some(error) = damage {
                self.mend_or_fail(&mut found, error)?;
            }
            match self.attempt(range, target) {
                Ok(()) => return Ok(()),
                Err(error) => damage = Some(error),
            }
        }
        damage.map_or(Ok(()), Err)
    }
}
