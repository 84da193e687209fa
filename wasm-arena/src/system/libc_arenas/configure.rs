//! Arena settings, told to the C library's heap: which command each is, and what came of it.
//!
//! | setting | SDP 6.5 to 7.1 | SDP 8.0 |
//! |---|---|---|
//! | arena size | `MALLOC_ARENA_SIZE` | `M_GRANULARITY`, if a power of two |
//! | cache, blocks | `MALLOC_ARENA_CACHE_MAXBLK` | regions kept here; 0 of both: `M_MMAP_THRESHOLD` |
//! | cache, bytes | `MALLOC_ARENA_CACHE_MAXSZ` | regions kept here |
//! | LIFO | environment only | regions kept here |
//! | hold | `MALLOC_MEMORY_HOLD` | `M_TRIM_THRESHOLD` |
//! | monotonic growth | `MALLOC_MONOTONIC_GROWTH` | no such setting |
//! | preallocation | environment only | no such setting |
//!
//! Only what differs from the default is told to the process: a default is no wish. What is checked
//! here is checked before the first command; if a later one is refused, the earlier ones are undone.
#![forbid(unsafe_code)]

use os::{HeapCommand, NativeHeap, OsError, PageSource, Reason};

use super::LibcArenas;
use super::process::{self, Before, InForce, Owner, Setting};
use crate::options::MAX_ARENA_SIZE;
use crate::{
    AllocError, ArenaOptions, ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation,
    OptionValue, Outcome, Scope,
};

const DEFAULTS: ArenaOptions = ArenaOptions::DEFAULT;

/// On 8.0, blocks of this size get mappings of their own, which go back when they are freed: one
/// page of a linear memory.
const SMALLEST_MEMORY: isize = crate::WASM_PAGE_SIZE as isize;

/// What one arena system told the process.
#[derive(Debug)]
pub(super) struct Applied {
    owner: Option<Owner>,
    restore: bool,
    told: [Option<isize>; Setting::COUNT],
}

impl Applied {
    pub(super) const NOTHING: Self = Self {
        owner: None,
        restore: false,
        told: [None; Setting::COUNT],
    };

    /// Whether what was there before is to be put back at the end.
    pub(super) const fn restore(&self) -> bool {
        self.restore
    }

    /// Has told nothing any more: see `process::retire`.
    pub(super) fn retire(&mut self, heap: &impl NativeHeap, restore: bool) {
        if let Some(owner) = self.owner {
            process::retire(heap, owner, &self.told, restore);
        }
        *self = Self::NOTHING;
    }

    /// Brings options up to date that somebody else has changed since.
    pub(super) fn review(&self, effective: &mut EffectiveConfiguration) {
        let Some(owner) = self.owner else { return };
        for setting in Setting::ALL {
            let told = self.told[setting as usize];
            let other = told.and_then(|value| process::overruled(owner, setting, value));
            let (option, value_of): (_, Option<ValueOf>) = match setting {
                Setting::ArenaSize | Setting::Granularity => (ConfigOption::ArenaSize, Some(bytes)),
                Setting::CacheMaxBlocks => (ConfigOption::ArenaCacheMaxBlocks, Some(count)),
                Setting::CacheMaxSize => (ConfigOption::ArenaCacheMaxSize, Some(bytes)),
                Setting::MemoryHold => (ConfigOption::MemoryHold, Some(switch)),
                Setting::MonotonicGrowth => (ConfigOption::MonotonicGrowth, Some(switch)),
                // Thresholds are no values of the options they stand in for.
                Setting::MmapThreshold => (ConfigOption::ArenaCacheMaxBlocks, None),
                Setting::TrimThreshold => (ConfigOption::MemoryHold, None),
            };
            if let (Some(other), Some(known)) = (other, effective.get(option)) {
                effective.set(EffectiveOption {
                    in_force: value_of.map_or(known.in_force, |value_of| value_of(other)),
                    outcome: Outcome::Overruled,
                    ..*known
                });
            }
        }
    }
}

/// Shows what the heap was told as the value of an option.
type ValueOf = fn(isize) -> OptionValue;

fn bytes(value: isize) -> OptionValue {
    OptionValue::Bytes(value.unsigned_abs())
}

fn count(value: isize) -> OptionValue {
    OptionValue::Count(value.unsigned_abs())
}

fn switch(value: isize) -> OptionValue {
    OptionValue::Switch(value != 0)
}

/// An option of the process.
fn of_process(
    option: ConfigOption,
    asked: OptionValue,
    in_force: OptionValue,
    outcome: Outcome,
    displaced: Option<OptionValue>,
) -> EffectiveOption {
    EffectiveOption {
        scope: Scope::Process,
        displaced,
        ..EffectiveOption::own(option, asked, in_force, outcome)
    }
}

impl<H: NativeHeap, P: PageSource> LibcArenas<H, P> {
    /// Tells the process what was asked for, and notes what came of it.
    pub(super) fn apply(
        &self,
        options: &ArenaOptions,
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), AllocError> {
        let has_arenas = self.version().profile().has_arenas;
        self.check(options)?;
        let mut applied = self.applied.lock();
        let mut session = Session {
            heap: &self.heap,
            owner: *applied.owner.get_or_insert_with(Owner::new),
            told: applied.told,
            replaced: [None; Setting::COUNT],
        };
        let mut noted = *effective;
        let told = if has_arenas {
            session.apply_to_arenas(options, self.pages.facts().page_size.get(), &mut noted)
        } else {
            session.apply_to_parameters(options, self.version(), &mut noted)
        };
        if let Err(refusal) = told {
            session.undo();
            return Err(refusal.into());
        }
        applied.told = session.told;
        applied.restore = options.restore_on_drop;
        note_restore(options, has_arenas, &mut noted);
        *effective = noted;
        Ok(())
    }

    fn check(&self, options: &ArenaOptions) -> Result<(), AllocError> {
        let page = self.pages.facts().page_size;
        let size = options.arena_size;
        if size != DEFAULTS.arena_size && (size < page.get() || size > MAX_ARENA_SIZE) {
            return Err(AllocError::InvalidOption {
                option: ConfigOption::ArenaSize,
                value: size,
                minimum: page.get(),
                maximum: MAX_ARENA_SIZE,
            });
        }
        if size != DEFAULTS.arena_size && !page.divides(size) {
            return Err(AllocError::Misaligned {
                value: size,
                page_size: page.get(),
            });
        }
        // The heap narrows what it is told to a signed 32-bit number (qnx-facts §1.3.4).
        let most = i32::MAX as usize;
        for (option, value) in [
            (ConfigOption::ArenaCacheMaxBlocks, options.cache_max_blocks),
            (ConfigOption::ArenaCacheMaxSize, options.cache_max_bytes),
        ] {
            if value > most {
                return Err(AllocError::InvalidOption {
                    option,
                    value,
                    minimum: 0,
                    maximum: most,
                });
            }
        }
        Ok(())
    }

    /// Returns what the arena cache holds to the operating system. Returns the bytes.
    pub(super) fn empty_arena_cache(&self) -> usize {
        if !self.version().profile().has_arenas {
            return 0;
        }
        let before = self.heap.usage().from_system;
        // Never refused by the heap as documented; if it is, nothing went back.
        let _told = self.heap.set_option(HeapCommand::ArenaCacheFreeNow, 1);
        before.saturating_sub(self.heap.usage().from_system)
    }
}

fn note_restore(options: &ArenaOptions, has_arenas: bool, effective: &mut EffectiveConfiguration) {
    if options.restore_on_drop && !has_arenas {
        let asked = OptionValue::Switch(true);
        effective.set(EffectiveOption::own(
            ConfigOption::RestoreOnDrop,
            asked,
            OptionValue::Switch(false),
            Outcome::Unsupported(Limitation::PreviousUnknown),
        ));
    }
}

/// One configuration, while it is under way.
struct Session<'a, H> {
    heap: &'a H,
    owner: Owner,
    told: [Option<isize>; Setting::COUNT],
    /// What stood in the register before the first change of this session, for settings it changed,
    /// and whether this system had told them before.
    replaced: [Option<(Option<InForce>, bool)>; Setting::COUNT],
}

impl<H: NativeHeap> Session<'_, H> {
    /// Tells the process; returns what another arena system had asked for instead.
    fn tell(&mut self, setting: Setting, value: isize) -> Result<Option<isize>, OsError> {
        let before = self.tell_over(setting, value)?;
        Ok(before
            .in_force
            .and_then(|known| known.displaced_by(self.owner, value)))
    }

    /// Tells the process; returns what there was before.
    fn tell_over(&mut self, setting: Setting, value: isize) -> Result<Before, OsError> {
        let index = setting as usize;
        let told_before = self.told[index].is_some();
        let before = process::set(self.heap, self.owner, setting, value, told_before)?;
        self.told[index] = Some(value);
        self.replaced[index].get_or_insert((before.in_force, told_before));
        Ok(before)
    }

    /// Puts back what was in force before this session, as far as the heap takes it.
    fn undo(&mut self) {
        for setting in Setting::ALL {
            if let Some((before, told_before)) = self.replaced[setting as usize] {
                process::take_back(self.heap, self.owner, setting, before, told_before);
            }
        }
    }

    fn apply_to_arenas(
        &mut self,
        options: &ArenaOptions,
        page: usize,
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), OsError> {
        self.arena_size(options, page, effective)?;
        // Hold first: lifting it sets both limits.
        self.switch(
            Setting::MemoryHold,
            ConfigOption::MemoryHold,
            options.memory_hold,
            effective,
        )?;
        self.limit(
            Setting::CacheMaxBlocks,
            (OptionValue::Count, ConfigOption::ArenaCacheMaxBlocks),
            (options.cache_max_blocks, DEFAULTS.cache_max_blocks),
            effective,
        )?;
        self.limit(
            Setting::CacheMaxSize,
            (OptionValue::Bytes, ConfigOption::ArenaCacheMaxSize),
            (options.cache_max_bytes, DEFAULTS.cache_max_bytes),
            effective,
        )?;
        self.switch(
            Setting::MonotonicGrowth,
            ConfigOption::MonotonicGrowth,
            options.monotonic_growth,
            effective,
        )?;
        self.note_environment(options, effective);
        Ok(())
    }

    fn arena_size(
        &mut self,
        options: &ArenaOptions,
        page: usize,
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), OsError> {
        // 0 asks (qnx-facts §1.3).
        let current = self.heap.set_option(Setting::ArenaSize.command(), 0)?;
        let current = usize::try_from(current).unwrap_or(DEFAULTS.arena_size);
        let asked = options.arena_size;
        let mut in_force = asked;
        let mut outcome = Outcome::Applied;
        let mut displaced = None;
        if asked == DEFAULTS.arena_size && self.told[Setting::ArenaSize as usize].is_none() {
            in_force = current;
            if current != asked {
                outcome = Outcome::Clamped(Limitation::SetByProcess);
            }
        } else {
            displaced = match self.tell(Setting::ArenaSize, asked.cast_signed()) {
                // The documents exclude the greatest size, one implementation takes it.
                Err(OsError {
                    reason: Reason::Errno(os::qnx::EINVAL),
                    ..
                }) if asked == MAX_ARENA_SIZE => {
                    in_force = MAX_ARENA_SIZE - page;
                    outcome = Outcome::Clamped(Limitation::MaximumRefused);
                    self.tell(Setting::ArenaSize, in_force.cast_signed())?
                }
                told => told?,
            };
        }
        effective.set(of_process(
            ConfigOption::ArenaSize,
            OptionValue::Bytes(asked),
            OptionValue::Bytes(in_force),
            outcome,
            displaced.map(bytes),
        ));
        Ok(())
    }

    /// A limit of the cache: always in force for the regions kept here, and for the heap's own
    /// cache if it is a wish.
    fn limit(
        &mut self,
        setting: Setting,
        (value_of, option): (fn(usize) -> OptionValue, ConfigOption),
        (asked, default): (usize, usize),
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), OsError> {
        if asked == default && self.told[setting as usize].is_none() {
            effective.applied(option, value_of(asked));
            return Ok(());
        }
        let value = asked.cast_signed();
        let before = self.tell_over(setting, value)?;
        let displaced = before
            .in_force
            .and_then(|known| known.displaced_by(self.owner, value));
        // A lowered limit acts at the next release only, and can make the heap lose a remainder
        // meanwhile (qnx-facts §4.4, §9.21). A raised one must not cost what was preallocated.
        let reach = |value: isize| match (setting, value) {
            (Setting::CacheMaxSize, 0) => isize::MAX,
            _ => value,
        };
        let lowered = before
            .value
            .is_none_or(|before| reach(value) < reach(before));
        if lowered && !process::is_held() {
            self.heap.set_option(HeapCommand::ArenaCacheFreeNow, 1)?;
        }
        effective.set(of_process(
            option,
            value_of(asked),
            value_of(asked),
            Outcome::Applied,
            displaced.map(|value| value_of(value.unsigned_abs())),
        ));
        Ok(())
    }

    fn switch(
        &mut self,
        setting: Setting,
        option: ConfigOption,
        asked: bool,
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), OsError> {
        if !asked && self.told[setting as usize].is_none() {
            effective.applied(option, OptionValue::Switch(asked));
            return Ok(());
        }
        let displaced = self.tell(setting, asked.into())?;
        effective.set(of_process(
            option,
            OptionValue::Switch(asked),
            OptionValue::Switch(asked),
            Outcome::Applied,
            displaced.map(switch),
        ));
        Ok(())
    }

    /// What the heap takes from the environment only.
    fn note_environment(&self, options: &ArenaOptions, effective: &mut EffectiveConfiguration) {
        if options.lifo_free {
            let on = OptionValue::Switch(true);
            let outcome = if self.heap.has_variable(c"MALLOC_FREE_LIFO") {
                Outcome::Applied
            } else {
                Outcome::Partial(Limitation::EnvironmentOnly {
                    variable: "MALLOC_FREE_LIFO=1",
                })
            };
            effective.set(of_process(ConfigOption::LifoFree, on, on, outcome, None));
        }
        let asked = OptionValue::Bytes(options.preallocate);
        let nothing = OptionValue::Bytes(0);
        let outcome = if options.preallocate == 0 {
            Outcome::Applied
        } else if self.heap.has_variable(c"MALLOC_MEMORY_PREALLOCATE") {
            // How much was preallocated is for whoever set it to know.
            Outcome::Clamped(Limitation::SetByProcess)
        } else {
            Outcome::Unsupported(Limitation::EnvironmentOnly {
                variable: "MALLOC_MEMORY_PREALLOCATE to the bytes",
            })
        };
        effective.set(EffectiveOption::own(
            ConfigOption::Preallocate,
            asked,
            nothing,
            outcome,
        ));
    }

    /// SDP 8.0: three parameters stand in for what there was before.
    fn apply_to_parameters(
        &mut self,
        options: &ArenaOptions,
        version: os::QnxVersion,
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), OsError> {
        let missing = Outcome::Unsupported(Limitation::NotInVersion { version });
        let size = options.arena_size;
        if size != DEFAULTS.arena_size {
            let (option, asked) = (ConfigOption::ArenaSize, OptionValue::Bytes(size));
            if size.is_power_of_two() {
                let displaced = self.tell(Setting::Granularity, size.cast_signed())?;
                let outcome = Outcome::Partial(Limitation::ByAnotherSetting {
                    setting: "M_GRANULARITY",
                });
                let displaced = displaced.map(bytes);
                effective.set(of_process(option, asked, asked, outcome, displaced));
            } else {
                let default = OptionValue::Bytes(DEFAULTS.arena_size);
                effective.set(EffectiveOption::own(option, asked, default, missing));
            }
        }
        if options.cache_max_blocks == 0 && options.cache_max_bytes == 0 {
            self.tell(Setting::MmapThreshold, SMALLEST_MEMORY)?;
            let none = OptionValue::Count(0);
            let outcome = Outcome::Partial(Limitation::ByAnotherSetting {
                setting: "M_MMAP_THRESHOLD",
            });
            let option = ConfigOption::ArenaCacheMaxBlocks;
            effective.set(of_process(option, none, none, outcome, None));
        }
        if options.memory_hold {
            self.tell(Setting::TrimThreshold, i32::MAX as isize)?;
            let on = OptionValue::Switch(true);
            let outcome = Outcome::Partial(Limitation::ByAnotherSetting {
                setting: "M_TRIM_THRESHOLD",
            });
            effective.set(of_process(ConfigOption::MemoryHold, on, on, outcome, None));
        }
        self.note_what_stays(options, effective);
        for (option, asked, default) in [
            (
                ConfigOption::MonotonicGrowth,
                OptionValue::Switch(options.monotonic_growth),
                OptionValue::Switch(false),
            ),
            (
                ConfigOption::Preallocate,
                OptionValue::Bytes(options.preallocate),
                OptionValue::Bytes(0),
            ),
        ] {
            if asked != default {
                effective.set(EffectiveOption::own(option, asked, default, missing));
            }
        }
        Ok(())
    }

    /// Settings of 8.0 that were told before and are no longer asked for: the C library does not
    /// tell what was there before, so they stay.
    fn note_what_stays(&self, options: &ArenaOptions, effective: &mut EffectiveConfiguration) {
        let keeps_nothing = options.cache_max_blocks == 0 && options.cache_max_bytes == 0;
        for (setting, option, wanted) in [
            (
                Setting::Granularity,
                ConfigOption::ArenaSize,
                options.arena_size != DEFAULTS.arena_size,
            ),
            (
                Setting::MmapThreshold,
                ConfigOption::ArenaCacheMaxBlocks,
                keeps_nothing,
            ),
            (
                Setting::TrimThreshold,
                ConfigOption::MemoryHold,
                options.memory_hold,
            ),
        ] {
            let told = self.told[setting as usize];
            if let (false, Some(told)) = (wanted, told) {
                let (asked, in_force) = match option {
                    ConfigOption::ArenaSize => {
                        (OptionValue::Bytes(options.arena_size), bytes(told))
                    }
                    ConfigOption::MemoryHold => (switch(0), switch(1)),
                    _ => (OptionValue::Count(options.cache_max_blocks), count(0)),
                };
                let outcome = Outcome::Clamped(Limitation::PreviousUnknown);
                effective.set(of_process(option, asked, in_force, outcome, None));
            }
        }
    }
}
