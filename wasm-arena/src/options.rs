//! What a caller can ask for: of the arenas, and of one memory.
#![forbid(unsafe_code)]

use core::fmt;

use os::Protection;

use crate::BudgetRef;

/// Default size of an arena: 32 KiB, as in the QNX 7 C library (or one host page where that is
/// larger).
pub const DEFAULT_ARENA_SIZE: usize = 32 * 1024;

/// Greatest size of an arena: 256 KiB, as in the QNX 7 C library.
pub const MAX_ARENA_SIZE: usize = 256 * 1024;

/// Default count of regions and arenas that are kept for the next request: 12, as in the QNX 7 C
/// library.
pub const DEFAULT_CACHE_MAX_BLOCKS: usize = 12;

/// Settings of an arena system: shared by all memories that draw on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArenaOptions {
    /// Bytes taken from the operating system at a time: a multiple of the host page, at least one
    /// host page, at most [`MAX_ARENA_SIZE`]. Default [`DEFAULT_ARENA_SIZE`].
    pub arena_size: usize,
    /// How many released regions are kept for the next request. 0 with a byte limit: no limit by
    /// count; 0 without one: nothing is kept. Default [`DEFAULT_CACHE_MAX_BLOCKS`].
    pub cache_max_blocks: usize,
    /// How many bytes of memory the kept regions may hold together; 0: no limit by bytes.
    /// Default 0.
    pub cache_max_bytes: usize,
    /// Reuse what was freed last (true) rather than what was freed first. Default false, as on QNX.
    pub lifo_free: bool,
    /// Keep everything that is released, whatever the limits. Default false.
    pub memory_hold: bool,
    /// Never ask for more than was requested when a small block is reallocated (the QNX allocator
    /// otherwise adds half). Default false.
    pub monotonic_growth: bool,
    /// Bytes of arenas taken beforehand for the arenas' own small blocks. Default 0.
    pub preallocate: usize,
    /// Where settings belong to the process (QNX's C library): put back what was in force before
    /// when the arenas are dropped, unless another allocator has set something else meanwhile. Off,
    /// because others may have come to rely on the settings. Default false.
    pub restore_on_drop: bool,
}

impl ArenaOptions {
    /// The defaults of the QNX 7 C library.
    pub const DEFAULT: Self = Self {
        arena_size: DEFAULT_ARENA_SIZE,
        cache_max_blocks: DEFAULT_CACHE_MAX_BLOCKS,
        cache_max_bytes: 0,
        lifo_free: false,
        memory_hold: false,
        monotonic_growth: false,
        preallocate: 0,
        restore_on_drop: false,
    };

    /// Whether a cache that would hold `blocks` regions and `bytes` bytes is within the limits.
    pub(crate) const fn cache_allows(&self, blocks: usize, bytes: usize) -> bool {
        if self.memory_hold {
            return true;
        }
        if self.cache_max_blocks == 0 && self.cache_max_bytes == 0 {
            return false;
        }
        (self.cache_max_blocks == 0 || blocks <= self.cache_max_blocks)
            && (self.cache_max_bytes == 0 || bytes <= self.cache_max_bytes)
    }
}

impl Default for ArenaOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The size of a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GuardSize {
    /// No guard.
    None,
    /// One host page: the least that makes the first stray byte fault.
    #[default]
    OneHostPage,
    /// That many bytes: a multiple of the host page.
    Bytes(usize),
}

/// How a memory grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GrowthPolicy {
    /// In place while the region has room, otherwise into a new region: contents and protections
    /// move along, the old region goes back. The base may change.
    #[default]
    MoveWhenFull,
    /// In place or not at all. The base never changes.
    InPlace,
    /// The maximum is reserved at allocation, so that every growth is in place. The base never
    /// changes. Needs a maximum. Where reserving is not free, the maximum costs its full size.
    ReserveMaximum,
    /// The platform's `realloc`. **Guards are down while it runs**: nothing else may run in the
    /// memory meanwhile. Only for arena systems over a C library's heap, and only while all of the
    /// data has its plain protection; otherwise [`MoveWhenFull`](Self::MoveWhenFull) is in force,
    /// which is not slower: a `realloc` of so large a block copies it too.
    Reallocate,
}

/// How much room to grow a region gets beyond its initial size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GrowthRoom {
    /// Where reserving costs nothing: up to the maximum, at most 4 GiB; without a maximum, as much
    /// again as the initial size, at least 16 MiB. Where reserving costs memory: none.
    #[default]
    Automatic,
    /// That many bytes (never beyond the maximum).
    Bytes(usize),
}

/// What lies behind the data of a memory, up to its capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RoomAccess {
    /// Inaccessible until the memory has grown into it: the first byte past the data faults, and a
    /// growth in place costs one system call.
    #[default]
    Guarded,
    /// Accessible (and zero) from the start: a growth in place is arithmetic, without a system
    /// call. Only for runtimes that check every access against the size; a stray access of the
    /// *host* behind the data then stays unnoticed up to the guard.
    Open,
}

/// How much is checked, and so how much time checking may take.
///
/// What each level means for the allocator is in the table of the crate documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum VerificationLevel {
    /// Arguments and bounds only.
    Off,
    /// And the bookkeeping of the memory, at every sixteenth operation.
    Sampling,
    /// And the bookkeeping at every operation.
    #[default]
    Standard,
    /// And that the guards are inaccessible, at growth and release (up to four probes).
    Full,
    /// And the bookkeeping is kept twice, once inverted, and compared at every operation.
    Critical,
}

impl VerificationLevel {
    /// Every level, from the least to the most thorough.
    pub const ALL: [Self; 5] = [
        Self::Off,
        Self::Sampling,
        Self::Standard,
        Self::Full,
        Self::Critical,
    ];

    /// The name used in reports and on the command line: a stable, lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Sampling => "sampling",
            Self::Standard => "standard",
            Self::Full => "full",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for VerificationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Settings of one memory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// Guard before the data. Default [`GuardSize::OneHostPage`].
    pub guard_before: GuardSize,
    /// Guard after the room to grow. Default [`GuardSize::OneHostPage`].
    pub guard_after: GuardSize,
    /// What may be done with the data. Default [`Protection::ReadWrite`].
    pub data_protection: Protection,
    /// What may be done with the guards: [`Protection::None`] (default) or [`Protection::Read`].
    pub guard_protection: Protection,
    /// How the memory grows. Default [`GrowthPolicy::MoveWhenFull`].
    pub growth_policy: GrowthPolicy,
    /// How much room it gets to grow. Default [`GrowthRoom::Automatic`].
    pub growth_room: GrowthRoom,
    /// What lies between the data and the guard. Default [`RoomAccess::Guarded`].
    pub room_access: RoomAccess,
    /// The budget that pays. Default none.
    pub budget: Option<BudgetRef>,
    /// Lock the data in memory: no page-out, no fault at first touch. Default false.
    pub lock_in_memory: bool,
    /// Make the data resident at allocation and growth. Default false.
    pub prefault: bool,
    /// Permit protections that allow writing and executing at once. Default false.
    pub write_and_execute: bool,
    /// How much is checked. Default [`VerificationLevel::Standard`].
    pub verification_level: VerificationLevel,
}

impl MemoryOptions {
    /// One-page guards, readable and writable data, growth in place while there is room.
    pub const DEFAULT: Self = Self {
        guard_before: GuardSize::OneHostPage,
        guard_after: GuardSize::OneHostPage,
        data_protection: Protection::ReadWrite,
        guard_protection: Protection::None,
        growth_policy: GrowthPolicy::MoveWhenFull,
        growth_room: GrowthRoom::Automatic,
        room_access: RoomAccess::Guarded,
        budget: None,
        lock_in_memory: false,
        prefault: false,
        write_and_execute: false,
        verification_level: VerificationLevel::Standard,
    };
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}
