//! `cargo xtask guests`: the example guests, built from their sources.

use std::process::Command;

use crate::{command, place};

/// What the guests are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To take the place of the committed ones.
    Replace,
    /// To be compared with them, byte for byte.
    Compare,
}

/// Reads the words behind `guests`.
///
/// # Errors
/// They are not understood.
pub(crate) fn parse(words: &[String]) -> Result<Purpose, String> {
    match words {
        [] => Ok(Purpose::Replace),
        [check] if check == "--check" => Ok(Purpose::Compare),
        _ => Err(format!(
            "`{}`: guests takes --check or nothing",
            words.join(" ")
        )),
    }
}

/// Builds the guests.
///
/// # Errors
/// They do not build, or differ.
pub(crate) fn run(purpose: Purpose) -> Result<(), String> {
    let script = place::root().join("examples/guests/build.sh");
    let mut build = Command::new("sh");
    build.arg(script);
    if purpose == Purpose::Compare {
        build.arg("--check");
    }
    command::run(&mut build)
}
