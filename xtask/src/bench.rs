//! `cargo xtask bench`: builds what measures, as a release, and runs it.

use crate::tasks::Failure;
use crate::{command, place};

/// A program that measures, and its groups.
struct Program {
    name: &'static str,
    /// The feature of its peers.
    feature: &'static str,
    groups: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "bench-instructions",
        feature: "instructions",
        groups: &["instructions"],
    },
    Program {
        name: "bench-engines",
        feature: "engines",
        groups: &[
            "churn",
            "churn-sweep",
            "churn-heavy",
            "churn-threads",
            "churn-data",
            "churn-space",
            "grow",
            "kernels",
        ],
    },
    Program {
        name: "bench-libraries",
        feature: "libraries",
        groups: &["integrity", "heap", "layer"],
    },
];

/// What a run is to be.
#[derive(Debug, PartialEq, Eq, Default)]
struct Wanted {
    groups: Vec<String>,
    /// `--quick` or `--test`.
    mode: Option<String>,
    /// Draw the pictures from what is kept; measure nothing.
    plot: bool,
}

/// Measures the groups named, or all.
///
/// # Errors
/// Words that make no sense; a build that fails; a wrong result.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let wanted = parse(words).map_err(Failure::Usage)?;
    if wanted.plot {
        return Ok(draw()?);
    }
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
            "--plot" if words.len() == 1 => wanted.plot = true,
            "--plot" => return Err("`--plot` draws what is kept, and stands alone".to_owned()),
            group => {
                let mut known = PROGRAMS.iter().flat_map(|program| program.groups);
                if !known.any(|name| *name == group) {
                    let names: Vec<_> = PROGRAMS.iter().map(|one| one.groups.join(", ")).collect();
                    return Err(format!("`{group}`? The groups are {}", names.join(", ")));
                }
                wanted.groups.push(group.to_owned());
            }
        }
    }
    Ok(wanted)
}

fn draw() -> Result<(), String> {
    command::run(command::cargo("run").args([
        "--locked",
        "--package=wasm-arena-benches",
        "--bin=bench-pictures",
    ]))
}

fn measure(wanted: &Wanted) -> Result<(), String> {
    for program in PROGRAMS {
        let groups: Vec<_> = program
            .groups
            .iter()
            .filter(|name| wanted.groups.is_empty() || wanted.groups.iter().any(|g| g == *name))
            .collect();
        if groups.is_empty() {
            continue;
        }
        command::run(command::cargo("build").args([
            "--release",
            "--locked",
            "--package=wasm-arena-benches",
            &format!("--bin={}", program.name),
            &format!("--features={}", program.feature),
        ]))?;
        let built = place::target().join("release").join(program.name);
        command::run(command::program(&built).args(groups).args(&wanted.mode))?;
    }
    Ok(())
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
            plot: false,
        };
        assert_eq!(parsed(&["churn", "--quick", "heap"]), Ok(wanted));
        assert!(parsed(&["--quick", "--test"]).is_err());
        assert!(parsed(&["--plot"]).unwrap().plot);
        assert!(parsed(&["--plot", "churn"]).is_err());
        assert!(parsed(&["--fast"]).unwrap_err().contains("churn-heavy"));
    }
}
