//! What sizes a memory can have.

use wasm_arena::{AllocError, GrowthPolicy, PageAllocator, pages_to_bytes};

use crate::case::case;
use crate::failure::{ensure, ensure_eq, ensure_refused};
use crate::support::{
    PAGE, build, builder, bytes, ensure_all_zero, facts, fill_all, rest_of_the_last_page, zero,
};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 10] {
    [
        case!(a_memory_of_no_pages_is_legal, "0 pages; grows from there"),
        case!(a_memory_has_the_size_asked_for, "1 to 5 pages"),
        case!(
            a_base_is_a_multiple_of_the_host_page,
            "with and without guards"
        ),
        case!(
            sizes_need_not_be_whole_pages,
            "1009 bytes, and zero behind them"
        ),
        case!(
            a_maximum_below_the_initial_size_is_refused,
            "MaximumBelowInitial"
        ),
        case!(
            sizes_beyond_the_address_space_are_refused,
            "TooLarge, nothing left"
        ),
        case!(
            what_the_platform_has_not_got_is_an_error,
            "its refusal is passed on"
        ),
        case!(
            sixty_five_thousand_pages_do_not_overflow,
            "4 GiB, or TooLarge"
        ),
        case!(
            a_maximum_of_sixty_five_thousand_pages_can_be_agreed,
            "4 GiB to grow to"
        ),
        case!(
            a_capacity_can_be_demanded,
            "exactly so much room; NoRoom below the size"
        ),
    ]
}

fn a_memory_of_no_pages_is_legal<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    let (base, size) = memory.allocate(0, Some(2))?;
    ensure_eq!(size, 0, "the size is 0");
    ensure_eq!(memory.base(), Some(base), "there is a base");
    memory.grow(0, 2)?;
    ensure_all_zero(&memory)?;
    fill_all(&mut memory, 1)?;
    memory.free()?;
    Ok(())
}

fn a_memory_has_the_size_asked_for<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    for pages in 1..=5 {
        let (_, size) = memory.allocate(pages, Some(pages))?;
        ensure_eq!(size, pages as usize * PAGE, "the size returned");
        ensure_eq!(memory.size(), size, "the size remembered");
        ensure!(memory.capacity() >= size, "the capacity holds the size");
        ensure_eq!(memory.maximum(), Some(size), "the maximum agreed");
        fill_all(&mut memory, 2)?;
        memory.free()?;
        ensure_eq!(memory.size(), 0, "no size after the end");
        ensure_eq!(memory.base(), None, "no base after the end");
    }
    Ok(())
}

fn a_base_is_a_multiple_of_the_host_page<P: Subject>(subject: &P) -> Verdict {
    let page = facts(subject).pages.page_size;
    for guards in [true, false] {
        let mut memory = build(subject, builder(subject).with_guard_pages(guards))?;
        for pages in 0..4 {
            let (base, _) = memory.allocate(pages, None)?;
            ensure_eq!(base.addr().get() % page.get(), 0, "the base is aligned");
            memory.grow(pages, 6)?;
            let base = memory.base().map_or(1, |base| base.addr().get());
            ensure_eq!(base % page.get(), 0, "the base is aligned after growth");
            memory.free()?;
        }
    }
    Ok(())
}

fn sizes_need_not_be_whole_pages<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    for round in 1..=3 {
        memory.allocate_bytes(1009, Some(20_011))?;
        ensure_eq!(memory.size(), 1009, "the size in bytes");
        ensure_all_zero(&memory)?;
        zero(rest_of_the_last_page(&memory)?, 1009)?;
        fill_all(&mut memory, round)?;
        memory.grow_bytes(19_000)?;
        ensure_eq!(memory.size(), 20_009, "the size after growth");
        zero(bytes(&memory, 1009..20_009)?, 1009)?;
        zero(rest_of_the_last_page(&memory)?, 20_009)?;
        fill_all(&mut memory, round)?;
        memory.free()?;
    }
    Ok(())
}

fn a_maximum_below_the_initial_size_is_refused<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    ensure_refused!(
        memory.allocate(3, Some(2)),
        AllocError::MaximumBelowInitial { initial, maximum }
            if (initial, maximum) == (3 * PAGE, 2 * PAGE),
        "the error has both numbers"
    );
    ensure_eq!(memory.base(), None, "nothing is left behind");
    memory.allocate(2, Some(3))?;
    Ok(())
}

fn sizes_beyond_the_address_space_are_refused<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    for size in [usize::MAX, isize::MAX as usize + 1, isize::MAX as usize] {
        ensure_refused!(
            memory.allocate_bytes(size, None),
            AllocError::TooLarge { .. },
            "too large for the address space"
        );
        ensure_eq!(memory.base(), None, "nothing is left behind");
    }
    memory.allocate(1, None)?;
    Ok(())
}

fn what_the_platform_has_not_got_is_an_error<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    let before = memory.arenas().statistics().reserved_bytes;
    let size = isize::MAX as usize - (16 << 20);
    match memory.allocate_bytes(size, Some(size)) {
        // Where the address space is small, half of it can be free.
        Ok(_) if usize::BITS < 64 => memory.free()?,
        result => ensure_refused!(
            result,
            AllocError::Os(_) | AllocError::BeyondBlockLimit { .. },
            "the platform's refusal"
        ),
    }
    memory.arenas().trim()?;
    let statistics = memory.arenas().statistics();
    ensure_eq!(statistics.reserved_bytes, before, "nothing is left behind");
    ensure_eq!(statistics.live_memories, 0, "no memory is counted");
    memory.allocate(1, Some(1))?;
    Ok(())
}

fn sixty_five_thousand_pages_do_not_overflow<P: Subject>(_: &P) -> Verdict {
    let bytes = 1_u64 << 32;
    match pages_to_bytes(65_536) {
        Ok(size) => ensure_eq!(size as u64, bytes, "65 536 pages are 4 GiB"),
        Err(AllocError::TooLarge { bytes: named }) => {
            ensure!(usize::BITS <= 32, "4 GiB are too large for 32 bits only");
            ensure_eq!(named, bytes, "the error names 4 GiB");
        }
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

fn a_maximum_of_sixty_five_thousand_pages_can_be_agreed<P: Subject>(subject: &P) -> Verdict {
    let facts = facts(subject);
    let wide = usize::BITS >= 64;
    let mut memory = if wide && facts.pages.reserves_for_free {
        build(
            subject,
            builder(subject).with_growth_policy(GrowthPolicy::ReserveMaximum),
        )?
    } else {
        build(subject, builder(subject))?
    };
    let (base, _) = memory.allocate(1, Some(65_536))?;
    if wide {
        ensure_eq!(
            memory.maximum().map(|bytes| bytes as u64),
            Some(1 << 32),
            "the maximum is 4 GiB"
        );
    }
    if wide && facts.pages.reserves_for_free {
        ensure_eq!(memory.capacity() as u64, 1 << 32, "all of it is reserved");
        ensure_eq!(memory.grow(1, 9)?, base, "growth stays in place");
    } else {
        memory.grow(1, 9)?;
    }
    ensure_all_zero(&memory)?;
    ensure_refused!(
        memory.grow(10, 65_527),
        AllocError::BeyondMaximum { .. } | AllocError::TooLarge { .. },
        "one page beyond the maximum"
    );
    ensure_eq!(memory.size(), 10 * PAGE, "the size is unchanged");
    memory.free()?;
    Ok(())
}

fn a_capacity_can_be_demanded<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    ensure_refused!(
        memory.allocate_with_capacity(2 * PAGE, None, PAGE),
        AllocError::NoRoom { requested, capacity } if (requested, capacity) == (2 * PAGE, PAGE),
        "a capacity below the size"
    );
    let (base, _) = memory.allocate_with_capacity(PAGE, None, 6 * PAGE)?;
    ensure_eq!(
        memory.capacity(),
        6 * PAGE,
        "exactly the capacity asked for"
    );
    ensure_eq!(memory.grow(1, 5)?, base, "growth stays in place");
    ensure_all_zero(&memory)
}
