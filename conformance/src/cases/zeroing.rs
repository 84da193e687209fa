//! New bytes are zero, wherever they come from.

use wasm_arena::{GrowthRoom, PageAllocator, RoomAccess};

use crate::case::case;
use crate::failure::{ensure, ensure_eq};
use crate::support::{
    PAGE, build, builder, ensure_all_zero, ensure_pattern, ensure_zero, fill_all, moving,
};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 10] {
    [
        case!(
            a_fresh_memory_is_zero,
            "0 to 6 pages, before anything was freed"
        ),
        case!(
            a_reused_memory_is_zero,
            "from a kept region that was written all over"
        ),
        case!(
            a_large_reused_memory_is_zero,
            "as before, beyond what is zeroed by hand"
        ),
        case!(
            a_memory_is_zero_though_nothing_is_kept,
            "every region went back before"
        ),
        case!(bytes_grown_in_place_are_zero, "page by page"),
        case!(bytes_grown_by_a_move_are_zero, "page by page"),
        case!(a_reset_memory_is_zero, "and has its first size and base"),
        case!(
            bytes_grown_again_after_a_reset_are_zero,
            "though they were written before"
        ),
        case!(
            open_room_is_zero_when_grown_into,
            "in a region that was written all over"
        ),
        case!(prefaulted_memory_is_zero, "at allocation, growth and reuse"),
    ]
}

fn a_fresh_memory_is_zero<P: Subject>(subject: &P) -> Verdict {
    for pages in 0..=6 {
        let mut memory = build(subject, builder(subject))?;
        memory.allocate(pages, None)?;
        ensure_all_zero(&memory)?;
    }
    Ok(())
}

fn a_reused_memory_is_zero<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    for life in 0..4 {
        memory.allocate(1, Some(2))?;
        ensure_eq!(
            memory.statistics().from_cache,
            life > 0,
            "the region is kept"
        );
        ensure_all_zero(&memory)?;
        fill_all(&mut memory, 7)?;
        memory.grow(1, 1)?;
        ensure_zero(&memory, PAGE..2 * PAGE)?;
        fill_all(&mut memory, 8)?;
        memory.free()?;
    }
    Ok(())
}

fn a_large_reused_memory_is_zero<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    for life in 0..3 {
        memory.allocate(6, Some(6))?;
        ensure_eq!(
            memory.statistics().from_cache,
            life > 0,
            "the region is kept"
        );
        ensure_all_zero(&memory)?;
        fill_all(&mut memory, 9)?;
        memory.free()?;
    }
    Ok(())
}

fn a_memory_is_zero_though_nothing_is_kept<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_arena_cache_max_blocks(0);
    let mut memory = build(subject, builder)?;
    for pages in [1, 2, 1, 5, 3, 1, 2, 5] {
        memory.allocate(pages, None)?;
        ensure!(!memory.statistics().from_cache, "nothing is kept");
        ensure_all_zero(&memory)?;
        fill_all(&mut memory, 10)?;
        memory.grow(pages, 1)?;
        ensure_zero(&memory, pages as usize * PAGE..memory.size())?;
        fill_all(&mut memory, 11)?;
        memory.free()?;
        memory.arenas().trim()?;
    }
    Ok(())
}

fn bytes_grown_in_place_are_zero<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    for _ in 0..2 {
        memory.allocate(1, Some(5))?;
        fill_all(&mut memory, 12)?;
        for pages in 1..5 {
            memory.grow(pages, 1)?;
            ensure_zero(&memory, pages as usize * PAGE..memory.size())?;
            fill_all(&mut memory, 12)?;
        }
        ensure_eq!(memory.statistics().moves, 0, "it never moved");
        memory.free()?;
    }
    Ok(())
}

fn bytes_grown_by_a_move_are_zero<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, moving(subject))?;
    for _ in 0..2 {
        memory.allocate(1, None)?;
        fill_all(&mut memory, 13)?;
        for pages in 1..9 {
            memory.grow(pages, 1)?;
            ensure_zero(&memory, pages as usize * PAGE..memory.size())?;
            fill_all(&mut memory, 13)?;
        }
        ensure!(memory.statistics().moves > 0, "it moved");
        memory.free()?;
    }
    Ok(())
}

fn a_reset_memory_is_zero<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    let (base, _) = memory.allocate(2, Some(6))?;
    for _ in 0..3 {
        memory.grow(2, 3)?;
        fill_all(&mut memory, 14)?;
        memory.reset()?;
        ensure_eq!(memory.size(), 2 * PAGE, "back to the first size");
        ensure_eq!(memory.base(), Some(base), "a reset does not move");
        ensure_all_zero(&memory)?;
    }
    ensure_eq!(memory.statistics().resets, 3, "resets are counted");
    Ok(())
}

fn bytes_grown_again_after_a_reset_are_zero<P: Subject>(subject: &P) -> Verdict {
    for room_access in [RoomAccess::Guarded, RoomAccess::Open] {
        let builder = builder(subject).with_room_access(room_access);
        let mut memory = build(subject, builder)?;
        memory.allocate(1, Some(5))?;
        for _ in 0..3 {
            memory.grow(1, 4)?;
            ensure_all_zero(&memory)?;
            fill_all(&mut memory, 15)?;
            memory.reset()?;
        }
    }
    Ok(())
}

fn open_room_is_zero_when_grown_into<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject)
        .with_room_access(RoomAccess::Open)
        .with_growth_room(GrowthRoom::Bytes(3 * PAGE));
    let mut memory = build(subject, builder)?;
    for _ in 0..3 {
        memory.allocate(1, None)?;
        ensure_all_zero(&memory)?;
        fill_all(&mut memory, 16)?;
        for pages in 1..4 {
            memory.grow(pages, 1)?;
            ensure_zero(&memory, pages as usize * PAGE..memory.size())?;
            ensure_pattern(&memory, 0..pages as usize * PAGE, 16)?;
            fill_all(&mut memory, 16)?;
        }
        memory.free()?;
    }
    Ok(())
}

fn prefaulted_memory_is_zero<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject).with_prefault(true))?;
    for _ in 0..3 {
        memory.allocate(1, None)?;
        ensure_all_zero(&memory)?;
        fill_all(&mut memory, 17)?;
        memory.grow(1, 2)?;
        ensure_zero(&memory, PAGE..3 * PAGE)?;
        memory.grow(3, 6)?;
        ensure_pattern(&memory, 0..PAGE, 17)?;
        ensure_zero(&memory, PAGE..9 * PAGE)?;
        fill_all(&mut memory, 18)?;
        memory.free()?;
    }
    Ok(())
}
