//! Which calls of the C library an operation makes, and which none does.
#![forbid(unsafe_code)]

use conformance::{Observer, Subject, Verdict};
use os::Protection;
use wasm_arena::{AllocError, GrowthPolicy, GrowthRoom, LinearMemory};

use super::LibcCase;
use super::support::{
    Bench, Calls, PAGE, arenas, builder, ensure, ensure_error, ensure_same, ensure_zero, failure,
    fill, heap_settings, host_page, memory_in, named, switch,
};
use crate::bench::{self, StandIn, Switch};
use crate::subjects::LIBC;

pub(super) fn cases() -> [LibcCase; 6] {
    [
        named!(
            growth_changes_no_setting_of_the_process,
            "nor does anything else in the life of a memory"
        ),
        named!(
            a_cycle_of_the_same_shape_makes_no_call,
            "allocate, touch, free, a hundred times"
        ),
        named!(
            growth_into_room_is_one_call,
            "mprotect, and none where the room is open"
        ),
        named!(
            trim_returns_blocks_and_their_records,
            "what is kept here, and what the heap keeps"
        ),
        named!(
            two_gigabytes_in_one_block_are_refused_with_the_limit,
            "qnx-facts §3.3, §9.30"
        ),
        named!(
            sixty_five_thousand_pages_are_refused_with_their_true_size,
            "4 GiB fit no number of 32 bits"
        ),
    ]
}

fn growth_changes_no_setting_of_the_process(_: &Bench) -> Verdict {
    for (policy, room) in [
        (GrowthPolicy::MoveWhenFull, 0),
        (GrowthPolicy::MoveWhenFull, PAGE),
        (GrowthPolicy::InPlace, 3 * PAGE),
        (GrowthPolicy::ReserveMaximum, 0),
        (GrowthPolicy::Reallocate, 0),
    ] {
        let builder = builder()
            .with_growth_policy(policy)
            .with_growth_room(GrowthRoom::Bytes(room));
        let arenas = arenas(&builder)?;
        let settings = heap_settings();
        let before = Calls::now();
        let allocator = builder.build_in(&arenas)?;
        let mut memory = LinearMemory::new(allocator, 2, Some(5))?;
        memory.grow(1)?;
        memory.grow(2)?;
        memory.protect(0, host_page(), Protection::Read)?;
        memory.reset()?;
        memory.into_allocator()?;
        ensure!(before.since("posix_memalign") > 0, "a block was asked for");
        ensure_same!(before.since("mallopt"), 0, "mallopt is not called");
        ensure!(heap_settings() == settings, "the settings are as they were");
    }
    Ok(())
}

fn a_cycle_of_the_same_shape_makes_no_call(_: &Bench) -> Verdict {
    let builder = builder();
    let arenas = arenas(&builder)?;
    memory_in(&builder, &arenas, 2)?.into_allocator()?;
    let allocator = builder.clone().build_in(&arenas)?;
    let mut memory = LinearMemory::new(allocator, 2, None)?;
    let before = Calls::now();
    for _ in 0..100 {
        fill(&mut memory, 0..2 * PAGE, 67)?;
        memory = LinearMemory::new(memory.into_allocator()?, 2, None)?;
        ensure_zero(&memory, 0..2 * PAGE)?;
    }
    for (name, count) in before.all_since() {
        if count != 0 && !bench::is_lock(name) {
            return Err(failure(name, count as u64, 0));
        }
    }
    ensure_same!(
        arenas.statistics().cache_hits,
        101,
        "each was served by a kept region"
    );
    Ok(())
}

fn growth_into_room_is_one_call(_: &Bench) -> Verdict {
    use wasm_arena::RoomAccess;
    for (access, calls) in [(RoomAccess::Guarded, 1), (RoomAccess::Open, 0)] {
        let builder = builder()
            .with_growth_room(GrowthRoom::Bytes(4 * PAGE))
            .with_room_access(access);
        let arenas = arenas(&builder)?;
        let mut memory = memory_in(&builder, &arenas, 1)?;
        let before = Calls::now();
        memory.grow(2)?;
        ensure_same!(before.since("mprotect"), calls, "mprotect opens the room");
        ensure_same!(before.total_since(), calls, "and that is all");
    }
    Ok(())
}

fn trim_returns_blocks_and_their_records(_: &Bench) -> Verdict {
    let has_arenas = LIBC.system().version().profile().has_arenas;
    // What comes back to the heap is kept there if it can be told to.
    switch(Switch::LargeBlocksCached, 1)?;
    let builder = builder();
    let arenas = arenas(&builder)?;
    let held = StandIn.held_bytes();
    let memories = [
        memory_in(&builder, &arenas, 3)?,
        memory_in(&builder, &arenas, 5)?,
    ];
    for memory in memories {
        memory.into_allocator()?;
    }
    ensure_same!(arenas.statistics().cached_regions, 2, "both are kept here");
    let before = Calls::now();
    let heap = bench::heap_bytes();
    let given_back = arenas.trim()?;
    ensure_same!(
        arenas.statistics().cached_regions,
        0,
        "nothing is kept here"
    );
    ensure_same!(bench::cached_bytes(), 0, "nor by the heap");
    ensure_same!(
        before.since("free"),
        4,
        "two blocks and their records go back"
    );
    ensure_same!(
        before.since("mallopt"),
        usize::from(has_arenas),
        "if it has a cache"
    );
    ensure_same!(StandIn.held_bytes(), held, "nothing is held");
    ensure!(given_back >= 8 * PAGE, "the result counts the regions");
    ensure!(
        !has_arenas || heap - bench::heap_bytes() > 8 * PAGE,
        "the system has it all"
    );
    Ok(())
}

fn two_gigabytes_in_one_block_are_refused_with_the_limit(_: &Bench) -> Verdict {
    let builder = builder();
    let arenas = arenas(&builder)?;
    let (held, heap) = (StandIn.held_bytes(), bench::heap_bytes());
    let refusal = memory_in(&builder, &arenas, 1 << 15);
    // What does not even fit the address space is refused for that.
    #[cfg(target_pointer_width = "64")]
    ensure_error!(
        refusal,
        AllocError::BeyondBlockLimit { requested, limit: 0x7fff_ffff }
            if requested == (1 << 31) + 2 * host_page(),
        "both numbers are told"
    );
    #[cfg(target_pointer_width = "32")]
    ensure_error!(
        refusal,
        AllocError::TooLarge { bytes } if bytes >= 1 << 31,
        "the number is told"
    );
    ensure_same!(StandIn.held_bytes(), held, "nothing is left");
    ensure!(
        bench::heap_bytes() <= heap + PAGE,
        "no block was taken for it"
    );
    Ok(())
}

fn sixty_five_thousand_pages_are_refused_with_their_true_size(_: &Bench) -> Verdict {
    const BYTES: u64 = 1 << 32;
    let builder = builder();
    let arenas = arenas(&builder)?;
    let refusal = memory_in(&builder, &arenas, 1 << 16);
    #[cfg(target_pointer_width = "64")]
    ensure_error!(
        refusal,
        AllocError::BeyondBlockLimit { requested, .. }
            if requested as u64 == BYTES + 2 * host_page() as u64,
        "the true size is told"
    );
    #[cfg(target_pointer_width = "32")]
    ensure_error!(
        refusal,
        AllocError::TooLarge { bytes: BYTES },
        "the true size is told"
    );
    // As a maximum it is no more than a promise.
    let allocator = builder.build_in(&arenas)?;
    let mut memory = LinearMemory::new(allocator, 1, Some(1 << 16))?;
    memory.grow(1)?;
    ensure_same!(memory.size(), 2 * PAGE, "it is as large as was asked");
    ensure_error!(
        memory.grow(u32::MAX),
        AllocError::BeyondMaximum { .. } | AllocError::TooLarge { .. },
        "no sum wraps around"
    );
    ensure_same!(memory.size(), 2 * PAGE, "nor does the size");
    Ok(())
}
