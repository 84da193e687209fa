//! AArch64, compiled for processors with the CRC instructions.

use core::arch::aarch64::__crc32cd;

use super::super::checksum::shift;
use super::super::run::Run;
use super::lanes;

/// Words below which three lanes do not pay: joining costs two shifts.
const LEAST_FOR_LANES: usize = if cfg!(target_feature = "aes") {
    24
} else {
    384
};

fn step(state: u32, word: usize) -> u32 {
    // SAFETY: the program is compiled for processors that have the instruction.
    unsafe { __crc32cd(state, word as u64) }
}

pub(in super::super) fn sum<R: Run>(state: u32, run: R) -> Result<u32, R> {
    Ok(lanes::sum(state, run, LEAST_FOR_LANES, step, shift))
}

/// Tells `each` state of whole blocks of so many words.
pub(in super::super) fn sum_blocks<R: Run>(
    run: R,
    words: usize,
    each: &mut impl FnMut(u32),
) -> Result<(), R> {
    lanes::sum_blocks(run, words, step, each);
    Ok(())
}

/// The factor that [`multiply`] takes to shift by so many words.
#[cfg(target_feature = "aes")]
pub(in super::super) fn factor(words: usize) -> Option<u32> {
    use super::corrected::CORRECTED;

    let mut factor = CORRECTED[0][words & 0xff];
    for (powers, digit) in CORRECTED.iter().zip(words.to_le_bytes()).skip(1) {
        if digit != 0 {
            factor = product(factor, powers[usize::from(digit)]);
        }
    }
    Some(factor)
}

/// The product of a remainder and a factor.
#[cfg(target_feature = "aes")]
pub(in super::super) fn multiply(remainder: u32, factor: u32) -> Option<u32> {
    Some(product(remainder, factor))
}

/// The product of two remainders, if one of them is corrected.
#[cfg(target_feature = "aes")]
fn product(left: u32, right: u32) -> u32 {
    use core::arch::aarch64::vmull_p64;

    // SAFETY: the program is compiled for processors that have the instruction.
    let product = unsafe { vmull_p64(u64::from(left), u64::from(right)) };
    // The product of two numbers of 32 bits fits 64.
    #[expect(clippy::cast_possible_truncation, reason = "63 bits at most")]
    let product = product as usize;
    step(0, product)
}

#[cfg(not(target_feature = "aes"))]
pub(in super::super) const fn factor(_words: usize) -> Option<u32> {
    None
}

#[cfg(not(target_feature = "aes"))]
pub(in super::super) const fn multiply(_remainder: u32, _factor: u32) -> Option<u32> {
    None
}
