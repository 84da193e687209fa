//! The same work on several threads at once.

use core::time::Duration;
use std::sync::Barrier;
use std::thread;

use crate::timed;

/// Runs so many operations of what `make` makes, on each of so many threads at once, after a few that
/// do not count; the mean of the threads' own times.
///
/// # Errors
/// The first of an operation, or of `make`.
pub fn on_threads<C: FnMut() -> Result<(), String>>(
    threads: usize,
    operations: u64,
    make: impl Fn() -> Result<C, String> + Sync,
) -> Result<Duration, String> {
    let barrier = Barrier::new(threads.max(1));
    let work = || {
        // Whatever happens, the others must not wait for ever.
        let ready = make().and_then(|mut operation| {
            (0..32).try_for_each(|_| operation())?;
            Ok(operation)
        });
        barrier.wait();
        timed(operations, ready?)
    };
    let times: Vec<Result<Duration, String>> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = others.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".to_owned()))
        });
        others.chain([own]).collect()
    });
    let total = times.into_iter().sum::<Result<Duration, String>>()?;
    Ok(total / u32::try_from(threads.max(1)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn every_thread_does_all_of_the_work() {
        let done = AtomicU64::new(0);
        let make = || {
            Ok(|| {
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        };
        on_threads(3, 100, make).unwrap();
        assert_eq!(done.into_inner(), 3 * 132);
    }

    #[test]
    fn a_failure_of_one_thread_is_told_and_nobody_waits() {
        let turn = AtomicU64::new(0);
        let make = || match turn.fetch_add(1, Ordering::Relaxed) {
            1 => Err("no memory".to_owned()),
            _ => Ok(|| Ok(())),
        };
        assert_eq!(on_threads(2, 1, make), Err("no memory".to_owned()));
    }
}
