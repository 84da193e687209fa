//! What memories share: an arena system, the regions kept for reuse, the register of live regions.
//!
//! ```text
//!   allocator   allocator   allocator        each holds one region
//!        ╲          │          ╱
//!         Arenas: register ─ kept ─ accounts      one short lock; never held during a system call
//!                     │
//!                ArenaSystem                      only when nothing kept fits
//! ```
//!
//! In the steady state (a memory of a shape that was released before) a request calls nobody, and
//! takes the lock twice for a few dozen instructions, or a lock that is its thread's alone
//! ([`front`]).

mod cache;
mod cleaning;
mod describe;
mod exchange;
mod front;
mod habits;
mod held;
mod record;
mod reference;
mod touched;

use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use os::{Mutex, OsCall, PageSource, Resource, ResourceLimits};

use crate::{
    AllocError, ArenaOptions, ArenaSystem, ArenasStatistics, ConfigOption, EffectiveConfiguration,
    OptionValue,
};
use cache::RegionCache;
use front::Front;
use habits::Habits;
use record::{Chain, List, Record};

pub(crate) use cleaning::FILL_LIMIT;
pub use describe::{AddressDescription, Busy, MemoryId};
pub(crate) use held::HeldRegion;
pub use reference::ArenasRef;

/// An arena system with its cache and its accounts: what memories draw on.
///
/// Share it by reference, or with the feature `alloc` through an `Arc`; an allocator may also own
/// one. Methods take `&self` and may be called from several threads.
#[derive(Debug)]
pub struct Arenas<S: ArenaSystem> {
    system: S,
    sealed: AtomicBool,
    /// The page source cannot tell which pages were touched, although the platform could.
    cannot_ask: AtomicBool,
    /// The process has limits: `State::limits` are not all missing.
    is_limited: AtomicBool,
    accessible: AtomicUsize,
    peak_accessible: AtomicUsize,
    /// The front is in use.
    has_front: AtomicBool,
    /// Numbers of memories that were given away.
    numbered: Alone<AtomicUsize>,
    front: Front,
    state: Alone<Mutex<State>>,
}

/// Something that is written all the time, away from what is only read.
#[derive(Debug)]
#[repr(align(128))]
struct Alone<T>(T);

impl<T> Deref for Alone<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Debug)]
struct State {
    options: ArenaOptions,
    effective: EffectiveConfiguration,
    limits: ResourceLimits,
    /// All regions, live and kept.
    register: List,
    cache: RegionCache,
    habits: Habits,
    /// Without what the front counts; what both count together wraps.
    counts: ArenasStatistics,
}

impl State {
    /// Counts a request for a region: whether one that was kept serves it, and whether it is for a
    /// new memory.
    const fn count_request(&mut self, is_hit: bool, is_new: bool) {
        let counts = &mut self.counts;
        if is_hit {
            counts.cache_hits = counts.cache_hits.wrapping_add(1);
            counts.live_memories = counts.live_memories.wrapping_add(1);
        } else {
            counts.cache_misses += 1;
        }
        if is_new {
            counts.memories_allocated = counts.memories_allocated.wrapping_add(1);
        }
    }

    /// Takes the region that was kept longest out of the cache and out of the register.
    ///
    /// # Safety
    /// The lock is held.
    unsafe fn take_oldest(&mut self) -> Option<NonNull<Record>> {
        // SAFETY: the lock is held.
        let kept = unsafe { self.cache.take_oldest() }?;
        // SAFETY: every record that is kept is in the register; the lock is held.
        unsafe { self.register.remove(Chain::Register, kept.record) };
        Some(kept.record)
    }
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
            cannot_ask: AtomicBool::new(false),
            is_limited: AtomicBool::new(false),
            accessible: AtomicUsize::new(0),
            peak_accessible: AtomicUsize::new(0),
            numbered: Alone(AtomicUsize::new(0)),
            has_front: AtomicBool::new(false),
            front: Front::new(),
            state: Alone(Mutex::new(State {
                options: ArenaOptions::DEFAULT,
                effective: EffectiveConfiguration::empty(),
                limits: ResourceLimits::NONE,
                register: List::EMPTY,
                cache: RegionCache::EMPTY,
                habits: Habits::UNKNOWN,
                counts: ZERO_COUNTS,
            })),
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
    /// A setting is outside its limits; nothing is changed. If arenas cannot be preallocated, the
    /// page source's refusal; settings of the small blocks are in force all the same.
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
            (
                ConfigOption::RestoreOnDrop,
                OptionValue::Switch(options.restore_on_drop),
            ),
        ] {
            effective.applied(option, value);
        }
        self.system.configure(&options, &mut effective)?;
        let limits = self.system.source().limits();
        {
            let mut state = self.state.lock();
            self.is_limited
                .store(limits != ResourceLimits::NONE, Ordering::Relaxed);
            state.limits = limits;
            state.options = options;
            state.effective = effective;
            (self.has_front).store(Front::suits(&options), Ordering::Relaxed);
        }
        self.empty_front();
        self.evict();
        Ok(())
    }

    /// The settings in force.
    #[must_use]
    pub fn options(&self) -> ArenaOptions {
        self.state.lock().options
    }

    /// What became of the settings asked for, as things stand now: a setting that belongs to the
    /// process may have been overruled since. No system call.
    #[must_use]
    pub fn effective_configuration(&self) -> EffectiveConfiguration {
        let mut effective = self.state.lock().effective;
        self.system.review(&mut effective);
        effective
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

    /// The limits of the process, as they were when these arenas were last configured.
    #[must_use]
    pub fn resource_limits(&self) -> ResourceLimits {
        self.state.lock().limits
    }

    /// Refuses what the limits of the process cannot allow, counting only what these arenas hold:
    /// an answer with numbers, before the operating system gives one without. Address space counts
    /// when it is reserved, data when it can be written, unless reserving costs it already.
    pub(crate) fn check_limits(&self, reserve: usize, open: usize) -> Result<(), AllocError> {
        if !self.is_limited.load(Ordering::Relaxed) {
            return Ok(());
        }
        let free = self.system.facts().pages.reserves_for_free;
        let state = self.state.lock();
        let reserved = state.counts.reserved_bytes;
        let (data, more_data) = if free {
            (self.accessible.load(Ordering::Relaxed), open)
        } else {
            (reserved, reserve)
        };
        for (resource, limit, held, requested) in [
            (
                Resource::AddressSpace,
                state.limits.address_space,
                reserved,
                reserve,
            ),
            (Resource::Data, state.limits.data, data, more_data),
        ] {
            if let Some(limit) = limit
                && held.saturating_add(requested) as u64 > limit
            {
                return Err(AllocError::BeyondResourceLimit {
                    resource,
                    requested,
                    held,
                    limit,
                });
            }
        }
        Ok(())
    }

    /// Refuses if a call is not allowed.
    pub(crate) fn permit(&self, needed: OsCall) -> Result<(), AllocError> {
        if self.is_sealed() {
            Err(AllocError::Sealed { needed })
        } else {
            Ok(())
        }
    }

    /// Whether the page source may be asked which pages were touched.
    fn may_ask(&self) -> bool {
        !self.cannot_ask.load(Ordering::Relaxed)
    }

    /// Asking was refused for good.
    fn stop_asking(&self) {
        self.cannot_ask.store(true, Ordering::Relaxed);
    }

    /// Gives everything that is kept and not in use back to the operating system, whatever the
    /// limits say. Returns the bytes of address space given back. Cost grows with what is kept.
    ///
    /// # Errors
    /// [`AllocError::Sealed`].
    pub fn trim(&self) -> Result<usize, AllocError> {
        self.permit(OsCall::Unmap)?;
        Ok(self.discard_kept() + self.system.trim())
    }

    /// Gives back every region that is kept; returns the bytes of address space.
    fn discard_kept(&self) -> usize {
        let mut bytes = 0;
        self.empty_front();
        loop {
            // SAFETY: the guard in the expression holds the lock.
            let oldest = unsafe { self.state.lock().take_oldest() };
            let Some(record) = oldest else {
                break;
            };
            // SAFETY: taken out, so in no list, and nobody holds its region.
            bytes += unsafe { self.discard_region(record) }.unwrap_or(0);
        }
        bytes
    }

    /// The accounts. Constant time, no system call.
    #[must_use]
    pub fn statistics(&self) -> ArenasStatistics {
        let slots = self.front.lock();
        let state = self.state.lock();
        let front = Front::account(&slots);
        let (own, more) = (&state.counts, front.counts);
        let lost_here = own.unreturned;
        let lost_below = self.system.unreturned();
        ArenasStatistics {
            accessible_bytes: self.accessible.load(Ordering::Relaxed),
            peak_accessible_bytes: self.peak_accessible.load(Ordering::Relaxed),
            live_memories: own
                .live_memories
                .wrapping_add(more.taken)
                .wrapping_sub(more.put),
            memories_allocated: own.memories_allocated.wrapping_add(more.new),
            cache_hits: own.cache_hits.wrapping_add(more.taken),
            cached_regions: state.cache.count() - front.idle_regions,
            cached_bytes: state.cache.held_bytes() - front.idle_bytes,
            unreturned: crate::Unreturned {
                regions: lost_here.regions + lost_below.regions,
                bytes: lost_here.bytes + lost_below.bytes,
            },
            bookkeeping: self.system.bookkeeping(),
            ..*own
        }
    }

    /// Counts the resident bytes of all regions, live and kept. For reports: one system call per
    /// 16 MiB, with the lock held.
    ///
    /// # Errors
    /// The page source cannot tell.
    pub fn measure_resident(&self) -> Result<usize, AllocError> {
        let mut state = self.state.lock();
        let mut bytes = 0;
        for record in state.register.iter(Chain::Register) {
            // SAFETY: in the register, so initialised; the lock is held, so links and layout rest.
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
    refused_allocations: 0,
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
        self.discard_kept();
    }
}
