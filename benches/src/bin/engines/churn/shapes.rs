//! `churn` and `churn-sweep`: one guest after the other, by size of memory and by what is touched.

use benches::{
    Aim, Case, Effort, Group, Measured, Mode, Report, Setting, Spread, geometric_mean, race,
};

use super::guest::{Floor, Guest, Shape};
use super::{FLOOR, contender, floor};

use crate::peers::{Kind, Options, Runtime};

pub(crate) const GROUP: Group = Group {
    name: "churn",
    notes: &NOTES,
    run,
};

pub(crate) const SWEEP: Group = Group {
    name: "churn-sweep",
    notes: &NOTES,
    run: run_sweep,
};

const NOTES: [&str; 5] = [
    "an operation: instantiate, one call that fills the first bytes of the memory, drop",
    "floor: the same without a memory, and a host buffer that is filled and zeroed",
    "keep resident, page scan: set to keep all of the memory; pools of 1000 memories",
    "faults: minor page faults of the process, from /proc",
    "checked: the first and last byte touched are zero before, and hold the fill afterwards",
];

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;

const SHAPES: [Shape; 6] = [
    Shape::new(1, 4 * KIB),
    Shape::new(1, 64 * KIB),
    Shape::new(16, 4 * KIB),
    Shape::new(16, MIB),
    Shape::new(256, 4 * KIB),
    Shape::new(256, 8 * MIB),
];

const SWEPT: [Shape; 14] = [
    Shape::new(1, 256),
    Shape::new(1, 16 * KIB),
    Shape::new(2, 4 * KIB),
    Shape::new(4, 64 * KIB),
    Shape::new(4, 256 * KIB),
    Shape::new(16, 64 * KIB),
    Shape::new(16, 256 * KIB),
    Shape::new(64, 4 * KIB),
    Shape::new(64, 64 * KIB),
    Shape::new(64, MIB),
    Shape::new(64, 4 * MIB),
    Shape::new(256, 64 * KIB),
    Shape::new(256, MIB),
    Shape::new(1024, 64 * KIB),
];

/// Measures one shape with everybody.
fn measure(shape: Shape, effort: Effort) -> Result<Vec<Measured>, String> {
    let options = Options::for_pages(shape.pages);
    let mut bare = Floor::new(shape.touched)?;
    let mut guests = Vec::new();
    for kind in Kind::ALL {
        let runtime = Runtime::new(kind, &options)?;
        let guest = Guest::new(&runtime, shape.pages)?;
        guests.push((runtime, guest));
    }
    let mut contenders = vec![floor(&mut bare, shape.touched)];
    for (runtime, guest) in &guests {
        contenders.push(contender(runtime, guest, shape.touched));
    }
    let measured = race(&mut contenders, effort)?;
    drop(contenders);
    for (runtime, guest) in &guests {
        guest
            .check(shape.pages)
            .map_err(|problem| format!("{}: {problem}", runtime.kind.name()))?;
    }
    Ok(measured)
}

fn find<'m>(measured: &'m [Measured], name: &str) -> &'m Measured {
    let found = measured.iter().find(|one| one.name == name);
    found.expect("every kind takes part in every race")
}

/// The variant of the pool that is fastest here.
fn best_pool(measured: &[Measured]) -> &Measured {
    let pools = Kind::POOLING.map(|kind| find(measured, kind.name()));
    let fastest = pools
        .into_iter()
        .min_by(|a, b| a.time().median.total_cmp(&b.time().median));
    fastest.expect("there is more than one variant")
}

/// Mean and quartiles over shapes, from those of each.
fn mean(ratios: &[Spread]) -> Spread {
    let over =
        |part: fn(&Spread) -> f64| geometric_mean(&ratios.iter().map(part).collect::<Vec<_>>());
    Spread {
        min: over(|ratio| ratio.min),
        lower: over(|ratio| ratio.lower),
        median: over(|ratio| ratio.median),
        upper: over(|ratio| ratio.upper),
        max: over(|ratio| ratio.max),
    }
}

fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
    let mut results = Vec::new();
    for shape in SHAPES {
        let measured = measure(shape, setting.effort)?;
        report
            .cases
            .push(Case::new(&shape.name(), FLOOR, &measured)?);
        results.push((shape, measured));
    }
    for kind in [Kind::Bounded, Kind::Reserved, Kind::Windowed] {
        report.aims.extend(aims(kind, &results));
    }
    Ok(())
}

fn aims(kind: Kind, results: &[(Shape, Vec<Measured>)]) -> Vec<Aim> {
    let name = kind.name();
    let ratios = |to: fn(&[Measured]) -> &Measured| -> Vec<Spread> {
        let one = |measured: &Vec<Measured>| to(measured).ratio(find(measured, name));
        results.iter().map(|(_, measured)| one(measured)).collect()
    };
    let to_best = ratios(best_pool);
    let mut aims: Vec<Aim> = results
        .iter()
        .zip(&to_best)
        .map(|((shape, measured), &ratio)| {
            let best = &best_pool(measured).name;
            let what = format!(
                "{name}: {}: as fast as the best pool ({best})",
                shape.name()
            );
            Aim::ratio(what, ratio).at_least(0.95)
        })
        .collect();
    let pooling = ratios(|measured| find(measured, Kind::Pooling.name()));
    let on_demand = ratios(|measured| find(measured, Kind::OnDemand.name()));
    let over_floor: Vec<Spread> = results
        .iter()
        .map(|(_, measured)| find(measured, name).ratio(find(measured, FLOOR)))
        .collect();
    let worst = |part: fn(&Measured) -> f64| {
        let shapes = results
            .iter()
            .map(|(_, measured)| part(find(measured, name)));
        shapes.fold(0.0, f64::max)
    };
    let over_shapes = |what: &str, ratios: &[Spread]| {
        Aim::ratio(format!("{name}: {what}, geometric mean"), mean(ratios))
    };
    aims.extend([
        over_shapes("as fast as the best pool", &to_best).at_least(1.15),
        over_shapes("as fast as the default pool", &pooling).at_least(6.0),
        over_shapes("as fast as on demand", &on_demand).at_least(12.0),
        over_shapes("times the floor", &over_floor).at_most(1.64),
        Aim::figure(
            format!("{name}: page faults per cycle, worst shape"),
            worst(|one| one.page_faults),
            "faults",
        )
        .at_most(0.0),
        Aim::figure(
            format!("{name}: system calls per cycle, worst shape"),
            worst(|one| one.calls.unwrap_or(f64::INFINITY)),
            "calls",
        )
        .at_most(0.1),
    ]);
    aims
}

fn run_sweep(setting: Setting, report: &mut Report) -> Result<(), String> {
    let shapes = match setting.mode {
        Mode::Test => &SWEPT[..2],
        Mode::Quick | Mode::Full => &SWEPT[..],
    };
    let effort = Effort {
        rounds: setting.effort.rounds.div_ceil(3),
        ..setting.effort
    };
    let mut results = Vec::new();
    for &shape in shapes {
        let measured = measure(shape, effort.without_tail())?;
        report
            .cases
            .push(Case::new(&shape.name(), FLOOR, &measured)?);
        results.push(measured);
    }
    for kind in Kind::ALL {
        let ratios: Vec<Spread> = results
            .iter()
            .map(|measured| find(measured, kind.name()).ratio(find(measured, FLOOR)))
            .collect();
        let what = format!("{}: times the floor, geometric mean", kind.name());
        report.aims.push(Aim::ratio(what, mean(&ratios)));
    }
    Ok(())
}
