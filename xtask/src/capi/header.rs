//! The header: made by cbindgen from the crate, without what only Rust wants to read.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::programs::{C_FLAGS, compiler};
use crate::{command, place};

/// The version that the committed header was made with: another may lay it out otherwise.
const CBINDGEN: &str = "0.29.4";

const HEADER: &str = "wasm-arena-capi/include/wasm_arena.h";

/// What every exported function says to Rust, and the head of the header to C.
const FOR_RUST: &str = "//\n// # Safety\n// Pointers are as said at the head of this header.\n";

/// Where the tool is; it is installed if it is not there yet. It is a program apart, and no
/// dependency of anything.
fn tool() -> Result<PathBuf, String> {
    let root = place::target().join(format!("tools/cbindgen-{CBINDGEN}"));
    let program = root.join("bin/cbindgen");
    if !program.exists() {
        let mut install = command::cargo("install");
        install.args(["cbindgen", "--locked", "--quiet", "--version"]);
        install.arg(format!("={CBINDGEN}")).arg("--root").arg(&root);
        // Its own profile and target folder, whatever is set for ours.
        install.env("CARGO_TARGET_DIR", root.join("target"));
        command::run(&mut install)?;
    }
    Ok(program)
}

fn make() -> Result<String, String> {
    let mut cbindgen = Command::new(tool()?);
    cbindgen
        .current_dir(place::root())
        .args(["--quiet", "--config", "wasm-arena-capi/cbindgen.toml"])
        .args(["--lockfile", "Cargo.lock", "wasm-arena-capi"]);
    let text = command::output(&mut cbindgen)?;
    let functions = text.matches("\nwasm_arena_status_t wasm_arena_").count();
    if functions < 40 {
        return Err(format!("cbindgen found {functions} functions only"));
    }
    Ok(text.replace(FOR_RUST, ""))
}

/// Makes the committed header anew.
///
/// # Errors
/// The tool fails.
pub(super) fn replace() -> Result<(), String> {
    fs::write(place::root().join(HEADER), make()?).map_err(|error| format!("{HEADER}: {error}"))
}

/// Compares the committed header with what would be made now.
///
/// # Errors
/// They differ.
pub(super) fn compare() -> Result<(), String> {
    let path = place::root().join(HEADER);
    let committed = fs::read_to_string(&path).map_err(|error| format!("{HEADER}: {error}"))?;
    let made = make()?;
    let difference = committed
        .lines()
        .zip(made.lines())
        .position(|(committed, made)| committed != made);
    match difference {
        None if committed == made => {
            println!("{HEADER}: as made, {} lines", made.lines().count());
            Ok(())
        }
        place => Err(format!(
            "{HEADER} is not what its sources say, from line {} on; `cargo xtask capi` makes it anew",
            place.map_or(1, |line| line + 1)
        )),
    }
}

/// Compiles the headers alone, as C99 and as C++.
///
/// # Errors
/// A compiler complains.
pub(super) fn compile() -> Result<(), String> {
    for (program, language, standard) in [
        (compiler(), "c", "-std=c99"),
        (compiler(), "c", "-std=c11"),
        ("c++".into(), "c++", "-std=c++11"),
        ("c++".into(), "c++", "-std=c++20"),
    ] {
        let mut compile = Command::new(program);
        compile.args([standard, "-fsyntax-only", "-x", language]);
        compile.args(C_FLAGS).arg(place::root().join(HEADER));
        command::run(&mut compile)?;
    }
    Ok(())
}
