//! The figures of `docs/performance.md`, written from what is kept: none is typed by hand.

use core::fmt::Write;

use crate::report::Limit;
use crate::table::few;
use crate::{Aim, Report};

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
    use crate::{Machine, Mode, Spread};

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
