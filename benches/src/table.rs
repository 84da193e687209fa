//! Reports as tables, for the terminal.

use core::fmt;

use crate::report::Limit;
use crate::system_calls::count;
use crate::{Aim, Case, Mode, Report, Row};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            f,
            "{} ({} × {}, Linux {}, governor {}, load {} to {}, {}, commit {}, {})",
            self.group,
            machine.processors,
            machine.processor,
            machine.kernel,
            machine.governor.as_deref().unwrap_or("not told"),
            machine.load_before,
            machine.load_after,
            machine.rustc,
            machine.commit,
            machine.began,
        )?;
        match self.mode {
            Mode::Full => {}
            Mode::Quick => writeln!(f, "quick: few and short rounds; do not quote")?,
            Mode::Test => writeln!(f, "test: results were checked; the times mean nothing")?,
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        for case in &self.cases {
            write!(f, "\n{case}")?;
        }
        if !self.aims.is_empty() {
            writeln!(f)?;
        }
        self.aims.iter().try_for_each(|aim| writeln!(f, "{aim}"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<38} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>8} {:>7} {:>7}",
            self.name,
            "median",
            "quarter",
            "3/4",
            "min",
            "p99",
            "p99.99",
            "max",
            "ratio",
            "faults",
            "own",
            "calls"
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        writeln!(
            f,
            "  times per operation; ratio to `{}`, of each round, median",
            self.reference,
        )?;
        if self.rows.iter().any(|row| row.system_calls.is_none()) {
            writeln!(f, "  system calls: not counted")?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {:<36}", self.name)?;
        let Self { time, tail, .. } = self;
        for value in [time.median, time.lower, time.upper, time.min] {
            write!(f, " {:>9}", duration(value))?;
        }
        for value in [
            tail.map(|tail| tail.p99),
            tail.map(|tail| tail.p99_99),
            tail.map(|tail| tail.max),
        ] {
            write!(f, " {:>9}", value.map_or_else(|| "-".to_owned(), duration))?;
        }
        let own = self.calls.map_or_else(|| "-".to_owned(), count);
        let faults = few(self.page_faults);
        write!(f, " {:>7.3} {faults:>8} {own:>7}", self.ratio.median)?;
        match &self.system_calls {
            None => write!(f, " {:>7}", "-"),
            Some(calls) => write!(f, " {:>7}  {calls}", count(calls.total())),
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.is_met() {
            None => "      ",
            Some(true) => "met   ",
            Some(false) => "MISSED",
        };
        write!(f, "{mark} {}: {} {}", self.name, few(self.value), self.unit)?;
        if let Some((lower, upper)) = self.quartiles {
            write!(f, " ({} to {})", few(lower), few(upper))?;
        }
        match self.limit {
            None => Ok(()),
            Some(Limit::AtMost(most)) => write!(f, "; aim: at most {most}"),
            Some(Limit::AtLeast(least)) => write!(f, "; aim: at least {least}"),
        }
    }
}

/// A time in the unit that fits it.
fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

/// A number with as many digits as say something.
pub(crate) fn few(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value.abs() < 0.001 => format!("{value:.1e}"),
        value if value.abs() < 100.0 => format!("{value:.3}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Spread;

    #[test]
    fn an_aim_says_whether_it_is_met() {
        let ratio = Aim::ratio("churn", Spread::of([1.2, 1.3, 1.4]));
        let text = ratio.clone().at_least(1.25).to_string();
        assert_eq!(
            text,
            "met    churn: 1.300 × (1.200 to 1.400); aim: at least 1.25"
        );
        assert!(
            ratio
                .clone()
                .at_most(1.25)
                .to_string()
                .starts_with("MISSED")
        );
        assert!(ratio.to_string().starts_with("       churn"));
        assert!(Aim::figure("calls", 0.0, "calls").at_most(0.0).is_met() == Some(true));
    }

    #[test]
    fn times_have_units_that_fit() {
        let shown = [0.5, 999.0, 1_000.0, 3_730_000.0].map(duration);
        assert_eq!(shown, ["0.5 ns", "999.0 ns", "1.00 µs", "3.73 ms"]);
        let shown = [0.0, 0.00025, 0.5, 4.5, 4096.0].map(few);
        assert_eq!(shown, ["0", "2.5e-4", "0.500", "4.500", "4096"]);
    }
}
