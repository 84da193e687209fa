//! The command line as a whole.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::commands::run::RunOptions;
use crate::exit::{self, Failure};

/// Runs WebAssembly programs on arena memory and reports what it cost.
#[derive(Debug, Parser)]
#[command(name = "wasm-arena", version, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a WASI preview 1 program, or call a function of a module.
    Run(Box<RunOptions>),
    /// Show what this host's memory can do, the defaults and the limits.
    Info,
}

/// Reads the command line.
///
/// Help that was asked for is printed and ends the process, as everywhere.
///
/// # Errors
/// The command line is wrong.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, Failure> {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => Ok(arguments.command),
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            let text = error.to_string();
            if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                return Err(Failure::usage(
                    "no command given: use `run`, `info` or --help",
                ));
            }
            // What went wrong comes first; tips and usage follow after an empty line.
            let what = text.split("\n\n").next().unwrap_or(&text);
            let what = what.strip_prefix("error: ").unwrap_or(what);
            Err(Failure::usage(format_args!("{what} (see --help)")))
        }
    }
}
