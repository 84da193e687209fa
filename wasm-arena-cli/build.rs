//! Finds out which version of the engine is built in, for the report.
#![forbid(unsafe_code)]

use std::path::Path;

/// The version after `name = "wasmtime"` in a lock file.
fn locked_version(lock: &str) -> Option<&str> {
    let mut lines = lock.lines();
    lines.find(|line| *line == "name = \"wasmtime\"")?;
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
    let mut version = None;
    if let Some(path) = lock {
        println!("cargo::rerun-if-changed={}", path.display());
        version = std::fs::read_to_string(path)
            .ok()
            .and_then(|text| locked_version(&text).map(str::to_owned));
    }
    let version = version.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=WASMTIME_VERSION={version}");
}
