//! `cargo xtask licences`: may every dependency be used on our terms?

mod expression;

use core::iter;
use std::path::PathBuf;

use serde_json::Value;

use crate::{command, place};
use expression::Expression;

/// Licences that ask for no more than to be named, with the exceptions that only give more.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Every package there is in the project, ours and others'.
const MANIFESTS: &[&str] = &[
    "Cargo.toml",
    "conformance/qnx/Cargo.toml",
    "conformance/qnx-engine/Cargo.toml",
    "conformance/qnx-wasmi/Cargo.toml",
    "fuzz/Cargo.toml",
    "wasm-arena-capi/hooks/wasmtime-test/Cargo.toml",
    "xtask/no-std-probe/Cargo.toml",
];

/// Checks every package that cargo may build for any of our programs, on any system.
///
/// # Errors
/// The packages whose licence is missing, not understood or not allowed.
pub(crate) fn run() -> Result<(), String> {
    let mut problems = Vec::new();
    for manifest in MANIFESTS {
        let packages = packages(place::root().join(manifest))?;
        println!("{manifest}: {} packages", packages.len());
        for package in &packages {
            if let Err(problem) = check(package) {
                problems.push(problem);
            }
        }
    }
    problems.sort_unstable();
    problems.dedup();
    if problems.is_empty() {
        println!("every licence is one of {}", ALLOWED.join(", "));
        Ok(())
    } else {
        Err(iter::once("not allowed:".to_owned())
            .chain(problems)
            .collect::<Vec<_>>()
            .join("\n  "))
    }
}

fn packages(manifest: PathBuf) -> Result<Vec<Value>, String> {
    let mut cargo = command::cargo("metadata");
    cargo.args(["--locked", "--format-version=1", "--manifest-path"]);
    let metadata = command::output(cargo.arg(manifest))?;
    let mut metadata: Value = serde_json::from_str(&metadata).map_err(|e| e.to_string())?;
    match metadata["packages"].take() {
        Value::Array(packages) if !packages.is_empty() => Ok(packages),
        _ => Err("cargo metadata names no packages".to_owned()),
    }
}

fn check(package: &Value) -> Result<(), String> {
    let text = |key: &str| package[key].as_str();
    let name = format!(
        "{} {}",
        text("name").unwrap_or("?"),
        text("version").unwrap_or("?")
    );
    let licence = text("license").ok_or_else(|| format!("{name}: names no licence"))?;
    let expression = Expression::parse(licence)
        .map_err(|problem| format!("{name}: `{licence}` is no licence expression: {problem}"))?;
    if expression.holds(&|term| ALLOWED.contains(&term)) {
        Ok(())
    } else {
        Err(format!("{name}: {licence}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_package_needs_a_licence_that_is_understood_and_allowed() {
        let package = |licence: Value| json!({"name": "p", "version": "1.0.0", "license": licence});
        let allowed = package("(MIT OR GPL-3.0-only) AND Unicode-3.0".into());
        assert_eq!(check(&allowed), Ok(()));
        let refused = [
            (Value::Null, "p 1.0.0: names no licence"),
            ("GPL-3.0-only".into(), "p 1.0.0: GPL-3.0-only"),
            (
                "MIT AND GPL-3.0-only".into(),
                "p 1.0.0: MIT AND GPL-3.0-only",
            ),
            (
                "MIT OR".into(),
                "p 1.0.0: `MIT OR` is no licence expression: it ends too soon",
            ),
        ];
        for (licence, problem) in refused {
            assert_eq!(check(&package(licence)), Err(problem.to_owned()));
        }
    }
}
