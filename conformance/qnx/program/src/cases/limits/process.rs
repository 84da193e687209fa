//! `getrlimit`, which 64-bit targets ask.
#![forbid(unsafe_code)]

use conformance::{Observer, Verdict};
use os::{QnxVersion, Resource};
use wasm_arena::{AllocError, MemoryBudget};

use super::super::LibcCase;
use super::super::support::{
    Bench, Calls, PAGE, arenas, builder, ensure, ensure_error, ensure_same, failure, host_page,
    memory_in, named, switch,
};
use crate::bench::{self, StandIn, Switch};

// Kinds of limits: qnx-facts §7.1.
const DATA: i32 = 2;
const ADDRESS_SPACE: i32 = 6;
const LOCKED: i32 = 7;
const FREE: i32 = 10;

const LIMIT: u64 = 16 * PAGE as u64;

pub(super) fn cases() -> impl Iterator<Item = LibcCase> {
    let tells_free = bench::version().is_some_and(|version| version >= QnxVersion::Sdp66);
    [
        named!(
            the_data_limit_refuses_early_with_both_numbers,
            "and asks the heap for nothing"
        ),
        named!(
            the_limit_of_address_space_refuses_early_with_both_numbers,
            "and asks the heap for nothing"
        ),
        named!(growth_heeds_the_limits_too, "by moving and by realloc"),
        named!(
            every_kind_of_limit_is_told_for_what_it_is,
            "each has a number of its own"
        ),
        named!(a_budget_is_made_from_the_limits, "the least of them"),
    ]
    .into_iter()
    .chain(
        [named!(
            memory_that_must_stay_free_lowers_the_budget,
            "in thousandths of the machine's"
        )]
        .into_iter()
        .filter(move |_| tells_free),
    )
}

#[track_caller]
fn limit(kind: i32, value: u64) -> Verdict {
    if bench::limit(kind, value) {
        Ok(())
    } else {
        Err(failure(
            "the stand-in has this limit",
            u64::from(kind.unsigned_abs()),
            0,
        ))
    }
}

fn refuses_early(kind: i32, expected: Resource) -> Verdict {
    limit(kind, LIMIT)?;
    let builder = builder();
    let arenas = arenas(&builder)?;
    let guards = 2 * host_page();
    let before = Calls::now();
    ensure_error!(
        memory_in(&builder, &arenas, 16),
        AllocError::BeyondResourceLimit {
            resource,
            requested,
            held: 0,
            limit: LIMIT,
        } if resource == expected && requested == 16 * PAGE + guards,
        "both numbers are told"
    );
    ensure_same!(before.total_since(), 0, "no call is made");

    // What these arenas hold counts.
    let first = memory_in(&builder, &arenas, 8)?;
    let before = Calls::now();
    ensure_error!(
        memory_in(&builder, &arenas, 8),
        AllocError::BeyondResourceLimit {
            resource,
            requested,
            held,
            limit: LIMIT,
        } if resource == expected && requested == held && held == 8 * PAGE + guards,
        "with what is held"
    );
    ensure_same!(before.total_since(), 0, "no call is made");
    drop(first);
    memory_in(&builder, &arenas, 8)?;
    Ok(())
}

fn the_data_limit_refuses_early_with_both_numbers(_: &Bench) -> Verdict {
    refuses_early(DATA, Resource::Data)
}

fn the_limit_of_address_space_refuses_early_with_both_numbers(_: &Bench) -> Verdict {
    refuses_early(ADDRESS_SPACE, Resource::AddressSpace)
}

fn growth_heeds_the_limits_too(_: &Bench) -> Verdict {
    use wasm_arena::GrowthPolicy;
    limit(DATA, LIMIT)?;
    for policy in [GrowthPolicy::MoveWhenFull, GrowthPolicy::Reallocate] {
        let builder = builder().with_growth_policy(policy);
        let arenas = arenas(&builder)?;
        let mut memory = memory_in(&builder, &arenas, 4)?;
        let (held, before) = (StandIn.held_bytes(), Calls::now());
        ensure_error!(
            memory.grow(64),
            AllocError::BeyondResourceLimit {
                resource: Resource::Data,
                limit: LIMIT,
                ..
            },
            "it is refused"
        );
        ensure_same!(before.total_since(), 0, "no call is made");
        ensure_same!(StandIn.held_bytes(), held, "nothing has changed");
        ensure_same!(memory.size(), 4 * PAGE, "nor has the size");
    }
    Ok(())
}

fn every_kind_of_limit_is_told_for_what_it_is(_: &Bench) -> Verdict {
    limit(DATA, 100 * LIMIT)?;
    limit(ADDRESS_SPACE, 200 * LIMIT)?;
    limit(LOCKED, 300 * LIMIT)?;
    let limits = arenas(&builder())?.resource_limits();
    ensure_same!(limits.data, Some(100 * LIMIT), "data");
    ensure_same!(limits.address_space, Some(200 * LIMIT), "address space");
    ensure_same!(limits.locked_memory, Some(300 * LIMIT), "locked memory");
    // No limit, as QNX writes it: 2^64 - 3 (qnx-facts §7.1).
    for kind in [DATA, ADDRESS_SPACE, LOCKED] {
        limit(kind, u64::MAX - 2)?;
    }
    let limits = arenas(&builder())?.resource_limits();
    ensure_same!(limits.data, None::<u64>, "none");
    ensure_same!(limits.address_space, None::<u64>, "none");
    ensure_same!(limits.locked_memory, None::<u64>, "none");
    Ok(())
}

fn budget() -> Result<usize, conformance::Failure> {
    let limits = arenas(&builder())?.resource_limits();
    MemoryBudget::from_limits("process", &limits)
        .map(|budget| budget.limit())
        .ok_or_else(|| failure("there is a budget", 0, 1))
}

fn a_budget_is_made_from_the_limits(_: &Bench) -> Verdict {
    switch(Switch::MemoryLimit, 1024 * PAGE as isize)?;
    limit(DATA, 64 * PAGE as u64)?;
    ensure_same!(budget()?, 64 * PAGE, "the limit of data is the least");
    limit(ADDRESS_SPACE, 48 * PAGE as u64)?;
    ensure_same!(budget()?, 48 * PAGE, "then that of address space");
    limit(LOCKED, 16 * PAGE as u64)?;
    ensure_same!(budget()?, 48 * PAGE, "locked memory is another matter");
    Ok(())
}

fn memory_that_must_stay_free_lowers_the_budget(_: &Bench) -> Verdict {
    switch(Switch::MemoryLimit, 1024 * PAGE as isize)?;
    limit(FREE, 250)?;
    ensure_same!(budget()?, 768 * PAGE, "a quarter stays free");
    ensure!(
        arenas(&builder())?.resource_limits().least_free_thousandths == Some(250),
        "it is told as it is"
    );
    Ok(())
}
