//! A report as a picture: SVG, drawn from the kept figures alone.
//!
//! ```text
//!   1 page, 4 KiB
//!     contender a        ─●──              1.20
//!     contender b                 ──●─     4.10
//!                    1    2    5    10         ratio to the reference, logarithmic
//! ```

use core::fmt::Write;

use crate::{Report, Row};

const LINE: f64 = 18.0;
const LABELS: f64 = 270.0;
const WIDTH: f64 = 480.0;
const NUMBERS: f64 = 70.0;

/// Draws the ratios of all cases, each with its quartiles; none if the report has no cases.
///
/// Bars of ours have another colour: those whose name begins with `wasm-arena` or `arena-heap`.
#[must_use]
pub fn picture(report: &Report) -> Option<String> {
    let scale = Scale::over(report)?;
    let mut drawn = String::new();
    let mut y = 40.0;
    for case in &report.cases {
        y += LINE;
        text(&mut drawn, 8.0, y, "case", &case.name);
        for row in &case.rows {
            y += LINE;
            draw(&mut drawn, &scale, y, row);
        }
        y += LINE / 2.0;
    }
    let (width, height) = (LABELS + WIDTH + NUMBERS, y + 2.0 * LINE);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">
<style>.case{{font-weight:bold}}.foot,.number,.tick{{fill:#555}}.grid{{stroke:#ddd}}.one{{stroke:#888}}.ours{{stroke:#0a6;fill:#0a6}}.other{{stroke:#46a;fill:#46a}}</style>
<rect width="{width}" height="{height}" fill="#fff"/>
"##
    );
    text(&mut svg, 8.0, 18.0, "case", &title(report));
    for tick in scale.ticks() {
        let x = scale.x(tick);
        let class = if tick == 1.0 { "one" } else { "grid" };
        // Writing to a string does not fail.
        let _written = writeln!(
            svg,
            r#"<line class="{class}" x1="{x:.1}" y1="40" x2="{x:.1}" y2="{y:.1}"/>"#
        );
        text(&mut svg, x - 8.0, 36.0, "tick", &tick.to_string());
    }
    svg += &drawn;
    text(&mut svg, 8.0, y + LINE, "foot", &foot(report));
    svg += "</svg>\n";
    Some(svg)
}

fn title(report: &Report) -> String {
    let reference = report.cases.first().map(|case| case.reference.as_str());
    let reference = reference.unwrap_or_default();
    format!(
        "{}: time, as a multiple of that of \u{201c}{reference}\u{201d}",
        report.group
    )
}

fn foot(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "median and quartiles of paired rounds; {}, load {} to {}, commit {}, {}",
        machine.processor, machine.load_before, machine.load_after, machine.commit, machine.began
    )
}

fn draw(svg: &mut String, scale: &Scale, y: f64, row: &Row) {
    let ours = ["wasm-arena", "arena-heap"];
    let is_ours = ours.iter().any(|name| row.name.starts_with(name));
    let class = if is_ours { "ours" } else { "other" };
    let ratio = row.ratio;
    let [lower, median, upper] = [ratio.lower, ratio.median, ratio.upper].map(|at| scale.x(at));
    let middle = y - 4.0;
    text(svg, 24.0, y, class, &row.name);
    let _written = writeln!(
        svg,
        r#"<line class="{class}" x1="{lower:.1}" y1="{middle:.1}" x2="{upper:.1}" y2="{middle:.1}" stroke-width="3"/>
<circle class="{class}" cx="{median:.1}" cy="{middle:.1}" r="4"/>"#
    );
    let number = format!("{:.2}", ratio.median);
    text(svg, LABELS + WIDTH + 12.0, y, "number", &number);
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    // Text has no outline.
    let _written = writeln!(
        svg,
        r#"<text x="{x:.1}" y="{y:.1}" class="{class}" stroke="none" style="stroke:none">{words}</text>"#
    );
}

/// A logarithmic axis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    /// One that holds all ratios, and 1.
    fn over(report: &Report) -> Option<Self> {
        let rows = report.cases.iter().flat_map(|case| &case.rows);
        let ends = rows.flat_map(|row| [row.ratio.lower, row.ratio.upper]);
        let (least, most) = ends
            .filter(|end| end.is_finite() && *end > 0.0)
            .fold((1.0_f64, 1.0_f64), |(least, most), end| {
                (least.min(end), most.max(end))
            });
        (!report.cases.is_empty()).then_some(Self {
            least: least / 1.2,
            most: most * 1.2,
        })
    }

    fn x(&self, ratio: f64) -> f64 {
        let ratio = ratio.clamp(self.least, self.most);
        LABELS + WIDTH * (ratio / self.least).ln() / (self.most / self.least).ln()
    }

    /// 1, 2 and 5 times the powers of ten; of a wide axis the powers alone.
    fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = if self.most / self.least > 1e3 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        (-6..=9)
            .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
            .filter(|tick| (self.least..=self.most).contains(tick))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Case, Machine, Measured, Mode};

    fn report(rounds: &[(&str, f64)]) -> Report {
        let measured: Vec<_> = rounds
            .iter()
            .map(|&(name, time)| Measured {
                name: name.to_owned(),
                rounds: vec![time; 3],
                tail: None,
                page_faults: 0.0,
                calls: None,
                system_calls: None,
                operations: 3,
            })
            .collect();
        Report {
            group: "group".to_owned(),
            mode: Mode::Full,
            machine: Machine::here().unwrap(),
            notes: Vec::new(),
            cases: vec![Case::new("a < b", "floor", &measured).unwrap()],
            aims: Vec::new(),
        }
    }

    #[test]
    fn what_is_twice_as_slow_is_farther_right_and_everything_is_inside() {
        let report = report(&[("floor", 10.0), ("wasm-arena", 20.0), ("peer", 5.0)]);
        let svg = picture(&report).unwrap();
        let centres: Vec<f64> = svg
            .split("cx=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        let [floor, ours, peer] = centres[..] else {
            panic!("{svg}");
        };
        assert!(peer < floor && floor < ours);
        assert!(((ours - floor) - (floor - peer)).abs() < 0.2, "logarithmic");
        assert!(peer > LABELS && ours < LABELS + WIDTH);
        assert!(svg.contains("a &lt; b") && svg.contains(">2.00<"));
    }

    #[test]
    fn a_report_without_cases_has_no_picture() {
        let mut empty = report(&[("floor", 1.0)]);
        empty.cases.clear();
        assert_eq!(picture(&empty), None);
    }

    #[test]
    fn a_report_survives_being_kept() {
        let report = report(&[("floor", 1.0), ("peer", 1.5)]);
        let folder = std::env::temp_dir().join(format!("benches-{}", std::process::id()));
        report.save(&folder).unwrap();
        let back = Report::load(&folder.join("group.json")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(back, report);
    }
}
