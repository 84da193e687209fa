//! All files on all memories of an engine, on as many threads as are wanted.
#![forbid(unsafe_code)]

use core::cmp::Reverse;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::compare::{Tally, compare};
use crate::judge::Judge;
use crate::script::directives;
use crate::suite::File;
use crate::trial::Trial;

/// Enough for the deepest recursion of the suite, guest and parser.
const STACK_BYTES: usize = 64 << 20;

/// What came of one file.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which of the files.
    pub file: usize,
    /// How many directives were run.
    pub directives: usize,
    /// How many more it has, which are about the text format alone.
    pub about_text: usize,
    /// The directives that fail on the reference: line, and why.
    pub reference_failures: Vec<(usize, String)>,
    /// One for each configuration.
    pub tallies: Vec<Tally>,
    /// How long the reference took, and each configuration.
    pub times: Vec<Duration>,
}

/// Runs every file, first on the reference, then on each configuration. The reports are in the
/// order of the files.
///
/// # Errors
/// A thread could not be started, or a file could not be prepared.
pub fn run(files: &[File], trial: &Trial, threads: usize) -> Result<Vec<Report>, String> {
    // The longest first, so that no thread is left alone with one at the end.
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|&index| Reverse(files[index].text.len()));
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    let work = || {
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let report = run_file(index, &files[index], trial);
            let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
            reports.push(report);
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, work)
                .map_err(|error| format!("no thread could be started: {error}"))?;
        }
        Ok::<(), String>(())
    })?;
    let reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut reports = reports.into_iter().collect::<Result<Vec<_>, _>>()?;
    reports.sort_by_key(|report: &Report| report.file);
    Ok(reports)
}

fn run_file(index: usize, file: &File, trial: &Trial) -> Result<Report, String> {
    let (about_text, directives): (Vec<_>, Vec<_>) = directives(file.text)
        .into_iter()
        .partition(|directive| directive.is_about_text());
    let mut times = Vec::new();
    let mut timed = |judge: &dyn Judge| {
        let start = Instant::now();
        let outcomes = judge.run(&directives);
        times.push(start.elapsed());
        outcomes.map_err(|problem| format!("{}: {problem}", file.name))
    };
    let expected = timed(&*trial.reference.0)?;
    let mut tallies = Vec::new();
    for configuration in &trial.configurations {
        let found = timed(&*configuration.judge)?;
        tallies.push(compare(&file.name, &directives, &expected, &found));
    }
    let failing = directives.iter().zip(&expected);
    let reference_failures = failing.filter_map(|(directive, outcome)| {
        let problem = outcome.as_ref().err()?;
        Some((directive.line, problem.clone()))
    });
    Ok(Report {
        file: index,
        directives: directives.len(),
        about_text: about_text.len(),
        reference_failures: reference_failures.collect(),
        tallies,
        times,
    })
}
