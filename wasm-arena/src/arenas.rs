//! What memories share: an arena system, the regions kept for reuse, the register of live regions.
//!
//! ```text
//!   allocator   allocator   allocator        each holds one region
//!        ╲          │          ╱
//!         Arenas: live ─── kept ─── accounts      one short lock; never held during a system call
//!                     │
//!                ArenaSystem                      only when nothing kept fits
//! ```
//!
//! In the steady state (a memory of a shape that was released before) a request takes the lock
//! twice for a few dozen instructions and calls nobody.

mod cache;
mod describe;
mod held;
mod record;

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use os::{Mutex, OsCall, PageSource};

use crate::{
    AllocError, ArenaOptions, ArenaSystem, ArenasStatistics, ConfigOption, EffectiveConfiguration,
    OptionValue, Region, RegionLayout,
};
use cache::{RegionCache, Shape};
use record::{Chain, List, Record};

pub use describe::{AddressDescription, Busy, MemoryId};
pub(crate) use held::HeldRegion;

/// Up to so many bytes, zeroing by hand is cheaper than asking the operating system: one page fault
/// costs more than filling 64 KiB.
const FILL_LIMIT: usize = 128 * 1024;

/// An arena system with its cache and its accounts: what memories draw on.
///
/// Share it by reference, or with the feature `alloc` through an `Arc`; an allocator may also own
/// one. Methods take `&self` and may be called from several threads.
#[derive(Debug)]
pub struct Arenas<S: ArenaSystem> {
    system: S,
    sealed: AtomicBool,
    accessible: AtomicUsize,
    peak_accessible: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    options: ArenaOptions,
    effective: EffectiveConfiguration,
    live: List,
    cache: RegionCache,
    next_id: MemoryId,
    counts: ArenasStatistics,
}

// SAFETY: the records behind the pointers belong to the lists alone while they are in them, and the
// lists to whoever holds the lock, whatever thread that is.
unsafe impl Send for State {}

impl<S: ArenaSystem> Arenas<S> {
    /// Arenas over `system`, with the default settings. Asks nothing of the system yet.
    #[must_use]
    pub const fn new(system: S) -> Self {
        Self {
            system,
            sealed: AtomicBool::new(false),
            accessible: AtomicUsize::new(0),
            peak_accessible: AtomicUsize::new(0),
            state: Mutex::new(State {
                options: ArenaOptions::DEFAULT,
                effective: EffectiveConfiguration::empty(),
                live: List::EMPTY,
                cache: RegionCache::EMPTY,
                next_id: MemoryId::FIRST,
                counts: ZERO_COUNTS,
            }),
        }
    }

    /// Arenas over `system`, with these settings.
    ///
    /// # Errors
    /// A setting is outside its limits.
    pub fn with_options(system: S, options: ArenaOptions) -> Result<Self, AllocError> {
        let arenas = Self::new(system);
        arenas.configure(options)?;
        Ok(arenas)
    }

    /// Applies settings from now on. Lowered limits act at once: regions beyond them go back to the
    /// operating system.
    ///
    /// # Errors
    /// A setting is outside its limits; nothing is changed.
    pub fn configure(&self, options: ArenaOptions) -> Result<(), AllocError> {
        let mut effective = EffectiveConfiguration::empty();
        for (option, value) in [
            (
                ConfigOption::ArenaCacheMaxBlocks,
                OptionValue::Count(options.cache_max_blocks),
            ),
            (
                ConfigOption::ArenaCacheMaxSize,
                OptionValue::Bytes(options.cache_max_bytes),
            ),
            (
                ConfigOption::LifoFree,
                OptionValue::Switch(options.lifo_free),
            ),
            (
                ConfigOption::MemoryHold,
                OptionValue::Switch(options.memory_hold),
            ),
        ] {
            effective.applied(option, value);
        }
        self.system.configure(&options, &mut effective)?;
        {
            let mut state = self.state.lock();
            state.options = options;
            state.effective = effective;
        }
        self.evict();
        Ok(())
    }

    /// The settings in force.
    #[must_use]
    pub fn options(&self) -> ArenaOptions {
        self.state.lock().options
    }

    /// What became of the settings asked for.
    #[must_use]
    pub fn effective_configuration(&self) -> EffectiveConfiguration {
        self.state.lock().effective
    }

    /// The arena system below.
    #[must_use]
    pub const fn system(&self) -> &S {
        &self.system
    }

    /// From now on nothing is asked of the operating system: kept regions are reused as long as
    /// they fit, released ones are all kept, and whatever would need a call is refused with
    /// [`AllocError::Sealed`]. For the cyclic part of a program, after it has set up.
    pub fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    /// Undoes [`seal`](Self::seal); regions kept beyond the limits meanwhile go back.
    pub fn unseal(&self) {
        self.sealed.store(false, Ordering::Release);
        self.evict();
    }

    /// Whether [`seal`](Self::seal) is in force.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// Refuses if a call is not allowed.
    pub(crate) fn permit(&self, needed: OsCall) -> Result<(), AllocError> {
        if self.is_sealed() {
            Err(AllocError::Sealed { needed })
        } else {
            Ok(())
        }
    }

    /// Gives everything that is kept and not in use back to the operating system, whatever the
    /// limits say. Returns the bytes of address space given back. Cost grows with what is kept.
    ///
    /// # Errors
    /// [`AllocError::Sealed`].
    pub fn trim(&self) -> Result<usize, AllocError> {
        self.permit(OsCall::Unmap)?;
        let mut bytes = 0;
        loop {
            // SAFETY: the guard in the expression holds the lock.
            let oldest = unsafe { self.state.lock().cache.take_oldest() };
            let Some((record, region, _)) = oldest else {
                break;
            };
            let run_len = region.run_len();
            if self.discard_region(record, region).is_ok() {
                bytes += run_len;
            }
        }
        Ok(bytes + self.system.trim())
    }

    /// The accounts. Constant time, no system call.
    #[must_use]
    pub fn statistics(&self) -> ArenasStatistics {
        let state = self.state.lock();
        let lost_here = state.counts.unreturned;
        let lost_below = self.system.unreturned();
        ArenasStatistics {
            accessible_bytes: self.accessible.load(Ordering::Relaxed),
            peak_accessible_bytes: self.peak_accessible.load(Ordering::Relaxed),
            cached_regions: state.cache.count(),
            cached_bytes: state.cache.held_bytes(),
            unreturned: crate::Unreturned {
                regions: lost_here.regions + lost_below.regions,
                bytes: lost_here.bytes + lost_below.bytes,
            },
            bookkeeping: self.system.bookkeeping(),
            ..state.counts
        }
    }

    /// A number for a new memory.
    pub(crate) fn new_memory_id(&self) -> MemoryId {
        let mut state = self.state.lock();
        let id = state.next_id;
        state.next_id = id.next();
        state.counts.memories_allocated += 1;
        id
    }

    /// A region of this layout for the memory `id`: data readable, writable, zero.
    pub(crate) fn acquire(
        &self,
        id: MemoryId,
        layout: RegionLayout,
        locked: bool,
    ) -> Result<HeldRegion, AllocError> {
        let shape = Shape { layout, locked };
        let kept = {
            let mut state = self.state.lock();
            let newest_first = state.options.lifo_free;
            // SAFETY: the lock is held.
            let kept = unsafe { state.cache.take(&shape, newest_first) };
            match kept {
                Some(_) => state.counts.cache_hits += 1,
                None => state.counts.cache_misses += 1,
            }
            kept
        };
        match kept {
            Some((record, region, dirty)) => self.reuse(id, record, region, dirty, layout.opened()),
            None => self.acquire_fresh(id, layout, locked),
        }
    }

    fn acquire_fresh(
        &self,
        id: MemoryId,
        layout: RegionLayout,
        locked: bool,
    ) -> Result<HeldRegion, AllocError> {
        self.permit(OsCall::Reserve)?;
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
        let record = block.cast::<Record>();
        // SAFETY: the block has the layout of a `Record` and belongs to us (promise 4).
        unsafe { record.write(Record::new(id, &region, locked)) };
        let mut state = self.state.lock();
        let reserved = state.counts.reserved_bytes + region.run_len();
        state.counts.reserved_bytes = reserved;
        state.counts.peak_reserved_bytes = state.counts.peak_reserved_bytes.max(reserved);
        state.counts.live_memories += 1;
        // SAFETY: just initialised, in no list; the lock is held.
        unsafe { state.live.push(Chain::Group, record) };
        Ok(HeldRegion::new(record, region, locked))
    }

    /// Makes a kept region look like a fresh one with `opened` accessible bytes.
    fn reuse(
        &self,
        id: MemoryId,
        record: NonNull<Record>,
        region: Region,
        dirty: usize,
        opened: usize,
    ) -> Result<HeldRegion, AllocError> {
        // SAFETY: taken out of the cache, so it is nobody's but ours.
        let locked = unsafe { record.as_ref() }.locked;
        let mut held = HeldRegion::new(record, region, locked);
        {
            let mut state = self.state.lock();
            state.counts.live_memories += 1;
            // SAFETY: initialised and ours; the lock is held.
            unsafe { (*record.as_ptr()).id = id };
            // SAFETY: in no list; the lock is held.
            unsafe { state.live.push(Chain::Group, record) };
        }
        self.zero(&held, 0, dirty);
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
    /// accessed. New bytes are zero if they were when closed. On error nothing has changed.
    pub(crate) fn set_accessible(
        &self,
        held: &mut HeldRegion,
        accessible: usize,
    ) -> Result<(), AllocError> {
        let before = held.region().accessible();
        if accessible > before {
            self.permit(OsCall::Commit)?;
            // SAFETY: our region; callers pass a page multiple within the capacity.
            unsafe { self.system.open(held.region_mut(), accessible)? };
            if held.is_locked() {
                // SAFETY: `before` is inside the region.
                let address = unsafe { held.region().address(before) };
                // SAFETY: the bytes opened by the line above.
                let lock = unsafe { self.system.source().lock(address, accessible - before) };
                if let Err(error) = lock {
                    // SAFETY: our region; nobody has seen the new bytes.
                    unsafe { self.system.close(held.region_mut(), before)? };
                    return Err(error.into());
                }
            }
        } else if accessible < before {
            self.permit(OsCall::Protect)?;
            // SAFETY: our region; callers hold no reference into what is closed.
            unsafe { self.system.close(held.region_mut(), accessible)? };
        }
        self.count_accessible(before, accessible);
        held.publish_accessible();
        Ok(())
    }

    fn count_accessible(&self, before: usize, after: usize) {
        if after >= before {
            let more = after - before;
            let total = self.accessible.fetch_add(more, Ordering::Relaxed) + more;
            self.peak_accessible.fetch_max(total, Ordering::Relaxed);
        } else {
            self.accessible.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Fills accessible data with zeros, or lets the operating system do it where that is cheaper
    /// and allowed. Never fails: filling always works.
    pub(crate) fn zero(&self, held: &HeldRegion, from: usize, to: usize) {
        let to = to.min(held.region().accessible());
        if from >= to {
            return;
        }
        let page = self.system.facts().pages.page_size;
        let whole_from = page.round_up(from).unwrap_or(to).min(to);
        let whole_to = page
            .round_up(to)
            .unwrap_or(to)
            .min(held.region().accessible());
        let discarded = whole_to.saturating_sub(whole_from) > FILL_LIMIT
            && !held.is_locked()
            && self.permit(OsCall::Discard).is_ok()
            && {
                // SAFETY: inside the accessible bytes.
                let address = unsafe { held.region().address(whole_from) };
                // SAFETY: accessible data of our own region, whose contents nobody needs; what lies
                // between `to` and the end of its page was never data, so it is zero already.
                unsafe { self.system.source().discard(address, whole_to - whole_from) }.is_ok()
            };
        let fill_to = if discarded { whole_from } else { to };
        // SAFETY: inside the accessible bytes.
        let address = unsafe { held.region().address(from) };
        // SAFETY: accessible, writable data of our own region; nobody holds references into it.
        unsafe { address.write_bytes(0, fill_to - from) };
    }

    /// Takes a region back: keeps it, or returns it to the operating system. The data is readable
    /// and writable throughout; its first `dirty` bytes may be other than zero. Never fails: what
    /// cannot be returned is counted.
    pub(crate) fn release(&self, held: HeldRegion, dirty: usize) {
        let dirty = dirty.min(held.region().accessible());
        let (record, region) = held.into_parts();
        {
            let mut state = self.state.lock();
            state.counts.live_memories -= 1;
            // SAFETY: the region was held, so its record is in the live list; the lock is held.
            unsafe { state.live.remove(Chain::Group, record) };
            if self.is_sealed() || state.options.cache_allows(1, dirty) {
                // SAFETY: initialised and in no list any more; the lock is held.
                unsafe { state.cache.insert(record, region, dirty) };
                if !state.cache.is_over(&state.options) {
                    return;
                }
            } else {
                drop(state);
                let _counted = self.discard_region(record, region);
                return;
            }
        }
        self.evict();
    }

    /// Takes a region out of use without giving it back: its state cannot be trusted. Counted.
    pub(crate) fn quarantine(&self, held: HeldRegion) {
        let (record, region) = held.into_parts();
        {
            let mut state = self.state.lock();
            state.counts.live_memories -= 1;
            // SAFETY: the region was held, so its record is in the live list; the lock is held.
            unsafe { state.live.remove(Chain::Group, record) };
            state.counts.unreturned.regions += 1;
            state.counts.unreturned.bytes += region.run_len();
        }
        // SAFETY: in no list any more.
        unsafe { self.system.free_record(record.cast()) };
        // Dropping a `Region` gives nothing back: the run stays reserved for good.
    }

    /// Gives back what is kept beyond the limits, oldest first. The lock is free during each call.
    fn evict(&self) {
        while !self.is_sealed() {
            let evicted = {
                let mut state = self.state.lock();
                if !state.cache.is_over(&state.options) {
                    return;
                }
                state.counts.evictions += 1;
                // SAFETY: the lock is held.
                unsafe { state.cache.take_oldest() }
            };
            if let Some((record, region, _)) = evicted {
                let _counted = self.discard_region(record, region);
            }
        }
    }

    /// Returns a region that is in no list to the operating system, and its record to the heap.
    fn discard_region(&self, record: NonNull<Record>, region: Region) -> Result<(), AllocError> {
        let (run_len, accessible) = (region.run_len(), region.accessible());
        // SAFETY: in no list, so nobody's but ours.
        if unsafe { record.as_ref() }.locked && accessible > 0 {
            // Returning pages unlocks them on every platform known; asking first costs little and
            // leaves no doubt. A refusal changes nothing about returning them.
            // SAFETY: the accessible bytes of our own region.
            let _ignored = unsafe { self.system.source().unlock(region.base(), accessible) };
        }
        // SAFETY: in no list, so nobody's but ours, and used no more.
        unsafe { self.system.free_record(record.cast()) };
        // SAFETY: our region, used no more.
        let released = unsafe { self.system.release(region) };
        if released.is_ok() {
            self.count_accessible(accessible, 0);
            self.state.lock().counts.reserved_bytes -= run_len;
        }
        released
    }

    /// Counts the resident bytes of all regions, live and kept. For reports: one system call per
    /// 16 MiB, with the lock held.
    ///
    /// # Errors
    /// The page source cannot tell.
    pub fn measure_resident(&self) -> Result<usize, AllocError> {
        let mut state = self.state.lock();
        let mut bytes = 0;
        for record in state.live.iter(Chain::Group).chain(state.cache.iter()) {
            // SAFETY: in a list, so initialised; the lock is held, so links and layout rest.
            let fields = unsafe { record.as_ref() };
            let accessible = fields.accessible.load(Ordering::Relaxed);
            if accessible > 0 {
                // SAFETY: the guard before is inside the region's run.
                let base = unsafe { fields.start.add(fields.layout.guard_before()) };
                bytes += self.system.source().resident(base, accessible)?;
            }
        }
        state.counts.peak_resident_bytes = state.counts.peak_resident_bytes.max(bytes);
        Ok(bytes)
    }
}

const ZERO_COUNTS: ArenasStatistics = ArenasStatistics {
    live_memories: 0,
    memories_allocated: 0,
    reserved_bytes: 0,
    peak_reserved_bytes: 0,
    accessible_bytes: 0,
    peak_accessible_bytes: 0,
    peak_resident_bytes: 0,
    cached_regions: 0,
    cached_bytes: 0,
    cache_hits: 0,
    cache_misses: 0,
    evictions: 0,
    unreturned: crate::Unreturned {
        regions: 0,
        bytes: 0,
    },
    bookkeeping: crate::BookkeepingReport {
        mapped_bytes: 0,
        used_bytes: 0,
        cached_arenas: 0,
        arenas_mapped: 0,
        cache_hits: 0,
        cache_misses: 0,
    },
};

impl<S: ArenaSystem> Drop for Arenas<S> {
    /// Gives all kept regions back, sealed or not. Memories that are still live (their allocators
    /// were forgotten, never dropped) stay mapped for good.
    fn drop(&mut self) {
        self.sealed.store(false, Ordering::Relaxed);
        if self.trim().is_err() {
            // Only a seal refuses, and it was lifted above.
        }
    }
}

/// Access to [`Arenas`]: owned, borrowed, or shared.
///
/// # Safety
/// [`arenas`](Self::arenas) always returns the same object for as long as this value lives,
/// wherever it is moved, or a moved value that took over the same state: allocators give regions
/// back to where they got them.
pub unsafe trait ArenasRef {
    /// The arena system of the arenas.
    type System: ArenaSystem;

    /// The arenas.
    fn arenas(&self) -> &Arenas<Self::System>;
}

// SAFETY: the object itself; moving it moves the state along.
unsafe impl<S: ArenaSystem> ArenasRef for Arenas<S> {
    type System = S;

    fn arenas(&self) -> &Self {
        self
    }
}

// SAFETY: a shared reference keeps its referent in place and never changes it.
unsafe impl<S: ArenaSystem> ArenasRef for &Arenas<S> {
    type System = S;

    fn arenas(&self) -> &Arenas<S> {
        self
    }
}

#[cfg(feature = "alloc")]
// SAFETY: an `Arc` keeps its referent in place and never changes it.
unsafe impl<S: ArenaSystem> ArenasRef for alloc::sync::Arc<Arenas<S>> {
    type System = S;

    fn arenas(&self) -> &Arenas<S> {
        self
    }
}
