//! Arena settings belong to the process, and to whoever set them last: SDP 6.5 to 7.1.
#![forbid(unsafe_code)]

use conformance::{Subject, Verdict};
use os::{Errno, OsCall, OsError, Reason};
use wasm_arena::{AllocError, ConfigOption, Limitation, OptionValue, Outcome, Scope};

use super::LibcCase;
use super::settings::option;
use super::support::{
    Bench, Calls, PAGE, arenas, builder, ensure, ensure_error, ensure_same, ensure_settings,
    heap_settings, named, refuse, refused,
};
use crate::bench::{self, HeapSetting};
use crate::subjects::LIBC;

pub(super) fn cases() -> [LibcCase; 8] {
    [
        named!(
            a_default_is_no_wish,
            "what the process has set is left alone"
        ),
        named!(
            process_wide_settings_say_so,
            "and those of a memory say they are its own"
        ),
        named!(refuse_partial_configuration_refuses_lifo, "all or nothing"),
        named!(
            two_allocators_at_odds_are_told,
            "the second at once, the first when it looks"
        ),
        named!(
            the_same_wish_twice_is_at_odds_with_nobody,
            "two allocators, one value"
        ),
        named!(
            the_end_of_the_second_gives_the_first_its_wish_back,
            "if that was asked for; else the first is told"
        ),
        named!(
            a_refused_build_tells_the_process_nothing,
            "whichever option was refused"
        ),
        named!(
            a_limit_does_not_end_hold,
            "its own or another's; it counts when hold is lifted"
        ),
    ]
}

fn the_end_of_the_second_gives_the_first_its_wish_back(_: &Bench) -> Verdict {
    let first = arenas(&builder().with_arena_size(PAGE))?;
    let second = builder().with_arena_size(2 * PAGE);
    drop(arenas(&second.clone().with_restore_on_drop(true))?);
    ensure_same!(
        bench::setting(HeapSetting::ArenaSize),
        PAGE as isize,
        "the first one's is back"
    );
    let told = option(&first.effective_configuration(), ConfigOption::ArenaSize)?;
    ensure!(told.outcome == Outcome::Applied, "and in force");
    drop(arenas(&second)?);
    let told = option(&first.effective_configuration(), ConfigOption::ArenaSize)?;
    ensure!(told.outcome == Outcome::Overruled, "it was left behind");
    ensure!(
        told.in_force == OptionValue::Bytes(2 * PAGE),
        "with its value"
    );
    Ok(())
}

fn a_refused_build_tells_the_process_nothing(_: &Bench) -> Verdict {
    let first = arenas(&builder().with_arena_size(PAGE))?;
    let settings = heap_settings();
    let wish = builder().with_arena_size(2 * PAGE).with_memory_hold(true);
    ensure_error!(
        wish.clone()
            .with_guard_after(wasm_arena::GuardSize::Bytes(100))
            .build_over(LIBC.system()),
        AllocError::Misaligned { value: 100, .. },
        "an option of the memory"
    );
    ensure_settings(settings)?;
    ensure_error!(
        wish.with_lifo_free(true)
            .refuse_partial_configuration(true)
            .build_over(LIBC.system()),
        AllocError::PartialConfiguration { .. },
        "an option of the arenas"
    );
    ensure_settings(settings)?;
    drop(first);
    Ok(())
}

fn a_limit_does_not_end_hold(_: &Bench) -> Verdict {
    let held = builder()
        .with_memory_hold(true)
        .with_arena_cache_max_blocks(8)
        .with_restore_on_drop(true);
    let first = arenas(&held)?;
    let no_limit = heap_settings()[HeapSetting::CacheMaxBlocks as usize];
    ensure!(no_limit != 8, "hold lifts it");
    let second = arenas(&builder().with_arena_cache_max_blocks(9))?;
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        no_limit,
        "hold still does"
    );
    drop(first);
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        9,
        "now it counts"
    );
    drop(second);
    Ok(())
}

fn a_default_is_no_wish(_: &Bench) -> Verdict {
    arenas(
        &builder()
            .with_arena_size(PAGE)
            .with_arena_cache_max_blocks(7)
            .with_monotonic_growth(true),
    )?;
    let settings = heap_settings();
    let before = Calls::now();
    let arenas = arenas(&builder())?;
    ensure_same!(before.since("mallopt"), 1, "the arena size is asked for");
    ensure_settings(settings)?;
    let told = option(&arenas.effective_configuration(), ConfigOption::ArenaSize)?;
    ensure!(
        told.in_force == OptionValue::Bytes(PAGE),
        "the process's is in force"
    );
    ensure!(
        told.outcome == Outcome::Clamped(Limitation::SetByProcess),
        "and said to be"
    );
    Ok(())
}

fn process_wide_settings_say_so(_: &Bench) -> Verdict {
    let allocator = builder()
        .with_arena_size(PAGE)
        .with_arena_cache_max_blocks(7)
        .with_arena_cache_max_size(5 * PAGE)
        .with_monotonic_growth(true)
        .with_memory_hold(true)
        .build_over(LIBC.system())?;
    let effective = allocator.effective_configuration();
    for process in [
        ConfigOption::ArenaSize,
        ConfigOption::ArenaCacheMaxBlocks,
        ConfigOption::ArenaCacheMaxSize,
        ConfigOption::MonotonicGrowth,
        ConfigOption::MemoryHold,
    ] {
        let told = option(effective, process)?;
        ensure!(told.scope == Scope::Process, "it reaches the whole process");
        ensure!(told.outcome == Outcome::Applied, "it is in force");
    }
    for own in [
        ConfigOption::GuardBefore,
        ConfigOption::GrowthPolicy,
        ConfigOption::LockInMemory,
    ] {
        ensure!(
            option(effective, own)?.scope == Scope::Own,
            "it concerns one memory"
        );
    }
    Ok(())
}

fn refuse_partial_configuration_refuses_lifo(_: &Bench) -> Verdict {
    let demanding = builder().refuse_partial_configuration(true);
    ensure_error!(
        arenas(&demanding.clone().with_lifo_free(true)),
        AllocError::PartialConfiguration {
            option: ConfigOption::LifoFree
        },
        "it is refused by its name"
    );
    // What can be had complete is had.
    arenas(&demanding.with_arena_cache_max_blocks(7))?;
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        7,
        "the heap was told"
    );
    Ok(())
}

fn two_allocators_at_odds_are_told(_: &Bench) -> Verdict {
    let first = arenas(&builder().with_arena_size(PAGE))?;
    let before = option(&first.effective_configuration(), ConfigOption::ArenaSize)?;
    ensure!(
        before.outcome == Outcome::Applied,
        "the first has what it asked for"
    );
    ensure!(before.displaced.is_none(), "and displaced nobody");
    let second = arenas(&builder().with_arena_size(2 * PAGE))?;
    let told = option(&second.effective_configuration(), ConfigOption::ArenaSize)?;
    ensure!(told.outcome == Outcome::Applied, "so has the second");
    ensure!(
        told.displaced == Some(OptionValue::Bytes(PAGE)),
        "which says whose value it replaced"
    );
    let told = option(&first.effective_configuration(), ConfigOption::ArenaSize)?;
    ensure!(
        told.outcome == Outcome::Overruled,
        "the first says it is overruled"
    );
    ensure!(told.in_force == OptionValue::Bytes(2 * PAGE), "and by what");
    ensure!(
        told.asked == OptionValue::Bytes(PAGE),
        "and what it had asked for"
    );
    Ok(())
}

fn the_same_wish_twice_is_at_odds_with_nobody(_: &Bench) -> Verdict {
    let wish = builder().with_arena_cache_max_blocks(7);
    let (first, second) = (arenas(&wish)?, arenas(&wish)?);
    for arenas in [&first, &second] {
        let told = option(
            &arenas.effective_configuration(),
            ConfigOption::ArenaCacheMaxBlocks,
        )?;
        ensure!(told.outcome == Outcome::Applied, "it is in force");
        ensure!(told.displaced.is_none(), "nobody was displaced");
    }
    // EINVAL, qnx-facts §8.1, of a third is told as what it is.
    refuse("mallopt", 2)?;
    ensure_error!(
        arenas(&wish),
        AllocError::Os(OsError {
            call: OsCall::Configure,
            reason: Reason::Errno(Errno(22)),
            ..
        }),
        "the refusal is told"
    );
    ensure_same!(refused(), 1, "mallopt was refused");
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        7,
        "the value stands"
    );
    Ok(())
}
