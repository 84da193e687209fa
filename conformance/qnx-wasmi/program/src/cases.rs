//! Cases: each runs on memory nobody used before.

mod commands;
mod memory;
#[cfg(feature = "stand-in")]
mod refusals;

use alloc::string::String;
use core::ffi::c_int;

use qnx_guests::cases::{Count, Verdict, fresh};

use crate::HEAP;

type Case = qnx_guests::cases::Case<fn() -> Verdict>;

/// Cases that need somebody who watches.
#[cfg(feature = "stand-in")]
const WATCHED: &[Case] = refusals::CASES;
#[cfg(not(feature = "stand-in"))]
const WATCHED: &[Case] = &[];

/// An error of wasmi, as the reason why a case failed.
#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn told(error: wasmi::Error) -> String {
    alloc::format!("{error:?}")
}

/// Runs all cases.
pub(crate) fn all() -> c_int {
    let mut count = Count::default();
    for case in commands::CASES.iter().chain(memory::CASES).chain(WATCHED) {
        let verdict = fresh(&HEAP, || (case.run)());
        count.add(format_args!("{}", case.name), verdict);
    }
    count.sum_up()
}
