//! A guest's memory under checksums while the guest does not run.
//!
//! ```text
//!    guest runs          nobody runs            guest runs          nobody runs
//!   ───────────▶ seal ──────────────── verify ───────────▶ seal ──────────────── verify ─▶ ...
//!                 │  a flipped bit is found here ▲            │
//!                 └── checksum of every block ───┘            └── the host writes: reseal(range)
//! ```
//!
//! Memory is only ever seen through Wasmtime's own `Memory` and store, so whoever holds a guard
//! cannot look while anything runs in that store.
#![forbid(unsafe_code)]

mod check;
mod error;
#[cfg(feature = "call-hook")]
mod hook;

use alloc::vec::Vec;
use core::ops::Range;

use wasm_arena::{BorrowedChecksums, ChecksumEntry, ChecksumTable, VerificationLevel};
use wasmtime::{AsContext, Memory};

pub use error::GuardError;
#[cfg(feature = "call-hook")]
pub use hook::{GuardedCallError, GuardedCalls};

/// Bytes of a block, unless [`MemoryGuard::with_block_size`] says otherwise.
pub const DEFAULT_GUARD_BLOCK_SIZE: usize = 4096;

/// Checksums of a guest's memory between its calls: what changes while nobody runs is damage.
///
/// [`seal`](Self::seal) after a call, [`verify`](Self::verify) before the next. Between the two no
/// guest of the store runs, so any byte that differs was changed by something that had no business
/// there: a flipped bit, a stray write of the host's, another process. Damage is named by block,
/// offset, stored and computed checksum, and repaired [from a second copy](Self::with_mirror) where
/// there is one. What the guest itself does wrong while it runs is not seen.
///
/// A guard is for one memory; several memories of a store have a guard each. The memory may move,
/// be it 64-bit, of any page size, or not from arenas at all. Shared memories cannot be guarded:
/// other threads may write them at any time. They are another type, `wasmtime::SharedMemory`, so
/// that it does not come to that.
///
/// # What each level does
/// | level | `seal` | `verify`, [`mend`](Self::mend) |
/// |---|---|---|
/// | [`Off`](VerificationLevel::Off) | nothing | nothing |
/// | [`Sampling`](VerificationLevel::Sampling) | takes all checksums | every sixteenth block, others each time |
/// | [`Standard`](VerificationLevel::Standard) | as above | every block, and both records of its checksum |
/// | [`Full`](VerificationLevel::Full) | as above | and the second copy, if there is one |
/// | [`Critical`](VerificationLevel::Critical) | and verifies what it took | and the bookkeeping, against its inverted copy |
///
/// [`scrub`](Self::scrub) checks its blocks as `Full` does, at every level but `Off`. The second
/// copy is kept at every level but `Off`.
///
/// # The host's own writes
/// Whatever is written between seal and verify through `Memory::write` or `data_mut` is damage until
/// [`reseal`](Self::reseal) is told. The same holds for growth by the host: until then, `verify`
/// answers [`IntegrityError::SizeChanged`](wasm_arena::IntegrityError::SizeChanged) with both sizes.
///
/// # Costs
/// Sealing and verifying cost a pass over the memory (over a sixteenth at `Sampling`), and no
/// system call; the table costs 8 bytes for each block, 0.2 % with blocks of 4 KiB; both it and the
/// second copy are the host's heap, taken when a seal covers more than any before; see
/// [`reserve`](Self::reserve). Where a pass is too long for a deadline, `scrub` bounds it.
///
/// # Panics
/// As Wasmtime does, every function that takes a store panics if the memory is not of that store.
///
/// ```
/// use wasm_arena_wasmtime::MemoryGuard;
/// use wasmtime::{Engine, Instance, Module, Store};
///
/// # fn main() -> wasmtime::Result<()> {
/// # let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (memory (export "memory") 1)
///         (func (export "count") (result i32)
///             (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
///             (i32.load (i32.const 0))))"#,
/// )?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let count = instance.get_typed_func::<(), i32>(&mut store, "count")?;
/// let memory = instance.get_memory(&mut store, "memory").unwrap();
///
/// let mut guard = MemoryGuard::new(memory);
/// guard.seal(&store)?;
/// for expected in 1..=3 {
///     // Verifies, calls, seals.
///     let counted = guard.call(&mut store, |store| count.call(store, ()))?;
///     assert_eq!(counted, expected);
/// }
/// // Somebody writes where nobody should.
/// memory.data_mut(&mut store)[9000] ^= 0x10;
/// let refusal = guard.call(&mut store, |store| count.call(store, ())).unwrap_err();
/// assert!(refusal.to_string().starts_with("block 2 (4096 bytes at offset 0x2000) is damaged"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryGuard {
    memory: Memory,
    level: VerificationLevel,
    checksums: BorrowedChecksums<Entries>,
    mirror: Option<Vec<u8>>,
    is_sealed: bool,
    /// The next block to scrub.
    scrub_position: usize,
    /// Which sixteenth is verified next.
    sample: usize,
    statistics: GuardStatistics,
}

/// What a guard did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GuardStatistics {
    /// Times that all checksums were taken.
    pub seals: u64,
    /// Times that the memory was verified (or mended) from end to end, or a sixteenth of it.
    pub verifications: u64,
    /// Blocks that were verified, by whatever function.
    pub blocks_verified: u64,
    /// Times that damage of any kind was found, repaired or not.
    pub damages: u64,
    /// Of these, how often it was put right.
    pub repairs: u64,
}

/// The table, on the host's heap: it grows with the memory.
#[derive(Debug, Default)]
struct Entries(Vec<ChecksumEntry>);

impl ChecksumTable for Entries {
    fn entries(&self) -> &[ChecksumEntry] {
        &self.0
    }
}

impl MemoryGuard {
    /// A guard of `memory`, at the level [`Standard`](VerificationLevel::Standard), with nothing
    /// sealed yet. Allocates nothing.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "the default size of a block is valid"
    )]
    pub fn new(memory: Memory) -> Self {
        let checksums = BorrowedChecksums::new(Entries::default(), DEFAULT_GUARD_BLOCK_SIZE);
        Self {
            memory,
            level: VerificationLevel::Standard,
            checksums: checksums.expect("a power of two that is large enough"),
            mirror: None,
            is_sealed: false,
            scrub_position: 0,
            sample: 0,
            statistics: GuardStatistics::default(),
        }
    }

    /// How much is checked; see [above](Self#what-each-level-does).
    #[must_use]
    pub const fn with_verification_level(mut self, level: VerificationLevel) -> Self {
        self.level = level;
        self
    }

    /// Changes how much is checked from now on. With `Off`, what was sealed is not any more.
    pub const fn set_verification_level(&mut self, level: VerificationLevel) {
        self.level = level;
        if matches!(level, VerificationLevel::Off) {
            self.unseal();
        }
    }

    /// Bytes that share a checksum: a power of two, at least
    /// [`MIN_BLOCK_SIZE`](wasm_arena::MIN_BLOCK_SIZE). Smaller blocks name damage more exactly, and
    /// make a [`scrub`](Self::scrub) of a given budget shorter; larger ones need a smaller table.
    /// What was sealed is not any more.
    ///
    /// # Errors
    /// [`IntegrityError::InvalidBlockSize`](wasm_arena::IntegrityError::InvalidBlockSize).
    pub fn with_block_size(mut self, block_size: usize) -> Result<Self, GuardError> {
        let entries = core::mem::take(self.checksums.table_mut());
        self.checksums = BorrowedChecksums::new(entries, block_size)?;
        self.is_sealed = false;
        Ok(self)
    }

    /// Keeps a second copy of the memory from each seal, on the host's heap, from which damage is
    /// repaired by [`mend`](Self::mend), [`scrub`](Self::scrub) and [`call`](Self::call). Costs the
    /// size of the memory, and a copy at each seal. What was sealed is not any more.
    #[must_use]
    pub fn with_mirror(mut self) -> Self {
        self.mirror = Some(Vec::new());
        self.is_sealed = false;
        self
    }

    /// Takes what seals of up to `memory_bytes` bytes need, so that they do not allocate.
    ///
    /// # Errors
    /// [`GuardError::OutOfMemory`]; what is sealed stays so.
    pub fn reserve(&mut self, memory_bytes: usize) -> Result<(), GuardError> {
        let blocks = memory_bytes.div_ceil(self.block_size());
        let entries = &mut self.checksums.table_mut().0;
        let more = blocks.saturating_sub(entries.len());
        if entries.try_reserve_exact(more).is_err() {
            return Err(GuardError::OutOfMemory {
                bytes: blocks.saturating_mul(size_of::<ChecksumEntry>()),
            });
        }
        if more > 0 {
            entries.resize_with(blocks, ChecksumEntry::new);
        }
        if let Some(mirror) = &mut self.mirror {
            let more = memory_bytes.saturating_sub(mirror.len());
            if mirror.try_reserve_exact(more).is_err() {
                return Err(GuardError::OutOfMemory {
                    bytes: memory_bytes,
                });
            }
        }
        Ok(())
    }

    /// Takes the checksums of the whole memory as it is now, and the second copy. Whatever was
    /// wrong with it is blessed.
    ///
    /// # Errors
    /// [`GuardError::OutOfMemory`]: nothing is sealed then. At
    /// [`Critical`](VerificationLevel::Critical) also damage that comes up at once, as with a bit
    /// that is stuck.
    pub fn seal(&mut self, store: impl AsContext) -> Result<(), GuardError> {
        self.unseal();
        if self.level == VerificationLevel::Off {
            return Ok(());
        }
        let contents = self.memory.data(&store);
        self.reserve(contents.len())?;
        self.checksums.take(contents)?;
        if let Some(mirror) = &mut self.mirror {
            mirror.clear();
            mirror.extend_from_slice(contents);
        }
        self.is_sealed = true;
        self.statistics.seals += 1;
        if self.level >= VerificationLevel::Critical {
            self.verify(store)?;
        }
        Ok(())
    }

    /// Takes the checksums of the blocks that `range` (in bytes) touches anew: for what the host
    /// wrote since the last seal. What else is wrong with these blocks is blessed with it; blocks
    /// beside them are not. If the memory grew, all that was added is sealed too.
    ///
    /// # Errors
    /// [`GuardError::NotSealed`]; [`GuardError::OutOfMemory`]; [`IntegrityError::OutOfRange`](wasm_arena::IntegrityError::OutOfRange);
    /// damage in a block that growth made longer. What was sealed stays so.
    pub fn reseal(&mut self, store: impl AsContext, range: Range<usize>) -> Result<(), GuardError> {
        if self.level == VerificationLevel::Off {
            return Ok(());
        }
        self.check_sealed()?;
        let contents = self.memory.data(&store);
        self.reserve(contents.len())?;
        let before = self.checksums.size();
        self.checksums.renew(contents, range.clone())?;
        if let Some(mirror) = &mut self.mirror {
            mirror.extend_from_slice(&contents[before..]);
            if !range.is_empty() {
                let mask = self.checksums.block_size() - 1;
                let end = range.end.saturating_add(mask) & !mask;
                let blocks = range.start & !mask..end.min(contents.len());
                mirror[blocks.clone()].copy_from_slice(&contents[blocks]);
            }
        }
        Ok(())
    }

    /// Forgets what was sealed: nothing can be verified until the next seal. Keeps the table.
    pub const fn unseal(&mut self) {
        self.is_sealed = false;
    }

    /// The memory.
    #[must_use]
    pub const fn memory(&self) -> Memory {
        self.memory
    }

    /// The level.
    #[must_use]
    pub const fn verification_level(&self) -> VerificationLevel {
        self.level
    }

    /// Whether there is something to verify.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Bytes the last seal covers.
    #[must_use]
    pub const fn sealed_bytes(&self) -> usize {
        if self.is_sealed {
            self.checksums.size()
        } else {
            0
        }
    }

    /// Bytes that share a checksum.
    #[must_use]
    pub const fn block_size(&self) -> usize {
        self.checksums.block_size()
    }

    /// Blocks the last seal covers; the last may be shorter than the others.
    #[must_use]
    pub const fn block_count(&self) -> usize {
        self.sealed_bytes().div_ceil(self.block_size())
    }

    /// What happened so far.
    #[must_use]
    pub const fn statistics(&self) -> GuardStatistics {
        self.statistics
    }

    const fn check_sealed(&self) -> Result<(), GuardError> {
        if self.is_sealed {
            Ok(())
        } else {
            Err(GuardError::NotSealed)
        }
    }
}
