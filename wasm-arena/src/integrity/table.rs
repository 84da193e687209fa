//! Where the checksums of the blocks are kept: no heap, two records for each.
//!
//! ```text
//!   block        0          1          2
//!   data     |..........|..........|..........|
//!   table    | c0 | i0  | c1 | i1  | c2 | i2  |     i = c, inverted and mixed with the block's number
//! ```
//!
//! The second record tells damage of the table from damage of the data, and names the one that is
//! right. Because the block's number is mixed in, two entries that changed places, or one that was
//! copied over another, contradict themselves too. Both records change by the same bits, so a
//! write, which knows only what changed, leaves a contradiction as it found it.

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use os::{OsError, PageSource};

/// The checksum of one block, twice: 8 bytes.
#[repr(C)]
pub struct ChecksumEntry {
    checksum: AtomicU32,
    second: AtomicU32,
}

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) first: u32,
    pub(super) second: u32,
}

impl Records {
    pub(super) const fn agree(self) -> bool {
        self.first == self.second
    }
}

/// What is mixed into the second record: different for any two blocks less than 2^32 apart.
fn mix(block: usize) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lower bits tell neighbours apart"
    )]
    let number = block as u32;
    !number.wrapping_mul(0x9e37_79b1)
}

impl ChecksumEntry {
    /// An entry for a table: what it holds does not matter until a memory uses it.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            checksum: AtomicU32::new(0),
            second: AtomicU32::new(0),
        }
    }

    #[inline]
    pub(super) fn get(&self, block: usize) -> Records {
        Records {
            first: self.checksum.load(Ordering::Relaxed),
            second: self.second.load(Ordering::Relaxed) ^ mix(block),
        }
    }

    /// Writes both records. Only for the holder of the writers' lock, inside its sequence.
    #[inline]
    pub(super) fn set(&self, block: usize, records: Records) {
        self.checksum.store(records.first, Ordering::Relaxed);
        self.second
            .store(records.second ^ mix(block), Ordering::Relaxed);
    }

    /// Changes both records by the same bits; as [`set`](Self::set).
    #[inline]
    pub(super) fn change(&self, change: u32) {
        for record in [&self.checksum, &self.second] {
            record.store(record.load(Ordering::Relaxed) ^ change, Ordering::Relaxed);
        }
    }

    /// Flips one bit of one record: to try the detector.
    pub(super) fn flip(&self, bit: u32, second: bool) {
        let record = if second { &self.second } else { &self.checksum };
        record.fetch_xor(1 << bit, Ordering::Relaxed);
    }
}

impl Default for ChecksumEntry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ChecksumEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChecksumEntry")
            .field("checksum", &self.checksum.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// Room for the checksums of one memory.
///
/// More entries mean smaller blocks, and so cheaper checks of small reads: blocks have the least
/// power of two of bytes, at least [`MIN_BLOCK_SIZE`](super::MIN_BLOCK_SIZE), with which the memory
/// fits the table. An entry takes 8 bytes.
///
/// An implementation that answers differently from time to time, or a table that two memories
/// share, makes checks fail; it cannot do other harm.
pub trait ChecksumTable {
    /// The entries: always the same ones.
    fn entries(&self) -> &[ChecksumEntry];
}

/// Entries inside the value that uses them.
#[derive(Debug)]
pub struct InlineTable<const ENTRIES: usize> {
    entries: [ChecksumEntry; ENTRIES],
}

impl<const ENTRIES: usize> InlineTable<ENTRIES> {
    /// A table of `ENTRIES` entries; there must be at least one.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(ENTRIES > 0, "a table has at least one entry") };
        Self {
            entries: [const { ChecksumEntry::new() }; ENTRIES],
        }
    }
}

impl<const ENTRIES: usize> Default for InlineTable<ENTRIES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const ENTRIES: usize> ChecksumTable for InlineTable<ENTRIES> {
    fn entries(&self) -> &[ChecksumEntry] {
        &self.entries
    }
}

/// The caller's entries: of a static, or of an array that outlives the memory's checker.
impl ChecksumTable for &[ChecksumEntry] {
    fn entries(&self) -> &[ChecksumEntry] {
        self
    }
}

/// Entries in host pages of their own, away from the data they are about.
///
/// Invariants: (1) `start` is a live run of `len` bytes of `source`, committed, and this value's
/// alone; (2) `len` holds `count` entries.
#[derive(Debug)]
pub struct MappedTable<S: PageSource> {
    source: S,
    start: NonNull<u8>,
    len: usize,
    count: usize,
}

// SAFETY: the run is this value's alone (invariant 1), wherever it is sent.
unsafe impl<S: PageSource + Send> Send for MappedTable<S> {}
// SAFETY: a shared reference gives access to atomics only.
unsafe impl<S: PageSource + Sync> Sync for MappedTable<S> {}

impl<S: PageSource> MappedTable<S> {
    /// Maps at least `entries` entries (at least one), rounded up to whole host pages: one call of
    /// the source.
    ///
    /// # Errors
    /// The source refused.
    pub fn new(source: S, entries: usize) -> Result<Self, OsError> {
        let bytes = entries.max(1).saturating_mul(size_of::<ChecksumEntry>());
        let len = source
            .facts()
            .page_size
            .round_up(bytes)
            .unwrap_or(usize::MAX);
        let start = source.map(len)?;
        Ok(Self {
            source,
            start,
            len,
            count: len / size_of::<ChecksumEntry>(),
        })
    }
}

impl<S: PageSource> ChecksumTable for MappedTable<S> {
    fn entries(&self) -> &[ChecksumEntry] {
        let start = self.start.cast::<ChecksumEntry>().as_ptr();
        // SAFETY: invariants 1 and 2: mapped, zero at first and so valid entries, aligned to a host
        // page (16 bytes at least), and only ever reached through this slice.
        unsafe { core::slice::from_raw_parts(start, self.count) }
    }
}

impl<S: PageSource> Drop for MappedTable<S> {
    fn drop(&mut self) {
        // SAFETY: invariant 1: exactly the run mapped in `new`, not used again.
        let returned = unsafe { self.source.unmap(self.start, self.len) };
        // A run that the source does not take back stays mapped; nobody is left to be told.
        let _lost_on_purpose = returned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_makes_the_records_disagree() {
        for block in [0, 1, 2, 1000, 0xffff_fffe] {
            for second in [false, true] {
                for bit in 0..32 {
                    let entry = ChecksumEntry::new();
                    let records = Records {
                        first: 7,
                        second: 7,
                    };
                    entry.set(block, records);
                    assert_eq!(entry.get(block), records);
                    entry.change(0xffff);
                    assert!(entry.get(block).agree());
                    entry.flip(bit, second);
                    assert!(!entry.get(block).agree());
                    entry.change(0x1234);
                    assert!(!entry.get(block).agree(), "a write must not hide it");
                }
            }
        }
    }

    #[test]
    fn an_entry_in_anothers_place_contradicts_itself() {
        let entry = ChecksumEntry::new();
        entry.set(
            4,
            Records {
                first: 9,
                second: 9,
            },
        );
        for other in (0..4).chain(5..10_000) {
            assert!(!entry.get(other).agree());
        }
    }

    #[test]
    fn a_cleared_table_contradicts_itself() {
        let entry = ChecksumEntry::new();
        for block in 0..10_000 {
            assert!(!entry.get(block).agree());
        }
    }
}
