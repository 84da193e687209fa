//! Sums over bitmaps: find, set and clear runs of bits, a word at a time.
//!
//! Bit `i` is bit `i % WORD_BITS` of word `i / WORD_BITS`. All positions and ranges must lie inside
//! the words; a range that does not is a mistake of the caller and panics like a slice index. The cost
//! grows with the number of words that the range touches.
//!
//! ```
//! use os::bitmap;
//!
//! let mut pages = [0; bitmap::words_for(100)];
//! bitmap::set(&mut pages, 3..70);
//! let holes: Vec<_> = bitmap::clear_runs(&pages, 0..100).collect();
//! assert_eq!(holes, [0..3, 70..100]);
//! ```
#![forbid(unsafe_code)]

use core::ops::Range;

/// Bits in one word of a bitmap.
pub const WORD_BITS: usize = usize::BITS as usize;

/// Words needed for `bits` bits.
#[must_use]
pub const fn words_for(bits: usize) -> usize {
    bits.div_ceil(WORD_BITS)
}

/// The words a range touches, each with the mask of the range's bits in it.
fn masks(range: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
    let words = range.start / WORD_BITS..words_for(range.end);
    let words = if range.is_empty() { 0..0 } else { words };
    words.map(move |word| {
        let first_bit = word * WORD_BITS;
        let low = range.start.max(first_bit) - first_bit;
        let high = range.end.min(first_bit + WORD_BITS) - first_bit;
        (word, (usize::MAX >> (WORD_BITS - (high - low))) << low)
    })
}

/// Whether a bit is set.
#[must_use]
pub fn is_set(map: &[usize], index: usize) -> bool {
    map[index / WORD_BITS] >> (index % WORD_BITS) & 1 == 1
}

/// Sets every bit of the range.
pub fn set(map: &mut [usize], range: Range<usize>) {
    for (word, mask) in masks(range) {
        map[word] |= mask;
    }
}

/// Clears every bit of the range.
pub fn clear(map: &mut [usize], range: Range<usize>) {
    for (word, mask) in masks(range) {
        map[word] &= !mask;
    }
}

/// How many bits of the range are set.
#[must_use]
pub fn count(map: &[usize], range: Range<usize>) -> usize {
    masks(range)
        .map(|(word, mask)| (map[word] & mask).count_ones() as usize)
        .sum()
}

/// The first set bit of the range.
#[must_use]
pub fn first_set(map: &[usize], range: Range<usize>) -> Option<usize> {
    first(range, |word| map[word])
}

/// The first clear bit of the range.
#[must_use]
pub fn first_clear(map: &[usize], range: Range<usize>) -> Option<usize> {
    first(range, |word| !map[word])
}

fn first(range: Range<usize>, word_at: impl Fn(usize) -> usize) -> Option<usize> {
    masks(range)
        .map(|(word, mask)| (word, word_at(word) & mask))
        .find(|(_, bits)| *bits != 0)
        .map(|(word, bits)| word * WORD_BITS + bits.trailing_zeros() as usize)
}

/// The runs of clear bits inside the range, in order, each as long as it goes.
pub fn clear_runs(map: &[usize], range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let Range {
        start: mut from,
        end: last,
    } = range;
    core::iter::from_fn(move || {
        let start = first_clear(map, from..last)?;
        let end = first_set(map, start..last).unwrap_or(last);
        from = end;
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: usize = 3 * WORD_BITS;

    /// Every range over three words, at word borders and around them.
    fn ranges() -> impl Iterator<Item = Range<usize>> {
        let edges = [
            0,
            1,
            7,
            WORD_BITS - 1,
            WORD_BITS,
            WORD_BITS + 1,
            2 * WORD_BITS,
            BITS - 1,
            BITS,
        ];
        edges.into_iter().flat_map(move |start| {
            edges
                .into_iter()
                .filter(move |end| *end >= start)
                .map(move |end| start..end)
        })
    }

    #[test]
    fn setting_and_clearing_change_exactly_the_range() {
        for range in ranges() {
            let mut map = [0; 3];
            set(&mut map, range.clone());
            let mut inverse = [usize::MAX; 3];
            clear(&mut inverse, range.clone());
            for bit in 0..BITS {
                assert_eq!(is_set(&map, bit), range.contains(&bit), "{range:?} {bit}");
                assert_eq!(
                    is_set(&inverse, bit),
                    !range.contains(&bit),
                    "{range:?} {bit}"
                );
            }
            assert_eq!(count(&map, 0..BITS), range.len());
        }
    }

    #[test]
    fn the_first_bit_is_found_only_inside_the_range() {
        for range in ranges() {
            for bit in 0..BITS {
                let mut map = [0; 3];
                set(&mut map, bit..bit + 1);
                let expected = range.contains(&bit).then_some(bit);
                assert_eq!(first_set(&map, range.clone()), expected);
                let inverse = map.map(|word| !word);
                assert_eq!(first_clear(&inverse, range.clone()), expected);
            }
        }
    }

    #[test]
    fn clear_runs_stop_at_the_end_given_and_at_set_bits() {
        let mut map = [0; 3];
        set(&mut map, 2..WORD_BITS + 3);
        set(&mut map, 2 * WORD_BITS..2 * WORD_BITS + 1);
        let mut runs = clear_runs(&map, 1..BITS - 5);
        assert_eq!(runs.next(), Some(1..2));
        assert_eq!(runs.next(), Some(WORD_BITS + 3..2 * WORD_BITS));
        assert_eq!(runs.next(), Some(2 * WORD_BITS + 1..BITS - 5));
        assert_eq!(runs.next(), None);
    }
}
