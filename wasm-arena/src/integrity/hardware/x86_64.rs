//! x86-64: the processor is asked at run time, once.

use core::arch::x86_64::{
    _mm_clmulepi64_si128, _mm_crc32_u64, _mm_cvtsi64_si128, _mm_cvtsi128_si64,
};

use super::super::run::Run;
use super::corrected::CORRECTED;
use super::in_lanes;

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

#[inline]
pub(in super::super) fn shift(remainder: u32, bytes: usize) -> Option<u32> {
    if has_instructions::get() {
        // SAFETY: the processor has the instructions, just asked.
        Some(unsafe { shift_by_instruction(remainder, bytes) })
    } else {
        None
    }
}

#[target_feature(enable = "sse4.2,pclmulqdq")]
pub(super) fn sum_by_instruction<R: Run>(state: u32, run: R) -> u32 {
    let step = |state, word: usize| _mm_crc32_u64(state, word as u64);
    let shift = |state, bytes| u64::from(shift_by_instruction(narrow(state), bytes));
    narrow(in_lanes(
        u64::from(state),
        run,
        LEAST_FOR_LANES,
        step,
        shift,
    ))
}

/// The factors are multiplied first: what is shifted usually has to be waited for.
#[target_feature(enable = "sse4.2,pclmulqdq")]
fn shift_by_instruction(remainder: u32, bytes: usize) -> u32 {
    let mut factor = None;
    let mut left = bytes;
    let mut digit = 0;
    while left != 0 {
        let value = left & 0xff;
        if value != 0 {
            let power = CORRECTED[digit][value];
            factor = Some(factor.map_or(power, |factor| multiply(factor, power)));
        }
        left >>= 8;
        digit += 1;
    }
    factor.map_or(remainder, |factor| multiply(remainder, factor))
}

/// The product of two remainders, if one of them is corrected.
#[inline]
#[target_feature(enable = "sse4.2,pclmulqdq")]
fn multiply(left: u32, right: u32) -> u32 {
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
