//! Cases: each runs on memory nobody used before.

mod commands;
mod memory;
#[cfg(feature = "stand-in")]
mod refusals;

use alloc::string::String;
use core::ffi::c_int;

use qnx_program::output::say;

use crate::HEAP;

/// Passed, or why not.
pub(crate) type Verdict = Result<(), String>;

/// A named case.
struct Case {
    name: &'static str,
    run: fn() -> Verdict,
}

/// Cases that need somebody who watches.
#[cfg(feature = "stand-in")]
const WATCHED: &[Case] = refusals::CASES;
#[cfg(not(feature = "stand-in"))]
const WATCHED: &[Case] = &[];

/// Ends a case with a text unless something holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(alloc::format!($($text)+));
        }
    };
}
pub(crate) use ensure;

/// An error of wasmi, as the reason why a case failed.
#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn told(error: wasmi::Error) -> String {
    alloc::format!("{error:?}")
}

/// Runs all cases.
pub(crate) fn all() -> c_int {
    let (mut passed, mut failed) = (0, 0);
    for case in commands::CASES.iter().chain(memory::CASES).chain(WATCHED) {
        match fresh(case) {
            Ok(()) => {
                passed += 1;
                say(format_args!("{} ok\n", case.name));
            }
            Err(reason) => {
                failed += 1;
                say(format_args!("{} FAILED: {reason}\n", case.name));
            }
        }
    }
    say(format_args!("{passed} passed, {failed} failed\n"));
    c_int::from(failed > 0)
}

/// Runs a case, and looks at what it left behind.
fn fresh(case: &Case) -> Verdict {
    #[cfg(feature = "stand-in")]
    qnx_program::bench::start_anew();
    let verdict = (case.run)();
    #[cfg(feature = "stand-in")]
    let verdict = verdict.and_then(|()| refusals::nothing_left());
    verdict.and_then(|()| {
        HEAP.verify()
            .map_err(|damage| alloc::format!("the runtime's heap: {damage:?}"))
    })
}
