//! The private creator and its memories: the safe part. What Wasmtime relies on without being able
//! to check it is argued in `bridge`.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ptr::NonNull;

use wasm_arena::{
    AllocError, Allocator, ArenaSystem, Arenas, MemoryOptions, MemoryRecord, MemoryRecords,
    PageAllocator, SharedRecord,
};

use crate::request::{Request, Terms};
use crate::spares::{Shard, Spares};
use crate::{MemoryError, Strategy};

/// Makes memories for one engine.
#[derive(Debug)]
pub(crate) struct Creator<S: ArenaSystem> {
    pub(crate) arenas: Arc<Arenas<S>>,
    pub(crate) strategy: Strategy,
    /// As resolved by `options::resolve` for the strategy.
    pub(crate) options: MemoryOptions,
    pub(crate) host_maximum: Option<usize>,
    pub(crate) records: Option<MemoryRecords>,
    pub(crate) spares: Spares<S>,
}

impl<S: ArenaSystem> Creator<S> {
    /// Serves a request or refuses it; never panics.
    pub(crate) fn create(&self, request: &Request<'_>) -> Result<ArenaMemory<S>, MemoryError> {
        let terms = Terms {
            strategy: self.strategy,
            options: &self.options,
            host_maximum: self.host_maximum,
            facts: self.arenas.system().facts(),
        };
        let plan = terms.plan(request)?;
        // All but shared memories have the same options, and so can share allocators.
        let spares = (!request.ty.is_shared()).then(|| Arc::clone(self.spares.own()));
        let kept = spares.as_ref().and_then(|spares| spares.take());
        let mut allocator = if let Some(allocator) = kept {
            allocator
        } else {
            let mut options = self.options.clone();
            options.room_access = plan.room_access;
            Box::new(Allocator::new(Arc::clone(&self.arenas), options)?)
        };
        allocator.allocate_with_capacity(plan.minimum, plan.maximum, plan.capacity)?;
        let account = match (&self.records, allocator.id()) {
            (Some(records), Some(id)) => {
                let ty = request.ty;
                let mut record = MemoryRecord::new(id, *allocator.statistics(), ty.page_size());
                record.is_64 = ty.is_64();
                record.is_shared = ty.is_shared();
                Some(records.open(record)?)
            }
            _ => None,
        };
        Ok(ArenaMemory {
            allocator: Some(allocator),
            account,
            spares,
        })
    }
}

/// One linear memory of an engine. Dropping it gives its region back to the arenas.
///
/// Invariant: the allocator is there and holds a memory from creation until the drop.
#[derive(Debug)]
pub(crate) struct ArenaMemory<S: ArenaSystem> {
    allocator: Option<Box<Allocator<Arc<Arenas<S>>>>>,
    account: Option<SharedRecord>,
    /// Where the allocator goes afterwards.
    spares: Option<Arc<Shard<S>>>,
}

impl<S: ArenaSystem> ArenaMemory<S> {
    pub(crate) fn size(&self) -> usize {
        self.allocator
            .as_ref()
            .map_or(0, |allocator| allocator.size())
    }

    /// Bytes up to which growing does not move the memory.
    pub(crate) fn capacity(&self) -> usize {
        self.allocator
            .as_ref()
            .map_or(0, |allocator| allocator.capacity())
    }

    /// Where the data starts. (Without a memory, which cannot be, there would be a base that goes
    /// with the size and the capacity of 0.)
    pub(crate) fn base(&self) -> NonNull<u8> {
        let base = self
            .allocator
            .as_ref()
            .and_then(|allocator| allocator.base());
        base.unwrap_or(NonNull::dangling())
    }

    /// Grows to `size` bytes; on refusal nothing has changed.
    pub(crate) fn grow_to(&mut self, size: usize) -> Result<(), AllocError> {
        let Some(allocator) = &mut self.allocator else {
            return Err(AllocError::NotAllocated);
        };
        let now = allocator.size();
        let grown = match size.checked_sub(now) {
            Some(additional) => allocator.grow_bytes(additional),
            None => Err(AllocError::OutOfRange {
                offset: 0,
                len: size,
                size: now,
            }),
        };
        if let Some(account) = &self.account {
            let statistics = allocator.statistics();
            account.update(|record| {
                record.statistics = *statistics;
                record.last_refusal = grown.err().or(record.last_refusal);
            });
        }
        grown.map(|_base| ())
    }
}

impl<S: ArenaSystem> Drop for ArenaMemory<S> {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.update(|record| record.is_live = false);
        }
        if let Some(mut allocator) = self.allocator.take()
            && let Some(spares) = &self.spares
            && allocator.free().is_ok()
        {
            spares.keep(allocator);
        }
        // An allocator that is dropped ends its memory, whatever state it is in.
    }
}
