//! Contenders, one batch each per round, in turns.

use core::time::Duration;
use std::time::Instant;

use crate::{Counting, PageFaults, Spread, SystemCalls, Tail};

/// How many rounds, and how long each batch is to be.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds that count.
    pub rounds: usize,
    /// A batch has as many operations as fit in that time, at least one.
    pub batch: Duration,
    /// For how long each contender runs before anything counts.
    pub warm_up: Duration,
    /// How many operations are timed one by one, for the tail; each contender stops after
    /// [`tail_time`](Self::tail_time), though.
    pub tail_operations: usize,
    /// Limit on the time for a tail.
    pub tail_time: Duration,
    /// For how long the system calls of each contender are counted, once nothing is timed any more;
    /// none: they are not counted.
    pub counting: Option<Duration>,
}

impl Effort {
    /// For figures that are kept.
    pub const FULL: Self = Self {
        rounds: 101,
        batch: Duration::from_millis(2),
        warm_up: Duration::from_millis(100),
        tail_operations: 50_000,
        tail_time: Duration::from_millis(800),
        counting: None,
    };
    /// For a look.
    pub const QUICK: Self = Self {
        rounds: 15,
        batch: Duration::from_micros(500),
        warm_up: Duration::from_millis(10),
        tail_operations: 10_000,
        tail_time: Duration::from_millis(40),
        counting: None,
    };
    /// Every operation runs, and its result is checked; the times mean nothing.
    pub const TEST: Self = Self {
        rounds: 2,
        batch: Duration::ZERO,
        warm_up: Duration::ZERO,
        tail_operations: 2,
        tail_time: Duration::from_millis(1),
        counting: None,
    };

    /// Without operations timed one by one.
    #[must_use]
    pub const fn without_tail(self) -> Self {
        Self {
            tail_operations: 0,
            ..self
        }
    }
}

/// Runs a number of operations, checks what came of them, and says how long they took.
type Run<'a> = dyn FnMut(u64) -> Result<Duration, String> + 'a;
/// Calls of the operating system so far, by a contender's own account.
type Calls<'a> = dyn Fn() -> u64 + 'a;

/// One of those that do the same thing.
#[expect(missing_debug_implementations, reason = "closures")]
pub struct Contender<'a> {
    name: String,
    run: Box<Run<'a>>,
    calls: Option<Box<Calls<'a>>>,
}

impl<'a> Contender<'a> {
    /// A contender. `run` runs as many operations as it is told, and returns how long they took:
    /// see [`timed`].
    pub fn new(
        name: impl Into<String>,
        run: impl FnMut(u64) -> Result<Duration, String> + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
            calls: None,
        }
    }

    /// With a count of its own of the calls it makes of the operating system.
    #[must_use]
    pub fn counting(mut self, calls: impl Fn() -> u64 + 'a) -> Self {
        self.calls = Some(Box::new(calls));
        self
    }

    fn run(&mut self, operations: u64) -> Result<Duration, String> {
        (self.run)(operations).map_err(|problem| format!("{}: {problem}", self.name))
    }
}

/// Runs `operation` so many times under one clock.
///
/// # Errors
/// The first of the operation.
pub fn timed(
    operations: u64,
    mut operation: impl FnMut() -> Result<(), String>,
) -> Result<Duration, String> {
    let start = Instant::now();
    for _ in 0..operations {
        operation()?;
    }
    Ok(start.elapsed())
}

/// What was measured of one contender.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// Nanoseconds per operation, round by round: comparable with the same round of others.
    pub rounds: Vec<f64>,
    /// The rare and dear operations, in nanoseconds, with one reading of the clock in each (some
    /// 25 ns).
    pub tail: Option<Tail>,
    /// Minor page faults per operation, over all rounds that count.
    pub page_faults: f64,
    /// Calls of the operating system per operation, likewise, by its own account; none where it keeps
    /// none.
    pub calls: Option<f64>,
    /// System calls of the process per operation, as the kernel saw them; none where they were not
    /// counted.
    pub system_calls: Option<SystemCalls>,
    /// Operations of all rounds that count.
    pub operations: u64,
}

impl Measured {
    /// Nanoseconds per operation.
    #[must_use]
    pub fn time(&self) -> Spread {
        Spread::of(self.rounds.iter().copied())
    }

    /// How many times as long as `other` this takes, round by round.
    #[must_use]
    pub fn ratio(&self, other: &Self) -> Spread {
        Spread::of(self.rounds.iter().zip(&other.rounds).map(|(a, b)| a / b))
    }
}

/// Races contenders against each other.
///
/// Each round starts with another one, so that none always follows the same neighbour's caches.
///
/// # Errors
/// The first of a contender, with its name.
pub fn race(contenders: &mut [Contender<'_>], effort: Effort) -> Result<Vec<Measured>, String> {
    let mut batches = Vec::new();
    for contender in contenders.iter_mut() {
        batches.push(warm_up(contender, effort)?);
    }
    let mut results: Vec<Measured> = contenders
        .iter()
        .map(|contender| Measured {
            name: contender.name.clone(),
            rounds: Vec::new(),
            tail: None,
            page_faults: 0.0,
            calls: contender.calls.is_some().then_some(0.0),
            system_calls: None,
            operations: 0,
        })
        .collect();
    let count = contenders.len();
    for round in 0..effort.rounds {
        for turn in 0..count {
            let index = (round + turn) % count;
            let result = &mut results[index];
            batch(&mut contenders[index], batches[index], result)?;
        }
    }
    for (contender, result) in contenders.iter_mut().zip(&mut results) {
        let operations = real(result.operations);
        result.page_faults /= operations;
        result.calls = result.calls.map(|calls| calls / operations);
        result.tail = tail(contender, effort)?;
    }
    if let Some(time) = effort.counting {
        let counts = count_system_calls(contenders, &batches, time)?;
        for (result, counts) in results.iter_mut().zip(counts) {
            result.system_calls = Some(counts);
        }
    }
    Ok(results)
}

/// Has every contender run one operation, and then twice as many each time until the time is over and
/// it has run as many as in a batch; what the last run called more than the first is that of the
/// operations it had more.
fn count_system_calls(
    contenders: &mut [Contender<'_>],
    batches: &[u64],
    time: Duration,
) -> Result<Vec<SystemCalls>, String> {
    let mut counting = Counting::begin()?;
    let mut pairs = Vec::new();
    for (contender, &batch) in contenders.iter_mut().zip(batches) {
        let start = Instant::now();
        let (one, outcome) = counting.stretch(|| contender.run(1))?;
        outcome?;
        let mut operations = 1;
        let many = loop {
            operations *= 2;
            let (many, outcome) = counting.stretch(|| contender.run(operations))?;
            outcome?;
            if operations >= MOST || start.elapsed() >= time && operations >= batch {
                break many;
            }
        };
        pairs.push((one, many, operations - 1));
    }
    let counts = counting.end()?;
    let per_operation = pairs.into_iter().map(|(one, many, operations)| {
        SystemCalls::between(&counts[one], &counts[many], operations)
    });
    Ok(per_operation.collect())
}

/// More operations than fit in any batch.
const MOST: u64 = 1 << 40;

/// Runs until warm; returns how many operations make a batch. Whoever does any number of operations in
/// no time does not do them: the compiler saw that they come to the same as one.
fn warm_up(contender: &mut Contender<'_>, effort: Effort) -> Result<u64, String> {
    let start = Instant::now();
    let mut operations = 1;
    loop {
        let time = contender.run(operations)?;
        let warm = start.elapsed() >= effort.warm_up;
        if warm && time >= effort.batch {
            // The last time is the best guess there is.
            let nanoseconds = time.as_nanos().max(1);
            let fitting = u128::from(operations) * effort.batch.as_nanos() / nanoseconds;
            return Ok(u64::try_from(fitting).unwrap_or(u64::MAX).max(1));
        }
        if time < effort.batch {
            if operations >= MOST {
                let name = &contender.name;
                return Err(format!("{name}: {operations} operations took {time:?}"));
            }
            operations *= 2;
        }
    }
}

fn batch(
    contender: &mut Contender<'_>,
    operations: u64,
    result: &mut Measured,
) -> Result<(), String> {
    let calls = contender.calls.as_ref().map(|calls| calls());
    let faults = PageFaults::now()?;
    let time = contender.run(operations)?;
    result.page_faults += real(PageFaults::now()?.since(faults));
    if let (Some(before), Some(counter)) = (calls, &contender.calls) {
        *result.calls.get_or_insert_default() += real(counter() - before);
    }
    result.rounds.push(nanoseconds(time) / real(operations));
    result.operations += operations;
    Ok(())
}

fn tail(contender: &mut Contender<'_>, effort: Effort) -> Result<Option<Tail>, String> {
    let start = Instant::now();
    let mut times = Vec::with_capacity(effort.tail_operations);
    while times.len() < effort.tail_operations && start.elapsed() < effort.tail_time {
        times.push(nanoseconds(contender.run(1)?));
    }
    Ok(Tail::of(times))
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// A count as a real number: exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of operations are far below 2^53"
)]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};

    use super::*;

    const NANOSECOND: Duration = Duration::from_nanos(1);

    /// A contender that takes so long per operation, by its own account.
    fn steady(name: &str, time: Cell<u32>) -> Contender<'_> {
        Contender::new(name, move |operations| {
            let each = u64::from(time.get());
            Ok(Duration::from_nanos(each * operations))
        })
    }

    #[test]
    fn every_round_gives_each_a_batch_and_starts_with_another() {
        let order = RefCell::new(Vec::new());
        let log = |name: char, time: u64| {
            let order = &order;
            Contender::new(name, move |operations| {
                order.borrow_mut().push((name, operations));
                Ok(Duration::from_nanos(time * operations))
            })
        };
        let effort = Effort {
            rounds: 3,
            batch: Duration::from_nanos(100),
            warm_up: Duration::ZERO,
            tail_operations: 0,
            tail_time: Duration::ZERO,
            counting: None,
        };
        let results = race(&mut [log('a', 10), log('b', 25)], effort).unwrap();
        let rounds = &order.borrow()[order.borrow().len() - 6..].to_vec();
        let expected = ['a', 'b', 'b', 'a', 'a', 'b'];
        assert!(rounds.iter().map(|(name, _)| *name).eq(expected));
        // As many as fit in a hundred nanoseconds.
        assert!(
            rounds
                .iter()
                .all(|&(name, n)| n == if name == 'a' { 10 } else { 4 })
        );
        assert_eq!(results[1].ratio(&results[0]).median, 2.5);
        assert_eq!((results[0].operations, results[0].calls), (30, None));
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let measured = |rounds: &[f64]| Measured {
            name: String::new(),
            rounds: rounds.to_vec(),
            tail: None,
            page_faults: 0.0,
            calls: None,
            system_calls: None,
            operations: 1,
        };
        // Everything is slower by far in the second round; nothing changes between the two.
        let (a, b) = (measured(&[1.0, 90.0, 1.0]), measured(&[2.0, 180.0, 2.0]));
        assert_eq!(b.ratio(&a), Spread::of([2.0, 2.0, 2.0]));
    }

    #[test]
    fn calls_and_faults_are_told_per_operation() {
        let calls = Cell::new(0);
        let mut kept = Vec::new();
        let counted = Contender::new("counted", |operations| {
            calls.set(calls.get() + 3 * operations);
            // Fresh pages, written for the first time; kept, so that the next are fresh too.
            kept.push(vec![1_u8; 1 << 20]);
            Ok(Duration::from_secs(1))
        })
        .counting(|| calls.get());
        let results = race(&mut [counted], Effort::TEST).unwrap();
        assert_eq!(results[0].calls, Some(3.0));
        assert!(results[0].page_faults >= 128.0, "{results:?}");
        assert_eq!(results[0].tail.unwrap().max, 1e9);
    }

    #[test]
    fn whoever_does_nothing_is_found_out() {
        let effort = Effort {
            batch: NANOSECOND,
            ..Effort::TEST
        };
        let problem = race(&mut [steady("idle", Cell::new(0))], effort).unwrap_err();
        assert_eq!(problem, format!("idle: {MOST} operations took 0ns"));
    }

    #[test]
    fn a_wrong_result_ends_the_race_and_names_the_contender() {
        let wrong = Contender::new("wrong", |_| Err("not zero".to_owned()));
        let mut both = [steady("right", Cell::new(1)), wrong];
        let problem = race(&mut both, Effort::TEST).unwrap_err();
        assert_eq!(problem, "wrong: not zero");
    }
}
