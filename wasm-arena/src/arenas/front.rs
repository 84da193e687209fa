//! Regions that wait for the thread that released them, in front of the lock that all share.
//!
//! ```text
//!            acquire, release
//!   thread ────────────────────▶ its slot: one region, behind a lock that hardly anybody else takes
//!      │
//!      └─ slot empty, busy, or of another shape ──▶ the cache, behind the lock of all
//! ```
//!
//! A thread whose memories come and go in one shape meets nobody here. What may wait is accounted for
//! before: a slot has a *credit* of one region and so many bytes, which count as kept whether or not
//! a region is there. So the limits hold without being asked. Slots are used where the newest region
//! is wanted first and the limits leave room for more than all slots; what is newest is then decided
//! thread by thread.
//!
//! Order of locks: slots by their index, then the state.

use core::sync::atomic::Ordering;

use os::{Mutex, MutexGuard, ThreadShards};

use super::Arenas;
use super::cache::{Kept, Shape};
use super::record::Record;
use crate::{ArenaOptions, ArenaSystem};

/// Threads that come and go with memories at once seldom meet in one of so many.
const SLOTS: usize = 8;

/// A credit this much larger than needed is kept rather than corrected behind the lock of all.
const TOLERATED_CREDIT: usize = 128 * 1024;

/// One region, or none, in cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Slot(Mutex<Waiting>);

/// What is in a slot.
///
/// Invariant: a region that waits here is in no list of the cache, nobody holds it, and it occupies
/// no more than the credit.
#[derive(Debug)]
pub(super) struct Waiting {
    kept: Option<Kept>,
    /// Bytes that the cache counts as kept for this slot, and a region with them.
    credit: Option<usize>,
    counts: Counts,
}

/// What happened in a slot, or in all. Counts wrap: those of the state and these count together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    /// Regions taken.
    pub(super) taken: usize,
    /// Of these, for new memories.
    pub(super) new: usize,
    /// Regions put, each at the end of a memory's use of it.
    pub(super) put: usize,
}

impl Counts {
    const NONE: Self = Self {
        taken: 0,
        new: 0,
        put: 0,
    };

    const fn plus(self, other: Self) -> Self {
        Self {
            taken: self.taken.wrapping_add(other.taken),
            new: self.new.wrapping_add(other.new),
            put: self.put.wrapping_add(other.put),
        }
    }
}

// SAFETY: the region that waits belongs to whoever holds the lock, whatever thread that is.
unsafe impl Send for Waiting {}

impl Slot {
    const fn new() -> Self {
        Self(Mutex::new(Waiting {
            kept: None,
            credit: None,
            counts: Counts::NONE,
        }))
    }

    /// Takes the region, if it has the shape, for a memory that may be new. Never waits.
    fn take(&self, shape: &Shape, is_new: bool) -> Option<Kept> {
        let mut waiting = self.0.try_lock()?;
        let kept = waiting.kept.take_if(|kept| {
            // SAFETY: it waits here, so its record is initialised and nobody changes its shape.
            let own = unsafe { Record::shape(kept.record) };
            shape.fits(&own)
        })?;
        let counts = &mut waiting.counts;
        counts.taken = counts.taken.wrapping_add(1);
        counts.new = counts.new.wrapping_add(usize::from(is_new));
        Some(kept)
    }
}

/// What became of a region that was to wait.
#[derive(Debug)]
pub(super) enum Put {
    /// It waits.
    Waits,
    /// It waits, and this one, which waited before, has to go into the cache.
    InPlaceOf(Kept),
    /// It has to go into the cache itself.
    Refused(Kept),
}

/// What the slots add to the accounts.
#[derive(Debug)]
pub(super) struct FrontAccount {
    pub(super) counts: Counts,
    /// Regions that the cache counts, though they are not kept now.
    pub(super) idle_regions: usize,
    /// Bytes that the cache counts, though nothing that is kept occupies them.
    pub(super) idle_bytes: usize,
}

/// All slots.
#[derive(Debug)]
pub(super) struct Front {
    slots: [Slot; SLOTS],
    threads: ThreadShards,
}

impl Front {
    pub(super) const fn new() -> Self {
        Self {
            slots: [const { Slot::new() }; SLOTS],
            threads: ThreadShards::new(),
        }
    }

    /// Whether the limits leave room for slots, and their order of reuse is the one wanted.
    pub(super) const fn suits(options: &ArenaOptions) -> bool {
        options.lifo_free && options.cache_allows(2 * SLOTS, 0)
    }

    /// The slot that this thread mostly uses.
    fn own(&self) -> &Slot {
        &self.slots[self.threads.of_this_thread(SLOTS)]
    }

    /// All slots, so that nothing comes or goes.
    pub(super) fn lock(&self) -> [MutexGuard<'_, Waiting>; SLOTS] {
        self.slots.each_ref().map(|slot| slot.0.lock())
    }

    pub(super) fn account(slots: &[MutexGuard<'_, Waiting>]) -> FrontAccount {
        let mut account = FrontAccount {
            counts: Counts::NONE,
            idle_regions: 0,
            idle_bytes: 0,
        };
        for waiting in slots {
            account.counts = account.counts.plus(waiting.counts);
            if let Some(credit) = waiting.credit {
                let occupied = waiting.kept.as_ref().map_or(0, |kept| kept.occupied);
                account.idle_regions += usize::from(waiting.kept.is_none());
                account.idle_bytes += credit - occupied;
            }
        }
        account
    }
}

impl<S: ArenaSystem> Arenas<S> {
    /// The region that waits for this thread, if it has the shape.
    pub(super) fn take_own(&self, shape: &Shape, is_new: bool) -> Option<Kept> {
        let is_open = self.has_front.load(Ordering::Relaxed);
        is_open
            .then(|| self.front.own().take(shape, is_new))
            .flatten()
    }

    /// A region of the shape that waits for any thread.
    pub(super) fn take_anybodys(&self, shape: &Shape, is_new: bool) -> Option<Kept> {
        let mut slots = self.front.slots.iter();
        slots.find_map(|slot| slot.take(shape, is_new))
    }

    /// Leaves a region, whose memory ended, for the next memory of this thread.
    pub(super) fn put(&self, kept: Kept) -> Put {
        if !self.has_front.load(Ordering::Relaxed) {
            return Put::Refused(kept);
        }
        let Some(mut waiting) = self.front.own().0.try_lock() else {
            return Put::Refused(kept);
        };
        let most = kept.occupied.saturating_add(TOLERATED_CREDIT);
        let suffices = |credit| (kept.occupied..=most).contains(&credit);
        if !waiting.credit.is_some_and(suffices) && !self.lend(&mut waiting, kept.occupied) {
            return Put::Refused(kept);
        }
        waiting.counts.put = waiting.counts.put.wrapping_add(1);
        match waiting.kept.replace(kept) {
            Some(before) => Put::InPlaceOf(before),
            None => Put::Waits,
        }
    }

    /// Makes the credit of a slot so many bytes, if the limits allow it.
    fn lend(&self, waiting: &mut Waiting, bytes: usize) -> bool {
        let mut state = self.state.lock();
        // Again, under the locks: whoever closes the front empties each slot afterwards.
        if !self.has_front.load(Ordering::Relaxed) {
            return false;
        }
        let lent = waiting.credit;
        let options = state.options;
        let is_lent = state.cache.lend(&options, lent, bytes);
        if is_lent {
            waiting.credit = Some(bytes);
        }
        is_lent
    }

    /// Moves what waits into the cache, and takes credits back. Says whether there was one.
    pub(super) fn empty_front(&self) -> bool {
        let mut found = false;
        for slot in &self.front.slots {
            let mut waiting = slot.0.lock();
            let Some(credit) = waiting.credit.take() else {
                continue;
            };
            found = true;
            let mut state = self.state.lock();
            state.cache.take_back(credit);
            if let Some(kept) = waiting.kept.take() {
                // SAFETY: it waited here, so it is initialised, in no list of the cache, and nobody
                // holds it; the lock is held.
                unsafe { state.cache.insert(&kept) };
            }
        }
        found
    }
}
