//! The words one can say to `cargo xtask`, and what each does.

use std::process::ExitCode;

use crate::{
    bench, capi, ci, command, fuzz, guests, licences, no_std, place, qnx, real_programs, sanitize,
    spec, valgrind,
};

/// Why a task did not succeed.
pub(crate) enum Failure {
    /// The words make no sense: the help text is the answer.
    Usage(String),
    /// It was done, and something is wrong.
    Task(String),
    /// As before, and what is wrong has been said, in the last line there is to be.
    Told,
}

impl From<String> for Failure {
    fn from(problem: String) -> Self {
        Self::Task(problem)
    }
}

struct Task {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<(), Failure>,
}

const TASKS: &[Task] = &[
    Task {
        name: "ci",
        arguments: "[STEP...]",
        help: "every check there is, or only the steps named; `ci --list` names them, `--discard` saves room",
        run: ci::run,
    },
    Task {
        name: "no-std",
        arguments: "",
        help: "builds the libraries for processors without a system; no allocator may be referenced",
        run: |words| none(words).and_then(|()| Ok(no_std::run()?)),
    },
    Task {
        name: "qnx",
        arguments: "[TARGET...]",
        help: "runs the suite as QNX object code over a stand-in for QNX's C library",
        run: qnx::run,
    },
    Task {
        name: "qnx-defects",
        arguments: "[DEFECT... | --list]",
        help: "puts known defects back, one at a time; the suite must find each by name",
        run: qnx::defects::run,
    },
    Task {
        name: "qnx-engine",
        arguments: "[TARGET...]",
        help: "runs Wasmtime as QNX object code, with guests on our memory, over the stand-in",
        run: qnx::engine::run,
    },
    Task {
        name: "qnx-wasmi",
        arguments: "[TARGET...]",
        help: "runs wasmi as QNX object code, with guests on our memory, over the stand-in",
        run: qnx::interpreter::run,
    },
    Task {
        name: "fuzz",
        arguments: "[TARGET...] [--seconds N]",
        help: "fuzzes each target (heap, allocator, environment) for N seconds, 20 by default",
        run: |words| {
            let (targets, seconds) = fuzz::parse(words).map_err(Failure::Usage)?;
            Ok(fuzz::run(&targets, seconds)?)
        },
    },
    Task {
        name: "sanitize",
        arguments: "",
        help: "the libraries' tests under AddressSanitizer",
        run: |words| none(words).and_then(|()| Ok(sanitize::run()?)),
    },
    Task {
        name: "valgrind",
        arguments: "",
        help: "a choice of the libraries' tests under valgrind's memcheck",
        run: |words| none(words).and_then(|()| Ok(valgrind::run()?)),
    },
    Task {
        name: "guests",
        arguments: "[--check]",
        help: "rebuilds the example guests from source, or compares with what is committed",
        run: |words| Ok(guests::run(guests::parse(words).map_err(Failure::Usage)?)?),
    },
    Task {
        name: "capi",
        arguments: "[--check | --runtimes | --wasmtime | --install PREFIX]",
        help: "makes the C header anew; compares it and tries the libraries; drives the hooks; or installs",
        run: capi::run,
    },
    Task {
        name: "licences",
        arguments: "",
        help: "checks the licence of every dependency",
        run: |words| none(words).and_then(|()| Ok(licences::run()?)),
    },
    Task {
        name: "real-programs",
        arguments: "",
        help: "runs programs from PyPI on arena memory and compares with stock memory",
        run: |words| none(words).and_then(|()| Ok(run_real_programs()?)),
    },
    Task {
        name: "bench",
        arguments: "[GROUP...] [--quick | --test | --plot]",
        help: "measures beside the peers and keeps the figures; `--plot` draws those kept",
        run: bench::run,
    },
    Task {
        name: "spec",
        arguments: "[--files TEXT] [--memories TEXT] [--verbose]",
        help: "the specification's test suite on arena memory and on stock memory: Wasmtime, wasmi",
        run: spec::run,
    },
];

/// Does what the arguments say: 0 when all is well, 1 when it is not, 2 when they make no sense.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let words = arguments.split_first();
    let task = words.and_then(|(name, _)| TASKS.iter().find(|task| task.name == name));
    let result = match (task, words) {
        (Some(task), Some((_, rest))) => (task.run)(rest),
        (_, None) => Err(Failure::Usage("say what is to be done".to_owned())),
        (_, Some((help, _))) if ["help", "--help", "-h"].contains(&help.as_str()) => {
            print!("{}", help_text());
            return ExitCode::SUCCESS;
        }
        (_, Some((name, _))) => Err(Failure::Usage(format!("no task is called `{name}`"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(Failure::Task(problem)) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
        Err(Failure::Usage(problem)) => {
            eprint!("xtask: {problem}\n\n{}", help_text());
            ExitCode::from(2)
        }
    }
}

fn help_text() -> String {
    let mut text = String::from("usage: cargo xtask TASK\n\n");
    for task in TASKS {
        let words = format!("{} {}", task.name, task.arguments);
        text += &format!("  {words:<32} {}\n", task.help);
    }
    text
}

/// For tasks that take no arguments.
fn none(words: &[String]) -> Result<(), Failure> {
    match words.first() {
        None => Ok(()),
        Some(word) => Err(Failure::Usage(format!(
            "`{word}`: this task takes no arguments"
        ))),
    }
}

/// Builds the program as its users do, then compares.
///
/// # Errors
/// A build that fails, or a difference.
pub(crate) fn run_real_programs() -> Result<(), String> {
    command::run(command::cargo("build").args([
        "--release",
        "--locked",
        "--package",
        "wasm-arena-cli",
    ]))?;
    real_programs::run(&place::target().join("release/wasm-arena"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_in_the_help_and_has_one_name() {
        let help = help_text();
        for task in TASKS {
            assert!(help.contains(&format!("\n  {} ", task.name)));
            assert_eq!(TASKS.iter().filter(|t| t.name == task.name).count(), 1);
        }
    }

    #[test]
    fn words_that_no_task_takes_are_refused_before_anything_runs() {
        for task in TASKS {
            let words = ["--no-such-word".to_owned()];
            assert!(
                matches!((task.run)(&words), Err(Failure::Usage(_))),
                "{}",
                task.name
            );
        }
    }
}
