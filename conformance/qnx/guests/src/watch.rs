//! What the stand-in sees: refusals, and what is left behind.
#![forbid(unsafe_code)]

use alloc::format;
use alloc::string::String;

use conformance::Observer;
use qnx_program::bench::{self, StandIn};

use crate::cases::{Verdict, ensure};

/// How the reason of a life begins whose losses the arenas counted: such bytes may be left.
pub const COUNTED: &str = "counted";

/// Nothing was done that would have hurt on QNX.
///
/// # Errors
/// Something was.
pub fn no_complaints() -> Verdict {
    let complaints = StandIn.complaints();
    ensure!(
        complaints == 0,
        "{complaints} complaints; the first: {}",
        StandIn.complaint(0)
    );
    Ok(())
}

/// Everything was given back as well.
///
/// # Errors
/// Something was not.
pub fn nothing_left() -> Verdict {
    no_complaints()?;
    let held = StandIn.held_bytes();
    ensure!(held == 0, "{held} bytes were not given back");
    Ok(())
}

/// An address is in a block that `posix_memalign` handed out.
///
/// # Errors
/// It is not.
pub fn is_in_a_block_of_the_c_library(address: usize) -> Verdict {
    ensure!(
        bench::block_of(address).is_some(),
        "{address:#x} is in no block of the C library's heap"
    );
    Ok(())
}

/// Lives a whole life again and again, with the nth call of each kind refused, for every n: what is
/// not counted as lost is given back.
///
/// # Errors
/// Something was left, or a kind was never called.
pub fn each_refused(kinds: &[&str], whole_life: impl Fn() -> Result<(), String>) -> Verdict {
    for name in kinds {
        let mut refused = 0;
        // Until the nth call of this kind is never made.
        for n in 1.. {
            bench::start_anew();
            let refusals = StandIn.refusals();
            ensure!(bench::refuse_nth_of(name, n), "no call is named {name}");
            let outcome = whole_life();
            if StandIn.refusals() == refusals {
                ensure!(outcome.is_ok(), "without a refusal: {outcome:?}");
                break;
            }
            refused += 1;
            let counted = matches!(&outcome, Err(said) if said.starts_with(COUNTED));
            let left = if counted {
                no_complaints()
            } else {
                nothing_left()
            };
            left.map_err(|left| format!("{name} {n}: {outcome:?}: {left}"))?;
        }
        // Settings that are the defaults are not told to `mallopt`.
        ensure!(refused > 0 || *name == "mallopt", "{name} is never called");
    }
    bench::start_anew();
    Ok(())
}
