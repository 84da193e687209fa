//! Which bands a heap has: block sizes, and how many blocks exist from the start.
#![forbid(unsafe_code)]

use core::fmt;

use crate::layout::GRANULE;
use crate::pool_layout;

#[allow(clippy::cast_possible_truncation, reason = "8 or 16")]
const GRANULE_U16: u16 = GRANULE as u16;

/// One band as a caller describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Band {
    /// Usable bytes of a block, 1 to [`BandConfig::MAX_BLOCK_SIZE`]; rounded up to a multiple of
    /// the granule (16 bytes on 64-bit hosts, 8 on 32-bit).
    pub block_size: u16,
    /// Blocks wished in one pool. As in the rebuilt allocator this is a wish only: a pool is filled
    /// with as many blocks as it has room for.
    pub blocks_per_pool: u16,
    /// Blocks made when the heap is first used, rounded up to whole pools.
    pub preallocate: u16,
}

impl Band {
    /// A band of blocks of `block_size` bytes, with no blocks made at the start.
    #[must_use]
    pub const fn of_size(block_size: u16) -> Self {
        Self {
            block_size,
            blocks_per_pool: 0,
            preallocate: 0,
        }
    }
}

/// The bands of a heap: up to [`MAX_BANDS`](Self::MAX_BANDS), sizes ascending.
///
/// ```
/// use arena_heap::{Band, BandConfig, BandError};
///
/// let bands = BandConfig::new(&[Band::of_size(32), Band::of_size(100)])?;
/// // Sizes are multiples of the granule: 16 bytes on 64-bit hosts, 8 on 32-bit.
/// assert_eq!(bands.bands()[0].block_size, 32);
/// assert!([112, 104].contains(&bands.bands()[1].block_size));
///
/// let bands = BandConfig::parse("2:64,8,0:128,8,16")?;
/// assert_eq!(bands.bands()[1].preallocate, 16);
/// let error = BandConfig::parse("2:64,8,0:32,8,0").unwrap_err();
/// assert_eq!(error, BandError::NotAscending { size: 32, previous: 64 });
/// # Ok::<(), BandError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BandConfig {
    bands: [Band; Self::MAX_BANDS],
    count: usize,
}

impl BandConfig {
    /// The most bands a heap can have.
    pub const MAX_BANDS: usize = 16;

    /// The largest block of a band, in bytes. Larger blocks are served by the list heap, whose
    /// cost and waste no longer differ at such sizes.
    pub const MAX_BLOCK_SIZE: u16 = 2048;

    /// No bands: every block comes from the list heap.
    pub const NONE: Self = Self {
        bands: [Band::of_size(0); Self::MAX_BANDS],
        count: 0,
    };

    /// The granule (16 bytes on 64-bit hosts, 8 on 32-bit) times 1, 2, 3, 4, 5, 6, 7, 8, 10, 12,
    /// 14 and 16.
    ///
    /// The rebuilt allocator has the multiples 2, 3, 4, 6, 8, 10, 12 and 16, with a header word in
    /// front of every block. Blocks here have no header, so a block of one granule is worth having,
    /// and the multiples 5, 7 and 14 halve what the widest gaps waste.
    pub const DEFAULT: Self = {
        let multiples = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16];
        let mut bands = Self::NONE;
        while bands.count < multiples.len() {
            let size = multiples[bands.count] * GRANULE_U16;
            bands.bands[bands.count] = Band::of_size(size);
            bands.count += 1;
        }
        bands
    };

    /// Bands of the given sizes.
    ///
    /// Sizes are rounded up to the granule; bands that become equal by that are joined, and their
    /// preallocated blocks added up.
    ///
    /// # Errors
    /// Too many bands, a size of zero or above the largest, or one below its predecessor.
    pub const fn new(bands: &[Band]) -> Result<Self, BandError> {
        let mut result = Self::NONE;
        let mut previous = 0;
        let mut index = 0;
        while index < bands.len() {
            let band = bands[index];
            if band.block_size < previous {
                return Err(BandError::NotAscending {
                    size: band.block_size as u64,
                    previous: previous as u64,
                });
            }
            previous = band.block_size;
            if let Err(error) = result.push(band) {
                return Err(error);
            }
            index += 1;
        }
        Ok(result)
    }

    const fn push(&mut self, mut band: Band) -> Result<(), BandError> {
        if band.block_size == 0 || band.block_size > Self::MAX_BLOCK_SIZE {
            return Err(BandError::Size {
                size: band.block_size as u64,
                maximum: Self::MAX_BLOCK_SIZE as u64,
            });
        }
        band.block_size = band.block_size.next_multiple_of(GRANULE_U16);
        if self.count > 0 && self.bands[self.count - 1].block_size == band.block_size {
            let last = &mut self.bands[self.count - 1];
            last.preallocate = last.preallocate.saturating_add(band.preallocate);
            return Ok(());
        }
        if self.count == Self::MAX_BANDS {
            return Err(BandError::TooMany {
                maximum: Self::MAX_BANDS,
            });
        }
        self.bands[self.count] = band;
        self.count += 1;
        Ok(())
    }

    /// Reads `N:s,n,p:s,n,p:…`, the grammar of `MALLOC_BAND_CONFIG_STR`: N bands, each with block
    /// size s, n blocks per pool and p blocks made at the start; digits, commas and colons only.
    ///
    /// As documented for that variable, text after the Nth triple is ignored and n is recomputed.
    /// Cost grows with the text.
    ///
    /// # Errors
    /// Where the text departs from the grammar, or which number is out of range. The rebuilt
    /// allocator ignores such text in silence.
    pub fn parse(text: &str) -> Result<Self, BandError> {
        let mut reader = Reader {
            text: text.as_bytes(),
            at: 0,
        };
        let count = reader.number()?;
        if count == 0 {
            return Err(BandError::NoBands);
        }
        let mut result = Self::NONE;
        let mut previous = 0;
        for _ in 0..count {
            reader.expect(b':')?;
            let size = reader.number()?;
            reader.expect(b',')?;
            let blocks_per_pool = reader.short()?;
            reader.expect(b',')?;
            let preallocate = reader.short()?;
            if size < previous {
                return Err(BandError::NotAscending { size, previous });
            }
            previous = size;
            let maximum = u64::from(Self::MAX_BLOCK_SIZE);
            let block_size = u16::try_from(size).map_err(|_| BandError::Size { size, maximum })?;
            result.push(Band {
                block_size,
                blocks_per_pool,
                preallocate,
            })?;
        }
        Ok(result)
    }

    /// The bands, sizes ascending and rounded up to the granule.
    #[must_use]
    pub fn bands(&self) -> &[Band] {
        self.bands.get(..self.count).unwrap_or(&[])
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    pub(crate) const fn band(&self, index: usize) -> Band {
        self.bands[index]
    }

    /// The fields are private and every constructor checks, so this only guards the invariant.
    pub(crate) const fn validate(&self) -> Result<(), BandError> {
        if self.count > Self::MAX_BANDS {
            return Err(BandError::TooMany {
                maximum: Self::MAX_BANDS,
            });
        }
        Ok(())
    }

    /// Bytes of the aligned window a pool lies in: 4 KiB, or the next power of two that holds four
    /// blocks of the largest band.
    pub(crate) const fn pool_window(&self) -> usize {
        let mut window: usize = 4096;
        if self.count > 0 {
            let largest = self.bands[self.count - 1].block_size as usize;
            while pool_layout::capacity(window, largest) < 4 {
                window *= 2;
            }
        }
        window
    }
}

impl Default for BandConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Bands that cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BandError {
    /// The text says there are no bands.
    NoBands,
    /// More bands than there may be.
    TooMany {
        /// How many there may be.
        maximum: usize,
    },
    /// A block size out of range.
    Size {
        /// What was asked.
        size: u64,
        /// The most possible; the least is 1.
        maximum: u64,
    },
    /// A block size below that of the band before it.
    NotAscending {
        /// What was asked.
        size: u64,
        /// The size before it.
        previous: u64,
    },
    /// A number of blocks above what the grammar allows.
    TooLarge {
        /// What was asked.
        value: u64,
        /// The most possible.
        maximum: u64,
        /// Where in the text, in bytes from its start.
        at: usize,
    },
    /// The text has something other than digits where a number belongs.
    NumberExpected {
        /// Where in the text, in bytes from its start.
        at: usize,
    },
    /// The text lacks a separator.
    SeparatorExpected {
        /// The separator: a colon or a comma.
        separator: char,
        /// Where in the text, in bytes from its start.
        at: usize,
    },
}

impl fmt::Display for BandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoBands => f.write_str("the number of bands is 0"),
            Self::TooMany { maximum } => write!(f, "more than {maximum} bands"),
            Self::Size { size, maximum } => {
                write!(f, "block size {size} is not within 1 to {maximum}")
            }
            Self::NotAscending { size, previous } => {
                write!(f, "block size {size} follows the larger size {previous}")
            }
            Self::TooLarge { value, maximum, at } => {
                write!(f, "{value} at byte {at} is above {maximum}")
            }
            Self::NumberExpected { at } => write!(f, "a number was expected at byte {at}"),
            Self::SeparatorExpected { separator, at } => {
                write!(f, "'{separator}' was expected at byte {at}")
            }
        }
    }
}

impl core::error::Error for BandError {}

/// Reads numbers and separators from the front of a text.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// A run of digits; numbers too large for the type read as its maximum.
    fn number(&mut self) -> Result<u64, BandError> {
        let start = self.at;
        let mut value: u64 = 0;
        while let Some(digit) = self.text.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            value = value
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        if self.at == start {
            Err(BandError::NumberExpected { at: start })
        } else {
            Ok(value)
        }
    }

    /// A number that the grammar keeps in a signed 16-bit field.
    fn short(&mut self) -> Result<u16, BandError> {
        let at = self.at;
        let value = self.number()?;
        match u16::try_from(value) {
            Ok(short) if short <= i16::MAX.unsigned_abs() => Ok(short),
            _ => {
                let maximum = u64::from(i16::MAX.unsigned_abs());
                Err(BandError::TooLarge { value, maximum, at })
            }
        }
    }

    fn expect(&mut self, separator: u8) -> Result<(), BandError> {
        if self.text.get(self.at) == Some(&separator) {
            self.at += 1;
            return Ok(());
        }
        Err(BandError::SeparatorExpected {
            separator: char::from(separator),
            at: self.at,
        })
    }
}

#[cfg(test)]
mod tests;
