//! What a user holds: arenas, options and limits, and the way to a store.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use wasm_arena::{
    Allocator, ArenaSystem, Arenas, EffectiveConfiguration, MemoryOptions, MemoryRecord,
    MemoryRecords,
};
use wasmi::{Engine, MemoryType};

use crate::ledger::ArenaLedger;
use crate::options::{self, Plan};
use crate::{ArenaStore, MemoryError};

/// Linear memories from arenas, for wasmi stores.
///
/// Cheap to clone: clones share arenas and accounts. Several stores may be made of one value, and
/// several values may share arenas.
pub struct ArenaMemories<S: ArenaSystem + 'static> {
    arenas: Arc<Arenas<S>>,
    /// As resolved by `options::resolve`.
    options: MemoryOptions,
    host_maximum: Option<usize>,
    records: Option<MemoryRecords>,
}

impl<S: ArenaSystem + 'static> ArenaMemories<S> {
    /// Memories from `arenas`, with the default options. Takes nothing from them yet.
    ///
    /// # Errors
    /// [`MemoryError::Alloc`] if the default options are not possible over these arenas.
    pub fn new(arenas: Arc<Arenas<S>>) -> Result<Self, MemoryError> {
        let memories = Self {
            arenas,
            options: options::resolve(MemoryOptions::DEFAULT)?,
            host_maximum: None,
            records: None,
        };
        memories.allocator()?;
        Ok(memories)
    }

    /// Options of every memory: guards, verification level, budget, locking, room to grow.
    ///
    /// A memory's room cannot be changed once wasmi has it. Unless the options give a size in
    /// bytes, it is the maximum that the module declares; without one, 1 GiB
    /// ([`DEFAULT_CAPACITY`](crate::DEFAULT_CAPACITY)) where accessible address space costs
    /// nothing, and nothing where it costs memory. All of the room is accessible, and locked with
    /// `lock_in_memory`. `prefault` changes nothing: wasmi writes every new byte.
    ///
    /// # Errors
    /// [`MemoryError::ConflictingOption`] for an option that wasmi decides;
    /// [`MemoryError::Alloc`] for a value outside its limits.
    pub fn with_memory_options(mut self, options: MemoryOptions) -> Result<Self, MemoryError> {
        self.options = options::resolve(options)?;
        // Finds values that the arenas would refuse at the first instantiation.
        self.allocator()?;
        Ok(self)
    }

    /// No memory gets larger than that many bytes, whatever its module declares: making it fails if
    /// its initial size is larger, and growing beyond answers -1. It caps the room, too.
    #[must_use]
    pub const fn with_maximum_bytes(mut self, bytes: usize) -> Self {
        self.host_maximum = Some(bytes);
        self
    }

    /// Keeps the account of every memory, also after it ended. Costs about 250 bytes per memory for
    /// as long as this value or a store of it lives.
    #[must_use]
    pub fn with_records(mut self) -> Self {
        self.records = Some(MemoryRecords::new());
        self
    }

    /// Makes a store whose linear memories all come from the arenas. Takes nothing from them yet.
    #[must_use]
    pub fn store<T: 'static>(&self, engine: &Engine, data: T) -> ArenaStore<T> {
        ArenaStore::new(engine, data, Arc::new(ArenaLedger::new(self.clone())))
    }

    /// The arenas.
    #[must_use]
    pub const fn arenas(&self) -> &Arc<Arenas<S>> {
        &self.arenas
    }

    /// The accounts in order of creation, live memories with their present numbers; empty without
    /// [`with_records`](Self::with_records). Of live memories that have had the same size and
    /// maximum, [`ArenaStore::records`] tells the numbers apart.
    #[must_use]
    pub fn records(&self) -> Vec<MemoryRecord> {
        self.records
            .as_ref()
            .map(MemoryRecords::list)
            .unwrap_or_default()
    }

    /// What was asked of arenas and memories, and what is in force.
    #[must_use]
    pub fn effective_configuration(&self) -> EffectiveConfiguration {
        // Options that no allocator accepts never got past `with_memory_options`.
        self.allocator().map_or_else(
            |_| self.arenas.effective_configuration(),
            |allocator| *allocator.effective_configuration(),
        )
    }

    pub(crate) fn allocator(&self) -> Result<Allocator<Arc<Arenas<S>>>, MemoryError> {
        Ok(Allocator::new(
            Arc::clone(&self.arenas),
            self.options.clone(),
        )?)
    }

    pub(crate) fn plan(&self, ty: MemoryType) -> Result<Plan, MemoryError> {
        let facts = self.arenas.system().facts();
        options::plan(
            ty,
            &self.options,
            self.host_maximum,
            facts.pages.reserves_for_free,
        )
    }

    pub(crate) const fn list(&self) -> Option<&MemoryRecords> {
        self.records.as_ref()
    }
}

impl<S: ArenaSystem + 'static> Clone for ArenaMemories<S> {
    fn clone(&self) -> Self {
        Self {
            arenas: Arc::clone(&self.arenas),
            options: self.options.clone(),
            host_maximum: self.host_maximum,
            records: self.records.clone(),
        }
    }
}

impl<S: ArenaSystem + 'static> fmt::Debug for ArenaMemories<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaMemories")
            .field("system", &self.arenas.system().facts().name)
            .field("options", &self.options)
            .field("host_maximum", &self.host_maximum)
            .field("keeps_records", &self.records.is_some())
            .finish_non_exhaustive()
    }
}
