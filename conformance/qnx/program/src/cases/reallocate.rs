//! Growth by the heap's own `realloc`, which moves, loses alignment and reads whole blocks.
#![forbid(unsafe_code)]

use conformance::{Observer, Verdict};
use os::{OsCall, OsError, Protection};
use wasm_arena::{AllocError, ConfigOption, Limitation, Outcome};

use super::LibcCase;
use super::support::{
    Bench, Calls, Memory, PAGE, arenas, base_of, block_around, ensure, ensure_error, ensure_filled,
    ensure_guarded, ensure_protection, ensure_same, ensure_zero, fill, host_page, memory,
    memory_in, named, reallocating, refuse, refuse_from, refused, switch,
};
use crate::bench::{StandIn, Switch};

/// Large enough for a mapping of its own in every heap, so that a growth has to move.
const LARGE: u32 = 8;

pub(super) fn cases() -> [LibcCase; 11] {
    [
        named!(guards_are_lifted_before_realloc, "qnx-facts §9.3"),
        named!(alignment_lost_by_realloc_is_repaired, "qnx-facts §9.4"),
        named!(
            an_aligned_realloc_is_used_as_it_is,
            "no second block where none is needed"
        ),
        named!(
            realloc_falls_back_on_its_own_slack,
            "no memory for an aligned block"
        ),
        named!(
            a_realloc_refused_changes_nothing,
            "the guards go up again, the growth may be tried again"
        ),
        named!(
            guards_refused_once_after_realloc_stand_all_the_same,
            "each mprotect in turn"
        ),
        named!(
            guards_refused_for_good_are_told,
            "whole, unguarded, and not kept for another"
        ),
        named!(
            guards_come_back_with_the_next_growth,
            "once mprotect works again"
        ),
        named!(
            a_spare_block_that_stays_closed_is_counted loses,
            "refused between the spare block and its guards"
        ),
        named!(
            a_memory_with_protections_moves_instead,
            "setting them again could fail when it is too late"
        ),
        named!(
            locked_memory_is_never_reallocated,
            "it could come back without its lock"
        ),
    ]
}

/// A memory that grows by `realloc`, full of a pattern.
fn filled(pages: u32, seed: u8) -> Result<Memory, AllocError> {
    let mut memory = memory(reallocating(), pages)?;
    let size = memory.size();
    fill(&mut memory, 0..size, seed)?;
    Ok(memory)
}

/// Fails unless a memory of `old` pages has become a good one of `new` pages.
#[track_caller]
fn ensure_grown(memory: &Memory, old: u32, new: u32, seed: u8) -> Verdict {
    ensure_kept(memory, old, new, seed)?;
    ensure_guarded(memory)
}

/// As [`ensure_grown`], guards aside.
#[track_caller]
fn ensure_kept(memory: &Memory, old: u32, new: u32, seed: u8) -> Verdict {
    let old = old as usize * PAGE;
    ensure_same!(memory.size_in_pages(), new, "the size is the one asked for");
    ensure!(
        base_of(memory).is_multiple_of(host_page()),
        "the base is aligned"
    );
    ensure_filled(memory, 0..old, seed)?;
    ensure_zero(memory, old..memory.size())
}

fn guards_are_lifted_before_realloc(_: &Bench) -> Verdict {
    let mut memory = filled(LARGE, 3)?;
    let complaints = StandIn.complaints();
    let before = Calls::now();
    memory.grow(2)?;
    ensure_same!(before.since("realloc"), 1, "realloc is used");
    ensure!(before.since("mprotect") >= 3, "guards go down and up again");
    ensure_same!(StandIn.complaints(), complaints, "realloc met no guard");
    ensure_grown(&memory, LARGE, LARGE + 2, 3)
}

fn alignment_lost_by_realloc_is_repaired(_: &Bench) -> Verdict {
    switch(Switch::ReallocMoves, 1)?;
    let mut memory = filled(LARGE, 5)?;
    let before = Calls::now();
    memory.grow(3)?;
    ensure_same!(before.since("realloc"), 1, "realloc is used");
    ensure_same!(
        before.since("posix_memalign"),
        1,
        "an aligned block replaces the result"
    );
    ensure_same!(before.since("free"), 1, "the result goes back");
    ensure_grown(&memory, LARGE, LARGE + 3, 5)?;
    let block = block_around(&memory)?;
    ensure_same!(
        block.start,
        base_of(&memory) - host_page(),
        "the block starts with the guard"
    );
    Ok(())
}

fn an_aligned_realloc_is_used_as_it_is(_: &Bench) -> Verdict {
    switch(Switch::ReallocMoves, 1)?;
    switch(Switch::ReallocKeepsAlignment, 1)?;
    let mut memory = filled(LARGE, 7)?;
    let old = base_of(&memory);
    let before = Calls::now();
    memory.grow(1)?;
    ensure_same!(before.since("realloc"), 1, "realloc is used");
    ensure_same!(
        before.since("posix_memalign"),
        0,
        "no second block is asked for"
    );
    ensure_same!(before.since("free"), 0, "nor given back");
    ensure!(base_of(&memory) != old, "it has moved");
    ensure_same!(memory.allocator().statistics().moves, 1, "and says so");
    ensure_grown(&memory, LARGE, LARGE + 1, 7)
}

fn realloc_falls_back_on_its_own_slack(_: &Bench) -> Verdict {
    switch(Switch::ReallocMoves, 1)?;
    let builder = reallocating();
    let arenas = arenas(&builder)?;
    let mut memory = memory_in(&builder, &arenas, LARGE)?;
    let size = memory.size();
    fill(&mut memory, 0..size, 9)?;
    refuse("posix_memalign", 1)?;
    memory.grow(2)?;
    ensure_same!(refused(), 1, "there was no memory for an aligned block");
    let block = block_around(&memory)?;
    ensure!(
        !block.start.is_multiple_of(host_page()),
        "the block is the misaligned one"
    );
    ensure!(
        base_of(&memory).is_multiple_of(host_page()),
        "the base is aligned"
    );
    ensure_guarded(&memory)?;
    ensure_filled(&memory, 0..size, 9)?;
    ensure_zero(&memory, size..memory.size())?;

    // It serves another memory of its size, from the same place.
    let base = base_of(&memory);
    memory.into_allocator()?;
    ensure_same!(arenas.statistics().cached_regions, 1, "the region is kept");
    let mut memory = memory_in(&builder, &arenas, LARGE + 2)?;
    ensure_same!(base_of(&memory), base, "and used again");
    ensure_zero(&memory, 0..memory.size())?;

    // It grows again, and goes back whole.
    let size = memory.size();
    fill(&mut memory, 0..size, 11)?;
    refuse("posix_memalign", 1)?;
    memory.grow(1)?;
    ensure_same!(refused(), 1, "once more without an aligned block");
    ensure_guarded(&memory)?;
    ensure_filled(&memory, 0..size, 11)?;
    memory.into_allocator()?;
    let before = Calls::now();
    arenas.trim()?;
    ensure_same!(before.since("free"), 2, "the block and its record go back");
    ensure_same!(arenas.statistics().unreturned.regions, 0, "nothing is lost");
    Ok(())
}

fn a_realloc_refused_changes_nothing(_: &Bench) -> Verdict {
    let mut memory = filled(LARGE, 13)?;
    let base = base_of(&memory);
    refuse("realloc", 1)?;
    let grown = memory.grow(4);
    ensure_same!(refused(), 1, "realloc was refused");
    ensure_error!(
        grown,
        AllocError::Os(OsError {
            call: OsCall::Reallocate,
            ..
        }),
        "the refusal is told"
    );
    ensure_same!(base_of(&memory), base, "the base is the same");
    ensure_grown(&memory, LARGE, LARGE, 13)?;
    memory.grow(4)?;
    ensure_grown(&memory, LARGE, LARGE + 4, 13)
}

fn guards_refused_once_after_realloc_stand_all_the_same(_: &Bench) -> Verdict {
    switch(Switch::ReallocMoves, 1)?;
    for aligned in [0, 1] {
        switch(Switch::ReallocKeepsAlignment, aligned)?;
        let mut n = 1;
        loop {
            let mut memory = filled(LARGE, 17)?;
            let before = Calls::now();
            refuse("mprotect", n)?;
            let grown = memory.grow(2);
            let met = refused();
            if before.since("realloc") == 0 {
                ensure_error!(
                    grown,
                    AllocError::Os(OsError {
                        call: OsCall::Protect,
                        ..
                    }),
                    "guards that cannot be lifted refuse the growth"
                );
                ensure_grown(&memory, LARGE, LARGE, 17)?;
            } else {
                grown?;
                ensure_grown(&memory, LARGE, LARGE + 2, 17)?;
            }
            ensure_same!(
                memory.allocator().arenas().statistics().unreturned.regions,
                0,
                "nothing is lost"
            );
            if met == 0 {
                break;
            }
            n += 1;
        }
        ensure!(n > 3, "lifting, and each guard, was refused");
    }
    Ok(())
}

fn guards_refused_for_good_are_told(_: &Bench) -> Verdict {
    switch(Switch::ReallocMoves, 1)?;
    for aligned in [0, 1] {
        switch(Switch::ReallocKeepsAlignment, aligned)?;
        let builder = reallocating();
        let arenas = arenas(&builder)?;
        let held = StandIn.held_bytes();
        let mut memory = memory_in(&builder, &arenas, LARGE)?;
        let size = memory.size();
        fill(&mut memory, 0..size, 19)?;
        // The first lifts the guards, the second is realloc.
        refuse_from(3);
        let grown = memory.grow(2);
        ensure!(refused() > 0, "guards were refused");
        grown?;
        ensure_filled(&memory, 0..size, 19)?;
        ensure_zero(&memory, size..memory.size())?;
        ensure!(
            memory.allocator().statistics().guards_down,
            "the account says so"
        );
        ensure_error!(
            memory.allocator().verify(),
            AllocError::GuardDamaged { .. },
            "and so does a check"
        );
        memory.into_allocator()?;
        let after = arenas.statistics();
        ensure_same!(after.cached_regions, 0, "the region serves nobody else");
        ensure_same!(after.unreturned.regions, 0, "nor is it lost");
        ensure_same!(StandIn.held_bytes(), held, "it is with the heap again");
    }
    Ok(())
}

fn guards_come_back_with_the_next_growth(_: &Bench) -> Verdict {
    let mut memory = filled(LARGE, 23)?;
    refuse_from(3);
    let grown = memory.grow(2);
    ensure!(refused() > 0, "guards were refused");
    grown?;
    ensure!(
        memory.allocator().statistics().guards_down,
        "guards are down"
    );
    ensure_kept(&memory, LARGE, LARGE + 2, 23)?;
    memory.grow(1)?;
    ensure_grown(&memory, LARGE, LARGE + 3, 23)
}

fn a_spare_block_that_stays_closed_is_counted(_: &Bench) -> Verdict {
    switch(Switch::ReallocMoves, 1)?;
    let builder = reallocating();
    let arenas = arenas(&builder)?;
    let held = StandIn.held_bytes();
    let mut memory = memory_in(&builder, &arenas, LARGE)?;
    let size = memory.size();
    fill(&mut memory, 0..size, 29)?;
    // Lift, realloc, an aligned block; then nothing more.
    refuse_from(4);
    let grown = memory.grow(2);
    ensure!(refused() > 0, "its guards were refused");
    grown?;
    ensure_filled(&memory, 0..size, 29)?;
    ensure_zero(&memory, size..memory.size())?;
    ensure!(
        memory.allocator().statistics().guards_down,
        "guards are down"
    );
    memory.into_allocator()?;
    let lost = arenas.statistics().unreturned;
    ensure_same!(lost.regions, 1, "the spare block is counted");
    ensure_same!(
        StandIn.held_bytes(),
        held + lost.bytes,
        "and nothing else is lost"
    );
    Ok(())
}

fn a_memory_with_protections_moves_instead(_: &Bench) -> Verdict {
    let page = host_page();
    let mut memory = filled(LARGE, 31)?;
    memory.protect(PAGE, page, Protection::Read)?;
    let before = Calls::now();
    memory.grow(2)?;
    ensure_same!(before.since("realloc"), 0, "realloc is not used");
    let base = base_of(&memory);
    ensure_protection(base + PAGE, Protection::Read)?;
    ensure_protection(base + PAGE + page, Protection::ReadWrite)?;
    ensure_grown(&memory, LARGE, LARGE + 2, 31)?;

    // Once all of it is plain again, so is the way it grows.
    memory.protect(PAGE, page, Protection::ReadWrite)?;
    memory.grow(1)?;
    ensure_same!(before.since("realloc"), 1, "realloc is used again");
    ensure_grown(&memory, LARGE, LARGE + 3, 31)
}

fn locked_memory_is_never_reallocated(_: &Bench) -> Verdict {
    let mut memory = memory(reallocating().with_lock_in_memory(true), LARGE)?;
    let policy = memory
        .allocator()
        .effective_configuration()
        .get(ConfigOption::GrowthPolicy)
        .map(|option| option.outcome);
    ensure!(
        policy == Some(Outcome::Unsupported(Limitation::NoReallocateLocked)),
        "the effective configuration says so"
    );
    let size = memory.size();
    fill(&mut memory, 0..size, 37)?;
    let before = Calls::now();
    memory.grow(2)?;
    ensure_same!(before.since("realloc"), 0, "realloc is not used");
    ensure_same!(before.since("mlock"), 1, "the new region is locked");
    ensure_grown(&memory, LARGE, LARGE + 2, 37)?;
    ensure!(StandIn.locked_bytes() >= memory.size(), "all of it");
    Ok(())
}
