//! Numbers that stand for options, calls of the operating system, and values of options.
#![forbid(unsafe_code)]

use core::ffi::CStr;

use os::OsCall;
use wasm_arena::{ConfigOption, GrowthPolicy, Protection, RoomAccess, VerificationLevel};

use crate::failure::Failure;

/// Option: bytes of an arena.
pub const WASM_ARENA_OPTION_ARENA_SIZE: i32 = 0;
/// Option: regions kept for the next request.
pub const WASM_ARENA_OPTION_ARENA_CACHE_MAX_BLOCKS: i32 = 1;
/// Option: bytes that kept regions may hold.
pub const WASM_ARENA_OPTION_ARENA_CACHE_MAX_SIZE: i32 = 2;
/// Option: reuse what was freed last.
pub const WASM_ARENA_OPTION_LIFO_FREE: i32 = 3;
/// Option: keep everything that is released.
pub const WASM_ARENA_OPTION_MEMORY_HOLD: i32 = 4;
/// Option: never round growth of small blocks up.
pub const WASM_ARENA_OPTION_MONOTONIC_GROWTH: i32 = 5;
/// Option: bytes of arenas taken beforehand.
pub const WASM_ARENA_OPTION_PREALLOCATE: i32 = 6;
/// Option: put settings of the process back at the end.
pub const WASM_ARENA_OPTION_RESTORE_ON_DROP: i32 = 7;
/// Option: bytes of the guard before the data.
pub const WASM_ARENA_OPTION_GUARD_BEFORE: i32 = 8;
/// Option: bytes of the guard after the room to grow.
pub const WASM_ARENA_OPTION_GUARD_AFTER: i32 = 9;
/// Option: what may be done with the guards.
pub const WASM_ARENA_OPTION_GUARD_PROTECTION: i32 = 10;
/// Option: what may be done with the data.
pub const WASM_ARENA_OPTION_DATA_PROTECTION: i32 = 11;
/// Option: how the memory grows.
pub const WASM_ARENA_OPTION_GROWTH_POLICY: i32 = 12;
/// Option: room to grow beyond the initial size.
pub const WASM_ARENA_OPTION_GROWTH_ROOM: i32 = 13;
/// Option: what lies between the data and the guard.
pub const WASM_ARENA_OPTION_ROOM_ACCESS: i32 = 14;
/// Option: lock the data in memory.
pub const WASM_ARENA_OPTION_LOCK_IN_MEMORY: i32 = 15;
/// Option: make the data resident beforehand.
pub const WASM_ARENA_OPTION_PREFAULT: i32 = 16;
/// Option: permit writing and executing at once.
pub const WASM_ARENA_OPTION_WRITE_AND_EXECUTE: i32 = 17;
/// Option: how much is checked.
pub const WASM_ARENA_OPTION_VERIFICATION_LEVEL: i32 = 18;
/// How many options there are.
pub const WASM_ARENA_OPTION_COUNT: i32 = 19;

/// Call: address space was to be reserved.
pub const WASM_ARENA_CALL_RESERVE: i32 = 0;
/// Call: address space was to be reserved and made accessible.
pub const WASM_ARENA_CALL_MAP: i32 = 1;
/// Call: reserved pages were to be made accessible.
pub const WASM_ARENA_CALL_COMMIT: i32 = 2;
/// Call: pages were to be closed and their contents dropped.
pub const WASM_ARENA_CALL_DECOMMIT: i32 = 3;
/// Call: contents of pages were to be dropped.
pub const WASM_ARENA_CALL_DISCARD: i32 = 4;
/// Call: a protection was to be changed.
pub const WASM_ARENA_CALL_PROTECT: i32 = 5;
/// Call: a run was to be given back.
pub const WASM_ARENA_CALL_UNMAP: i32 = 6;
/// Call: pages were to be locked in memory.
pub const WASM_ARENA_CALL_LOCK: i32 = 7;
/// Call: pages were to be unlocked.
pub const WASM_ARENA_CALL_UNLOCK: i32 = 8;
/// Call: pages were to be made resident.
pub const WASM_ARENA_CALL_PREFAULT: i32 = 9;
/// Call: resident bytes were to be counted.
pub const WASM_ARENA_CALL_RESIDENT: i32 = 10;
/// Call: an address was to be tested.
pub const WASM_ARENA_CALL_PROBE: i32 = 11;
/// Call: a block was asked of the C library's heap.
pub const WASM_ARENA_CALL_ALLOCATE: i32 = 12;
/// Call: a block of the C library's heap was to be resized.
pub const WASM_ARENA_CALL_REALLOCATE: i32 = 13;
/// Call: the C library's heap was to be configured.
pub const WASM_ARENA_CALL_CONFIGURE: i32 = 14;
/// Call: the pages that were written were to be told.
pub const WASM_ARENA_CALL_TOUCHED: i32 = 15;
/// How many kinds of calls there are.
pub const WASM_ARENA_CALL_COUNT: i32 = 16;

/// How much is checked: one of `WASM_ARENA_LEVEL_...`.
pub type wasm_arena_level_t = i32;
/// Arguments and bounds only.
pub const WASM_ARENA_LEVEL_OFF: wasm_arena_level_t = 0;
/// And the bookkeeping now and then.
pub const WASM_ARENA_LEVEL_SAMPLING: wasm_arena_level_t = 1;
/// And the bookkeeping at every operation.
pub const WASM_ARENA_LEVEL_STANDARD: wasm_arena_level_t = 2;
/// And the guards at growth and release.
pub const WASM_ARENA_LEVEL_FULL: wasm_arena_level_t = 3;
/// And the bookkeeping against its second copy.
pub const WASM_ARENA_LEVEL_CRITICAL: wasm_arena_level_t = 4;

/// What may be done with pages: one of `WASM_ARENA_PROTECTION_...`.
pub type wasm_arena_protection_t = i32;
/// Every access faults.
pub const WASM_ARENA_PROTECTION_NONE: wasm_arena_protection_t = 0;
/// Reads only.
pub const WASM_ARENA_PROTECTION_READ: wasm_arena_protection_t = 1;
/// Reads and writes.
pub const WASM_ARENA_PROTECTION_READ_WRITE: wasm_arena_protection_t = 2;
/// Reads and instruction fetches.
pub const WASM_ARENA_PROTECTION_READ_EXECUTE: wasm_arena_protection_t = 3;
/// Everything; refused unless `write_and_execute` was set.
pub const WASM_ARENA_PROTECTION_READ_WRITE_EXECUTE: wasm_arena_protection_t = 4;

/// How a memory grows: one of `WASM_ARENA_GROWTH_...`.
pub type wasm_arena_growth_t = i32;
/// In place while there is room, else into a new region: the base may change.
pub const WASM_ARENA_GROWTH_MOVE_WHEN_FULL: wasm_arena_growth_t = 0;
/// In place or not at all: the base never changes.
pub const WASM_ARENA_GROWTH_IN_PLACE: wasm_arena_growth_t = 1;
/// The maximum is reserved at allocation: the base never changes.
pub const WASM_ARENA_GROWTH_RESERVE_MAXIMUM: wasm_arena_growth_t = 2;
/// By the platform's `realloc`, with the guards down while it runs.
pub const WASM_ARENA_GROWTH_REALLOCATE: wasm_arena_growth_t = 3;

/// What lies between the data and the guard: one of `WASM_ARENA_ROOM_...`.
pub type wasm_arena_room_t = i32;
/// Inaccessible until the memory has grown into it.
pub const WASM_ARENA_ROOM_GUARDED: wasm_arena_room_t = 0;
/// Accessible and zero from the start: growth in place makes no system call.
pub const WASM_ARENA_ROOM_OPEN: wasm_arena_room_t = 1;

/// The VerificationLevel that a number from C stands for.
pub(crate) fn level(number: i32, argument: &'static str) -> Result<VerificationLevel, Failure> {
    Ok(match number {
        WASM_ARENA_LEVEL_OFF => VerificationLevel::Off,
        WASM_ARENA_LEVEL_SAMPLING => VerificationLevel::Sampling,
        WASM_ARENA_LEVEL_STANDARD => VerificationLevel::Standard,
        WASM_ARENA_LEVEL_FULL => VerificationLevel::Full,
        WASM_ARENA_LEVEL_CRITICAL => VerificationLevel::Critical,
        other => return Err(no_meaning(other, argument)),
    })
}

/// The Protection that a number from C stands for.
pub(crate) fn protection(number: i32, argument: &'static str) -> Result<Protection, Failure> {
    Ok(match number {
        WASM_ARENA_PROTECTION_NONE => Protection::None,
        WASM_ARENA_PROTECTION_READ => Protection::Read,
        WASM_ARENA_PROTECTION_READ_WRITE => Protection::ReadWrite,
        WASM_ARENA_PROTECTION_READ_EXECUTE => Protection::ReadExecute,
        WASM_ARENA_PROTECTION_READ_WRITE_EXECUTE => Protection::ReadWriteExecute,
        other => return Err(no_meaning(other, argument)),
    })
}

/// The GrowthPolicy that a number from C stands for.
pub(crate) fn growth(number: i32, argument: &'static str) -> Result<GrowthPolicy, Failure> {
    Ok(match number {
        WASM_ARENA_GROWTH_MOVE_WHEN_FULL => GrowthPolicy::MoveWhenFull,
        WASM_ARENA_GROWTH_IN_PLACE => GrowthPolicy::InPlace,
        WASM_ARENA_GROWTH_RESERVE_MAXIMUM => GrowthPolicy::ReserveMaximum,
        WASM_ARENA_GROWTH_REALLOCATE => GrowthPolicy::Reallocate,
        other => return Err(no_meaning(other, argument)),
    })
}

/// The RoomAccess that a number from C stands for.
pub(crate) fn room(number: i32, argument: &'static str) -> Result<RoomAccess, Failure> {
    Ok(match number {
        WASM_ARENA_ROOM_GUARDED => RoomAccess::Guarded,
        WASM_ARENA_ROOM_OPEN => RoomAccess::Open,
        other => return Err(no_meaning(other, argument)),
    })
}

fn no_meaning(number: i32, argument: &'static str) -> Failure {
    // As C would print it, with its sign where it has one.
    let value = i64::from(number).cast_unsigned();
    Failure::InvalidArgument { argument, value }
}

/// A switch from C: 0 or 1, as a C compiler stores a `bool`.
pub(crate) fn switch(number: u8, argument: &'static str) -> Result<bool, Failure> {
    match number {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Failure::InvalidArgument {
            argument,
            value: u64::from(other),
        }),
    }
}

/// The number of a level.
pub(crate) const fn level_number(level: VerificationLevel) -> wasm_arena_level_t {
    match level {
        VerificationLevel::Off => WASM_ARENA_LEVEL_OFF,
        VerificationLevel::Sampling => WASM_ARENA_LEVEL_SAMPLING,
        VerificationLevel::Standard => WASM_ARENA_LEVEL_STANDARD,
        VerificationLevel::Full => WASM_ARENA_LEVEL_FULL,
        _ => WASM_ARENA_LEVEL_CRITICAL,
    }
}

/// The options by number. Numbers never change: what is new is put at the end.
pub(crate) const OPTIONS: [ConfigOption; 19] = [
    ConfigOption::ArenaSize,
    ConfigOption::ArenaCacheMaxBlocks,
    ConfigOption::ArenaCacheMaxSize,
    ConfigOption::LifoFree,
    ConfigOption::MemoryHold,
    ConfigOption::MonotonicGrowth,
    ConfigOption::Preallocate,
    ConfigOption::RestoreOnDrop,
    ConfigOption::GuardBefore,
    ConfigOption::GuardAfter,
    ConfigOption::GuardProtection,
    ConfigOption::DataProtection,
    ConfigOption::GrowthPolicy,
    ConfigOption::GrowthRoom,
    ConfigOption::RoomAccess,
    ConfigOption::LockInMemory,
    ConfigOption::Prefault,
    ConfigOption::WriteAndExecute,
    ConfigOption::VerificationLevel,
];

/// The calls by number, in the same manner.
pub(crate) const CALLS: [OsCall; 16] = [
    OsCall::Reserve,
    OsCall::Map,
    OsCall::Commit,
    OsCall::Decommit,
    OsCall::Discard,
    OsCall::Protect,
    OsCall::Unmap,
    OsCall::Lock,
    OsCall::Unlock,
    OsCall::Prefault,
    OsCall::Resident,
    OsCall::Probe,
    OsCall::Allocate,
    OsCall::Reallocate,
    OsCall::Configure,
    OsCall::Touched,
];

/// The number of an option.
pub(crate) fn option_number(option: ConfigOption) -> i32 {
    position(&OPTIONS, &option)
}

/// The number of a call.
pub(crate) fn call_number(call: OsCall) -> i32 {
    position(&CALLS, &call)
}

/// The place of a value in a list; -1 if it is not there, which a test rules out.
fn position<T: PartialEq>(all: &[T], value: &T) -> i32 {
    let position = all.iter().position(|candidate| candidate == value);
    position
        .and_then(|position| i32::try_from(position).ok())
        .unwrap_or(-1)
}

/// Names of the options, by number.
pub(crate) const OPTION_NAMES: [&CStr; 19] = [
    c"arena-size",
    c"arena-cache-max-blocks",
    c"arena-cache-max-size",
    c"lifo-free",
    c"memory-hold",
    c"monotonic-growth",
    c"preallocate",
    c"restore-on-drop",
    c"guard-before",
    c"guard-after",
    c"guard-protection",
    c"data-protection",
    c"growth-policy",
    c"growth-room",
    c"room-access",
    c"lock-in-memory",
    c"prefault",
    c"write-and-execute",
    c"verification-level",
];

/// Names of the calls, by number.
pub(crate) const CALL_NAMES: [&CStr; 16] = [
    c"reserve",
    c"map",
    c"commit",
    c"decommit",
    c"discard",
    c"protect",
    c"unmap",
    c"lock",
    c"unlock",
    c"prefault",
    c"resident",
    c"probe",
    c"allocate",
    c"reallocate",
    c"configure",
    c"touched",
];

/// Names of the levels, by number.
pub(crate) const LEVEL_NAMES: [&CStr; 5] = [c"off", c"sampling", c"standard", c"full", c"critical"];

/// The element at a number from C.
pub(crate) fn at<T: Copy>(all: &[T], number: i32) -> Option<T> {
    all.get(usize::try_from(number).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_and_call_has_one_number_and_the_library_s_name() {
        assert_eq!(OPTIONS.len(), ConfigOption::ALL.len());
        for option in ConfigOption::ALL {
            let name = at(&OPTION_NAMES, option_number(option)).expect("it has a number");
            assert_eq!(name.to_str(), Ok(option.name()));
        }
        assert_eq!(WASM_ARENA_OPTION_COUNT as usize, OPTIONS.len());
        assert_eq!(CALLS.len(), OsCall::ALL.len());
        for call in OsCall::ALL {
            let name = at(&CALL_NAMES, call_number(call)).expect("it has a number");
            assert_eq!(name.to_str(), Ok(call.name()));
        }
        assert_eq!(WASM_ARENA_CALL_COUNT as usize, CALLS.len());
        for (number, level_of_all) in VerificationLevel::ALL.into_iter().enumerate() {
            let number = i32::try_from(number).unwrap();
            assert_eq!(level(number, "level"), Ok(level_of_all));
            assert_eq!(level_number(level_of_all), number);
            assert_eq!(
                LEVEL_NAMES[number as usize].to_str(),
                Ok(level_of_all.name())
            );
        }
    }

    #[test]
    fn numbers_have_the_names_that_the_header_gives_them() {
        assert_eq!(
            option_number(ConfigOption::GrowthRoom),
            WASM_ARENA_OPTION_GROWTH_ROOM
        );
        assert_eq!(call_number(OsCall::Protect), WASM_ARENA_CALL_PROTECT);
        assert_eq!(call_number(OsCall::Configure), WASM_ARENA_CALL_CONFIGURE);
        assert_eq!(call_number(OsCall::Touched), WASM_ARENA_CALL_TOUCHED);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for number in [-1, 5, i32::MAX, i32::MIN] {
            assert!(level(number, "level").is_err());
            assert!(protection(number, "protection").is_err());
            assert!(growth(number, "growth").is_err());
            assert!(room(number, "room").is_err());
        }
        assert_eq!(switch(1, "x"), Ok(true));
        assert!(switch(2, "x").is_err());
        assert_eq!(at(&[1, 2], -1), None);
    }
}
