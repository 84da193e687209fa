//! The commands: each is a file of the same name.

mod info;
pub(crate) mod run;

use crate::arguments::Command;
use crate::exit::Failure;

/// Does what was asked for; returns the exit code.
///
/// # Errors
/// It could not be done.
pub(crate) fn execute(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Run(options) => run::run(&options),
        Command::Info => info::info(),
    }
}
