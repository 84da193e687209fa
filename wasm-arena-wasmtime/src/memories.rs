//! What a user holds: arenas, a strategy and limits, and the one way to an engine.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use wasm_arena::{
    Allocator, ArenaSystem, Arenas, EffectiveConfiguration, MemoryOptions, MemoryRecord,
    MemoryRecords,
};
use wasmtime::{Config, Engine};

use crate::memory::Creator;
use crate::spares::Spares;
use crate::{MemoryError, Strategy, options};

/// Linear memories from arenas, for Wasmtime engines.
///
/// Cheap to clone: clones share arenas and accounts. Several engines may be made of one value, and
/// several values may share arenas.
pub struct ArenaMemories<S: ArenaSystem + 'static> {
    arenas: Arc<Arenas<S>>,
    strategy: Strategy,
    /// As the user gave them.
    asked: MemoryOptions,
    host_maximum: Option<usize>,
    records: Option<MemoryRecords>,
}

impl<S: ArenaSystem + 'static> ArenaMemories<S> {
    /// Memories from `arenas`, with the default options. Takes nothing from them yet.
    #[must_use]
    pub fn new(arenas: Arc<Arenas<S>>, strategy: Strategy) -> Self {
        Self {
            arenas,
            strategy,
            asked: MemoryOptions::DEFAULT,
            host_maximum: None,
            records: None,
        }
    }

    /// Options of every memory: guards, verification level, budget, locking and prefaulting.
    /// Growth policy, room to grow and protection of the data are the strategy's business.
    ///
    /// Under [`Strategy::Reserved`] the guard after the room is the one compiled code relies on:
    /// [`OneHostPage`](wasm_arena::GuardSize::OneHostPage), the default, stands for the engine's
    /// 32 MiB there, and a size in bytes must be at least that.
    ///
    /// # Errors
    /// [`MemoryError::ConflictingOption`] for an option that the strategy decides;
    /// [`MemoryError::Alloc`] for a value outside its limits.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wasm_arena::{MemoryOptions, QnxArenaAllocatorBuilder, RoomAccess};
    /// use wasm_arena_wasmtime::{ArenaMemories, Strategy};
    ///
    /// let arenas = Arc::new(QnxArenaAllocatorBuilder::new().build_arenas()?);
    /// let mut options = MemoryOptions::default();
    /// options.room_access = RoomAccess::Open;
    /// let refusal = ArenaMemories::new(arenas, Strategy::Reserved).with_memory_options(options);
    /// assert!(refusal.unwrap_err().to_string().contains("room-access"));
    /// # Ok::<(), wasm_arena::AllocError>(())
    /// ```
    pub fn with_memory_options(mut self, options: MemoryOptions) -> Result<Self, MemoryError> {
        let resolved = options::resolve(options.clone(), self.strategy)?;
        // Finds values that the arenas would refuse at the first instantiation.
        Allocator::new(Arc::clone(&self.arenas), resolved)?;
        self.asked = options;
        Ok(self)
    }

    /// No memory gets larger than that many bytes, whatever its module declares: instantiation
    /// fails if its initial size is larger, and growing beyond answers -1.
    #[must_use]
    pub const fn with_maximum_bytes(mut self, bytes: usize) -> Self {
        self.host_maximum = Some(bytes);
        self
    }

    /// Keeps the account of every memory, also after it ended. Costs about 250 bytes per memory for
    /// as long as this value or an engine of it lives.
    #[must_use]
    pub fn with_records(mut self) -> Self {
        self.records = Some(MemoryRecords::new());
        self
    }

    /// Makes an engine whose linear memories and GC heaps come from the arenas.
    ///
    /// Everything in `config` that decides where compiled code may reach (reservation, guards,
    /// moving, the same for GC heaps, image-based initialisation, the instance allocator, the
    /// memory creator) is replaced by what the strategy needs; everything else is kept. Takes
    /// nothing from the arenas yet.
    ///
    /// # Errors
    /// A [`MemoryError`] if the strategy is not possible over these arenas; otherwise Wasmtime's.
    pub fn engine(&self, mut config: Config) -> wasmtime::Result<Engine> {
        let facts = self.arenas.system().facts();
        options::check_facts(self.strategy, &facts)?;
        let options = self.resolved()?;
        self.strategy
            .apply(&mut config, options::engine_guard(&options, self.strategy));
        config.with_host_memory(Arc::new(Creator {
            arenas: Arc::clone(&self.arenas),
            strategy: self.strategy,
            options,
            host_maximum: self.host_maximum,
            records: self.records.clone(),
            spares: Spares::new(),
        }));
        Engine::new(&config)
    }

    /// The arenas.
    #[must_use]
    pub const fn arenas(&self) -> &Arc<Arenas<S>> {
        &self.arenas
    }

    /// The strategy.
    #[must_use]
    pub const fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The accounts in order of creation, live memories with their present numbers; empty without
    /// [`with_records`](Self::with_records). GC heaps are memories too.
    #[must_use]
    pub fn records(&self) -> Vec<MemoryRecord> {
        self.records
            .as_ref()
            .map(MemoryRecords::list)
            .unwrap_or_default()
    }

    /// What was asked of arenas and memories, and what is in force, as the strategy has it.
    #[must_use]
    pub fn effective_configuration(&self) -> EffectiveConfiguration {
        let allocator = self
            .resolved()
            .and_then(|options| Ok(Allocator::new(Arc::clone(&self.arenas), options)?));
        // Options that no allocator accepts never got past `with_memory_options`.
        allocator.map_or_else(
            |_| self.arenas.effective_configuration(),
            |allocator| *allocator.effective_configuration(),
        )
    }

    fn resolved(&self) -> Result<MemoryOptions, MemoryError> {
        options::resolve(self.asked.clone(), self.strategy)
    }
}

impl<S: ArenaSystem + 'static> Clone for ArenaMemories<S> {
    fn clone(&self) -> Self {
        Self {
            arenas: Arc::clone(&self.arenas),
            strategy: self.strategy,
            asked: self.asked.clone(),
            host_maximum: self.host_maximum,
            records: self.records.clone(),
        }
    }
}

impl<S: ArenaSystem + 'static> fmt::Debug for ArenaMemories<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaMemories")
            .field("system", &self.arenas.system().facts().name)
            .field("strategy", &self.strategy)
            .field("options", &self.asked)
            .field("host_maximum", &self.host_maximum)
            .field("keeps_records", &self.records.is_some())
            .finish_non_exhaustive()
    }
}
