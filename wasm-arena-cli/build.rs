//! Finds out which versions of the engines are built in, for the report.
#![forbid(unsafe_code)]

use std::path::Path;

/// The version after the name of a package in a lock file.
fn locked_version<'l>(lock: &'l str, package: &str) -> Option<&'l str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines();
    lines.find(|line| *line == name)?;
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}

fn main() {
    let package = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    // In a workspace the lock file is further up; in a published package it is beside Cargo.toml.
    let lock = Path::new(&package)
        .ancestors()
        .map(|folder| folder.join("Cargo.lock"))
        .find(|path| path.is_file());
    let mut text = None;
    if let Some(path) = lock {
        println!("cargo::rerun-if-changed={}", path.display());
        text = std::fs::read_to_string(path).ok();
    }
    for (engine, variable) in [("wasmtime", "WASMTIME_VERSION"), ("wasmi", "WASMI_VERSION")] {
        let version = text
            .as_deref()
            .and_then(|text| locked_version(text, engine));
        println!(
            "cargo::rustc-env={variable}={}",
            version.unwrap_or("unknown")
        );
    }
}
