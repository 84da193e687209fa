//! The memories of one store: their regions, and who may grow.
//!
//! wasmi asks a limiter before a memory grows, and names its size and its maximum, not the memory.
//! So the ledger keeps a size for each memory and takes the growth for the first memory that fits
//! the description. Memories of the same size and maximum are taken for each other then, which
//! changes no sum and no decision; the true sizes are read from the store when it is asked for its
//! accounts, and before it ends.
//!
//! Invariants: (1) a growth is granted only up to the least capacity among the memories of the
//! named maximum, so never beyond that of the memory that grows (there wasmi would panic); (2) the
//! multiset of kept sizes per maximum is that of true sizes, as long as every memory of the store
//! is in the ledger; (3) an allocator ends only in `cancel` and `close`, whose callers vouch that
//! nobody uses its region.

use alloc::sync::Arc;
use alloc::vec::Vec;

use os::Mutex;
use wasm_arena::{
    AllocError, Allocator, ArenaSystem, Arenas, MemoryRecord, PageAllocator, SharedRecord,
};
use wasmi::StoreLimits;

use crate::options::Plan;
use crate::region::LentRegion;
use crate::{ArenaMemories, MemoryError};

/// What a store asks of the ledger of its memories, whatever the arena system.
pub(crate) trait Ledger: Send + Sync {
    /// Takes a region for a memory; it is the last of the list from now on.
    fn open(&self, plan: &Plan, is_64: bool) -> Result<LentRegion, MemoryError>;

    /// Plans a memory: how much room it gets.
    fn plan(&self, ty: wasmi::MemoryType) -> Result<Plan, MemoryError>;

    /// The last memory opened was not made after all.
    ///
    /// # Safety
    /// Nobody has the region of that memory.
    unsafe fn cancel(&self);

    /// wasmi makes a memory of `desired` bytes, or grows one: whether it may.
    fn permit(&self, current: usize, desired: usize, maximum: Option<usize>) -> bool;

    /// What was permitted last did not take place.
    fn undo(&self);

    /// The true size of a memory, in bytes.
    fn correct(&self, index: usize, size: usize);

    /// The accounts, in order of opening.
    fn records(&self) -> Vec<MemoryRecord>;

    /// Checks bookkeeping and guards of every memory.
    fn verify(&self) -> Result<(), AllocError>;

    /// The limits of the store that are not about bytes.
    fn limits(&self) -> &Mutex<StoreLimits>;

    /// Gives all regions back.
    ///
    /// # Safety
    /// Nobody has a region of this ledger any more.
    unsafe fn close(&self);
}

/// One memory.
struct Entry<S: ArenaSystem> {
    allocator: Allocator<Arc<Arenas<S>>>,
    plan: Plan,
    /// The size by the ledger's reckoning, in bytes; the allocator's is never below.
    size: usize,
    /// The greatest true size seen, in bytes.
    reached: usize,
    is_64: bool,
    last_refusal: Option<AllocError>,
    /// Growths past the room, which the allocator is not asked for and so does not count.
    past_room: usize,
    account: Option<SharedRecord>,
}

/// What was permitted last.
#[derive(Debug, Clone, Copy)]
struct Permitted {
    index: usize,
    before: usize,
}

struct Books<S: ArenaSystem> {
    entries: Vec<Entry<S>>,
    /// The last entry is being made into a memory.
    opening: bool,
    permitted: Option<Permitted>,
}

/// The ledger over arenas of a system.
pub(crate) struct ArenaLedger<S: ArenaSystem + 'static> {
    memories: ArenaMemories<S>,
    limits: Mutex<StoreLimits>,
    books: Mutex<Books<S>>,
}

impl<S: ArenaSystem + 'static> ArenaLedger<S> {
    pub(crate) fn new(memories: ArenaMemories<S>) -> Self {
        Self {
            memories,
            limits: Mutex::new(StoreLimits::default()),
            books: Mutex::new(Books {
                entries: Vec::new(),
                opening: false,
                permitted: None,
            }),
        }
    }
}

impl<S: ArenaSystem> Entry<S> {
    /// Lets the allocator follow; what it refuses, is refused.
    fn grow_to(&mut self, size: usize) -> Result<(), AllocError> {
        // Larger already after a growth that was undone: paid for, and still zero.
        let additional = size.saturating_sub(self.allocator.size());
        self.allocator.grow_bytes(additional)?;
        self.size = size;
        Ok(())
    }

    fn refuse(&mut self, why: AllocError) {
        self.last_refusal = Some(why);
    }

    fn record(&self) -> Option<MemoryRecord> {
        let mut statistics = *self.allocator.statistics();
        statistics.current_bytes = self.size;
        statistics.peak_bytes = self.reached.max(self.size);
        statistics.refused_grows = statistics.refused_grows.saturating_add(self.past_room);
        let mut record = MemoryRecord::new(self.allocator.id()?, statistics, self.plan.page_size);
        record.is_64 = self.is_64;
        record.last_refusal = self.last_refusal;
        Some(record)
    }

    fn publish(&self) {
        if let (Some(account), Some(now)) = (&self.account, self.record()) {
            account.update(|record| *record = now);
        }
    }
}

impl<S: ArenaSystem> Books<S> {
    fn permit(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        self.permitted = None;
        if core::mem::take(&mut self.opening) {
            return true;
        }
        let alike = |entry: &&mut Entry<S>| entry.plan.maximum == maximum;
        let capacity = self
            .entries
            .iter_mut()
            .filter(alike)
            .map(|entry| entry.plan.limit)
            .min();
        let found = self
            .entries
            .iter_mut()
            .enumerate()
            .find(|(_, entry)| entry.plan.maximum == maximum && entry.size == current);
        // Without one: a memory that was not made here. (One that is being made by somebody else
        // cannot be told from the growth of an empty one of ours, if there is one; it then counts
        // as that.)
        let (Some((index, entry)), Some(capacity)) = (found, capacity) else {
            return false;
        };
        let before = entry.size;
        let permitted = if desired > capacity {
            entry.past_room = entry.past_room.saturating_add(1);
            Err(AllocError::NoRoom {
                requested: desired,
                capacity,
            })
        } else {
            entry.grow_to(desired)
        };
        if let Err(why) = permitted {
            entry.refuse(why);
        }
        entry.publish();
        if permitted.is_ok() {
            self.permitted = Some(Permitted { index, before });
        }
        permitted.is_ok()
    }
}

impl<S: ArenaSystem + 'static> Ledger for ArenaLedger<S> {
    fn open(&self, plan: &Plan, is_64: bool) -> Result<LentRegion, MemoryError> {
        let mut books = self.books.lock();
        let limit = wasmi::ResourceLimiter::memories(&*self.limits.lock());
        if books.entries.len() >= limit {
            return Err(MemoryError::TooManyMemories { limit });
        }
        if books.entries.try_reserve(1).is_err() {
            return Err(MemoryError::AccountsFull {
                kept: books.entries.len(),
            });
        }
        let mut allocator = self.memories.allocator()?;
        let (base, _) =
            allocator.allocate_with_capacity(plan.initial, Some(plan.limit), plan.limit)?;
        let mut entry = Entry {
            allocator,
            plan: *plan,
            size: plan.initial,
            reached: plan.initial,
            is_64,
            last_refusal: None,
            past_room: 0,
            account: None,
        };
        if let (Some(records), Some(record)) = (self.memories.list(), entry.record()) {
            entry.account = Some(records.open(record)?);
        }
        books.entries.push(entry);
        books.opening = true;
        // SAFETY: (1) the region was allocated with this capacity, and `options::resolve` opens all of
        // it; (2) made once, here; growth in an open room is arithmetic, and what zeroes it (`reset`)
        // is never called.
        Ok(unsafe { LentRegion::new(base, plan.limit) })
    }

    fn plan(&self, ty: wasmi::MemoryType) -> Result<Plan, MemoryError> {
        self.memories.plan(ty)
    }

    unsafe fn cancel(&self) {
        let mut books = self.books.lock();
        books.opening = false;
        books.permitted = None;
        let cancelled = books.entries.pop();
        drop(books);
        if let Some(entry) = cancelled {
            // SAFETY: the caller's promise.
            unsafe { end(entry) };
        }
    }

    fn permit(&self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        self.books.lock().permit(current, desired, maximum)
    }

    fn undo(&self) {
        let mut books = self.books.lock();
        let permitted = books.permitted.take();
        if let Some(Permitted { index, before }) = permitted
            && let Some(entry) = books.entries.get_mut(index)
        {
            entry.size = before;
            entry.publish();
        }
    }

    fn correct(&self, index: usize, size: usize) {
        let mut books = self.books.lock();
        if let Some(entry) = books.entries.get_mut(index) {
            entry.size = size;
            entry.reached = entry.reached.max(size);
            entry.publish();
        }
    }

    fn records(&self) -> Vec<MemoryRecord> {
        let books = self.books.lock();
        books.entries.iter().filter_map(Entry::record).collect()
    }

    fn verify(&self) -> Result<(), AllocError> {
        let books = self.books.lock();
        books
            .entries
            .iter()
            .try_for_each(|entry| entry.allocator.verify())
    }

    fn limits(&self) -> &Mutex<StoreLimits> {
        &self.limits
    }

    unsafe fn close(&self) {
        let entries = core::mem::take(&mut self.books.lock().entries);
        for entry in entries {
            // SAFETY: the caller's promise, for every region.
            unsafe { end(entry) };
        }
    }
}

/// Ends a memory.
///
/// # Safety
/// Nobody has its region any more.
unsafe fn end<S: ArenaSystem>(mut entry: Entry<S>) {
    if let Some(account) = &entry.account {
        account.update(|record| record.is_live = false);
    }
    // Two memories of one size may have been taken for each other: the allocator has to know how
    // far the data of this one reached, because up to there it is zeroed before reuse.
    let behind = entry.reached.saturating_sub(entry.allocator.size());
    if behind > 0 && entry.allocator.grow_bytes(behind).is_err() {
        // A budget that others emptied meanwhile, or damage. Then it is zeroed here.
        // SAFETY: the caller's promise.
        unsafe { crate::region::zero(&mut entry.allocator, entry.reached) };
    }
}
