//! Starting other programs: each is shown before it runs, and a failure names it.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::place;

/// What the tasks compile for when they need a target's name for the host.
pub(crate) const HOST: &str = "x86_64-unknown-linux-gnu";

/// Cargo, the same that runs this program, at the root of the workspace.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.arg(subcommand).current_dir(place::root());
    command
}

/// A second cargo, whose compiler comes with the sources of `core`, which it builds; see
/// [`build_std_cargo_with`].
pub(crate) fn build_std_cargo(subcommand: &str) -> Command {
    build_std_cargo_with(subcommand, "core")
}

/// A second cargo, whose compiler comes with the sources of these libraries (`core`, or `core,alloc`),
/// and with the unstable options that building them takes. Debian's `rustc-web`, `cargo-web` and
/// `rust-web-src`, unless `BUILD_STD_CARGO` and `BUILD_STD_RUSTC` name others.
pub(crate) fn build_std_cargo_with(subcommand: &str, libraries: &str) -> Command {
    let mut command = second("BUILD_STD_CARGO", "/usr/bin/cargo");
    command
        .arg(subcommand)
        .arg(format!("-Zbuild-std={libraries}"))
        .current_dir(place::root())
        .env("CARGO_TARGET_DIR", place::build_std_target())
        .env("RUSTC", build_std_rustc().get_program());
    command
}

/// The compiler of [`build_std_cargo_with`], by itself.
pub(crate) fn build_std_rustc() -> Command {
    second("BUILD_STD_RUSTC", "/usr/bin/rustc")
}

/// A program of the second toolchain.
fn second(variable: &str, otherwise: &str) -> Command {
    let mut command = Command::new(env::var_os(variable).unwrap_or_else(|| otherwise.into()));
    command
        .env("RUSTC_BOOTSTRAP", "1")
        // Set by the first toolchain for its own libraries.
        .env_remove("LD_LIBRARY_PATH");
    command
}

/// A program of ours, at the root of the workspace.
pub(crate) fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.current_dir(place::root());
    command
}

/// Runs a command to its end. Its output is not touched.
///
/// # Errors
/// It could not be started, or did not succeed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    println!("$ {}", shown(command));
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|error| not_started(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{}: {status}", shown(command)))
    }
}

/// Runs a command for its standard output.
///
/// # Errors
/// As [`run`], or the output is no text.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    println!("$ {}", shown(command));
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let output = output.map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(format!("{}: {}", shown(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{}: {error}", shown(command)))
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    let program = command.get_program().to_string_lossy();
    format!("{program} could not be started: {error}")
}

/// The command as one would type it, with the variables it sets.
fn shown(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)))
        .map(|(name, value)| format!("{}={}", name.display(), quoted(value)));
    let program = Path::new(command.get_program());
    // Rustup's toolchains have long paths that say nothing.
    let program = match program.file_name() {
        Some(name) if name == "cargo" && !program.starts_with("/usr") => name,
        _ => program.as_os_str(),
    };
    let words = core::iter::once(program).chain(command.get_args());
    variables
        .chain(words.map(quoted))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.contains(char::is_whitespace) {
        format!("'{word}'")
    } else {
        word.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_is_told_from_success() {
        assert_eq!(run(&mut Command::new("true")), Ok(()));
        let error = run(Command::new("false").env("A", "b c")).unwrap_err();
        assert_eq!(error, "A='b c' false: exit status: 1");
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(
            error.starts_with("no-such-program could not be started"),
            "{error}"
        );
    }
}
