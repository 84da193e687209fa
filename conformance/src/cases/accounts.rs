//! Budgets and accounts: what is charged is given back, to the byte.

use wasm_arena::{AllocError, GrowthRoom, MemoryBudget, PageAllocator};

use crate::case::case;
use crate::failure::{ensure, ensure_eq, ensure_refused};
use crate::support::{
    Memory, PAGE, build, builder, ensure_guarded, ensure_pattern, facts, fill_all, moving,
};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 8] {
    [
        case!(
            a_budget_is_charged_and_given_back_exactly,
            "over a whole life"
        ),
        case!(
            a_budget_refuses_what_it_cannot_pay,
            "BudgetExceeded, with its numbers"
        ),
        case!(a_refused_growth_costs_nothing, "in place and by moving"),
        case!(a_parent_budget_refuses_for_its_children, "and names itself"),
        case!(a_dropped_memory_gives_its_charge_back, "no free needed"),
        case!(
            arenas_count_their_memories,
            "live, allocated, hits and misses"
        ),
        case!(refused_memories_are_counted_apart, "by a budget, by a seal"),
        case!(
            accounts_return_to_where_they_were,
            "bytes reserved and accessible"
        ),
    ]
}

/// What a memory of this size costs where it has no room to grow.
fn cost<P: Subject>(subject: &P, memory: &Memory<P>, size: usize) -> usize {
    let statistics = memory.statistics();
    let guards = if facts(subject).guards_cost_memory {
        statistics.guard_before_bytes + statistics.guard_after_bytes
    } else {
        0
    };
    size + guards
}

fn a_budget_is_charged_and_given_back_exactly<P: Subject>(subject: &P) -> Verdict {
    static MACHINE: MemoryBudget = MemoryBudget::new("machine", 1 << 30);
    static BUDGET: MemoryBudget = MemoryBudget::child("memories", 1 << 29, &MACHINE);
    let mut memory = build(subject, moving(subject).with_budget(&BUDGET))?;
    for _ in 0..3 {
        memory.allocate(2, None)?;
        ensure_eq!(
            BUDGET.used(),
            cost(subject, &memory, 2 * PAGE),
            "at allocation"
        );
        ensure_eq!(MACHINE.used(), BUDGET.used(), "the parent pays as much");
        memory.reset()?;
        ensure_eq!(
            BUDGET.used(),
            cost(subject, &memory, 2 * PAGE),
            "after a reset"
        );
        memory.free()?;
        ensure_eq!(BUDGET.used(), 0, "given back");
        ensure_eq!(MACHINE.used(), 0, "given back by the parent too");
    }
    Ok(())
}

fn a_budget_refuses_what_it_cannot_pay<P: Subject>(subject: &P) -> Verdict {
    static BUDGET: MemoryBudget = MemoryBudget::new("small", 3 * PAGE);
    let refusals = BUDGET.refusals();
    let mut memory = build(subject, moving(subject).with_budget(&BUDGET))?;
    ensure_refused!(
        memory.allocate(4, None),
        AllocError::BudgetExceeded { budget: "small", requested, available, limit }
            if requested >= 4 * PAGE && (available, limit) == (3 * PAGE, 3 * PAGE),
        "the error has the numbers"
    );
    ensure_eq!(BUDGET.used(), 0, "nothing is charged");
    ensure_eq!(BUDGET.refusals(), refusals + 1, "the refusal is counted");
    ensure_eq!(
        memory.arenas().statistics().reserved_bytes,
        0,
        "nothing was taken"
    );
    // With guards of a page each, where pages are large and guards cost memory.
    memory.allocate(1, None)?;
    Ok(())
}

fn a_refused_growth_costs_nothing<P: Subject>(subject: &P) -> Verdict {
    static BUDGET: MemoryBudget = MemoryBudget::new("tight", 8 * PAGE);
    for room in [0, 32 * PAGE] {
        let room_costs = !facts(subject).pages.reserves_for_free;
        if room > 0 && room_costs {
            // Whether room is charged where it costs memory is for the system to say.
            continue;
        }
        let builder = builder(subject)
            .with_growth_room(GrowthRoom::Bytes(room))
            .with_budget(&BUDGET);
        let mut memory = build(subject, builder)?;
        memory.allocate(2, None)?;
        fill_all(&mut memory, 1)?;
        let used = BUDGET.used();
        let base = memory.base();
        for additional in [7, 20] {
            ensure_refused!(
                memory.grow(2, additional),
                AllocError::BudgetExceeded {
                    budget: "tight",
                    ..
                },
                "the budget refuses"
            );
        }
        ensure_eq!(BUDGET.used(), used, "the charge is unchanged");
        ensure_eq!(memory.base(), base, "the base is unchanged");
        ensure_eq!(memory.size(), 2 * PAGE, "the size is unchanged");
        ensure_eq!(memory.statistics().refused_grows, 2, "refusals are counted");
        ensure_pattern(&memory, 0..2 * PAGE, 1)?;
        ensure_guarded(subject, &memory)?;
        memory.free()?;
        ensure_eq!(BUDGET.used(), 0, "given back");
    }
    Ok(())
}

fn a_parent_budget_refuses_for_its_children<P: Subject>(subject: &P) -> Verdict {
    static PARENT: MemoryBudget = MemoryBudget::new("parent", 5 * PAGE);
    static FIRST: MemoryBudget = MemoryBudget::child("first", 100 * PAGE, &PARENT);
    static SECOND: MemoryBudget = MemoryBudget::child("second", 100 * PAGE, &PARENT);
    let builder = moving(subject);
    let arenas = builder.build_arenas_over(subject.system())?;
    let mut first = builder.clone().with_budget(&FIRST).build_in(&arenas)?;
    let mut second = builder.clone().with_budget(&SECOND).build_in(&arenas)?;
    first.allocate(3, None)?;
    let used = PARENT.used();
    ensure_refused!(
        second.allocate(3, None),
        AllocError::BudgetExceeded {
            budget: "parent",
            ..
        },
        "the parent is named"
    );
    ensure_eq!(SECOND.used(), 0, "the child is not charged");
    ensure_eq!(PARENT.used(), used, "nor the parent");
    first.free()?;
    second.allocate(3, None)?;
    ensure_eq!(PARENT.used(), SECOND.used(), "the next one pays");
    drop(second);
    ensure_eq!(PARENT.used(), 0, "and is paid back");
    Ok(())
}

fn a_dropped_memory_gives_its_charge_back<P: Subject>(subject: &P) -> Verdict {
    static BUDGET: MemoryBudget = MemoryBudget::new("dropped", 64 * PAGE);
    let mut memory = build(subject, moving(subject).with_budget(&BUDGET))?;
    memory.allocate(1, None)?;
    memory.grow(1, 3)?;
    ensure_eq!(
        BUDGET.used(),
        cost(subject, &memory, 4 * PAGE),
        "after a move"
    );
    drop(memory);
    ensure_eq!(BUDGET.used(), 0, "given back");
    Ok(())
}

fn arenas_count_their_memories<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject);
    let arenas = builder.build_arenas_over(subject.system())?;
    let mut first = builder.clone().build_in(&arenas)?;
    let mut second = builder.clone().build_in(&arenas)?;
    first.allocate(1, Some(1))?;
    second.allocate(1, Some(1))?;
    ensure_eq!(arenas.statistics().live_memories, 2, "two are live");
    first.free()?;
    first.allocate(1, Some(1))?;
    second.free()?;
    let statistics = arenas.statistics();
    ensure_eq!(statistics.live_memories, 1, "one is live");
    ensure_eq!(statistics.memories_allocated, 3, "three were made");
    ensure_eq!(statistics.cache_hits, 1, "one from a kept region");
    ensure_eq!(statistics.cache_misses, 2, "two from fresh ones");
    Ok(())
}

fn refused_memories_are_counted_apart<P: Subject>(subject: &P) -> Verdict {
    static BUDGET: MemoryBudget = MemoryBudget::new("one page", PAGE);
    let builder = builder(subject);
    let arenas = builder.build_arenas_over(subject.system())?;
    let mut memory = builder.clone().build_in(&arenas)?;
    let mut poor = builder.clone().with_budget(&BUDGET).build_in(&arenas)?;
    let counts = || {
        let statistics = arenas.statistics();
        (
            statistics.memories_allocated,
            statistics.refused_allocations,
            statistics.live_memories,
        )
    };
    ensure!(poor.allocate(2, None).is_err(), "more than the budget has");
    ensure!(
        counts() == (0, 1, 0),
        "refused before the arenas were asked"
    );
    arenas.seal();
    ensure_refused!(
        memory.allocate(1, None),
        AllocError::Sealed { .. },
        "nothing is kept yet"
    );
    ensure!(counts() == (0, 2, 0), "refused by the arenas");
    arenas.unseal();
    memory.allocate(1, None)?;
    ensure!(counts() == (1, 2, 1), "one was made");
    ensure_refused!(
        memory.allocate(1, None),
        AllocError::AlreadyAllocated { .. },
        "a second one"
    );
    ensure!(counts() == (1, 2, 1), "a mistake is no refusal");
    Ok(())
}

fn accounts_return_to_where_they_were<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject);
    let arenas = builder.build_arenas_over(subject.system())?;
    let mut memory = builder.clone().build_in(&arenas)?;
    for _ in 0..3 {
        memory.allocate(1, None)?;
        memory.grow(1, 2)?;
        let statistics = arenas.statistics();
        ensure!(
            statistics.reserved_bytes >= memory.capacity(),
            "the region is counted"
        );
        ensure!(
            statistics.accessible_bytes >= memory.size(),
            "its data is counted"
        );
        memory.grow(3, 9)?;
        memory.free()?;
        arenas.trim()?;
        let statistics = arenas.statistics();
        ensure_eq!(statistics.reserved_bytes, 0, "nothing is reserved");
        ensure_eq!(statistics.accessible_bytes, 0, "nothing is accessible");
        ensure_eq!(statistics.unreturned.bytes, 0, "nothing is lost");
    }
    Ok(())
}
