//! Sums about pools: how many blocks, where, and which block an address is.
//!
//! ```text
//!  header of the pool's block                       foot, found by masking an address
//!  |hdr|word|block 0|block 1| … |block n-1| rest |foot|hdr of the next block
//!           ≡ WORD mod GRANULE                        | window boundary
//! ```
//!
//! Blocks of a band have no header. What tells them from blocks of the list heap is their address:
//! payloads of the list heap are multiples of `GRANULE`, band blocks lie one `WORD` behind such a
//! multiple. Hence bands serve alignments up to `WORD`.
#![forbid(unsafe_code)]

use crate::layout::{GRANULE, WORD};

/// Blocks of one pool, at most: one bit each in the foot.
pub(crate) const MAX_BLOCKS: usize = 256;

/// Bytes of the foot of a pool.
pub(crate) const FOOT: usize = if WORD == 8 { 80 } else { 64 };

/// Distance of block 0 from the header of the pool's block: that header and one word.
pub(crate) const FIRST: usize = 2 * WORD;

const _: () = assert!(FOOT.is_multiple_of(GRANULE));

/// How many blocks of `stride` bytes fit in a pool that has `length` bytes from its header to the
/// end of its foot.
pub(crate) const fn capacity(length: usize, stride: usize) -> usize {
    let blocks = length.saturating_sub(FIRST + FOOT) / stride;
    if blocks > MAX_BLOCKS {
        MAX_BLOCKS
    } else {
        blocks
    }
}

/// The length worth giving to a pool in a window: the whole window, unless fewer bytes hold
/// [`MAX_BLOCKS`] blocks.
pub(crate) const fn span(window: usize, stride: usize) -> usize {
    let most = FIRST + MAX_BLOCKS * stride + FOOT;
    if most < window { most } else { window }
}

/// Where the foot of the pool is that holds `address`, as a distance from `address`.
#[inline]
pub(crate) const fn distance_to_foot(address: usize, window: usize) -> usize {
    ((window - 1) & !address) + 1 - WORD - FOOT
}

/// The factor with which [`index_of`] divides by `stride`.
pub(crate) const fn reciprocal(stride: usize) -> u32 {
    #[allow(clippy::cast_possible_truncation, reason = "strides are at most 2 KiB")]
    let stride = stride as u32;
    u32::MAX / stride + 1
}

/// Which block begins at `offset` bytes behind block 0; `None` if none does. An offset before block 0
/// is a very large one.
///
/// With `reciprocal = (2³² + e) / stride`, `e < stride`, a multiple `k × stride` gives the product
/// `k × 2³² + k × e`, and each byte more adds a `reciprocal`. As `k` is at most [`MAX_BLOCKS`] and a
/// stride at most 2 KiB, `(k + 1) × e` stays below the reciprocal: so the upper half is `k`, and the
/// lower half is below the reciprocal for multiples alone.
#[inline]
#[allow(
    clippy::cast_possible_truncation,
    reason = "pools are shorter than 4 GiB; halves are taken"
)]
pub(crate) const fn index_of(offset: usize, reciprocal: u32, count: u16) -> Option<usize> {
    let product = offset as u32 as u64 * reciprocal as u64;
    let (index, rest) = ((product >> 32) as usize, product as u32);
    if index < count as usize && rest < reciprocal {
        Some(index)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BandConfig;

    #[test]
    fn every_offset_is_a_block_exactly_where_one_begins() {
        for stride in (GRANULE..=usize::from(BandConfig::MAX_BLOCK_SIZE)).step_by(GRANULE) {
            let count = 16384 / stride;
            for offset in 0..16384 + 3 * stride {
                let blocks = u16::try_from(count).unwrap();
                let found = index_of(offset, reciprocal(stride), blocks);
                let exact = offset.is_multiple_of(stride) && offset / stride < count;
                assert_eq!(found, exact.then_some(offset / stride), "{stride} {offset}");
            }
        }
        assert_eq!(index_of(usize::MAX, reciprocal(16), 256), None);
    }

    #[test]
    fn every_block_of_a_pool_finds_the_foot() {
        for window in [4096, 8192] {
            let boundary: usize = 5 * 8192;
            let foot = boundary - WORD - FOOT;
            for address in (boundary - window..foot).step_by(WORD) {
                assert_eq!(address + distance_to_foot(address, window), foot);
            }
        }
    }

    #[test]
    fn spans_hold_what_they_were_made_for() {
        for stride in (GRANULE..=2048).step_by(GRANULE) {
            for window in [4096, 8192, 16384] {
                let span = span(window, stride);
                assert!(span.is_multiple_of(GRANULE) && span <= window);
                let blocks = capacity(window, stride);
                assert!(capacity(span, stride) >= blocks.min(MAX_BLOCKS));
            }
        }
    }
}
