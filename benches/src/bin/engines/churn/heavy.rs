//! `churn-heavy`: one guest in 256 writes half of its memory, the others a page. What it made
//! resident must neither slow the others down nor stay for good.

use benches::{Aim, Case, Contender, Effort, Group, Report, Setting, race};

use super::FLOOR;
use super::guest::{Floor, Guest};

use crate::peers::{Kind, Options, Runtime};

pub(crate) const GROUP: Group = Group {
    name: "churn-heavy",
    notes: &[
        "an operation: 256 guests of 256 pages one after the other, of which the first fills 8 MiB \
         and the others 4 KiB",
        "resident: with 16 such guests alive at once, and then ended; our limit for kept regions \
         is 64 MiB",
    ],
    run,
};

const PAGES: u32 = 256;
const HEAVY: u32 = 8 << 20;
const LIGHT: u32 = 4 << 10;
const GUESTS: u32 = 256;
const LIMIT: usize = 64 << 20;

fn touched(guest: u32) -> u32 {
    if guest == 0 { HEAVY } else { LIGHT }
}

fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
    let mut options = Options::for_pages(PAGES);
    options.cache_max_bytes = LIMIT;
    let mut bare = Floor::new(HEAVY)?;
    let mut guests = Vec::new();
    for kind in Kind::ALL {
        let runtime = Runtime::new(kind, &options)?;
        let guest = Guest::new(&runtime, PAGES)?;
        guests.push((runtime, guest));
    }
    let mut contenders = vec![Contender::new(FLOOR, |blocks| {
        benches::timed(blocks, || {
            (0..GUESTS).try_for_each(|guest| bare.cycle(touched(guest)))
        })
    })];
    for (runtime, guest) in &guests {
        let contender = Contender::new(runtime.kind.name(), |blocks| {
            benches::timed(blocks, || {
                (0..GUESTS).try_for_each(|number| guest.cycle(touched(number)))
            })
        });
        contenders.push(match runtime.calls() {
            Some(calls) => contender.counting(calls),
            None => contender,
        });
    }
    let effort = Effort {
        rounds: setting.effort.rounds.div_ceil(2),
        ..setting.effort
    };
    let measured = race(&mut contenders, effort.without_tail())?;
    drop(contenders);
    report
        .cases
        .push(Case::new("256 guests, one heavy", FLOOR, &measured)?);
    let find = |kind: Kind| measured.iter().find(|one| one.name == kind.name());
    for (runtime, guest) in &guests {
        let Some(arenas) = runtime.arenas() else {
            continue;
        };
        let name = runtime.kind.name();
        if let (Some(ours), Some(pool)) = (find(runtime.kind), find(Kind::Pooling)) {
            let what = format!("{name}: as fast as the default pool");
            report
                .aims
                .push(Aim::ratio(what, pool.ratio(ours)).at_least(1.0));
        }
        let live: Result<Vec<_>, _> = (0..16).map(|_| guest.live(HEAVY)).collect();
        drop(live?);
        let resident = arenas.resident()?;
        let what = format!("{name}: resident in kept regions, of the limit");
        #[expect(clippy::cast_precision_loss, reason = "some MiB")]
        let share = resident as f64 / LIMIT as f64;
        report.aims.push(Aim::figure(what, share, "×").at_most(1.0));
    }
    Ok(())
}
