//! The project's own tasks: one word for everything that is not `cargo test`.
#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

mod bench;
mod capi;
mod ci;
mod command;
mod fuzz;
mod guests;
mod licences;
mod no_std;
mod place;
mod probe;
mod qnx;
mod real_programs;
mod sanitize;
mod spec;
mod symbols;
mod tasks;
mod valgrind;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    tasks::main(&arguments)
}
