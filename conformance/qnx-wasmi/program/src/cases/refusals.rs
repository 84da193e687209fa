//! What happens when QNX's C library says no, and what is left behind: seen by the stand-in.
#![forbid(unsafe_code)]

use alloc::format;
use alloc::string::String;

use conformance::Observer;
use qnx_program::bench::{self, StandIn, Switch};
use wasm_arena::WASM_PAGE_SIZE;

use super::memory::Steps;
use super::{Case, Verdict, ensure, told};
use crate::embedding::Embedding;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "each-refused-call-is-an-error-and-nothing-is-lost",
        run: each_refused,
    },
    Case {
        name: "a-memory-without-memory-is-refused",
        run: no_memory,
    },
    Case {
        name: "a-growth-calls-nobody",
        run: no_calls,
    },
];

/// Whether everything was given back, and nothing was done that would have hurt on QNX.
pub(super) fn nothing_left() -> Verdict {
    let complaints = StandIn.complaints();
    ensure!(
        complaints == 0,
        "{complaints} complaints; the first: {}",
        StandIn.complaint(0)
    );
    let held = StandIn.held_bytes();
    ensure!(held == 0, "{held} bytes were not given back");
    Ok(())
}

/// Whether an address is in a block that `posix_memalign` handed out.
pub(super) fn is_in_a_block_of_the_c_library(address: usize) -> Verdict {
    ensure!(
        bench::block_of(address).is_some(),
        "{address:#x} is in no block of the C library's heap"
    );
    Ok(())
}

/// An engine, a module, an instance that grows twice and traps once, and their end.
fn whole_life() -> Result<(), String> {
    let embedding = Embedding::new().map_err(told)?;
    let mut steps = Steps::new(&embedding).map_err(told)?;
    steps.call("fill", 1).map_err(told)?;
    for more in [1, 8] {
        let before = steps.call("grow", more).map_err(told)?;
        let sum = steps.call("sum", 0).map_err(told)?;
        ensure!(
            before > 0 && sum == 2 * 65_536,
            "growing by {more}: {before}, {sum}"
        );
    }
    ensure!(
        steps.call("load", i32::MAX).is_err(),
        "a stray read was answered"
    );
    drop(steps);
    // What is kept goes back here, so that what cannot is counted before it is looked at.
    embedding
        .arenas
        .trim()
        .map_err(|error| format!("{error}"))?;
    let unreturned = embedding.arenas.statistics().unreturned;
    if unreturned.regions > 0 {
        return Err(format!("counted: {unreturned:?}"));
    }
    Ok(())
}

fn each_refused() -> Verdict {
    for name in ["mprotect", "posix_memalign", "mallopt"] {
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
            let counted = matches!(&outcome, Err(said) if said.starts_with("counted"));
            if !counted {
                nothing_left().map_err(|left| format!("{name} {n}: {outcome:?}: {left}"))?;
            }
        }
        // Settings that are the defaults are not told to `mallopt`.
        ensure!(refused > 0 || name == "mallopt", "{name} is never called");
    }
    bench::start_anew();
    Ok(())
}

fn no_memory() -> Verdict {
    let embedding = Embedding::new().map_err(told)?;
    let mut steps = Steps::new(&embedding).map_err(told)?;
    steps.call("fill", 3).map_err(told)?;
    let limit = StandIn.held_bytes() + 4 * WASM_PAGE_SIZE;
    ensure!(
        bench::switch(Switch::MemoryLimit, isize::try_from(limit).unwrap_or(0)),
        "no limit of {limit} bytes"
    );
    // What is there goes on: its room is its own.
    let before = steps.call("grow", 11).map_err(told)?;
    ensure!(before == 1, "within the room: {before}");
    let refused = Steps::new(&embedding);
    ensure!(
        refused.is_err(),
        "a memory of {WASM_PAGE_SIZE} bytes of nothing"
    );
    let sum = steps.call("sum", 0).map_err(told)?;
    ensure!(sum == 2 * 3 * 65_536, "the refusal cost bytes: {sum}");
    ensure!(bench::switch(Switch::MemoryLimit, 0), "no end of the limit");
    Steps::new(&embedding).map_err(told)?;
    Ok(())
}

fn no_calls() -> Verdict {
    let embedding = Embedding::new().map_err(told)?;
    let mut steps = Steps::new(&embedding).map_err(told)?;
    let before = StandIn.calls();
    for _ in 0..11 {
        ensure!(
            steps.call("grow", 1).map_err(told)? > 0,
            "a growth was refused"
        );
    }
    let calls = StandIn.calls() - before;
    ensure!(calls == 0, "{calls} calls for 11 growths");
    // Nor does the next memory of the shape, once one was given back.
    drop(steps);
    let before = StandIn.calls();
    Steps::new(&embedding).map_err(told)?;
    let calls = StandIn.calls() - before;
    ensure!(calls == 0, "{calls} calls for two kept regions");
    Ok(())
}
