//! `wasm-arena-spec`: runs the suite and says what came of it.
#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

use core::time::Duration;
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use wasm_arena_spec::compare::Tally;
use wasm_arena_spec::session::{self, Report};
use wasm_arena_spec::suite::{self, File};
use wasm_arena_spec::trial::Trial;
use wasm_arena_spec::{known, wasmi, wasmtime};

/// Runs the WebAssembly specification's test suite on arena memory and on stock memory, and
/// compares what comes of every directive.
///
/// The last line is `N passed, M failed`: directives, counted once for every memory of ours. Exit
/// code 0 if none failed, 1 if one did or nothing could be run, 2 if the command line is wrong.
#[derive(Debug, Parser)]
#[command(name = "wasm-arena-spec")]
struct Arguments {
    /// Only files whose name contains this, `memory64/` for instance.
    #[arg(long, value_name = "TEXT", default_value = "")]
    files: String,
    /// Only memories whose engine and name contain this: `reserved`, or `wasmi, mapped` for instance.
    #[arg(long, value_name = "TEXT", default_value = "")]
    memories: String,
    /// How many files run at a time, 1 to 64 [default: one for each processor].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
    /// Name every file, with the time it took on all memories.
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("wasm-arena-spec: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what was asked for; returns how much of it failed.
fn run(arguments: &Arguments) -> Result<usize, String> {
    let mut files = suite::files();
    files.retain(|file| file.name.contains(&arguments.files));
    if files.is_empty() {
        return Err(format!("no file has \"{}\" in its name", arguments.files));
    }
    let threads = match arguments.threads {
        Some(threads) => threads.into(),
        None => thread::available_parallelism().map_or(1, Into::into),
    };
    let (mut passed, mut failed, mut tried) = (0, 0, 0);
    for mut trial in [wasmtime::trial()?, wasmi::trial()?] {
        let engine = trial.engine;
        trial.configurations.retain(|configuration| {
            format!("{engine}, {}", configuration.name).contains(&arguments.memories)
        });
        if trial.configurations.is_empty() {
            continue;
        }
        let reports = session::run(&files, &trial, threads)?;
        if arguments.verbose {
            tell_files(&files, &reports);
        }
        failed += tell_reference(&files, &trial, &reports);
        let told = tell_configurations(&trial, &reports);
        passed += told.0;
        failed += told.1;
        tried += 1;
    }
    if tried == 0 {
        let text = &arguments.memories;
        return Err(format!("no memory has \"{text}\" in its name"));
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed)
}

fn tell_files(files: &[File], reports: &[Report]) {
    for report in reports {
        let File { name, also, .. } = &files[report.file];
        let time: Duration = report.times.iter().sum();
        let seconds = time.as_secs_f32();
        println!("{name}: {} directives, {seconds:.1} s", report.directives);
        if !also.is_empty() {
            println!("    the same text: {}", also.join(", "));
        }
    }
}

/// Says what fails on stock memory, and why; returns how many files differ from what is known.
fn tell_reference(files: &[File], trial: &Trial, reports: &[Report]) -> usize {
    let directives: usize = reports.iter().map(|report| report.directives).sum();
    let about_text: usize = reports.iter().map(|report| report.about_text).sum();
    let failing = reports.iter().map(|report| report.reference_failures.len());
    println!(
        "{}, stock memory: {} files, {directives} directives, of which {} fail, and {about_text} \
         about the text format alone, which are not run; {:.1} s",
        trial.engine,
        reports.len(),
        failing.sum::<usize>(),
        seconds(reports, 0),
    );
    let mut unexpected = 0;
    for report in reports {
        let name = &files[report.file].name;
        let failures = &report.reference_failures;
        if let Err(problem) = known::check(trial.known, name, failures.len()) {
            unexpected += 1;
            println!("FAILED  {problem}");
            for (line, failure) in failures {
                println!("    {name}:{line}: {failure}");
            }
        } else if let Some(known) = known::find(trial.known, name) {
            println!("    {name}: {}, {}", known.directives, known.reason);
        }
    }
    unexpected
}

/// Says how each configuration did; returns how many directives passed and how many checks failed.
fn tell_configurations(trial: &Trial, reports: &[Report]) -> (usize, usize) {
    let (mut passed, mut failed) = (0, 0);
    for (index, configuration) in trial.configurations.iter().enumerate() {
        let mut tally = Tally::default();
        for report in reports {
            tally.add(&report.tallies[index]);
        }
        println!(
            "{}, {}: {} passed, {} of them assertions; {} fail as on stock memory, {} differ; \
             {} memories from the arenas; {:.1} s",
            trial.engine,
            configuration.name,
            tally.passed,
            tally.assertions,
            tally.same_failure,
            tally.failures.len(),
            configuration.memories_served(),
            seconds(reports, index + 1),
        );
        for failure in &tally.failures {
            println!("FAILED  {}: {failure}", configuration.name);
        }
        passed += tally.passed;
        failed += tally.failures.len();
        if let Err(problem) = configuration.check_accounts() {
            println!("FAILED  {problem}");
            failed += 1;
        }
    }
    (passed, failed)
}

/// Time spent on one memory, all threads together.
fn seconds(reports: &[Report], memory: usize) -> f32 {
    let time: Duration = reports.iter().map(|report| report.times[memory]).sum();
    time.as_secs_f32()
}
