//! Where guards stand: seen through the bench, without touching them.

use os::Protection;
use wasm_arena::{AllocError, ConfigOption, GrowthPolicy, GrowthRoom, GuardSize, PageAllocator};

use crate::case::case;
use crate::failure::{ensure_eq, ensure_refused};
use crate::support::{
    Memory, PAGE, build, builder, bytes_mut, ensure_all_zero, ensure_guarded, ensure_protection,
    facts, fill_all, host_page, moving, signed,
};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 12] {
    [
        case!(guards_lie_around_the_data, "every page of both").observed(),
        case!(
            no_guard_lies_on_the_data,
            "its first and last bytes can be written"
        ),
        case!(guards_are_as_wide_as_asked, "two pages before, three after").observed(),
        case!(
            guards_stand_after_growth_in_place,
            "and the room behind is closed"
        )
        .observed(),
        case!(guards_stand_after_a_move, "around the new place").observed(),
        case!(guards_stand_after_a_reset, "and the room is closed again").observed(),
        case!(guards_stand_around_a_reused_memory, "of another size").observed(),
        case!(
            guards_stand_around_a_reallocated_memory,
            "where there is reallocation"
        )
        .observed(),
        case!(
            room_is_closed_until_the_memory_grows_into_it,
            "page by page"
        )
        .observed(),
        case!(readable_guards_read_as_zero, "and cannot be written").observed(),
        case!(
            a_memory_needs_no_guards,
            "none before, none after, or neither"
        ),
        case!(
            a_guard_must_be_whole_pages_without_access,
            "Misaligned, InvalidOption"
        ),
    ]
}

/// Fails unless guards stand and exactly the data, up to the end of its page, is open.
fn ensure_closed_around_data<P: Subject>(subject: &P, memory: &Memory<P>) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    ensure_guarded(subject, memory)?;
    let page = host_page(subject);
    let open = memory.size().next_multiple_of(page);
    if open > 0 {
        ensure_protection(subject, memory, 0, Protection::ReadWrite)?;
        ensure_protection(subject, memory, signed(open - 1), Protection::ReadWrite)?;
    }
    for offset in (open..memory.capacity()).step_by(page) {
        ensure_protection(subject, memory, signed(offset), Protection::None)?;
    }
    Ok(())
}

fn guards_lie_around_the_data<P: Subject>(subject: &P) -> Verdict {
    for pages in [0, 1, 3] {
        let mut memory = build(subject, moving(subject))?;
        memory.allocate(pages, Some(pages))?;
        ensure_closed_around_data(subject, &memory)?;
    }
    Ok(())
}

fn no_guard_lies_on_the_data<P: Subject>(subject: &P) -> Verdict {
    for pages in [1, 2, 5] {
        let mut memory = build(subject, builder(subject))?;
        memory.allocate(pages, Some(pages + 1))?;
        let size = memory.size();
        for offset in [0, size / 2, size - 1] {
            bytes_mut(&mut memory, offset..offset + 1)?.fill(1);
        }
        memory.grow(pages, 1)?;
        let size = memory.size();
        bytes_mut(&mut memory, size - 1..size)?.fill(1);
    }
    Ok(())
}

fn guards_are_as_wide_as_asked<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let page = host_page(subject);
    let builder = builder(subject)
        .with_guard_before(GuardSize::Bytes(2 * page))
        .with_guard_after(GuardSize::Bytes(3 * page));
    let mut memory = build(subject, builder)?;
    memory.allocate(1, Some(2))?;
    ensure_eq!(memory.statistics().guard_before_bytes, 2 * page, "before");
    ensure_eq!(memory.statistics().guard_after_bytes, 3 * page, "after");
    ensure_closed_around_data(subject, &memory)
}

fn guards_stand_after_growth_in_place<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(1, Some(5))?;
    for pages in 1..5 {
        memory.grow(pages, 1)?;
        ensure_closed_around_data(subject, &memory)?;
    }
    ensure_eq!(memory.statistics().moves, 0, "it never moved");
    Ok(())
}

fn guards_stand_after_a_move<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, moving(subject))?;
    memory.allocate(1, None)?;
    for pages in [1, 4, 13] {
        memory.grow(pages, 2 * pages + 1)?;
        ensure_closed_around_data(subject, &memory)?;
    }
    ensure_eq!(memory.statistics().moves, 3, "it moved each time");
    Ok(())
}

fn guards_stand_after_a_reset<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(1, Some(5))?;
    for _ in 0..3 {
        memory.grow(1, 4)?;
        memory.reset()?;
        ensure_closed_around_data(subject, &memory)?;
    }
    Ok(())
}

fn guards_stand_around_a_reused_memory<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    for pages in [3, 1, 0, 2, 4] {
        // The same shape each time: what is open differs.
        memory.allocate_with_capacity(pages * PAGE, None, 4 * PAGE)?;
        ensure_closed_around_data(subject, &memory)?;
        ensure_all_zero(&memory)?;
        fill_all(&mut memory, 1)?;
        memory.free()?;
    }
    ensure_eq!(memory.arenas().statistics().cache_hits, 4, "it was reused");
    Ok(())
}

fn guards_stand_around_a_reallocated_memory<P: Subject>(subject: &P) -> Verdict {
    let builder = moving(subject).with_growth_policy(GrowthPolicy::Reallocate);
    let mut memory = build(subject, builder)?;
    memory.allocate(1, None)?;
    for pages in 1..9 {
        memory.grow(pages, 1)?;
        ensure_closed_around_data(subject, &memory)?;
    }
    Ok(())
}

fn room_is_closed_until_the_memory_grows_into_it<P: Subject>(subject: &P) -> Verdict {
    let page = host_page(subject);
    let mut memory = build(
        subject,
        builder(subject).with_growth_room(GrowthRoom::Bytes(8 * page)),
    )?;
    memory.allocate_bytes(page, None)?;
    for _ in 0..8 {
        ensure_closed_around_data(subject, &memory)?;
        memory.grow_bytes(page)?;
    }
    ensure_eq!(memory.statistics().moves, 0, "it never moved");
    ensure_closed_around_data(subject, &memory)
}

fn readable_guards_read_as_zero<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let page = host_page(subject);
    let builder = builder(subject).with_guard_protection(Protection::Read);
    let mut memory = build(subject, builder)?;
    for _ in 0..3 {
        let (base, size) = memory.allocate(1, Some(1))?;
        ensure_protection(subject, &memory, -signed(page), Protection::Read)?;
        ensure_protection(subject, &memory, -1, Protection::Read)?;
        ensure_protection(subject, &memory, signed(size), Protection::Read)?;
        ensure_protection(subject, &memory, signed(size + page - 1), Protection::Read)?;
        for guard in [
            base.as_ptr().wrapping_sub(page),
            base.as_ptr().wrapping_add(size),
        ] {
            for offset in 0..page {
                // SAFETY: a guard of one page on this side, readable as the builder was told.
                let byte = unsafe { guard.wrapping_add(offset).read_volatile() };
                ensure_eq!(byte, 0, "a guard is zero");
            }
        }
        fill_all(&mut memory, 2)?;
        memory.free()?;
    }
    Ok(())
}

fn a_memory_needs_no_guards<P: Subject>(subject: &P) -> Verdict {
    let page = host_page(subject);
    let sides = [GuardSize::None, GuardSize::OneHostPage];
    for before in sides {
        for after in sides {
            let builder = builder(subject)
                .with_guard_before(before)
                .with_guard_after(after);
            let mut memory = build(subject, builder)?;
            memory.allocate(2, Some(9))?;
            let expected = |side| match side {
                GuardSize::OneHostPage if facts(subject).pages.can_protect => page,
                _ => 0,
            };
            let found = memory.statistics();
            ensure_eq!(found.guard_before_bytes, expected(before), "before");
            ensure_eq!(found.guard_after_bytes, expected(after), "after");
            ensure_guarded(subject, &memory)?;
            fill_all(&mut memory, 3)?;
            memory.grow(2, 7)?;
            fill_all(&mut memory, 4)?;
        }
    }
    Ok(())
}

fn a_guard_must_be_whole_pages_without_access<P: Subject>(subject: &P) -> Verdict {
    let page = host_page(subject);
    let half = GuardSize::Bytes(page / 2);
    for builder in [
        builder(subject).with_guard_before(half),
        builder(subject).with_guard_after(half),
    ] {
        ensure_refused!(
            builder.build_over(subject.system()),
            AllocError::Misaligned { value, page_size } if (value, page_size) == (page / 2, page),
            "half a page"
        );
    }
    for protection in [
        Protection::ReadWrite,
        Protection::ReadExecute,
        Protection::ReadWriteExecute,
    ] {
        ensure_refused!(
            builder(subject)
                .with_guard_protection(protection)
                .build_over(subject.system()),
            AllocError::InvalidOption {
                option: ConfigOption::GuardProtection,
                ..
            },
            "a guard that guards nothing"
        );
    }
    Ok(())
}
