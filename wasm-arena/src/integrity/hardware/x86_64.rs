//! x86-64: the processor is asked at run time, once.

use core::arch::x86_64::{
    _mm_clmulepi64_si128, _mm_crc32_u64, _mm_cvtsi64_si128, _mm_cvtsi128_si64,
};

use super::super::checksum::WORD;
use super::super::run::Run;
use super::corrected::CORRECTED;
use super::lanes;

cpufeatures::new!(has_instructions, "sse4.2", "pclmulqdq");

/// Words below which three lanes do not pay.
const LEAST_FOR_LANES: usize = 24;

#[inline]
pub(in super::super) fn sum<R: Run>(state: u32, run: R) -> Result<u32, R> {
    if has_instructions::get() {
        // SAFETY: the processor has the instructions, just asked.
        Ok(unsafe { sum_by_instruction(state, run) })
    } else {
        Err(run)
    }
}

/// Tells `each` state of whole blocks of so many words.
#[inline]
pub(in super::super) fn sum_blocks<R: Run>(
    run: R,
    words: usize,
    each: &mut impl FnMut(u32),
) -> Result<(), R> {
    if has_instructions::get() {
        // SAFETY: the processor has the instructions, just asked.
        unsafe { sum_blocks_by_instruction(run, words, each) };
        Ok(())
    } else {
        Err(run)
    }
}

/// The factor that [`multiply`] takes to shift by so many words.
#[inline]
pub(in super::super) fn factor(words: usize) -> Option<u32> {
    if has_instructions::get() {
        // SAFETY: the processor has the instructions, just asked.
        Some(unsafe { factor_by_instruction(words) })
    } else {
        None
    }
}

/// The product of a remainder and a factor.
#[inline]
pub(in super::super) fn multiply(remainder: u32, factor: u32) -> Option<u32> {
    if has_instructions::get() {
        // SAFETY: the processor has the instructions, just asked.
        Some(unsafe { multiply_by_instruction(remainder, factor) })
    } else {
        None
    }
}

#[target_feature(enable = "sse4.2,pclmulqdq")]
pub(super) fn sum_by_instruction<R: Run>(state: u32, run: R) -> u32 {
    let step = |state, word: usize| _mm_crc32_u64(state, word as u64);
    let shift = |state, bytes: usize| {
        let factor = factor_by_instruction(bytes / WORD);
        u64::from(multiply_by_instruction(narrow(state), factor))
    };
    narrow(lanes::sum(
        u64::from(state),
        run,
        LEAST_FOR_LANES,
        step,
        shift,
    ))
}

#[target_feature(enable = "sse4.2,pclmulqdq")]
fn sum_blocks_by_instruction<R: Run>(run: R, words: usize, each: &mut impl FnMut(u32)) {
    let step = |state, word: usize| _mm_crc32_u64(state, word as u64);
    lanes::sum_blocks(run, words, step, |state| each(narrow(state)));
}

#[target_feature(enable = "sse4.2,pclmulqdq")]
fn factor_by_instruction(words: usize) -> u32 {
    let mut factor = CORRECTED[0][words & 0xff];
    let mut left = words >> 8;
    let mut digit = 1;
    while left != 0 {
        let value = left & 0xff;
        if value != 0 {
            factor = multiply_by_instruction(factor, CORRECTED[digit][value]);
        }
        left >>= 8;
        digit += 1;
    }
    factor
}

/// The product of two remainders, if one of them is corrected.
#[inline]
#[target_feature(enable = "sse4.2,pclmulqdq")]
fn multiply_by_instruction(left: u32, right: u32) -> u32 {
    let product = _mm_clmulepi64_si128::<0>(
        _mm_cvtsi64_si128(i64::from(left)),
        _mm_cvtsi64_si128(i64::from(right)),
    );
    narrow(_mm_crc32_u64(0, _mm_cvtsi128_si64(product).cast_unsigned()))
}

/// The instruction leaves the upper half zero.
#[expect(clippy::cast_possible_truncation, reason = "the upper half is zero")]
pub(super) const fn narrow(state: u64) -> u32 {
    state as u32
}
