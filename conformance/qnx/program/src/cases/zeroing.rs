//! The heap hands out what others left, and so does `realloc`: whatever a memory shows for the first
//! time is zeroed by whoever opens it.

use conformance::{Failure, Subject, Verdict};
use os::Protection;
use wasm_arena::RoomAccess;
use wasm_arena::{Allocator, ArenasRef, GrowthPolicy, GrowthRoom, LinearMemory, PageAllocator};

use super::LibcCase;
use super::support::{
    Bench, PAGE, arenas, base_of, builder, ensure, ensure_filled, ensure_protection, ensure_same,
    ensure_zero, failure, fill, host_page, memory, memory_in, named, switch, zero,
};
use crate::bench::{self, Switch};
use crate::subjects::LIBC;

pub(super) fn cases() -> [LibcCase; 6] {
    [
        named!(fresh_blocks_are_zeroed, "posix_memalign clears nothing"),
        named!(
            recycled_blocks_are_zeroed,
            "whether the heap keeps large blocks or not"
        ),
        named!(
            grown_bytes_are_zeroed_with_each_recipe,
            "in place, moved, reallocated"
        ),
        named!(bytes_given_up_by_a_reset_come_back_zero, "with each recipe"),
        named!(
            room_is_zeroed_when_it_opens,
            "also room another memory has written to"
        ),
        named!(
            readable_guards_are_zeroed,
            "a guard that can be read tells nothing of others"
        ),
    ]
}

/// Every way to grow, with the room it needs.
const RECIPES: [(GrowthPolicy, usize); 5] = [
    (GrowthPolicy::MoveWhenFull, 4 * PAGE),
    (GrowthPolicy::MoveWhenFull, 0),
    (GrowthPolicy::InPlace, 4 * PAGE),
    (GrowthPolicy::ReserveMaximum, 0),
    (GrowthPolicy::Reallocate, 0),
];

fn fresh_blocks_are_zeroed(_: &Bench) -> Verdict {
    for pages in [1, 2, 5, 33] {
        let memory = memory(builder(), pages)?;
        ensure_same!(memory.size(), pages as usize * PAGE, "it is that large");
        ensure_zero(&memory, 0..memory.size())?;
    }
    Ok(())
}

fn recycled_blocks_are_zeroed(_: &Bench) -> Verdict {
    for kept in [0, 1] {
        switch(Switch::LargeBlocksCached, kept)?;
        // One region is kept here, the other goes back to the heap, which may keep it as well.
        let builder = builder().with_arena_cache_max_blocks(1);
        let arenas = arenas(&builder)?;
        let mut first = memory_in(&builder, &arenas, 3)?;
        let mut second = memory_in(&builder, &arenas, 3)?;
        let bases = [base_of(&first), base_of(&second)];
        for memory in [&mut first, &mut second] {
            fill(memory, 0..3 * PAGE, 41)?;
        }
        first.into_allocator()?;
        second.into_allocator()?;
        if kept == 1 {
            ensure_same!(arenas.statistics().cached_regions, 1, "one is kept here");
        }
        let first = memory_in(&builder, &arenas, 3)?;
        let second = memory_in(&builder, &arenas, 3)?;
        ensure!(
            [&first, &second]
                .map(base_of)
                .iter()
                .any(|base| bases.contains(base)),
            "memory was used again"
        );
        ensure_zero(&first, 0..3 * PAGE)?;
        ensure_zero(&second, 0..3 * PAGE)?;
    }
    Ok(())
}

fn grown_bytes_are_zeroed_with_each_recipe(_: &Bench) -> Verdict {
    for (policy, room) in RECIPES {
        for moves in [0, 1] {
            switch(Switch::ReallocMoves, moves)?;
            let builder = builder()
                .with_growth_policy(policy)
                .with_growth_room(GrowthRoom::Bytes(room));
            let allocator = builder.build_over(LIBC.system())?;
            let mut memory = LinearMemory::new(allocator, 2, Some(6))?;
            for _ in 0..3 {
                let size = memory.size();
                fill(&mut memory, 0..size, 43)?;
                memory.grow(1)?;
                ensure_filled(&memory, 0..size, 43)?;
                ensure_zero(&memory, size..memory.size())?;
            }
            ensure_same!(memory.size(), 5 * PAGE, "it has grown");
        }
    }
    Ok(())
}

fn bytes_given_up_by_a_reset_come_back_zero(_: &Bench) -> Verdict {
    for (policy, room) in RECIPES {
        let builder = builder()
            .with_growth_policy(policy)
            .with_growth_room(GrowthRoom::Bytes(room));
        let allocator = builder.build_over(LIBC.system())?;
        let mut memory = LinearMemory::new(allocator, 1, Some(4))?;
        for _ in 0..2 {
            memory.grow(3)?;
            fill(&mut memory, 0..4 * PAGE, 47)?;
            memory.reset()?;
            ensure_same!(memory.size(), PAGE, "it is small again");
            ensure_zero(&memory, 0..PAGE)?;
        }
        memory.grow(3)?;
        ensure_zero(&memory, 0..4 * PAGE)?;
    }
    Ok(())
}

fn room_is_zeroed_when_it_opens(_: &Bench) -> Verdict {
    for access in [RoomAccess::Guarded, RoomAccess::Open] {
        let builder = builder()
            .with_growth_room(GrowthRoom::Bytes(3 * PAGE))
            .with_room_access(access);
        let arenas = arenas(&builder)?;
        for hits in 0..3 {
            let mut memory = memory_in(&builder, &arenas, 1)?;
            ensure_same!(
                arenas.statistics().cache_hits,
                hits,
                "later ones are reused"
            );
            for size in 1..4 {
                ensure_zero(&memory, 0..size * PAGE)?;
                memory.grow(1)?;
            }
            ensure_same!(
                memory.allocator().statistics().moves,
                0,
                "it grows in place"
            );
            ensure_zero(&memory, 0..4 * PAGE)?;
            fill(&mut memory, 0..4 * PAGE, 53)?;
            memory.into_allocator()?;
        }
    }
    Ok(())
}

fn readable_guards_are_zeroed(_: &Bench) -> Verdict {
    for policy in [GrowthPolicy::MoveWhenFull, GrowthPolicy::Reallocate] {
        let builder = builder()
            .with_guard_protection(Protection::Read)
            .with_growth_policy(policy);
        let mut memory = memory(builder, 2)?;
        for _ in 0..3 {
            let size = memory.size();
            fill(&mut memory, 0..size, 59)?;
            let (before, after) = guards(&memory)?;
            zero(before, 0)?;
            zero(after, 0)?;
            memory.grow(1)?;
        }
    }
    Ok(())
}

/// The bytes of both guards of a memory whose guards can be read.
fn guards<R: ArenasRef>(memory: &LinearMemory<Allocator<R>>) -> Result<(&[u8], &[u8]), Failure> {
    let page = host_page();
    let address = base_of(memory);
    let end = address + memory.allocator().capacity();
    ensure_protection(address - page, Protection::Read)?;
    ensure_protection(end, Protection::Read)?;
    let block = bench::block_of(address).ok_or_else(|| failure("it is in a block", 0, 1))?;
    ensure!(
        block.0 <= address - page && end + page <= block.0 + block.1,
        "guards are in the block"
    );
    let base = memory
        .allocator()
        .base()
        .ok_or_else(|| failure("it has a base", 0, 1))?;
    let before = base.as_ptr().wrapping_sub(page).cast_const();
    let after = base.as_ptr().wrapping_add(end - address).cast_const();
    // SAFETY: a page inside the block of this memory that can be read (all checked above); the heap
    // filled the block when it handed it out, and the borrow of the memory keeps it in place.
    let before = unsafe { core::slice::from_raw_parts(before, page) };
    // SAFETY: as above.
    let after = unsafe { core::slice::from_raw_parts(after, page) };
    Ok((before, after))
}
