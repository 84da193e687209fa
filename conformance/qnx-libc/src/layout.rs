//! Sums of the heap: pure arithmetic on offsets, for any word and any alignment.
//!
//! ```text
//!  base                                                                             end
//!   | arena header | header | user bytes ....... | footer | header | ... | sentinel |
//!                  ^ first block           one block ─────┘
//!                           ^ p, aligned
//! ```
//!
//! Invariants: (1) a block starts where start + header is a multiple of the alignment; (2) a block's
//! size is a multiple of the alignment; (3) the last block of an arena ends before the sentinel.

#![forbid(unsafe_code)]

use crate::profile::Profile;

/// The unit in which the arena heap rounds mappings, on every page size (qnx-facts §4.1, §6.6).
pub const HEAP_PAGE: usize = 4096;

/// What the sums depend on, all in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// A word: 4 or 8.
    pub word: usize,
    /// Alignment of plain `malloc`.
    pub alignment: usize,
    /// What lies between a block's start and its user bytes.
    pub header: usize,
    /// What lies at the base of a mapping.
    pub arena_header: usize,
    /// Largest block served by bands; 0 without bands.
    pub biggest_band: usize,
}

impl Shape {
    /// The shape of a profile's heap (qnx-facts §3.1, §3.2, §4.2, §4.9).
    #[must_use]
    pub const fn of(profile: Profile, word: usize) -> Self {
        let alignment = profile.malloc_alignment(word);
        if profile.has_arenas() {
            Self {
                word,
                alignment,
                header: word,
                arena_header: 4 * word,
                biggest_band: 16 * alignment,
            }
        } else {
            Self {
                word,
                alignment,
                header: 2 * word,
                arena_header: 0,
                biggest_band: 0,
            }
        }
    }

    /// From this request on a block has its own mapping (qnx-facts §4.1); arena heap only.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        512 * self.biggest_band
    }

    /// Offset of the first block in a mapping.
    #[must_use]
    pub const fn first_block(&self) -> usize {
        (self.arena_header + self.header).next_multiple_of(self.alignment) - self.header
    }

    /// Bytes of all blocks of a mapping of `mapping` bytes.
    #[must_use]
    pub const fn room(&self, mapping: usize) -> usize {
        let room = mapping - self.first_block() - self.word;
        room - room % self.alignment
    }

    /// Bytes of a block for `request` user bytes; `None` on overflow.
    #[must_use]
    pub fn block_size(&self, request: usize) -> Option<usize> {
        request
            .checked_add(self.header + self.word)?
            .checked_next_multiple_of(self.alignment)
    }

    /// User bytes of a block of `size` bytes.
    #[must_use]
    pub const fn usable(&self, size: usize) -> usize {
        size - self.header - self.word
    }

    /// Bytes of a mapping that holds one block of `block` bytes, before rounding to pages.
    ///
    /// `block` is a multiple of the alignment (2), so that nothing of the room is lost to rounding.
    #[must_use]
    pub fn mapping_for(&self, block: usize) -> Option<usize> {
        block.checked_add(self.first_block() + self.word)
    }

    /// What `memalign` asks of the heap for `request` bytes (qnx-facts §4.2).
    #[must_use]
    pub fn aligned_request(&self, request: usize, alignment: usize) -> Option<usize> {
        let words = (2 * self.word).checked_next_multiple_of(alignment)?;
        let overhead = (self.first_block() + self.word).max(5 * self.word);
        request
            .checked_next_multiple_of(alignment)?
            .checked_add(words)?
            .checked_add(overhead)
    }

    /// Where an aligned block starts inside the free block `start .. start + size`, which has room
    /// for `block` bytes: cut from the tail, then moved up until its user bytes are aligned and what
    /// is left in front is nothing or a block of its own.
    #[must_use]
    pub fn place_aligned(
        &self,
        start: usize,
        size: usize,
        block: usize,
        alignment: usize,
    ) -> Option<usize> {
        let tail = (start + size).checked_sub(block)?;
        let mut user = (tail + self.header).checked_next_multiple_of(alignment)?;
        let slack = user - self.header - start;
        if slack != 0 && slack < self.least_free_block() {
            user = user.checked_add(alignment)?;
        }
        Some(user - self.header)
    }

    /// The smallest block that can be free: header, two links, footer.
    #[must_use]
    pub const fn least_free_block(&self) -> usize {
        (self.header + 3 * self.word).next_multiple_of(self.alignment)
    }

    /// The smallest tail that is cut off a block (qnx-facts §4.6: about 144 bytes).
    #[must_use]
    pub const fn least_cut(&self) -> usize {
        let least = self.biggest_band + self.header + self.word;
        if least < self.least_free_block() {
            self.least_free_block()
        } else {
            least
        }
    }

    /// The request a band would serve: rounded up to a band's size (qnx-facts §3.1), or unchanged.
    #[must_use]
    pub fn band_request(&self, request: usize) -> usize {
        let units = [2, 3, 4, 6, 8, 10, 12, 16];
        if request > self.biggest_band {
            return request;
        }
        units
            .iter()
            .map(|unit| unit * self.alignment)
            .find(|&size| size >= request)
            .unwrap_or(request)
    }

    /// The size bin of a block: 0 up to twice the biggest band, then one per power of two, the last
    /// without an end (qnx-facts §4.1.1).
    #[must_use]
    pub fn bin(&self, size: usize) -> u32 {
        let first = 2 * self.biggest_band.max(128);
        size.div_ceil(first)
            .next_power_of_two()
            .trailing_zeros()
            .min(8)
    }
}

#[cfg(test)]
mod tests;
