//! SDP 8.0: a heap without arenas, and three parameters that stand in for their settings.
#![forbid(unsafe_code)]

use conformance::Verdict;
use os::QnxVersion;
use wasm_arena::{
    AllocError, ConfigOption, Limitation, OptionValue, Outcome, Scope, WASM_PAGE_SIZE,
};

use super::LibcCase;
use super::settings::option;
use super::support::{
    Bench, Builder, Calls, PAGE, arenas, builder, ensure, ensure_error, ensure_same,
    ensure_settings, heap_settings, memory_in, named, refuse, refused, switch,
};
use crate::bench::{self, HeapSetting, Switch};

pub(super) fn cases() -> [LibcCase; 7] {
    [
        named!(
            each_arena_option_says_what_it_became,
            "another parameter, or nothing"
        ),
        named!(success_of_one_is_no_failure, "qnx-facts §1.6"),
        named!(
            deprecated_commands_are_never_sent,
            "whether they are refused or not"
        ),
        named!(a_refused_parameter_is_told, "each of the three"),
        named!(defaults_set_no_parameter, "a default is no wish"),
        named!(
            trim_asks_nothing_of_a_heap_without_arenas,
            "there is no cache to empty"
        ),
        named!(
            parameters_are_not_put_back,
            "what was there before cannot be learnt"
        ),
    ]
}

const MISSING: Outcome = Outcome::Unsupported(Limitation::NotInVersion {
    version: QnxVersion::Sdp80,
});

const fn instead(setting: &'static str) -> Outcome {
    Outcome::Partial(Limitation::ByAnotherSetting { setting })
}

/// Every option that becomes a parameter.
fn parameters() -> Builder {
    builder()
        .with_arena_size(2 * PAGE)
        .with_arena_cache_max_blocks(0)
        .with_memory_hold(true)
}

fn each_arena_option_says_what_it_became(_: &Bench) -> Verdict {
    let arenas = arenas(
        &parameters()
            .with_lifo_free(true)
            .with_monotonic_growth(true)
            .with_preallocation(PAGE)
            .with_restore_on_drop(true),
    )?;
    let effective = arenas.effective_configuration();
    for (asked, outcome) in [
        (ConfigOption::ArenaSize, instead("M_GRANULARITY")),
        (
            ConfigOption::ArenaCacheMaxBlocks,
            instead("M_MMAP_THRESHOLD"),
        ),
        (ConfigOption::MemoryHold, instead("M_TRIM_THRESHOLD")),
        (ConfigOption::LifoFree, Outcome::Applied),
        (ConfigOption::MonotonicGrowth, MISSING),
        (ConfigOption::Preallocate, MISSING),
        (
            ConfigOption::RestoreOnDrop,
            Outcome::Unsupported(Limitation::PreviousUnknown),
        ),
    ] {
        let told = option(&effective, asked)?;
        ensure!(told.outcome == outcome, "the option says what it became");
        let process = matches!(outcome, Outcome::Partial(_));
        ensure!(
            (told.scope == Scope::Process) == process,
            "and how far it reaches"
        );
    }
    for (setting, value) in [
        (HeapSetting::Granularity, 2 * PAGE),
        (HeapSetting::MmapThreshold, WASM_PAGE_SIZE),
        (HeapSetting::TrimThreshold, i32::MAX as usize),
    ] {
        ensure_same!(
            bench::setting(setting).unsigned_abs(),
            value,
            "the heap was told"
        );
    }

    // What is no power of two is no granularity.
    drop(arenas);
    let settings = heap_settings();
    let arenas = super::support::arenas(&builder().with_arena_size(3 * PAGE))?;
    let told = option(&arenas.effective_configuration(), ConfigOption::ArenaSize)?;
    ensure!(told.asked == OptionValue::Bytes(3 * PAGE), "what was asked");
    ensure!(told.outcome == MISSING, "it cannot be had");
    ensure_settings(settings)
}

fn success_of_one_is_no_failure(_: &Bench) -> Verdict {
    for success in [0, 1] {
        switch(Switch::LiveSuccess, success)?;
        arenas(&parameters())?;
    }
    ensure_same!(
        bench::setting(HeapSetting::Granularity),
        2 * PAGE as isize,
        "the heap was told"
    );
    Ok(())
}

fn deprecated_commands_are_never_sent(_: &Bench) -> Verdict {
    let before_all = heap_settings();
    for refused in [0, 1] {
        switch(Switch::DeprecatedRefused, refused)?;
        let before = Calls::now();
        let builder = parameters()
            .with_arena_cache_max_size(0)
            .with_monotonic_growth(true)
            .with_lifo_free(true);
        let arenas = arenas(&builder)?;
        memory_in(&builder, &arenas, 2)?.grow(1)?;
        arenas.trim()?;
        drop(arenas);
        ensure_same!(
            before.since("mallopt"),
            3,
            "the three parameters, and nothing else"
        );
    }
    let mut expected = before_all;
    expected[HeapSetting::Granularity as usize] = 2 * PAGE as isize;
    expected[HeapSetting::MmapThreshold as usize] = PAGE as isize;
    expected[HeapSetting::TrimThreshold as usize] = i32::MAX as isize;
    ensure_settings(expected)
}

fn a_refused_parameter_is_told(_: &Bench) -> Verdict {
    for n in 1..=3 {
        refuse("mallopt", n)?;
        let built = arenas(&parameters());
        ensure_same!(refused(), 1, "the parameter was refused");
        ensure_error!(built, AllocError::Os(_), "the refusal is told");
    }
    arenas(&parameters())?;
    Ok(())
}

fn defaults_set_no_parameter(_: &Bench) -> Verdict {
    let settings = heap_settings();
    let before = Calls::now();
    let builder = builder();
    let arenas = arenas(&builder)?;
    memory_in(&builder, &arenas, 1)?;
    ensure_same!(before.since("mallopt"), 0, "mallopt is not called");
    ensure_settings(settings)
}

fn trim_asks_nothing_of_a_heap_without_arenas(_: &Bench) -> Verdict {
    let builder = builder();
    let arenas = arenas(&builder)?;
    memory_in(&builder, &arenas, 2)?;
    let before = Calls::now();
    ensure!(arenas.trim()? > 2 * PAGE, "what is kept here goes back");
    ensure_same!(before.since("mallopt"), 0, "mallopt is not called");
    ensure_same!(before.since("mallinfo"), 0, "nor mallinfo");
    ensure_same!(
        before.since("free"),
        2,
        "the block and its record are freed"
    );
    Ok(())
}

fn parameters_are_not_put_back(_: &Bench) -> Verdict {
    let arenas = arenas(&parameters().with_restore_on_drop(true))?;
    let settings = heap_settings();
    let before = Calls::now();
    drop(arenas);
    ensure_same!(before.since("mallopt"), 0, "nothing is guessed");
    ensure_settings(settings)
}
