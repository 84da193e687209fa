//! Linear memory for WebAssembly runtimes on real-time and safety-critical systems.
//!
//! A runtime asks for *pages* and gets a *linear memory*. This crate takes that memory from an
//! arena system, puts guard pages around it, grows it, protects it, accounts for it, and gives it
//! back: without `std`, without an allocator of its own making, and in the steady state without a
//! system call.
//!
//! ```text
//!        QnxArenaAllocator      QnxAllocator         what a runtime holds: one memory each
//!                 ╲              ╱
//!                  Allocator                          limits, budget, verification, accounts
//!                      │            ◀── LinearMemory  the safe face
//!                      │            ◀── AtomicMemoryOps  shared, checked: into_atomic_ops()
//!                   Arenas                            regions kept for reuse, register of the live
//!                      │
//!        PortableArenas   MappedPages                 the seam: where regions come from
//!                      │
//!                 os::PageSource                      host pages
//! ```
//!
//! ```
//! use wasm_arena::{LinearMemory, QnxArenaAllocatorBuilder, VerificationLevel};
//!
//! // Arenas are shared: a region that one memory gives back serves the next.
//! let builder = QnxArenaAllocatorBuilder::new().with_verification_level(VerificationLevel::Full);
//! let arenas = builder.build_arenas()?;
//! for _request in 0..3 {
//!     let allocator = builder.clone().build_in(&arenas)?;
//!     let mut memory = LinearMemory::new(allocator, 1, Some(16))?;
//!     memory.write(0, b"a guest computes")?;
//! }
//! assert_eq!(arenas.statistics().cache_hits, 2);
//! # Ok::<(), wasm_arena::AllocError>(())
//! ```
//!
//! # Verification levels
//! Of an allocator, and of the contents of a memory that was made [`AtomicMemoryOps`]:
//!
//! | level | an allocator checks at every operation | and at growth and release | of contents is checked |
//! |---|---|---|---|
//! | [`Off`](VerificationLevel::Off) | arguments and bounds | | bounds |
//! | [`Sampling`](VerificationLevel::Sampling) | the bookkeeping, one time in sixteen | | one block in sixteen, when it is read |
//! | [`Standard`](VerificationLevel::Standard) | the bookkeeping | | every block that is read |
//! | [`Full`](VerificationLevel::Full) | the bookkeeping | that the guards cannot be read | and the table of checksums, blocks before they are written in part, and what was written |
//! | [`Critical`](VerificationLevel::Critical) | the bookkeeping, against its second copy | that the guards cannot be read, and that everything above the memory's greatest size is zero; a region that is handed out again is looked at as a whole | and the bookkeeping, against its second copy; everything before growth |
//!
//! An allocator cannot know what a guest's bytes should be; it knows that nobody wrote above the
//! greatest size the memory had, and that a region it hands out is zero. At `Critical` it looks: all
//! accessible bytes above that size at growth, reset and release, all accessible bytes of a kept
//! region at allocation. That is a pass over them, and makes them resident.
//!
//! [`NoStdAllocator`] compares its canaries at growth, reset and release, at every level but `Off`,
//! and at `Critical` looks for the same zeros in its array. What damage means, and what is repaired,
//! is told at [`AtomicMemoryOps`].
//!
//! # Features
//! | feature | effect | default |
//! |---|---|---|
//! | `alloc` | `Arc` handles to arenas and budgets | off |
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod allocator;
mod arenas;
mod budget;
mod builder;
mod effective;
mod error;
mod integrity;
mod linear_memory;
mod no_std_provider;
mod options;
mod page_allocator;
mod protection_map;
mod provider;
#[cfg(feature = "alloc")]
mod record;
mod region;
mod statistics;
mod system;
mod units;
mod zeros;

pub use os::Protection;

pub use allocator::Allocator;
pub use arenas::{AddressDescription, Arenas, ArenasRef, Busy, MemoryId};
pub use budget::{BudgetCharge, BudgetRef, MemoryBudget};
pub use builder::{
    AllocatorBuilder, QnxAllocator, QnxAllocatorBuilder, QnxArenaAllocator,
    QnxArenaAllocatorBuilder, QnxArenaAllocatorConfig, SystemArenas, SystemMappings,
};
pub use effective::{
    ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation, OptionValue, Outcome, Scope,
};
pub use error::AllocError;
pub use integrity::{
    AtomicMemoryOps, BookkeepingRecord, BorrowedChecksums, ChecksumEntry, ChecksumTable,
    CompareExchange, DEFAULT_TABLE_ENTRIES, Damaged, InlineTable, IntegrityError,
    IntegrityStatistics, MIN_BLOCK_SIZE, MappedTable, ScrubReport,
};
pub use linear_memory::{LinearMemory, LittleEndian};
pub use no_std_provider::{NoStdAllocator, NoStdProvider};
pub use options::{
    ArenaOptions, DEFAULT_ARENA_SIZE, DEFAULT_CACHE_MAX_BLOCKS, GrowthPolicy, GrowthRoom,
    GuardSize, MAX_ARENA_SIZE, MemoryOptions, RoomAccess, VerificationLevel,
};
pub use page_allocator::PageAllocator;
pub use protection_map::LIMIT as PROTECTED_RANGES_LIMIT;
pub use provider::{AtomicMemoryExt, CustomProvider, MirroredProvider, Provider, SliceProvider};
#[cfg(feature = "alloc")]
pub use record::{MemoryRecord, MemoryRecords, RecordsFull, SharedRecord};
pub use region::{RegionLayout, RegionPart, RegionRequest};
pub use statistics::{ArenasStatistics, MemoryStatistics};
pub use system::{
    ArenaSystem, BookkeepingReport, LibcArenas, MappedPages, NativeArenas, PageSystem,
    PortableArenas, Region, SystemFacts, SystemPages, Unreturned,
};
pub use units::{WASM_PAGE_SIZE, bytes_to_pages, pages_to_bytes};

/// The examples of the guide for ports, as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/porting.md")]
mod porting {}

/// The example of the page about integrity, as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/integrity.md")]
mod integrity_page {}
