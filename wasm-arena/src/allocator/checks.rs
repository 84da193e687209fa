//! What the verification levels check.
#![forbid(unsafe_code)]

use os::PageSource;

use super::Allocator;
use crate::{AllocError, ArenaSystem, ArenasRef, VerificationLevel};

/// At [`VerificationLevel::Sampling`], one operation in so many is checked.
const SAMPLING_INTERVAL: u32 = 16;

impl<R: ArenasRef> Allocator<R> {
    /// Checks the bookkeeping and the guards now, whatever the level. Up to four system calls.
    ///
    /// # Errors
    /// [`AllocError::BookkeepingDamaged`] or [`AllocError::GuardDamaged`].
    pub fn verify(&self) -> Result<(), AllocError> {
        self.check_books(true)?;
        self.probe_guards()
    }

    /// The checks that come with every operation, as far as the level asks for them.
    pub(super) fn check_operation(&mut self) -> Result<(), AllocError> {
        self.operations = self.operations.wrapping_add(1);
        match self.options.verification_level {
            VerificationLevel::Off => Ok(()),
            VerificationLevel::Sampling if !self.operations.is_multiple_of(SAMPLING_INTERVAL) => {
                Ok(())
            }
            level => self.check_books(level >= VerificationLevel::Critical),
        }
    }

    /// The checks of the guards at growth and release, as far as the level asks for them.
    pub(super) fn check_guards(&self) -> Result<(), AllocError> {
        if self.options.verification_level >= VerificationLevel::Full {
            self.probe_guards()
        } else {
            Ok(())
        }
    }

    fn check_books(&self, compare_copies: bool) -> Result<(), AllocError> {
        let Some(live) = &self.live else {
            return Ok(());
        };
        let region = live.held.region();
        let consistent = live.books.consistent_with(
            region.base().addr().get(),
            region.accessible(),
            region.layout().capacity(),
        );
        if !consistent || (compare_copies && !live.books.copies_agree()) {
            return Err(AllocError::BookkeepingDamaged);
        }
        Ok(())
    }

    /// Asks whether the first and the last byte of each guard, and the first of the room, can be
    /// read. Does nothing where the source cannot tell, where guards may be read, or while sealed.
    fn probe_guards(&self) -> Result<(), AllocError> {
        let Some(live) = &self.live else {
            return Ok(());
        };
        let source = self.arenas().system().source();
        let facts = source.facts();
        if !facts.can_probe || !facts.can_protect || self.permit(os::OsCall::Probe).is_err() {
            return Ok(());
        }
        let region = live.held.region();
        let layout = region.layout();
        let base = region.base().addr().get();
        let after = base + layout.capacity();
        let guards_hidden = !layout.guards_readable();
        let bytes = [
            (
                guards_hidden && layout.guard_before() > 0,
                region.start().addr().get(),
            ),
            (guards_hidden && layout.guard_before() > 0, base - 1),
            (
                region.accessible() < layout.capacity(),
                base + region.accessible(),
            ),
            (guards_hidden && layout.guard_after() > 0, after),
            (
                guards_hidden && layout.guard_after() > 0,
                after + layout.guard_after() - 1,
            ),
        ];
        for (exists, address) in bytes {
            if exists && source.probe(address)? {
                return Err(AllocError::GuardDamaged { address });
            }
        }
        Ok(())
    }
}
