//! Released regions, kept for the next request of the same shape.
//!
//! ```text
//!   bucket (hash of the shape) ──▶ newest ── … ── oldest      find: at most `PROBES` looks
//!   age ──▶ newest ────────────────────────────── oldest      make room: drop the oldest
//! ```
//!
//! A kept region still has its guards. Putting in, taking out and finding take constant time; how
//! many regions are kept, or how many shapes there are, does not matter. A bucket shared by more
//! than [`PROBES`] regions of other shapes can make a search miss one that is there: the cost is a
//! fresh region, never a wrong one.

use core::ptr::NonNull;

use super::record::{Chain, List, Record};
use crate::{ArenaOptions, RegionLayout};

const BUCKETS: usize = 64;
const PROBES: usize = 8;

/// What makes a region fit a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) layout: RegionLayout,
    pub(super) locked: bool,
}

impl Shape {
    pub(super) fn fits(&self, other: &Self) -> bool {
        self.locked == other.locked && self.layout.same_shape(&other.layout)
    }

    /// Multiplicative hashing: the parts are multiples of the host page, so their low bits say
    /// nothing and the product's high bits everything.
    pub(super) const fn bucket(&self) -> usize {
        const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut hash = self.layout.capacity() as u64;
        hash = hash.wrapping_mul(MULTIPLIER) ^ self.layout.guard_after() as u64;
        hash = hash.wrapping_mul(MULTIPLIER) ^ self.layout.guard_before() as u64;
        hash = hash.wrapping_mul(MULTIPLIER)
            ^ (self.locked as u64)
            ^ ((self.layout.guards_readable() as u64) << 1);
        (hash.wrapping_mul(MULTIPLIER) >> 58) as usize
    }
}

/// A region that is kept, and what is known of it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) record: NonNull<Record>,
    /// Bytes from the base that may be other than zero.
    pub(super) dirty: usize,
    /// Bytes that may be in memory.
    pub(super) occupied: usize,
}

/// The regions kept.
///
/// Invariant: a record is in a bucket exactly if it is in the age list, and then its region belongs
/// to the cache.
#[derive(Debug)]
pub(super) struct RegionCache {
    buckets: [List; BUCKETS],
    age: List,
    count: usize,
    held_bytes: usize,
}

impl RegionCache {
    pub(super) const EMPTY: Self = Self {
        buckets: [List::EMPTY; BUCKETS],
        age: List::EMPTY,
        count: 0,
        held_bytes: 0,
    };

    /// Regions kept, here or elsewhere on credit.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Bytes of memory they may hold: those that were written, or all where reserving costs memory.
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether the limits are exceeded.
    pub(super) const fn is_over(&self, options: &ArenaOptions) -> bool {
        self.count > 0 && !options.cache_allows(self.count, self.held_bytes)
    }

    /// Counts a region of `bytes` as kept that is not here, in place of what was `lent` before, if the
    /// limits allow it.
    pub(super) const fn lend(
        &mut self,
        options: &ArenaOptions,
        lent: Option<usize>,
        bytes: usize,
    ) -> bool {
        let (regions, bytes_lent) = match lent {
            Some(bytes) => (1, bytes),
            None => (0, 0),
        };
        let count = self.count - regions + 1;
        let held_bytes = self.held_bytes - bytes_lent + bytes;
        let is_allowed = options.cache_allows(count, held_bytes);
        if is_allowed {
            self.count = count;
            self.held_bytes = held_bytes;
        }
        is_allowed
    }

    /// Counts what was lent no more.
    pub(super) const fn take_back(&mut self, bytes: usize) {
        self.count -= 1;
        self.held_bytes -= bytes;
    }

    /// Keeps a region.
    ///
    /// # Safety
    /// Its record is initialised, in the register and in no list of a cache, and nobody holds the
    /// region; the lock is held.
    pub(super) unsafe fn insert(&mut self, kept: &Kept) {
        let &Kept {
            record,
            dirty,
            occupied,
        } = kept;
        // SAFETY: initialised, and whoever looks at records holds the lock, by the caller's promise.
        let fields = unsafe { &mut *record.as_ptr() };
        fields.dirty = dirty;
        fields.occupied = occupied;
        // SAFETY: initialised; the lock is held.
        let shape = unsafe { Record::shape(record) };
        self.count += 1;
        self.held_bytes += occupied;
        // SAFETY: in no list of this chain, by the caller's promise.
        unsafe { self.buckets[shape.bucket()].push(Chain::Bucket, record) };
        // SAFETY: in no list of this chain, by the caller's promise.
        unsafe { self.age.push(Chain::Age, record) };
    }

    /// Takes out a region of this shape: the last one kept if `newest_first`, else the first.
    ///
    /// # Safety
    /// The lock is held.
    pub(super) unsafe fn take(&mut self, shape: &Shape, newest_first: bool) -> Option<Kept> {
        let bucket = &self.buckets[shape.bucket()];
        let fits = |record: &NonNull<Record>| {
            // SAFETY: in a list, so initialised; kept, so nobody changes its shape.
            shape.fits(&unsafe { Record::shape(*record) })
        };
        let found = if newest_first {
            bucket.iter(Chain::Bucket).take(PROBES).find(fits)
        } else {
            bucket
                .iter_oldest_first(Chain::Bucket)
                .take(PROBES)
                .find(fits)
        };
        // SAFETY: found in the cache; the lock is held.
        found.map(|record| unsafe { self.remove(record) })
    }

    /// Takes out the region that was kept longest.
    ///
    /// # Safety
    /// The lock is held.
    pub(super) unsafe fn take_oldest(&mut self) -> Option<Kept> {
        // SAFETY: in the age list, so in the cache; the lock is held.
        self.age
            .oldest()
            .map(|record| unsafe { self.remove(record) })
    }

    /// # Safety
    /// The record is in this cache; the lock is held.
    unsafe fn remove(&mut self, record: NonNull<Record>) -> Kept {
        // SAFETY: in the cache, so initialised and nobody's but ours, while the lock is held.
        let fields = unsafe { record.as_ref() };
        let kept = Kept {
            record,
            dirty: fields.dirty,
            occupied: fields.occupied,
        };
        // SAFETY: initialised; the lock is held.
        let shape = unsafe { Record::shape(record) };
        self.count -= 1;
        self.held_bytes -= kept.occupied;
        // SAFETY: in the bucket of its shape, by the invariant of the cache.
        unsafe { self.buckets[shape.bucket()].remove(Chain::Bucket, record) };
        // SAFETY: in the age list, by the invariant of the cache.
        unsafe { self.age.remove(Chain::Age, record) };
        kept
    }
}
