//! AArch64, compiled for processors with the CRC instructions.

use core::arch::aarch64::__crc32cd;

use super::super::checksum::shift as shift_somehow;
use super::super::run::Run;
use super::in_lanes;

/// Words below which three lanes do not pay: joining costs two shifts.
const LEAST_FOR_LANES: usize = if cfg!(target_feature = "aes") {
    24
} else {
    384
};

pub(in super::super) fn sum<R: Run>(state: u32, run: R) -> Result<u32, R> {
    // SAFETY: the program is compiled for processors that have the instruction.
    let step = |state, word: usize| unsafe { __crc32cd(state, word as u64) };
    Ok(in_lanes(state, run, LEAST_FOR_LANES, step, shift_somehow))
}

#[cfg(target_feature = "aes")]
pub(in super::super) fn shift(mut remainder: u32, bytes: usize) -> Option<u32> {
    use core::arch::aarch64::vmull_p64;

    use super::super::checksum::WORD;
    use super::corrected::CORRECTED;

    for digit in 0..WORD {
        let value = (bytes >> (8 * digit)) & 0xff;
        if value != 0 {
            let power = CORRECTED[digit][value];
            // SAFETY: the program is compiled for processors that have the instruction.
            let product = unsafe { vmull_p64(u64::from(remainder), u64::from(power)) };
            // The product of two numbers of 32 bits fits 64.
            #[expect(clippy::cast_possible_truncation, reason = "63 bits at most")]
            let product = product as u64;
            // SAFETY: the program is compiled for processors that have the instruction.
            remainder = unsafe { __crc32cd(0, product) };
        }
    }
    Some(remainder)
}

#[cfg(not(target_feature = "aes"))]
pub(in super::super) const fn shift(_remainder: u32, _bytes: usize) -> Option<u32> {
    None
}
