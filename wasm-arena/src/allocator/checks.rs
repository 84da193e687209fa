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
        if let Some(live) = &self.live
            && !live.held.region().is_guarded()
        {
            let address = live.held.region().start().addr().get();
            return Err(AllocError::GuardDamaged { address });
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PageAllocator, Protection, QnxArenaAllocator, QnxArenaAllocatorBuilder};

    fn damaged(level: VerificationLevel, entry: usize, bit: u32, copy: bool) -> QnxArenaAllocator {
        let mut allocator = QnxArenaAllocatorBuilder::new()
            .with_verification_level(level)
            .build()
            .unwrap();
        allocator.allocate(2, Some(8)).unwrap();
        if let Some(live) = &mut allocator.live {
            live.books.flip(entry, bit, copy);
        }
        allocator
    }

    #[test]
    fn critical_finds_every_flipped_bit_at_every_operation() {
        for entry in 0..5 {
            for bit in 0..usize::BITS {
                for copy in [false, true] {
                    let mut allocator = damaged(VerificationLevel::Critical, entry, bit, copy);
                    let damage = Err(AllocError::BookkeepingDamaged);
                    assert_eq!(allocator.grow_bytes(65_536).map(drop), damage);
                    assert_eq!(allocator.protect(0, 4096, Protection::Read), damage);
                    assert_eq!(allocator.reset(), damage);
                    assert_eq!(allocator.verify(), damage);
                    assert_eq!(allocator.free(), damage);
                    assert_eq!(allocator.base(), None, "the memory is gone all the same");
                    let lost = allocator.arenas().statistics().unreturned;
                    assert_eq!(lost.regions, 1, "and its region taken out of use");
                }
            }
        }
    }

    #[test]
    fn standard_finds_numbers_that_contradict_each_other() {
        // A size with a high bit set exceeds what is accessible, whatever the rest says.
        for level in [VerificationLevel::Standard, VerificationLevel::Full] {
            let mut allocator = damaged(level, 0, 40 % usize::BITS, false);
            assert_eq!(
                allocator.grow_bytes(1).map(drop),
                Err(AllocError::BookkeepingDamaged)
            );
        }
    }

    #[test]
    fn sampling_finds_it_within_sixteen_operations() {
        let mut allocator = damaged(VerificationLevel::Sampling, 4, 20, false);
        let found = (0..SAMPLING_INTERVAL)
            .filter(|_| allocator.grow_bytes(0).map(drop) == Err(AllocError::BookkeepingDamaged));
        assert_eq!(found.count(), 1);
    }

    #[test]
    fn levels_change_at_run_time() {
        let mut allocator = damaged(VerificationLevel::Off, 4, 20, true);
        allocator.grow_bytes(0).unwrap();
        allocator.set_verification_level(VerificationLevel::Critical);
        assert_eq!(
            allocator.grow_bytes(0).map(drop),
            Err(AllocError::BookkeepingDamaged)
        );
    }
}
