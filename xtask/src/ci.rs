//! `cargo xtask ci`: every check there is, one after the other, and a table at the end.
//!
//! A step that fails does not stop the others: one run tells everything that is wrong. A step that
//! cannot run fails.
//!
//! With `--discard`, what no later step builds on is removed on the way: Wasmtime is built in five
//! ways, and a machine that keeps nothing afterwards need not have room for all of them at once.

use core::time::Duration;
use std::fs;
use std::io::ErrorKind;
use std::time::Instant;

use crate::guests::Purpose;
use crate::tasks::{self, Failure};
use crate::{
    bench, capi, command, fuzz, guests, licences, no_std, place, qnx, sanitize, spec, valgrind,
};

struct Step {
    name: &'static str,
    /// What would go unnoticed without it.
    protects: &'static str,
    run: fn() -> Result<(), String>,
    /// Folders of the target folder that no later step builds on.
    last_to_use: &'static [&'static str],
}

/// In this order, so that what is quick and fails often comes first, and that what is built for one
/// step serves the next.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        protects: "one layout for all code",
        run: format,
        last_to_use: &[],
    },
    Step {
        name: "licences",
        protects: "every dependency may be used on our terms",
        run: licences::run,
        last_to_use: &[],
    },
    Step {
        name: "clippy",
        protects: "the lints, with all features",
        run: || clippy(&["--workspace", "--all-features"]),
        last_to_use: &[],
    },
    Step {
        name: "clippy-no-features",
        protects: "the lints, with no features",
        run: || clippy(&["--workspace", "--no-default-features"]),
        last_to_use: &[],
    },
    Step {
        name: "clippy-libraries",
        protects: "the lints, with no feature that another crate would turn on",
        run: || clippy(&[LIBRARIES, &["--no-default-features"]].concat()),
        last_to_use: &[],
    },
    Step {
        name: "docs",
        protects: "documentation without a warning, for users and for ourselves",
        run: docs,
        last_to_use: &["doc"],
    },
    Step {
        name: "readme",
        protects: "the README names the commands that are run here",
        run: readme,
        last_to_use: &[],
    },
    Step {
        name: "tests",
        protects: "the README's test command, documentation tests included",
        run: || spoken(TESTS),
        last_to_use: &[],
    },
    Step {
        name: "spec",
        protects: "not one assertion of the specification's test suite more fails on our memory",
        run: spec::run_all,
        last_to_use: &[],
    },
    Step {
        name: "tests-libraries",
        protects: "wasm-arena without the feature that others turn on for it",
        run: || {
            cargo(
                "test",
                &["--locked", "-p", "wasm-arena", "--no-default-features"],
            )
        },
        last_to_use: &[],
    },
    Step {
        name: "main-command",
        protects: "the README's main command",
        run: || spoken(MAIN_COMMAND),
        last_to_use: &[],
    },
    Step {
        name: "real-programs",
        protects: "programs nobody here wrote compute the same on our memory",
        run: tasks::run_real_programs,
        last_to_use: &[],
    },
    Step {
        name: "bench",
        protects: "what is measured computes what it should, on both sides",
        run: bench::check,
        last_to_use: &["release"],
    },
    Step {
        name: "guests",
        protects: "the committed guests are what their sources build to",
        run: || guests::run(Purpose::Compare),
        last_to_use: &[],
    },
    Step {
        name: "capi",
        protects: "the C header, and the C libraries as they are installed",
        run: capi::check,
        last_to_use: &[],
    },
    Step {
        name: "capi-runtimes",
        protects: "the hooks for C runtimes, driven by WAMR, wasm3 and Wasmtime themselves",
        run: capi::run_runtimes,
        last_to_use: &[],
    },
    Step {
        name: "valgrind",
        protects: "nothing is read before it is written, nothing is lost",
        run: valgrind::run,
        last_to_use: &["debug", "capi"],
    },
    Step {
        name: "no-std",
        protects: "no system and no allocator is needed",
        run: no_std::run,
        last_to_use: &[],
    },
    Step {
        name: "qnx",
        protects: "the code for QNX, executed over a stand-in for its C library",
        run: qnx::run_all,
        last_to_use: &[],
    },
    Step {
        name: "qnx-defects",
        protects: "the suite finds what it is there to find",
        run: qnx::defects::run_all,
        last_to_use: &["defects"],
    },
    Step {
        name: "qnx-engine",
        protects: "Wasmtime on QNX: the code, executed with real guests on our memory",
        run: qnx::engine::run_all,
        last_to_use: &["qnx-engine"],
    },
    Step {
        name: "qnx-wasmi",
        protects: "wasmi on QNX: the code, executed with real guests on our memory",
        run: qnx::interpreter::run_all,
        last_to_use: &["build-std"],
    },
    Step {
        name: "sanitize",
        protects: "no access outside of what is live",
        run: sanitize::run,
        last_to_use: &[],
    },
    Step {
        name: "fuzz",
        protects: "inputs nobody thought of",
        run: fuzz::check,
        last_to_use: &[],
    },
];

const LIBRARIES: &[&str] = &[
    "-p",
    "wasm-arena-os",
    "-p",
    "arena-heap",
    "-p",
    "wasm-arena",
];

/// The README's two commands, word for word.
const TESTS: &str = "cargo test --workspace";
const MAIN_COMMAND: &str =
    "cargo run --release -p wasm-arena-cli -- run examples/guests/word-index.wasm";

/// Packages that are no part of the workspace.
const APART: &[&str] = &[
    "conformance/qnx/Cargo.toml",
    "conformance/qnx-engine/Cargo.toml",
    "conformance/qnx-wasmi/Cargo.toml",
    "fuzz/Cargo.toml",
    "wasm-arena-capi/hooks/wasmtime-test/Cargo.toml",
    "xtask/no-std-probe/Cargo.toml",
];

/// Runs the steps named, or all; the last line is `N passed, M failed`.
///
/// # Errors
/// A step failed, or a word is no step.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let (options, words): (Vec<_>, Vec<_>) = words.iter().partition(|word| *word == "--discard");
    let discard = !options.is_empty();
    if words == ["--list"] {
        for step in STEPS {
            println!("{:<20} {}", step.name, step.protects);
        }
        return Ok(());
    }
    let unknown = words
        .iter()
        .find(|word| STEPS.iter().all(|step| step.name != **word));
    if let Some(word) = unknown {
        return Err(Failure::Usage(format!("no step is called `{word}`")));
    }
    let chosen: Vec<_> = STEPS
        .iter()
        .filter(|step| words.is_empty() || words.iter().any(|word| *word == step.name))
        .collect();
    let mut results = Vec::new();
    for (number, step) in chosen.iter().enumerate() {
        let count = chosen.len();
        println!(
            "\n=== {}/{count} {}: {} ===",
            number + 1,
            step.name,
            step.protects
        );
        let start = Instant::now();
        let result = (step.run)();
        if let Err(problem) = &result {
            println!("=== {} FAILED: {problem}", step.name);
        }
        let size = place::size(&place::target());
        results.push((step.name, result, start.elapsed(), size));
        if discard {
            step.last_to_use
                .iter()
                .try_for_each(|folder| remove(folder))?;
        }
    }
    match tell(&results) {
        0 => Ok(()),
        _ => Err(Failure::Told),
    }
}

/// Removes a folder of the target folder, which need not be there.
fn remove(folder: &str) -> Result<(), String> {
    let folder = place::target().join(folder);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// A step, what came of it, its time, and the bytes of the target folder at its end.
type Outcome<'a> = (&'a str, Result<(), String>, Duration, u64);

/// Prints the table; returns how many steps failed.
fn tell(results: &[Outcome<'_>]) -> usize {
    println!("\n=== what came of it, in which time, with how much in the target folder ===");
    for (name, result, time, size) in results {
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        let mebibytes = size / (1024 * 1024);
        println!(
            "{name:<20} {verdict:<6} {:>7.1} s {mebibytes:>6} MiB",
            time.as_secs_f32()
        );
    }
    let failed: Vec<_> = results
        .iter()
        .filter(|(_, result, ..)| result.is_err())
        .map(|(name, ..)| *name)
        .collect();
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    println!(
        "{} passed, {} failed",
        results.len() - failed.len(),
        failed.len()
    );
    failed.len()
}

fn cargo(subcommand: &str, words: &[&str]) -> Result<(), String> {
    command::run(command::cargo(subcommand).args(words))
}

/// A command of the README, just as it stands there.
fn spoken(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let (subcommand, rest) = words.split_first().ok_or("no command")?;
    cargo(subcommand, rest)
}

fn format() -> Result<(), String> {
    cargo("fmt", &["--all", "--check"])?;
    for manifest in APART {
        cargo("fmt", &["--all", "--check", "--manifest-path", manifest])?;
    }
    Ok(())
}

fn clippy(selection: &[&str]) -> Result<(), String> {
    let fixed: [&[&str]; 3] = [
        &["--locked", "--all-targets"],
        selection,
        &["--", "--deny", "warnings"],
    ];
    cargo("clippy", &fixed.concat())
}

fn docs() -> Result<(), String> {
    for private in [&[][..], &["--document-private-items"]] {
        let mut command = command::cargo("doc");
        command.args(["--workspace", "--no-deps", "--all-features", "--locked"]);
        command::run(command.args(private).env("RUSTDOCFLAGS", "--deny warnings"))?;
    }
    Ok(())
}

fn readme() -> Result<(), String> {
    let file = place::root().join("README.md");
    let text = fs::read_to_string(&file).map_err(|error| format!("README.md: {error}"))?;
    for line in [TESTS, MAIN_COMMAND] {
        println!("README.md: `{line}`");
        if !names(&text, line) {
            return Err(format!(
                "README.md does not name `{line}` on a line of its own"
            ));
        }
    }
    Ok(())
}

/// Whether a text has the command on a line by itself, as a code block has; a comment may follow.
fn names(text: &str, command: &str) -> bool {
    text.lines()
        .map(|line| line.trim().trim_start_matches("$ "))
        .filter_map(|line| line.split('#').next())
        .any(|line| line.trim() == command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted() {
        let time = Duration::from_secs(1);
        assert_eq!(tell(&[("a", Ok(()), time, 0)]), 0);
        let mixed = [
            ("a", Ok(()), time, 1),
            ("b", Err("no".to_owned()), time, 2),
            ("c", Ok(()), time, 3),
        ];
        assert_eq!(tell(&mixed), 1);
    }

    #[test]
    fn steps_have_names_of_their_own_and_unknown_ones_are_refused() {
        for (index, step) in STEPS.iter().enumerate() {
            for other in &STEPS[..index] {
                assert_ne!(other.name, step.name);
                // Only one of them can be the last.
                assert!(
                    !step
                        .last_to_use
                        .iter()
                        .any(|folder| other.last_to_use.contains(folder))
                );
            }
        }
        let words = ["tests".to_owned(), "no-such-step".to_owned()];
        assert!(matches!(run(&words), Err(Failure::Usage(_))));
    }

    #[test]
    fn a_command_counts_only_as_a_line_of_its_own() {
        let text = "```sh\ncargo test --workspace   # all of them\n$ cargo run -q\n```\n";
        assert!(names(text, TESTS) && names(text, "cargo run -q"));
        assert!(!names("run cargo test --workspace now", TESTS));
        assert!(!names("cargo test --workspace --release", TESTS));
    }
}
