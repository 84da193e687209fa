//! Accounts: of one memory, and of all memories on the same arenas. Keeping them costs a few
//! additions; reading them never calls the operating system.
#![forbid(unsafe_code)]

use crate::{BookkeepingReport, Unreturned};

/// The account of one memory, since it was allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MemoryStatistics {
    /// Size at allocation, in bytes.
    pub initial_bytes: usize,
    /// Size now (or when it was freed), in bytes.
    pub current_bytes: usize,
    /// Greatest size so far, in bytes.
    pub peak_bytes: usize,
    /// The maximum agreed at allocation, in bytes.
    pub maximum_bytes: Option<usize>,
    /// Bytes of the guard before the data.
    pub guard_before_bytes: usize,
    /// Bytes of the guard after the room to grow.
    pub guard_after_bytes: usize,
    /// Bytes the memory can grow to without moving.
    pub capacity_bytes: usize,
    /// Growths by more than nothing that succeeded.
    pub grows: usize,
    /// Of these, how many moved the memory.
    pub moves: usize,
    /// Bytes copied by moves. Pages that were never touched are not copied, where the system can tell.
    pub bytes_copied: usize,
    /// Growths that were refused.
    pub refused_grows: usize,
    /// Changes of protection.
    pub protects: usize,
    /// Resets to the initial size.
    pub resets: usize,
    /// The guards could not be put back after a reallocation: the memory is whole, but a stray
    /// access beside it goes unnoticed. See [`GrowthPolicy`](crate::GrowthPolicy).
    pub guards_down: bool,
    /// Whether the region came from the cache.
    pub from_cache: bool,
}

/// The account of all memories that draw on the same arenas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ArenasStatistics {
    /// Memories alive.
    pub live_memories: usize,
    /// Memories allocated so far, without those that were refused.
    pub memories_allocated: usize,
    /// Memories that were refused: by a limit, a budget, a seal, a check or the operating system.
    /// Requests that contradict themselves are not counted.
    pub refused_allocations: usize,
    /// Bytes of address space held, for live and kept regions.
    pub reserved_bytes: usize,
    /// The most there ever were of these.
    pub peak_reserved_bytes: usize,
    /// Bytes of data that can be accessed, in live and kept regions.
    pub accessible_bytes: usize,
    /// The most there ever were of these.
    pub peak_accessible_bytes: usize,
    /// The most bytes found resident by
    /// [`measure_resident`](crate::Arenas::measure_resident) so far.
    pub peak_resident_bytes: usize,
    /// Regions kept for the next request.
    pub cached_regions: usize,
    /// Bytes that the kept regions may hold in memory.
    pub cached_bytes: usize,
    /// Requests served by a kept region.
    pub cache_hits: usize,
    /// Requests that needed a fresh region.
    pub cache_misses: usize,
    /// Kept regions that were given back because of the limits.
    pub evictions: usize,
    /// Regions that could not be given back, or must not be used further.
    pub unreturned: Unreturned,
    /// The small blocks behind all this.
    pub bookkeeping: BookkeepingReport,
}
