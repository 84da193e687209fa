//! Cases: each runs with Pulley's bytecode and with native code, on memory nobody used before.

mod commands;
mod memory;
#[cfg(feature = "stand-in")]
mod refusals;
mod steps;

use alloc::string::String;
use core::ffi::c_int;

use qnx_guests::cases::{Count, Verdict, fresh};

use crate::HEAP;
use crate::code::Code;

type Case = qnx_guests::cases::Case<fn(Code) -> Verdict>;

/// Cases that need somebody who watches.
#[cfg(feature = "stand-in")]
const WATCHED: &[Case] = refusals::CASES;
#[cfg(not(feature = "stand-in"))]
const WATCHED: &[Case] = &[];

/// An error of Wasmtime with everything it says, as the reason why a case failed.
pub(crate) fn told(error: wasmtime::Error) -> String {
    alloc::format!("{error:?}")
}

/// Runs all cases.
pub(crate) fn all() -> c_int {
    let mut count = Count::default();
    let cases = commands::CASES.iter().chain(memory::CASES);
    for case in cases.chain(steps::CASES).chain(WATCHED) {
        for code in Code::ALL {
            let verdict = fresh(&HEAP, || (case.run)(code));
            count.add(format_args!("{code} {}", case.name), verdict);
        }
    }
    count.sum_up()
}
