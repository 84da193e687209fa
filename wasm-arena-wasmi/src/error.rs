//! Why a memory, or memories for a store, were refused.
#![forbid(unsafe_code)]

use core::fmt;

use wasm_arena::{AllocError, ConfigOption, RecordsFull};
use wasmi::errors::HostError;

/// Why a memory was refused.
///
/// Inside of a [`wasmi::Error`] it is found with `downcast_ref`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// A memory option contradicts what wasmi does with memory.
    ConflictingOption {
        /// The option.
        option: ConfigOption,
        /// What is accepted, in words.
        accepted: &'static str,
    },
    /// The initial size of a memory exceeds the limit the host set.
    BeyondHostMaximum {
        /// Initial size of the memory, in bytes.
        requested: u128,
        /// The limit, in bytes.
        maximum: usize,
    },
    /// The store's limits allow no further memory.
    TooManyMemories {
        /// The limit.
        limit: usize,
    },
    /// No memory is left for the account of one more memory.
    AccountsFull {
        /// Accounts kept.
        kept: usize,
    },
    /// The arenas refused.
    Alloc(AllocError),
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ConflictingOption { option, accepted } => write!(
                f,
                "wasmi decides about {option}: only {accepted} is accepted"
            ),
            Self::BeyondHostMaximum { requested, maximum } => write!(
                f,
                "a memory of {requested} bytes exceeds the host's maximum of {maximum} bytes"
            ),
            Self::TooManyMemories { limit } => {
                write!(f, "the store's limit of {limit} memories is reached")
            }
            Self::AccountsFull { kept } => {
                write!(f, "no memory is left for one account more than {kept}")
            }
            Self::Alloc(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for MemoryError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Alloc(error) => Some(error),
            _ => None,
        }
    }
}

impl HostError for MemoryError {}

impl From<AllocError> for MemoryError {
    fn from(error: AllocError) -> Self {
        Self::Alloc(error)
    }
}

impl From<RecordsFull> for MemoryError {
    fn from(full: RecordsFull) -> Self {
        Self::AccountsFull { kept: full.kept }
    }
}
