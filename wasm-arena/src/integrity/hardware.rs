//! CRC-32C by the processor's own instructions, where it has them.
//!
//! On x86-64 the processor is asked once (SSE 4.2 for the checksum, PCLMULQDQ for the product), on
//! AArch64 the compiler's target features decide (`-C target-feature=+crc`). Where neither applies,
//! both functions answer `None` and [`checksum`](super::checksum) computes by tables.
//!
//! The instruction takes one word every cycle but answers three cycles later, so a long run is cut
//! into three lanes that are computed side by side and then joined.

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod platform {
    use core::arch::x86_64::{
        _mm_clmulepi64_si128, _mm_crc32_u64, _mm_cvtsi64_si128, _mm_cvtsi128_si64,
    };

    use super::super::checksum::{POLYNOMIAL, WORD, powers};

    cpufeatures::new!(has_instructions, "sse4.2", "pclmulqdq");

    /// `x^-33`: the product of two reversed remainders comes out multiplied by `x`, and reducing it
    /// with the checksum instruction multiplies by `x^32`. The constants make up for both.
    const CORRECTION: u32 = {
        let mut power = 1_u32 << 31;
        let mut step = 0;
        while step < 33 {
            // Division by x: undo the reduction where there was one.
            let carry = power >> 31;
            power = ((power ^ (POLYNOMIAL & carry.wrapping_neg())) << 1) | carry;
            step += 1;
        }
        power
    };

    /// As [`POWERS`](super::super::checksum::POWERS), corrected.
    static CORRECTED: [[u32; 256]; WORD] = powers(CORRECTION);

    /// Words below which three lanes do not pay.
    const LEAST_FOR_LANES: usize = 24;

    pub(in super::super) fn update(state: u32, words: &[usize]) -> Option<u32> {
        if has_instructions::get() {
            // SAFETY: the processor has the instructions, just asked.
            Some(unsafe { update_by_instruction(state, words) })
        } else {
            None
        }
    }

    pub(in super::super) fn shift(remainder: u32, bytes: usize) -> Option<u32> {
        if has_instructions::get() {
            // SAFETY: the processor has the instructions, just asked.
            Some(unsafe { shift_by_instruction(remainder, bytes) })
        } else {
            None
        }
    }

    #[target_feature(enable = "sse4.2,pclmulqdq")]
    fn update_by_instruction(state: u32, words: &[usize]) -> u32 {
        let mut state = u64::from(state);
        let mut rest = words;
        if words.len() >= LEAST_FOR_LANES {
            let lane = words.len() / 3;
            let (first, others) = words.split_at(lane);
            let (second, others) = others.split_at(lane);
            let (third, tail) = others.split_at(lane);
            let (mut middle, mut last) = (0, 0);
            for ((&a, &b), &c) in first.iter().zip(second).zip(third) {
                state = _mm_crc32_u64(state, a as u64);
                middle = _mm_crc32_u64(middle, b as u64);
                last = _mm_crc32_u64(last, c as u64);
            }
            let bytes = lane * WORD;
            let joined = shift_by_instruction(narrow(state), bytes) ^ narrow(middle);
            state = u64::from(shift_by_instruction(joined, bytes)) ^ last;
            rest = tail;
        }
        for &word in rest {
            state = _mm_crc32_u64(state, word as u64);
        }
        narrow(state)
    }

    #[target_feature(enable = "sse4.2,pclmulqdq")]
    fn shift_by_instruction(mut remainder: u32, bytes: usize) -> u32 {
        let mut left = bytes;
        let mut digit = 0;
        while left != 0 {
            let value = left & 0xff;
            if value != 0 {
                let power = CORRECTED[digit][value];
                let product = _mm_clmulepi64_si128::<0>(
                    _mm_cvtsi64_si128(i64::from(remainder)),
                    _mm_cvtsi64_si128(i64::from(power)),
                );
                remainder = narrow(_mm_crc32_u64(0, _mm_cvtsi128_si64(product).cast_unsigned()));
            }
            left >>= 8;
            digit += 1;
        }
        remainder
    }

    /// The instruction leaves the upper half zero.
    #[expect(clippy::cast_possible_truncation, reason = "the upper half is zero")]
    const fn narrow(state: u64) -> u32 {
        state as u32
    }
}

#[cfg(all(
    target_arch = "aarch64",
    target_feature = "crc",
    target_endian = "little"
))]
mod platform {
    use core::arch::aarch64::__crc32cd;

    pub(in super::super) fn update(mut state: u32, words: &[usize]) -> Option<u32> {
        for &word in words {
            // SAFETY: the program is compiled for processors that have the instruction.
            state = unsafe { __crc32cd(state, word as u64) };
        }
        Some(state)
    }

    pub(in super::super) fn shift(_remainder: u32, _bytes: usize) -> Option<u32> {
        None
    }
}

#[cfg(not(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(
        target_arch = "aarch64",
        target_feature = "crc",
        target_endian = "little"
    )
)))]
mod platform {
    pub(in super::super) fn update(_state: u32, _words: &[usize]) -> Option<u32> {
        None
    }

    pub(in super::super) fn shift(_remainder: u32, _bytes: usize) -> Option<u32> {
        None
    }
}

pub(super) use platform::{shift, update};
