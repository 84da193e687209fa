//! `cargo xtask guests`: the example guests, built from their sources.

use std::process::Command;

use crate::tasks::Failure;
use crate::{command, place};

/// Rebuilds the guests; with `--check`, compares with the committed files instead.
///
/// # Errors
/// They do not build, or differ.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if !matches!(words[..], [] | ["--check"]) {
        let word = words.join(" ");
        return Err(Failure::Usage(format!(
            "`{word}`: guests takes --check or nothing"
        )));
    }
    let script = place::root().join("examples/guests/build.sh");
    Ok(command::run(Command::new("sh").arg(script).args(words))?)
}

/// Compares the committed guests with what their sources build to.
///
/// # Errors
/// As [`run`].
pub(crate) fn check() -> Result<(), String> {
    match run(&["--check".to_owned()]) {
        Ok(()) => Ok(()),
        Err(Failure::Task(problem) | Failure::Usage(problem)) => Err(problem),
    }
}
