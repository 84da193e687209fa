//! `wasm-arena`: runs WebAssembly programs on arena memory and reports what it cost.
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod exit;
mod size;

use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = arguments::parse(std::env::args_os()).and_then(commands::execute);
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            exit::complain(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}
