//! The record of one region, and the lists records are kept in.
//!
//! Records live in small blocks of the arena system, so a list needs no memory of its own and every
//! step is constant time. All links are read and written under the lock of
//! [`Arenas`](super::Arenas); atomics are also written by the region's owner, to whom the region
//! itself belongs. Whoever has not got the lock names fields one by one: a reference to all of a
//! record would cover the links.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::cache::Shape;
use crate::{MemoryId, Region, RegionLayout};

/// Chains a record can be in at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chain {
    /// All regions of the arenas.
    Register = 0,
    /// The cached regions of one bucket.
    Bucket = 1,
    /// All cached regions by age.
    Age = 2,
}

const CHAINS: usize = 3;

#[derive(Debug, Clone, Copy)]
struct Links {
    newer: Option<NonNull<Record>>,
    older: Option<NonNull<Record>>,
}

/// What is known of a region.
///
/// In this order, because records lie side by side in small blocks: what changes in every life is
/// further from both ends than a cache line is long, so that two threads do not share one.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Record {
    /// Its shape; what it says of opened bytes is of the day it was acquired.
    pub(super) layout: RegionLayout,
    /// Where the region starts; for looking addresses up.
    pub(super) start: NonNull<u8>,
    /// Its pages are locked in memory.
    pub(super) locked: bool,
    /// The number of the memory that lives in the region, or lived in it last.
    id: AtomicUsize,
    /// Whether it lives.
    is_live: AtomicBool,
    /// Bytes of data the memory shows. Written by the owner while it is live.
    pub(super) size: AtomicUsize,
    /// Accessible bytes. Written by the owner while it is live.
    pub(super) accessible: AtomicUsize,
    /// The region. It stays here, so that handing it over moves nothing: it belongs to the
    /// [`HeldRegion`](super::HeldRegion) while it is live, whoever holds the lock, and to the cache
    /// while it is kept.
    pub(super) region: UnsafeCell<Region>,
    /// While it is in the cache: bytes from the base that may be other than zero.
    pub(super) dirty: usize,
    /// While it is in the cache: bytes of it that may be in memory.
    pub(super) occupied: usize,
    links: [Links; CHAINS],
}

impl Record {
    pub(super) fn new(id: MemoryId, region: Region, locked: bool) -> Self {
        Self {
            id: AtomicUsize::new(id.get()),
            is_live: AtomicBool::new(true),
            start: region.start(),
            layout: *region.layout(),
            size: AtomicUsize::new(0),
            accessible: AtomicUsize::new(region.accessible()),
            locked,
            region: UnsafeCell::new(region),
            dirty: 0,
            occupied: 0,
            links: [Links {
                newer: None,
                older: None,
            }; CHAINS],
        }
    }

    /// The memory that lives in the region.
    pub(super) fn memory(&self) -> Option<MemoryId> {
        let is_live = self.is_live.load(Ordering::Relaxed);
        is_live.then(|| MemoryId::from_number(self.id.load(Ordering::Relaxed)))
    }

    /// Notes which memory lives in the region from now on.
    ///
    /// # Safety
    /// The record is initialised.
    pub(super) unsafe fn set_memory(record: NonNull<Self>, memory: Option<MemoryId>) {
        // SAFETY: initialised, by the caller's promise; the field is atomic and shared on purpose.
        let is_live = unsafe { &(*record.as_ptr()).is_live };
        if let Some(id) = memory {
            // SAFETY: as above.
            let number = unsafe { &(*record.as_ptr()).id };
            number.store(id.get(), Ordering::Relaxed);
        }
        is_live.store(memory.is_some(), Ordering::Relaxed);
    }

    /// What makes the region fit a request.
    ///
    /// # Safety
    /// The record is initialised, and nobody changes its shape meanwhile: it is kept, or the
    /// caller's.
    pub(super) unsafe fn shape(record: NonNull<Self>) -> Shape {
        Shape {
            // SAFETY: initialised and not written to, by the caller's promise.
            layout: unsafe { (*record.as_ptr()).layout },
            // SAFETY: as above.
            locked: unsafe { (*record.as_ptr()).locked },
        }
    }
}

/// A chain of records, newest first.
///
/// Invariants: (1) every record in it is live in the sense of Rust: allocated and initialised;
/// (2) a record is in at most one list per [`Chain`]; (3) links are only touched under the lock.
#[derive(Debug)]
pub(super) struct List {
    newest: Option<NonNull<Record>>,
    oldest: Option<NonNull<Record>>,
}

impl List {
    pub(super) const EMPTY: Self = Self {
        newest: None,
        oldest: None,
    };

    pub(super) const fn oldest(&self) -> Option<NonNull<Record>> {
        self.oldest
    }

    /// Adds a record as the newest.
    ///
    /// # Safety
    /// The record is initialised and in no list of this chain; the lock is held.
    pub(super) unsafe fn push(&mut self, chain: Chain, record: NonNull<Record>) {
        let links = Links {
            newer: None,
            older: self.newest,
        };
        // SAFETY: initialised, and the lock is held, by the caller's promise.
        unsafe { *links_of(record, chain) = links };
        match self.newest {
            // SAFETY: in the list, so initialised (invariant 1); the lock is held.
            Some(newest) => unsafe { (*links_of(newest, chain)).newer = Some(record) },
            None => self.oldest = Some(record),
        }
        self.newest = Some(record);
    }

    /// Takes a record out.
    ///
    /// # Safety
    /// The record is in this list, through this chain; the lock is held.
    pub(super) unsafe fn remove(&mut self, chain: Chain, record: NonNull<Record>) {
        // SAFETY: in the list, so initialised (invariant 1); the lock is held.
        let Links { newer, older } = unsafe { *links_of(record, chain) };
        match newer {
            // SAFETY: a neighbour is in the list, so initialised (invariant 1).
            Some(newer) => unsafe { (*links_of(newer, chain)).older = older },
            None => self.newest = older,
        }
        match older {
            // SAFETY: a neighbour is in the list, so initialised (invariant 1).
            Some(older) => unsafe { (*links_of(older, chain)).newer = newer },
            None => self.oldest = newer,
        }
    }

    /// Walks the list from the newest record to the oldest. The borrow keeps the list unchanged.
    pub(super) fn iter(&self, chain: Chain) -> Iter<'_> {
        Iter {
            next: self.newest,
            chain,
            older: true,
            list: PhantomData,
        }
    }

    /// Walks the list from the oldest record to the newest.
    pub(super) fn iter_oldest_first(&self, chain: Chain) -> Iter<'_> {
        Iter {
            next: self.oldest,
            chain,
            older: false,
            list: PhantomData,
        }
    }
}

/// A walk along a [`List`].
#[derive(Debug)]
pub(super) struct Iter<'a> {
    next: Option<NonNull<Record>>,
    chain: Chain,
    older: bool,
    list: PhantomData<&'a List>,
}

impl Iterator for Iter<'_> {
    type Item = NonNull<Record>;

    fn next(&mut self) -> Option<NonNull<Record>> {
        let record = self.next?;
        // SAFETY: in the list, so initialised (invariant 1 of `List`); whoever borrows the list
        // holds the lock that guards it.
        let links = unsafe { *links_of(record, self.chain) };
        self.next = if self.older { links.older } else { links.newer };
        Some(record)
    }
}

/// The place of a record's links.
fn links_of(record: NonNull<Record>, chain: Chain) -> *mut Links {
    let offset = core::mem::offset_of!(Record, links) + chain as usize * size_of::<Links>();
    record.as_ptr().wrapping_byte_add(offset).cast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RegionRequest;
    use std::boxed::Box;
    use std::vec::Vec;

    fn record() -> NonNull<Record> {
        let page = os::PageSize::new(4096).unwrap();
        let layout = RegionLayout::new(page, RegionRequest::default()).unwrap();
        // SAFETY: never used as a region: the test looks at links only.
        let region = unsafe { Region::from_raw_parts(NonNull::dangling(), 4096, layout) };
        NonNull::from(Box::leak(Box::new(Record::new(
            MemoryId::from_number(1),
            region,
            false,
        ))))
    }

    #[test]
    fn lists_follow_a_vector() {
        let records: Vec<_> = (0..8).map(|_| record()).collect();
        for chain in [Chain::Register, Chain::Bucket, Chain::Age] {
            let mut list = List::EMPTY;
            let mut model: Vec<NonNull<Record>> = Vec::new();
            let mut seed = 7_u32;
            for _ in 0..2000 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let record = records[(seed >> 16) as usize % records.len()];
                if let Some(position) = model.iter().position(|&other| other == record) {
                    model.remove(position);
                    // SAFETY: the model says it is in the list.
                    unsafe { list.remove(chain, record) };
                } else {
                    model.insert(0, record);
                    // SAFETY: the model says it is in no list.
                    unsafe { list.push(chain, record) };
                }
                assert!(list.iter(chain).eq(model.iter().copied()));
                assert!(
                    list.iter_oldest_first(chain)
                        .eq(model.iter().rev().copied())
                );
                assert_eq!(list.oldest(), model.last().copied());
            }
        }
        for record in records {
            // SAFETY: made by `Box::leak` above and used no more.
            drop(unsafe { Box::from_raw(record.as_ptr()) });
        }
    }
}
