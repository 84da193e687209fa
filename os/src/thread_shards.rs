//! Which shard a thread mostly uses, without anything kept in the thread. Any answer is right: two
//! threads that are taken for one share a shard, and one that is taken for two uses both.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// Stacks that can be told apart: few enough to stay in a cache, so many that two threads are seldom
/// taken for one.
const STACKS: usize = 1 << u8::BITS;

/// Bytes of a stack that count as one place, as a power of two: 256 KiB, which is what a thread has at
/// least on most systems.
const PLACE_LOG2: u32 = 18;

/// The shard that each thread mostly uses: for choosing among locks so that threads seldom meet.
///
/// A thread is known by where its stack is, in steps of 256 KiB. Who is seen for the first time gets the
/// next shard in turn, so that as many threads as there are shards mostly have one each. Makes no call
/// and keeps nothing in the thread; takes some 260 bytes.
///
/// ```
/// static SHARDS: os::ThreadShards = os::ThreadShards::new();
///
/// let own = SHARDS.of_this_thread(8);
/// assert_eq!(own, 0, "the first thread that asks gets the first shard");
/// assert_eq!(SHARDS.of_this_thread(8), own);
/// ```
#[derive(Debug)]
pub struct ThreadShards {
    /// The number of the shard and one; 0 for a stack not seen yet.
    homes: [AtomicU8; STACKS],
    /// Stacks seen so far.
    seen: AtomicUsize,
}

impl ThreadShards {
    /// No thread seen yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            homes: [const { AtomicU8::new(0) }; STACKS],
            seen: AtomicUsize::new(0),
        }
    }

    /// The shard of this thread, of so many: 1 to 255, and the same number every time. Constant time,
    /// no lock. Two threads may have one shard, and a thread deep in its stack another than before.
    #[inline]
    #[must_use]
    pub fn of_this_thread(&self, shards: usize) -> usize {
        let home = &self.homes[usize::from(stack())];
        match home.load(Ordering::Relaxed) {
            0 => self.assign(home, shards),
            known => usize::from(known) - 1,
        }
    }

    #[cold]
    fn assign(&self, home: &AtomicU8, shards: usize) -> usize {
        let shard = self.seen.fetch_add(1, Ordering::Relaxed) % shards;
        set(home, shard);
        shard
    }

    /// From now on this thread mostly uses another shard, a number below that of shards.
    #[cold]
    pub fn move_this_thread(&self, shard: usize) {
        set(&self.homes[usize::from(stack())], shard);
    }
}

/// Nothing hangs on the order in which others see it.
fn set(home: &AtomicU8, shard: usize) {
    let number = u8::try_from(shard + 1).unwrap_or(0);
    home.store(number, Ordering::Relaxed);
}

/// A number for the place where this thread's stack is; neighbours have different ones.
#[inline]
#[allow(
    clippy::cast_possible_truncation,
    reason = "the lower half of a hash is one, too, and eight bits are what is wanted"
)]
fn stack() -> u8 {
    let here = 0_u8;
    let place = (&raw const here).addr() >> PLACE_LOG2;
    ((place as u32).wrapping_mul(0x9e37_79b9) >> 24) as u8
}

impl Default for ThreadShards {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::sync::Barrier;
    use std::thread;
    use std::vec::Vec;

    #[test]
    fn a_thread_stays_and_the_next_one_gets_the_next_shard() {
        let homes = ThreadShards::new();
        let first = homes.of_this_thread(8);
        assert_eq!(first, 0);
        assert_eq!(homes.of_this_thread(8), first);
        homes.move_this_thread(5);
        assert_eq!(homes.of_this_thread(8), 5);
    }

    #[test]
    fn threads_that_live_at_once_are_nearly_all_told_apart() {
        let homes = ThreadShards::new();
        let all = Barrier::new(8);
        let mut shards: Vec<usize> = thread::scope(|scope| {
            let ask = || {
                all.wait();
                let shard = homes.of_this_thread(8);
                all.wait();
                shard
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(shards.iter().all(|shard| *shard < 8));
        shards.sort_unstable();
        shards.dedup();
        assert!(shards.len() >= 4, "{shards:?}");
    }
}
