//! Arena settings, told to the heap by `mallopt`: SDP 6.5 to 7.1.
#![forbid(unsafe_code)]

use conformance::Verdict;
use os::{Errno, OsCall, OsError, Reason};
use wasm_arena::{
    AllocError, ArenaOptions, ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation,
    MAX_ARENA_SIZE, OptionValue, Outcome, Scope,
};

use super::LibcCase;
use super::support::{
    Bench, Builder, Calls, PAGE, arenas, builder, ensure, ensure_error, ensure_same,
    ensure_settings, failure, heap_settings, host_page, memory_in, named, switch,
};
use crate::bench::{self, HeapSetting, Switch};

pub(super) fn cases() -> [LibcCase; 14] {
    [
        named!(
            settings_reach_the_heap_by_their_own_numbers,
            "one at a time, and no other moves"
        ),
        named!(a_previous_value_is_no_failure, "qnx-facts §1.3.1"),
        named!(minus_one_after_hold_is_no_failure, "qnx-facts §1.3.2"),
        named!(an_old_error_number_is_no_failure, "qnx-facts §9.19"),
        named!(
            zero_instead_of_a_previous_value_is_no_failure,
            "what the documents say"
        ),
        named!(
            what_is_out_of_range_is_refused_before_any_call,
            "sizes, multiples, what 32 bits do not hold"
        ),
        named!(
            the_greatest_arena_size_may_be_refused,
            "256 KiB: inclusive in the code, exclusive in the documents"
        ),
        named!(lifo_is_for_the_environment, "mallopt has no command for it"),
        named!(
            preallocation_is_for_the_environment,
            "mallopt has no command for it"
        ),
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
    ]
}

/// An option of an effective configuration.
#[track_caller]
pub(super) fn option(
    effective: &EffectiveConfiguration,
    option: ConfigOption,
) -> Result<EffectiveOption, conformance::Failure> {
    effective
        .get(option)
        .copied()
        .ok_or_else(|| failure("the option is known", option as u64, 0))
}

fn settings_reach_the_heap_by_their_own_numbers(_: &Bench) -> Verdict {
    let defaults = heap_settings();
    let wishes: [(Builder, &[(HeapSetting, isize)]); 5] = [
        (
            builder().with_arena_size(2 * PAGE),
            &[(HeapSetting::ArenaSize, 2 * PAGE as isize)],
        ),
        (
            builder().with_arena_cache_max_blocks(7),
            &[(HeapSetting::CacheMaxBlocks, 7)],
        ),
        (
            builder().with_arena_cache_max_size(5 * PAGE),
            &[(HeapSetting::CacheMaxBytes, 5 * PAGE as isize)],
        ),
        (
            builder().with_monotonic_growth(true),
            &[(HeapSetting::Monotonic, 1)],
        ),
        // Hold lifts both limits (qnx-facts §1.3); that is how the stand-in shows it.
        (
            builder().with_memory_hold(true),
            &[
                (HeapSetting::Hold, 1),
                (HeapSetting::CacheMaxBlocks, u32::MAX as isize),
                (HeapSetting::CacheMaxBytes, u32::MAX as isize),
            ],
        ),
    ];
    for (wish, changes) in wishes {
        ensure_settings(defaults)?;
        let arenas = arenas(&wish.with_restore_on_drop(true))?;
        let mut expected = defaults;
        for &(setting, value) in changes {
            expected[setting as usize] = value;
        }
        ensure_settings(expected)?;
        drop(arenas);
    }
    ensure_settings(defaults)
}

fn a_previous_value_is_no_failure(_: &Bench) -> Verdict {
    switch(Switch::PreviousValues, 1)?;
    for blocks in [7, 9] {
        arenas(
            &builder()
                .with_arena_cache_max_blocks(blocks)
                .with_arena_size(PAGE),
        )?;
        let told = bench::setting(HeapSetting::CacheMaxBlocks);
        ensure_same!(told.unsigned_abs(), blocks, "the heap was told");
    }
    ensure_same!(
        bench::setting(HeapSetting::ArenaSize),
        PAGE as isize,
        "and the size"
    );
    Ok(())
}

fn minus_one_after_hold_is_no_failure(_: &Bench) -> Verdict {
    // Hold sets both limits to the greatest number, which reads -1 as a previous value.
    arenas(&builder().with_memory_hold(true))?;
    let arenas = arenas(
        &builder()
            .with_arena_cache_max_blocks(7)
            .with_arena_cache_max_size(5 * PAGE),
    )?;
    let effective = arenas.effective_configuration();
    for wish in [
        ConfigOption::ArenaCacheMaxBlocks,
        ConfigOption::ArenaCacheMaxSize,
    ] {
        ensure!(
            option(&effective, wish)?.outcome == Outcome::Applied,
            "it is in force"
        );
    }
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        7,
        "the heap was told"
    );
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBytes),
        5 * PAGE as isize,
        "both limits"
    );
    Ok(())
}

fn an_old_error_number_is_no_failure(_: &Bench) -> Verdict {
    arenas(&builder().with_memory_hold(true))?;
    // A refused lock leaves its number where -1 would be looked up.
    switch(Switch::MlockRefused, 11)?;
    let locking = builder().with_lock_in_memory(true);
    let others = arenas(&locking)?;
    ensure_error!(
        memory_in(&locking, &others, 1),
        AllocError::Os(OsError {
            call: OsCall::Lock,
            ..
        }),
        "an error number is left behind"
    );
    arenas(&builder().with_arena_cache_max_blocks(7))?;
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        7,
        "the heap was told"
    );
    Ok(())
}

fn zero_instead_of_a_previous_value_is_no_failure(_: &Bench) -> Verdict {
    switch(Switch::PreviousValues, 0)?;
    let defaults = heap_settings();
    let arenas = arenas(
        &builder()
            .with_arena_cache_max_blocks(7)
            .with_arena_cache_max_size(5 * PAGE)
            .with_restore_on_drop(true),
    )?;
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        7,
        "the heap was told"
    );
    drop(arenas);
    // What was there was not told, so the documented defaults come back.
    ensure_settings(defaults)
}

fn what_is_out_of_range_is_refused_before_any_call(_: &Bench) -> Verdict {
    let page = host_page();
    let most = i32::MAX as usize;
    let arenas = arenas(&builder())?;
    let settings = heap_settings();
    let mut good = arenas.options();
    good.memory_hold = true;
    good.monotonic_growth = true;
    let with = |change: fn(&mut ArenaOptions, usize), value| {
        let mut options = good;
        change(&mut options, value);
        options
    };
    let size = |value| with(|options, value| options.arena_size = value, value);
    let blocks = |value| with(|options, value| options.cache_max_blocks = value, value);
    let cached = |value| with(|options, value| options.cache_max_bytes = value, value);
    let before = Calls::now();
    for (wish, option) in [
        (size(0), ConfigOption::ArenaSize),
        (size(page - 1), ConfigOption::ArenaSize),
        (size(MAX_ARENA_SIZE + page), ConfigOption::ArenaSize),
        (size(usize::MAX), ConfigOption::ArenaSize),
        (blocks(most + 1), ConfigOption::ArenaCacheMaxBlocks),
        (blocks(usize::MAX), ConfigOption::ArenaCacheMaxBlocks),
        (cached(most + 1), ConfigOption::ArenaCacheMaxSize),
        (cached(usize::MAX), ConfigOption::ArenaCacheMaxSize),
    ] {
        ensure_error!(
            arenas.configure(wish),
            AllocError::InvalidOption { option: told, .. } if told == option,
            "it is refused by its name"
        );
    }
    ensure_error!(
        arenas.configure(size(page + page / 2)),
        AllocError::Misaligned { value, .. } if value == page + page / 2,
        "arenas are whole host pages"
    );
    ensure_same!(before.total_since(), 0, "no call is made");
    ensure_settings(settings)
}

fn the_greatest_arena_size_may_be_refused(_: &Bench) -> Verdict {
    let page = host_page();
    for (exclusive, in_force, outcome) in [
        (0, MAX_ARENA_SIZE, Outcome::Applied),
        (
            1,
            MAX_ARENA_SIZE - page,
            Outcome::Clamped(Limitation::MaximumRefused),
        ),
    ] {
        switch(Switch::ArenaSizeExclusive, exclusive)?;
        let arenas = arenas(&builder().with_arena_size(MAX_ARENA_SIZE))?;
        let told = option(&arenas.effective_configuration(), ConfigOption::ArenaSize)?;
        ensure!(
            told.asked == OptionValue::Bytes(MAX_ARENA_SIZE),
            "what was asked"
        );
        ensure!(
            told.in_force == OptionValue::Bytes(in_force),
            "what is in force"
        );
        ensure!(told.outcome == outcome, "and why");
        let heap = bench::setting(HeapSetting::ArenaSize);
        ensure_same!(heap.unsigned_abs(), in_force, "the heap was told that");
    }
    Ok(())
}

fn lifo_is_for_the_environment(_: &Bench) -> Verdict {
    let before = Calls::now();
    let arenas = arenas(&builder().with_lifo_free(true))?;
    ensure!(before.since("mallopt") <= 1, "a question at most");
    ensure!(before.since("getenv") > 0, "the environment is looked at");
    let told = option(&arenas.effective_configuration(), ConfigOption::LifoFree)?;
    ensure!(
        matches!(
            told.outcome,
            Outcome::Partial(Limitation::EnvironmentOnly { variable })
                if variable.starts_with("MALLOC_FREE_LIFO")
        ),
        "the variable is named"
    );
    ensure_same!(
        bench::setting(HeapSetting::Lifo),
        0,
        "the heap stays as it is"
    );
    Ok(())
}

fn preallocation_is_for_the_environment(_: &Bench) -> Verdict {
    let heap = bench::heap_bytes();
    let arenas = arenas(&builder().with_preallocation(16 * PAGE))?;
    let told = option(&arenas.effective_configuration(), ConfigOption::Preallocate)?;
    ensure!(
        told.asked == OptionValue::Bytes(16 * PAGE),
        "what was asked"
    );
    ensure!(
        told.in_force == OptionValue::Bytes(0),
        "nothing is preallocated"
    );
    ensure!(
        matches!(
            told.outcome,
            Outcome::Unsupported(Limitation::EnvironmentOnly { variable })
                if variable.starts_with("MALLOC_MEMORY_PREALLOCATE")
        ),
        "the variable is named"
    );
    ensure_same!(bench::heap_bytes(), heap, "and the heap took nothing");
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
        .build_over(conformance::Subject::system(&crate::subjects::LIBC))?;
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
    super::support::refuse("mallopt", 2)?;
    ensure_error!(
        arenas(&wish),
        AllocError::Os(OsError {
            call: OsCall::Configure,
            reason: Reason::Errno(Errno(22)),
            ..
        }),
        "the refusal is told"
    );
    ensure_same!(super::support::refused(), 1, "mallopt was refused");
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        7,
        "the value stands"
    );
    Ok(())
}
