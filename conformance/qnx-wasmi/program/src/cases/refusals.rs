//! What happens when QNX's C library says no, and what is left behind: seen by the stand-in.
#![forbid(unsafe_code)]

use alloc::format;
use alloc::string::String;

use conformance::Observer;
use qnx_guests::cases::{Verdict, ensure};
use qnx_guests::watch;
use qnx_program::bench::{self, StandIn, Switch};
use wasm_arena::WASM_PAGE_SIZE;

use super::memory::Steps;
use super::{Case, told};
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
        return Err(format!("{}: {unreturned:?}", watch::COUNTED));
    }
    Ok(())
}

fn each_refused() -> Verdict {
    watch::each_refused(&["mprotect", "posix_memalign", "mallopt"], whole_life)
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
