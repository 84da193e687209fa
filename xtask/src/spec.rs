//! `cargo xtask spec`: the WebAssembly specification's test suite on arena memory.

use std::process::Command;

use crate::tasks::Failure;
use crate::{command, place};

const OPTIONS: &[&str] = &["--files", "--memories", "--threads"];

/// Passes the words on to the program, after a look at them: building it takes minutes.
///
/// # Errors
/// As [`run_all`], or a word is none of the program's.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let mut left = words.iter();
    while let Some(word) = left.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        let is_known = match name {
            "--verbose" => value.is_none(),
            _ if OPTIONS.contains(&name) => value.is_some() || left.next().is_some(),
            _ => false,
        };
        if !is_known {
            return Err(Failure::Usage(format!("`{word}`: not known, or no value")));
        }
    }
    Ok(execute(words)?)
}

/// Proves that the suite finds wrong memories, then runs all of it.
///
/// # Errors
/// A build that fails, a defect that is not found, or a directive that comes out differently on
/// stock memory.
pub(crate) fn run_all() -> Result<(), String> {
    execute(&[])
}

fn execute(words: &[String]) -> Result<(), String> {
    // Cargo builds the program along with the test. With the features of the whole workspace,
    // because the engine would otherwise be built once more after `cargo test --workspace`.
    command::run(command::cargo("test").args([
        "--workspace",
        "--locked",
        "--test",
        "wrong_memories",
    ]))?;
    let program = place::target().join("debug/wasm-arena-spec");
    command::run(Command::new(program).args(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_would_refuse_is_refused_before_it_is_built() {
        for wrong in [
            &["--files"][..],
            &["--verbose=yes"],
            &["memory64"],
            &["--verbose", "--file", "x"],
        ] {
            let words: Vec<String> = wrong.iter().map(|&word| word.to_owned()).collect();
            assert!(matches!(run(&words), Err(Failure::Usage(_))), "{wrong:?}");
        }
    }
}
