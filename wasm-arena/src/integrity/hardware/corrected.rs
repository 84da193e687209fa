//! Powers of `x` for products by instructions.
#![forbid(unsafe_code)]

use super::super::checksum::{POLYNOMIAL, WORD, powers};

/// `x^-33`: the product of two reversed remainders comes out multiplied by `x`, and reducing it with
/// a checksum instruction multiplies by `x^32`. [`CORRECTED`] makes up for both.
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

/// `CORRECTED[digit][value]` is `x^(8 * value * 256^digit)`, corrected.
pub(super) static CORRECTED: [[u32; 256]; WORD] = powers(CORRECTION);
