//! Protections of ranges: what is refused, what is remembered, what is lifted.

use os::Protection;
use wasm_arena::{AllocError, Limitation, Outcome, PROTECTED_RANGES_LIMIT, PageAllocator};

use crate::case::case;
use crate::failure::{ensure, ensure_eq, ensure_refused};
use crate::support::{
    PAGE, build, builder, bytes_mut, ensure_all_zero, ensure_guarded, ensure_pattern,
    ensure_protection, facts, fill_all, host_page, signed,
};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 12] {
    [
        case!(
            a_range_outside_the_data_is_refused,
            "OutOfRange, sums that overflow too"
        ),
        case!(
            a_range_must_be_whole_host_pages,
            "Misaligned, with the page size"
        ),
        case!(
            the_end_of_the_memory_names_its_last_page,
            "though it is no multiple"
        ),
        case!(write_and_execute_needs_a_permit, "WriteAndExecute"),
        case!(
            the_number_of_protected_ranges_is_limited,
            "TooManyProtections, unchanged"
        ),
        case!(
            protections_work_or_are_reported,
            "the outcome fits the facts"
        ),
        case!(exactly_the_pages_named_change, "and no neighbour"),
        case!(protected_contents_stay, "unreadable for a while"),
        case!(
            protections_survive_growth_in_place,
            "and new pages are plain"
        ),
        case!(a_reset_lifts_protections, "every page can be written again"),
        case!(
            protections_are_lifted_before_reuse,
            "the next memory is plain"
        ),
        case!(
            a_common_protection_covers_all_data,
            "read-only from the start"
        ),
    ]
}

fn a_range_outside_the_data_is_refused<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(2, Some(4))?;
    let data = 2 * PAGE;
    for (wrong_offset, wrong_len) in [
        (data, 1),
        (0, data + 1),
        (data, PAGE),
        (PAGE, 2 * PAGE),
        (usize::MAX, 1),
        (1, usize::MAX),
        (usize::MAX - 4095, 4096),
    ] {
        ensure_refused!(
            memory.protect(wrong_offset, wrong_len, Protection::Read),
            AllocError::OutOfRange { offset, len, size }
                if (offset, len, size) == (wrong_offset, wrong_len, data),
            "the error has all three numbers"
        );
    }
    memory.protect(data, 0, Protection::Read)?;
    fill_all(&mut memory, 1)
}

fn a_range_must_be_whole_host_pages<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(2, None)?;
    let page = host_page(subject);
    for (offset, len, wrong) in [
        (1, 1, 1),
        (page / 2, page, page / 2),
        (0, page - 1, page - 1),
    ] {
        ensure_refused!(
            memory.protect(offset, len, Protection::Read),
            AllocError::Misaligned { value, page_size } if (value, page_size) == (wrong, page),
            "the error has the value and the page size"
        );
    }
    fill_all(&mut memory, 2)
}

fn the_end_of_the_memory_names_its_last_page<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let page = host_page(subject);
    let mut memory = build(subject, builder(subject))?;
    memory.allocate_bytes(2 * page + 100, None)?;
    memory.protect(2 * page, 100, Protection::Read)?;
    ensure_eq!(
        memory.first_refusal(0..2 * page + 100, true),
        Some(2 * page),
        "the last page alone"
    );
    ensure_protection(subject, &memory, signed(3 * page - 1), Protection::Read)
}

fn write_and_execute_needs_a_permit<P: Subject>(subject: &P) -> Verdict {
    let both = Protection::ReadWriteExecute;
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(1, None)?;
    ensure_refused!(
        memory.protect(0, PAGE, both),
        AllocError::WriteAndExecute,
        "a range"
    );
    fill_all(&mut memory, 3)?;
    ensure_refused!(
        builder(subject)
            .with_data_protection(both)
            .build_over(subject.system()),
        AllocError::WriteAndExecute,
        "all data"
    );
    Ok(())
}

fn the_number_of_protected_ranges_is_limited<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let page = host_page(subject);
    let count = PROTECTED_RANGES_LIMIT;
    let size = (2 * count + 2) * page;
    let mut memory = build(subject, builder(subject))?;
    memory.allocate_bytes(size, Some(size))?;
    for index in 0..count {
        memory.protect(2 * index * page, page, Protection::Read)?;
    }
    let next = 2 * count * page;
    ensure_refused!(
        memory.protect(next, page, Protection::Read),
        AllocError::TooManyProtections { limit } if limit == count,
        "the error has the limit"
    );
    ensure_eq!(
        memory.first_refusal(next..size, true),
        None::<usize>,
        "the refused range is as it was"
    );
    ensure_protection(subject, &memory, signed(next), Protection::ReadWrite)?;
    // One range over all of them is one range.
    memory.protect(0, next, Protection::Read)?;
    memory.protect(next, page, Protection::None)?;
    memory.protect(0, size, Protection::ReadWrite)?;
    fill_all(&mut memory, 4)
}

fn protections_work_or_are_reported<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject);
    let mut memory = build(subject, builder)?;
    memory.allocate(1, None)?;
    let guards = memory.statistics().guard_before_bytes + memory.statistics().guard_after_bytes;
    if facts(subject).pages.can_protect {
        memory.protect(0, PAGE, Protection::Read)?;
        ensure_eq!(
            memory.first_refusal(0..PAGE, true),
            Some(0),
            "it is remembered"
        );
        ensure_eq!(guards, 2 * host_page(subject), "there are guards");
        ensure_eq!(memory.statistics().protects, 1, "it is counted");
        return Ok(());
    }
    ensure_refused!(
        memory.protect(0, PAGE, Protection::Read),
        AllocError::Os(_),
        "nothing can be protected here"
    );
    ensure_eq!(
        memory.first_refusal(0..PAGE, true),
        None::<usize>,
        "nothing changed"
    );
    ensure_eq!(guards, 0, "there are no guards");
    let missing = Outcome::Unsupported(Limitation::NoProtection);
    ensure!(
        memory
            .effective_configuration()
            .iter()
            .any(|known| known.outcome == missing),
        "and the configuration says so"
    );
    fill_all(&mut memory, 5)
}

fn exactly_the_pages_named_change<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let page = host_page(subject);
    let mut memory = build(subject, builder(subject))?;
    memory.allocate_bytes(8 * page, None)?;
    fill_all(&mut memory, 6)?;
    memory.protect(3 * page, 2 * page, Protection::Read)?;
    for index in 0..8 {
        let expected = if (3..5).contains(&index) {
            Protection::Read
        } else {
            Protection::ReadWrite
        };
        ensure_protection(subject, &memory, signed(index * page), expected)?;
        ensure_protection(subject, &memory, signed((index + 1) * page - 1), expected)?;
    }
    // The neighbours can be written up to the edge; a wrong edge faults here.
    bytes_mut(&mut memory, 0..3 * page)?.fill(1);
    bytes_mut(&mut memory, 5 * page..8 * page)?.fill(1);
    ensure_guarded(subject, &memory)
}

fn protected_contents_stay<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(3, None)?;
    fill_all(&mut memory, 7)?;
    for protection in [Protection::Read, Protection::None] {
        memory.protect(PAGE, PAGE, protection)?;
        memory.protect(PAGE, PAGE, Protection::ReadWrite)?;
        ensure_pattern(&memory, 0..3 * PAGE, 7)?;
    }
    Ok(())
}

fn protections_survive_growth_in_place<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(2, Some(6))?;
    memory.protect(PAGE, PAGE, Protection::Read)?;
    memory.grow(2, 2)?;
    ensure_eq!(memory.statistics().moves, 0, "it did not move");
    ensure_eq!(
        memory.first_refusal(0..4 * PAGE, true),
        Some(PAGE),
        "remembered"
    );
    ensure_protection(subject, &memory, signed(2 * PAGE - 1), Protection::Read)?;
    ensure_protection(subject, &memory, signed(2 * PAGE), Protection::ReadWrite)?;
    bytes_mut(&mut memory, 2 * PAGE..4 * PAGE)?.fill(1);
    Ok(())
}

fn a_reset_lifts_protections<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(2, Some(6))?;
    memory.grow(2, 2)?;
    fill_all(&mut memory, 8)?;
    memory.protect(0, PAGE, Protection::None)?;
    memory.protect(3 * PAGE, PAGE, Protection::Read)?;
    memory.reset()?;
    ensure_all_zero(&memory)?;
    memory.grow(2, 2)?;
    ensure_all_zero(&memory)?;
    fill_all(&mut memory, 9)
}

fn protections_are_lifted_before_reuse<P: Subject>(subject: &P) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    for blocks in [4, 0] {
        let builder = builder(subject).with_arena_cache_max_blocks(blocks);
        let mut memory = build(subject, builder)?;
        for _ in 0..3 {
            memory.allocate(3, Some(3))?;
            ensure_all_zero(&memory)?;
            fill_all(&mut memory, 10)?;
            memory.protect(0, PAGE, Protection::Read)?;
            memory.protect(2 * PAGE, PAGE, Protection::None)?;
            memory.free()?;
        }
        let lost = memory.arenas().statistics().unreturned;
        ensure_eq!(lost.regions, 0, "no region is lost");
    }
    Ok(())
}

fn a_common_protection_covers_all_data<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject).with_data_protection(Protection::Read);
    let mut memory = build(subject, builder)?;
    for _ in 0..2 {
        memory.allocate(1, None)?;
        for pages in [1, 2] {
            if facts(subject).pages.can_protect {
                ensure_eq!(
                    memory.first_refusal(0..memory.size(), true),
                    Some(0),
                    "read-only"
                );
                for offset in [0, memory.size() - 1] {
                    ensure_protection(subject, &memory, signed(offset), Protection::Read)?;
                }
            }
            ensure_all_zero(&memory)?;
            memory.grow(pages, 1)?;
        }
        memory.grow(3, 9)?;
        ensure_all_zero(&memory)?;
        memory.reset()?;
        memory.free()?;
    }
    Ok(())
}
