//! The settings of a heap, their defaults and their limits.
#![forbid(unsafe_code)]

use core::fmt;

use os::PageSize;

use crate::{BandConfig, BandError};

/// In which order blocks of one size class are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FreeOrder {
    /// The block that was freed first: stale pointers do harm later, memory wears evenly.
    #[default]
    Fifo,
    /// The block that was freed last: it is most likely still in the processor's cache.
    Lifo,
}

/// The settings of an [`ArenaHeap`](crate::ArenaHeap).
///
/// Names and defaults are those of the QNX allocator that this heap rebuilds. A setting outside
/// its range is refused with the range in the error; nothing is rounded or clamped in silence.
///
/// ```
/// use arena_heap::{ConfigError, FreeOrder, HeapConfig};
///
/// let page = os::PageSize::new(4096).unwrap();
/// let config = HeapConfig { free_order: FreeOrder::Lifo, ..HeapConfig::DEFAULT };
/// assert_eq!(config.validate(page), Ok(()));
/// let config = HeapConfig { arena_size: 300 << 10, ..HeapConfig::DEFAULT };
/// assert_eq!(
///     config.validate(page),
///     Err(ConfigError::ArenaSize { bytes: 300 << 10, minimum: 4096, maximum: 256 << 10 }),
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeapConfig {
    /// Bytes in which memory is taken from the page source: a multiple of the host page, from one
    /// page to [`MAX_ARENA_SIZE`](Self::MAX_ARENA_SIZE) inclusive. Acts on new arenas.
    pub arena_size: usize,
    /// Wholly free arenas that stay mapped, at most. 0 with a byte limit: no limit by count.
    /// 0 without one: none stays.
    pub cache_max_blocks: usize,
    /// Bytes of wholly free arenas that stay mapped, at most. 0: no limit by bytes.
    pub cache_max_bytes: usize,
    /// Nothing goes back to the page source by itself; [`trim`](crate::ArenaHeap::trim) still
    /// gives back what is wholly free.
    pub hold: bool,
    /// A large block that has to move while growing gets what was asked and no more. Otherwise, if
    /// its usable size is above four arena sizes, it gets at least 1.5 times that, if there is
    /// memory for it, so that repeated growth copies less.
    pub monotonic_growth: bool,
    /// The order in which blocks of one size class, and pools of one band, are used again.
    pub free_order: FreeOrder,
    /// Bytes of arenas mapped ahead of use, and kept from then on whatever the cache limits say.
    /// Rounded up to whole arenas by use: the cache holds at least this much at the start, as one
    /// arena if the page source has a run of that length, so that blocks fit together best.
    pub preallocate: usize,
    /// The bands that serve small blocks. Cannot change once the heap was used.
    pub bands: BandConfig,
}

impl HeapConfig {
    /// The largest arena size: 256 KiB.
    pub const MAX_ARENA_SIZE: usize = 256 << 10;

    /// The settings a heap starts with: 32 KiB arenas, at most 12 of them cached without a byte
    /// limit, first-in first-out, nothing preallocated.
    pub const DEFAULT: Self = Self {
        arena_size: 32 << 10,
        cache_max_blocks: 12,
        cache_max_bytes: 0,
        hold: false,
        monotonic_growth: false,
        free_order: FreeOrder::Fifo,
        preallocate: 0,
        bands: BandConfig::DEFAULT,
    };

    /// [`DEFAULT`](Self::DEFAULT) for a host with this page size: arenas of 32 KiB, or of one page
    /// where a page is larger.
    ///
    /// ```
    /// let page = os::PageSize::new(65536).unwrap();
    /// assert_eq!(arena_heap::HeapConfig::for_page_size(page).arena_size, 65536);
    /// ```
    #[must_use]
    pub const fn for_page_size(page_size: PageSize) -> Self {
        let mut config = Self::DEFAULT;
        if page_size.get() > config.arena_size {
            config.arena_size = page_size.get();
        }
        config
    }

    /// Checks every setting against its range on a host with this page size. Constant time.
    ///
    /// # Errors
    /// The first setting out of range, with the range.
    pub const fn validate(&self, page_size: PageSize) -> Result<(), ConfigError> {
        let page = page_size.get();
        let bytes = self.arena_size;
        // A host page above the maximum is the only arena size possible there.
        let maximum = if page > Self::MAX_ARENA_SIZE {
            page
        } else {
            Self::MAX_ARENA_SIZE
        };
        if bytes < page || bytes > maximum {
            return Err(ConfigError::ArenaSize {
                bytes,
                minimum: page,
                maximum,
            });
        }
        if !page_size.divides(bytes) {
            return Err(ConfigError::ArenaSizeMultiple {
                bytes,
                page_size: page,
            });
        }
        if self.preallocate > Self::MAX_PREALLOCATE {
            return Err(ConfigError::Preallocate {
                bytes: self.preallocate,
                maximum: Self::MAX_PREALLOCATE,
            });
        }
        match self.bands.validate() {
            Ok(()) => Ok(()),
            Err(error) => Err(ConfigError::Bands(error)),
        }
    }

    /// The most that can be preallocated: 1 TiB on 64-bit hosts, 1 GiB on 32-bit.
    pub const MAX_PREALLOCATE: usize = crate::layout::MAX_BLOCK;

    /// Whether an arena that just became wholly free stays mapped, with `count` others of
    /// together `bytes` bytes already in the cache.
    ///
    /// The rule documented for the allocator since SDP 6.6: an arena larger than the arena size
    /// never stays, unless memory is held; the limits decide about the others.
    pub(crate) const fn keeps(&self, count: usize, bytes: usize, arena: usize) -> bool {
        if self.hold || bytes < self.preallocate {
            return true;
        }
        arena <= self.arena_size && self.within_limits(count + 1, bytes.saturating_add(arena))
    }

    /// Whether a cache of `count` arenas and `bytes` bytes is within the limits.
    pub(crate) const fn within_limits(&self, count: usize, bytes: usize) -> bool {
        if count == 0 || self.hold || bytes <= self.preallocate {
            return true;
        }
        match (self.cache_max_blocks, self.cache_max_bytes) {
            (0, 0) => false,
            (0, most_bytes) => bytes <= most_bytes,
            (most, 0) => count <= most,
            (most, most_bytes) => count <= most && bytes <= most_bytes,
        }
    }
}

impl Default for HeapConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A setting that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The arena size is out of range.
    ArenaSize {
        /// What was asked.
        bytes: usize,
        /// The least possible: one host page.
        minimum: usize,
        /// The most possible.
        maximum: usize,
    },
    /// The arena size is no multiple of the host page.
    ArenaSizeMultiple {
        /// What was asked.
        bytes: usize,
        /// The host page size.
        page_size: usize,
    },
    /// More is to be preallocated than any heap can hold.
    Preallocate {
        /// What was asked.
        bytes: usize,
        /// The most possible.
        maximum: usize,
    },
    /// The bands cannot be built.
    Bands(BandError),
    /// Bands cannot change once the heap was used.
    BandsInUse,
    /// The settings are in force, but the page source refused the memory to preallocate.
    Preallocation(os::OsError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ArenaSize {
                bytes,
                minimum,
                maximum,
            } => {
                write!(
                    f,
                    "arena size {bytes} is not within {minimum} to {maximum} bytes"
                )
            }
            Self::ArenaSizeMultiple { bytes, page_size } => {
                write!(
                    f,
                    "arena size {bytes} is no multiple of the page size {page_size}"
                )
            }
            Self::Preallocate { bytes, maximum } => {
                write!(
                    f,
                    "preallocation of {bytes} bytes is above the maximum of {maximum}"
                )
            }
            Self::Bands(error) => write!(f, "bands: {error}"),
            Self::BandsInUse => f.write_str("bands cannot change once the heap was used"),
            Self::Preallocation(error) => write!(f, "preallocation: {error}"),
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: usize) -> PageSize {
        PageSize::new(bytes).unwrap()
    }

    #[test]
    fn arena_sizes_are_page_multiples_from_one_page_to_256_kib_inclusive() {
        let with = |arena_size| HeapConfig {
            arena_size,
            ..HeapConfig::DEFAULT
        };
        for good in [4096, 8192, 12288, 256 << 10] {
            assert_eq!(with(good).validate(page(4096)), Ok(()));
        }
        for bad in [0, 1, 4095, (256 << 10) + 4096, usize::MAX] {
            let expected = ConfigError::ArenaSize {
                bytes: bad,
                minimum: 4096,
                maximum: 256 << 10,
            };
            assert_eq!(with(bad).validate(page(4096)), Err(expected));
        }
        let expected = ConfigError::ArenaSizeMultiple {
            bytes: 5000,
            page_size: 4096,
        };
        assert_eq!(with(5000).validate(page(4096)), Err(expected));
        for bytes in [16, 4096, 16384, 65536, 1 << 20] {
            assert_eq!(
                HeapConfig::for_page_size(page(bytes)).validate(page(bytes)),
                Ok(())
            );
        }
    }

    #[test]
    fn cache_limits_follow_the_documented_rule() {
        const ARENA: usize = 32 << 10;
        let with = |cache_max_blocks, cache_max_bytes| HeapConfig {
            cache_max_blocks,
            cache_max_bytes,
            ..HeapConfig::DEFAULT
        };
        // (settings, cached arenas, kept?)
        for (config, count, kept) in [
            (HeapConfig::DEFAULT, 0, true),
            (HeapConfig::DEFAULT, 11, true),
            (HeapConfig::DEFAULT, 12, false),
            (with(0, 0), 0, false),
            (with(0, 3 * ARENA), 2, true),
            (with(0, 3 * ARENA), 3, false),
            (with(2, 3 * ARENA), 1, true),
            (with(2, 3 * ARENA), 2, false),
            (with(9, 3 * ARENA), 3, false),
            (
                HeapConfig {
                    hold: true,
                    ..with(0, 0)
                },
                1000,
                true,
            ),
            (
                HeapConfig {
                    preallocate: 2 * ARENA,
                    ..with(0, 0)
                },
                1,
                true,
            ),
            (
                HeapConfig {
                    preallocate: 2 * ARENA,
                    ..with(0, 0)
                },
                2,
                false,
            ),
        ] {
            assert_eq!(
                config.keeps(count, count * ARENA, ARENA),
                kept,
                "{config:?} {count}"
            );
        }
        assert!(!HeapConfig::DEFAULT.keeps(0, 0, 2 * ARENA));
        assert!(
            HeapConfig {
                hold: true,
                ..with(0, 0)
            }
            .keeps(0, 0, 2 * ARENA)
        );
    }
}
