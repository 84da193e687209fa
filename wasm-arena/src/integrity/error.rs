//! What can be wrong with a checked memory, with the numbers a person needs.
#![forbid(unsafe_code)]

use core::fmt;

use crate::AllocError;

/// Which number of the bookkeeping was found damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BookkeepingRecord {
    /// The verification level.
    Level,
    /// The address of the first byte.
    Base,
    /// The size, in bytes.
    Size,
    /// The size of a block, as a power of two.
    BlockSize,
    /// The address of the mirror.
    Mirror,
    /// The checksum of a block.
    Checksum,
}

impl fmt::Display for BookkeepingRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Level => "verification level",
            Self::Base => "base",
            Self::Size => "size",
            Self::BlockSize => "block size",
            Self::Mirror => "address of the mirror",
            Self::Checksum => "checksum",
        })
    }
}

/// Why a checked memory refused, or what it found.
///
/// Offsets are in bytes from the base. Unless a variant says otherwise, nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IntegrityError {
    /// A range that is not inside the memory.
    OutOfRange {
        /// Where the range starts.
        offset: usize,
        /// Its length, in bytes.
        len: usize,
        /// Size of the memory, in bytes.
        size: usize,
    },
    /// A protection of the memory forbids this access.
    Protected {
        /// Where the first forbidden byte lies.
        offset: usize,
    },
    /// The memory does not start and end at whole machine words, or is larger than `isize::MAX`.
    Misaligned {
        /// Address of the first byte.
        address: usize,
        /// Size, in bytes.
        len: usize,
        /// Bytes of a machine word.
        word: usize,
    },
    /// The table has no room for a single checksum.
    NoTable,
    /// The table has no room for the checksums of so many blocks.
    TableTooSmall {
        /// Entries it has.
        entries: usize,
        /// Blocks there are.
        blocks: usize,
    },
    /// A size that blocks cannot have.
    InvalidBlockSize {
        /// What was asked for, in bytes.
        block_size: usize,
        /// The least that is accepted, which must be a power of two.
        minimum: usize,
    },
    /// The contents are not as long as they were when their checksums were taken.
    SizeChanged {
        /// Bytes that have checksums.
        covered: usize,
        /// Bytes there are.
        size: usize,
    },
    /// The second copy is smaller than the memory.
    MirrorTooSmall {
        /// Size of the copy, in bytes.
        mirror: usize,
        /// Size of the memory, in bytes.
        size: usize,
    },
    /// The data of a block is not what was written: its checksum and both its records differ.
    BlockDamaged {
        /// Index of the block.
        block: usize,
        /// Where the block starts.
        offset: usize,
        /// Its length, in bytes.
        len: usize,
        /// The checksum it should have.
        stored: u32,
        /// The checksum it has.
        computed: u32,
        /// It was put right from the second copy.
        repaired: bool,
    },
    /// The table is damaged: the two records of a block's checksum differ.
    ChecksumDamaged {
        /// Index of the block.
        block: usize,
        /// Where the block starts.
        offset: usize,
        /// The checksum as the first record has it.
        stored: u32,
        /// The checksum as the second record has it.
        second: u32,
        /// The checksum the data has: where it equals one of the two, the data is whole.
        computed: u32,
        /// The records were put right.
        repaired: bool,
    },
    /// The second copy of a block is damaged; the block itself is whole.
    MirrorDamaged {
        /// Index of the block.
        block: usize,
        /// Where the block starts.
        offset: usize,
        /// Where the first byte lies that differs.
        first_difference: usize,
        /// The second copy was put right.
        repaired: bool,
    },
    /// A number of the bookkeeping and its inverted copy contradict each other. The memory must not
    /// be used further, except that a damaged level can be set anew.
    BookkeepingDamaged {
        /// Which number.
        record: BookkeepingRecord,
        /// The number.
        value: usize,
        /// The copy, as it is stored: inverted.
        inverse: usize,
    },
    /// What was written cannot be read back. The block is damaged from now on.
    ReadBackFailed {
        /// Where the first word lies that differs.
        offset: usize,
        /// What was written into it, little-endian; bytes that were not written are zero.
        written: u64,
        /// What it holds, of the same bytes.
        found: u64,
    },
    /// A bit was flipped on purpose and not found, or taken for something else: the checks of this
    /// memory, or the processor that carries them out, cannot be relied on.
    DetectorFailed {
        /// Where the bit was flipped.
        record: BookkeepingRecord,
        /// Which bit; 0 is the lowest.
        bit: u32,
    },
    /// Writers came in between each time.
    Contended {
        /// How often it was tried.
        tries: usize,
    },
    /// Checksums are not kept at the level [`Off`](crate::VerificationLevel::Off).
    NotVerifying,
    /// The memory cannot grow.
    Growth(AllocError),
}

impl IntegrityError {
    /// Whether this is damage that was put right.
    #[must_use]
    pub const fn is_repaired(&self) -> bool {
        matches!(
            self,
            Self::BlockDamaged { repaired: true, .. }
                | Self::ChecksumDamaged { repaired: true, .. }
                | Self::MirrorDamaged { repaired: true, .. }
        )
    }
}

impl fmt::Display for IntegrityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = |repaired: bool| if repaired { ", repaired" } else { "" };
        match *self {
            Self::OutOfRange { offset, len, size } => write!(
                f,
                "{len} bytes at offset {offset:#x} are outside a memory of {size} bytes"
            ),
            Self::Protected { offset } => write!(
                f,
                "the protection at offset {offset:#x} forbids this access"
            ),
            Self::Misaligned { address, len, word } => write!(
                f,
                "{len} bytes at {address:#x} are no whole words of {word} bytes"
            ),
            Self::NoTable => f.write_str("the table has no room for a checksum"),
            Self::TableTooSmall { entries, blocks } => write!(
                f,
                "a table of {entries} entries is too small for {blocks} blocks"
            ),
            Self::InvalidBlockSize {
                block_size,
                minimum,
            } => write!(
                f,
                "a block cannot have {block_size} bytes: only powers of two from {minimum} on"
            ),
            Self::SizeChanged { covered, size } => write!(
                f,
                "the memory has {size} bytes now and had {covered} when its checksums were taken"
            ),
            Self::MirrorTooSmall { mirror, size } => write!(
                f,
                "a second copy of {mirror} bytes is too small for a memory of {size} bytes"
            ),
            Self::BlockDamaged {
                block,
                offset,
                len,
                stored,
                computed,
                repaired,
            } => write!(
                f,
                "block {block} ({len} bytes at offset {offset:#x}) is damaged: \
                 checksum {computed:#010x}, should be {stored:#010x}{}",
                outcome(repaired)
            ),
            Self::ChecksumDamaged {
                block,
                offset,
                stored,
                second,
                computed,
                repaired,
            } => write!(
                f,
                "the checksum of block {block} (at offset {offset:#x}) is damaged: \
                 recorded as {stored:#010x} and {second:#010x}, computed {computed:#010x}{}",
                outcome(repaired)
            ),
            Self::MirrorDamaged {
                block,
                offset,
                first_difference,
                repaired,
            } => write!(
                f,
                "the second copy of block {block} (at offset {offset:#x}) is damaged \
                 at offset {first_difference:#x}{}",
                outcome(repaired)
            ),
            Self::BookkeepingDamaged {
                record,
                value,
                inverse,
            } => write!(
                f,
                "the bookkeeping is damaged: {record} is {value:#x}, \
                 its inverted copy {inverse:#x}"
            ),
            Self::ReadBackFailed {
                offset,
                written,
                found,
            } => write!(
                f,
                "the word at offset {offset:#x} holds {found:#x} after {written:#x} was written"
            ),
            Self::DetectorFailed { record, bit } => write!(
                f,
                "bit {bit} of the {record} was flipped to test the detector, and not found"
            ),
            Self::Contended { tries } => {
                write!(f, "writers came in between at each of {tries} tries")
            }
            Self::NotVerifying => f.write_str("checksums are not kept at this level"),
            Self::Growth(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for IntegrityError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Growth(error) => Some(error),
            _ => None,
        }
    }
}

impl From<AllocError> for IntegrityError {
    fn from(error: AllocError) -> Self {
        Self::Growth(error)
    }
}

const _: () = assert!(size_of::<IntegrityError>() <= 80);
