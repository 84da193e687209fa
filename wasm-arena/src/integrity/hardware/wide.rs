//! Long runs on x86-64 with AVX-512: sixteen numbers of 128 bits, folded forward by carry-less
//! products, while the words go by 16 bytes at a time.
//!
//! ```text
//!   256 bytes   | v0 | v1 | v2 | v3 |
//!                × x^2048            each number of 128 bits is moved 256 bytes on,
//!   256 bytes   | v0 | v1 | v2 | v3 |  modulo the divisor, and added to what is there
//!                × x^2048
//!   ...
//!   at the end: v0 × x^1536 + v1 × x^1024 + v2 × x^512 + v3,
//!   of its four numbers: n0 × x^384 + n1 × x^256 + n2 × x^128 + n3, 16 bytes with the same remainder
//! ```
//!
//! With bits reversed, the product of two numbers of 64 bits comes out multiplied by `x`. A number
//! of 128 bits is `low × x^64 + high`, its lower half being the earlier bytes. So moving it `d` bits
//! on takes `low × x^(d + 63)` and `high × x^(d - 1)`, the powers reduced beforehand to 32 bits and
//! put into the upper half, where the reversed order has their place.
//!
//! Two words are loaded or stored by one aligned move of 16 bytes. On processors with AVX such a
//! move is atomic (Intel's Software Developer's Manual, volume 3, "Guaranteed Atomic Operations";
//! AMD64 Architecture Programmer's Manual, volume 2, "Access Atomicity"), so it does what two relaxed
//! atomic accesses do. The language has no name for it, hence the assembly: plain vector accesses
//! would be data races.

use core::arch::asm;
use core::arch::x86_64::{
    __m128i, __m512i, _mm_crc32_u64, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_loadu_si128,
    _mm_xor_si128, _mm512_castsi128_si512, _mm512_clmulepi64_epi128, _mm512_extracti32x4_epi32,
    _mm512_inserti32x4, _mm512_loadu_si512, _mm512_set_epi64, _mm512_setzero_si512,
    _mm512_storeu_si512, _mm512_ternarylogic_epi64, _mm512_xor_si512,
};
use core::sync::atomic::AtomicUsize;

use super::super::checksum::times_x;
use super::super::run::{Bytes, Exchanged, In, Loaded, Out, Run};
use super::platform::{narrow, sum_by_instruction};

cpufeatures::new!(
    has_wide_products,
    "sse4.2",
    "pclmulqdq",
    "avx",
    "avx512f",
    "vpclmulqdq"
);

/// Words of a vector.
const VECTOR: usize = size_of::<__m512i>() / size_of::<AtomicUsize>();
/// Words that are folded at a time.
const GROUP: usize = 4 * VECTOR;
/// Words below which this does not pay.
const LEAST: usize = 4 * GROUP;

fn pays(run: &impl Run) -> bool {
    run.len() >= LEAST && has_wide_products::get()
}

/// The state after a run, if it is long enough and the processor has what it takes.
#[inline]
pub(in super::super) fn loaded(state: u32, run: Loaded<'_>) -> Result<u32, Loaded<'_>> {
    if pays(&run) {
        // SAFETY: the processor has the instructions, just asked.
        Ok(unsafe { sum_loaded(state, run) })
    } else {
        Err(run)
    }
}

/// As [`loaded`].
#[inline]
pub(in super::super) fn copied_in(state: u32, run: In<'_>) -> Result<u32, In<'_>> {
    if pays(&run) {
        // SAFETY: the processor has the instructions, just asked.
        Ok(unsafe { sum_copied_in(state, run) })
    } else {
        Err(run)
    }
}

/// As [`loaded`].
#[inline]
pub(in super::super) fn exchanged(state: u32, run: Exchanged<'_>) -> Result<u32, Exchanged<'_>> {
    if pays(&run) {
        // SAFETY: the processor has the instructions, just asked.
        Ok(unsafe { sum_exchanged(state, run) })
    } else {
        Err(run)
    }
}

/// As [`loaded`].
#[inline]
pub(in super::super) fn copied_out(state: u32, run: Out<'_>) -> Result<u32, Out<'_>> {
    if pays(&run) {
        // SAFETY: the processor has the instructions, just asked.
        Ok(unsafe { sum_copied_out(state, run) })
    } else {
        Err(run)
    }
}

#[target_feature(enable = "sse4.2,pclmulqdq,avx,avx512f,vpclmulqdq")]
fn sum_loaded(state: u32, run: Loaded<'_>) -> u32 {
    let first = run.0.as_ptr();
    in_parts(state, run, first, |state, run| {
        let words = run.0.as_chunks().0;
        // SAFETY: `in_parts` starts at a multiple of 16 bytes.
        fold(state, words.len(), |at| unsafe { load(&words[at]) })
    })
}

#[target_feature(enable = "sse4.2,pclmulqdq,avx,avx512f,vpclmulqdq")]
fn sum_copied_in(state: u32, run: In<'_>) -> u32 {
    let first = run.to.as_ptr();
    in_parts(state, run, first, |state, run| {
        let (source, words) = (run.source.as_chunks().0, run.to.as_chunks().0);
        fold(state, words.len(), |at| {
            // SAFETY: `in_parts` starts at a multiple of 16 bytes.
            unsafe { store(&words[at], &source[at]) };
            load_plain(&source[at])
        })
    })
}

#[target_feature(enable = "sse4.2,pclmulqdq,avx,avx512f,vpclmulqdq")]
fn sum_exchanged(state: u32, run: Exchanged<'_>) -> u32 {
    let first = run.to.as_ptr();
    in_parts(state, run, first, |state, run| {
        let (source, words) = (run.source.as_chunks().0, run.to.as_chunks().0);
        fold(state, words.len(), |at| {
            // SAFETY: `in_parts` starts at a multiple of 16 bytes.
            let old = unsafe { load(&words[at]) };
            // SAFETY: as before.
            unsafe { store(&words[at], &source[at]) };
            _mm512_xor_si512(old, load_plain(&source[at]))
        })
    })
}

#[target_feature(enable = "sse4.2,pclmulqdq,avx,avx512f,vpclmulqdq")]
fn sum_copied_out(state: u32, run: Out<'_>) -> u32 {
    let first = run.from.as_ptr();
    in_parts(state, run, first, |state, run| {
        let (words, target) = (run.from.as_chunks().0, run.target.as_chunks_mut().0);
        fold(state, words.len(), |at| {
            // SAFETY: `in_parts` starts at a multiple of 16 bytes.
            let vector = unsafe { load(&words[at]) };
            store_plain(&mut target[at], vector);
            vector
        })
    })
}

/// Goes through a run whose words in the memory start at `first`: whole groups by `middle`, from a
/// multiple of 16 bytes on; what is left at both ends by the checksum instruction.
#[inline]
#[target_feature(enable = "sse4.2,pclmulqdq")]
fn in_parts<R: Run>(
    state: u32,
    run: R,
    first: *const AtomicUsize,
    middle: impl FnOnce(u32, R) -> u32,
) -> u32 {
    let odd = first.addr() % 16 / size_of::<AtomicUsize>();
    let (odd, run) = run.split_at(odd);
    let state = odd.words().fold(u64::from(state), |state, word| {
        _mm_crc32_u64(state, word as u64)
    });
    let groups = run.len() / GROUP * GROUP;
    let (groups, rest) = run.split_at(groups);
    let state = middle(narrow(state), groups);
    if rest.len() == 0 {
        return state;
    }
    sum_by_instruction(state, rest)
}

/// The factors that move a number of 128 bits on by so many bits: for its lower half, its upper one.
const fn factors(bits: usize) -> [i64; 2] {
    [in_upper_half(bits + 63), in_upper_half(bits - 1)]
}

const fn in_upper_half(exponent: usize) -> i64 {
    let mut power = 1_u32 << 31;
    let mut step = 0;
    while step < exponent {
        power = times_x(power);
        step += 1;
    }
    ((power as u64) << 32).cast_signed()
}

const BY_GROUP: [i64; 2] = factors(2048);
const BY_3_VECTORS: [i64; 2] = factors(1536);
const BY_2_VECTORS: [i64; 2] = factors(1024);
const BY_VECTOR: [i64; 2] = factors(512);
const BY_3_NUMBERS: [i64; 2] = factors(384);
const BY_2_NUMBERS: [i64; 2] = factors(256);
const BY_NUMBER: [i64; 2] = factors(128);

/// The state after so many vectors: a multiple of four, and not none. Each is asked for once, in
/// order.
#[inline]
#[target_feature(enable = "sse4.2,pclmulqdq,avx512f,vpclmulqdq")]
fn fold(state: u32, vectors: usize, mut next: impl FnMut(usize) -> __m512i) -> u32 {
    // The state is added to the first four bytes.
    let start = _mm512_set_epi64(0, 0, 0, 0, 0, 0, 0, i64::from(state));
    let mut v0 = _mm512_xor_si512(next(0), start);
    let (mut v1, mut v2, mut v3) = (next(1), next(2), next(3));
    let factors = repeated(BY_GROUP);
    let mut at = 4;
    while at + 4 <= vectors {
        v0 = moved_on(v0, factors, next(at));
        v1 = moved_on(v1, factors, next(at + 1));
        v2 = moved_on(v2, factors, next(at + 2));
        v3 = moved_on(v3, factors, next(at + 3));
        at += 4;
    }
    let nothing = _mm512_setzero_si512();
    v0 = moved_on(v0, repeated(BY_3_VECTORS), nothing);
    v1 = moved_on(v1, repeated(BY_2_VECTORS), v0);
    v2 = moved_on(v2, repeated(BY_VECTOR), v3);
    let vector = _mm512_xor_si512(v1, v2);
    let factors = _mm512_set_epi64(
        0,
        0,
        BY_NUMBER[1],
        BY_NUMBER[0],
        BY_2_NUMBERS[1],
        BY_2_NUMBERS[0],
        BY_3_NUMBERS[1],
        BY_3_NUMBERS[0],
    );
    let moved = moved_on(vector, factors, nothing);
    let number = _mm_xor_si128(
        _mm_xor_si128(
            _mm512_extracti32x4_epi32::<0>(moved),
            _mm512_extracti32x4_epi32::<1>(moved),
        ),
        _mm_xor_si128(
            _mm512_extracti32x4_epi32::<2>(moved),
            _mm512_extracti32x4_epi32::<3>(vector),
        ),
    );
    let state = _mm_crc32_u64(0, _mm_cvtsi128_si64(number).cast_unsigned());
    narrow(_mm_crc32_u64(
        state,
        _mm_extract_epi64::<1>(number).cast_unsigned(),
    ))
}

/// `vector`, moved on, and added to `next`.
#[inline]
#[target_feature(enable = "avx512f,vpclmulqdq")]
fn moved_on(vector: __m512i, factors: __m512i, next: __m512i) -> __m512i {
    let low = _mm512_clmulepi64_epi128::<0x00>(vector, factors);
    let high = _mm512_clmulepi64_epi128::<0x11>(vector, factors);
    // Exclusive or of three.
    _mm512_ternarylogic_epi64::<0x96>(low, high, next)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn repeated([low, high]: [i64; 2]) -> __m512i {
    _mm512_set_epi64(high, low, high, low, high, low, high, low)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_plain(bytes: &[Bytes; VECTOR]) -> __m512i {
    // SAFETY: 64 bytes that can be read, at any alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_plain(bytes: &mut [Bytes; VECTOR], vector: __m512i) {
    // SAFETY: 64 bytes that can be written, at any alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), vector) };
}

/// Loads eight words of the memory, each as a relaxed atomic load would.
///
/// # Safety
/// They start at a multiple of 16 bytes.
#[inline]
#[target_feature(enable = "avx,avx512f")]
unsafe fn load(words: &[AtomicUsize; VECTOR]) -> __m512i {
    let pair = |at: usize| {
        let pair: __m128i;
        // SAFETY: an aligned move of 16 bytes, by the caller's promise, out of two live words.
        unsafe {
            asm!(
                "vmovdqa {pair}, xmmword ptr [{from}]",
                pair = lateout(xmm_reg) pair,
                from = in(reg) words[2 * at].as_ptr(),
                options(readonly, nostack, preserves_flags),
            );
        }
        pair
    };
    let vector = _mm512_castsi128_si512(pair(0));
    let vector = _mm512_inserti32x4::<1>(vector, pair(1));
    let vector = _mm512_inserti32x4::<2>(vector, pair(2));
    _mm512_inserti32x4::<3>(vector, pair(3))
}

/// Stores eight words into the memory, each as a relaxed atomic store would. Pairs are loaded anew:
/// taking a vector apart costs more.
///
/// # Safety
/// They start at a multiple of 16 bytes.
#[inline]
#[target_feature(enable = "avx")]
unsafe fn store(words: &[AtomicUsize; VECTOR], source: &[Bytes; VECTOR]) {
    for (words, source) in words
        .as_chunks::<2>()
        .0
        .iter()
        .zip(source.as_chunks::<2>().0)
    {
        // SAFETY: 16 bytes that can be read, at any alignment.
        let pair = unsafe { _mm_loadu_si128(source.as_ptr().cast()) };
        // SAFETY: an aligned move of 16 bytes, by the caller's promise, into two live words, which
        // are atomics and so may be written through a shared reference.
        unsafe {
            asm!(
                "vmovdqa xmmword ptr [{to}], {pair}",
                pair = in(xmm_reg) pair,
                to = in(reg) words.as_ptr(),
                options(nostack, preserves_flags),
            );
        }
    }
}
