//! Growth: in place while the region has room, otherwise by moving.
//!
//! ```text
//!   room left? ── yes ──▶ open more of it                  recipe A: the base stays
//!        │ no
//!        ├── asked for, and allowed ──▶ realloc            recipe C: guards down meanwhile
//!        └──▶ new region, copy, protections, switch        recipe B
//! ```
//!
//! In recipe B every step that can fail comes before the switch, so that a failure leaves the old
//! memory as it was. Recipe C is left to the arena system, which keeps the same promise as long as
//! no more than one of its calls fails. It is not taken for a memory with protections of its own:
//! setting them again could fail when the old block is gone.

use core::ptr::NonNull;

use os::{OsCall, Protection};

use super::books::{Books, Entry};
use super::{Allocator, Live, plan};
use crate::arenas::HeldRegion;
use crate::options::GrowthPolicy;
use crate::protection_map::ProtectionMap;
use crate::{AllocError, ArenaSystem, ArenasRef, RegionLayout};

impl<R: ArenasRef> Allocator<R> {
    /// Grows by `additional` bytes and returns the base, which may have changed. Growing by 0
    /// returns today's base.
    ///
    /// In place: no system call where the room is open, else one. Moving: the calls of an
    /// allocation, and a copy of the data.
    ///
    /// # Errors
    /// As [`PageAllocator::grow`](crate::PageAllocator::grow).
    pub fn grow_bytes(&mut self, additional: usize) -> Result<NonNull<u8>, AllocError> {
        self.check_operation()?;
        self.check_region()?;
        let live = self.live()?;
        if additional == 0 {
            return Ok(live.base());
        }
        let grown = self.try_grow(additional);
        match grown {
            Ok(base) => {
                self.statistics.grows += 1;
                Ok(base)
            }
            Err(error) => {
                self.statistics.refused_grows += 1;
                Err(error)
            }
        }
    }

    fn try_grow(&mut self, additional: usize) -> Result<NonNull<u8>, AllocError> {
        let live = self.live()?;
        let maximum = live.books.get(Entry::Maximum);
        let requested = (live.size() as u64).saturating_add(additional as u64);
        let Some(size) = live
            .size()
            .checked_add(additional)
            .filter(|&size| size <= maximum)
        else {
            return Err(AllocError::BeyondMaximum { requested, maximum });
        };
        if isize::try_from(size).is_err() {
            return Err(AllocError::TooLarge { bytes: requested });
        }
        let capacity = live.held.region().layout().capacity();
        if size > capacity {
            return self.grow_by_moving(size, capacity);
        }
        let cost = if live.charge.is_some() {
            self.cost(size, capacity)
        } else {
            0
        };
        // What is accessible is whole pages, so the rest of the last one is, too.
        let is_open = size <= live.held.region().accessible();
        if let Some(live) = &mut self.live
            && is_open
            && !self.options.prefault
        {
            // Nobody has to be asked: growth is arithmetic.
            if let Some(charge) = &mut live.charge {
                charge.resize(cost)?;
            }
            live.set_size(size);
            let base = live.base();
            self.note_size(size);
            return Ok(base);
        }
        let Some(mut live) = self.live.take() else {
            return Err(AllocError::NotAllocated);
        };
        let grown = self.grow_in_place(&mut live, size, cost);
        let base = live.base();
        self.live = Some(live);
        grown?;
        self.note_size(size);
        Ok(base)
    }

    fn grow_in_place(&self, live: &mut Live, size: usize, cost: usize) -> Result<(), AllocError> {
        let old_cost = live.charge.as_ref().map_or(0, |charge| charge.bytes());
        if let Some(charge) = &mut live.charge {
            charge.resize(cost)?;
        }
        let before = live.held.region().accessible();
        let opened = self.open_for(&mut live.held, live.books.get(Entry::Size), size);
        if let Err(error) = opened {
            if live.held.region().accessible() > before
                && self
                    .arenas()
                    .set_accessible(&mut live.held, before)
                    .is_err()
            {
                // The new pages stay open, and zero; the size does not include them, and the next
                // growth, reset or release takes them along.
            }
            if let Some(charge) = &mut live.charge {
                charge.resize(old_cost)?;
            }
            return Err(error);
        }
        live.set_size(size);
        Ok(())
    }

    fn open_for(&self, held: &mut HeldRegion, from: usize, size: usize) -> Result<(), AllocError> {
        let (before, needed) = (held.region().accessible(), self.whole_pages(size));
        if needed > before {
            self.permit(OsCall::Commit)?;
            self.arenas().set_accessible(held, needed)?;
        }
        self.prepare(held, from, before, size)
    }

    fn grow_by_moving(&mut self, size: usize, capacity: usize) -> Result<NonNull<u8>, AllocError> {
        if matches!(
            self.options.growth_policy,
            GrowthPolicy::InPlace | GrowthPolicy::ReserveMaximum
        ) {
            return Err(AllocError::NoRoom {
                requested: size,
                capacity,
            });
        }
        if self.sealed {
            return Err(AllocError::Sealed {
                needed: OsCall::Reserve,
            });
        }
        let live = self.live()?;
        let (id, maximum) = (live.id, live.books.maximum());
        let free_room = self.arenas().system().facts().pages.reserves_for_free;
        let capacity = plan::capacity_after_move(&self.options, free_room, size, maximum);
        let layout = self.layout(size, capacity)?;
        let plain = self.protections.is_plain();
        if self.options.growth_policy == GrowthPolicy::Reallocate && plain {
            return self.grow_by_reallocating(size, capacity, layout);
        }
        // Both regions exist while the data is copied, so both are paid for.
        let budget = self.options.budget.as_ref();
        let charge = budget
            .map(|budget| budget.charge(self.cost(size, capacity)))
            .transpose()?;
        let (_same, mut held) = self.acquire(Some(id), layout)?;
        let live = self.live()?;
        let copied = match self.move_into(&mut held, live, size) {
            Ok(copied) => copied,
            Err(error) => {
                self.give_back(held, size, &self.protections);
                return Err(error);
            }
        };

        // From here on nothing can fail: the new region is complete.
        let Some(old) = self.live.take() else {
            return Err(AllocError::NotAllocated);
        };
        let mut books = Books::new(held.region().base().addr().get(), size, maximum);
        books.set(Entry::Initial, old.books.get(Entry::Initial));
        held.publish_size(size);
        let new = Live {
            id,
            books,
            held,
            charge,
        };
        let base = new.base();
        self.live = Some(new);
        self.give_back(old.held, old.books.get(Entry::HighWater), &self.protections);
        self.statistics.moves += 1;
        self.statistics.bytes_copied += copied;
        self.statistics.capacity_bytes = capacity;
        self.statistics.guards_down = false;
        self.note_size(size);
        Ok(base)
    }

    fn grow_by_reallocating(
        &mut self,
        size: usize,
        capacity: usize,
        layout: RegionLayout,
    ) -> Result<NonNull<u8>, AllocError> {
        let cost = self.cost(size, capacity);
        let Some(mut live) = self.live.take() else {
            return Err(AllocError::NotAllocated);
        };
        let (old_base, old_size) = (live.base(), live.size());
        let grown = self.reallocate(&mut live, layout, cost);
        let base = live.base();
        live.books.set(Entry::Base, base.addr().get());
        if grown.is_ok() {
            live.set_size(size);
        }
        self.statistics.guards_down = !live.held.region().is_guarded();
        self.live = Some(live);
        grown?;
        if base != old_base {
            self.statistics.moves += 1;
            self.statistics.bytes_copied += old_size;
        }
        self.statistics.capacity_bytes = capacity;
        self.note_size(size);
        Ok(base)
    }

    fn reallocate(
        &self,
        live: &mut Live,
        layout: RegionLayout,
        cost: usize,
    ) -> Result<(), AllocError> {
        // Both blocks exist while the heap copies, so both are paid for.
        let budget = self.options.budget.as_ref();
        let charge = budget.map(|budget| budget.charge(cost)).transpose()?;
        let size = live.size();
        self.arenas().reallocate(&mut live.held, layout, size)?;
        live.charge = charge;
        Ok(())
    }

    /// Fills a new region with the data and the protections of the old one, which stays as it was.
    /// Returns how many bytes were copied.
    fn move_into(
        &self,
        new: &mut HeldRegion,
        old: &Live,
        size: usize,
    ) -> Result<usize, AllocError> {
        let hidden = self.reveal(old)?;
        let plain = self.protections.is_plain();
        // SAFETY: the size of the old memory is at most what is accessible in both regions; the old
        // data was just made readable, and is writable if nothing of it is protected; the new data is
        // writable. The allocator is borrowed mutably, so nobody else uses either.
        let moved = unsafe { self.arenas().copy_data(&old.held, new, old.size(), plain) };
        if hidden {
            self.restore(
                &old.held,
                &self.protections,
                0..old.held.region().accessible(),
            );
        }
        let writable = ProtectionMap::new(Protection::ReadWrite);
        let (copied, filled) = (self.whole_pages(old.size()), self.whole_pages(size));
        if self.options.prefault && copied < filled {
            self.prefault_range(new, copied, filled - copied)?;
        }
        self.apply(new, &self.protections).inspect_err(|_| {
            // Put what was already changed back, so that the region can be reused.
            self.restore(new, &writable, 0..new.region().accessible());
        })?;
        Ok(moved)
    }

    /// Makes all of a memory readable for the copy; says whether it had to. On error everything is
    /// as it was.
    fn reveal(&self, live: &Live) -> Result<bool, AllocError> {
        let (region, map) = (live.held.region(), &self.protections);
        let common_hidden = (!map.common().can_read()).then_some(0..region.accessible());
        let hidden = map
            .exceptions()
            .filter(|(_, protection)| !protection.can_read())
            .map(|(range, _)| range);
        let mut any = false;
        for range in common_hidden.into_iter().chain(hidden) {
            if range.is_empty() {
                continue;
            }
            any = true;
            let system = self.arenas().system();
            // SAFETY: ranges of the map are whole accessible pages of our own region; more access
            // contradicts no reference.
            let revealed =
                unsafe { system.protect(region, range.start, range.len(), Protection::Read) };
            if let Err(error) = revealed {
                self.restore(&live.held, map, 0..region.accessible());
                return Err(error);
            }
        }
        Ok(any)
    }

    fn note_size(&mut self, size: usize) {
        self.statistics.current_bytes = size;
        self.statistics.peak_bytes = self.statistics.peak_bytes.max(size);
    }
}
