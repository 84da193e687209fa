//! `churn-data`: guests with half a mebibyte of data segments, which Wasmtime's own memories map
//! instead of copying.

use benches::{Aim, Case, Group, Report, Setting, race};

use super::guest::{Floor, Guest};
use super::{FLOOR, contender, floor};

use crate::peers::{Kind, Options, Runtime};

pub(crate) const GROUP: Group = Group {
    name: "churn-data",
    notes: &[
        "an operation: as in `churn`, with 16 pages of memory and 512 KiB of data segments; 64 KiB \
         behind them are touched",
        "wasmtime's own memories map the segments as a copy-on-write image; creators' memories, \
         ours too, get a copy",
    ],
    run,
};

const PAGES: u32 = 16;
const DATA: u32 = 512 << 10;
const TOUCHED: u32 = 64 << 10;

fn run(setting: Setting, report: &mut Report) -> Result<(), String> {
    let options = Options::for_pages(PAGES);
    let mut bare = Floor::new(TOUCHED)?;
    let mut guests = Vec::new();
    for kind in Kind::ALL {
        let runtime = Runtime::new(kind, &options)?;
        let guest = Guest::with_data(&runtime, PAGES, DATA)?;
        guests.push((runtime, guest));
    }
    let mut contenders = vec![floor(&mut bare, TOUCHED)];
    for (runtime, guest) in &guests {
        contenders.push(contender(runtime, guest, TOUCHED));
    }
    let measured = race(&mut contenders, setting.effort)?;
    drop(contenders);
    for (runtime, guest) in &guests {
        guest
            .check(PAGES)
            .map_err(|problem| format!("{}: {problem}", runtime.kind.name()))?;
    }
    report.cases.push(Case::new(
        "16 pages, 512 KiB of data, 64 KiB",
        FLOOR,
        &measured,
    )?);
    let find = |kind: Kind| measured.iter().find(|one| one.name == kind.name());
    for kind in [Kind::Bounded, Kind::Reserved] {
        if let (Some(ours), Some(pool)) = (find(kind), find(Kind::Pooling)) {
            let what = format!("{}: as fast as the default pool", kind.name());
            report.aims.push(Aim::ratio(what, pool.ratio(ours)));
        }
    }
    Ok(())
}
