//! What a store keeps for its guests: the user's data, and the gate that growth passes.
#![forbid(unsafe_code)]

use alloc::sync::{Arc, Weak};
use core::fmt;
use core::ops::{Deref, DerefMut};

use wasmi::ResourceLimiter;
use wasmi::errors::{MemoryError, TableError};
// wasmi 2.0 exports the trait, but not the error of its methods.
use wasmi_core::LimiterError;

use crate::ledger::Ledger;

/// The data of an [`ArenaStore`](crate::ArenaStore): what host functions see through
/// [`Caller`](wasmi::Caller). Dereferences to the user's data.
pub struct Guest<T> {
    data: T,
    gate: Gate,
}

impl<T> Guest<T> {
    pub(crate) fn new(data: T) -> Self {
        Self {
            data,
            gate: Gate::default(),
        }
    }

    /// The gate, which asks the ledger of the store it is used by, wherever the guest came from.
    pub(crate) fn gate(&mut self, ledger: &Arc<dyn Ledger>) -> &mut Gate {
        let of_this_store = self
            .gate
            .ledger
            .as_ref()
            .is_some_and(|known| core::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(ledger)));
        if !of_this_store {
            self.gate.ledger = Some(Arc::downgrade(ledger));
        }
        &mut self.gate
    }
}

impl<T> Deref for Guest<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T> DerefMut for Guest<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.data
    }
}

impl<T: fmt::Debug> fmt::Debug for Guest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.data.fmt(f)
    }
}

/// Where every growth in a store passes.
///
/// A guest can be moved from one store to another by exchanging the stores' data; so the gate is
/// told, each time, whose ledger counts.
#[derive(Default)]
pub(crate) struct Gate {
    ledger: Option<Weak<dyn Ledger>>,
}

impl Gate {
    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        self.ledger.as_ref().and_then(Weak::upgrade)
    }
}

impl ResourceLimiter for Gate {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        let Some(ledger) = self.ledger() else {
            return Ok(false);
        };
        let within = ledger
            .limits()
            .lock()
            .memory_growing(current, desired, maximum)?;
        Ok(within && ledger.permit(current, desired, maximum))
    }

    fn memory_grow_failed(&mut self, error: &MemoryError) -> Result<(), LimiterError> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        ledger.undo();
        ledger.limits().lock().memory_grow_failed(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        self.ledger().map_or(Ok(false), |ledger| {
            ledger
                .limits()
                .lock()
                .table_growing(current, desired, maximum)
        })
    }

    fn table_grow_failed(&mut self, error: &TableError) -> Result<(), LimiterError> {
        self.ledger().map_or(Ok(()), |ledger| {
            ledger.limits().lock().table_grow_failed(error)
        })
    }

    fn instances(&self) -> usize {
        self.ledger()
            .map_or(0, |ledger| ledger.limits().lock().instances())
    }

    fn tables(&self) -> usize {
        self.ledger()
            .map_or(0, |ledger| ledger.limits().lock().tables())
    }

    /// No limit here: wasmi adds imported memories to those it is about to make. The store counts
    /// before it makes one.
    fn memories(&self) -> usize {
        usize::MAX
    }
}
