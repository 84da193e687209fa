//! The figures of `docs/performance.md`, written from what is kept: none is typed by hand.

use core::fmt::Write;

use crate::report::Limit;
use crate::system_calls::count;
use crate::table::few;
use crate::{Aim, Case, Report, SystemCalls};

const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --plot` -->\n";
const END: &str = "<!-- end of figures -->\n";

/// Puts the figures of reports between the two marks of a document.
///
/// # Errors
/// The document has no such marks.
pub fn with_figures(document: &str, reports: &[Report]) -> Result<String, String> {
    let parts = document.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or("docs/performance.md: the marks of its figures are gone")?;
    let mut figures = String::new();
    for report in reports.iter().filter(|report| !report.aims.is_empty()) {
        write_group(&mut figures, report);
    }
    Ok(format!("{before}{BEGIN}{figures}{END}{after}"))
}

fn write_group(document: &mut String, report: &Report) {
    let machine = &report.machine;
    // Writing to a string does not fail.
    let _written = write!(
        document,
        "\n### {group}\n`cargo xtask bench {group}`: {}, {} processors, Linux {}, load {} to {}, {}, \
         commit {}, {}\n\n| figure | quartiles | aim | |\n|---|---|---|---|\n",
        machine.processor,
        machine.processors,
        machine.kernel,
        machine.load_before,
        machine.load_after,
        machine.rustc,
        machine.commit,
        machine.began,
        group = report.group,
    );
    for aim in &report.aims {
        *document += &line(aim);
    }
    if !report.cases.is_empty() {
        *document += &system_calls(&report.cases);
    }
}

/// A table with a line for each contender, or several if it does not call the same in every case.
fn system_calls(cases: &[Case]) -> String {
    let rows = || {
        cases
            .iter()
            .flat_map(|case| case.rows.iter().map(move |row| (case, row)))
    };
    let mut names: Vec<&str> = Vec::new();
    for (_, row) in rows() {
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    let mut lines = String::new();
    let mut silent = Vec::new();
    for name in names {
        // What is called, and in which cases.
        let mut kinds: Vec<(&SystemCalls, Vec<&str>)> = Vec::new();
        for (case, row) in rows().filter(|(_, row)| row.name == name) {
            let Some(calls) = &row.system_calls else {
                return "\nSystem calls: not counted.\n".to_owned();
            };
            let same = kinds
                .iter_mut()
                .find(|(kind, _)| shown(kind) == shown(calls));
            match same {
                Some((_, cases)) => cases.push(&case.name),
                None => kinds.push((calls, vec![&case.name])),
            }
        }
        let everywhere = kinds.len() == 1;
        for (calls, cases) in kinds {
            if calls.total() == 0.0 {
                silent.push(name);
                continue;
            }
            let cases = if everywhere {
                "all".to_owned()
            } else {
                cases.join("; ")
            };
            lines += &format!("| {name} | {} | {cases} |\n", shown(calls));
        }
    }
    if lines.is_empty() {
        return "\nNobody makes a system call in an operation.\n".to_owned();
    }
    let table =
        format!("\n| contender | system calls of an operation | cases |\n|---|---|---|\n{lines}");
    if silent.is_empty() {
        table
    } else {
        format!("{table}\nNone in any other case: {}.\n", silent.join("; "))
    }
}

/// The number, and by name.
fn shown(calls: &SystemCalls) -> String {
    format!("{}: {calls}", count(calls.total()))
}

fn line(aim: &Aim) -> String {
    let Aim {
        name, value, unit, ..
    } = aim;
    let quartiles = aim.quartiles.map_or_else(String::new, |(lower, upper)| {
        format!("{} to {}", few(lower), few(upper))
    });
    let limit = match aim.limit {
        None => String::new(),
        Some(Limit::AtMost(most)) => format!("at most {most}"),
        Some(Limit::AtLeast(least)) => format!("at least {least}"),
    };
    let verdict = match aim.is_met() {
        None => "",
        Some(true) => "met",
        Some(false) => "**missed**",
    };
    let value = few(*value);
    format!("| {name}: {value} {unit} | {quartiles} | {limit} | {verdict} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Machine, Mode, Row, Spread};

    /// A contender, and what it calls in two operations.
    type Caller<'a> = (&'a str, Option<&'a [(&'a str, u64)]>);

    fn case(name: &str, rows: &[Caller<'_>]) -> Case {
        let row = |&(name, calls): &Caller<'_>| Row {
            name: name.to_owned(),
            time: Spread::of([1.0]),
            ratio: Spread::of([1.0]),
            tail: None,
            page_faults: 0.0,
            calls: None,
            system_calls: calls.map(|calls| {
                let calls = calls.iter().map(|&(name, count)| (name.to_owned(), count));
                SystemCalls::between(&[].into(), &calls.collect(), 2)
            }),
            operations: 1,
        };
        Case {
            name: name.to_owned(),
            reference: String::new(),
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn system_calls_are_told_once_for_cases_that_have_the_same() {
        let twice: &[_] = &[("mmap", 2), ("munmap", 2)];
        let once: &[_] = &[("ioctl", 1)];
        let first = case(
            "first",
            &[("a", Some(twice)), ("b", Some(once)), ("c", Some(&[]))],
        );
        let rest = ["second", "third"].map(|name| {
            case(
                name,
                &[("a", Some(twice)), ("b", Some(&[])), ("c", Some(&[]))],
            )
        });
        let [second, third] = rest;
        assert_eq!(
            system_calls(&[first.clone(), second.clone(), third]),
            "\n| contender | system calls of an operation | cases |\n|---|---|---|\n\
             | a | 2: mmap 1, munmap 1 | all |\n\
             | b | 0.500: ioctl 0.500 | first |\n\
             \nNone in any other case: b; c.\n"
        );
        let silent = case("silent", &[("c", Some(&[]))]);
        assert!(system_calls(core::slice::from_ref(&silent)).starts_with("\nNobody"));
        let unknown = case("unknown", &[("c", None)]);
        let told = system_calls(&[silent, unknown]);
        assert_eq!(told, "\nSystem calls: not counted.\n");
    }

    #[test]
    fn figures_take_the_place_of_older_ones_and_of_nothing_else() {
        let ratio = Aim::ratio("churn, bounded", Spread::of([1.0, 2.0, 3.0]));
        let report = Report {
            group: "churn".to_owned(),
            mode: Mode::Full,
            machine: Machine::here().unwrap(),
            notes: Vec::new(),
            cases: Vec::new(),
            aims: vec![ratio.at_least(2.5), Aim::figure("resident", 4096.0, "B")],
        };
        let document = format!("before\n{BEGIN}old\n{END}after\n");
        let once = with_figures(&document, core::slice::from_ref(&report)).unwrap();
        assert!(once.starts_with("before\n") && once.ends_with("after\n"));
        assert!(!once.contains("old"));
        assert!(once.contains(
            "| churn, bounded: 2.000 × | 1.000 to 3.000 | at least 2.5 | **missed** |\n\
             | resident: 4096 B |  |  |  |\n"
        ));
        assert_eq!(with_figures(&once, &[report]).as_ref(), Ok(&once));
        assert!(with_figures("no marks", &[]).is_err());
    }
}
