//! Settings that are taken back: after a refusal, and when arenas are dropped.
#![forbid(unsafe_code)]

use conformance::Verdict;
use os::{Errno, OsCall, OsError, Reason};
use wasm_arena::AllocError;

use super::LibcCase;
use super::support::{
    Bench, Builder, PAGE, arenas, builder, ensure, ensure_error, ensure_same, ensure_settings,
    heap_settings, named, refuse, refused,
};
use crate::bench::{self, HeapSetting};

pub(super) fn cases() -> [LibcCase; 8] {
    [
        named!(
            a_refused_setting_undoes_the_others,
            "each mallopt in turn, hold among them"
        ),
        named!(
            a_refused_setting_leaves_what_another_had_set,
            "its values, not the defaults"
        ),
        named!(
            restore_on_drop_puts_back_what_was_there,
            "not the defaults, if something else was"
        ),
        named!(
            restoring_hold_puts_back_the_limits_that_were_there,
            "which hold had lifted"
        ),
        named!(without_it_settings_stay, "others may rely on them"),
        named!(
            restore_leaves_what_another_has_set_since,
            "it is not ours any more"
        ),
        named!(
            restoring_hold_leaves_the_limits_of_another,
            "lifting hold sets both limits to 0"
        ),
        named!(
            the_last_of_two_puts_back_what_was_there_first,
            "whoever set it first is gone"
        ),
    ]
}

/// Every setting other than its default.
fn everything() -> Builder {
    builder()
        .with_arena_size(2 * PAGE)
        .with_arena_cache_max_blocks(7)
        .with_arena_cache_max_size(5 * PAGE)
        .with_memory_hold(true)
        .with_monotonic_growth(true)
}

/// Refuses each command of `wish` in turn; the heap's settings are the same after each.
fn sweep(wish: &Builder, least: usize) -> Verdict {
    let settings = heap_settings();
    let mut n = 1;
    loop {
        refuse("mallopt", n)?;
        let built = arenas(wish);
        if refused() == 0 {
            drop(built?);
            break;
        }
        // EINVAL: qnx-facts §8.1.
        ensure_error!(
            built,
            AllocError::Os(OsError {
                call: OsCall::Configure,
                reason: Reason::Errno(Errno(22)),
                ..
            }),
            "the refusal is told"
        );
        ensure_settings(settings)?;
        n += 1;
    }
    ensure!(n > least, "every command was refused once");
    Ok(())
}

fn a_refused_setting_undoes_the_others(_: &Bench) -> Verdict {
    sweep(&everything(), 5)
}

fn a_refused_setting_leaves_what_another_had_set(_: &Bench) -> Verdict {
    let first = arenas(
        &builder()
            .with_arena_size(PAGE)
            .with_arena_cache_max_blocks(9)
            .with_arena_cache_max_size(3 * PAGE),
    )?;
    sweep(&everything(), 5)?;
    drop(first);
    Ok(())
}

/// Settings of somebody who is gone when they are put back.
fn set_by_another() -> Result<[isize; 9], AllocError> {
    arenas(
        &builder()
            .with_arena_size(PAGE)
            .with_arena_cache_max_blocks(9)
            .with_arena_cache_max_size(3 * PAGE),
    )?;
    Ok(heap_settings())
}

fn restore_on_drop_puts_back_what_was_there(_: &Bench) -> Verdict {
    let settings = set_by_another()?;
    ensure_same!(
        settings[HeapSetting::CacheMaxBlocks as usize],
        9,
        "it stays in force"
    );
    let arenas = arenas(
        &everything()
            .with_memory_hold(false)
            .with_restore_on_drop(true),
    )?;
    ensure!(heap_settings() != settings, "others are in force");
    drop(arenas);
    ensure_settings(settings)
}

fn restoring_hold_puts_back_the_limits_that_were_there(_: &Bench) -> Verdict {
    let settings = set_by_another()?;
    for wish in [builder().with_memory_hold(true), everything()] {
        let arenas = arenas(&wish.with_restore_on_drop(true))?;
        ensure_same!(bench::setting(HeapSetting::Hold), 1, "memory is held");
        drop(arenas);
        ensure_settings(settings)?;
    }
    Ok(())
}

fn without_it_settings_stay(_: &Bench) -> Verdict {
    let arenas = arenas(&everything())?;
    let settings = heap_settings();
    ensure_same!(
        settings[HeapSetting::ArenaSize as usize],
        2 * PAGE as isize,
        "they are in force"
    );
    drop(arenas);
    ensure_settings(settings)
}

fn restore_leaves_what_another_has_set_since(_: &Bench) -> Verdict {
    let first = arenas(
        &builder()
            .with_arena_size(PAGE)
            .with_arena_cache_max_blocks(9)
            .with_restore_on_drop(true),
    )?;
    let second = arenas(&builder().with_arena_size(2 * PAGE))?;
    drop(first);
    ensure_same!(
        bench::setting(HeapSetting::ArenaSize),
        2 * PAGE as isize,
        "the other's stays"
    );
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        12,
        "its own goes"
    );
    drop(second);
    ensure_same!(
        bench::setting(HeapSetting::ArenaSize),
        2 * PAGE as isize,
        "it still stays"
    );
    Ok(())
}

fn restoring_hold_leaves_the_limits_of_another(_: &Bench) -> Verdict {
    let holding = arenas(&builder().with_memory_hold(true).with_restore_on_drop(true))?;
    let limiting = arenas(&builder().with_arena_cache_max_blocks(9))?;
    drop(holding);
    ensure_same!(bench::setting(HeapSetting::Hold), 0, "nothing is held");
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        9,
        "the other's limit is in force"
    );
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBytes),
        0,
        "and no other limit"
    );
    drop(limiting);
    Ok(())
}

fn the_last_of_two_puts_back_what_was_there_first(_: &Bench) -> Verdict {
    let first = arenas(&builder().with_arena_size(PAGE))?;
    let second = arenas(
        &builder()
            .with_arena_size(2 * PAGE)
            .with_restore_on_drop(true),
    )?;
    drop(first);
    drop(second);
    ensure_same!(
        bench::setting(HeapSetting::ArenaSize),
        32 * 1024,
        "the documented default, which was there before both"
    );
    Ok(())
}
