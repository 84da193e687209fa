//! Cases: each runs with Pulley's bytecode and with native code, on memory nobody used before.

mod commands;
mod memory;
#[cfg(feature = "stand-in")]
mod refusals;
mod steps;

use alloc::string::String;
use core::ffi::c_int;

use qnx_program::output::say;

use crate::HEAP;
use crate::code::Code;

/// Passed, or why not.
pub(crate) type Verdict = Result<(), String>;

/// A named case.
struct Case {
    name: &'static str,
    run: fn(Code) -> Verdict,
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

/// An error of Wasmtime with everything it says, as the reason why a case failed.
pub(crate) fn told(error: wasmtime::Error) -> String {
    alloc::format!("{error:?}")
}

/// Runs all cases.
pub(crate) fn all() -> c_int {
    let (mut passed, mut failed) = (0, 0);
    let cases = commands::CASES.iter().chain(memory::CASES);
    let cases = cases.chain(steps::CASES).chain(WATCHED);
    for case in cases {
        for code in Code::ALL {
            match fresh(case, code) {
                Ok(()) => {
                    passed += 1;
                    say(format_args!("{code} {} ok\n", case.name));
                }
                Err(reason) => {
                    failed += 1;
                    say(format_args!("{code} {} FAILED: {reason}\n", case.name));
                }
            }
        }
    }
    say(format_args!("{passed} passed, {failed} failed\n"));
    c_int::from(failed > 0)
}

/// Runs a case, and looks at what it left behind.
fn fresh(case: &Case, code: Code) -> Verdict {
    #[cfg(feature = "stand-in")]
    qnx_program::bench::start_anew();
    let verdict = (case.run)(code);
    #[cfg(feature = "stand-in")]
    let verdict = verdict.and_then(|()| refusals::nothing_left());
    verdict.and_then(|()| {
        HEAP.verify()
            .map_err(|damage| alloc::format!("the runtime's heap: {damage:?}"))
    })
}
