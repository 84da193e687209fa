//! CRC-32C of runs of machine words, and the arithmetic that updates one without the whole run.
//!
//! A CRC is the remainder of a polynomial division, and so linear: for two runs of the same length,
//! `raw(a ^ b) = raw(a) ^ raw(b)`, and appending `n` zero bytes multiplies the remainder by
//! `x^(8n)`. Hence the checksum of a block after a change, from the change alone:
//!
//! ```text
//!   block    |..............|  old  |...............|      checksum ^= shift(raw(old ^ new), after)
//!                           |  new  |◀─── after ───▶|
//! ```
//!
//! Remainders are kept with their bits reversed: bit 31 is the coefficient of 1, bit 0 that of x^31.
//! "State" is the remainder as it stands in the register, before the final inversion.
#![forbid(unsafe_code)]

use super::hardware::{self, wide};
use super::run::{Run, Shown};

/// The divisor of CRC-32C, without its highest term, reversed.
pub(super) const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The state before the first byte.
pub(super) const START: u32 = !0;

/// Bytes of a machine word: the unit of every access.
pub(super) const WORD: usize = size_of::<usize>();

/// CRC-32C without its inversions at both ends: they are made here.
const RAW: crc::Algorithm<u32> = crc::Algorithm {
    init: 0,
    xorout: 0,
    ..crc::CRC_32_ISCSI
};

/// 16 tables of 256 numbers: 16 KiB of constants, for processors without the instruction.
static SOFTWARE: crc::Crc<u32, crc::Table<16>> = crc::Crc::<u32, crc::Table<16>>::new(&RAW);

/// `POWERS[digit][value]` is `x^(bits of a word * value * 256^digit)`: a distance in words is made up
/// digit by digit.
static POWERS: [[u32; 256]; WORD] = powers(1 << 31);

/// The product of two remainders.
const fn multiply(left: u32, right: u32) -> u32 {
    let mut product = 0;
    let mut bit = 32;
    // From the coefficient of x^31 of `right` down to that of 1 (Horner's scheme).
    while bit > 0 {
        bit -= 1;
        product = times_x(product) ^ (left & ((right >> (31 - bit)) & 1).wrapping_neg());
    }
    product
}

pub(super) const fn times_x(remainder: u32) -> u32 {
    (remainder >> 1) ^ (POLYNOMIAL & (remainder & 1).wrapping_neg())
}

/// The powers of `x` to the bits of a word, each times `factor`.
pub(super) const fn powers(factor: u32) -> [[u32; 256]; WORD] {
    let mut table = [[0; 256]; WORD];
    let mut base = 1 << 31;
    let mut bit = 0;
    while bit < usize::BITS {
        base = times_x(base);
        bit += 1;
    }
    let mut digit = 0;
    while digit < WORD {
        let mut power = 1 << 31;
        let mut value = 0;
        while value < 256 {
            table[digit][value] = multiply(power, factor);
            power = multiply(power, base);
            value += 1;
        }
        base = power;
        digit += 1;
    }
    table
}

/// The way from one place in a block to a later one, as the power of `x` that it shifts by. It does
/// not depend on what is shifted, so it can be worked out while that is not known yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distance {
    factor: u32,
}

impl Distance {
    /// A number of words, in bytes. At most one multiplication for each byte of the number of words.
    #[inline]
    pub(super) fn new(bytes: usize) -> Self {
        let words = bytes / WORD;
        let factor = hardware::factor(words).unwrap_or_else(|| factor_in_software(words));
        Self { factor }
    }

    /// The remainder after as many zero bytes more. One multiplication.
    #[inline]
    pub(super) fn shift(self, remainder: u32) -> u32 {
        hardware::multiply(remainder, self.factor)
            .unwrap_or_else(|| multiply(remainder, self.factor))
    }
}

fn factor_in_software(words: usize) -> u32 {
    let mut factor = POWERS[0][words & 0xff];
    for (powers, digit) in POWERS.iter().zip(words.to_le_bytes()).skip(1) {
        if digit != 0 {
            factor = multiply(factor, powers[usize::from(digit)]);
        }
    }
    factor
}

/// The remainder after so many zero bytes more, a number of words.
pub(super) fn shift(remainder: u32, bytes: usize) -> u32 {
    Distance::new(bytes).shift(remainder)
}

/// The state after one word more.
#[inline]
pub(super) fn update(state: u32, word: usize) -> u32 {
    sum(state, Shown(&[word.to_ne_bytes()]))
}

/// The state after a run, by the best way there is.
#[inline]
pub(super) fn sum<R: Run>(state: u32, run: R) -> u32 {
    wide::sum(state, run)
        .or_else(|run| hardware::sum(state, run))
        .unwrap_or_else(|run| in_software(state, run))
}

/// Goes through a run of blocks of so many words each, a power of two, and tells `each` checksum in
/// turn. The last block may be shorter. Neighbours are summed side by side.
#[inline]
pub(super) fn sum_blocks<R: Run>(run: R, words: usize, mut each: impl FnMut(u32)) {
    let whole = run.len() & !(words - 1);
    let (blocks, last) = run.split_at(whole);
    let mut each = |state| each(finish(state));
    let summed = wide::sum_blocks(blocks, words, &mut each)
        .or_else(|blocks| hardware::sum_blocks(blocks, words, &mut each));
    if let Err(blocks) = summed {
        sum_blocks_in_software(blocks, words, &mut each);
    }
    if last.len() != 0 {
        each(sum(START, last));
    }
}

/// The state after some bytes more, by tables.
pub(super) fn sum_bytes(state: u32, bytes: &[u8]) -> u32 {
    // The library takes the state with its bits in the other order.
    let mut digest = SOFTWARE.digest_with_initial(state.reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

fn sum_blocks_in_software<R: Run>(mut run: R, words: usize, each: &mut impl FnMut(u32)) {
    while run.len() != 0 {
        let (block, rest) = run.split_at(words);
        each(in_software(START, block));
        run = rest;
    }
}

fn in_software<R: Run>(mut state: u32, run: R) -> u32 {
    const GROUP: usize = 128;
    let mut bytes = [0; GROUP];
    let mut filled = 0;
    for word in run.words() {
        bytes[filled..filled + WORD].copy_from_slice(&word.to_ne_bytes());
        filled += WORD;
        if filled == GROUP {
            state = sum_bytes(state, &bytes);
            filled = 0;
        }
    }
    sum_bytes(state, &bytes[..filled])
}

/// The checksum that a state stands for.
#[inline]
pub(super) const fn finish(state: u32) -> u32 {
    !state
}

/// The checksum of `bytes` zero bytes.
pub(super) fn of_zeros(bytes: usize) -> u32 {
    finish(shift(START, bytes))
}

/// The checksum of two runs, one after the other, from those of the parts.
pub(super) fn join(first: u32, second: u32, bytes_of_second: usize) -> u32 {
    shift(first, bytes_of_second) ^ second
}

#[cfg(test)]
mod tests {
    use super::super::run::{Bytes, Exchanged, In, Loaded, Out};
    use super::*;
    use core::sync::atomic::AtomicUsize;
    use std::vec::Vec;

    fn words(len: usize, mut seed: u64) -> Vec<usize> {
        (0..len)
            .map(|_| {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
                {
                    (seed ^ (seed >> 31)) as usize
                }
            })
            .collect()
    }

    fn bytes(words: &[usize]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn cells(words: &[usize]) -> Vec<AtomicUsize> {
        words.iter().copied().map(AtomicUsize::new).collect()
    }

    fn state_after(state: u32, words: &[usize]) -> u32 {
        sum(state, Loaded(&cells(words)))
    }

    /// Lengths around those at which another way is taken.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..300).chain([511, 512, 513, 1151, 1152, 1153, 4096])
    }

    #[test]
    fn every_way_agrees_with_another_implementation() {
        for len in lengths() {
            let words = words(len, len as u64);
            let (cells, plain) = (cells(&words), bytes(&words));
            let expected = crc32c::crc32c(&plain);
            assert_eq!(finish(sum(START, Loaded(&cells))), expected, "{len}");
            let software = in_software(START, Loaded(&cells));
            assert_eq!(finish(software), expected, "{len}");
            if let Ok(state) = hardware::sum(START, Loaded(&cells)) {
                assert_eq!(finish(state), expected, "{len}");
            }
            let mut target = std::vec![[0; WORD]; len];
            let state = sum(
                START,
                Out {
                    from: &cells,
                    target: &mut target,
                },
            );
            assert_eq!(finish(state), expected, "{len}");
            assert_eq!(target.as_flattened(), plain);
            let zeros = self::cells(&std::vec![0; len]);
            assert_eq!(
                finish(sum(
                    START,
                    In {
                        source: &target,
                        to: &zeros
                    }
                )),
                expected,
                "{len}"
            );
            assert_eq!(contents(&zeros), words);
        }
    }

    fn contents(cells: &[AtomicUsize]) -> Vec<usize> {
        let load = |word: &AtomicUsize| word.load(core::sync::atomic::Ordering::Relaxed);
        cells.iter().map(load).collect()
    }

    #[test]
    fn blocks_are_summed_as_if_alone() {
        // Both places of a word in 16 bytes, counts that leave blocks without neighbours, a last
        // block that is shorter.
        let aligned = cells(&words(9 * 128, 7));
        for size in [32, 64, 128] {
            for (lead, count, tail) in (0..2)
                .flat_map(|lead| (0..8).map(move |count| (lead, count)))
                .flat_map(|(lead, count)| [0, 1, size - 1].map(|tail| (lead, count, tail)))
            {
                let memory = &aligned[lead..lead + count * size + tail];
                let plain = bytes(&contents(memory));
                let expected: Vec<_> = plain.chunks(size * WORD).map(crc32c::crc32c).collect();
                let case = (size, lead, count, tail);

                let mut sums = Vec::new();
                sum_blocks(Loaded(memory), size, |sum| sums.push(sum));
                assert_eq!(sums, expected, "{case:?}");

                let mut target = std::vec![[0; WORD]; memory.len()];
                let out = Out {
                    from: memory,
                    target: &mut target,
                };
                sums.clear();
                sum_blocks(out, size, |sum| sums.push(sum));
                assert_eq!(sums, expected, "{case:?}");
                assert_eq!(target.as_flattened(), plain, "{case:?}");

                let to = &cells(&std::vec![0; lead + memory.len()])[lead..];
                let source = &target;
                sums.clear();
                sum_blocks(In { source, to }, size, |sum| sums.push(sum));
                assert_eq!(sums, expected, "{case:?}");
                assert_eq!(contents(to), contents(memory), "{case:?}");

                // The ways that a longer one hides here.
                let whole = || Loaded(&memory[..count * size]);
                let (mut by_instruction, mut by_tables) = (Vec::new(), Vec::new());
                let each = &mut |state| by_instruction.push(finish(state));
                if hardware::sum_blocks(whole(), size, each).is_ok() {
                    assert_eq!(by_instruction, expected[..count], "{case:?}");
                }
                sum_blocks_in_software(whole(), size, &mut |state| by_tables.push(finish(state)));
                assert_eq!(by_tables, expected[..count], "{case:?}");
            }
        }
    }

    #[test]
    fn an_exchange_sums_the_change() {
        for len in lengths() {
            let (old, new) = (words(len, 3), words(len, 4));
            let change: Vec<usize> = old.iter().zip(&new).map(|(old, new)| old ^ new).collect();
            let source: Vec<Bytes> = new.iter().map(|word| word.to_ne_bytes()).collect();
            let memory = cells(&old);
            let state = sum(
                0,
                Exchanged(In {
                    source: &source,
                    to: &memory,
                }),
            );
            assert_eq!(state, state_after(0, &change), "{len}");
            assert_eq!(contents(&memory), new);
        }
    }

    #[test]
    fn the_check_value_of_the_standard_comes_out() {
        // "123456789" is no whole number of words: its first eight digits, then the ninth by hand.
        let mut digest = SOFTWARE.digest_with_initial(START);
        digest.update(b"123456789");
        assert_eq!(finish(digest.finalize()), 0xe306_9283);
    }

    #[test]
    fn a_state_can_be_carried_on() {
        let words = words(100, 1);
        for cut in 0..=100 {
            let state = state_after(state_after(START, &words[..cut]), &words[cut..]);
            assert_eq!(state, state_after(START, &words));
        }
    }

    #[test]
    fn shifting_is_appending_zeros() {
        for len in (0..300).chain([1 << 12, 1 << 16, (1 << 16) + 3]) {
            let state = state_after(START, &words(3, len as u64));
            let zeros = std::vec![0; len];
            let expected = state_after(state, &zeros);
            assert_eq!(shift(state, len * WORD), expected);
            assert_eq!(multiply(state, factor_in_software(len)), expected);
            assert_eq!(of_zeros(len * WORD), crc32c::crc32c(&bytes(&zeros)));
        }
    }

    #[test]
    fn a_change_is_enough_to_update_a_block() {
        const BLOCK: usize = 64;
        let before = words(BLOCK, 5);
        for start in 0..BLOCK {
            for end in start + 1..=BLOCK {
                let mut after = before.clone();
                after[start..end].copy_from_slice(&words(end - start, (start * end) as u64));
                let change: Vec<usize> = (start..end).map(|at| before[at] ^ after[at]).collect();
                let old = finish(state_after(START, &before));
                let new = old ^ shift(state_after(0, &change), (BLOCK - end) * WORD);
                assert_eq!(new, crc32c::crc32c(&bytes(&after)));
            }
        }
    }

    #[test]
    fn checksums_of_neighbours_join() {
        let words = words(96, 11);
        for cut in 0..=96 {
            let (first, second) = words.split_at(cut);
            let joined = join(
                finish(state_after(START, first)),
                finish(state_after(START, second)),
                second.len() * WORD,
            );
            assert_eq!(joined, finish(state_after(START, &words)));
        }
    }
}
