//! Settings from the environment variables of the QNX allocator.
//!
//! Names, grammar, ranges and the order of evaluation are as documented there. What differs: a bad
//! value is reported, with the range, where that allocator ignores it in silence; and `64K`, which
//! it reads as 64, is refused as no number.
//!
//! | variable | value | effect |
//! |---|---|---|
//! | `MALLOC_MMAP_NOZERO` | | not supported: page sources always hand out zeros |
//! | `MALLOC_ARENA_SIZE` | bytes, one page to 262144 | arena size, rounded up to pages; the report says to what |
//! | `MALLOC_MEMORY_BANDCONFIG` | | not supported: there are no bands linked into a program |
//! | `MALLOC_BAND_CONFIG_STR` | `N:s,n,p:…` | bands: see [`BandConfig::parse`] |
//! | `MALLOC_MEMORY_PREALLOCATE` | bytes | mapped ahead of use |
//! | `MALLOC_MEMORY_HOLD` | 1: hold; 0: no change | nothing goes back by itself |
//! | `MALLOC_FREE_LIFO` | anything, even nothing | last-in first-out reuse |
//! | `MALLOC_ARENA_CACHE_MAXSZ` | bytes; 0: no change | byte limit of the cache; ends a hold by variable |
//! | `MALLOC_ARENA_CACHE_MAXBLK` | count; 0: no change | count limit of the cache; ends a hold by variable |
//! | `MALLOC_OPTIONS` | letters `v`, `r` | accepted: they are the default; `V`, `R` are not supported |
#![forbid(unsafe_code)]

use core::fmt;

use os::PageSize;

use crate::{BandConfig, BandError, HeapConfig};

/// The largest count or size there: they are kept in a signed 32-bit integer.
const MAX_NUMBER: u64 = i32::MAX as u64;

/// A variable that the QNX allocator reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Variable {
    /// `MALLOC_MMAP_NOZERO`
    MmapNoZero,
    /// `MALLOC_ARENA_SIZE`
    ArenaSize,
    /// `MALLOC_MEMORY_BANDCONFIG`
    MemoryBandConfig,
    /// `MALLOC_BAND_CONFIG_STR`
    BandConfigString,
    /// `MALLOC_MEMORY_PREALLOCATE`
    MemoryPreallocate,
    /// `MALLOC_MEMORY_HOLD`
    MemoryHold,
    /// `MALLOC_FREE_LIFO`
    FreeLifo,
    /// `MALLOC_ARENA_CACHE_MAXSZ`
    ArenaCacheMaxBytes,
    /// `MALLOC_ARENA_CACHE_MAXBLK`
    ArenaCacheMaxBlocks,
    /// `MALLOC_OPTIONS`
    Options,
}

impl Variable {
    /// All of them, in the order in which they are evaluated.
    pub const ALL: [Self; 10] = [
        Self::MmapNoZero,
        Self::ArenaSize,
        Self::MemoryBandConfig,
        Self::BandConfigString,
        Self::MemoryPreallocate,
        Self::MemoryHold,
        Self::FreeLifo,
        Self::ArenaCacheMaxBytes,
        Self::ArenaCacheMaxBlocks,
        Self::Options,
    ];

    /// Its name in the environment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MmapNoZero => "MALLOC_MMAP_NOZERO",
            Self::ArenaSize => "MALLOC_ARENA_SIZE",
            Self::MemoryBandConfig => "MALLOC_MEMORY_BANDCONFIG",
            Self::BandConfigString => "MALLOC_BAND_CONFIG_STR",
            Self::MemoryPreallocate => "MALLOC_MEMORY_PREALLOCATE",
            Self::MemoryHold => "MALLOC_MEMORY_HOLD",
            Self::FreeLifo => "MALLOC_FREE_LIFO",
            Self::ArenaCacheMaxBytes => "MALLOC_ARENA_CACHE_MAXSZ",
            Self::ArenaCacheMaxBlocks => "MALLOC_ARENA_CACHE_MAXBLK",
            Self::Options => "MALLOC_OPTIONS",
        }
    }
}

/// What became of one variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is not set.
    Unset,
    /// It was accepted and is in the configuration. The number in force is given, or 1 for
    /// settings that are no number; for bands it is their count.
    Accepted {
        /// The value in force.
        value: usize,
    },
    /// It was accepted, and its value is documented to change nothing.
    NoChange,
    /// It is wrong; the configuration is as if it were not set.
    Refused(Refusal),
    /// This heap has nothing for it; the configuration is as if it were not set.
    Unsupported,
}

/// Why a variable was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Something other than a decimal number.
    NotANumber {
        /// The first byte that is no digit, counted from 0.
        at: usize,
    },
    /// A number out of range.
    OutOfRange {
        /// The number; numbers beyond the type read as its least or greatest.
        value: i64,
        /// The least accepted.
        minimum: u64,
        /// The greatest accepted.
        maximum: u64,
    },
    /// Bands that cannot be built.
    Bands(BandError),
    /// A letter that is no option.
    UnknownOption {
        /// The letter.
        letter: char,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotANumber { at } => write!(f, "not a decimal number at byte {at}"),
            Self::OutOfRange {
                value,
                minimum,
                maximum,
            } => {
                write!(f, "{value} is not within {minimum} to {maximum}")
            }
            Self::Bands(error) => write!(f, "{error}"),
            Self::UnknownOption { letter } => write!(f, "unknown option '{letter}'"),
        }
    }
}

/// What became of every variable.
///
/// Its text names the variables that are set, one on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvironmentReport {
    outcomes: [Outcome; Variable::ALL.len()],
}

impl EnvironmentReport {
    /// What became of one variable.
    #[must_use]
    pub const fn outcome(&self, variable: Variable) -> Outcome {
        self.outcomes[variable as usize]
    }

    /// Every variable with its outcome, in the order of evaluation.
    pub fn iter(&self) -> impl Iterator<Item = (Variable, Outcome)> {
        Variable::ALL.into_iter().zip(self.outcomes)
    }

    /// Whether nothing was refused and nothing that is set is unsupported.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self
            .iter()
            .any(|(_, outcome)| matches!(outcome, Outcome::Refused(_) | Outcome::Unsupported))
    }
}

impl fmt::Display for EnvironmentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (variable, outcome) in self.iter() {
            let name = variable.name();
            match outcome {
                Outcome::Unset => {}
                Outcome::Accepted { value } => writeln!(f, "{name}: accepted, {value}")?,
                Outcome::NoChange => writeln!(f, "{name}: accepted, changes nothing")?,
                Outcome::Refused(refusal) => writeln!(f, "{name}: refused: {refusal}")?,
                Outcome::Unsupported => writeln!(f, "{name}: not supported")?,
            }
        }
        Ok(())
    }
}

impl HeapConfig {
    /// This configuration, changed as the environment says.
    ///
    /// `lookup` is asked once for each variable; without `std` it may be a table. Nothing is
    /// applied to any heap. The cost grows with the length of the values.
    ///
    /// ```
    /// use arena_heap::{HeapConfig, Outcome, Refusal, Variable};
    ///
    /// let page = os::PageSize::new(4096).unwrap();
    /// let (config, report) = HeapConfig::DEFAULT.with_environment(page, |name| match name {
    ///     "MALLOC_ARENA_SIZE" => Some("65536"),
    ///     "MALLOC_ARENA_CACHE_MAXBLK" => Some("4K"),
    ///     _ => None,
    /// });
    /// assert_eq!(config.arena_size, 65536);
    /// assert_eq!(config.cache_max_blocks, HeapConfig::DEFAULT.cache_max_blocks);
    /// assert_eq!(
    ///     report.outcome(Variable::ArenaCacheMaxBlocks),
    ///     Outcome::Refused(Refusal::NotANumber { at: 1 }),
    /// );
    /// ```
    pub fn with_environment<'a>(
        self,
        page_size: PageSize,
        mut lookup: impl FnMut(&str) -> Option<&'a str>,
    ) -> (Self, EnvironmentReport) {
        let mut config = self;
        let mut outcomes = [Outcome::Unset; Variable::ALL.len()];
        for (variable, outcome) in Variable::ALL.into_iter().zip(&mut outcomes) {
            if let Some(value) = lookup(variable.name()) {
                *outcome = match config.apply(variable, value, page_size) {
                    Ok(outcome) => outcome,
                    Err(refusal) => Outcome::Refused(refusal),
                };
            }
        }
        (config, EnvironmentReport { outcomes })
    }

    fn apply(
        &mut self,
        variable: Variable,
        text: &str,
        page_size: PageSize,
    ) -> Result<Outcome, Refusal> {
        let value = match variable {
            Variable::MmapNoZero | Variable::MemoryBandConfig => return Ok(Outcome::Unsupported),
            Variable::Options => return options(text),
            Variable::FreeLifo => {
                self.free_order = crate::FreeOrder::Lifo;
                1
            }
            Variable::BandConfigString => {
                self.bands = BandConfig::parse(text).map_err(Refusal::Bands)?;
                self.bands.count()
            }
            Variable::ArenaSize => {
                let most = Self::MAX_ARENA_SIZE.max(page_size.get());
                let bytes = number(text, page_size.get() as u64, most as u64)?;
                // Both limits are page multiples, so rounding up stays within them.
                self.arena_size = page_size.round_up(bytes).unwrap_or(bytes);
                self.arena_size
            }
            Variable::MemoryPreallocate => {
                let most = (Self::MAX_PREALLOCATE as u64).min(MAX_NUMBER);
                self.preallocate = number(text, 0, most)?;
                self.preallocate
            }
            Variable::MemoryHold => match number(text, 0, MAX_NUMBER)? {
                0 => return Ok(Outcome::NoChange),
                _ => {
                    self.hold = true;
                    1
                }
            },
            Variable::ArenaCacheMaxBytes => match number(text, 0, MAX_NUMBER)? {
                0 => return Ok(Outcome::NoChange),
                bytes => {
                    self.end_hold();
                    self.cache_max_bytes = bytes;
                    bytes
                }
            },
            Variable::ArenaCacheMaxBlocks => match number(text, 0, MAX_NUMBER)? {
                0 => return Ok(Outcome::NoChange),
                count => {
                    self.end_hold();
                    self.cache_max_blocks = count;
                    count
                }
            },
        };
        Ok(Outcome::Accepted { value })
    }

    /// Documented: hold lifts both limits, and a limit evaluated later takes its own back.
    fn end_hold(&mut self) {
        if self.hold {
            self.hold = false;
            self.cache_max_bytes = 0;
            self.cache_max_blocks = usize::MAX;
        }
    }
}

fn options(text: &str) -> Result<Outcome, Refusal> {
    let mut outcome = Outcome::NoChange;
    for letter in text.chars() {
        match letter {
            'v' | 'r' => {}
            'V' | 'R' => outcome = Outcome::Unsupported,
            _ => return Err(Refusal::UnknownOption { letter }),
        }
    }
    Ok(outcome)
}

/// A decimal number within limits; a minus sign is understood, to be refused by range.
fn number(text: &str, minimum: u64, maximum: u64) -> Result<usize, Refusal> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let offset = usize::from(negative);
    let mut value: i64 = 0;
    for (index, byte) in digits.bytes().enumerate() {
        if !byte.is_ascii_digit() {
            return Err(Refusal::NotANumber { at: index + offset });
        }
        value = value
            .saturating_mul(10)
            .saturating_add(i64::from(byte - b'0'));
    }
    if digits.is_empty() {
        return Err(Refusal::NotANumber { at: offset });
    }
    let value = if negative { -value } else { value };
    match u64::try_from(value) {
        Ok(positive) if (minimum..=maximum).contains(&positive) => usize::try_from(positive)
            .map_err(|_| Refusal::OutOfRange {
                value,
                minimum,
                maximum,
            }),
        _ => Err(Refusal::OutOfRange {
            value,
            minimum,
            maximum,
        }),
    }
}

#[cfg(test)]
mod tests;
