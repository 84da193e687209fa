//! `churn-threads`: two threads, each with guests of its own on one engine.

use core::time::Duration;

use benches::{
    Aim, Case, Contender, Effort, Group, Measured, Mode, Report, Setting, Spread, on_threads, race,
};

use super::FLOOR;
use super::guest::{Floor, Guest, Shape};

use crate::peers::{Kind, Options, Runtime};

pub(crate) const GROUP: Group = Group {
    name: "churn-threads",
    notes: &[
        "an operation: as in `churn`; with two threads, the mean of the threads' own times for one",
        "needs two processors that have nothing else to do",
        "own part: what is left of a cycle after the floor with as many threads is taken off",
        "faults and calls: of all threads together, and with the 32 cycles that each runs before it is \
         timed",
    ],
    run,
};

const SHAPES: [Shape; 2] = [Shape::new(1, 4 << 10), Shape::new(16, 64 << 10)];

const KINDS: [Kind; 7] = [
    Kind::Bounded,
    Kind::Reserved,
    Kind::Windowed,
    Kind::OnDemand,
    Kind::Pooling,
    Kind::PoolingKeepResident,
    Kind::PoolingPageScan,
];

fn name(contender: &str, threads: usize) -> String {
    match threads {
        1 => contender.to_owned(),
        _ => format!("{contender}, {threads} threads"),
    }
}

fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
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
            let ours = matches!(kind, Kind::Bounded | Kind::Reserved | Kind::Windowed);
            report.aims.push(if ours { aim.at_most(1.3) } else { aim });
        }
    }
    Ok(())
}

fn differences(one: &Measured, floor: &Measured) -> Vec<f64> {
    let rounds = one.rounds.iter().zip(&floor.rounds);
    rounds.map(|(one, floor)| one - floor).collect()
}

fn measure(shape: Shape, setting: Setting) -> Result<Vec<Measured>, String> {
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
