//! What the verification levels check.

use os::PageSource;

use super::books::Entry;
use super::{Allocator, Live};
use crate::arenas::HeldRegion;
use crate::protection_map::ProtectionMap;
use crate::zeros::ensure_zero;
use crate::{AllocError, ArenaSystem, ArenasRef, VerificationLevel};

/// At [`VerificationLevel::Sampling`], one operation in so many is checked.
const SAMPLING_INTERVAL: u32 = 16;

impl<R: ArenasRef> Allocator<R> {
    /// Checks the bookkeeping, the guards, and that what lies above the memory's greatest size is
    /// zero, now, whatever the level. Up to five system calls, and a look at every accessible byte
    /// above that size.
    ///
    /// # Errors
    /// [`AllocError::BookkeepingDamaged`], [`AllocError::GuardDamaged`] or
    /// [`AllocError::ContentsDamaged`].
    pub fn verify(&self) -> Result<(), AllocError> {
        self.check_books(true)?;
        if let Some(live) = &self.live
            && !live.held.region().is_guarded()
        {
            let address = live.held.region().start().addr().get();
            return Err(AllocError::GuardDamaged { address });
        }
        self.probe_guards()?;
        self.live
            .as_ref()
            .map_or(Ok(()), |live| self.check_room(live))
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

    /// The checks of guards and contents at growth and release, as far as the level asks for them.
    pub(super) fn check_region(&self) -> Result<(), AllocError> {
        let level = self.options.verification_level;
        if level >= VerificationLevel::Full {
            self.probe_guards()?;
        }
        match &self.live {
            Some(live) if level >= VerificationLevel::Critical => self.check_room(live),
            _ => Ok(()),
        }
    }

    /// What an allocator knows of contents: everything from the high-water mark to the end of what
    /// is accessible is zero (invariant 1 of `Live`). Pages that cannot be read are passed over.
    fn check_room(&self, live: &Live) -> Result<(), AllocError> {
        let from = live.books.get(Entry::HighWater);
        self.check_zeros(&live.held, &self.protections, from)
    }

    /// The check of a region that was used before, when it is handed out, as far as the level asks
    /// for it: it is all zero. Its accessible bytes can be read and written.
    pub(super) fn check_reused(&self, held: &HeldRegion) -> Result<(), AllocError> {
        if held.is_reused() && self.options.verification_level >= VerificationLevel::Critical {
            let plain = ProtectionMap::new(os::Protection::ReadWrite);
            self.check_zeros(held, &plain, 0)
        } else {
            Ok(())
        }
    }

    fn check_zeros(
        &self,
        held: &HeldRegion,
        protections: &ProtectionMap,
        from: usize,
    ) -> Result<(), AllocError> {
        let region = held.region();
        let page = self.arenas().system().facts().pages.page_size.get();
        let mut position = from;
        while position < region.accessible() {
            let rest = position..region.accessible();
            let refusal =
                protections.first_refusal(rest.clone(), |protection| protection.can_read());
            let readable = position..refusal.unwrap_or(rest.end);
            position = refusal.map_or(rest.end, |at| (at / page + 1) * page);
            // SAFETY: accessible bytes of our own region, readable as the map says (invariant 1 of
            // `Live`), initialised because they were zeroed, and above the data: a guest has no way
            // to write them, or none yet.
            unsafe { ensure_zero(region.base(), readable)? };
        }
        Ok(())
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
    use core::ptr::NonNull;

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

    /// An allocator at `Critical` whose room is open, so that stray writes can reach it.
    fn open_room() -> QnxArenaAllocatorBuilder {
        QnxArenaAllocatorBuilder::new()
            .with_verification_level(VerificationLevel::Critical)
            .with_growth_room(crate::GrowthRoom::Bytes(2 * 65_536))
            .with_room_access(crate::RoomAccess::Open)
    }

    /// Flips a bit at `offset` from the base, as a stray write or a radiated cell would.
    fn flip(base: NonNull<u8>, offset: usize) {
        // SAFETY: callers stay within what is accessible.
        let byte = unsafe { base.add(offset) };
        // SAFETY: as above; nobody else looks meanwhile.
        unsafe { *byte.as_ptr() ^= 4 };
    }

    #[test]
    fn critical_finds_what_nobody_wrote_above_the_size() {
        for offset in [65_536, 65_537, 100_000, 3 * 65_536 - 1] {
            let mut allocator = open_room().build().unwrap();
            let (base, _) = allocator.allocate(1, Some(3)).unwrap();
            allocator.verify().unwrap();
            flip(base, offset);
            let damage = AllocError::ContentsDamaged {
                offset,
                address: base.addr().get() + offset,
                found: 4,
            };
            assert_eq!(allocator.verify(), Err(damage));
            assert_eq!(allocator.grow(1, 1), Err(damage));
            assert_eq!(allocator.size(), 65_536, "nothing was changed");
            assert_eq!(allocator.reset(), Err(damage));
            // Below that level it is not looked for; a guest that grows sees it.
            allocator.set_verification_level(VerificationLevel::Full);
            allocator.grow_bytes(0).unwrap();
            allocator.set_verification_level(VerificationLevel::Critical);
            // Put right, all goes on.
            flip(base, offset);
            allocator.grow(1, 1).unwrap();
            allocator.grow(2, 1).unwrap();
            // What was once data may hold anything.
            flip(base, offset);
            allocator.reset().unwrap();
            flip(base, offset);
            assert_eq!(allocator.free(), Err(damage));
            assert_eq!(allocator.base(), None, "the memory is gone all the same");
            let lost = allocator.arenas().statistics().unreturned;
            assert_eq!(lost.regions, 1, "and its region taken out of use");
        }
    }

    #[test]
    fn critical_hands_out_no_region_that_is_not_zero() {
        let builder = open_room();
        let arenas = builder.build_arenas().unwrap();
        let mut first = builder.clone().build_in(&arenas).unwrap();
        let (base, _) = first.allocate(1, Some(3)).unwrap();
        first.free().unwrap();
        // While it is kept; below the high-water mark it would be zeroed.
        flip(base, 2 * 65_536 + 8);
        let damage = AllocError::ContentsDamaged {
            offset: 2 * 65_536 + 8,
            address: base.addr().get() + 2 * 65_536 + 8,
            found: 4,
        };
        assert_eq!(first.allocate(1, Some(3)), Err(damage));
        assert_eq!(arenas.statistics().unreturned.regions, 1);
        assert_eq!(arenas.statistics().live_memories, 0);
        // The next one is another.
        let (other, _) = first.allocate(1, Some(3)).unwrap();
        assert_ne!(other, base);
        first.free().unwrap();
    }

    #[test]
    fn pages_that_cannot_be_read_are_passed_over() {
        let mut allocator = open_room()
            .with_data_protection(Protection::None)
            .build()
            .unwrap();
        allocator.allocate(1, Some(3)).unwrap();
        allocator.protect(0, 4096, Protection::Read).unwrap();
        allocator.verify().unwrap();
        allocator.grow(1, 1).unwrap();
        allocator.free().unwrap();
    }
}
