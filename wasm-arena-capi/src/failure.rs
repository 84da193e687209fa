//! Why a function of the C interface refused, before it is written down for C.
#![forbid(unsafe_code)]

use core::fmt;

use arena_heap::{ConfigError, HeapError};
use os::OsError;
use wasm_arena::{AllocError, Busy, ConfigOption, IntegrityError};

use crate::error::WASM_ARENA_SUBJECT_SIZE;

/// The name of a budget, copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetName {
    bytes: [u8; WASM_ARENA_SUBJECT_SIZE],
    len: usize,
}

impl BudgetName {
    fn new(name: &str) -> Self {
        let mut bytes = [0; WASM_ARENA_SUBJECT_SIZE];
        // Names that C code gave fit; a longer one is left out rather than cut in a character.
        let len = match bytes.get_mut(..name.len()) {
            Some(place) => {
                place.copy_from_slice(name.as_bytes());
                name.len()
            }
            None => 0,
        };
        Self { bytes, len }
    }

    pub(crate) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// Everything that can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    NullArgument {
        argument: &'static str,
    },
    InvalidArgument {
        argument: &'static str,
        value: u64,
    },
    StructSize {
        name: &'static str,
        size: usize,
        expected: usize,
    },
    InvalidHandle {
        argument: &'static str,
        number: usize,
    },
    StaleHandle {
        argument: &'static str,
    },
    WrongHandleKind {
        argument: &'static str,
        expected: &'static str,
        found: &'static str,
    },
    InUse {
        argument: &'static str,
    },
    StillReferenced {
        argument: &'static str,
        references: usize,
    },
    Lent {
        argument: &'static str,
    },
    OutOfHandles {
        limit: usize,
    },
    Busy,
    NoSuchOption {
        option: ConfigOption,
    },
    /// As the error of this name; the budget's name is copied, because the budget may end before
    /// the failure is written down.
    BudgetExceeded {
        name: BudgetName,
        requested: usize,
        available: usize,
        limit: usize,
    },
    Alloc(AllocError),
    Heap(HeapError),
    Integrity(IntegrityError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NullArgument { argument } => write!(f, "the argument \"{argument}\" is null"),
            Self::InvalidArgument { argument, value } => {
                write!(f, "{value} means nothing as \"{argument}\"")
            }
            Self::StructSize {
                name,
                size,
                expected,
            } => write!(
                f,
                "\"{name}\" has a size of {size} bytes, {expected} are expected: initialise it with \
                 its function, and compile against the header of this version"
            ),
            Self::InvalidHandle { argument, number } => {
                write!(
                    f,
                    "the argument \"{argument}\" ({number:#x}) never was a handle"
                )
            }
            Self::StaleHandle { argument } => {
                write!(f, "the handle \"{argument}\" was destroyed already")
            }
            Self::WrongHandleKind {
                argument,
                expected,
                found,
            } => write!(
                f,
                "the handle \"{argument}\" stands for {found}, {expected} is expected"
            ),
            Self::InUse { argument } => write!(
                f,
                "the handle \"{argument}\" is used by another thread at this moment"
            ),
            Self::StillReferenced {
                argument,
                references,
            } => write!(
                f,
                "\"{argument}\" cannot be destroyed: {references} objects still depend on it"
            ),
            Self::Lent { argument } => write!(
                f,
                "\"{argument}\" is under atomic operations until these are closed"
            ),
            Self::OutOfHandles { limit } => write!(f, "there are {limit} handles already"),
            Self::Busy => Busy.fmt(f),
            Self::NoSuchOption { option } => write!(f, "{option} is no option of this object"),
            Self::BudgetExceeded {
                ref name,
                requested,
                available,
                limit,
            } => write!(
                f,
                "budget \"{}\" refused {requested} bytes: {available} of its {limit} bytes are left",
                name.as_str()
            ),
            Self::Alloc(error) => error.fmt(f),
            Self::Heap(error) => error.fmt(f),
            Self::Integrity(error) => error.fmt(f),
        }
    }
}

impl From<AllocError> for Failure {
    fn from(error: AllocError) -> Self {
        match error {
            AllocError::BudgetExceeded {
                budget,
                requested,
                available,
                limit,
            } => Self::BudgetExceeded {
                name: BudgetName::new(budget),
                requested,
                available,
                limit,
            },
            other => Self::Alloc(other),
        }
    }
}

impl From<HeapError> for Failure {
    fn from(error: HeapError) -> Self {
        Self::Heap(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        AllocError::from(error).into()
    }
}

impl From<OsError> for Failure {
    fn from(error: OsError) -> Self {
        AllocError::from(error).into()
    }
}

impl From<IntegrityError> for Failure {
    fn from(error: IntegrityError) -> Self {
        match error {
            IntegrityError::Growth(error) => error.into(),
            other => Self::Integrity(other),
        }
    }
}

impl From<Busy> for Failure {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}
