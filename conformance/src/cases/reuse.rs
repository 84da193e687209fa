//! Released regions: kept within the limits, reused without a call, given back on request.

use wasm_arena::{PageAllocator, RoomAccess};

use crate::case::case;
use crate::failure::{ensure, ensure_eq};
use crate::support::{
    Builder, PAGE, SubjectArenas, build, builder, ensure_all_zero, fill_all, moving,
};
use crate::{Case, Failure, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 12] {
    [
        case!(
            the_steady_state_makes_no_call,
            "allocate, write, free: 0 calls"
        )
        .observed(),
        case!(
            the_steady_state_with_open_room_makes_no_call,
            "growth too: 0 calls"
        )
        .observed(),
        case!(
            the_steady_state_of_several_memories_makes_no_call,
            "0 calls"
        )
        .observed(),
        case!(a_released_region_is_reused, "at the same base"),
        case!(
            a_region_of_another_shape_is_not_reused,
            "but one of its own shape is"
        ),
        case!(reuse_follows_the_order_asked_for, "last in or first in"),
        case!(no_more_regions_are_kept_than_allowed, "a limit by count"),
        case!(no_more_bytes_are_kept_than_allowed, "a limit by bytes"),
        case!(holding_keeps_everything, "whatever the limits say"),
        case!(lowered_limits_act_at_once, "what is beyond them goes"),
        case!(trim_gives_everything_back, "whatever is kept"),
        case!(
            nothing_is_held_once_the_arenas_are_gone,
            "regions and records"
        )
        .observed(),
    ]
}

/// Calls made by 100 cycles, after two to warm up.
fn calls_of_a_hundred<P: Subject>(
    subject: &P,
    mut cycle: impl FnMut() -> Verdict,
) -> Result<usize, Failure> {
    let Some(observer) = subject.observer() else {
        return Ok(0);
    };
    cycle()?;
    cycle()?;
    let before = observer.calls();
    for _ in 0..100 {
        cycle()?;
    }
    Ok(observer.calls() - before)
}

fn the_steady_state_makes_no_call<P: Subject>(subject: &P) -> Verdict {
    for builder in [
        builder(subject),
        moving(subject),
        builder(subject).with_guard_pages(false),
    ] {
        let mut memory = build(subject, builder)?;
        let calls = calls_of_a_hundred(subject, || {
            memory.allocate(1, Some(5))?;
            fill_all(&mut memory, 1)?;
            memory.free()?;
            Ok(())
        })?;
        ensure_eq!(calls, 0, "nobody is asked");
        ensure!(memory.statistics().from_cache, "the region is kept");
    }
    Ok(())
}

fn the_steady_state_with_open_room_makes_no_call<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_room_access(RoomAccess::Open);
    let mut memory = build(subject, builder)?;
    let calls = calls_of_a_hundred(subject, || {
        memory.allocate(1, None)?;
        memory.grow(1, 1)?;
        ensure_all_zero(&memory)?;
        fill_all(&mut memory, 2)?;
        memory.reset()?;
        memory.grow(1, 1)?;
        ensure_all_zero(&memory)?;
        memory.free()?;
        Ok(())
    })?;
    ensure_eq!(calls, 0, "nobody is asked");
    Ok(())
}

fn the_steady_state_of_several_memories_makes_no_call<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject);
    let arenas = builder.build_arenas_over(subject.system())?;
    let make = || builder.clone().build_in(&arenas);
    let mut memories = [make()?, make()?, make()?];
    let calls = calls_of_a_hundred(subject, || {
        for (pages, memory) in (1..).zip(&mut memories) {
            memory.allocate(pages.min(2), Some(pages))?;
            fill_all(memory, 3)?;
        }
        for memory in &mut memories {
            memory.free()?;
        }
        Ok(())
    })?;
    ensure_eq!(calls, 0, "nobody is asked");
    Ok(())
}

fn a_released_region_is_reused<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    let (first, _) = memory.allocate(2, Some(3))?;
    memory.free()?;
    ensure_eq!(memory.arenas().statistics().cached_regions, 1, "it is kept");
    let (second, _) = memory.allocate(2, Some(3))?;
    ensure_eq!(second, first, "the same base");
    let statistics = memory.arenas().statistics();
    ensure_eq!(statistics.cached_regions, 0, "it is in use");
    ensure_eq!(statistics.cache_hits, 1, "one hit");
    ensure_eq!(statistics.cache_misses, 1, "one miss");
    Ok(())
}

fn a_region_of_another_shape_is_not_reused<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, moving(subject))?;
    for (pages, kept) in [
        (1, false),
        (2, false),
        (3, false),
        (2, true),
        (1, true),
        (3, true),
    ] {
        memory.allocate(pages, Some(pages))?;
        ensure_eq!(
            memory.statistics().from_cache,
            kept,
            "only what fits is reused"
        );
        memory.free()?;
    }
    Ok(())
}

fn reuse_follows_the_order_asked_for<P: Subject>(subject: &P) -> Verdict {
    for (last_first, expected) in [(true, [2, 1, 0]), (false, [0, 1, 2])] {
        let builder = builder(subject).with_lifo_free(last_first);
        let arenas = builder.build_arenas_over(subject.system())?;
        let make = || builder.clone().build_in(&arenas);
        let mut memories = [make()?, make()?, make()?];
        let mut bases = [None; 3];
        for (base, memory) in bases.iter_mut().zip(&mut memories) {
            *base = Some(memory.allocate(1, Some(1))?.0);
        }
        for memory in &mut memories {
            memory.free()?;
        }
        for (memory, index) in memories.iter_mut().zip(expected) {
            let (base, _) = memory.allocate(1, Some(1))?;
            ensure_eq!(Some(base), bases[index], "the order of reuse");
        }
    }
    Ok(())
}

/// Frees six written memories of one page on arenas of these settings, and hands the arenas on.
fn after_six_releases<P: Subject>(
    subject: &P,
    builder: &Builder<P>,
    look: impl FnOnce(&SubjectArenas<P>) -> Verdict,
) -> Verdict {
    let arenas = builder.build_arenas_over(subject.system())?;
    {
        let make = || builder.clone().build_in(&arenas);
        let mut memories = [make()?, make()?, make()?, make()?, make()?, make()?];
        for memory in &mut memories {
            memory.allocate(1, Some(1))?;
            fill_all(memory, 4)?;
        }
        for memory in &mut memories {
            memory.free()?;
        }
    }
    look(&arenas)
}

fn no_more_regions_are_kept_than_allowed<P: Subject>(subject: &P) -> Verdict {
    for limit in [0, 1, 4, 6, 100] {
        let builder = builder(subject).with_arena_cache_max_blocks(limit);
        after_six_releases(subject, &builder, |arenas| {
            let kept = arenas.statistics().cached_regions;
            ensure_eq!(kept, limit.min(6), "so many are kept");
            Ok(())
        })?;
    }
    Ok(())
}

fn no_more_bytes_are_kept_than_allowed<P: Subject>(subject: &P) -> Verdict {
    // What a kept region occupies is for the system to say: its data at least.
    let mut each = 0;
    after_six_releases(subject, &builder(subject), |arenas| {
        each = arenas.statistics().cached_bytes / 6;
        Ok(())
    })?;
    ensure!(each >= PAGE, "kept regions occupy their data at least");
    for limit in [each, 3 * each, 3 * each + each / 2] {
        let builder = builder(subject)
            .with_arena_cache_max_blocks(0)
            .with_arena_cache_max_size(limit);
        after_six_releases(subject, &builder, |arenas| {
            let statistics = arenas.statistics();
            let kept = limit / each;
            ensure_eq!(statistics.cached_regions, kept, "so many are kept");
            ensure_eq!(statistics.cached_bytes, kept * each, "so many bytes");
            Ok(())
        })?;
    }
    Ok(())
}

fn holding_keeps_everything<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject)
        .with_arena_cache_max_blocks(1)
        .with_arena_cache_max_size(PAGE)
        .with_memory_hold(true);
    after_six_releases(subject, &builder, |arenas| {
        ensure_eq!(arenas.statistics().cached_regions, 6, "all are kept");
        ensure_eq!(arenas.statistics().evictions, 0, "none went");
        Ok(())
    })
}

fn lowered_limits_act_at_once<P: Subject>(subject: &P) -> Verdict {
    after_six_releases(subject, &builder(subject), |arenas| {
        ensure_eq!(arenas.statistics().cached_regions, 6, "all are kept");
        for limit in [4, 1] {
            let mut options = arenas.options();
            options.cache_max_blocks = limit;
            arenas.configure(options)?;
            ensure_eq!(arenas.statistics().cached_regions, limit, "the rest went");
        }
        Ok(())
    })
}

fn trim_gives_everything_back<P: Subject>(subject: &P) -> Verdict {
    after_six_releases(subject, &builder(subject), |arenas| {
        let before = arenas.statistics();
        ensure_eq!(before.cached_regions, 6, "all are kept");
        let held = subject.observer().map(crate::Observer::held_bytes);
        let returned = arenas.trim()?;
        ensure!(returned >= before.reserved_bytes, "trim says how much went");
        let after = arenas.statistics();
        ensure_eq!(after.cached_regions, 0, "none is kept");
        ensure_eq!(after.reserved_bytes, 0, "none is reserved");
        ensure_eq!(after.accessible_bytes, 0, "none is accessible");
        ensure_eq!(after.unreturned.regions, 0, "none is lost");
        if let (Some(observer), Some(held)) = (subject.observer(), held) {
            ensure!(
                observer.held_bytes() + 6 * PAGE <= held,
                "the platform has it back"
            );
        }
        ensure_eq!(arenas.trim()?, 0, "a second trim finds nothing");
        Ok(())
    })
}

fn nothing_is_held_once_the_arenas_are_gone<P: Subject>(subject: &P) -> Verdict {
    let Some(observer) = subject.observer() else {
        return Ok(());
    };
    let before = observer.held_bytes();
    after_six_releases(subject, &builder(subject), |arenas| {
        ensure_eq!(arenas.statistics().cached_regions, 6, "all are kept");
        Ok(())
    })?;
    ensure_eq!(observer.held_bytes(), before, "everything went back");
    Ok(())
}
