//! Configuration and builders of the allocators users see.
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use os::Protection;

use crate::options::{GrowthPolicy, GrowthRoom, GuardSize, RoomAccess};
use crate::{
    AllocError, Allocator, ArenaOptions, ArenaSystem, Arenas, ArenasRef, BudgetRef, MappedPages,
    MemoryOptions, NativeArenas, SystemPages, VerificationLevel,
};

/// The arenas of [`QnxArenaAllocator`] when it is built on its own.
pub type SystemArenas = Arenas<NativeArenas>;

/// The arenas of [`QnxAllocator`] when it is built on its own.
pub type SystemMappings = Arenas<MappedPages<SystemPages>>;

/// A linear memory from arenas: whole arenas at a time, released regions kept for the next request,
/// growth in place while there is room.
///
/// The QNX arena settings apply to it. By itself it owns its arenas; to share them between memories
/// (which is what makes keeping regions worthwhile), build with
/// [`build_in`](AllocatorBuilder::build_in).
pub type QnxArenaAllocator<R = SystemArenas> = Allocator<R>;

/// A linear memory in a mapping of its own: reserved, then committed as it grows; moved only when
/// it outgrows its reservation. Nothing is kept when it ends.
pub type QnxAllocator<R = SystemMappings> = Allocator<R>;

/// Everything a [`QnxArenaAllocator`] can be configured with.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct QnxArenaAllocatorConfig {
    /// Settings of the arenas, shared by all memories on them.
    pub arenas: ArenaOptions,
    /// Settings of the memory.
    pub memory: MemoryOptions,
    /// Refuse to build if any option is not in force as asked.
    pub refuse_partial: bool,
}

/// Builds a [`QnxArenaAllocator`].
///
/// ```
/// use wasm_arena::{QnxArenaAllocatorBuilder, VerificationLevel};
///
/// let allocator = QnxArenaAllocatorBuilder::new()
///     .with_arena_size(64 * 1024)
///     .with_arena_cache_max_blocks(8)
///     .with_arena_cache_max_size(256 * 1024)
///     .with_lifo_free(true)
///     .with_guard_pages(true)
///     .with_verification_level(VerificationLevel::Full)
///     .build()
///     .expect("Failed to create arena allocator");
/// # assert_eq!(allocator.verification_level(), VerificationLevel::Full);
/// ```
pub type QnxArenaAllocatorBuilder = AllocatorBuilder<NativeArenas>;

/// Builds a [`QnxAllocator`]. Arena settings are reported as unsupported: it has no arenas.
///
/// ```
/// use wasm_arena::{PageAllocator, QnxAllocatorBuilder};
///
/// let mut allocator = QnxAllocatorBuilder::new().with_guard_pages(true).build()?;
/// let (_base, size) = allocator.allocate(2, Some(4))?;
/// assert_eq!(size, 131_072);
/// # Ok::<(), wasm_arena::AllocError>(())
/// ```
pub type QnxAllocatorBuilder = AllocatorBuilder<MappedPages<SystemPages>>;

/// Builds an [`Allocator`] on an arena system of type `S`, or the [`Arenas`] to share.
///
/// Nothing is taken from the operating system until the first allocation, except what
/// [`with_preallocation`](Self::with_preallocation) asks for.
#[derive(Debug)]
pub struct AllocatorBuilder<S> {
    config: QnxArenaAllocatorConfig,
    system: PhantomData<fn() -> S>,
}

// Not derived: a builder can be cloned whether or not its system can.
impl<S> Clone for AllocatorBuilder<S> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            system: PhantomData,
        }
    }
}

impl<S: ArenaSystem> Default for AllocatorBuilder<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// A mapping that keeps nothing needs no cache; arenas keep what the QNX heap keeps.
const fn default_arena_options(has_arenas: bool) -> ArenaOptions {
    if has_arenas {
        ArenaOptions::DEFAULT
    } else {
        ArenaOptions {
            cache_max_blocks: 0,
            ..ArenaOptions::DEFAULT
        }
    }
}

impl<S: ArenaSystem> AllocatorBuilder<S> {
    /// A builder with the default settings of the system.
    #[must_use]
    pub fn new() -> Self {
        let arenas = default_arena_options(S::HAS_ARENAS);
        Self::from_config(QnxArenaAllocatorConfig {
            arenas,
            ..QnxArenaAllocatorConfig::default()
        })
    }

    /// A builder with these settings.
    #[must_use]
    pub const fn from_config(config: QnxArenaAllocatorConfig) -> Self {
        Self {
            config,
            system: PhantomData,
        }
    }

    /// The settings so far.
    #[must_use]
    pub const fn config(&self) -> &QnxArenaAllocatorConfig {
        &self.config
    }

    /// See [`ArenaOptions::arena_size`].
    #[must_use]
    pub const fn with_arena_size(mut self, bytes: usize) -> Self {
        self.config.arenas.arena_size = bytes;
        self
    }

    /// See [`ArenaOptions::cache_max_blocks`].
    #[must_use]
    pub const fn with_arena_cache_max_blocks(mut self, blocks: usize) -> Self {
        self.config.arenas.cache_max_blocks = blocks;
        self
    }

    /// See [`ArenaOptions::cache_max_bytes`].
    #[must_use]
    pub const fn with_arena_cache_max_size(mut self, bytes: usize) -> Self {
        self.config.arenas.cache_max_bytes = bytes;
        self
    }

    /// See [`ArenaOptions::lifo_free`].
    #[must_use]
    pub const fn with_lifo_free(mut self, lifo: bool) -> Self {
        self.config.arenas.lifo_free = lifo;
        self
    }

    /// See [`ArenaOptions::memory_hold`].
    #[must_use]
    pub const fn with_memory_hold(mut self, hold: bool) -> Self {
        self.config.arenas.memory_hold = hold;
        self
    }

    /// See [`ArenaOptions::monotonic_growth`].
    #[must_use]
    pub const fn with_monotonic_growth(mut self, monotonic: bool) -> Self {
        self.config.arenas.monotonic_growth = monotonic;
        self
    }

    /// See [`ArenaOptions::preallocate`].
    #[must_use]
    pub const fn with_preallocation(mut self, bytes: usize) -> Self {
        self.config.arenas.preallocate = bytes;
        self
    }

    /// See [`ArenaOptions::restore_on_drop`].
    #[must_use]
    pub const fn with_restore_on_drop(mut self, restore: bool) -> Self {
        self.config.arenas.restore_on_drop = restore;
        self
    }

    /// One host page of guard on both sides, or none.
    #[must_use]
    pub const fn with_guard_pages(self, guards: bool) -> Self {
        let size = if guards {
            GuardSize::OneHostPage
        } else {
            GuardSize::None
        };
        self.with_guard_before(size).with_guard_after(size)
    }

    /// See [`MemoryOptions::guard_before`].
    #[must_use]
    pub const fn with_guard_before(mut self, size: GuardSize) -> Self {
        self.config.memory.guard_before = size;
        self
    }

    /// See [`MemoryOptions::guard_after`].
    #[must_use]
    pub const fn with_guard_after(mut self, size: GuardSize) -> Self {
        self.config.memory.guard_after = size;
        self
    }

    /// See [`MemoryOptions::data_protection`].
    #[must_use]
    pub const fn with_data_protection(mut self, protection: Protection) -> Self {
        self.config.memory.data_protection = protection;
        self
    }

    /// See [`MemoryOptions::guard_protection`].
    #[must_use]
    pub const fn with_guard_protection(mut self, protection: Protection) -> Self {
        self.config.memory.guard_protection = protection;
        self
    }

    /// See [`MemoryOptions::growth_policy`].
    #[must_use]
    pub const fn with_growth_policy(mut self, policy: GrowthPolicy) -> Self {
        self.config.memory.growth_policy = policy;
        self
    }

    /// See [`MemoryOptions::growth_room`].
    #[must_use]
    pub const fn with_growth_room(mut self, room: GrowthRoom) -> Self {
        self.config.memory.growth_room = room;
        self
    }

    /// See [`MemoryOptions::room_access`].
    #[must_use]
    pub const fn with_room_access(mut self, access: RoomAccess) -> Self {
        self.config.memory.room_access = access;
        self
    }

    /// See [`MemoryOptions::budget`].
    #[must_use]
    pub fn with_budget(mut self, budget: impl Into<BudgetRef>) -> Self {
        self.config.memory.budget = Some(budget.into());
        self
    }

    /// See [`MemoryOptions::lock_in_memory`].
    #[must_use]
    pub const fn with_lock_in_memory(mut self, lock: bool) -> Self {
        self.config.memory.lock_in_memory = lock;
        self
    }

    /// See [`MemoryOptions::prefault`].
    #[must_use]
    pub const fn with_prefault(mut self, prefault: bool) -> Self {
        self.config.memory.prefault = prefault;
        self
    }

    /// See [`MemoryOptions::write_and_execute`].
    #[must_use]
    pub const fn with_write_and_execute(mut self, permitted: bool) -> Self {
        self.config.memory.write_and_execute = permitted;
        self
    }

    /// See [`MemoryOptions::verification_level`].
    #[must_use]
    pub const fn with_verification_level(mut self, level: VerificationLevel) -> Self {
        self.config.memory.verification_level = level;
        self
    }

    /// Refuse to build, with [`AllocError::PartialConfiguration`], if any option is not in force as
    /// asked. Otherwise the [effective configuration](Allocator::effective_configuration) says what
    /// became of each.
    #[must_use]
    pub const fn refuse_partial_configuration(mut self, refuse: bool) -> Self {
        self.config.refuse_partial = refuse;
        self
    }

    /// Builds the arenas alone, over `system`, to be shared by several memories.
    ///
    /// # Errors
    /// A setting is outside its limits, or not in force as asked although all were demanded.
    pub fn build_arenas_over(&self, system: S) -> Result<Arenas<S>, AllocError> {
        let arenas = Arenas::with_options(system, self.config.arenas)?;
        self.demand(&arenas.effective_configuration())
            .inspect_err(|_| arenas.system().withdraw())?;
        Ok(arenas)
    }

    /// Builds an allocator on arenas that exist already; the arena settings of this builder are not
    /// applied to them.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_in<R: ArenasRef<System = S>>(self, arenas: R) -> Result<Allocator<R>, AllocError> {
        let refuse_partial = self.config.refuse_partial;
        let allocator = Allocator::new(arenas, self.config.memory)?;
        let deviation = allocator.effective_configuration().first_deviation();
        match deviation.filter(|_| refuse_partial) {
            Some(deviation) => Err(AllocError::PartialConfiguration {
                option: deviation.option,
            }),
            None => Ok(allocator),
        }
    }

    /// Builds an allocator that owns its arenas, over `system`.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_over(self, system: S) -> Result<Allocator<Arenas<S>>, AllocError> {
        // First, so that a refusal comes before the process is told anything.
        let refuse = self.config.refuse_partial;
        Allocator::<Arenas<S>>::check_options(&self.config.memory, &system.facts(), refuse)?;
        let arenas = self.build_arenas_over(system)?;
        self.build_in(arenas)
    }

    fn demand(&self, effective: &crate::EffectiveConfiguration) -> Result<(), AllocError> {
        match effective
            .first_deviation()
            .filter(|_| self.config.refuse_partial)
        {
            Some(deviation) => Err(AllocError::PartialConfiguration {
                option: deviation.option,
            }),
            None => Ok(()),
        }
    }
}

impl<S: ArenaSystem + Default> AllocatorBuilder<S> {
    /// Builds the arenas alone, to be shared by several memories.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_arenas(&self) -> Result<Arenas<S>, AllocError> {
        self.build_arenas_over(S::default())
    }

    /// Builds an allocator that owns its arenas.
    ///
    /// # Errors
    /// [`AllocError::InvalidOption`] or [`AllocError::Misaligned`] for a setting outside its limits;
    /// [`AllocError::WriteAndExecute`]; [`AllocError::PartialConfiguration`] if all options were
    /// demanded and one is not in force as asked; a refusal of the page source if arenas were to be
    /// preallocated.
    pub fn build(self) -> Result<Allocator<Arenas<S>>, AllocError> {
        self.build_over(S::default())
    }
}
