//! Measures the libraries by themselves, beside other libraries: no Wasmtime in sight.
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

mod heap;
mod integrity;
mod layer;

use std::process::ExitCode;

fn main() -> ExitCode {
    match heap::child() {
        None => benches::main(&[integrity::GROUP, heap::GROUP, layer::GROUP]),
        Some(Ok(found)) => {
            println!("{found}");
            ExitCode::SUCCESS
        }
        Some(Err(problem)) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
