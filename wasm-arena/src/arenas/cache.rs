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
    fn fits(&self, other: &Self) -> bool {
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

/// A region taken out, and what is known of it.
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

    /// Regions kept.
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

    /// All records, oldest first.
    pub(super) fn iter(&self) -> super::record::Iter<'_> {
        self.age.iter_oldest_first(Chain::Age)
    }

    /// Keeps the region of a record. Its first `dirty` bytes of data may be other than zero, and so
    /// many bytes of it may be in memory.
    ///
    /// # Safety
    /// The record is initialised and in no list, and nobody holds its region; the lock is held.
    pub(super) unsafe fn insert(&mut self, record: NonNull<Record>, dirty: usize, occupied: usize) {
        // SAFETY: initialised and in no list, so nobody else looks at it, by the caller's promise.
        let fields = unsafe { &mut *record.as_ptr() };
        fields.dirty = dirty;
        fields.occupied = occupied;
        let shape = Shape {
            layout: fields.layout,
            locked: fields.locked,
        };
        self.count += 1;
        self.held_bytes += occupied;
        // SAFETY: in no list of this chain, by the caller's promise.
        unsafe { self.buckets[shape.bucket()].push(Chain::Group, record) };
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
            // SAFETY: in a list, so initialised; the lock is held, so nobody writes these fields.
            let fields = unsafe { record.as_ref() };
            shape.fits(&Shape {
                layout: fields.layout,
                locked: fields.locked,
            })
        };
        let found = if newest_first {
            bucket.iter(Chain::Group).take(PROBES).find(fits)
        } else {
            bucket
                .iter_oldest_first(Chain::Group)
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
        let fields = unsafe { &mut *record.as_ptr() };
        let shape = Shape {
            layout: fields.layout,
            locked: fields.locked,
        };
        self.count -= 1;
        self.held_bytes -= fields.occupied;
        // SAFETY: in the bucket of its shape, by the invariant of the cache.
        unsafe { self.buckets[shape.bucket()].remove(Chain::Group, record) };
        // SAFETY: in the age list, by the invariant of the cache.
        unsafe { self.age.remove(Chain::Age, record) };
        Kept {
            record,
            dirty: fields.dirty,
            occupied: fields.occupied,
        }
    }
}
