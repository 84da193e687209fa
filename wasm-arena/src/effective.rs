//! What was asked for, and what is in force: option by option.
#![forbid(unsafe_code)]

use core::fmt;

use os::QnxVersion;

/// A setting that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each is named after the builder method and option it stands for"
)]
pub enum ConfigOption {
    ArenaSize,
    ArenaCacheMaxBlocks,
    ArenaCacheMaxSize,
    LifoFree,
    MemoryHold,
    MonotonicGrowth,
    Preallocate,
    RestoreOnDrop,
    GuardBefore,
    GuardAfter,
    GuardProtection,
    DataProtection,
    GrowthPolicy,
    GrowthRoom,
    RoomAccess,
    LockInMemory,
    Prefault,
    WriteAndExecute,
    VerificationLevel,
}

impl ConfigOption {
    /// Every option, in the order of the report.
    pub const ALL: [Self; 19] = [
        Self::ArenaSize,
        Self::ArenaCacheMaxBlocks,
        Self::ArenaCacheMaxSize,
        Self::LifoFree,
        Self::MemoryHold,
        Self::MonotonicGrowth,
        Self::Preallocate,
        Self::RestoreOnDrop,
        Self::GuardBefore,
        Self::GuardAfter,
        Self::GuardProtection,
        Self::DataProtection,
        Self::GrowthPolicy,
        Self::GrowthRoom,
        Self::RoomAccess,
        Self::LockInMemory,
        Self::Prefault,
        Self::WriteAndExecute,
        Self::VerificationLevel,
    ];

    /// The name used in messages and reports: stable, lower-case, words joined by hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ArenaSize => "arena-size",
            Self::ArenaCacheMaxBlocks => "arena-cache-max-blocks",
            Self::ArenaCacheMaxSize => "arena-cache-max-size",
            Self::LifoFree => "lifo-free",
            Self::MemoryHold => "memory-hold",
            Self::MonotonicGrowth => "monotonic-growth",
            Self::Preallocate => "preallocate",
            Self::RestoreOnDrop => "restore-on-drop",
            Self::GuardBefore => "guard-before",
            Self::GuardAfter => "guard-after",
            Self::GuardProtection => "guard-protection",
            Self::DataProtection => "data-protection",
            Self::GrowthPolicy => "growth-policy",
            Self::GrowthRoom => "growth-room",
            Self::RoomAccess => "room-access",
            Self::LockInMemory => "lock-in-memory",
            Self::Prefault => "prefault",
            Self::WriteAndExecute => "write-and-execute",
            Self::VerificationLevel => "verification-level",
        }
    }
}

impl fmt::Display for ConfigOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The value of an option: a number of bytes or things, a switch, or one of a set of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionValue {
    /// Bytes.
    Bytes(usize),
    /// A count.
    Count(usize),
    /// On or off.
    Switch(bool),
    /// A named choice.
    Choice(&'static str),
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Count(count) => write!(f, "{count}"),
            Self::Switch(true) => f.write_str("on"),
            Self::Switch(false) => f.write_str("off"),
            Self::Choice(name) => f.write_str(name),
        }
    }
}

/// Why an option is not in force as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limitation {
    /// The page source cannot make accesses fault, so there can be no guards or protections.
    NoProtection,
    /// The page source has no locking.
    NoLocking,
    /// This arena system takes no arenas: it maps each memory by itself.
    NoArenas,
    /// This arena system has no `realloc` of its own.
    NoReallocate,
    /// Memory that is locked is never handed to `realloc`: it could come back without its lock.
    NoReallocateLocked,
    /// The platform's heap reads it from the environment, before the program starts, and nowhere
    /// else.
    EnvironmentOnly {
        /// What to set, and to what.
        variable: &'static str,
    },
    /// This version of the platform has no such setting.
    NotInVersion {
        /// The version.
        version: QnxVersion,
    },
    /// This version has no such setting; another one, which comes closest, was set instead.
    ByAnotherSetting {
        /// Its name in the platform's documentation.
        setting: &'static str,
    },
    /// The platform's heap refused its documented maximum; the next lower value is in force.
    MaximumRefused,
    /// The process has another value in force. What is only a default here does not replace it.
    SetByProcess,
    /// What was in force before cannot be learnt, so it cannot be put back.
    PreviousUnknown,
}

impl fmt::Display for Limitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoProtection => "this page source cannot make accesses fault",
            Self::NoLocking => "this page source cannot lock pages in memory",
            Self::NoArenas => "this system maps every memory by itself and has no arenas",
            Self::NoReallocate => "this system has no reallocation of its own",
            Self::NoReallocateLocked => "locked memory is never reallocated, it moves instead",
            Self::EnvironmentOnly { variable } => {
                return write!(
                    f,
                    "the C library takes it from the environment only, before the program starts: \
                     set {variable}"
                );
            }
            Self::NotInVersion { version } => {
                return write!(f, "{version} has no such setting");
            }
            Self::ByAnotherSetting { setting } => {
                return write!(
                    f,
                    "this version has no such setting, {setting} was set instead"
                );
            }
            Self::MaximumRefused => "the C library refuses its documented maximum",
            Self::SetByProcess => "the process has set another value, which a default leaves alone",
            Self::PreviousUnknown => "what was in force before cannot be learnt or put back",
        })
    }
}

/// What became of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// In force as asked (or as by default).
    Applied,
    /// In force with another value, because the platform takes no other.
    Clamped(Limitation),
    /// In force for the regions kept here, but not in the platform's own heap, or not as asked.
    Partial(Limitation),
    /// It was in force, until another allocator of the same process set another value.
    Overruled,
    /// Not in force here.
    Unsupported(Limitation),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied => f.write_str("applied"),
            Self::Clamped(why) => write!(f, "clamped: {why}"),
            Self::Partial(why) => write!(f, "in part: {why}"),
            Self::Overruled => f.write_str("overruled by another allocator of this process"),
            Self::Unsupported(why) => write!(f, "not supported here: {why}"),
        }
    }
}

/// How far a setting reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scope {
    /// This memory, or the memories on these arenas.
    #[default]
    Own,
    /// The whole process: the platform's heap, and everybody who uses it.
    Process,
}

/// One option of an [`EffectiveConfiguration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveOption {
    /// Which.
    pub option: ConfigOption,
    /// What was asked for, or the default.
    pub asked: OptionValue,
    /// What is in force.
    pub in_force: OptionValue,
    /// How that came about.
    pub outcome: Outcome,
    /// How far it reaches.
    pub scope: Scope,
    /// The value that another live allocator of this process had asked for, and that this one
    /// replaced: two configurations are at odds.
    pub displaced: Option<OptionValue>,
}

impl EffectiveOption {
    /// An option that concerns nobody else.
    #[must_use]
    pub const fn own(
        option: ConfigOption,
        asked: OptionValue,
        in_force: OptionValue,
        outcome: Outcome,
    ) -> Self {
        Self {
            option,
            asked,
            in_force,
            outcome,
            scope: Scope::Own,
            displaced: None,
        }
    }
}

impl fmt::Display for EffectiveOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({}", self.option, self.in_force, self.outcome)?;
        if self.scope == Scope::Process {
            f.write_str("; for the whole process")?;
        }
        if let Some(displaced) = self.displaced {
            write!(f, "; replaces {displaced} of another allocator")?;
        }
        f.write_str(")")
    }
}

/// What a system really applied of what was asked.
///
/// ```
/// use wasm_arena::{ConfigOption, Outcome, QnxArenaAllocatorBuilder};
///
/// let allocator = QnxArenaAllocatorBuilder::new().with_arena_size(64 * 1024).build()?;
/// let arena_size = allocator.effective_configuration().get(ConfigOption::ArenaSize).unwrap();
/// assert_eq!(arena_size.outcome, Outcome::Applied);
/// assert_eq!(arena_size.to_string(), "arena-size: 65536 bytes (applied)");
/// # Ok::<(), wasm_arena::AllocError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveConfiguration {
    options: [Option<EffectiveOption>; ConfigOption::ALL.len()],
}

impl EffectiveConfiguration {
    /// Nothing known yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            options: [None; ConfigOption::ALL.len()],
        }
    }

    /// The options known, in the order of [`ConfigOption::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = &EffectiveOption> {
        self.options.iter().flatten()
    }

    /// One option, if known.
    #[must_use]
    pub fn get(&self, option: ConfigOption) -> Option<&EffectiveOption> {
        self.iter().find(|known| known.option == option)
    }

    /// The first option that is not in force as asked.
    #[must_use]
    pub fn first_deviation(&self) -> Option<&EffectiveOption> {
        self.iter().find(|known| known.outcome != Outcome::Applied)
    }

    /// Notes an option that is in force as asked.
    pub fn applied(&mut self, option: ConfigOption, value: OptionValue) {
        self.set(EffectiveOption::own(option, value, value, Outcome::Applied));
    }

    /// Notes what became of an option, in place of what was known of it.
    pub fn set(&mut self, known: EffectiveOption) {
        let position = ConfigOption::ALL
            .iter()
            .position(|&option| option == known.option);
        if let Some(slot) = position.and_then(|position| self.options.get_mut(position)) {
            *slot = Some(known);
        }
    }

    /// Takes over everything `other` knows.
    pub fn merge(&mut self, other: &Self) {
        for &known in other.iter() {
            self.set(known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn every_option_has_a_slot_and_a_name_of_its_own() {
        let mut all = EffectiveConfiguration::empty();
        for option in ConfigOption::ALL {
            all.applied(option, OptionValue::Switch(true));
        }
        assert_eq!(all.iter().count(), ConfigOption::ALL.len());
        for (index, known) in all.iter().enumerate() {
            assert_eq!(known.option, ConfigOption::ALL[index]);
            let same_name = ConfigOption::ALL
                .iter()
                .filter(|other| other.name() == known.option.name());
            assert_eq!(same_name.count(), 1);
        }
        assert!(all.first_deviation().is_none());
    }

    #[test]
    fn deviations_are_found_and_said() {
        let mut all = EffectiveConfiguration::empty();
        all.applied(ConfigOption::ArenaSize, OptionValue::Bytes(4096));
        let deviation = EffectiveOption::own(
            ConfigOption::GuardAfter,
            OptionValue::Bytes(4096),
            OptionValue::Bytes(0),
            Outcome::Unsupported(Limitation::NoProtection),
        );
        all.set(deviation);
        assert_eq!(all.first_deviation(), Some(&deviation));
        assert_eq!(
            deviation.to_string(),
            "guard-after: 0 bytes (not supported here: this page source cannot make accesses fault)"
        );
    }
}
