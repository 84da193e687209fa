//! `churn-space`: what a thousand guests that are alive take of address space and of memory.

use benches::{AddressSpace, Aim, Group, Report, Setting};

use super::guest::Guest;

use crate::peers::{Kind, Options, Runtime};

pub(crate) const GROUP: Group = Group {
    name: "churn-space",
    notes: &[
        "1000 guests of one page alive at once, each of which filled 4 KiB; what the process has \
         more than before the engine was made, from /proc",
        "instances and stores are part of it; pools reserve for 1000 memories from the start",
    ],
    run,
};

const GUESTS: usize = 1000;
const TOUCHED: u32 = 4 << 10;
const MIB: f64 = 1_048_576.0;

fn run(_setting: Setting, report: &mut Report) -> Result<(), String> {
    // The first compilation starts threads, and glibc reserves 64 MiB for each.
    Guest::new(&Runtime::new(Kind::OnDemand, &Options::for_pages(1))?, 1)?;
    for kind in Kind::ALL {
        let before = AddressSpace::now()?;
        let runtime = Runtime::new(kind, &Options::for_pages(1))?;
        let guest = Guest::new(&runtime, 1)?;
        let live: Result<Vec<_>, _> = (0..GUESTS).map(|_| guest.live(TOUCHED)).collect();
        let live = live?;
        let taken = AddressSpace::now()?.since(before);
        drop(live);
        let name = kind.name();
        let mut add = |what: &str, bytes: u64| {
            #[expect(clippy::cast_precision_loss, reason = "up to some TiB")]
            let value = bytes as f64 / MIB;
            let aim = Aim::figure(format!("{name}: {what}"), value, "MiB");
            let aims_at = kind == Kind::Bounded && what == "address space";
            report
                .aims
                .push(if aims_at { aim.at_most(200.0) } else { aim });
        };
        add("address space", taken.mapped);
        add("resident", taken.resident);
        add("page tables", taken.page_tables);
    }
    Ok(())
}
