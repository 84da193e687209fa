//! `cargo xtask capi`: the C header, made and compared; the C libraries, built, looked at, installed
//! and tried.
//!
//! ```text
//!   wasm-arena-capi ─▶ cbindgen ─▶ include/wasm_arena.h        committed; `--check` compares
//!        │
//!        └─▶ profile `capi` ─▶ libwasm_arena.a    one object, shows nothing but wasm_arena_*
//!                          ─▶ libwasm_arena.so, wasm_arena.pc
//! ```

mod header;
mod install;
mod programs;
mod qnx;
mod runtimes;

use std::path::PathBuf;

use crate::place;
use crate::tasks::Failure;

pub(crate) use programs::{run_sanitized, run_under_memcheck};
pub(crate) use runtimes::{run_all as run_runtimes, run_wasmtime};

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Purpose {
    /// Make the header anew.
    Replace,
    /// Compare the header, and try everything that is installed.
    Check,
    /// Drive the hooks of all runtimes.
    Runtimes,
    /// Drive the hook for Wasmtime, by that alone.
    Wasmtime,
    /// Lay libraries and headers out under a folder.
    Install(PathBuf),
}

/// Reads the words behind `capi`, and does what they say.
///
/// # Errors
/// They make no sense; or what was done failed.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    match parse(words).map_err(Failure::Usage)? {
        Purpose::Replace => Ok(header::replace()?),
        Purpose::Check => Ok(check()?),
        Purpose::Runtimes => Ok(run_runtimes()?),
        Purpose::Wasmtime => Ok(run_wasmtime()?),
        Purpose::Install(prefix) => Ok(install::install(&prefix)?),
    }
}

fn parse(words: &[String]) -> Result<Purpose, String> {
    match words {
        [] => Ok(Purpose::Replace),
        [check] if check == "--check" => Ok(Purpose::Check),
        [runtimes] if runtimes == "--runtimes" => Ok(Purpose::Runtimes),
        [wasmtime] if wasmtime == "--wasmtime" => Ok(Purpose::Wasmtime),
        [install, prefix] if install == "--install" => Ok(Purpose::Install(prefix.into())),
        _ => Err(format!(
            "`{}`: capi takes --check, --runtimes, --wasmtime, --install PREFIX, or nothing",
            words.join(" ")
        )),
    }
}

/// The header is what its sources say, C and C++ take it, and what is installed works.
///
/// # Errors
/// Something of this is not so.
pub(crate) fn check() -> Result<(), String> {
    header::compare()?;
    header::compile()?;
    let prefix = place::target().join("capi-installed");
    install::install(&prefix)?;
    programs::run_installed(&prefix)?;
    qnx::check()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        let words = |text: &str| {
            let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
            parse(&words)
        };
        assert_eq!(words(""), Ok(Purpose::Replace));
        assert_eq!(words("--check"), Ok(Purpose::Check));
        assert_eq!(words("--runtimes"), Ok(Purpose::Runtimes));
        assert_eq!(words("--wasmtime"), Ok(Purpose::Wasmtime));
        assert_eq!(
            words("--install /opt/x"),
            Ok(Purpose::Install("/opt/x".into()))
        );
        for wrong in ["--install", "--check --check", "check"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }
}
