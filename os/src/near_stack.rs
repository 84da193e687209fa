//! A number for the running thread that costs nothing.
#![forbid(unsafe_code)]

/// A number that is mostly the same for one thread and mostly another for the next: where its stack
/// is, to a quarter of a megabyte, with the bits mixed. For choosing among locks so that threads
/// seldom meet; any answer is right. No call, no thread-local storage.
///
/// A thread deep in its stack may get another number than before, and two threads the same.
///
/// ```
/// let shard = os::near_stack() % 8;
/// assert!(shard < 8);
/// ```
#[inline]
#[must_use]
pub fn near_stack() -> usize {
    const SPAN_BITS: u32 = 18;
    let here = 0_u8;
    let span = (&raw const here).addr() >> SPAN_BITS;
    // Multiplicative hashing; the upper half of 32 bits is the well-mixed one.
    span.wrapping_mul(0x9e37_79b9) >> 13
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    #[test]
    fn threads_are_spread_over_shards() {
        let numbers = Vec::from_iter((0..16).map(|_| std::thread::spawn(near_stack)));
        let mut shards = Vec::from_iter(numbers.into_iter().map(|it| it.join().unwrap() % 8));
        shards.sort_unstable();
        shards.dedup();
        assert!(shards.len() >= 3, "{shards:?}");
    }

    #[test]
    fn a_thread_keeps_its_number_nearly_everywhere() {
        fn deeper(steps: usize) -> usize {
            let here = near_stack();
            if steps == 0 {
                0
            } else {
                usize::from(here != near_stack()) + deeper(steps - 1)
            }
        }
        assert!(deeper(100) <= 1);
    }
}
