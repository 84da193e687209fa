//! `wasm-arena-benches [GROUP...] [--quick | --test]`: measures, prints, and keeps the figures.
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

mod groups;
mod peers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use benches::{Effort, Machine, Mode, Report};
use clap::Parser;

/// Measures wasm-arena beside its peers, in one process, interleaved.
///
/// A full run keeps its figures in `benches/results`, a quick one in `benches/results/quick`.
/// Ends with 1 if a result was wrong; whether an aim is met does not matter for that.
#[derive(Debug, Parser)]
struct Arguments {
    /// Groups to run; all of them if none is named.
    #[arg(value_parser = groups::names())]
    groups: Vec<String>,
    /// Few and short rounds: everything within two minutes.
    #[arg(long, conflicts_with = "test")]
    quick: bool,
    /// Runs and checks every operation; keeps no figures.
    #[arg(long)]
    test: bool,
}

impl Arguments {
    const fn mode(&self) -> Mode {
        match (self.quick, self.test) {
            (_, true) => Mode::Test,
            (true, false) => Mode::Quick,
            (false, false) => Mode::Full,
        }
    }
}

/// What a group gets: how long it may take, and a report to fill.
struct Setting {
    mode: Mode,
    effort: Effort,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mode = arguments.mode();
    let mut wrong = 0_u32;
    for group in groups::GROUPS {
        if !arguments.groups.is_empty() && arguments.groups.iter().all(|name| name != group.name) {
            continue;
        }
        if let Err(problem) = run(&group, mode) {
            eprintln!("{}: {problem}", group.name);
            wrong += 1;
        }
    }
    if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(group: &groups::Group, mode: Mode) -> Result<(), String> {
    let setting = Setting {
        mode,
        effort: match mode {
            Mode::Full => Effort::FULL,
            Mode::Quick => Effort::QUICK,
            Mode::Test => Effort::TEST,
        },
    };
    let mut report = Report {
        group: group.name.to_owned(),
        mode,
        machine: Machine::here()?,
        notes: group.notes.iter().map(|&note| note.to_owned()).collect(),
        cases: Vec::new(),
        aims: Vec::new(),
    };
    (group.run)(&setting, &mut report)?;
    report.machine.finish()?;
    println!("{report}");
    match mode {
        Mode::Full => report.save(&results()),
        Mode::Quick => report.save(&results().join("quick")),
        Mode::Test => Ok(()),
    }
}

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results")
}
