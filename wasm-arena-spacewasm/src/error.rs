//! Why a memory was refused.
#![forbid(unsafe_code)]

use core::fmt;

use wasm_arena::AllocError;

/// Why a memory, or its growth, was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// As many memories live as there are places for.
    TooManyMemories {
        /// Places.
        limit: usize,
    },
    /// The options ask for data that cannot be read and written: the interpreter does both.
    DataProtection,
    /// An alignment beyond the host page.
    Alignment {
        /// Asked for, in bytes.
        requested: usize,
        /// The host page, in bytes.
        host_page: usize,
    },
    /// No memory with this address and this size lives here.
    Unknown,
    /// The arenas refused.
    Alloc(AllocError),
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooManyMemories { limit } => {
                write!(f, "all {limit} places for memories are taken")
            }
            Self::DataProtection => {
                f.write_str("the interpreter reads and writes: only read-write data is accepted")
            }
            Self::Alignment {
                requested,
                host_page,
            } => write!(
                f,
                "an alignment of {requested} bytes exceeds the host page of {host_page} bytes"
            ),
            Self::Unknown => f.write_str("no memory with this address and this size lives here"),
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

impl From<AllocError> for MemoryError {
    fn from(error: AllocError) -> Self {
        Self::Alloc(error)
    }
}
