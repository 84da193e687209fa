//! Runs the linked suite: cases that return in one process, cases that fault in one each.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use super::target::Target;

const SEGMENTATION_FAULT: i32 = 11;

/// Printed by the suite right before an access that must fault.
const ANNOUNCEMENT: &str = "about to fault";

/// What came of one run of the suite.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    label: String,
    passed: usize,
    failed: usize,
    /// Cases that were not run, because nobody watches.
    unwatched: usize,
}

/// A suite to run: on this machine or in an emulator, with words that choose what is played.
struct Suite<'a> {
    target: &'a Target,
    program: &'a Path,
    words: Vec<String>,
}

/// Runs a linked program with these words, as it is or in the target's emulator.
pub(crate) fn output(target: &Target, program: &Path, words: &[&str]) -> Result<Output, String> {
    let mut command = match target.emulator {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(words).stdin(Stdio::null());
    // What the program finds in the environment is for the program to say.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MALLOC_") {
            command.env_remove(name);
        }
    }
    command.output().map_err(|error| {
        let program = command.get_program().to_string_lossy();
        format!("{program} could not be started: {error}")
    })
}

impl Suite<'_> {
    fn output(&self, words: &[&str]) -> Result<(Output, String), String> {
        let own = self.words.iter().map(String::as_str);
        let words: Vec<_> = words.iter().copied().chain(own).collect();
        let output = output(self.target, self.program, &words)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((output, text))
    }

    fn label(&self) -> String {
        let mut label = self.target.name.to_owned();
        for word in &self.words {
            label = format!("{label} {}", word.trim_start_matches("--"));
        }
        label
    }

    /// Runs every case that returns.
    fn all(&self) -> Result<Tally, String> {
        let label = self.label();
        let (output, text) = self.output(&["all"])?;
        for line in text.lines().filter(|line| line.contains(" FAILED: ")) {
            println!("{label}: {line}");
        }
        let tally = Tally {
            passed: text.lines().filter(|line| line.ends_with(" ok")).count(),
            failed: text
                .lines()
                .filter(|line| line.contains(" FAILED: "))
                .count(),
            unwatched: number_before(&text, "not run without a bench"),
            label: label.clone(),
        };
        // The suite counts too, and its process must have ended as it says.
        let last = text.lines().last().unwrap_or_default();
        let agreed = last.starts_with(&format!("{} passed, {} failed", tally.passed, tally.failed));
        if !agreed || output.status.code() != Some(i32::from(tally.failed > 0)) {
            return Err(format!(
                "{label}: the suite ended with {} after: {last}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        Ok(tally)
    }

    /// Runs every case.
    fn run(&self) -> Result<Tally, String> {
        let label = self.label();
        let mut tally = self.all()?;
        let (_, list) = self.output(&["list"])?;
        let mut faulting = 0;
        for case in list.lines().filter_map(|line| line.strip_prefix("faults ")) {
            faulting += 1;
            let words: Vec<_> = ["run"].into_iter().chain(case.split(' ')).collect();
            let (output, text) = self.output(&words)?;
            if output.status.signal() == Some(SEGMENTATION_FAULT) && text.contains(ANNOUNCEMENT) {
                tally.passed += 1;
            } else {
                tally.failed += 1;
                println!("{label}: {case} FAILED: {}: {}", output.status, text.trim());
            }
        }
        if faulting == 0 {
            return Err(format!("{label}: no case ends in a fault"));
        }
        println!("{tally}");
        Ok(tally)
    }
}

impl Tally {
    /// Of something that is counted one by one.
    pub(crate) const fn new(label: String) -> Self {
        Self {
            label,
            passed: 0,
            failed: 0,
            unwatched: 0,
        }
    }

    /// Counts, and says what failed.
    pub(crate) fn count(&mut self, name: &str, verdict: Result<(), String>) {
        match verdict {
            Ok(()) => self.passed += 1,
            Err(why) => {
                self.failed += 1;
                println!("{}: {name} FAILED: {why}", self.label);
            }
        }
    }
}

impl core::fmt::Display for Tally {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            label,
            passed,
            failed,
            unwatched,
        } = self;
        write!(f, "{label}: {passed} passed, {failed} failed")?;
        if *unwatched > 0 {
            write!(f, " ({unwatched} cases need the stand-in to watch)")?;
        }
        Ok(())
    }
}

/// The number in front of some words in a text; 0 if they are not there.
fn number_before(text: &str, words: &str) -> usize {
    text.find(words)
        .and_then(|at| text[..at].split_whitespace().last())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Runs the suite as a machine with QNX would get it.
pub(crate) fn unwatched(target: &Target, program: &Path) -> Result<Tally, String> {
    let suite = Suite {
        target,
        program,
        words: Vec::new(),
    };
    let mut tally = suite.run()?;
    tally.label += " unwatched";
    Ok(tally)
}

/// Runs the suite under watch, once for each version and each size of a host page; prints which
/// calls operations take. The runs know nothing of each other, so they run beside each other.
pub(crate) fn watched(target: &Target, program: &Path) -> Result<Vec<Tally>, String> {
    let words = |name: &str, value: &dyn ToString| vec![name.to_owned(), value.to_string()];
    let profiles = target.profiles.iter().map(|p| words("--profile", p));
    let pages = target.host_pages.iter().map(|p| words("--host-page", p));
    let tallies: Result<Vec<_>, String> = thread::scope(|scope| {
        let runs: Vec<_> = profiles
            .chain(pages)
            .map(|words| Suite {
                target,
                program,
                words,
            })
            .map(|suite| scope.spawn(move || suite.run()))
            .collect();
        runs.into_iter()
            .map(|run| {
                run.join()
                    .unwrap_or_else(|_| Err(format!("{}: a run panicked", target.name)))
            })
            .collect()
    });
    let tallies = tallies?;
    let suite = Suite {
        target,
        program,
        words: Vec::new(),
    };
    let (output, table) = suite.output(&["table"])?;
    if !output.status.success() || table.is_empty() {
        return Err(format!("{}: no table: {}", target.name, output.status));
    }
    println!("{}: calls of the C library\n{table}", target.name);
    Ok(tallies)
}

/// Runs the cases of the engine, once for each size of a host page.
pub(crate) fn engine(target: &Target, program: &Path) -> Result<Vec<Tally>, String> {
    let pages = target.host_pages.iter().map(ToString::to_string);
    let pages = pages.map(|page| vec!["--host-page".to_owned(), page]);
    let mut tallies = Vec::new();
    for words in core::iter::once(Vec::new()).chain(pages) {
        let suite = Suite {
            target,
            program,
            words,
        };
        let mut tally = suite.all()?;
        tally.label = format!("{} engine", tally.label);
        println!("{tally}");
        tallies.push(tally);
    }
    Ok(tallies)
}

/// Runs one case; whether it passed, and what it said.
pub(crate) fn one(target: &Target, program: &Path, case: &str) -> Result<(bool, String), String> {
    let suite = Suite {
        target,
        program,
        words: Vec::new(),
    };
    let words: Vec<_> = ["run"].into_iter().chain(case.split(' ')).collect();
    let (output, text) = suite.output(&words)?;
    let last = text.lines().last().unwrap_or_default();
    Ok((
        output.status.success(),
        format!("{}: {last}", output.status),
    ))
}

/// Prints all tallies and their sum.
///
/// # Errors
/// A case failed.
pub(crate) fn sum_up(tallies: &[Tally]) -> Result<(), String> {
    println!();
    for tally in tallies {
        println!("{tally}");
    }
    let passed: usize = tallies.iter().map(|tally| tally.passed).sum();
    let failed: usize = tallies.iter().map(|tally| tally.failed).sum();
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} cases failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_word_before() {
        let text = "7 passed, 0 failed, 12 not run without a bench, 3 left";
        assert_eq!(number_before(text, "not run without a bench"), 12);
        assert_eq!(number_before(text, "no such words"), 0);
    }
}
