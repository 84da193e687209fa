//! Why a guard of a guest's memory refused, or what it found.
#![forbid(unsafe_code)]

use core::fmt;

use wasm_arena::IntegrityError;

/// Why a guard refused, or what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardError {
    /// Nothing was sealed, so there is nothing to compare with.
    NotSealed,
    /// The host's heap has no room for the table or the second copy.
    OutOfMemory {
        /// Bytes it would have.
        bytes: usize,
    },
    /// The memory, its checksums or its second copy are damaged, or not as they were in another
    /// way.
    Integrity(IntegrityError),
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSealed => f.write_str("nothing was sealed that could be verified"),
            Self::OutOfMemory { bytes } => {
                write!(f, "no {bytes} bytes are left to guard a memory with")
            }
            Self::Integrity(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for GuardError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Integrity(error) => Some(error),
            _ => None,
        }
    }
}

impl From<IntegrityError> for GuardError {
    fn from(error: IntegrityError) -> Self {
        Self::Integrity(error)
    }
}
