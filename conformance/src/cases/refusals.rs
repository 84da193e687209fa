//! The nth call that can fail is refused, for every n, in a scenario of 200 operations and more.
//!
//! After a refusal every memory is as it was, guards and protections included, and the same
//! operation succeeds when it is tried again. At the end nothing has leaked: what is still held is
//! counted as lost, and at most one region is.

use core::cell::Cell;

use wasm_arena::{
    AllocError, Allocator, Arenas, GrowthPolicy, GrowthRoom, MemoryBudget, PageAllocator,
    RoomAccess,
};

use super::model::{Expected, check, check_contents, glance};
use super::program::{Call, Lots, MEMORIES, Operation, carry_out};
use crate::case::case;
use crate::failure::{ensure, ensure_eq};
use crate::support::{Builder, PAGE, builder, facts, moving};
use crate::{Case, Failure, Observer, Subject, Verdict};

/// Operations of the scenario.
const OPERATIONS: usize = 220;

/// After a refusal, so many operations are checked to the byte, and
const WATCHED: usize = 6;

/// so many are carried out before the memories end: what went wrong shows by then, and the runs of
/// a sweep stay short.
const AFTERWARDS: usize = 40;

/// A scenario that meets fewer calls than this shows little.
const LEAST_CALLS: usize = 20;

static BUDGET: MemoryBudget = MemoryBudget::new("refusals", usize::MAX);

pub(super) fn cases<P: Subject>() -> [Case<P>; 7] {
    [
        case!(
            every_refusal_leaves_memories_as_they_were,
            "room for a page"
        )
        .observed()
        .losing(),
        case!(
            every_refusal_of_a_move_leaves_memories_as_they_were,
            "no room"
        )
        .observed()
        .losing(),
        case!(
            every_refusal_with_open_room_leaves_memories_as_they_were,
            "no guards in the room"
        )
        .observed()
        .losing(),
        case!(
            every_refusal_with_nothing_kept_leaves_memories_as_they_were,
            "no cache"
        )
        .observed()
        .losing(),
        case!(
            every_refusal_of_a_lock_leaves_memories_as_they_were,
            "locked, prefaulted"
        )
        .observed()
        .losing(),
        case!(
            every_refusal_of_a_reallocation_leaves_memories_as_they_were,
            "if there is one"
        )
        .observed()
        .losing(),
        case!(
            every_refusal_of_a_setting_leaves_nothing_behind,
            "while arenas are built"
        )
        .observed(),
    ]
}

fn every_refusal_leaves_memories_as_they_were<P: Subject>(subject: &P) -> Verdict {
    sweep(
        subject,
        &builder(subject).with_growth_room(GrowthRoom::Bytes(PAGE)),
    )
}

fn every_refusal_of_a_move_leaves_memories_as_they_were<P: Subject>(subject: &P) -> Verdict {
    sweep(subject, &moving(subject))
}

fn every_refusal_with_open_room_leaves_memories_as_they_were<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_growth_room(GrowthRoom::Bytes(PAGE));
    sweep(subject, &builder.with_room_access(RoomAccess::Open))
}

fn every_refusal_with_nothing_kept_leaves_memories_as_they_were<P: Subject>(
    subject: &P,
) -> Verdict {
    sweep(subject, &builder(subject).with_arena_cache_max_blocks(0))
}

fn every_refusal_of_a_lock_leaves_memories_as_they_were<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_growth_room(GrowthRoom::Bytes(PAGE));
    sweep(
        subject,
        &builder.with_lock_in_memory(true).with_prefault(true),
    )
}

fn every_refusal_of_a_reallocation_leaves_memories_as_they_were<P: Subject>(
    subject: &P,
) -> Verdict {
    if !facts(subject).reallocates {
        // It would be the sweep of moves once more.
        return Ok(());
    }
    sweep(
        subject,
        &moving(subject).with_growth_policy(GrowthPolicy::Reallocate),
    )
}

/// Refuses each call of the scenario in turn.
fn sweep<P: Subject>(subject: &P, builder: &Builder<P>) -> Verdict {
    let Some(observer) = subject.observer() else {
        return Ok(());
    };
    let builder = builder.clone().with_budget(&BUDGET);
    let mut n = 1;
    while one_run(subject, observer, &builder, n)? {
        n += 1;
        ensure!(n < 10_000, "the scenario ends");
    }
    ensure!(n > LEAST_CALLS, "the scenario meets many calls");
    Ok(())
}

/// Runs the scenario with the `n`th call refused; says whether there was an `n`th call.
fn one_run<P: Subject>(
    subject: &P,
    observer: &dyn Observer,
    builder: &Builder<P>,
    n: usize,
) -> Result<bool, Failure> {
    let held = observer.held_bytes();
    let locked = observer.locked_bytes();
    let arenas = builder.build_arenas_over(subject.system())?;
    observer.refuse_nth(n);
    let told = program(subject, observer, builder, &arenas).map_err(|failure| Failure {
        // The failure has a place of its own; which call was refused is worth more than a zero.
        left: if failure.left == failure.right {
            n as u64
        } else {
            failure.left
        },
        ..failure
    })?;
    let refused = observer.refusals();
    observer.refuse_nth(0);
    ensure!(told <= refused, "an error needs a reason");
    arenas.trim()?;
    let statistics = arenas.statistics();
    ensure_eq!(statistics.live_memories, 0, "every memory has ended");
    ensure_eq!(BUDGET.used(), 0, "every charge was given back");
    ensure_eq!(
        statistics.bookkeeping.used_bytes,
        0,
        "no record is left of what is gone"
    );
    ensure!(
        statistics.unreturned.regions <= refused,
        "a refusal loses one region at most"
    );
    ensure_eq!(
        observer.held_bytes() - held,
        statistics.bookkeeping.mapped_bytes + statistics.unreturned.bytes,
        "what is held is bookkeeping, or counted as lost"
    );
    if statistics.unreturned.regions == 0 {
        ensure_eq!(observer.locked_bytes(), locked, "nothing stays locked");
    }
    Ok(refused > 0)
}

/// The operations; returns how many errors came of the refusal.
fn program<P: Subject>(
    subject: &P,
    observer: &dyn Observer,
    builder: &Builder<P>,
    arenas: &Arenas<P::System>,
) -> Result<usize, Failure> {
    let make = || builder.clone().build_in(arenas);
    let mut memories = [make()?, make()?, make()?, make()?];
    let mut expected: [Expected; MEMORIES] = core::array::from_fn(|_| Expected::new(subject));
    let mut lots = Lots::new(7);
    let told = Cell::new(0);
    let mut refused_at = None;
    for step in 0..OPERATIONS {
        let index = lots.below(MEMORIES);
        let (memory, model) = (&mut memories[index], &mut expected[index]);
        let operation = Operation::next(model, &mut lots, index == 0);
        carry_out(
            subject,
            memory,
            model,
            operation,
            &mut |memory, model, call| {
                let charged = BUDGET.used();
                match call(memory) {
                    Ok(()) => Ok(()),
                    Err(AllocError::Os(_)) if observer.refusals() == 1 && told.get() == 0 => {
                        told.set(1);
                        after_refusal(subject, memory, model, operation, charged, call)
                    }
                    Err(other) => Err(other.into()),
                }
            },
        )?;
        if refused_at.is_none() && observer.refusals() > 0 {
            refused_at = Some(step);
            // The others must not have noticed.
            for (memory, model) in memories.iter().zip(&expected) {
                check(subject, memory, model)?;
            }
        }
        match refused_at {
            Some(at) if step <= at + WATCHED => check(subject, &memories[index], &expected[index])?,
            Some(at) if step > at + AFTERWARDS => break,
            _ => glance(&memories[index], &expected[index])?,
        }
    }
    for (memory, model) in memories.iter().zip(&expected) {
        check_contents(memory, model)?;
    }
    for memory in memories.iter_mut().filter(|memory| memory.base().is_some()) {
        match memory.free() {
            Ok(()) => {}
            Err(AllocError::Os(_)) if observer.refusals() == 1 && told.get() == 0 => {
                told.set(1);
                ensure!(memory.base().is_none(), "the memory is gone in any case");
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(told.get())
}

/// An operation was refused: looks what became of the memory, and tries again.
fn after_refusal<'a, P: Subject>(
    subject: &P,
    memory: &mut Allocator<&'a Arenas<P::System>>,
    model: &mut Expected,
    operation: Operation,
    charged: usize,
    call: &mut Call<'_, Allocator<&'a Arenas<P::System>>>,
) -> Verdict {
    match operation {
        Operation::Free => {
            // The end of a memory cannot be refused: what could not be given back is counted.
            ensure!(memory.base().is_none(), "the memory is gone in any case");
            let lost = memory.arenas().statistics().unreturned;
            ensure_eq!(lost.regions, 1, "and its region is counted as lost");
            return Ok(());
        }
        Operation::Reset if check_contents(memory, model).is_err() => {
            // The room could not be closed again: then the memory was reset nevertheless.
            let mut after = model.clone();
            after.reset();
            check(subject, memory, &after)?;
        }
        _ => {
            check(subject, memory, model)?;
            ensure_eq!(BUDGET.used(), charged, "nothing more is charged");
        }
    }
    Ok(call(memory)?)
}

fn every_refusal_of_a_setting_leaves_nothing_behind<P: Subject>(subject: &P) -> Verdict {
    let Some(observer) = subject.observer() else {
        return Ok(());
    };
    let held = observer.held_bytes();
    let builder = builder(subject)
        .with_lifo_free(true)
        .with_monotonic_growth(true)
        .with_preallocation(4 * PAGE);
    for n in 1..1000 {
        observer.refuse_nth(n);
        let built = builder.build_arenas_over(subject.system());
        let refused = observer.refusals();
        observer.refuse_nth(0);
        match built {
            Ok(arenas) => {
                // A setting that could not be had is reported, or made no difference.
                let mut memory = builder.clone().build_in(&arenas)?;
                memory.allocate(1, None)?;
            }
            Err(AllocError::Os(_)) if refused == 1 => {}
            Err(other) => return Err(other.into()),
        }
        ensure_eq!(observer.held_bytes(), held, "nothing is left behind");
        if refused == 0 {
            return Ok(());
        }
    }
    Err(Failure::here("building arenas takes fewer calls", 1000, 0))
}
