//! Everything that can go wrong with a memory, with the numbers a person needs.
//!
//! One enum for the crate. A variant says what was asked and what the limit was; nothing has to be
//! parsed out of a string. Unless a variant says otherwise, the memory it is about is exactly as it
//! was before the call and still usable.
#![forbid(unsafe_code)]

use core::fmt;

use arena_heap::{ConfigError, HeapError};
use os::{OsCall, OsError, Resource};

use crate::ConfigOption;

/// Why a request for memory was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllocError {
    /// The allocator already holds a memory; free it first.
    AlreadyAllocated {
        /// Bytes of the memory it holds.
        size: usize,
    },
    /// The allocator holds no memory.
    NotAllocated,
    /// The maximum is below the initial size.
    MaximumBelowInitial {
        /// Initial size, in bytes.
        initial: usize,
        /// Maximum size, in bytes.
        maximum: usize,
    },
    /// Growth past the maximum agreed at allocation.
    BeyondMaximum {
        /// Size asked for, in bytes.
        requested: u64,
        /// Maximum, in bytes.
        maximum: usize,
    },
    /// The caller's idea of the current size differs from the allocator's.
    PageCountMismatch {
        /// Wasm pages the caller named.
        given: u32,
        /// Wasm pages the memory has.
        actual: u32,
    },
    /// A size that does not fit the address space (`isize::MAX` bytes).
    TooLarge {
        /// Size asked for, in bytes.
        bytes: u64,
    },
    /// A growth policy that reserves the maximum needs a maximum.
    NoMaximum,
    /// The region has no room for this growth and must not move.
    NoRoom {
        /// Size asked for, in bytes.
        requested: usize,
        /// Size up to which the memory can grow where it is, in bytes.
        capacity: usize,
    },
    /// A budget refused.
    BudgetExceeded {
        /// The budget that refused: the one asked, or one of its ancestors.
        budget: &'static str,
        /// Bytes asked of it.
        requested: usize,
        /// Bytes it had left.
        available: usize,
        /// Its limit, in bytes.
        limit: usize,
    },
    /// More than the process may have: refused before the operating system was asked.
    BeyondResourceLimit {
        /// Which limit.
        resource: Resource,
        /// Bytes asked for.
        requested: usize,
        /// Bytes that these arenas hold of it already; other parts of the process may hold more.
        held: usize,
        /// The limit, in bytes.
        limit: u64,
    },
    /// More than this project asks one block of the C library's heap to hold (qnx-facts §3.3).
    BeyondBlockLimit {
        /// Bytes asked for, guards and room included.
        requested: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The page source, or the C library's heap, refused.
    Os(OsError),
    /// The heap that keeps the books refused.
    Heap(HeapError),
    /// The heap that keeps the books refused a setting.
    HeapConfiguration(ConfigError),
    /// The arenas (or this memory) are sealed and the request needs the operating system.
    Sealed {
        /// The call it would have needed.
        needed: OsCall,
    },
    /// A range that is not inside the data of the memory.
    OutOfRange {
        /// Where the range starts, in bytes from the base.
        offset: usize,
        /// Its length, in bytes.
        len: usize,
        /// Size of the memory, in bytes.
        size: usize,
    },
    /// A value that must be a multiple of the host page is not.
    Misaligned {
        /// The value, in bytes.
        value: usize,
        /// The host page size, in bytes.
        page_size: usize,
    },
    /// Write and execute together were asked for, but not permitted at build time.
    WriteAndExecute,
    /// The range has a protection that forbids this access.
    Protected {
        /// Where the first forbidden byte lies, in bytes from the base.
        offset: usize,
    },
    /// More ranges with a protection of their own than a memory keeps.
    TooManyProtections {
        /// How many it keeps.
        limit: usize,
    },
    /// A setting is outside its limits.
    InvalidOption {
        /// The setting.
        option: ConfigOption,
        /// The value asked for.
        value: usize,
        /// The least value allowed.
        minimum: usize,
        /// The greatest value allowed.
        maximum: usize,
    },
    /// A complete configuration was demanded, and this option cannot be had here.
    PartialConfiguration {
        /// The first option that is not in force as asked.
        option: ConfigOption,
    },
    /// A guard is not as it should be: a guard page can be read, or a canary was overwritten. A
    /// region with such a guard is taken out of use when its memory ends, and counted as leaked.
    GuardDamaged {
        /// Address of the first byte found so.
        address: usize,
    },
    /// The bookkeeping of this memory is inconsistent; the memory must not be used further.
    BookkeepingDamaged,
    /// A byte that nobody may have written is not zero: above what the memory ever reached, or in a
    /// region that was about to be handed out. The region is taken out of use (at once, or when its
    /// memory ends) and counted as leaked.
    ContentsDamaged {
        /// Where the first such byte lies, in bytes from the base.
        offset: usize,
        /// Its address.
        address: usize,
        /// The word found there, little-endian; it may be followed by more.
        found: u64,
    },
}

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::AlreadyAllocated { size } => {
                write!(f, "the allocator already holds a memory of {size} bytes")
            }
            Self::NotAllocated => f.write_str("the allocator holds no memory"),
            Self::MaximumBelowInitial { initial, maximum } => {
                write!(
                    f,
                    "the maximum of {maximum} bytes is below the initial {initial} bytes"
                )
            }
            Self::BeyondMaximum { requested, maximum } => {
                write!(f, "{requested} bytes exceed the maximum of {maximum} bytes")
            }
            Self::PageCountMismatch { given, actual } => {
                write!(
                    f,
                    "the caller takes the memory for {given} pages, it has {actual}"
                )
            }
            Self::TooLarge { bytes } => {
                write!(
                    f,
                    "{bytes} bytes do not fit the address space (limit {})",
                    isize::MAX
                )
            }
            Self::NoMaximum => {
                f.write_str("reserving the maximum needs a maximum, and none was given")
            }
            Self::NoRoom {
                requested,
                capacity,
            } => write!(
                f,
                "growing to {requested} bytes needs a move, which is not allowed; \
                 there is room for {capacity} bytes"
            ),
            Self::BudgetExceeded {
                budget,
                requested,
                available,
                limit,
            } => write!(
                f,
                "budget \"{budget}\" refused {requested} bytes: \
                 {available} of its {limit} bytes are left"
            ),
            Self::BeyondResourceLimit {
                resource,
                requested,
                held,
                limit,
            } => write!(
                f,
                "{requested} bytes more exceed the limit for {resource} of {limit} bytes, \
                 of which {held} are held already"
            ),
            Self::BeyondBlockLimit { requested, limit } => write!(
                f,
                "a block of {requested} bytes exceeds what a heap of this kind is asked for \
                 ({limit} bytes)"
            ),
            Self::Os(error) => error.fmt(f),
            Self::Heap(error) => error.fmt(f),
            Self::HeapConfiguration(error) => error.fmt(f),
            Self::Sealed { needed } => {
                write!(
                    f,
                    "the arenas are sealed, and this needs the call \"{needed}\""
                )
            }
            Self::OutOfRange { offset, len, size } => {
                write!(
                    f,
                    "{len} bytes at offset {offset:#x} are outside a memory of {size} bytes"
                )
            }
            Self::Misaligned { value, page_size } => {
                write!(
                    f,
                    "{value:#x} is not a multiple of the host page of {page_size:#x} bytes"
                )
            }
            Self::WriteAndExecute => {
                f.write_str("memory that is writable and executable was not permitted")
            }
            Self::Protected { offset } => {
                write!(
                    f,
                    "the protection at offset {offset:#x} forbids this access"
                )
            }
            Self::TooManyProtections { limit } => {
                write!(
                    f,
                    "a memory keeps at most {limit} separately protected ranges"
                )
            }
            Self::InvalidOption {
                option,
                value,
                minimum,
                maximum,
            } => {
                write!(
                    f,
                    "{option} is {value}, must be between {minimum} and {maximum}"
                )
            }
            Self::PartialConfiguration { option } => {
                write!(
                    f,
                    "{option} is not available here as asked, and all options were demanded"
                )
            }
            Self::GuardDamaged { address } => {
                write!(f, "the guard at {address:#x} is damaged")
            }
            Self::BookkeepingDamaged => f.write_str("the bookkeeping of this memory is damaged"),
            Self::ContentsDamaged {
                offset,
                address,
                found,
            } => write!(
                f,
                "memory that must be zero holds {found:#x} at offset {offset:#x} ({address:#x})"
            ),
        }
    }
}

impl core::error::Error for AllocError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Os(error) => Some(error),
            Self::Heap(error) => Some(error),
            Self::HeapConfiguration(error) => Some(error),
            _ => None,
        }
    }
}

impl From<OsError> for AllocError {
    fn from(error: OsError) -> Self {
        Self::Os(error)
    }
}

impl From<HeapError> for AllocError {
    fn from(error: HeapError) -> Self {
        // A refusal of the page source stays what it is, whoever asked.
        match error {
            HeapError::OutOfMemory { source, .. } => Self::Os(source),
            other => Self::Heap(other),
        }
    }
}

impl From<ConfigError> for AllocError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Preallocation(source) => Self::Os(source),
            other => Self::HeapConfiguration(other),
        }
    }
}
