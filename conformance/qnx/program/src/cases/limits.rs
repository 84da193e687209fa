//! Limits of the process: read, told, and heeded before the heap is asked.
#![forbid(unsafe_code)]

use conformance::Verdict;
use os::Resource;
use wasm_arena::MemoryBudget;

use super::LibcCase;
use super::support::{Bench, PAGE, arenas, builder, ensure, ensure_same, failure, named, switch};
use crate::bench::Switch;

#[cfg(target_pointer_width = "64")]
mod process;

#[cfg(target_pointer_width = "64")]
pub(super) fn cases() -> impl Iterator<Item = LibcCase> {
    [named!(
        a_budget_is_made_from_the_memory_of_the_machine,
        "where nothing else limits the process"
    )]
    .into_iter()
    .chain(process::cases())
}

/// 32-bit targets are told of the machine only.
#[cfg(target_pointer_width = "32")]
pub(super) fn cases() -> [LibcCase; 1] {
    [named!(
        a_budget_is_made_from_the_memory_of_the_machine,
        "where nothing else limits the process"
    )]
}

fn a_budget_is_made_from_the_memory_of_the_machine(_: &Bench) -> Verdict {
    for bytes in [256 * PAGE, 1024 * PAGE] {
        switch(Switch::MemoryLimit, bytes as isize)?;
        let limits = arenas(&builder())?.resource_limits();
        ensure!(
            limits.least() == Some((Resource::PhysicalMemory, bytes as u64)),
            "the machine's memory is the least"
        );
        let budget = MemoryBudget::from_limits("machine", &limits)
            .ok_or_else(|| failure("there is a budget", 0, 1))?;
        ensure_same!(budget.limit(), bytes, "the budget is what there is");
        ensure_same!(budget.used(), 0, "nobody uses it yet");
    }
    Ok(())
}
