//! From the options asked for to those in force on a system.
#![forbid(unsafe_code)]

use os::Protection;

use crate::options::{GrowthPolicy, GrowthRoom, GuardSize, RoomAccess};
use crate::{
    AllocError, ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation, MemoryOptions,
    OptionValue, Outcome, SystemFacts,
};

/// Checks the options, and replaces what the system cannot do; `effective` says what.
pub(super) fn resolve(
    mut options: MemoryOptions,
    facts: &SystemFacts,
    effective: &mut EffectiveConfiguration,
) -> Result<MemoryOptions, AllocError> {
    let page = facts.pages.page_size;
    for (option, size) in [
        (ConfigOption::GuardBefore, &mut options.guard_before),
        (ConfigOption::GuardAfter, &mut options.guard_after),
    ] {
        let asked = match *size {
            GuardSize::None => 0,
            GuardSize::OneHostPage => page.get(),
            GuardSize::Bytes(bytes) if page.divides(bytes) => bytes,
            GuardSize::Bytes(value) => {
                return Err(AllocError::Misaligned {
                    value,
                    page_size: page.get(),
                });
            }
        };
        let in_force = if facts.pages.can_protect { asked } else { 0 };
        *size = GuardSize::Bytes(in_force);
        note(
            effective,
            option,
            OptionValue::Bytes(asked),
            OptionValue::Bytes(in_force),
            || Limitation::NoProtection,
        );
    }

    if options.guard_protection.can_write() || options.guard_protection.can_execute() {
        // A guard that lets writes or fetches through is none.
        return Err(AllocError::InvalidOption {
            option: ConfigOption::GuardProtection,
            value: options.guard_protection as usize,
            minimum: Protection::None as usize,
            maximum: Protection::Read as usize,
        });
    }
    effective.applied(
        ConfigOption::GuardProtection,
        OptionValue::Choice(protection_name(options.guard_protection)),
    );

    if options.data_protection == Protection::ReadWriteExecute && !options.write_and_execute {
        return Err(AllocError::WriteAndExecute);
    }
    let asked = options.data_protection;
    if !facts.pages.can_protect {
        options.data_protection = Protection::ReadWrite;
    }
    note(
        effective,
        ConfigOption::DataProtection,
        OptionValue::Choice(protection_name(asked)),
        OptionValue::Choice(protection_name(options.data_protection)),
        || Limitation::NoProtection,
    );

    let asked = options.growth_policy;
    let locked = options.lock_in_memory && facts.pages.can_lock;
    if asked == GrowthPolicy::Reallocate && (!facts.reallocates || locked) {
        options.growth_policy = GrowthPolicy::MoveWhenFull;
    }
    note(
        effective,
        ConfigOption::GrowthPolicy,
        OptionValue::Choice(policy_name(asked)),
        OptionValue::Choice(policy_name(options.growth_policy)),
        || {
            if facts.reallocates {
                Limitation::NoReallocateLocked
            } else {
                Limitation::NoReallocate
            }
        },
    );

    effective.applied(
        ConfigOption::GrowthRoom,
        match options.growth_room {
            GrowthRoom::Automatic => OptionValue::Choice("automatic"),
            GrowthRoom::Bytes(bytes) => OptionValue::Bytes(bytes),
        },
    );
    let asked = options.room_access;
    if !facts.pages.can_protect {
        options.room_access = RoomAccess::Open;
    }
    note(
        effective,
        ConfigOption::RoomAccess,
        OptionValue::Choice(room_access_name(asked)),
        OptionValue::Choice(room_access_name(options.room_access)),
        || Limitation::NoProtection,
    );

    let asked = options.lock_in_memory;
    options.lock_in_memory &= facts.pages.can_lock;
    note(
        effective,
        ConfigOption::LockInMemory,
        OptionValue::Switch(asked),
        OptionValue::Switch(options.lock_in_memory),
        || Limitation::NoLocking,
    );
    for (option, value) in [
        (
            ConfigOption::Prefault,
            OptionValue::Switch(options.prefault),
        ),
        (
            ConfigOption::WriteAndExecute,
            OptionValue::Switch(options.write_and_execute),
        ),
        (
            ConfigOption::VerificationLevel,
            OptionValue::Choice(options.verification_level.name()),
        ),
    ] {
        effective.applied(option, value);
    }
    Ok(options)
}

fn note(
    effective: &mut EffectiveConfiguration,
    option: ConfigOption,
    asked: OptionValue,
    in_force: OptionValue,
    why: impl FnOnce() -> Limitation,
) {
    let outcome = if asked == in_force {
        Outcome::Applied
    } else {
        Outcome::Unsupported(why())
    };
    effective.set(EffectiveOption::own(option, asked, in_force, outcome));
}

const fn protection_name(protection: Protection) -> &'static str {
    match protection {
        Protection::None => "none",
        Protection::Read => "read",
        Protection::ReadWrite => "read-write",
        Protection::ReadExecute => "read-execute",
        Protection::ReadWriteExecute => "read-write-execute",
    }
}

const fn room_access_name(access: RoomAccess) -> &'static str {
    match access {
        RoomAccess::Guarded => "guarded",
        RoomAccess::Open => "open",
    }
}

const fn policy_name(policy: GrowthPolicy) -> &'static str {
    match policy {
        GrowthPolicy::MoveWhenFull => "move-when-full",
        GrowthPolicy::InPlace => "in-place",
        GrowthPolicy::ReserveMaximum => "reserve-maximum",
        GrowthPolicy::Reallocate => "reallocate",
    }
}
