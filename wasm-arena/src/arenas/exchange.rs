//! Regions change hands here: taken by a memory, opened and closed while it lives, taken back.
//!
//! ```text
//!   acquire ──▶ kept region of the shape? ── yes ──▶ zero what is dirty ──▶ open exactly the data
//!                         │ no                                                   ▲
//!                         └──▶ fresh from the system (zero already) ─────────────┘
//!   release ──▶ within the limits? ── yes ──▶ kept (oldest ones go if that is too many)
//!                         │ no
//!                         └──▶ back to the system; counted if it will not take it
//! ```

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use os::{OsCall, PageSource};

use super::cache::{Kept, Shape};
use super::front::Put;
use super::record::{Chain, Record};
use super::{Arenas, HeldRegion, MemoryId};
use crate::{AllocError, ArenaSystem, RegionLayout};

impl<S: ArenaSystem> Arenas<S> {
    /// A region of this layout: data readable, writable, zero. For the memory `id`, or for a new one,
    /// which gets a number and is counted even if this fails: see
    /// [`count_refusal`](Self::count_refusal).
    pub(crate) fn acquire(
        &self,
        id: Option<MemoryId>,
        layout: RegionLayout,
        locked: bool,
    ) -> Result<(MemoryId, HeldRegion), AllocError> {
        let shape = Shape { layout, locked };
        let is_new = id.is_none();
        let id = id.unwrap_or_else(|| {
            let before = self.numbered.fetch_add(1, Ordering::Relaxed);
            MemoryId::from_number(before.wrapping_add(1))
        });
        let own = self.take_own(&shape, is_new);
        let held = match own.or_else(|| self.take_kept(&shape, is_new)) {
            Some(kept) => {
                // SAFETY: taken out of the front or the cache, so initialised and ours.
                unsafe { Record::set_memory(kept.record, Some(id)) };
                self.reuse(&kept, locked, layout.opened())?
            }
            None => self.acquire_fresh(id, layout, locked)?,
        };
        Ok((id, held))
    }

    /// A kept region of this shape, for a memory that is counted if it is new.
    fn take_kept(&self, shape: &Shape, is_new: bool) -> Option<Kept> {
        let has_front = self.has_front.load(Ordering::Relaxed);
        {
            let mut state = self.state.lock();
            let newest_first = state.options.lifo_free;
            // SAFETY: the lock is held.
            let kept = unsafe { state.cache.take(shape, newest_first) };
            if kept.is_some() || !has_front {
                state.count_request(kept.is_some(), is_new);
                return kept;
            }
        }
        let of_others = self.take_anybodys(shape, is_new);
        if of_others.is_none() {
            self.state.lock().count_request(false, is_new);
        }
        of_others
    }

    /// Counts a new memory that was refused. If it has its number, it was counted as allocated; that
    /// is undone here, so that allocating takes the lock once.
    pub(crate) fn count_refusal(&self, has_number: bool) {
        let counts = &mut self.state.lock().counts;
        counts.refused_allocations += 1;
        if has_number {
            counts.memories_allocated = counts.memories_allocated.wrapping_sub(1);
        }
    }

    fn acquire_fresh(
        &self,
        id: MemoryId,
        layout: RegionLayout,
        locked: bool,
    ) -> Result<HeldRegion, AllocError> {
        self.permit(OsCall::Reserve)?;
        self.check_limits(layout.total(), layout.opened())?;
        let block = self.system.allocate_record(Layout::new::<Record>())?;
        let region = match self.system.acquire(layout) {
            Ok(region) => region,
            Err(error) => {
                // SAFETY: the block was allocated above and is not used.
                unsafe { self.system.free_record(block) };
                return Err(error);
            }
        };
        if locked && region.accessible() > 0 {
            // SAFETY: the accessible bytes of our own region.
            let lock = unsafe {
                self.system
                    .source()
                    .lock(region.base(), region.accessible())
            };
            if let Err(error) = lock {
                // SAFETY: the region was acquired above and is not used; nor is the block.
                let _counted = unsafe { self.system.release(region) };
                // SAFETY: as above.
                unsafe { self.system.free_record(block) };
                return Err(error.into());
            }
        }
        self.count_accessible(0, region.accessible());
        let run_len = region.run_len();
        let record = block.cast::<Record>();
        // SAFETY: the block has the layout of a `Record` and belongs to us (promise 4).
        unsafe { record.write(Record::new(id, region, locked)) };
        let mut state = self.state.lock();
        let reserved = state.counts.reserved_bytes + run_len;
        state.counts.reserved_bytes = reserved;
        state.counts.peak_reserved_bytes = state.counts.peak_reserved_bytes.max(reserved);
        state.counts.live_memories = state.counts.live_memories.wrapping_add(1);
        // SAFETY: just initialised, in no list; the lock is held.
        unsafe { state.register.push(Chain::Register, record) };
        Ok(HeldRegion::new(record, locked))
    }

    /// Makes a kept region, which is in the register again, look like a fresh one with `opened`
    /// accessible bytes.
    fn reuse(&self, kept: &Kept, locked: bool, opened: usize) -> Result<HeldRegion, AllocError> {
        let mut held = HeldRegion::reused(kept.record, locked, kept.occupied);
        self.clean(&mut held, kept.dirty);
        match self.set_accessible(&mut held, opened) {
            Ok(()) => Ok(held),
            Err(error) => {
                // It is whole and zero: keep it for a request that needs no call.
                self.release(held, 0);
                Err(error)
            }
        }
    }

    /// Opens or closes room until exactly `accessible` bytes (a multiple of the host page) can be
    /// accessed. New bytes are zero if they were when closed. On error nothing has changed, unless
    /// pages that could not be locked could not be closed again either: they then stay open.
    pub(crate) fn set_accessible(
        &self,
        held: &mut HeldRegion,
        accessible: usize,
    ) -> Result<(), AllocError> {
        let before = held.region().accessible();
        let changed = if accessible > before {
            self.open(held, before, accessible)
        } else if accessible < before {
            self.close(held, before, accessible)
        } else {
            return Ok(());
        };
        self.count_accessible(before, held.region().accessible());
        held.publish_accessible();
        changed
    }

    fn open(
        &self,
        held: &mut HeldRegion,
        before: usize,
        accessible: usize,
    ) -> Result<(), AllocError> {
        self.permit(OsCall::Commit)?;
        self.check_limits(0, accessible - before)?;
        // SAFETY: our region; callers pass a page multiple within the capacity.
        unsafe { self.system.open(held.region_mut(), accessible)? };
        if !held.is_locked() {
            return Ok(());
        }
        // SAFETY: `before` is inside the region.
        let address = unsafe { held.region().address(before) };
        // SAFETY: the bytes opened above.
        let locked = unsafe { self.system.source().lock(address, accessible - before) };
        locked.map_err(|error| {
            // SAFETY: our region; nobody has seen the new bytes.
            let closed = unsafe { self.system.close(held.region_mut(), before) };
            closed.err().unwrap_or(AllocError::Os(error))
        })
    }

    fn close(
        &self,
        held: &mut HeldRegion,
        before: usize,
        accessible: usize,
    ) -> Result<(), AllocError> {
        self.permit(OsCall::Protect)?;
        // SAFETY: `accessible` is inside the region.
        let address = unsafe { held.region().address(accessible) };
        let len = before - accessible;
        if held.is_locked() {
            // First, because what cannot be accessed need not be locked, and a lock left on pages
            // that go back to a heap would be somebody else's.
            // SAFETY: accessible bytes of our own region.
            unsafe { self.system.source().unlock(address, len)? };
        }
        // SAFETY: our region; callers hold no reference into what is closed.
        let closed = unsafe { self.system.close(held.region_mut(), accessible) };
        if closed.is_err() && held.is_locked() {
            // The first error counts. Pages without their lock stay usable.
            // SAFETY: as above: nothing was closed.
            let _first_error_counts = unsafe { self.system.source().lock(address, len) };
        }
        closed
    }

    pub(super) fn count_accessible(&self, before: usize, after: usize) {
        if after >= before {
            let more = after - before;
            let total = self.accessible.fetch_add(more, Ordering::Relaxed) + more;
            if total > self.peak_accessible.load(Ordering::Relaxed) {
                self.peak_accessible.fetch_max(total, Ordering::Relaxed);
            }
        } else {
            self.accessible.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Takes a region back: keeps it, or returns it to the operating system. The data is readable
    /// and writable throughout; its first `dirty` bytes may be other than zero. Never fails: what
    /// cannot be returned is counted.
    pub(crate) fn release(&self, held: HeldRegion, dirty: usize) {
        let dirty = dirty.min(held.region().accessible());
        let occupied = if self.system.facts().pages.reserves_for_free {
            held.occupied(dirty)
        } else {
            held.region().run_len()
        };
        let is_guarded = held.region().is_guarded();
        let record = held.into_record();
        // SAFETY: the region was held, so its record is initialised.
        unsafe { Record::set_memory(record, None) };
        let kept = Kept {
            record,
            dirty,
            occupied,
        };
        let put = if is_guarded {
            self.put(kept)
        } else {
            Put::Refused(kept)
        };
        match put {
            Put::Waits => {}
            Put::InPlaceOf(before) => self.keep(&before, 0, true),
            Put::Refused(kept) => self.keep(&kept, 1, is_guarded),
        }
    }

    /// Puts a region that no memory has any more into the cache, if that is wanted and allowed, or
    /// gives it back. With it end `ended` memories that were not counted as ended.
    fn keep(&self, kept: &Kept, ended: usize, is_wanted: bool) {
        {
            let mut state = self.state.lock();
            state.counts.live_memories = state.counts.live_memories.wrapping_sub(ended);
            if is_wanted && (self.is_sealed() || state.options.cache_allows(1, kept.occupied)) {
                // SAFETY: initialised and in the register, no longer held; the lock is held.
                unsafe { state.cache.insert(kept) };
                if !state.cache.is_over(&state.options) {
                    return;
                }
            } else {
                // SAFETY: every region is in the register until it goes back; the lock is held.
                unsafe { state.register.remove(Chain::Register, kept.record) };
                drop(state);
                // SAFETY: in no list any more, nor held.
                let _counted = unsafe { self.discard_region(kept.record) };
                return;
            }
        }
        self.evict();
    }

    /// Takes a region out of use without giving it back: its state cannot be trusted. Counted.
    pub(crate) fn quarantine(&self, held: HeldRegion) {
        let run_len = held.region().run_len();
        let record = held.into_record();
        {
            let mut state = self.state.lock();
            state.counts.live_memories = state.counts.live_memories.wrapping_sub(1);
            // SAFETY: every region is in the register until it goes back; the lock is held.
            unsafe { state.register.remove(Chain::Register, record) };
        }
        self.count_unreturned(run_len);
        // SAFETY: in no list any more.
        unsafe { self.system.free_record(record.cast()) };
        // Dropping a `Region` gives nothing back: the run stays reserved for good.
    }

    fn count_unreturned(&self, run_len: usize) {
        let mut state = self.state.lock();
        state.counts.unreturned.regions += 1;
        state.counts.unreturned.bytes += run_len;
    }

    /// Resizes a region by the platform's own reallocation: recipe C of the design.
    ///
    /// # Errors
    /// Why it could not be done; the region is as it was.
    pub(crate) fn reallocate(
        &self,
        held: &mut HeldRegion,
        layout: RegionLayout,
        keep: usize,
    ) -> Result<(), AllocError> {
        self.permit(OsCall::Reallocate)?;
        // Both blocks exist while the heap copies.
        self.check_limits(layout.total(), layout.total())?;
        let record = held.record();
        let (accessible, run_len) = (held.region().accessible(), held.region().run_len());
        // Out of the register, which must not describe what is moving.
        // SAFETY: every region is in the register until it goes back; the guard in the expression
        // holds the lock.
        unsafe { self.state.lock().register.remove(Chain::Register, record) };
        // SAFETY: our region, whose data is plain and not locked, and which nobody uses: the
        // allocator, which checked that, is borrowed mutably.
        let resized = unsafe { self.system.reallocate(held.region_mut(), layout, keep) };
        self.count_accessible(accessible, held.region().accessible());
        held.publish_accessible();
        let mut state = self.state.lock();
        let reserved = state.counts.reserved_bytes - run_len + held.region().run_len();
        state.counts.reserved_bytes = reserved;
        state.counts.peak_reserved_bytes = state.counts.peak_reserved_bytes.max(reserved);
        let (start, layout) = (held.region().start(), *held.region().layout());
        // SAFETY: in no list, so nobody's but ours, and initialised.
        let fields = unsafe { &mut *record.as_ptr() };
        fields.start = start;
        fields.layout = layout;
        // SAFETY: initialised, in no list; the lock is held.
        unsafe { state.register.push(Chain::Register, record) };
        resized
    }

    /// Gives back what is kept beyond the limits, oldest first. The lock is free during each call.
    pub(super) fn evict(&self) {
        while !self.is_sealed() {
            let evicted = {
                let mut state = self.state.lock();
                if !state.cache.is_over(&state.options) {
                    return;
                }
                // SAFETY: the lock is held.
                let oldest = unsafe { state.take_oldest() };
                state.counts.evictions += usize::from(oldest.is_some());
                oldest
            };
            if let Some(record) = evicted {
                // SAFETY: taken out, so in no list, and nobody holds its region.
                let _counted = unsafe { self.discard_region(record) };
            } else if !self.empty_front() {
                return;
            }
        }
    }

    /// Returns the region of a record to the operating system, and the record to the heap. Says how
    /// many bytes of address space the region had.
    ///
    /// # Safety
    /// The record is initialised and in no list, and nobody holds its region.
    pub(super) unsafe fn discard_region(
        &self,
        record: NonNull<Record>,
    ) -> Result<usize, AllocError> {
        // SAFETY: initialised and nobody's but ours, by the caller's promise; what is read out is used
        // there no more.
        let Record { region, locked, .. } = unsafe { record.read() };
        let region = region.into_inner();
        let (run_len, accessible) = (region.run_len(), region.accessible());
        // SAFETY: in no list, so nobody's but ours, and used no more.
        unsafe { self.system.free_record(record.cast()) };
        if locked && accessible > 0 {
            // SAFETY: the accessible bytes of our own region.
            let unlocked = unsafe { self.system.source().unlock(region.base(), accessible) };
            // Returning a run undoes its locks on every platform known; asking first costs little.
            // A heap's block would take them along to whoever gets it next.
            if let Err(error) = unlocked
                && !self.system.facts().regions_are_runs
            {
                self.count_unreturned(run_len);
                return Err(error.into());
            }
        }
        // SAFETY: our region, used no more.
        let released = unsafe { self.system.release(region) };
        if released.is_ok() {
            self.count_accessible(accessible, 0);
            self.state.lock().counts.reserved_bytes -= run_len;
        }
        released.map(|()| run_len)
    }
}
