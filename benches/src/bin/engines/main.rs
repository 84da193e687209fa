//! Measures what Wasmtime's guests see: our memories beside its own.
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

mod churn;
mod grow;
mod kernels;
mod peers;

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::main(&[
        churn::shapes::GROUP,
        churn::shapes::SWEEP,
        churn::heavy::GROUP,
        churn::threads::GROUP,
        churn::data::GROUP,
        churn::space::GROUP,
        grow::GROUP,
        kernels::GROUP,
    ])
}
