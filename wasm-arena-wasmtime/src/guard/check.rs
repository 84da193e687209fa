//! Comparing a guest's memory with what was sealed, and putting it right.
#![forbid(unsafe_code)]

use wasm_arena::{IntegrityError, ScrubReport, VerificationLevel};
use wasmtime::{AsContext, AsContextMut, StoreContextMut};

use super::{GuardError, MemoryGuard};

/// At [`VerificationLevel::Sampling`], one block in so many is verified each time.
const SAMPLING_INTERVAL: usize = 16;

impl MemoryGuard {
    /// Compares the memory with what was sealed, as far as the level asks. Changes nothing.
    ///
    /// # Errors
    /// [`GuardError::NotSealed`], or the first damage found, as [`GuardError::Integrity`].
    pub fn verify(&mut self, store: impl AsContext) -> Result<(), GuardError> {
        let Some((first, step)) = self.enter()? else {
            return Ok(());
        };
        let contents = self.memory.data(&store);
        let mirror = self.mirror.as_deref();
        let mirror = mirror.filter(|_| self.level >= VerificationLevel::Full);
        self.statistics.verifications += 1;
        // Also where no block is looked at.
        self.checksums.verify_block(contents, usize::MAX)?;
        for number in (first..self.checksums.block_count()).step_by(step) {
            self.statistics.blocks_verified += 1;
            let found = self.checksums.verify_block(contents, number);
            let found = found.and_then(|()| {
                mirror.map_or(Ok(()), |mirror| {
                    self.checksums.compare_block(contents, mirror, number)
                })
            });
            if let Err(damage) = found {
                self.statistics.damages += 1;
                return Err(damage.into());
            }
        }
        Ok(())
    }

    /// As [`verify`](Self::verify), and repairs what can be repaired. Looks at every block it is to
    /// look at, whatever is wrong with those before.
    ///
    /// # Errors
    /// [`GuardError::NotSealed`], or the first damage that could not be repaired.
    pub fn mend(&mut self, mut store: impl AsContextMut) -> Result<ScrubReport, GuardError> {
        let Some((first, step)) = self.enter()? else {
            return Ok(ScrubReport::default());
        };
        let contents = self.memory.data_mut(&mut store);
        self.statistics.verifications += 1;
        self.checksums.verify_block(contents, usize::MAX)?;
        let mut report = ScrubReport::default();
        let mut left = None;
        let compares = self.level >= VerificationLevel::Full;
        for number in (first..self.checksums.block_count()).step_by(step) {
            if !compares && self.checksums.verify_block(contents, number).is_ok() {
                report.blocks_checked += 1;
                self.statistics.blocks_verified += 1;
                continue;
            }
            if let Some(damage) = self.mend_block(contents, number, &mut report)?
                && !damage.is_repaired()
            {
                left.get_or_insert(damage);
            }
        }
        report.completed_pass = true;
        left.map_or(Ok(report), |damage| Err(damage.into()))
    }

    /// Verifies and repairs up to `budget_in_blocks` blocks from where the last call ended, so that
    /// a cyclic task comes round to the whole memory within its deadlines. Damage that cannot be
    /// repaired is reported and passed over. A pass that is interrupted by a seal goes on after it.
    ///
    /// # Errors
    /// [`GuardError::NotSealed`], [`IntegrityError::SizeChanged`], or damage of the bookkeeping.
    ///
    /// ```
    /// # use wasm_arena_wasmtime::MemoryGuard;
    /// # use wasmtime::{Engine, Memory, MemoryType, Store};
    /// # fn main() -> wasmtime::Result<()> {
    /// # let mut store = Store::new(&Engine::default(), ());
    /// # let memory = Memory::new(&mut store, MemoryType::new(4, None))?;
    /// let mut guard = MemoryGuard::new(memory);
    /// guard.seal(&store)?;
    /// let mut calls = 1;
    /// while !guard.scrub(&mut store, 10)?.completed_pass {
    ///     calls += 1;
    /// }
    /// assert_eq!(calls, guard.block_count().div_ceil(10));
    /// # Ok(())
    /// # }
    /// ```
    pub fn scrub(
        &mut self,
        mut store: impl AsContextMut,
        budget_in_blocks: usize,
    ) -> Result<ScrubReport, GuardError> {
        let mut report = ScrubReport::default();
        if self.level == VerificationLevel::Off {
            return Ok(report);
        }
        self.check_sealed()?;
        self.checksums.compare_bookkeeping()?;
        let contents = self.memory.data_mut(&mut store);
        self.checksums.verify_block(contents, usize::MAX)?;
        let blocks = self.checksums.block_count();
        report.completed_pass = blocks == 0;
        for _ in 0..budget_in_blocks.min(blocks) {
            let number = self.scrub_position % blocks;
            self.mend_block(contents, number, &mut report)?;
            self.scrub_position = (number + 1) % blocks;
            report.completed_pass |= self.scrub_position == 0;
        }
        Ok(report)
    }

    /// Verifies (with a second copy: [mends](Self::mend)), calls, and seals: also after a trap, and
    /// without a verification if nothing is sealed yet.
    ///
    /// # Errors
    /// A [`GuardError`], and then nothing was called; the error of the call; or a [`GuardError`] of
    /// the seal after a call that succeeded.
    pub fn call<T: 'static, R>(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        call: impl FnOnce(StoreContextMut<'_, T>) -> wasmtime::Result<R>,
    ) -> wasmtime::Result<R> {
        if self.is_sealed {
            self.check(&mut store)?;
        }
        let result = call(store.as_context_mut());
        let sealed = self.seal(&store);
        let value = result?;
        sealed?;
        Ok(value)
    }

    /// Verifies, or mends where there is something to mend from.
    pub(super) fn check(&mut self, store: impl AsContextMut) -> Result<(), GuardError> {
        if self.mirror.is_some() {
            self.mend(store).map(drop)
        } else {
            self.verify(store)
        }
    }

    /// The first block to verify and the distance to the next; `None` if the level asks for nothing.
    fn enter(&mut self) -> Result<Option<(usize, usize)>, GuardError> {
        match self.level {
            VerificationLevel::Off => return Ok(None),
            VerificationLevel::Critical => self.checksums.compare_bookkeeping()?,
            _ => {}
        }
        self.check_sealed()?;
        if self.level > VerificationLevel::Sampling {
            return Ok(Some((0, 1)));
        }
        let first = self.sample;
        self.sample = (first + 1) % SAMPLING_INTERVAL;
        Ok(Some((first, SAMPLING_INTERVAL)))
    }

    /// Mends one block, counts, and answers what was wrong.
    fn mend_block(
        &mut self,
        contents: &mut [u8],
        number: usize,
        report: &mut ScrubReport,
    ) -> Result<Option<IntegrityError>, GuardError> {
        let mirror = self.mirror.as_deref_mut();
        let found = self.checksums.mend_block(contents, mirror, number)?;
        report.blocks_checked += 1;
        self.statistics.blocks_verified += 1;
        if let Some(damage) = found {
            report.first_damage.get_or_insert(damage);
            self.statistics.damages += 1;
            if damage.is_repaired() {
                report.blocks_repaired += 1;
                self.statistics.repairs += 1;
            } else {
                report.blocks_damaged += 1;
            }
        }
        Ok(found)
    }
}
