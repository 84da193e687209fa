//! Locks that are refused, and blocks that cannot go back: what is lost is lost on purpose, and
//! counted.
#![forbid(unsafe_code)]

use conformance::{Observer, Verdict};
use os::{Errno, OsCall, OsError, Reason};
use wasm_arena::{AllocError, GrowthRoom};

use super::LibcCase;
use super::support::{
    Bench, Calls, PAGE, arenas, base_of, block_around, builder, ensure, ensure_error,
    ensure_filled, ensure_guarded, ensure_same, fill, keeping_nothing, memory_in, named, refuse,
    refused, switch,
};
use crate::bench::{self, StandIn, Switch};

pub(super) fn cases() -> [LibcCase; 7] {
    [
        named!(
            locked_blocks_are_unlocked_before_they_go_back,
            "a lock would be somebody else's"
        ),
        named!(
            a_block_that_cannot_be_unlocked_is_leaked_and_counted loses,
            "munlock refused"
        ),
        named!(
            a_block_that_cannot_be_opened_is_leaked_and_counted loses,
            "qnx-facts §9.2"
        ),
        named!(
            mlock_refused_is_an_error_that_leaves_nothing,
            "without the ability, and without the memory"
        ),
        named!(
            a_growth_whose_lock_is_refused_leaves_the_memory,
            "in place and by moving"
        ),
        named!(
            a_guard_refused_at_allocation_leaves_nothing,
            "qnx-facts §9.18: each mprotect in turn"
        ),
        named!(
            memalign_minus_one_is_a_failure_with_its_errno,
            "qnx-facts §4.7, both ways"
        ),
    ]
}

fn locked_blocks_are_unlocked_before_they_go_back(_: &Bench) -> Verdict {
    let builder = keeping_nothing().with_lock_in_memory(true);
    let arenas = arenas(&builder)?;
    let mut memory = memory_in(&builder, &arenas, 2)?;
    ensure_same!(
        StandIn.locked_bytes(),
        2 * PAGE,
        "the data is locked, guards are not"
    );
    memory.grow(1)?;
    ensure_same!(
        StandIn.locked_bytes(),
        3 * PAGE,
        "after a move, the new data alone"
    );
    let complaints = StandIn.complaints();
    let before = Calls::now();
    memory.into_allocator()?;
    ensure_same!(before.since("munlock"), 1, "it is unlocked");
    ensure_same!(before.since("free"), 2, "the block and its record go back");
    ensure_same!(StandIn.locked_bytes(), 0, "no page stays locked");
    ensure_same!(StandIn.complaints(), complaints, "the heap met no lock");
    Ok(())
}

fn a_block_that_cannot_be_unlocked_is_leaked_and_counted(_: &Bench) -> Verdict {
    let builder = keeping_nothing().with_lock_in_memory(true);
    let arenas = arenas(&builder)?;
    let held = StandIn.held_bytes();
    let memory = memory_in(&builder, &arenas, 2)?;
    let block = block_around(&memory)?;
    let before = Calls::now();
    refuse("munlock", 1)?;
    let ended = memory.into_allocator();
    ensure_same!(refused(), 1, "munlock was refused");
    drop(ended);
    ensure_same!(
        before.since("free"),
        1,
        "the record goes back, the block does not"
    );
    let lost = arenas.statistics().unreturned;
    ensure_same!(lost.regions, 1, "it is counted");
    ensure_same!(lost.bytes, block.len(), "to the byte");
    ensure_same!(
        StandIn.held_bytes(),
        held + block.len(),
        "and nothing else is lost"
    );
    ensure!(
        bench::block_of(block.start).is_some(),
        "the heap still calls it ours"
    );
    Ok(())
}

fn a_block_that_cannot_be_opened_is_leaked_and_counted(_: &Bench) -> Verdict {
    let builder = keeping_nothing();
    let arenas = arenas(&builder)?;
    let held = StandIn.held_bytes();
    let memory = memory_in(&builder, &arenas, 2)?;
    let block = block_around(&memory)?;
    let before = Calls::now();
    refuse("mprotect", 1)?;
    let ended = memory.into_allocator();
    ensure_same!(refused(), 1, "lifting the guards was refused");
    drop(ended);
    ensure_same!(
        before.since("free"),
        1,
        "the record goes back, the block does not"
    );
    let lost = arenas.statistics().unreturned;
    ensure_same!(lost.regions, 1, "it is counted");
    ensure_same!(lost.bytes, block.len(), "to the byte");
    ensure_same!(
        StandIn.held_bytes(),
        held + block.len(),
        "and nothing else is lost"
    );
    // The arenas go on.
    let memory = memory_in(&builder, &arenas, 2)?;
    ensure_guarded(&memory)?;
    ensure!(!block.contains(&base_of(&memory)), "in another block");
    Ok(())
}

/// `EPERM` and `EAGAIN` (qnx-facts §6.5).
const REFUSALS_OF_LOCKS: [i32; 2] = [1, 11];

fn mlock_refused_is_an_error_that_leaves_nothing(_: &Bench) -> Verdict {
    let builder = builder().with_lock_in_memory(true);
    let arenas = arenas(&builder)?;
    let held = StandIn.held_bytes();
    for number in REFUSALS_OF_LOCKS {
        switch(Switch::MlockRefused, number as isize)?;
        let before = Calls::now();
        let refusal = memory_in(&builder, &arenas, 2);
        ensure_same!(before.since("mlock"), 1, "the lock was tried");
        ensure_error!(
            refusal,
            AllocError::Os(OsError {
                call: OsCall::Lock,
                reason: Reason::Errno(Errno(told)),
                ..
            }) if told == number,
            "the refusal is told with its number"
        );
        ensure_same!(StandIn.held_bytes(), held, "nothing is left");
        ensure_same!(StandIn.locked_bytes(), 0, "nothing is locked");
        ensure_same!(arenas.statistics().unreturned.regions, 0, "nothing is lost");
    }
    switch(Switch::MlockRefused, 0)?;
    memory_in(&builder, &arenas, 2)?;
    Ok(())
}

fn a_growth_whose_lock_is_refused_leaves_the_memory(_: &Bench) -> Verdict {
    for room in [0, 2 * PAGE] {
        let builder = keeping_nothing()
            .with_lock_in_memory(true)
            .with_growth_room(GrowthRoom::Bytes(room));
        let arenas = arenas(&builder)?;
        let mut memory = memory_in(&builder, &arenas, 2)?;
        fill(&mut memory, 0..2 * PAGE, 61)?;
        let (base, held) = (base_of(&memory), StandIn.held_bytes());
        for number in REFUSALS_OF_LOCKS {
            switch(Switch::MlockRefused, number as isize)?;
            ensure_error!(
                memory.grow(1),
                AllocError::Os(OsError {
                    call: OsCall::Lock,
                    ..
                }),
                "the refusal is told"
            );
            ensure_same!(memory.size(), 2 * PAGE, "the size is the same");
            ensure_same!(base_of(&memory), base, "and so is the base");
            ensure_same!(StandIn.locked_bytes(), 2 * PAGE, "and what is locked");
            ensure_same!(StandIn.held_bytes(), held, "and what is held");
            ensure_guarded_room(&memory)?;
            ensure_filled(&memory, 0..2 * PAGE, 61)?;
        }
        switch(Switch::MlockRefused, 0)?;
        memory.grow(1)?;
        ensure_same!(StandIn.locked_bytes(), 3 * PAGE, "then it grows");
    }
    Ok(())
}

/// Guards are up, and the room is closed.
#[track_caller]
fn ensure_guarded_room(
    memory: &wasm_arena::LinearMemory<
        wasm_arena::Allocator<&wasm_arena::Arenas<crate::subjects::Libc>>,
    >,
) -> Verdict {
    ensure_guarded(memory)?;
    let end = base_of(memory) + memory.size();
    super::support::ensure_protection(end, os::Protection::None)
}

fn a_guard_refused_at_allocation_leaves_nothing(_: &Bench) -> Verdict {
    let builder = builder().with_growth_room(GrowthRoom::Bytes(PAGE));
    let arenas = arenas(&builder)?;
    let held = StandIn.held_bytes();
    let mut n = 1;
    loop {
        refuse("mprotect", n)?;
        let made = memory_in(&builder, &arenas, 1);
        if refused() == 0 {
            ensure_guarded(&made?)?;
            break;
        }
        ensure_error!(
            made,
            AllocError::Os(OsError {
                call: OsCall::Protect,
                ..
            }),
            "the refusal is told"
        );
        ensure_same!(StandIn.held_bytes(), held, "nothing is left");
        ensure_same!(arenas.statistics().unreturned.regions, 0, "nothing is lost");
        n += 1;
    }
    ensure_same!(n, 3, "each of two guards was refused");
    Ok(())
}

fn memalign_minus_one_is_a_failure_with_its_errno(_: &Bench) -> Verdict {
    for minus_one in [0, 1] {
        switch(Switch::MemalignMinusOne, minus_one)?;
        let builder = builder();
        let arenas = arenas(&builder)?;
        let held = StandIn.held_bytes();
        for n in [1, 2] {
            refuse("posix_memalign", n)?;
            let refusal = memory_in(&builder, &arenas, 1);
            ensure_same!(refused(), 1, "the block, or its record, was refused");
            // ENOMEM: qnx-facts §8.1.
            ensure_error!(
                refusal,
                AllocError::Os(OsError {
                    call: OsCall::Allocate,
                    reason: Reason::Errno(Errno(12)),
                    ..
                }),
                "the error number is told"
            );
            ensure_same!(StandIn.held_bytes(), held, "nothing is left");
        }
    }
    Ok(())
}
