//! The life of a memory: allocate, reset, free.

use core::ptr::NonNull;

use os::{OsCall, Protection};

use super::books::{Books, Entry};
use super::{Allocator, Live, plan};
use crate::arenas::HeldRegion;
use crate::options::{GuardSize, RoomAccess};
use crate::protection_map::ProtectionMap;
use crate::{
    AllocError, ArenaSystem, ArenasRef, BudgetCharge, MemoryId, MemoryStatistics, RegionLayout,
    RegionRequest, VerificationLevel,
};

impl<R: ArenasRef> Allocator<R> {
    /// Allocates a memory of `initial` bytes that may grow to `maximum` bytes, or without a limit
    /// of its own. Sizes need not be multiples of the Wasm page, nor of the host page: what lies
    /// between the size and the end of its host page is accessible and zero.
    ///
    /// In the steady state (a kept region fits) no system call, otherwise one to five.
    ///
    /// # Errors
    /// As [`PageAllocator::allocate`](crate::PageAllocator::allocate).
    pub fn allocate_bytes(
        &mut self,
        initial: usize,
        maximum: Option<usize>,
    ) -> Result<(NonNull<u8>, usize), AllocError> {
        self.check_request(initial, maximum)?;
        let free_room = self.arenas().system().facts().pages.reserves_for_free;
        let capacity = plan::capacity_at_allocation(&self.options, free_room, initial, maximum)?;
        self.allocate_region(initial, maximum, capacity)
    }

    /// As [`allocate_bytes`](Self::allocate_bytes), with room for exactly `capacity` bytes (rounded
    /// up to whole host pages), whatever the options say of room, and even beyond the maximum. For
    /// runtimes whose compiled code relies on so much address space behind the base.
    ///
    /// # Errors
    /// As there; a capacity below the initial size is [`AllocError::NoRoom`].
    pub fn allocate_with_capacity(
        &mut self,
        initial: usize,
        maximum: Option<usize>,
        capacity: usize,
    ) -> Result<(NonNull<u8>, usize), AllocError> {
        self.check_request(initial, maximum)?;
        if capacity < initial {
            return Err(AllocError::NoRoom {
                requested: initial,
                capacity,
            });
        }
        self.allocate_region(initial, maximum, capacity)
    }

    fn check_request(&self, initial: usize, maximum: Option<usize>) -> Result<(), AllocError> {
        if let Some(live) = &self.live {
            return Err(AllocError::AlreadyAllocated { size: live.size() });
        }
        match maximum {
            Some(maximum) if maximum < initial => {
                Err(AllocError::MaximumBelowInitial { initial, maximum })
            }
            _ => Ok(()),
        }
    }

    fn allocate_region(
        &mut self,
        initial: usize,
        maximum: Option<usize>,
        capacity: usize,
    ) -> Result<(NonNull<u8>, usize), AllocError> {
        let planned = self.plan_region(initial, maximum, capacity);
        let (layout, charge) = planned.inspect_err(|_| self.arenas().count_refusal(false))?;
        let acquired = self.acquire_prepared(layout, initial);
        let (id, held) = acquired.inspect_err(|_| self.arenas().count_refusal(true))?;
        let live = Live {
            id,
            books: Books::new(held.region().base().addr().get(), initial, maximum),
            held,
            charge,
        };
        live.held.publish_size(initial);
        let base = live.base();
        self.statistics.current_bytes = initial;
        self.statistics.peak_bytes = initial;
        self.statistics.capacity_bytes = capacity;
        self.statistics.from_cache = live.held.is_reused();
        self.protections.reset(self.options.data_protection);
        self.live = Some(live);
        Ok((base, initial))
    }

    /// What can be settled without the arenas: the layout, and who pays.
    fn plan_region(
        &mut self,
        initial: usize,
        maximum: Option<usize>,
        capacity: usize,
    ) -> Result<(RegionLayout, Option<BudgetCharge>), AllocError> {
        let layout = self.layout(initial, capacity)?;
        self.statistics = MemoryStatistics {
            initial_bytes: initial,
            maximum_bytes: maximum,
            guard_before_bytes: layout.guard_before(),
            guard_after_bytes: layout.guard_after(),
            ..MemoryStatistics::default()
        };
        let budget = self.options.budget.as_ref();
        let charge = budget
            .map(|budget| budget.charge(self.cost(initial, capacity)))
            .transpose()?;
        Ok((layout, charge))
    }

    /// A region for a new memory, as the options want it.
    fn acquire_prepared(
        &self,
        layout: RegionLayout,
        initial: usize,
    ) -> Result<(MemoryId, HeldRegion), AllocError> {
        let (id, mut held) = self.acquire(None, layout)?;
        if let Err(error) = self.prepare(&mut held, 0, 0, initial) {
            self.give_back(
                held,
                initial,
                &ProtectionMap::new(self.options.data_protection),
            );
            return Err(error);
        }
        Ok((id, held))
    }

    /// A region from the arenas, for a new memory or for the one named; taken out of use instead, if
    /// the level has it checked and it is damaged.
    pub(super) fn acquire(
        &self,
        id: Option<MemoryId>,
        layout: RegionLayout,
    ) -> Result<(MemoryId, HeldRegion), AllocError> {
        let (id, held) = self
            .arenas()
            .acquire(id, layout, self.options.lock_in_memory)?;
        match self.check_reused(&held) {
            Ok(()) => Ok((id, held)),
            Err(damage) => {
                self.arenas().quarantine(held);
                Err(damage)
            }
        }
    }

    /// The layout of a region for `size` bytes of data now and `capacity` later.
    pub(super) fn layout(&self, size: usize, capacity: usize) -> Result<RegionLayout, AllocError> {
        let bytes = |guard| {
            if let GuardSize::Bytes(bytes) = guard {
                bytes
            } else {
                0
            }
        };
        RegionLayout::new(
            self.arenas().system().facts().pages.page_size,
            RegionRequest {
                guard_before: bytes(self.options.guard_before),
                opened: match self.options.room_access {
                    RoomAccess::Guarded => size,
                    RoomAccess::Open => capacity,
                },
                capacity,
                guard_after: bytes(self.options.guard_after),
                guards_readable: self.options.guard_protection.can_read(),
            },
        )
    }

    /// Makes data that comes into sight what the options say: resident, protected. `from` is where
    /// the data ended before, `opened_from` what was accessible before. On error the protection of
    /// the pages from there on is undefined.
    pub(super) fn prepare(
        &self,
        held: &mut HeldRegion,
        from: usize,
        opened_from: usize,
        size: usize,
    ) -> Result<(), AllocError> {
        let common = self.options.data_protection;
        // Pages that are protected already cannot be written to make them resident.
        let from = self.whole_pages(from);
        let from = if common == Protection::ReadWrite {
            from
        } else {
            from.max(opened_from)
        };
        let to = self.whole_pages(size);
        if self.options.prefault && from < to {
            self.prefault_range(held, from, to - from)?;
        }
        let accessible = held.region().accessible();
        if common != Protection::ReadWrite && opened_from < accessible {
            self.permit(OsCall::Protect)?;
            self.set(held, opened_from..accessible, common)?;
        }
        Ok(())
    }

    /// Back to the initial size, all zero, every page with its initial protection. If the room
    /// cannot be closed again, the memory is reset nevertheless and the error says so: pages above
    /// the new size then stay accessible, and zero, until it grows or ends.
    pub(super) fn reset_memory(&mut self) -> Result<(), AllocError> {
        self.check_operation()?;
        if self.options.verification_level >= VerificationLevel::Critical {
            self.check_region()?;
        }
        let live = self.live()?;
        let initial = live.books.get(Entry::Initial);
        let keep_open = match self.options.room_access {
            RoomAccess::Guarded => self.whole_pages(initial),
            RoomAccess::Open => live.held.region().accessible(),
        };
        let common = ProtectionMap::new(self.options.data_protection);
        let protected = common.common() != Protection::ReadWrite || !self.protections.is_plain();
        if protected || keep_open < live.held.region().accessible() {
            self.permit(OsCall::Protect)?;
        }
        let Some(mut live) = self.live.take() else {
            return Err(AllocError::NotAllocated);
        };
        if let Err(error) = self.lift(&live.held, &self.protections) {
            self.restore(
                &live.held,
                &self.protections,
                0..live.held.region().accessible(),
            );
            self.live = Some(live);
            return Err(error);
        }
        let high_water = live.books.get(Entry::HighWater);
        self.arenas().clean(&mut live.held, high_water);
        let closed = self.arenas().set_accessible(&mut live.held, keep_open);
        let reprotected = self.apply(&live.held, &common);
        self.protections = common;
        live.books.set(Entry::HighWater, initial);
        live.set_size(initial);
        // A memory is never smaller than at its start, so this lowers the charge.
        let cost = self.cost(initial, live.held.region().layout().capacity());
        let recharged = live
            .charge
            .as_mut()
            .map_or(Ok(()), |charge| charge.resize(cost));
        self.live = Some(live);
        self.statistics.current_bytes = initial;
        self.statistics.resets += 1;
        closed.and(reprotected).and(recharged)
    }

    pub(super) fn free_memory(&mut self) -> Result<(), AllocError> {
        self.live()?;
        if !self.protections.is_plain() {
            self.permit(OsCall::Protect)?;
        }
        self.end()
    }

    /// Ends the memory, if there is one, whatever state it is in.
    pub(super) fn abandon(&mut self) {
        if self.live.is_some() && self.end().is_err() {
            // Counted by the arenas as unreturned.
        }
    }

    fn end(&mut self) -> Result<(), AllocError> {
        let checked = self.check_operation().and_then(|()| self.check_region());
        let Some(live) = self.live.take() else {
            return Err(AllocError::NotAllocated);
        };
        self.statistics.current_bytes = 0;
        match checked {
            Ok(()) => {
                let dirty = live.books.get(Entry::HighWater);
                self.give_back_checked(live.held, dirty, &self.protections)
            }
            Err(damage) => {
                self.arenas().quarantine(live.held);
                Err(damage)
            }
        }
    }

    /// Returns a region to the arenas, its protections lifted first; quarantines it if that fails.
    pub(super) fn give_back(&self, held: HeldRegion, dirty: usize, protections: &ProtectionMap) {
        if self.give_back_checked(held, dirty, protections).is_err() {
            // Counted by the arenas as unreturned.
        }
    }

    fn give_back_checked(
        &self,
        held: HeldRegion,
        dirty: usize,
        protections: &ProtectionMap,
    ) -> Result<(), AllocError> {
        match self.lift(&held, protections) {
            Ok(()) => {
                self.arenas().release(held, dirty);
                Ok(())
            }
            Err(error) => {
                self.arenas().quarantine(held);
                Err(error)
            }
        }
    }
}
