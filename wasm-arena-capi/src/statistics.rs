//! Accounts, as C sees them.
#![forbid(unsafe_code)]

use wasm_arena::{
    ArenasStatistics, IntegrityStatistics, MemoryId, MemoryStatistics, RegionPart, ScrubReport,
};

use crate::error::wasm_arena_error_t;
use crate::failure::Failure;

/// A maximum, in Wasm pages, that is none.
pub const WASM_ARENA_NO_MAXIMUM: u32 = 0xffff_ffff;

/// The account of all memories on the same arenas. Sizes in bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_arenas_statistics_t {
    /// Memories alive.
    pub live_memories: u64,
    /// Memories allocated so far, without those that were refused.
    pub memories_allocated: u64,
    /// Memories that were refused: by a limit, a budget, a seal, a check or the operating system.
    pub refused_allocations: u64,
    /// Bytes of address space held, for live and kept regions.
    pub reserved_bytes: u64,
    /// The most there ever were of these.
    pub peak_reserved_bytes: u64,
    /// Bytes of data that can be accessed, in live and kept regions.
    pub accessible_bytes: u64,
    /// The most there ever were of these.
    pub peak_accessible_bytes: u64,
    /// The most bytes that `wasm_arena_arenas_measure_resident` found resident so far.
    pub peak_resident_bytes: u64,
    /// Regions kept for the next request.
    pub cached_regions: u64,
    /// Bytes that the kept regions may hold in memory.
    pub cached_bytes: u64,
    /// Requests served by a kept region.
    pub cache_hits: u64,
    /// Requests that needed a fresh region.
    pub cache_misses: u64,
    /// Kept regions that were given back because of the limits.
    pub evictions: u64,
    /// Regions that could not be given back, or must not be used further.
    pub unreturned_regions: u64,
    /// Their bytes of address space.
    pub unreturned_bytes: u64,
    /// Bytes taken from the operating system for small blocks of bookkeeping.
    pub bookkeeping_bytes: u64,
    /// Bytes of these in use.
    pub bookkeeping_used_bytes: u64,
    /// 1 if the arenas are sealed, else 0.
    pub is_sealed: u64,
}

/// The account of one memory, since it was allocated. Sizes in bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_memory_statistics_t {
    /// Size at allocation.
    pub initial_bytes: u64,
    /// Size now, or when it was freed.
    pub current_bytes: u64,
    /// Greatest size so far.
    pub peak_bytes: u64,
    /// Bytes of the guard before the data.
    pub guard_before_bytes: u64,
    /// Bytes of the guard after the room to grow.
    pub guard_after_bytes: u64,
    /// Bytes the memory can grow to without moving.
    pub capacity_bytes: u64,
    /// Growths by more than nothing that succeeded.
    pub grows: u64,
    /// Of these, how many moved the memory.
    pub moves: u64,
    /// Bytes copied by moves.
    pub bytes_copied: u64,
    /// Growths that were refused.
    pub refused_grows: u64,
    /// Changes of protection.
    pub protects: u64,
    /// Resets to the initial size.
    pub resets: u64,
    /// The maximum agreed at allocation; `UINT64_MAX` if there is none.
    pub maximum_bytes: u64,
    /// 1 if the guards could not be put up again after a reallocation, else 0.
    pub guards_down: u32,
    /// 1 if the region came from the cache, else 0.
    pub from_cache: u32,
}

/// The account of a checked memory. Counts wrap at the machine word.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_atomic_statistics_t {
    /// Operations that changed data.
    pub writes: u64,
    /// Bytes they changed.
    pub bytes_written: u64,
    /// Attempts to read that were repeated because a writer came in between.
    pub reads_repeated: u64,
    /// Reads that waited for the writers' lock.
    pub reads_under_lock: u64,
    /// Blocks looked at by `wasm_arena_atomic_scrub`.
    pub blocks_scrubbed: u64,
    /// Times that it came to the end of the memory.
    pub scrub_passes: u64,
    /// Blocks whose checksums were taken anew by `wasm_arena_atomic_resync`.
    pub blocks_resynced: u64,
    /// Times that damaged data was found, repaired or not.
    pub blocks_damaged: u64,
    /// Times that a damaged checksum was found, repaired or not.
    pub checksums_damaged: u64,
    /// Times that damage of the second copy was found, repaired or not.
    pub mirrors_damaged: u64,
    /// Damages of these three kinds that were put right.
    pub repairs: u64,
    /// Writes that could not be read back.
    pub failed_read_backs: u64,
}

/// What one call of `wasm_arena_atomic_scrub` did.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_scrub_t {
    /// Blocks that were checked.
    pub blocks_checked: u64,
    /// Of these, how many were damaged and put right.
    pub blocks_repaired: u64,
    /// Of these, how many are damaged still.
    pub blocks_damaged: u64,
    /// 1 if the end of the memory was reached: the next call starts over. Else 0.
    pub completed_pass: u64,
    /// The first damage found, repaired or not; its status is `WASM_ARENA_OK` if there was none.
    pub first_damage: wasm_arena_error_t,
}

/// In no memory.
pub const WASM_ARENA_PART_NONE: i32 = 0;
/// In the guard before the data.
pub const WASM_ARENA_PART_GUARD_BEFORE: i32 = 1;
/// In the data of a memory.
pub const WASM_ARENA_PART_DATA: i32 = 2;
/// Behind the data, where the memory may grow to.
pub const WASM_ARENA_PART_ROOM: i32 = 3;
/// In the guard after the room to grow.
pub const WASM_ARENA_PART_GUARD_AFTER: i32 = 4;

/// Where an address lies.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_address_t {
    /// A `WASM_ARENA_PART_...`.
    pub part: i32,
    /// Always 0.
    pub reserved: i32,
    /// The number of the memory: its place in the order of allocation on its arenas, from 1. 0 if
    /// in no memory, or where one memory was asked.
    pub memory: u64,
    /// Bytes from the base; in the guard before the data, bytes from the address up to the base.
    pub offset: u64,
}

const _: () = assert!(size_of::<wasm_arena_arenas_statistics_t>() == 144);
const _: () = assert!(size_of::<wasm_arena_memory_statistics_t>() == 112);
const _: () = assert!(size_of::<wasm_arena_atomic_statistics_t>() == 96);
const _: () = assert!(size_of::<wasm_arena_scrub_t>() == 32 + size_of::<wasm_arena_error_t>());
const _: () = assert!(size_of::<wasm_arena_address_t>() == 24);

impl wasm_arena_arenas_statistics_t {
    pub(crate) fn new(of: &ArenasStatistics, is_sealed: bool) -> Self {
        Self {
            live_memories: of.live_memories as u64,
            memories_allocated: of.memories_allocated as u64,
            refused_allocations: of.refused_allocations as u64,
            reserved_bytes: of.reserved_bytes as u64,
            peak_reserved_bytes: of.peak_reserved_bytes as u64,
            accessible_bytes: of.accessible_bytes as u64,
            peak_accessible_bytes: of.peak_accessible_bytes as u64,
            peak_resident_bytes: of.peak_resident_bytes as u64,
            cached_regions: of.cached_regions as u64,
            cached_bytes: of.cached_bytes as u64,
            cache_hits: of.cache_hits as u64,
            cache_misses: of.cache_misses as u64,
            evictions: of.evictions as u64,
            unreturned_regions: of.unreturned.regions as u64,
            unreturned_bytes: of.unreturned.bytes as u64,
            bookkeeping_bytes: of.bookkeeping.mapped_bytes as u64,
            bookkeeping_used_bytes: of.bookkeeping.used_bytes as u64,
            is_sealed: u64::from(is_sealed),
        }
    }
}

impl wasm_arena_memory_statistics_t {
    pub(crate) fn new(of: &MemoryStatistics) -> Self {
        Self {
            initial_bytes: of.initial_bytes as u64,
            current_bytes: of.current_bytes as u64,
            peak_bytes: of.peak_bytes as u64,
            guard_before_bytes: of.guard_before_bytes as u64,
            guard_after_bytes: of.guard_after_bytes as u64,
            capacity_bytes: of.capacity_bytes as u64,
            grows: of.grows as u64,
            moves: of.moves as u64,
            bytes_copied: of.bytes_copied as u64,
            refused_grows: of.refused_grows as u64,
            protects: of.protects as u64,
            resets: of.resets as u64,
            maximum_bytes: of.maximum_bytes.map_or(u64::MAX, |bytes| bytes as u64),
            guards_down: u32::from(of.guards_down),
            from_cache: u32::from(of.from_cache),
        }
    }
}

impl wasm_arena_atomic_statistics_t {
    pub(crate) fn new(of: &IntegrityStatistics) -> Self {
        Self {
            writes: of.writes as u64,
            bytes_written: of.bytes_written as u64,
            reads_repeated: of.reads_repeated as u64,
            reads_under_lock: of.reads_under_lock as u64,
            blocks_scrubbed: of.blocks_scrubbed as u64,
            scrub_passes: of.scrub_passes as u64,
            blocks_resynced: of.blocks_resynced as u64,
            blocks_damaged: of.blocks_damaged as u64,
            checksums_damaged: of.checksums_damaged as u64,
            mirrors_damaged: of.mirrors_damaged as u64,
            repairs: of.repairs as u64,
            failed_read_backs: of.failed_read_backs as u64,
        }
    }
}

impl wasm_arena_scrub_t {
    pub(crate) fn new(of: &ScrubReport) -> Self {
        Self {
            blocks_checked: of.blocks_checked as u64,
            blocks_repaired: of.blocks_repaired as u64,
            blocks_damaged: of.blocks_damaged as u64,
            completed_pass: u64::from(of.completed_pass),
            first_damage: wasm_arena_error_t::of_last(of.first_damage.map(Failure::from).as_ref()),
        }
    }
}

impl wasm_arena_address_t {
    pub(crate) const NOWHERE: Self = Self {
        part: WASM_ARENA_PART_NONE,
        reserved: 0,
        memory: 0,
        offset: 0,
    };

    pub(crate) fn new(memory: Option<MemoryId>, part: RegionPart) -> Self {
        let (part, offset) = match part {
            RegionPart::GuardBefore { before_base } => (WASM_ARENA_PART_GUARD_BEFORE, before_base),
            RegionPart::Data { offset } => (WASM_ARENA_PART_DATA, offset),
            RegionPart::RoomToGrow { offset } => (WASM_ARENA_PART_ROOM, offset),
            RegionPart::GuardAfter { offset } => (WASM_ARENA_PART_GUARD_AFTER, offset),
            _ => (WASM_ARENA_PART_NONE, 0),
        };
        Self {
            part,
            reserved: 0,
            memory: memory.map_or(0, |memory| memory.get() as u64),
            offset: offset as u64,
        }
    }
}
