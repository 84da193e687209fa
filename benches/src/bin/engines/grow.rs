//! `grow`: a guest that asks for one page after the other.

use core::cell::Cell;
use core::time::Duration;
use std::time::Instant;

use benches::{Aim, Case, Contender, Group, Measured, Report, Setting, Spread, race};
use wasmtime::{InstancePre, Store};

use crate::peers::{Kind, Options, Runtime};

pub(crate) const GROUP: Group = Group {
    name: "grow",
    notes: &[
        "an operation: all the growths of a guest, by one page each; making and ending the guest \
         counts neither as time nor as own calls, but is among those that the kernel saw; aims are \
         per growth, of own calls",
        "touched: the guest writes to each page it gets",
        "warm: the same series ran before, so that ours come from regions that were kept",
        "checked: every growth succeeds, what is new is zero, what was written is still there",
    ],
    run,
};

const KINDS: [Kind; 5] = [
    Kind::OnDemand,
    Kind::Bounded,
    Kind::Reserved,
    Kind::Pooling,
    Kind::PoolingKeepResident,
];

/// First size and last, in pages.
struct Series {
    name: &'static str,
    from: u32,
    to: u32,
}

const SERIES: [Series; 2] = [
    Series {
        name: "1 to 1024 pages",
        from: 1,
        to: 1024,
    },
    // Bounded memories have half as much room as they began with.
    Series {
        name: "600 to 856 pages, within the room",
        from: 600,
        to: 856,
    },
];

fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
    for series in &SERIES {
        for touches in [false, true] {
            let measured = measure(series, touches, setting)?;
            let touched = if touches { "touched" } else { "untouched" };
            let name = format!("{}, {touched}", series.name);
            let reference = Kind::OnDemand.name();
            report.cases.push(Case::new(&name, reference, &measured)?);
            report.aims.extend(aims(series, touches, &name, &measured));
        }
    }
    Ok(())
}

fn measure(series: &Series, touches: bool, setting: Setting) -> Result<Vec<Measured>, String> {
    let mut guests = Vec::new();
    for kind in KINDS {
        let runtime = Runtime::new(kind, &Options::for_pages(series.to))?;
        let guest = runtime.compile(&text(series))?;
        guests.push((runtime, guest));
    }
    // Calls made while guests grow; making and ending them does not count.
    let made = KINDS.map(|_| Cell::new(0));
    let mut contenders = Vec::new();
    for (runtime, guest) in &guests {
        let made = &made[contenders.len()];
        let contender = Contender::new(runtime.kind.name(), move |times| {
            let mut total = Duration::ZERO;
            for _ in 0..times {
                total +=
                    grow(runtime, guest, touches, made).map_err(|error| format!("{error:#}"))??;
            }
            Ok(total)
        });
        contenders.push(match runtime.calls() {
            Some(_) => contender.counting(|| made.get()),
            None => contender,
        });
    }
    let mut effort = setting.effort.without_tail();
    effort.rounds = effort.rounds.div_ceil(2);
    race(&mut contenders, effort)
}

/// Grows page by page; the answer is the size at the end, or a refusal's -1, or -2 for a new page
/// that is not zero.
fn text(series: &Series) -> String {
    let Series { from, to, .. } = series;
    format!(
        r#"(module
            (memory {from} {to})
            (func (export "grow") (param $touches i32) (result i32)
                (local $page i32)
                (i32.store8 (i32.const 0) (i32.const 7))
                (loop $next
                    (local.set $page (memory.grow (i32.const 1)))
                    (if (i32.eq (local.get $page) (i32.const -1))
                        (then (return (i32.const -1))))
                    (if (local.get $touches) (then
                        (local.set $page (i32.shl (local.get $page) (i32.const 16)))
                        (if (i32.load (local.get $page)) (then (return (i32.const -2))))
                        (i32.store (local.get $page) (i32.const -1))))
                    (br_if $next (i32.lt_u (memory.size) (i32.const {to}))))
                (if (i32.ne (i32.load8_u (i32.const 0)) (i32.const 7))
                    (then (return (i32.const -3))))
                (memory.size)))"#
    )
}

type Outcome = wasmtime::Result<Result<Duration, String>>;

fn grow(runtime: &Runtime, guest: &InstancePre<()>, touches: bool, made: &Cell<u64>) -> Outcome {
    let calls = || runtime.calls().map_or(0, |calls| calls());
    let mut store = Store::new(&runtime.engine, ());
    let instance = guest.instantiate(&mut store)?;
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow")?;
    let before = calls();
    let start = Instant::now();
    let answer = grow.call(&mut store, i32::from(touches))?;
    let time = start.elapsed();
    made.set(made.get() + calls() - before);
    Ok(if answer > 1 {
        Ok(time)
    } else {
        Err(format!("a growth answered {answer}"))
    })
}

fn aims(series: &Series, touches: bool, case: &str, measured: &[Measured]) -> Vec<Aim> {
    let find = |kind: Kind| measured.iter().find(|one| one.name == kind.name());
    let growths = f64::from(series.to - series.from);
    let mut aims = Vec::new();
    for kind in [Kind::Bounded, Kind::Reserved] {
        let (Some(ours), Some(theirs)) = (find(kind), find(Kind::OnDemand)) else {
            continue;
        };
        let name = kind.name();
        let time: Spread = Spread::of(ours.rounds.iter().map(|all| all / growths));
        let per_growth = Aim {
            quartiles: Some((time.lower, time.upper)),
            ..Aim::figure(format!("{case}: {name}: a growth"), time.median, "ns")
        };
        let calls = ours.calls.unwrap_or(f64::INFINITY) / growths;
        let calls = Aim::figure(format!("{case}: {name}: calls in a growth"), calls, "calls");
        let ratio = Aim::ratio(format!("{case}: {name}: to on demand"), ours.ratio(theirs));
        aims.extend(match (kind, touches) {
            (Kind::Bounded, false) => [per_growth.at_most(60.0), calls.at_most(0.0), ratio],
            (Kind::Bounded, true) => [per_growth, calls.at_most(0.0), ratio],
            _ => [per_growth, calls.at_most(1.0), ratio.at_most(1.0)],
        });
    }
    aims
}
