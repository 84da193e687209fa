//! Growth by moving: everything comes along.

use os::Protection;
use wasm_arena::{ConfigOption, GrowthPolicy, Limitation, OptionValue, Outcome, PageAllocator};

use crate::case::case;
use crate::failure::{ensure, ensure_eq};
use crate::support::{
    PAGE, build, ensure_guarded, ensure_pattern, ensure_protection, ensure_zero, facts, fill,
    fill_all, moving, signed,
};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 8] {
    [
        case!(contents_survive_a_move, "from 1 page to 13"),
        case!(contents_survive_many_moves, "24 growths by a page"),
        case!(
            a_move_needs_no_maximum_and_keeps_one,
            "the maximum stays in force"
        ),
        case!(
            protections_survive_a_move,
            "unreadable, readable and plain pages"
        ),
        case!(
            a_moved_memory_still_resets_to_its_first_size,
            "and keeps its new base"
        ),
        case!(
            reallocation_is_had_or_reported,
            "the outcome fits the facts"
        ),
        case!(
            reallocation_keeps_contents_and_zeroes_the_rest,
            "24 growths by a page"
        ),
        case!(
            reallocation_keeps_guards_and_protections,
            "whatever the platform's does"
        ),
    ]
}

fn contents_survive_a_move<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, moving(subject))?;
    memory.allocate(1, None)?;
    fill_all(&mut memory, 1)?;
    let base = memory.grow(1, 12)?;
    ensure_eq!(memory.base(), Some(base), "the base returned is the base");
    ensure_eq!(memory.statistics().moves, 1, "it moved");
    ensure_pattern(&memory, 0..PAGE, 1)?;
    ensure_zero(&memory, PAGE..13 * PAGE)?;
    ensure_guarded(subject, &memory)?;
    fill_all(&mut memory, 2)
}

fn contents_survive_many_moves<P: Subject>(subject: &P) -> Verdict {
    grow_page_by_page(subject, GrowthPolicy::MoveWhenFull)
}

/// Grows by a page 24 times; every page keeps what was written when it was new.
fn grow_page_by_page<P: Subject>(subject: &P, policy: GrowthPolicy) -> Verdict {
    let builder = moving(subject).with_growth_policy(policy);
    let mut memory = build(subject, builder)?;
    for _ in 0..2 {
        memory.allocate(1, None)?;
        for pages in 1..25 {
            let end = pages as usize * PAGE;
            fill(&mut memory, end - PAGE..end, 3)?;
            memory.grow(pages, 1)?;
            ensure_pattern(&memory, 0..end, 3)?;
            ensure_zero(&memory, end..end + PAGE)?;
        }
        ensure_guarded(subject, &memory)?;
        memory.free()?;
    }
    Ok(())
}

fn a_move_needs_no_maximum_and_keeps_one<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, moving(subject))?;
    memory.allocate(1, None)?;
    memory.grow(1, 3)?;
    ensure_eq!(memory.maximum(), None, "still no maximum");
    memory.free()?;
    let mut memory = build(subject, moving(subject))?;
    memory.allocate(1, Some(7))?;
    memory.grow(1, 3)?;
    ensure_eq!(memory.maximum(), Some(7 * PAGE), "still the maximum");
    ensure!(memory.grow(4, 4).is_err(), "one page beyond it");
    memory.grow(4, 3)?;
    Ok(())
}

/// Gives three ranges protections, grows as the policy says, and looks for them again.
fn keep_protections<P: Subject>(subject: &P, policy: GrowthPolicy) -> Verdict {
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let builder = moving(subject).with_growth_policy(policy);
    let mut memory = build(subject, builder)?;
    memory.allocate(4, None)?;
    fill_all(&mut memory, 4)?;
    memory.protect(PAGE, PAGE, Protection::None)?;
    memory.protect(3 * PAGE, PAGE, Protection::Read)?;
    for (pages, additional) in [(4, 1), (5, 3), (8, 6)] {
        memory.grow(pages, additional)?;
        ensure_guarded(subject, &memory)?;
        ensure_eq!(
            memory.first_refusal(0..4 * PAGE, false),
            Some(PAGE),
            "unreadable"
        );
        ensure_eq!(
            memory.first_refusal(2 * PAGE..4 * PAGE, true),
            Some(3 * PAGE),
            "not to be written"
        );
        ensure_pattern(&memory, 0..PAGE, 4)?;
        ensure_pattern(&memory, 2 * PAGE..4 * PAGE, 4)?;
        for (page, protection) in [
            (0, Protection::ReadWrite),
            (1, Protection::None),
            (2, Protection::ReadWrite),
            (3, Protection::Read),
            (4, Protection::ReadWrite),
        ] {
            ensure_protection(subject, &memory, signed(page * PAGE), protection)?;
            ensure_protection(subject, &memory, signed((page + 1) * PAGE - 1), protection)?;
        }
        ensure_zero(&memory, 4 * PAGE..memory.size())?;
    }
    memory.protect(PAGE, PAGE, Protection::ReadWrite)?;
    ensure_pattern(&memory, 0..4 * PAGE, 4)?;
    memory.free()?;
    Ok(())
}

fn protections_survive_a_move<P: Subject>(subject: &P) -> Verdict {
    keep_protections(subject, GrowthPolicy::MoveWhenFull)
}

fn a_moved_memory_still_resets_to_its_first_size<P: Subject>(subject: &P) -> Verdict {
    let mut memory = build(subject, moving(subject))?;
    memory.allocate(2, None)?;
    memory.grow(2, 5)?;
    fill_all(&mut memory, 5)?;
    let base = memory.base();
    memory.reset()?;
    ensure_eq!(memory.size(), 2 * PAGE, "the first size");
    ensure_eq!(memory.base(), base, "a reset does not move");
    ensure_zero(&memory, 0..2 * PAGE)?;
    memory.grow(2, 5)?;
    ensure_zero(&memory, 0..7 * PAGE)?;
    ensure_guarded(subject, &memory)
}

fn reallocation_is_had_or_reported<P: Subject>(subject: &P) -> Verdict {
    let builder = moving(subject).with_growth_policy(GrowthPolicy::Reallocate);
    let memory = build(subject, builder)?;
    let Some(known) = memory
        .effective_configuration()
        .get(ConfigOption::GrowthPolicy)
    else {
        return Err(crate::Failure::here("the policy is reported", 0, 0));
    };
    ensure!(
        known.asked == OptionValue::Choice("reallocate"),
        "what was asked is reported"
    );
    if facts(subject).reallocates {
        ensure!(known.outcome == Outcome::Applied, "it is in force");
        ensure!(known.in_force == known.asked, "as asked");
    } else {
        ensure!(
            known.outcome == Outcome::Unsupported(Limitation::NoReallocate),
            "it is reported as unsupported"
        );
        ensure!(
            known.in_force == OptionValue::Choice("move-when-full"),
            "and memories move instead"
        );
    }
    Ok(())
}

fn reallocation_keeps_contents_and_zeroes_the_rest<P: Subject>(subject: &P) -> Verdict {
    grow_page_by_page(subject, GrowthPolicy::Reallocate)
}

fn reallocation_keeps_guards_and_protections<P: Subject>(subject: &P) -> Verdict {
    keep_protections(subject, GrowthPolicy::Reallocate)
}
