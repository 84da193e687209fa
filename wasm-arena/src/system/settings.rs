//! Arena settings, in the words of the heap; and what a system without arenas says to them.
#![forbid(unsafe_code)]

use arena_heap::{FreeOrder, HeapConfig};
use os::PageSize;

use crate::options::{DEFAULT_ARENA_SIZE, MAX_ARENA_SIZE};
use crate::{
    AllocError, ArenaOptions, ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation,
    OptionValue, Outcome,
};

/// The heap's settings for these options.
pub(super) fn heap_config(
    options: &ArenaOptions,
    page: PageSize,
) -> Result<HeapConfig, AllocError> {
    // The default follows a host page that is larger than it; what somebody asked for does not.
    let arena_size = if options.arena_size == DEFAULT_ARENA_SIZE {
        options.arena_size.max(page.get())
    } else {
        options.arena_size
    };
    if arena_size < page.get() || arena_size > MAX_ARENA_SIZE {
        return Err(AllocError::InvalidOption {
            option: ConfigOption::ArenaSize,
            value: arena_size,
            minimum: page.get(),
            maximum: MAX_ARENA_SIZE,
        });
    }
    if !page.divides(arena_size) {
        return Err(AllocError::Misaligned {
            value: arena_size,
            page_size: page.get(),
        });
    }
    Ok(HeapConfig {
        arena_size,
        cache_max_blocks: options.cache_max_blocks,
        cache_max_bytes: options.cache_max_bytes,
        hold: options.memory_hold,
        monotonic_growth: options.monotonic_growth,
        free_order: if options.lifo_free {
            FreeOrder::Lifo
        } else {
            FreeOrder::Fifo
        },
        preallocate: options.preallocate,
        ..HeapConfig::DEFAULT
    })
}

/// Notes that the arena settings are in force.
pub(super) fn note_arenas(config: &HeapConfig, effective: &mut EffectiveConfiguration) {
    for (option, value) in [
        (
            ConfigOption::ArenaSize,
            OptionValue::Bytes(config.arena_size),
        ),
        (
            ConfigOption::MonotonicGrowth,
            OptionValue::Switch(config.monotonic_growth),
        ),
        (
            ConfigOption::Preallocate,
            OptionValue::Bytes(config.preallocate),
        ),
    ] {
        effective.applied(option, value);
    }
}

/// Notes the arena settings that somebody asked for and that mean nothing without arenas. A default
/// is not a wish.
pub(super) fn note_missing_arenas(options: &ArenaOptions, effective: &mut EffectiveConfiguration) {
    let defaults = ArenaOptions::DEFAULT;
    let bytes = OptionValue::Bytes;
    for (option, asked, default) in [
        (
            ConfigOption::ArenaSize,
            bytes(options.arena_size),
            bytes(defaults.arena_size),
        ),
        (
            ConfigOption::Preallocate,
            bytes(options.preallocate),
            bytes(defaults.preallocate),
        ),
        (
            ConfigOption::MonotonicGrowth,
            OptionValue::Switch(options.monotonic_growth),
            OptionValue::Switch(defaults.monotonic_growth),
        ),
    ] {
        if asked != default {
            let outcome = Outcome::Unsupported(Limitation::NoArenas);
            effective.set(EffectiveOption::own(option, asked, default, outcome));
        }
    }
}
