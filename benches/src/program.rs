//! What a program that measures does with its arguments and with its figures.

use core::time::Duration;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::{Effort, Machine, Mode, Report, check_counting, counting_process};

/// Measurements that are run and kept together.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// What it is called on the command line; its figures are kept as `NAME.json`.
    pub name: &'static str,
    /// What is counted, and how.
    pub notes: &'static [&'static str],
    /// Measures, and fills in the report.
    pub run: fn(Setting, &mut Report) -> Result<(), String>,
}

/// How long a group may take.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// What the figures are for.
    pub mode: Mode,
    /// Rounds and times that go with it.
    pub effort: Effort,
}

impl Setting {
    fn of(mode: Mode, counts_calls: bool) -> Self {
        let (effort, counting) = match mode {
            Mode::Full => (Effort::FULL, Duration::from_millis(100)),
            Mode::Quick => (Effort::QUICK, Duration::from_millis(10)),
            Mode::Test => (Effort::TEST, Duration::ZERO),
        };
        let effort = Effort {
            counting: counts_calls.then_some(counting),
            ..effort
        };
        Self { mode, effort }
    }
}

/// Runs the groups that the arguments name, or all: prints every report, and keeps it. Ends with 1 if
/// a result was wrong or system calls are miscounted, with 2 if the arguments make no sense; whether an
/// aim is met does not matter here.
#[must_use]
pub fn main(groups: &[Group]) -> ExitCode {
    if let Some(code) = counting_process() {
        return code;
    }
    let words: Vec<String> = env::args().skip(1).collect();
    let (mode, chosen) = match parse(&words, groups) {
        Ok(wanted) => wanted,
        Err(problem) => {
            eprintln!("{problem}\nusage: [GROUP...] [--quick | --test]");
            return ExitCode::from(2);
        }
    };
    let refusal = match check_counting() {
        Ok(refusal) => refusal,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(refusal) = &refusal {
        eprintln!("{refusal}");
    }
    let mut code = ExitCode::SUCCESS;
    for group in chosen {
        match run(&group, mode, refusal.as_deref()) {
            // Times that mean nothing are not shown.
            Ok(report) if mode == Mode::Test => {
                let (cases, figures) = (report.cases.len(), report.aims.len());
                println!("{}: right ({cases} cases, {figures} figures)", group.name);
            }
            Ok(report) => println!("{report}"),
            Err(problem) => {
                eprintln!("{} FAILED: {problem}\n", group.name);
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// What is counted, for whoever reads a report alone.
const CALLS: &str = "calls: system calls of the process for one operation, as the kernel saw them, \
                     counted when nothing was timed any more; own: those that ours count themselves, \
                     by `os::Counted`, over all rounds";

fn parse(words: &[String], groups: &[Group]) -> Result<(Mode, Vec<Group>), String> {
    let mut mode = Mode::Full;
    let mut chosen = Vec::new();
    for word in words {
        let named = groups.iter().find(|group| group.name == word);
        match (word.as_str(), mode, named) {
            ("--quick", Mode::Full, _) => mode = Mode::Quick,
            ("--test", Mode::Full, _) => mode = Mode::Test,
            (_, _, Some(group)) => chosen.push(*group),
            _ => {
                let names: Vec<_> = groups.iter().map(|group| group.name).collect();
                return Err(format!("`{word}`? The groups are {}", names.join(", ")));
            }
        }
    }
    if chosen.is_empty() {
        chosen = groups.to_vec();
    }
    Ok((mode, chosen))
}

/// Runs a group; `refusal` is why system calls cannot be counted, if they cannot.
fn run(group: &Group, mode: Mode, refusal: Option<&str>) -> Result<Report, String> {
    let mut report = Report {
        group: group.name.to_owned(),
        mode,
        machine: Machine::here()?,
        notes: group.notes.iter().map(|&note| note.to_owned()).collect(),
        cases: Vec::new(),
        aims: Vec::new(),
    };
    (group.run)(Setting::of(mode, refusal.is_none()), &mut report)?;
    if !report.cases.is_empty() {
        report.notes.push(refusal.unwrap_or(CALLS).to_owned());
    }
    report.machine.finish()?;
    match mode {
        Mode::Full => report.save(&results())?,
        Mode::Quick => report.save(&results().join("quick"))?,
        Mode::Test => {}
    }
    Ok(report)
}

/// Where figures are kept: `results` beside the sources, which is where they are committed from.
#[must_use]
pub fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: [Group; 2] = [
        Group {
            name: "one",
            notes: &[],
            run: |_, _| Ok(()),
        },
        Group {
            name: "two",
            notes: &[],
            run: |_, _| Err("wrong".to_owned()),
        },
    ];

    fn parsed(words: &[&str]) -> Result<(Mode, Vec<&'static str>), String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let (mode, groups) = parse(&words, &GROUPS)?;
        Ok((mode, groups.iter().map(|group| group.name).collect()))
    }

    #[test]
    fn arguments_are_groups_and_one_mode() {
        assert_eq!(parsed(&[]), Ok((Mode::Full, vec!["one", "two"])));
        assert_eq!(parsed(&["two", "--quick"]), Ok((Mode::Quick, vec!["two"])));
        assert_eq!(parsed(&["--test"]), Ok((Mode::Test, vec!["one", "two"])));
        assert_eq!(
            parsed(&["three"]).unwrap_err(),
            "`three`? The groups are one, two"
        );
        assert!(parsed(&["--test", "--quick"]).is_err());
    }

    #[test]
    fn a_wrong_result_is_a_failure() {
        let [one, two] = GROUPS;
        let report = run(&one, Mode::Test, Some("refused")).unwrap();
        assert!(report.to_string().starts_with("one ("), "{report}");
        assert_eq!(run(&two, Mode::Test, Some("refused")).unwrap_err(), "wrong");
    }
}
