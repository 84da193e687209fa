//! Arena settings, told to the heap by `mallopt`: SDP 6.5 to 7.1.
#![forbid(unsafe_code)]

use conformance::Verdict;
use os::{OsCall, OsError};
use wasm_arena::{
    AllocError, ArenaOptions, ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation,
    MAX_ARENA_SIZE, OptionValue, Outcome,
};

use super::LibcCase;
use super::support::{
    Bench, Builder, Calls, PAGE, arenas, builder, ensure, ensure_error, ensure_same,
    ensure_settings, failure, heap_settings, host_page, memory_in, named, switch,
};
use crate::bench::{self, HeapSetting, Switch};

pub(super) fn cases() -> [LibcCase; 9] {
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
