//! Why a case failed: where, what was expected, and two numbers. No heap, no strings to build.
#![forbid(unsafe_code)]

use core::fmt;
use core::panic::Location;
use core::ptr::NonNull;

use os::Protection;
use wasm_arena::{AllocError, Busy, IntegrityError};

/// What a case returns.
pub type Verdict = Result<(), Failure>;

/// Why a case failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Source file of the check that failed.
    pub file: &'static str,
    /// Line of that check.
    pub line: u32,
    /// What should have been so.
    pub what: &'static str,
    /// What was found, as a number.
    pub left: u64,
    /// What was expected, as a number.
    pub right: u64,
    /// The error of wasm-arena that came instead, if one did.
    pub error: Option<Cause>,
}

/// An error of wasm-arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Of an allocator.
    Alloc(AllocError),
    /// Of checked memory.
    Integrity(IntegrityError),
}

impl From<AllocError> for Cause {
    fn from(error: AllocError) -> Self {
        Self::Alloc(error)
    }
}

impl From<IntegrityError> for Cause {
    fn from(error: IntegrityError) -> Self {
        Self::Integrity(error)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alloc(error) => error.fmt(f),
            Self::Integrity(error) => error.fmt(f),
        }
    }
}

impl Failure {
    /// A failure of the line that calls this.
    #[track_caller]
    pub(crate) fn here(what: &'static str, left: u64, right: u64) -> Self {
        let place = Location::caller();
        Self {
            file: place.file(),
            line: place.line(),
            what,
            left,
            right,
            error: None,
        }
    }

    #[track_caller]
    fn caused_by(error: Cause) -> Self {
        Self {
            error: Some(error),
            ..Self::here("this succeeds", 0, 0)
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)?;
        if self.left != self.right {
            write!(
                f,
                ": {} ({:#x}), not {} ({:#x})",
                self.left, self.left, self.right, self.right
            )?;
        }
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Failure {}

impl From<AllocError> for Failure {
    #[track_caller]
    fn from(error: AllocError) -> Self {
        Self::caused_by(error.into())
    }
}

impl From<IntegrityError> for Failure {
    #[track_caller]
    fn from(error: IntegrityError) -> Self {
        Self::caused_by(error.into())
    }
}

impl From<Busy> for Failure {
    #[track_caller]
    fn from(_: Busy) -> Self {
        Self::here("the register of live memories is free", 0, 0)
    }
}

/// Something that a [`Failure`] can show as a number.
pub trait Number: Copy {
    /// The number.
    fn number(self) -> u64;
}

macro_rules! numbers {
    ($($integer:ty),*) => {$(
        impl Number for $integer {
            fn number(self) -> u64 {
                self as u64
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, usize, isize, bool);

impl Number for NonNull<u8> {
    fn number(self) -> u64 {
        self.addr().get() as u64
    }
}

impl Number for Protection {
    fn number(self) -> u64 {
        self as u64
    }
}

impl<N: Number> Number for Option<N> {
    /// Nothing is shown as a number that nothing else here has.
    fn number(self) -> u64 {
        self.map_or(u64::MAX, Number::number)
    }
}

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $what:literal) => {
        if !$condition {
            return Err($crate::Failure::here($what, 0, 0));
        }
    };
}

/// Fails the case unless both numbers are equal; shows them.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $what:literal) => {
        match ($left, $right) {
            (left, right) => {
                if left != right {
                    let (left, right) =
                        ($crate::Number::number(left), $crate::Number::number(right));
                    return Err($crate::Failure::here($what, left, right));
                }
            }
        }
    };
}

/// Fails the case unless the result is an error of this pattern; shows the error that came instead.
macro_rules! ensure_refused {
    ($result:expr, $pattern:pat $(if $guard:expr)?, $what:literal) => {
        match $result.map(drop) {
            Err($pattern) $(if $guard)? => {}
            other => {
                return Err($crate::Failure {
                    error: other.err().map(Into::into),
                    ..$crate::Failure::here($what, 0, 0)
                });
            }
        }
    };
}

pub(crate) use {ensure, ensure_eq, ensure_refused};
