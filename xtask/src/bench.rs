//! `cargo xtask bench`: builds what measures, as a release, and runs it.

use crate::tasks::Failure;
use crate::{command, place};

/// What a run is to be.
#[derive(Debug, PartialEq, Eq, Default)]
struct Wanted {
    groups: Vec<String>,
    /// `--quick` or `--test`.
    mode: Option<String>,
}

/// Measures the groups named, or all.
///
/// # Errors
/// Words that make no sense; a build that fails; a wrong result.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let wanted = parse(words).map_err(Failure::Usage)?;
    Ok(measure(&wanted)?)
}

/// For the checks: every operation of every group runs once, and its result is checked.
///
/// # Errors
/// A build that fails; a wrong result.
pub(crate) fn check() -> Result<(), String> {
    measure(&Wanted {
        mode: Some("--test".to_owned()),
        ..Wanted::default()
    })
}

fn parse(words: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    for word in words {
        match word.as_str() {
            "--quick" | "--test" if wanted.mode.is_none() => wanted.mode = Some(word.clone()),
            "--quick" | "--test" => return Err("either `--quick` or `--test`".to_owned()),
            option if option.starts_with('-') => return Err(format!("no option `{option}`")),
            group => wanted.groups.push(group.to_owned()),
        }
    }
    Ok(wanted)
}

fn measure(wanted: &Wanted) -> Result<(), String> {
    command::run(command::cargo("build").args([
        "--release",
        "--locked",
        "--package=wasm-arena-benches",
        "--bin=wasm-arena-benches",
        "--features=peers",
    ]))?;
    let mut program = command::program(&place::target().join("release/wasm-arena-benches"));
    command::run(program.args(&wanted.groups).args(&wanted.mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Wanted, String> {
        parse(
            &words
                .iter()
                .map(|&word| word.to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn groups_and_one_mode_may_be_named() {
        assert_eq!(parsed(&[]), Ok(Wanted::default()));
        let wanted = Wanted {
            groups: vec!["churn".to_owned(), "heap".to_owned()],
            mode: Some("--quick".to_owned()),
        };
        assert_eq!(parsed(&["churn", "--quick", "heap"]), Ok(wanted));
        assert!(parsed(&["--quick", "--test"]).is_err());
        assert!(parsed(&["--fast"]).is_err());
    }
}
