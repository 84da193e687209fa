//! The word before every payload: a size and four marks.
//!
//! ```text
//!   64-bit: | size, a multiple of 16           | first | special | before free | free |
//!   32-bit: | size × 2, size a multiple of 8   | first | special | before free | free |
//! ```
//!
//! | mark | on a block in use | on a free block |
//! |---|---|---|
//! | free | – | set |
//! | before free | the block before it is free, and its footer lies in the word before this header | never: free neighbours are joined |
//! | special | the block is a pool of a band | *fresh*: its bytes are zero, except links and footer |
//! | first | the block is the first of its arena | the same |
//!
//! A size of zero is the end word of an arena.
#![forbid(unsafe_code)]

use crate::layout::{GRANULE, MIN_BLOCK, WORD};

/// Unused low bits of a size must be four: on 32-bit hosts the size is shifted for the fourth.
const SHIFT: u32 = if WORD == 8 { 0 } else { 1 };

const FREE: usize = 1;
const BEFORE_FREE: usize = 2;
const SPECIAL: usize = 4;
const FIRST: usize = 8;
const MARKS: usize = FREE | BEFORE_FREE | SPECIAL | FIRST;

const _: () = assert!(GRANULE << SHIFT == 16);

/// A block header as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Header(pub(crate) usize);

impl Header {
    /// The word at the end of an arena.
    pub(crate) const END: Self = Self(0);

    /// A block in use of `size` bytes.
    #[inline]
    pub(crate) const fn used(size: usize) -> Self {
        Self(size << SHIFT)
    }

    /// A free block of `size` bytes.
    #[inline]
    pub(crate) const fn free(size: usize) -> Self {
        Self(size << SHIFT | FREE)
    }

    /// Bytes of the whole block, header included; 0 for the end word.
    #[inline]
    pub(crate) const fn size(self) -> usize {
        (self.0 & !MARKS) >> SHIFT
    }

    #[inline]
    pub(crate) const fn is_end(self) -> bool {
        self.0 & !MARKS == 0
    }

    #[inline]
    pub(crate) const fn is_free(self) -> bool {
        self.0 & FREE != 0
    }

    #[inline]
    pub(crate) const fn before_is_free(self) -> bool {
        self.0 & BEFORE_FREE != 0
    }

    #[inline]
    pub(crate) const fn is_first(self) -> bool {
        self.0 & FIRST != 0
    }

    /// Whether the block is in use as a pool.
    #[inline]
    pub(crate) const fn is_pool(self) -> bool {
        self.0 & (FREE | SPECIAL) == SPECIAL
    }

    /// Whether the block is free and its bytes are zero, except links and footer.
    #[inline]
    pub(crate) const fn is_fresh(self) -> bool {
        self.0 & (FREE | SPECIAL) == FREE | SPECIAL
    }

    /// Whether a caller may own this block: in use, no pool, of a possible size.
    #[inline]
    pub(crate) const fn is_owned(self) -> bool {
        self.0 & (FREE | SPECIAL) == 0 && self.size() >= MIN_BLOCK
    }

    #[inline]
    pub(crate) const fn with_before_free(self, before_free: bool) -> Self {
        Self(if before_free {
            self.0 | BEFORE_FREE
        } else {
            self.0 & !BEFORE_FREE
        })
    }

    /// With the `first` mark of `other`.
    #[inline]
    pub(crate) const fn with_first_of(self, other: Self) -> Self {
        Self(self.0 & !FIRST | other.0 & FIRST)
    }

    #[inline]
    pub(crate) const fn with_first(self) -> Self {
        Self(self.0 | FIRST)
    }

    /// Marks a block in use as a pool, a free one as fresh.
    #[inline]
    pub(crate) const fn with_special(self, special: bool) -> Self {
        Self(if special {
            self.0 | SPECIAL
        } else {
            self.0 & !SPECIAL
        })
    }

    /// As free, other marks kept: what a header inside a larger free block says afterwards.
    #[inline]
    pub(crate) const fn freed(self) -> Self {
        Self(self.0 | FREE)
    }

    /// The header of the last `size` bytes of the free block that this is the header of: free, and
    /// fresh if this is.
    #[inline]
    pub(crate) const fn rest(self, size: usize) -> Self {
        Self(size << SHIFT | self.0 & (FREE | SPECIAL))
    }

    /// The header of a block in use of `size` bytes at the front of the free block that this is the
    /// header of.
    #[inline]
    pub(crate) const fn front(self, size: usize) -> Self {
        Self(size << SHIFT | self.0 & FIRST)
    }

    /// With another size, marks kept.
    #[inline]
    pub(crate) const fn resized(self, size: usize) -> Self {
        Self(size << SHIFT | self.0 & MARKS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{MAX_BLOCK, MIN_BLOCK};

    #[test]
    fn sizes_and_marks_do_not_disturb_each_other() {
        for size in [
            MIN_BLOCK,
            3 * GRANULE,
            4096,
            MAX_BLOCK,
            2 * MAX_BLOCK - GRANULE,
        ] {
            for marks in 0..=MARKS {
                let header = Header(Header::used(size).0 | marks);
                assert_eq!(header.size(), size);
                assert_eq!(header.resized(MIN_BLOCK).size(), MIN_BLOCK);
                assert_eq!(header.resized(MIN_BLOCK).0 & MARKS, marks);
                assert_eq!(
                    header.with_before_free(true).with_before_free(false).size(),
                    size
                );
                assert!(!header.is_end());
                assert!(!(header.is_pool() && header.is_fresh()));
                assert_eq!(header.is_owned(), marks & (FREE | SPECIAL) == 0);
            }
        }
        assert!(Header::END.is_end() && Header::END.with_before_free(true).is_end());
        assert!(!Header::END.is_owned());
    }
}
