//! `kernels`: what compiled code pays for being kept inside its memory.

use benches::{Aim, Case, Contender, Group, Measured, Report, Setting, race, timed};
use wasmtime::{Config, Store, TypedFunc};

use crate::peers::{Kind, Options, Runtime};

pub(crate) const GROUP: Group = Group {
    name: "kernels",
    notes: &[
        "an operation: one call of the kernel, in an instance that lives on",
        "no Spectre guard: bounded, with Wasmtime's mitigation for speculative accesses off",
        "checked: every contender computes what the others do, and what is known of it",
    ],
    run,
};

/// The kernels; each exports `run`, which answers with a sum over what it computed.
const KERNELS: [(&str, &str, Option<i64>); 6] = [
    // 0 + 1 + ... + (2^20 - 1), twice.
    (
        "sum of 8 MiB",
        include_str!("sum.wat"),
        Some(549_755_289_600),
    ),
    ("triad, 3 x 1 MiB", include_str!("triad.wat"), None),
    ("matrices, 96 x 96", include_str!("matrices.wat"), None),
    (
        "histogram of 1 MiB",
        include_str!("histogram.wat"),
        Some(1 << 20),
    ),
    ("random access in 8 MiB", include_str!("random.wat"), None),
    // It counts the neighbours that are in order.
    (
        "sort of 16 Ki numbers",
        include_str!("sort.wat"),
        Some(16_383),
    ),
];

const UNGUARDED: &str = "wasm-arena, bounded, no Spectre guard";
/// Pages that the kernels declare.
const PAGES: u32 = 256;

fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
    let mut runtimes = Vec::new();
    for kind in [Kind::OnDemand, Kind::Reserved, Kind::Bounded] {
        let runtime = Runtime::new(kind, &Options::for_pages(PAGES))?;
        runtimes.push((kind.name(), runtime));
    }
    let mut options = Options::for_pages(PAGES);
    options.config = without_spectre_guard();
    runtimes.push((UNGUARDED, Runtime::new(Kind::Bounded, &options)?));
    let reference = Kind::OnDemand.name();
    for (name, text, known) in KERNELS {
        let measured = measure(&runtimes, text, known, setting)?;
        report.cases.push(Case::new(name, reference, &measured)?);
        let base = measured.iter().find(|one| one.name == reference);
        for one in &measured {
            let Some(base) = base.filter(|base| base.name != one.name) else {
                continue;
            };
            let aim = Aim::ratio(
                format!("{name}: {} to {reference}", one.name),
                one.ratio(base),
            );
            let is_reserved = one.name == Kind::Reserved.name();
            report
                .aims
                .push(if is_reserved { aim.at_most(1.02) } else { aim });
        }
    }
    Ok(())
}

fn without_spectre_guard() -> Config {
    let mut config = Config::new();
    // SAFETY: the guests are this file's own, and no secrets are in their reach.
    unsafe { config.cranelift_flag_set("enable_heap_access_spectre_mitigation", "false") };
    config
}

/// A guest that is alive.
struct Guest {
    name: &'static str,
    store: Store<()>,
    run: TypedFunc<(), i64>,
}

fn measure(
    runtimes: &[(&'static str, Runtime)],
    text: &str,
    known: Option<i64>,
    setting: Setting,
) -> Result<Vec<Measured>, String> {
    let mut guests = Vec::new();
    for (name, runtime) in runtimes {
        let compiled = runtime.compile(text)?;
        let mut store = Store::new(&runtime.engine, ());
        let run = compiled
            .instantiate(&mut store)
            .and_then(|instance| instance.get_typed_func::<(), i64>(&mut store, "run"))
            .map_err(|error| format!("{name}: {error:#}"))?;
        guests.push(Guest { name, store, run });
    }
    let expected = match (known, guests.first_mut()) {
        (Some(known), _) => known,
        (None, Some(first)) => call(first)?,
        (None, None) => 0,
    };
    let mut contenders: Vec<Contender<'_>> = guests
        .iter_mut()
        .map(|guest| {
            Contender::new(guest.name, move |calls| {
                timed(calls, || match call(guest)? {
                    found if found == expected => Ok(()),
                    found => Err(format!("computed {found}, not {expected}")),
                })
            })
        })
        .collect();
    let mut effort = setting.effort.without_tail();
    // Long enough for the longest kernel to run a few times.
    effort.batch *= 3;
    effort.rounds = effort.rounds.div_ceil(2);
    race(&mut contenders, effort)
}

fn call(guest: &mut Guest) -> Result<i64, String> {
    let answer = guest.run.call(&mut guest.store, ());
    answer.map_err(|error| format!("{error:#}"))
}
