//! `churn-threads`: two threads, each with guests of its own on one engine.

use core::time::Duration;
use std::sync::Barrier;
use std::thread;

use benches::{Aim, Case, Contender, Effort, Measured, Mode, Report, Spread, race};

use super::FLOOR;
use super::guest::{Floor, Guest, Shape};
use crate::Setting;
use crate::groups::Group;
use crate::peers::{Kind, Options, Runtime};

pub(crate) const GROUP: Group = Group {
    name: "churn-threads",
    notes: &[
        "an operation: as in `churn`; with two threads, the mean of the threads' own times for one",
        "needs two processors that have nothing else to do",
        "own part: what is left of a cycle after the floor with as many threads is taken off",
    ],
    run,
};

const SHAPES: [Shape; 2] = [Shape::new(1, 4 << 10), Shape::new(16, 64 << 10)];

const KINDS: [Kind; 6] = [
    Kind::Bounded,
    Kind::Reserved,
    Kind::OnDemand,
    Kind::Pooling,
    Kind::PoolingKeepResident,
    Kind::PoolingPageScan,
];

/// Runs `cycles` of what `make` makes, on each of so many threads at once; the mean of their times.
fn on_threads<C: FnMut() -> Result<(), String>>(
    threads: usize,
    cycles: u64,
    make: impl Fn() -> Result<C, String> + Sync,
) -> Result<Duration, String> {
    let barrier = Barrier::new(threads);
    let work = || {
        let mut cycle = make()?;
        // What a thread does for the first time is not the guests' cost.
        let ready = (0..32).try_for_each(|_| cycle());
        barrier.wait();
        ready?;
        benches::timed(cycles, cycle)
    };
    let times: Vec<Result<Duration, String>> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let joined = others.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".to_owned()))
        });
        joined.chain([own]).collect()
    });
    let total = times.into_iter().sum::<Result<Duration, String>>()?;
    Ok(total / u32::try_from(threads).unwrap_or(1))
}

fn name(contender: &str, threads: usize) -> String {
    match threads {
        1 => contender.to_owned(),
        _ => format!("{contender}, {threads} threads"),
    }
}

fn run(setting: &Setting, report: &mut Report) -> Result<(), String> {
    for shape in SHAPES {
        let measured = measure(shape, setting)?;
        let find = |contender: &str, threads| {
            let wanted = name(contender, threads);
            let found = measured.iter().find(|one| one.name == wanted);
            found.ok_or_else(|| format!("nobody is called {wanted}"))
        };
        report
            .cases
            .push(Case::new(&shape.name(), FLOOR, &measured)?);
        for kind in KINDS {
            let own = [1, 2].map(|threads| {
                Ok::<_, String>(differences(
                    find(kind.name(), threads)?,
                    find(FLOOR, threads)?,
                ))
            });
            let [one, two] = own;
            let ratio = two?.into_iter().zip(one?).map(|(two, one)| two / one);
            let what = format!(
                "{}: {}: own part, two threads to one",
                shape.name(),
                kind.name()
            );
            let aim = Aim::ratio(what, Spread::of(ratio));
            let ours = matches!(kind, Kind::Bounded | Kind::Reserved);
            report.aims.push(if ours { aim.at_most(1.3) } else { aim });
        }
    }
    Ok(())
}

fn differences(one: &Measured, floor: &Measured) -> Vec<f64> {
    let rounds = one.rounds.iter().zip(&floor.rounds);
    rounds.map(|(one, floor)| one - floor).collect()
}

fn measure(shape: Shape, setting: &Setting) -> Result<Vec<Measured>, String> {
    let options = Options::for_pages(shape.pages);
    let mut guests = Vec::new();
    for kind in KINDS {
        let runtime = Runtime::new(kind, &options)?;
        let guest = Guest::new(&runtime, shape.pages)?;
        guests.push((runtime, guest));
    }
    let touched = shape.touched;
    let mut contenders = Vec::new();
    for threads in [1, 2] {
        contenders.push(Contender::new(name(FLOOR, threads), move |cycles| {
            on_threads(threads, cycles, || {
                let mut floor = Floor::new(touched)?;
                Ok(move || floor.cycle(touched))
            })
        }));
        for (runtime, guest) in &guests {
            let name = name(runtime.kind.name(), threads);
            let contender = Contender::new(name, move |cycles| {
                on_threads(threads, cycles, || Ok(|| guest.cycle(touched)))
            });
            contenders.push(match runtime.calls() {
                Some(calls) => contender.counting(calls),
                None => contender,
            });
        }
    }
    let effort = Effort {
        rounds: setting.effort.rounds.div_ceil(2),
        // Long enough for both threads to run at once nearly all the time.
        batch: match setting.mode {
            Mode::Test => Duration::ZERO,
            Mode::Quick => Duration::from_millis(3),
            Mode::Full => Duration::from_millis(10),
        },
        ..setting.effort
    };
    race(&mut contenders, effort.without_tail())
}
