//! Why memories for an engine were refused.
//!
//! Refusals that Wasmtime passes on (an instantiation that fails, an engine that cannot be made)
//! carry one of these, or its text: Wasmtime takes no more than a text from a memory creator.
#![forbid(unsafe_code)]

use core::fmt;

use wasm_arena::{AllocError, ConfigOption, RecordsFull};

use crate::Strategy;

/// Why memories were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// A memory option contradicts what the strategy needs.
    ConflictingOption {
        /// The option.
        option: ConfigOption,
        /// The strategy that decides about it.
        strategy: Strategy,
        /// What the strategy accepts, in words.
        accepted: &'static str,
    },
    /// The strategy needs something the page source does not have.
    StrategyUnavailable {
        /// The strategy.
        strategy: Strategy,
        /// The name of the arena system.
        system: &'static str,
        /// The engine setting that could not be honoured.
        setting: &'static str,
        /// What is missing, in words.
        missing: &'static str,
    },
    /// The engine relies on more than these memories provide: it was made with other settings than
    /// [`ArenaMemories::engine`](crate::ArenaMemories::engine) makes.
    SettingNotProvided {
        /// The engine setting.
        setting: &'static str,
        /// Bytes the engine relies on.
        requested: usize,
        /// Bytes these memories provide.
        provided: usize,
    },
    /// The initial size of a memory exceeds the limit the host set.
    BeyondHostMaximum {
        /// Initial size of the memory, in bytes.
        requested: usize,
        /// The limit, in bytes.
        maximum: usize,
    },
    /// The sizes handed over contradict the type of the memory.
    InconsistentType {
        /// Initial size, in bytes.
        minimum: usize,
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
            Self::ConflictingOption {
                option,
                strategy,
                accepted,
            } => write!(
                f,
                "the strategy \"{strategy}\" decides about {option}: only {accepted} is accepted"
            ),
            Self::StrategyUnavailable {
                strategy,
                system,
                setting,
                missing,
            } => write!(
                f,
                "the strategy \"{strategy}\" ({setting}) is not available over the system \
                 \"{system}\": {missing}"
            ),
            Self::SettingNotProvided {
                setting,
                requested,
                provided,
            } => write!(
                f,
                "the engine relies on {setting} = {requested} bytes, and these memories provide \
                 {provided}; make the engine with ArenaMemories::engine"
            ),
            Self::BeyondHostMaximum { requested, maximum } => write!(
                f,
                "a memory of {requested} bytes exceeds the host's maximum of {maximum} bytes"
            ),
            Self::InconsistentType { minimum } => write!(
                f,
                "the initial size of {minimum} bytes contradicts the type of the memory"
            ),
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

impl From<RecordsFull> for MemoryError {
    fn from(full: RecordsFull) -> Self {
        Self::AccountsFull { kept: full.kept }
    }
}

impl From<AllocError> for MemoryError {
    fn from(error: AllocError) -> Self {
        Self::Alloc(error)
    }
}
