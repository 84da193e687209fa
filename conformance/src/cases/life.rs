//! Allocate, free, and again; what is refused without a memory, or with one.

use os::Protection;
use wasm_arena::{AllocError, PageAllocator, VerificationLevel};

use crate::case::case;
use crate::failure::{ensure_eq, ensure_refused};
use crate::support::{
    PAGE, build, builder, ensure_all_zero, ensure_guarded, ensure_pattern, facts, fill_all,
};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 7] {
    [
        case!(
            a_second_memory_needs_a_free_first,
            "AlreadyAllocated, with the size"
        ),
        case!(nothing_can_be_done_without_a_memory, "NotAllocated"),
        case!(
            a_memory_can_be_made_again_and_again,
            "64 lives of one allocator"
        ),
        case!(a_dropped_allocator_gives_its_memory_back, "no free needed"),
        case!(
            memories_side_by_side_do_not_touch_each_other,
            "six on the same arenas"
        ),
        case!(every_verification_level_works, "a whole life at each"),
        case!(
            a_level_can_be_changed_on_the_way,
            "from off to critical and back"
        ),
    ]
}

fn a_second_memory_needs_a_free_first<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(2, Some(3))?;
    fill_all(&mut memory, 3)?;
    let base = memory.base();
    ensure_refused!(
        memory.allocate(1, None),
        AllocError::AlreadyAllocated { size } if size == 2 * PAGE,
        "the error has the size of the memory held"
    );
    ensure_eq!(memory.base(), base, "the first memory stays where it is");
    ensure_pattern(&memory, 0..2 * PAGE, 3)?;
    memory.free()?;
    memory.allocate(1, None)?;
    Ok(())
}

fn nothing_can_be_done_without_a_memory<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    for _ in 0..2 {
        ensure_refused!(memory.grow(0, 1), AllocError::NotAllocated, "grow");
        ensure_refused!(memory.grow_bytes(0), AllocError::NotAllocated, "grow_bytes");
        ensure_refused!(memory.reset(), AllocError::NotAllocated, "reset");
        ensure_refused!(memory.free(), AllocError::NotAllocated, "free");
        ensure_refused!(
            memory.protect(0, 0, Protection::Read),
            AllocError::NotAllocated,
            "protect"
        );
        ensure_eq!(memory.base(), None, "no base");
        ensure_eq!(memory.size(), 0, "no size");
        ensure_eq!(memory.capacity(), 0, "no capacity");
        ensure_eq!(memory.maximum(), None, "no maximum");
        memory.allocate(1, None)?;
        memory.free()?;
    }
    Ok(())
}

fn a_memory_can_be_made_again_and_again<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    for life in 0..64 {
        let pages = 1 + life % 4;
        memory.allocate(pages, Some(6))?;
        ensure_all_zero(&memory)?;
        fill_all(&mut memory, 4)?;
        memory.free()?;
    }
    ensure_eq!(
        memory.arenas().statistics().memories_allocated,
        64,
        "each life is counted"
    );
    Ok(())
}

fn a_dropped_allocator_gives_its_memory_back<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject);
    let arenas = builder.build_arenas_over(subject.system())?;
    let mut memory = builder.clone().build_in(&arenas)?;
    memory.allocate(2, None)?;
    fill_all(&mut memory, 5)?;
    if facts(subject).pages.can_protect {
        memory.protect(0, PAGE, Protection::None)?;
    }
    drop(memory);
    let statistics = arenas.statistics();
    ensure_eq!(statistics.live_memories, 0, "no memory is live");
    ensure_eq!(statistics.unreturned.regions, 0, "none is lost");
    Ok(())
}

fn memories_side_by_side_do_not_touch_each_other<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject);
    let arenas = builder.build_arenas_over(subject.system())?;
    let make = || builder.clone().build_in(&arenas);
    let mut memories = [make()?, make()?, make()?, make()?, make()?, make()?];
    let mut pages = [0_u32; 6];
    for (index, memory) in (0_u8..).zip(&mut memories) {
        memory.allocate(1 + u32::from(index % 3), None)?;
        pages[usize::from(index)] = 1 + u32::from(index % 3);
        fill_all(memory, 10 + index)?;
    }
    for round in 0..3_u8 {
        for index in 0..memories.len() {
            let current = pages[index];
            memories[index].grow(current, 2)?;
            pages[index] += 2;
            // Every byte of one is written; none of the others may show it.
            fill_all(&mut memories[index], 10 * round + 20)?;
            for (other, memory) in (0_u8..).zip(&memories) {
                let is_new = usize::from(other) <= index;
                let seed = match (is_new, round) {
                    (true, _) => 10 * round + 20,
                    (false, 0) => 10 + other,
                    (false, _) => 10 * (round - 1) + 20,
                };
                ensure_pattern(memory, 0..memory.size(), seed)?;
            }
        }
    }
    for memory in &mut memories {
        ensure_guarded(subject, memory)?;
        memory.free()?;
    }
    Ok(())
}

fn every_verification_level_works<P: Subject>(subject: &P) -> Verdict {
    for level in VerificationLevel::ALL {
        let builder = builder(subject).with_verification_level(level);
        let mut memory = build(subject, builder)?;
        for _ in 0..20 {
            memory.allocate(1, None)?;
            fill_all(&mut memory, 6)?;
            memory.grow(1, 1)?;
            memory.grow(2, 6)?;
            ensure_pattern(&memory, 0..PAGE, 6)?;
            memory.verify()?;
            memory.reset()?;
            ensure_all_zero(&memory)?;
            memory.free()?;
        }
    }
    Ok(())
}

fn a_level_can_be_changed_on_the_way<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_verification_level(VerificationLevel::Off);
    let mut memory = build(subject, builder)?;
    memory.allocate(1, None)?;
    for (pages, level) in (1..).zip(VerificationLevel::ALL.into_iter().rev()) {
        memory.set_verification_level(level);
        ensure_eq!(
            memory.verification_level() as usize,
            level as usize,
            "the level set is the level in force"
        );
        memory.grow(pages, 1)?;
    }
    memory.free()?;
    Ok(())
}
