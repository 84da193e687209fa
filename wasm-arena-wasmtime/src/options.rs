//! Which memory options a strategy leaves to the user, and which it decides itself.
#![forbid(unsafe_code)]

use wasm_arena::{
    AllocError, ConfigOption, GrowthPolicy, GrowthRoom, GuardSize, MemoryOptions, Protection,
    RoomAccess, SystemFacts, WASM_PAGE_SIZE,
};

use crate::strategy::{GUARD_BYTES, RESERVATION_BYTES};
use crate::{MemoryError, Strategy};

/// What the user asked for, completed with what the strategy decides. Conflicts are refused.
pub(crate) fn resolve(
    mut options: MemoryOptions,
    strategy: Strategy,
) -> Result<MemoryOptions, MemoryError> {
    let conflict = |option, accepted| MemoryError::ConflictingOption {
        option,
        strategy,
        accepted,
    };
    if options.growth_policy != GrowthPolicy::MoveWhenFull {
        return Err(conflict(ConfigOption::GrowthPolicy, "move-when-full"));
    }
    if options.growth_room != GrowthRoom::Automatic {
        return Err(conflict(ConfigOption::GrowthRoom, "automatic"));
    }
    if options.room_access != RoomAccess::Guarded {
        return Err(conflict(ConfigOption::RoomAccess, "guarded, the default,"));
    }
    // Wasmtime itself writes and reads the data, outside of any handler of faults.
    if options.data_protection != Protection::ReadWrite {
        return Err(conflict(ConfigOption::DataProtection, "read-write"));
    }
    match strategy {
        Strategy::Bounded => {
            // Every access is compared with the size, so the room needs no protection of its own,
            // and growing into it is arithmetic.
            options.room_access = RoomAccess::Open;
            options.growth_room = GrowthRoom::Bytes(WASM_PAGE_SIZE);
        }
        Strategy::Reserved => {
            if options.guard_protection != Protection::None {
                // A stray read would go unnoticed.
                return Err(conflict(ConfigOption::GuardProtection, "none"));
            }
            options.guard_after = GuardSize::Bytes(match options.guard_after {
                GuardSize::OneHostPage => GUARD_BYTES,
                GuardSize::Bytes(bytes) if bytes >= GUARD_BYTES => bytes,
                GuardSize::Bytes(value) => return Err(guard_too_small(value)),
                _ => return Err(guard_too_small(0)),
            });
        }
    }
    Ok(options)
}

fn guard_too_small(value: usize) -> MemoryError {
    MemoryError::Alloc(AllocError::InvalidOption {
        option: ConfigOption::GuardAfter,
        value,
        minimum: GUARD_BYTES,
        maximum: isize::MAX as usize,
    })
}

/// Bytes of guard that compiled code may rely on: none where checks are explicit.
pub(crate) const fn engine_guard(options: &MemoryOptions, strategy: Strategy) -> usize {
    match (strategy, options.guard_after) {
        (Strategy::Reserved, GuardSize::Bytes(bytes)) => bytes,
        _ => 0,
    }
}

/// Whether the strategy is possible over a system with these facts.
pub(crate) fn check_facts(strategy: Strategy, facts: &SystemFacts) -> Result<(), MemoryError> {
    let unavailable = |setting, missing| MemoryError::StrategyUnavailable {
        strategy,
        system: facts.name,
        setting,
        missing,
    };
    match strategy {
        Strategy::Bounded => Ok(()),
        Strategy::Reserved if usize::try_from(RESERVATION_BYTES).is_err() => Err(unavailable(
            "memory_reservation = 4 GiB",
            "the host has no such address space",
        )),
        Strategy::Reserved if !facts.pages.can_protect => Err(unavailable(
            "memory_guard_size",
            "its pages cannot be made to fault",
        )),
        Strategy::Reserved if !facts.pages.reserves_for_free => Err(unavailable(
            "memory_reservation = 4 GiB",
            "reserved address space costs memory there",
        )),
        Strategy::Reserved => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut MemoryOptions)) -> MemoryOptions {
        let mut options = MemoryOptions::DEFAULT;
        change(&mut options);
        options
    }

    fn refused_option(options: MemoryOptions, strategy: Strategy) -> Option<ConfigOption> {
        match resolve(options, strategy) {
            Err(
                MemoryError::ConflictingOption { option, .. }
                | MemoryError::Alloc(AllocError::InvalidOption { option, .. }),
            ) => Some(option),
            _ => None,
        }
    }

    #[test]
    fn what_a_strategy_decides_is_refused_by_name() {
        for strategy in Strategy::ALL {
            for (options, option) in [
                (
                    with(|o| o.growth_policy = GrowthPolicy::InPlace),
                    ConfigOption::GrowthPolicy,
                ),
                (
                    with(|o| o.growth_room = GrowthRoom::Bytes(0)),
                    ConfigOption::GrowthRoom,
                ),
                (
                    with(|o| o.room_access = RoomAccess::Open),
                    ConfigOption::RoomAccess,
                ),
                (
                    with(|o| o.data_protection = Protection::Read),
                    ConfigOption::DataProtection,
                ),
            ] {
                assert_eq!(refused_option(options, strategy), Some(option));
            }
            assert_eq!(refused_option(MemoryOptions::DEFAULT, strategy), None);
        }
    }

    #[test]
    fn a_guard_that_compiled_code_relies_on_is_never_smaller_than_it_thinks() {
        let reserved = Strategy::Reserved;
        for guard in [GuardSize::None, GuardSize::Bytes(GUARD_BYTES - 1)] {
            let options = with(|o| o.guard_after = guard);
            assert_eq!(
                refused_option(options.clone(), reserved),
                Some(ConfigOption::GuardAfter)
            );
            assert_eq!(refused_option(options, Strategy::Bounded), None);
        }
        let readable = with(|o| o.guard_protection = Protection::Read);
        assert_eq!(
            refused_option(readable, reserved),
            Some(ConfigOption::GuardProtection)
        );
        for (asked, relied_on) in [
            (GuardSize::OneHostPage, GUARD_BYTES),
            (GuardSize::Bytes(GUARD_BYTES * 2), GUARD_BYTES * 2),
        ] {
            let options = resolve(with(|o| o.guard_after = asked), reserved).unwrap();
            assert_eq!(options.guard_after, GuardSize::Bytes(relied_on));
            assert_eq!(engine_guard(&options, reserved), relied_on);
        }
    }
}
