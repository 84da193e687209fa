//! `cargo xtask valgrind`: memcheck on a choice of the libraries' tests, and on the C programs.
//!
//! Memcheck is some fifty times slower than the machine, so what takes long is left out; it runs
//! under AddressSanitizer. What memcheck adds: a decision on a value that nobody wrote is an error,
//! and so is a lost block of the C library's heap. Pages straight from the system count as written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{capi, command, place};

/// A test program, and the tests in it that are left out, each with the reason.
struct Choice {
    package: &'static str,
    program: &'static str,
    without: &'static [(&'static str, &'static str)],
}

const LONG: &str = "it takes minutes";

const CHOICES: &[Choice] = &[
    Choice {
        package: "arena-heap",
        program: "arena_heap",
        without: &[],
    },
    Choice {
        package: "arena-heap",
        program: "behaviour",
        without: &[],
    },
    Choice {
        package: "arena-heap",
        program: "corruption",
        without: &[("verify_survives_any_word_of_any_arena", LONG)],
    },
    Choice {
        package: "arena-heap",
        program: "failures",
        without: &[
            ("each_call_fails_once", LONG),
            ("all_calls_fail_from_some_point_on", LONG),
        ],
    },
    Choice {
        package: "arena-heap",
        program: "sharded",
        without: &[
            (
                "each_refused_commit_is_made_good_by_another_shard_or_told",
                LONG,
            ),
            (
                "threads_hand_blocks_to_each_other_while_shards_run_out",
                LONG,
            ),
        ],
    },
    Choice {
        package: "wasm-arena",
        program: "wasm_arena",
        without: &[],
    },
    Choice {
        package: "wasm-arena",
        program: "configuration",
        without: &[],
    },
    Choice {
        package: "wasm-arena",
        program: "cache",
        without: &[],
    },
    Choice {
        package: "wasm-arena",
        program: "failures",
        without: &[
            ("portable_arenas_survive_every_refusal", LONG),
            ("mapped_pages_survive_every_refusal", LONG),
        ],
    },
];

/// Builds the tests as `cargo test` does, and runs the chosen ones.
///
/// # Errors
/// A test fails, or memcheck found an error or a leak.
pub(crate) fn run() -> Result<(), String> {
    let programs = build()?;
    for choice in CHOICES {
        let program = programs
            .get(&(choice.package.to_owned(), choice.program.to_owned()))
            .ok_or_else(|| format!("{} has no test program {}", choice.package, choice.program))?;
        for (test, reason) in choice.without {
            println!("left out: {test}, because {reason}");
            known(program, test)?;
        }
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
            .args(["--show-leak-kinds=definite,indirect"])
            .args(["--errors-for-leak-kinds=definite,indirect"])
            .arg(suppressions())
            .arg(program);
        for (test, _) in choice.without {
            valgrind.args(["--skip", test]);
        }
        command::run(&mut valgrind)?;
    }
    capi::run_under_memcheck()
}

/// Tells memcheck which reports are no errors.
fn suppressions() -> String {
    let file = place::root().join("xtask/src/valgrind.supp");
    format!("--suppressions={}", file.display())
}

/// The test programs, by package and name.
fn build() -> Result<BTreeMap<(String, String), PathBuf>, String> {
    let mut cargo = command::cargo("test");
    cargo.args(["--locked", "--tests", "--no-run", "--message-format=json"]);
    cargo.args(["--package", "arena-heap", "--package", "wasm-arena"]);
    let messages = command::output(&mut cargo)?;
    Ok(messages.lines().filter_map(program).collect())
}

/// The program that a message of cargo's names, if it names one.
fn program(message: &str) -> Option<((String, String), PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let file = message["executable"].as_str()?;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let package = manifest.parent()?.file_name()?.to_str()?;
    let name = message["target"]["name"].as_str()?;
    Some(((package.to_owned(), name.to_owned()), file.into()))
}

/// A test that was renamed must not be left out in vain.
fn known(program: &Path, test: &str) -> Result<(), String> {
    let list = command::output(Command::new(program).args(["--list", "--format=terse"]))?;
    match list.contains(&format!("{test}: test")) {
        true => Ok(()),
        false => Err(format!("{}: there is no test {test}", program.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_what_cargo_says() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/a/arena-heap/Cargo.toml",
            "target":{"name":"behaviour"},"executable":"/t/behaviour-0123"}"#;
        let key = ("arena-heap".to_owned(), "behaviour".to_owned());
        assert_eq!(program(message), Some((key, "/t/behaviour-0123".into())));
        let library = message.replace(r#""/t/behaviour-0123""#, "null");
        assert_eq!(program(&library), None);
        assert_eq!(program("no message"), None);
    }
}
