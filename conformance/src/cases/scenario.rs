//! A few hundred operations in a row, each checked against the model.

use wasm_arena::{GrowthPolicy, GrowthRoom, RoomAccess, VerificationLevel};

use super::model::{Expected, check, glance};
use super::program::{Lots, MEMORIES, Operation, carry_out};
use crate::case::case;
use crate::failure::ensure_eq;
use crate::support::{Builder, PAGE, builder, moving};
use crate::{Case, Subject, Verdict};

/// Operations of a scenario.
const OPERATIONS: usize = 400;

pub(super) fn cases<P: Subject>() -> [Case<P>; 6] {
    [
        case!(
            four_hundred_operations_follow_the_model,
            "growth in place and by moving"
        ),
        case!(
            four_hundred_operations_with_every_growth_a_move,
            "no room at all"
        ),
        case!(four_hundred_operations_in_open_room, "room without guards"),
        case!(four_hundred_operations_without_guards, "and nothing kept"),
        case!(
            four_hundred_operations_locked_and_resident,
            "locked, prefaulted"
        ),
        case!(
            four_hundred_operations_with_reallocation,
            "or moves, where there is none"
        ),
    ]
}

/// Runs the program on these settings.
fn run<P: Subject>(subject: &P, builder: Builder<P>, seed: u32) -> Verdict {
    let builder = builder.with_verification_level(VerificationLevel::Critical);
    let arenas = builder.build_arenas_over(subject.system())?;
    let make = || builder.clone().build_in(&arenas);
    let mut memories = [make()?, make()?, make()?, make()?];
    let mut expected: [Expected; MEMORIES] = core::array::from_fn(|_| Expected::new(subject));
    let mut lots = Lots::new(seed);
    for step in 0..OPERATIONS {
        let index = lots.below(MEMORIES);
        let (memory, model) = (&mut memories[index], &mut expected[index]);
        let operation = Operation::next(model, &mut lots, index == 0);
        carry_out(subject, memory, model, operation, &mut |memory, _, call| {
            Ok(call(memory)?)
        })?;
        check(subject, memory, model)?;
        for (memory, model) in memories.iter().zip(&expected) {
            glance(memory, model)?;
        }
        if step % 100 == 99 {
            arenas.trim()?;
        }
    }
    for (memory, model) in memories.iter().zip(&expected) {
        check(subject, memory, model)?;
    }
    drop(memories);
    arenas.trim()?;
    let statistics = arenas.statistics();
    ensure_eq!(statistics.live_memories, 0, "every memory has ended");
    ensure_eq!(statistics.reserved_bytes, 0, "every region went back");
    ensure_eq!(statistics.unreturned.regions, 0, "none is lost");
    ensure_eq!(
        statistics.bookkeeping.used_bytes,
        0,
        "no record is left of what is gone"
    );
    Ok(())
}

fn four_hundred_operations_follow_the_model<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_growth_room(GrowthRoom::Bytes(PAGE));
    run(subject, builder, 1)
}

fn four_hundred_operations_with_every_growth_a_move<P: Subject>(subject: &P) -> Verdict {
    run(subject, moving(subject), 2)
}

fn four_hundred_operations_in_open_room<P: Subject>(subject: &P) -> Verdict {
    run(
        subject,
        builder(subject).with_room_access(RoomAccess::Open),
        3,
    )
}

fn four_hundred_operations_without_guards<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject)
        .with_guard_pages(false)
        .with_arena_cache_max_blocks(0);
    run(subject, builder, 4)
}

fn four_hundred_operations_locked_and_resident<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject)
        .with_growth_room(GrowthRoom::Bytes(PAGE))
        .with_lock_in_memory(true)
        .with_prefault(true);
    run(subject, builder, 5)
}

fn four_hundred_operations_with_reallocation<P: Subject>(subject: &P) -> Verdict {
    let builder = moving(subject).with_growth_policy(GrowthPolicy::Reallocate);
    run(subject, builder, 6)
}
