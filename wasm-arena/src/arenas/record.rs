//! The record of one region, and the lists records are kept in.
//!
//! Records live in small blocks of the arena system, so a list needs no memory of its own and every
//! step is constant time. All links are read and written under the lock of
//! [`Arenas`](super::Arenas); the two atomics are also written by the region's owner, to whom the
//! region itself belongs.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::AtomicUsize;

use crate::{MemoryId, Region, RegionLayout};

/// Chains a record can be in at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chain {
    /// The live regions, or the cached regions of one bucket.
    Group = 0,
    /// All cached regions by age.
    Age = 1,
}

#[derive(Debug, Clone, Copy)]
struct Links {
    newer: Option<NonNull<Record>>,
    older: Option<NonNull<Record>>,
}

/// What is known of a region.
#[derive(Debug)]
pub(crate) struct Record {
    /// The memory that lives in the region, or lived in it last.
    pub(super) id: MemoryId,
    /// Where the region starts; for looking addresses up.
    pub(super) start: NonNull<u8>,
    /// Its shape; what it says of opened bytes is of the day it was acquired.
    pub(super) layout: RegionLayout,
    /// Bytes of data the memory shows. Written by the owner while it is live.
    pub(super) size: AtomicUsize,
    /// Accessible bytes. Written by the owner while it is live.
    pub(super) accessible: AtomicUsize,
    /// Its pages are locked in memory.
    pub(super) locked: bool,
    /// The region. It stays here, so that handing it over moves nothing: it belongs to the
    /// [`HeldRegion`](super::HeldRegion) while it is live, whoever holds the lock, and to the cache
    /// while it is kept.
    pub(super) region: UnsafeCell<Region>,
    /// While it is cached: bytes from the base that may be other than zero.
    pub(super) dirty: usize,
    /// While it is cached: bytes of it that may be in memory.
    pub(super) occupied: usize,
    links: [Links; 2],
}

impl Record {
    pub(super) fn new(id: MemoryId, region: Region, locked: bool) -> Self {
        Self {
            id,
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
            }; 2],
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
            MemoryId::FIRST,
            region,
            false,
        ))))
    }

    #[test]
    fn lists_follow_a_vector() {
        let records: Vec<_> = (0..8).map(|_| record()).collect();
        for chain in [Chain::Group, Chain::Age] {
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
