//! Growth in place, its limits, and what is refused.

use wasm_arena::{AllocError, GrowthPolicy, GrowthRoom, PageAllocator};

use crate::case::case;
use crate::failure::{ensure_eq, ensure_refused};
use crate::support::{
    PAGE, build, builder, ensure_guarded, ensure_pattern, ensure_zero, fill, fill_all, moving,
};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 10] {
    [
        case!(
            a_memory_reaches_its_maximum_and_no_further,
            "BeyondMaximum, both numbers"
        ),
        case!(
            a_maximum_may_equal_the_initial_size,
            "there is nothing to grow"
        ),
        case!(growing_by_nothing_returns_the_base, "also at the maximum"),
        case!(
            a_wrong_page_count_is_refused,
            "PageCountMismatch, both numbers"
        ),
        case!(a_growth_that_overflows_is_refused, "every sum is checked"),
        case!(contents_survive_growth_in_place, "page by page"),
        case!(
            in_place_means_in_place_or_not_at_all,
            "NoRoom, with the capacity"
        ),
        case!(
            a_reserved_maximum_never_moves,
            "from one page to the maximum"
        ),
        case!(reserving_the_maximum_needs_one, "NoMaximum"),
        case!(growths_are_counted, "in place, moved, refused"),
    ]
}

fn a_memory_reaches_its_maximum_and_no_further<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(1, Some(3))?;
    memory.grow(1, 2)?;
    fill_all(&mut memory, 1)?;
    let base = memory.base();
    for additional in [1, 2, 65_535] {
        ensure_refused!(
            memory.grow(3, additional),
            AllocError::BeyondMaximum { requested, maximum }
                if maximum == 3 * PAGE && requested == (3 + u64::from(additional)) << 16,
            "the error has both numbers"
        );
    }
    ensure_eq!(memory.base(), base, "the base is unchanged");
    ensure_eq!(memory.size(), 3 * PAGE, "the size is unchanged");
    ensure_pattern(&memory, 0..3 * PAGE, 1)
}

fn a_maximum_may_equal_the_initial_size<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(2, Some(2))?;
    ensure_refused!(
        memory.grow(2, 1),
        AllocError::BeyondMaximum { .. },
        "it cannot grow"
    );
    memory.grow(2, 0)?;
    ensure_guarded(subject, &memory)
}

fn growing_by_nothing_returns_the_base<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, moving(subject))?;
    let (base, _) = memory.allocate(1, Some(1))?;
    let calls = subject.observer().map(crate::Observer::calls);
    for _ in 0..3 {
        ensure_eq!(memory.grow(1, 0)?, base, "today's base");
    }
    let after = subject.observer().map(crate::Observer::calls);
    ensure_eq!(after, calls, "nobody is asked for nothing");
    ensure_eq!(memory.statistics().grows, 0, "and it is no growth");
    Ok(())
}

fn a_wrong_page_count_is_refused<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(2, None)?;
    fill_all(&mut memory, 2)?;
    for wrong in [0, 1, 3, u32::MAX] {
        ensure_refused!(
            memory.grow(wrong, 1),
            AllocError::PageCountMismatch { given, actual } if (given, actual) == (wrong, 2),
            "the error has both numbers"
        );
    }
    ensure_eq!(memory.size(), 2 * PAGE, "the size is unchanged");
    ensure_pattern(&memory, 0..2 * PAGE, 2)
}

fn a_growth_that_overflows_is_refused<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(2, None)?;
    fill_all(&mut memory, 3)?;
    let base = memory.base();
    for additional in [usize::MAX, usize::MAX - 2 * PAGE + 1, isize::MAX as usize] {
        ensure_refused!(
            memory.grow_bytes(additional),
            AllocError::BeyondMaximum { .. } | AllocError::TooLarge { .. },
            "no address space is that large"
        );
    }
    ensure_refused!(
        memory.grow(2, u32::MAX),
        AllocError::Os(_) | AllocError::TooLarge { .. } | AllocError::BeyondBlockLimit { .. },
        "no machine has that much"
    );
    ensure_eq!(memory.base(), base, "the base is unchanged");
    ensure_eq!(memory.statistics().refused_grows, 4, "refusals are counted");
    ensure_guarded(subject, &memory)?;
    ensure_pattern(&memory, 0..2 * PAGE, 3)?;
    memory.grow(2, 1)?;
    Ok(())
}

fn contents_survive_growth_in_place<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    let (base, _) = memory.allocate(1, Some(5))?;
    fill_all(&mut memory, 4)?;
    for pages in 1..5 {
        ensure_eq!(memory.grow(pages, 1)?, base, "the base stays");
        let end = pages as usize * PAGE;
        ensure_pattern(&memory, 0..end, 4)?;
        ensure_zero(&memory, end..end + PAGE)?;
        fill(&mut memory, end..end + PAGE, 4)?;
        ensure_guarded(subject, &memory)?;
    }
    Ok(())
}

fn in_place_means_in_place_or_not_at_all<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject)
        .with_growth_policy(GrowthPolicy::InPlace)
        .with_growth_room(GrowthRoom::Bytes(PAGE));
    let mut memory = build(subject, builder)?;
    let (base, _) = memory.allocate(1, None)?;
    ensure_eq!(memory.grow(1, 1)?, base, "there is room for a page");
    fill_all(&mut memory, 5)?;
    ensure_refused!(
        memory.grow(2, 1),
        AllocError::NoRoom { requested, capacity } if (requested, capacity) == (3 * PAGE, 2 * PAGE),
        "the error has both numbers"
    );
    ensure_eq!(memory.base(), Some(base), "the base is unchanged");
    ensure_pattern(&memory, 0..2 * PAGE, 5)?;
    ensure_guarded(subject, &memory)
}

fn a_reserved_maximum_never_moves<P: Subject>(subject: &P) -> Verdict {
    let builder = moving(subject).with_growth_policy(GrowthPolicy::ReserveMaximum);
    let mut memory = build(subject, builder)?;
    for _ in 0..2 {
        let (base, _) = memory.allocate(1, Some(12))?;
        ensure_eq!(memory.capacity(), 12 * PAGE, "the maximum is reserved");
        for pages in 1..12 {
            let end = pages as usize * PAGE;
            fill(&mut memory, end - PAGE..end, 6)?;
            ensure_eq!(memory.grow(pages, 1)?, base, "the base stays");
            ensure_zero(&memory, end..end + PAGE)?;
        }
        ensure_pattern(&memory, 0..11 * PAGE, 6)?;
        ensure_eq!(memory.statistics().moves, 0, "it never moved");
        ensure_guarded(subject, &memory)?;
        memory.free()?;
    }
    Ok(())
}

fn reserving_the_maximum_needs_one<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_growth_policy(GrowthPolicy::ReserveMaximum);
    let mut memory = build(subject, builder)?;
    ensure_refused!(
        memory.allocate(1, None),
        AllocError::NoMaximum,
        "there is no maximum to reserve"
    );
    memory.allocate(1, Some(2))?;
    Ok(())
}

fn growths_are_counted<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(1, Some(11))?;
    memory.grow(1, 4)?;
    ensure_refused!(
        memory.grow(5, 9),
        AllocError::BeyondMaximum { .. },
        "that is too much"
    );
    // A move leaves behind what was never written.
    fill_all(&mut memory, 6)?;
    memory.grow(5, 1)?;
    let statistics = memory.statistics();
    ensure_eq!(statistics.grows, 2, "two growths");
    ensure_eq!(statistics.moves, 1, "the second moved");
    ensure_eq!(statistics.bytes_copied, 5 * PAGE, "and copied five pages");
    ensure_eq!(statistics.refused_grows, 1, "one was refused");
    ensure_eq!(statistics.initial_bytes, PAGE, "the first size");
    ensure_eq!(statistics.current_bytes, 6 * PAGE, "the size now");
    ensure_eq!(statistics.peak_bytes, 6 * PAGE, "the greatest size");
    ensure_eq!(statistics.maximum_bytes, Some(11 * PAGE), "the maximum");
    Ok(())
}
