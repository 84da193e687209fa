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

use super::super::checksum::{START, times_x};
use super::super::run::{Bytes, Exchanged, In, Loaded, Out, Run, Shown};
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
/// Words of a run below which this does not pay.
const LEAST: usize = 2 * GROUP;

/// What a run needs to be gone through by vectors.
pub(in super::super) trait Vectors {
    /// The words of the memory it goes through; none, if it is all the caller's.
    fn memory(&self) -> &[AtomicUsize];

    /// The vector at a place, on its way to where the run takes it.
    ///
    /// # Safety
    /// (1) The processor has AVX-512. (2) [`memory`](Self::memory) starts at a multiple of 16 bytes.
    unsafe fn vector(&mut self, at: usize) -> __m512i;
}

impl Vectors for Shown<'_> {
    #[inline]
    fn memory(&self) -> &[AtomicUsize] {
        &[]
    }

    #[inline]
    #[target_feature(enable = "avx,avx512f")]
    unsafe fn vector(&mut self, at: usize) -> __m512i {
        load_plain(&self.0.as_chunks().0[at])
    }
}

impl Vectors for Loaded<'_> {
    #[inline]
    fn memory(&self) -> &[AtomicUsize] {
        self.0
    }

    #[inline]
    #[target_feature(enable = "avx,avx512f")]
    unsafe fn vector(&mut self, at: usize) -> __m512i {
        // SAFETY: the caller's promise 2.
        unsafe { load(&self.0.as_chunks().0[at]) }
    }
}

impl Vectors for In<'_> {
    #[inline]
    fn memory(&self) -> &[AtomicUsize] {
        self.to
    }

    #[inline]
    #[target_feature(enable = "avx,avx512f")]
    unsafe fn vector(&mut self, at: usize) -> __m512i {
        let source = &self.source.as_chunks().0[at];
        // SAFETY: the caller's promise 2.
        unsafe { store(&self.to.as_chunks().0[at], source) };
        load_plain(source)
    }
}

impl Vectors for Exchanged<'_> {
    #[inline]
    fn memory(&self) -> &[AtomicUsize] {
        self.0.to
    }

    #[inline]
    #[target_feature(enable = "avx,avx512f")]
    unsafe fn vector(&mut self, at: usize) -> __m512i {
        // SAFETY: the caller's promises.
        let old = unsafe { Loaded(self.0.to).vector(at) };
        // SAFETY: as before.
        _mm512_xor_si512(old, unsafe { self.0.vector(at) })
    }
}

impl Vectors for Out<'_> {
    #[inline]
    fn memory(&self) -> &[AtomicUsize] {
        self.from
    }

    #[inline]
    #[target_feature(enable = "avx,avx512f")]
    unsafe fn vector(&mut self, at: usize) -> __m512i {
        // SAFETY: the caller's promises.
        let vector = unsafe { Loaded(self.from).vector(at) };
        store_plain(&mut self.target.as_chunks_mut().0[at], vector);
        vector
    }
}

/// Words of a run before the first one at a multiple of 16 bytes of the memory.
#[inline]
fn lead(run: &impl Run) -> usize {
    match run.memory() {
        [] => 0,
        [first, ..] => core::ptr::from_ref(first).addr() % 16 / size_of::<AtomicUsize>(),
    }
}

/// The state after a run, if it is long enough and the processor has what it takes.
#[inline]
pub(in super::super) fn sum<R: Run>(state: u32, run: R) -> Result<u32, R> {
    if run.len() >= LEAST && has_wide_products::get() {
        // SAFETY: the processor has the instructions, just asked.
        Ok(unsafe { sum_by_vectors(state, run) })
    } else {
        Err(run)
    }
}

/// Tells `each` state of whole blocks of so many words, if they and the processor have what it takes.
#[inline]
pub(in super::super) fn sum_blocks<R: Run>(
    run: R,
    words: usize,
    each: &mut impl FnMut(u32),
) -> Result<(), R> {
    // Blocks of whole groups all start where the first one does.
    if words.is_multiple_of(GROUP) && lead(&run) == 0 && has_wide_products::get() {
        // SAFETY: (1) the processor has the instructions, just asked; (2) just looked at.
        unsafe { sum_blocks_by_vectors(START, run, words, each) };
        Ok(())
    } else {
        Err(run)
    }
}

/// Goes through a run: whole groups by vectors, from a multiple of 16 bytes on; what is left at both
/// ends by the checksum instruction.
#[target_feature(enable = "sse4.2,pclmulqdq,avx,avx512f,vpclmulqdq")]
fn sum_by_vectors<R: Run>(state: u32, run: R) -> u32 {
    let lead = lead(&run);
    let (odd, run) = run.split_at(lead);
    let state = odd.words().fold(u64::from(state), |state, word| {
        _mm_crc32_u64(state, word as u64)
    });
    let groups = run.len() / GROUP * GROUP;
    let (groups, rest) = run.split_at(groups);
    let words = groups.len();
    let start = narrow(state);
    let mut state = start;
    // SAFETY: cut so.
    unsafe { sum_blocks_by_vectors(start, groups, words, &mut |after| state = after) };
    if rest.len() == 0 {
        return state;
    }
    sum_by_instruction(state, rest)
}

/// Tells `each` state of a run of blocks, whole groups each, all of which start with the same state.
/// Blocks do not wait for each other, so that the end of one and the start of the next overlap.
///
/// # Safety
/// (2) as in [`Vectors::vector`].
#[target_feature(enable = "sse4.2,pclmulqdq,avx,avx512f,vpclmulqdq")]
unsafe fn sum_blocks_by_vectors<R: Run>(
    state: u32,
    mut run: R,
    words: usize,
    each: &mut impl FnMut(u32),
) {
    let start = _mm512_set_epi64(0, 0, 0, 0, 0, 0, 0, i64::from(state));
    let factors = repeated(BY_GROUP);
    while run.len() != 0 {
        let (block, others) = run.split_at(words);
        let (mut group, mut rest) = block.split_at(GROUP);
        // SAFETY: (1) this function needs it, too; (2) the caller's promise, kept by every group.
        let mut vector = |at| unsafe { group.vector(at) };
        // The state is added to the first four bytes.
        let mut v0 = _mm512_xor_si512(vector(0), start);
        let (mut v1, mut v2, mut v3) = (vector(1), vector(2), vector(3));
        while rest.len() != 0 {
            (group, rest) = rest.split_at(GROUP);
            // SAFETY: as before.
            let mut vector = |at| unsafe { group.vector(at) };
            v0 = moved_on(v0, factors, vector(0));
            v1 = moved_on(v1, factors, vector(1));
            v2 = moved_on(v2, factors, vector(2));
            v3 = moved_on(v3, factors, vector(3));
        }
        each(reduce([v0, v1, v2, v3]));
        run = others;
    }
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

/// The state that four vectors in a row stand for.
#[inline]
#[target_feature(enable = "sse4.2,pclmulqdq,avx512f,vpclmulqdq")]
fn reduce([v0, v1, v2, v3]: [__m512i; 4]) -> u32 {
    let nothing = _mm512_setzero_si512();
    let v0 = moved_on(v0, repeated(BY_3_VECTORS), nothing);
    let v1 = moved_on(v1, repeated(BY_2_VECTORS), v0);
    let v2 = moved_on(v2, repeated(BY_VECTOR), v3);
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
    let (first, second, third, fourth): (__m128i, __m128i, __m128i, __m128i);
    // SAFETY: aligned moves of 16 bytes, by the caller's promise, out of eight live words.
    unsafe {
        asm!(
            "vmovdqa {first}, xmmword ptr [{from}]",
            "vmovdqa {second}, xmmword ptr [{from} + 16]",
            "vmovdqa {third}, xmmword ptr [{from} + 32]",
            "vmovdqa {fourth}, xmmword ptr [{from} + 48]",
            first = out(xmm_reg) first,
            second = out(xmm_reg) second,
            third = out(xmm_reg) third,
            fourth = lateout(xmm_reg) fourth,
            from = in(reg) words.as_ptr(),
            options(readonly, nostack, preserves_flags),
        );
    }
    let vector = _mm512_castsi128_si512(first);
    let vector = _mm512_inserti32x4::<1>(vector, second);
    let vector = _mm512_inserti32x4::<2>(vector, third);
    _mm512_inserti32x4::<3>(vector, fourth)
}

/// Stores eight words into the memory, each as a relaxed atomic store would. Pairs are loaded anew:
/// taking a vector apart costs more.
///
/// # Safety
/// They start at a multiple of 16 bytes.
#[inline]
#[target_feature(enable = "avx")]
unsafe fn store(words: &[AtomicUsize; VECTOR], source: &[Bytes; VECTOR]) {
    let pairs = source.as_chunks::<2>().0;
    // SAFETY: 16 bytes that can be read, at any alignment.
    let pair = |at: usize| unsafe { _mm_loadu_si128(pairs[at].as_ptr().cast()) };
    // SAFETY: aligned moves of 16 bytes, by the caller's promise, into eight live words, which are
    // atomics and so may be written through a shared reference.
    unsafe {
        asm!(
            "vmovdqa xmmword ptr [{to}], {first}",
            "vmovdqa xmmword ptr [{to} + 16], {second}",
            "vmovdqa xmmword ptr [{to} + 32], {third}",
            "vmovdqa xmmword ptr [{to} + 48], {fourth}",
            first = in(xmm_reg) pair(0),
            second = in(xmm_reg) pair(1),
            third = in(xmm_reg) pair(2),
            fourth = in(xmm_reg) pair(3),
            to = in(reg) words.as_ptr(),
            options(nostack, preserves_flags),
        );
    }
}
