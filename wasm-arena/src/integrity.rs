//! Checked memory: every block has a checksum, readers never see half of a write.
//!
//! ```text
//!                  atomic_write …            atomic_read …            scrub, verify, resync
//!                       │ one at a time           │ never waits for readers        │
//!                     lock ── sequence ───────────┘ (see `sequence`)               │
//!                       │                                                          │
//!   Provider ── data   |  block 0  |  block 1  |  block 2  |  ...                  │
//!               mirror |  block 0  |  block 1  |  block 2  |  ...   (optional)     │
//!   table              |c0|i0|c1|i1|c2|i2| ...        ◀────────────────────────────┘
//! ```
//!
//! A write of `n` bytes costs `n`, whatever the size of the block: the checksum is updated from
//! what changed (see `checksum`). It also means that damage is never blessed by writing beside it:
//! the contradiction between block and checksum stays as it was until the whole block is written.
//!
//! | file | holds |
//! |---|---|
//! | `checksum`, `hardware` | CRC-32C over words, and its arithmetic |
//! | `words`, `run` | bytes through whole words, as relaxed atomics |
//! | `sequence`, `lock`, `primitive` | the protocol of readers and writers |
//! | `blocks`, `level` | bookkeeping that notices its own damage |
//! | `table` | where checksums are kept |
//! | `view`, `store` | what is done to blocks, without any synchronisation |
//! | `remedy` | what puts a damaged block right |
//! | `read`, `write`, `upkeep`, `growth` | the operations |
//! | `self_test` | a test of the detectors |
//! | `borrowed` | checksums of contents that somebody else owns, such as a guest that pauses |

mod blocks;
mod borrowed;
mod checksum;
mod error;
mod growth;
mod hardware;
mod level;
mod lock;
mod primitive;
mod read;
mod remedy;
mod run;
mod self_test;
mod sequence;
mod statistics;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod upkeep;
mod view;
mod words;
mod write;

use core::ptr::NonNull;
use core::sync::atomic::AtomicUsize;

pub use blocks::MIN_BLOCK_SIZE;
pub use borrowed::BorrowedChecksums;
pub use error::{BookkeepingRecord, IntegrityError};
pub use statistics::IntegrityStatistics;
pub use table::{ChecksumEntry, ChecksumTable, InlineTable, MappedTable};
pub use upkeep::ScrubReport;
pub use write::CompareExchange;

use crate::{Provider, VerificationLevel};
use blocks::Blocks;
use checksum::WORD;
use level::Level;
use lock::WriterLock;
use sequence::Sequence;
use statistics::Counters;
use view::View;

/// Entries of the table inside an [`AtomicMemoryOps`], unless another table is asked for: 2 KiB.
pub const DEFAULT_TABLE_ENTRIES: usize = 256;

/// Reads and writes of a memory that are atomic to each other, and checked.
///
/// Made by [`into_atomic_ops`](crate::AtomicMemoryExt::into_atomic_ops). No operation allocates,
/// panics or makes a system call, except that a thread that has to wait for the writers' lock waits
/// in the operating system.
///
/// # Threads
/// Any number of threads may use one value at once. Writers exclude each other. A reader never holds
/// up a writer: it copies, and copies again if a writer came in between. After sixteen lost tries it
/// waits for the writers' lock like a writer, so that it ends even if writers never pause, and so
/// that a writer of lower priority that was interrupted can go on; only then, and while it repairs
/// a block, does it hold up a writer. [`try_atomic_read`](Self::try_atomic_read) gives up instead.
///
/// # What each level does
/// | level | a read, and the bytes that a copy or an exchange reads | a write | bookkeeping |
/// |---|---|---|---|
/// | [`Off`](VerificationLevel::Off) | not checked | no checksum, no second copy | not checked |
/// | [`Sampling`](VerificationLevel::Sampling) | every sixteenth block touched is checked | checksums kept | not checked |
/// | [`Standard`](VerificationLevel::Standard) | every block touched is checked | as above | not checked |
/// | [`Full`](VerificationLevel::Full) | and both records of its checksum | blocks written in part are checked before; what was written is read back | not checked |
/// | [`Critical`](VerificationLevel::Critical) | as above | as above | both copies compared at each operation; the whole memory checked before growth |
/// | any but `Off` | | | [`finish`](Self::finish) checks the whole memory |
///
/// Bounds and protections are checked at every level. A block costs its size to check, so small
/// blocks make small reads cheap: see [`ChecksumTable`]. Leaving `Off` takes all checksums anew,
/// from whatever the memory then holds.
///
/// # Damage
/// What is found damaged is repaired if there is anything to repair it from, counted, and told by
/// [`last_damage`](Self::last_damage); the operation then goes on. Repaired can be: a record of a
/// checksum, from the data and the other record; data, from a [mirror](crate::AtomicMemoryExt::mirrored_by);
/// the mirror, from the data. Otherwise the operation is refused with an [`IntegrityError`] that
/// names the block, and nothing is changed. A write that covers a whole block makes it sound again,
/// at every level. Below `Full`, a write into a part of a damaged block succeeds, and the block
/// stays damaged, even if it is the damaged bytes that were written.
///
/// ```
/// use wasm_arena::{AtomicMemoryExt, IntegrityError, LinearMemory, QnxAllocatorBuilder};
///
/// let memory = LinearMemory::new(QnxAllocatorBuilder::new().build()?, 1, Some(2))?;
/// let mut ops = memory.into_atomic_ops()?;
/// ops.atomic_write_with_checksum(5, b"calibration")?;
/// ops.write_le(64, 0x1234_5678_u32)?;
/// assert_eq!(ops.atomic_compare_exchange(64, 0x1234_5678_u32, 9)?, Ok(0x1234_5678));
/// ops.atomic_copy_within(5, 7, 11)?;
/// let mut bytes = [0; 11];
/// ops.atomic_read(7, &mut bytes)?;
/// assert_eq!(&bytes, b"calibration");
/// assert_eq!(ops.grow(1)?, 1);
/// ops.verify_integrity()?;
/// assert_eq!(
///     ops.read_le::<u64>(2 * 65_536 - 7),
///     Err(IntegrityError::OutOfRange { offset: 131_065, len: 8, size: 131_072 })
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AtomicMemoryOps<P: Provider, T: ChecksumTable = InlineTable<DEFAULT_TABLE_ENTRIES>> {
    // Invariants: (1) `base` is aligned to words, and the `blocks.size()` bytes from it are the
    // provider's, a whole number of words that can all be read; (2) the same holds for `mirror`,
    // which can all be written; (3) while the value is shared, data and mirror are touched only as
    // words, through relaxed atomics.
    base: NonNull<AtomicUsize>,
    mirror: Option<NonNull<AtomicUsize>>,
    blocks: Blocks,
    level: Level,
    sequence: Sequence,
    writers: WriterLock<Found>,
    counters: Counters,
    samples: AtomicUsize,
    scrub_position: AtomicUsize,
    table: T,
    provider: P,
}

// SAFETY: the pointers are into the provider's memory, which may be used from any thread (promise 1
// of `Provider`); everything else is sent as what it is.
unsafe impl<P: Provider + Send, T: ChecksumTable + Send> Send for AtomicMemoryOps<P, T> {}
// SAFETY: shared operations touch the memory by atomics only (invariant 3).
unsafe impl<P: Provider + Sync, T: ChecksumTable + Sync> Sync for AtomicMemoryOps<P, T> {}

/// What the holder of the writers' lock notes.
#[derive(Debug, Default)]
struct Found {
    last: Option<IntegrityError>,
}

/// A memory that was found damaged when checking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged<P> {
    /// The memory.
    pub provider: P,
    /// The first damage found.
    pub damage: IntegrityError,
}

impl<P> core::fmt::Display for Damaged<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.damage.fmt(f)
    }
}

impl<P: core::fmt::Debug> core::error::Error for Damaged<P> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.damage)
    }
}

impl<P: Provider> AtomicMemoryOps<P> {
    /// See [`into_atomic_ops`](crate::AtomicMemoryExt::into_atomic_ops).
    ///
    /// # Errors
    /// As there.
    pub fn new(provider: P) -> Result<Self, IntegrityError> {
        Self::with_table(provider, InlineTable::new())
    }
}

impl<P: Provider, T: ChecksumTable> AtomicMemoryOps<P, T> {
    /// See [`into_atomic_ops_with`](crate::AtomicMemoryExt::into_atomic_ops_with). The level is
    /// [`Standard`](VerificationLevel::Standard).
    ///
    /// # Errors
    /// As there.
    pub fn with_table(provider: P, table: T) -> Result<Self, IntegrityError> {
        let (base, mirror, size) = place_of(&provider)?;
        let addresses = (base.addr().get(), mirror.map(|mirror| mirror.addr().get()));
        let blocks = Blocks::new(addresses.0, size, addresses.1, table.entries().len())?;
        let ops = Self {
            base,
            mirror,
            blocks,
            level: Level::new(VerificationLevel::Standard),
            sequence: Sequence::new(),
            writers: WriterLock::new(Found::default()),
            counters: Counters::default(),
            samples: AtomicUsize::new(0),
            scrub_position: AtomicUsize::new(0),
            table,
            provider,
        };
        ops.view().take_anew(0..ops.blocks.count())?;
        Ok(ops)
    }

    /// Ends checking and returns the memory, whatever state it is in: see [`finish`](Self::finish).
    pub fn into_provider(self) -> P {
        self.provider
    }

    /// Verifies the whole memory, unless the level is [`Off`](VerificationLevel::Off), ends
    /// checking, and returns the memory: the last word on what its next user gets.
    ///
    /// # Errors
    /// [`Damaged`]: the first damage found, and the memory all the same.
    ///
    /// ```
    /// use wasm_arena::{AtomicMemoryExt, SliceProvider};
    ///
    /// let mut memory = [0_usize; 512];
    /// let ops = SliceProvider::from_words(&mut memory).into_atomic_ops()?;
    /// ops.atomic_fill(0, 100, 7)?;
    /// match ops.finish() {
    ///     Ok(_provider) => {}
    ///     Err(damaged) => panic!("{} for {:?}", damaged.damage, damaged.provider),
    /// }
    /// # Ok::<(), wasm_arena::IntegrityError>(())
    /// ```
    pub fn finish(self) -> Result<P, Damaged<P>> {
        let verified = match self.level.get() {
            Ok(VerificationLevel::Off) => self.compare_books(),
            Ok(_) => self.verify_integrity(),
            Err(damage) => Err(damage),
        };
        let provider = self.provider;
        match verified {
            Ok(()) => Ok(provider),
            Err(damage) => Err(Damaged { provider, damage }),
        }
    }

    /// Size in bytes.
    pub const fn size(&self) -> usize {
        self.blocks.size()
    }

    /// Bytes that share a checksum: a power of two, at least [`MIN_BLOCK_SIZE`].
    pub const fn block_size(&self) -> usize {
        self.blocks.block_size()
    }

    /// Blocks the memory has; the last may be shorter than the others.
    pub const fn block_count(&self) -> usize {
        self.blocks.count()
    }

    /// Whether there is a second copy to repair from.
    pub const fn is_mirrored(&self) -> bool {
        self.mirror.is_some()
    }

    /// What happened so far. Constant time.
    pub fn statistics(&self) -> IntegrityStatistics {
        self.counters.report()
    }

    /// The damage found last, and whether it was repaired. Waits for the writers' lock.
    pub fn last_damage(&self) -> Option<IntegrityError> {
        self.writers.lock().last
    }

    fn data(&self) -> &[AtomicUsize] {
        // SAFETY: invariant 1; the bytes are only touched as atomics while this borrow lives
        // (invariant 3), and the provider, which is owned, keeps them in place.
        unsafe { core::slice::from_raw_parts(self.base.as_ptr(), self.blocks.size() / WORD) }
    }

    fn mirror(&self) -> Option<&[AtomicUsize]> {
        let mirror = self.mirror?;
        // SAFETY: invariant 2, and as for the data.
        Some(unsafe { core::slice::from_raw_parts(mirror.as_ptr(), self.blocks.size() / WORD) })
    }

    fn view(&self) -> View<'_> {
        View {
            blocks: &self.blocks,
            data: self.data(),
            mirror: self.mirror(),
            entries: self.table.entries(),
        }
    }

    /// Compares the bookkeeping with its copies and with the pointers that are really used.
    fn compare_books(&self) -> Result<(), IntegrityError> {
        self.blocks.compare()?;
        let mirror = self.mirror.map_or(0, |mirror| mirror.addr().get());
        for (record, expected, value) in [
            (
                BookkeepingRecord::Base,
                self.blocks.base(),
                self.base.addr().get(),
            ),
            (BookkeepingRecord::Mirror, self.blocks.mirror(), mirror),
        ] {
            if value != expected {
                return Err(IntegrityError::BookkeepingDamaged {
                    record,
                    value,
                    inverse: !expected,
                });
            }
        }
        Ok(())
    }

    /// The level in force; at `Critical` only after the bookkeeping was compared.
    #[inline]
    fn enter(&self) -> Result<VerificationLevel, IntegrityError> {
        let level = self.level.get()?;
        if level >= VerificationLevel::Critical {
            self.compare_books()?;
        }
        Ok(level)
    }
}

/// Base, mirror and size of a provider's memory, if it can be checked: whole words, all readable.
type Place = (NonNull<AtomicUsize>, Option<NonNull<AtomicUsize>>, usize);

fn place_of(provider: &impl Provider) -> Result<Place, IntegrityError> {
    let (base, size) = (provider.base().cast::<AtomicUsize>(), provider.size());
    let mirror = provider.mirror().map(NonNull::cast::<AtomicUsize>);
    for address in [Some(base), mirror].into_iter().flatten() {
        let whole = address.is_aligned() && size.is_multiple_of(WORD);
        if !whole || isize::try_from(size).is_err() {
            return Err(IntegrityError::Misaligned {
                address: address.addr().get(),
                len: size,
                word: WORD,
            });
        }
    }
    if let Some(offset) = provider.first_refusal(0..size, false) {
        return Err(IntegrityError::Protected { offset });
    }
    Ok((base, mirror, size))
}
