//! Sums about blocks, arenas and pools: no memory is touched here.
//!
//! ```text
//!  one arena, a multiple of the arena size, from one call of the page source
//!
//!  base
//!  |arena header|hdr|payload ........|hdr|payload ....|hdr|payload .......|end|
//!   7 words      1   ≡ 0 mod GRANULE                                       1
//! ```
//!
//! Invariants: (1) every block size is a multiple of [`GRANULE`] and at least [`MIN_BLOCK`];
//! (2) every payload is a multiple of [`GRANULE`], because the arena base is (a page is at least 16
//! bytes), the first payload lies [`ARENA_OVERHEAD`] bytes behind it, and (1); (3) the end word
//! lies in the last word of the arena.
#![forbid(unsafe_code)]

/// Bytes of a machine word: the overhead of a block in use.
pub(crate) const WORD: usize = size_of::<usize>();

/// Unit of block sizes and alignment of list-heap payloads: 16 bytes on 64-bit hosts, 8 on 32-bit.
pub(crate) const GRANULE: usize = 2 * WORD;

/// A block that can be freed holds its header, two links and a footer.
pub(crate) const MIN_BLOCK: usize = 4 * WORD;

/// Bytes at the base of an arena that belong to the arena itself.
pub(crate) const ARENA_HEADER: usize = 7 * WORD;

/// What an arena costs: its header and the end word.
pub(crate) const ARENA_OVERHEAD: usize = ARENA_HEADER + WORD;

/// The largest block: 1 TiB on 64-bit hosts, 1 GiB on 32-bit.
pub(crate) const MAX_BLOCK: usize = if WORD == 8 { 1 << (WORD * 5) } else { 1 << 30 };

const _: () = assert!(WORD == 4 || WORD == 8, "only 32-bit and 64-bit hosts");
const _: () = assert!(ARENA_OVERHEAD.is_multiple_of(GRANULE));

/// The size of the list-heap block for a request of `size` bytes; `None` beyond [`MAX_BLOCK`].
#[inline]
pub(crate) const fn block_size(size: usize) -> Option<usize> {
    if size > MAX_BLOCK - GRANULE {
        return None;
    }
    let rounded = (size + WORD + GRANULE - 1) & !(GRANULE - 1);
    Some(if rounded < MIN_BLOCK {
        MIN_BLOCK
    } else {
        rounded
    })
}

/// Bytes between the payload at `payload` and the first address in it that is a multiple of
/// `align` and leaves in front of it either nothing or enough for a block.
///
/// `align` is a power of two above [`GRANULE`]. At most `align + GRANULE`.
pub(crate) const fn leading_slack(payload: usize, align: usize) -> usize {
    let slack = payload.wrapping_neg() & (align - 1);
    if slack != 0 && slack < MIN_BLOCK {
        slack + align
    } else {
        slack
    }
}

/// The least block that holds a block of `need` bytes at `align` wherever it lies.
pub(crate) fn aligned_search_size(need: usize, align: usize) -> Option<usize> {
    need.checked_add(align)?
        .checked_add(GRANULE)
        .filter(|size| *size <= MAX_BLOCK)
}

/// The length of an arena whose first block is to hold `need` bytes at `align`: a multiple of
/// `arena_size`.
///
/// `base_align` is what the page source promises about the arena's base.
pub(crate) fn arena_length(
    need: usize,
    align: usize,
    base_align: usize,
    arena_size: usize,
) -> Option<usize> {
    let slack = if align <= GRANULE {
        0
    } else if align <= base_align {
        leading_slack(ARENA_OVERHEAD, align)
    } else {
        align.checked_add(GRANULE)?
    };
    let bytes = need.checked_add(slack)?.checked_add(ARENA_OVERHEAD)?;
    // `arena_size` is a multiple of a page but not always a power of two.
    let length = bytes.checked_next_multiple_of(arena_size)?;
    (length <= MAX_BLOCK).then_some(length)
}

/// Where in a free block a pool may lie: see [`place_pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Header address of the pool's block.
    pub(crate) start: usize,
    /// End of the pool: the word before a window boundary. Less than a block may remain behind it.
    pub(crate) end: usize,
}

/// Chooses the place of a pool inside the free block whose header is at `header` and which ends at
/// `end`.
///
/// A pool lies in one *window*, an aligned span of `window` bytes, and reaches up to the word
/// before the next window, where the next block's header is; its foot is there, so that any block
/// of the pool finds it by masking its own address. So that pools tile an arena completely, a pool
/// may start late in its window, as long as half of `span`, the wanted length, is left.
pub(crate) const fn place_pool(
    header: usize,
    end: usize,
    window: usize,
    span: usize,
) -> Option<Placement> {
    let mut boundary = ((header + WORD) & !(window - 1)).wrapping_add(window);
    loop {
        let pool_end = boundary.wrapping_sub(WORD);
        if pool_end > end || pool_end < header {
            return None;
        }
        let wanted = if pool_end - header > span {
            pool_end - span
        } else {
            header
        };
        let start = if wanted != header && wanted - header < MIN_BLOCK {
            header + MIN_BLOCK
        } else {
            wanted
        };
        if start < pool_end && pool_end - start >= span / 2 {
            return Some(Placement {
                start,
                end: pool_end,
            });
        }
        boundary = boundary.wrapping_add(window);
    }
}

/// The least block in which [`place_pool`] always finds a place.
pub(crate) const fn pool_search_size(window: usize, span: usize) -> usize {
    window + span / 2 + MIN_BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_sizes_hold_the_request_and_one_word_and_waste_less_than_a_granule() {
        for size in 0..10_000 {
            let block = block_size(size).unwrap();
            assert!(block >= size + WORD && block.is_multiple_of(GRANULE) && block >= MIN_BLOCK);
            assert!(block == MIN_BLOCK || block - (size + WORD) < GRANULE);
        }
        assert_eq!(block_size(MAX_BLOCK - GRANULE), Some(MAX_BLOCK));
        assert_eq!(block_size(MAX_BLOCK - GRANULE + 1), None);
        assert_eq!(block_size(usize::MAX), None);
    }

    #[test]
    fn leading_slack_aligns_and_leaves_nothing_or_a_block() {
        for align in [2 * GRANULE, 64, 256, 4096, 65536] {
            for payload in (0..2 * align).step_by(GRANULE) {
                let slack = leading_slack(payload, align);
                assert!((payload + slack).is_multiple_of(align));
                assert!(slack == 0 || slack >= MIN_BLOCK);
                assert!(slack <= align + GRANULE);
            }
        }
    }

    #[test]
    fn arenas_hold_the_aligned_block_at_every_base_the_source_may_return() {
        for page in [256, 4096, 65536] {
            for arena_size in [page, 3 * page, 8 * page] {
                for align in [1, 16, 32, 64, 4096, 65536, 1 << 20] {
                    for size in [0, 1, 100, 4000, 4096, 70_000] {
                        let need = block_size(size).unwrap();
                        let length = arena_length(need, align, page, arena_size).unwrap();
                        assert!(length.is_multiple_of(arena_size));
                        for base in (page..=page + 2 * align).step_by(page).take(70) {
                            let payload = base + ARENA_OVERHEAD;
                            let slack = if align > GRANULE {
                                leading_slack(payload, align)
                            } else {
                                0
                            };
                            assert!(slack + need + ARENA_OVERHEAD <= length);
                        }
                    }
                }
            }
        }
        assert_eq!(arena_length(MAX_BLOCK, 1, 4096, 4096), None);
        assert_eq!(arena_length(64, 1 << (usize::BITS - 1), 4096, 4096), None);
    }

    #[test]
    fn pools_end_before_a_window_and_leave_nothing_or_blocks() {
        let window = 4096;
        for span in [window, 1024, 200 * GRANULE] {
            for header in (WORD..2 * window)
                .step_by(GRANULE)
                .map(|offset| (1 << 20) + offset)
            {
                for size in (MIN_BLOCK..3 * window).step_by(GRANULE * 3) {
                    let end = header + size;
                    let Some(place) = place_pool(header, end, window, span) else {
                        assert!(
                            size < pool_search_size(window, span),
                            "{header} {size} {span}"
                        );
                        continue;
                    };
                    let pool_end = (place.start + WORD) / window * window + window - WORD;
                    assert!(header <= place.start && place.end <= end);
                    assert!(place.start == header || place.start - header >= MIN_BLOCK);
                    assert_eq!(place.end, pool_end);
                    assert!(pool_end - place.start >= span / 2);
                    assert!(pool_end - place.start <= span);
                    assert!((place.start - header).is_multiple_of(GRANULE));
                }
            }
        }
    }

    #[test]
    fn pools_tile_an_arena_of_32_kib_completely() {
        let (base, length, window) = (1 << 20, 32 << 10, 4096);
        let end = base + length - WORD;
        let mut header = base + ARENA_HEADER;
        let mut pools = 0;
        while let Some(place) = place_pool(header, end, window, window) {
            assert_eq!(place.start, header);
            header = place.end;
            pools += 1;
        }
        assert_eq!((header, pools), (end, 8));
    }

    #[test]
    fn the_last_window_of_the_address_space_does_not_wrap() {
        let header = usize::MAX - 8191 + WORD - 1;
        assert_eq!(
            place_pool(header, usize::MAX - WORD, 4096, 4096).map(|p| p.end > p.start),
            Some(true)
        );
        assert_eq!(
            place_pool(usize::MAX - 63, usize::MAX - 15, 4096, 4096),
            None
        );
    }
}
