//! Counts instructions: the same in every run, so that bounds can be checked.
//!
//! ```text
//!   bench-instructions ──▶ valgrind ──▶ bench-instructions --inside
//!          │                  │ a count for each call of `measured`
//!          │ ◀────────────────┘     │ a label for each call
//!          └ ◀──────────────────────┘
//! ```
//!
//! Callgrind collects while `measured` runs and writes what it collected when `measured` returns.
//! A handful of the instructions are `measured`'s own.
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

mod callgrind;
mod heap;
mod memories;
mod writes;

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use benches::{Aim, Group, Report, Setting};

const GROUP: Group = Group {
    name: "instructions",
    notes: &[
        "an operation: one call; the figure is the dearest of all such calls, in instructions of \
         this program, as callgrind counts them; what the kernel does is not counted",
        "live: blocks or memories that are alive beside the one the call is about",
        "the limit is one for every number of live ones: beyond it, the run fails",
    ],
    run,
};

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() != Some(callgrind::INSIDE) {
        return benches::main(&[GROUP]);
    }
    let mut log = Log::default();
    let done = heap::run(&mut log)
        .and_then(|()| memories::run(&mut log))
        .and_then(|()| writes::run(&mut log));
    match done {
        Ok(()) => {
            for label in log.labels {
                println!("{label}");
            }
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// What callgrind waits for, by its name.
#[inline(never)]
fn measured<R>(operation: impl FnOnce() -> R) -> R {
    operation()
}

/// What each call of [`measured`] was about, in order.
#[derive(Default)]
struct Log {
    labels: Vec<String>,
}

impl Log {
    fn count<R>(&mut self, label: &str, live: usize, operation: impl FnOnce() -> R) -> R {
        self.labels.push(format!("{label}|{live}"));
        measured(operation)
    }
}

/// No call whose label begins so may take more, however many live: about half as much again as was
/// counted when the limit was set.
const LIMITS: [(&str, u64); 11] = [
    ("heap, fragmented: allocate", 1000),
    ("heap, fragmented: free", 400),
    // Before it refuses, a heap gives back what it can spare and asks again.
    ("heap, full: allocate 1000 B, refused", 3700),
    ("heap, full: allocate 1000 B, the last", 190),
    ("heap, full: free", 230),
    ("memory: allocate 1 page, fresh", 2700),
    // 128 KiB are filled, a byte an instruction.
    ("memory: allocate 1 page, reused", (128 << 10) + 2000),
    ("memory: grow 1 page in place", 950),
    ("memory: free, kept", 1000),
    ("checked write of 8 B", 750),
    ("checked write of 64 B", 900),
];

fn run(_setting: Setting, report: &mut Report) -> Result<(), String> {
    // For each label, and for each number of live ones in rising order, the dearest call.
    let mut dearest: BTreeMap<String, BTreeMap<usize, u64>> = BTreeMap::new();
    for (label, count) in callgrind::counts()? {
        let (label, live) = label
            .rsplit_once('|')
            .and_then(|(label, live)| Some((label.to_owned(), live.parse().ok()?)))
            .ok_or_else(|| format!("`{label}` is no label"))?;
        let most = dearest.entry(label).or_default().entry(live).or_default();
        *most = count.max(*most);
    }
    let mut problems = Vec::new();
    for (label, counts) in dearest {
        let limit = LIMITS.iter().find(|(name, _)| label.starts_with(name));
        let (_, limit) = *limit.ok_or_else(|| format!("{label}: has no limit"))?;
        problems.extend(judge(&counts, limit).map(|problem| format!("{label}: {problem}")));
        for (live, most) in counts {
            let name = format!("{label}: dearest call with {live} live");
            #[expect(clippy::cast_precision_loss, reason = "some thousands")]
            let (most, limit) = (most as f64, limit as f64);
            let aim = Aim::figure(name, most, "instructions").at_most(limit);
            report.aims.push(aim);
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

/// What is wrong with the dearest calls, by number of live ones.
fn judge(counts: &BTreeMap<usize, u64>, limit: u64) -> Option<String> {
    let mut fewer: Option<u64> = None;
    for (live, &most) in counts {
        if most > limit {
            return Some(format!(
                "{most} instructions with {live} live; limit {limit}"
            ));
        }
        // Which path a call takes depends on what is free beside it: a tenth is left for that.
        if let Some(fewer) = fewer
            && most > fewer + fewer / 10 + 20
        {
            return Some(format!(
                "{most} instructions with {live} live, {fewer} with fewer"
            ));
        }
        fewer = fewer.max(Some(most));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_grows_with_the_number_of_live_ones_is_found() {
        let judged = |[few, some, many]: [u64; 3], limit| {
            judge(
                &BTreeMap::from([(10, few), (1000, some), (100_000, many)]),
                limit,
            )
        };
        assert_eq!(judged([600, 640, 646], 1000), None);
        assert_eq!(judged([600, 60, 646], 1000), None);
        let grown = judged([60, 60, 140], 1000).unwrap();
        assert_eq!(grown, "140 instructions with 100000 live, 60 with fewer");
        assert!(judged([600, 600, 600], 599).unwrap().ends_with("limit 599"));
    }
}
