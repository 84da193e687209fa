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

mod arenas;
mod parameters;
mod session;

use os::{HeapCommand, NativeHeap, PageSource};

use super::LibcArenas;
use super::process::{self, Owner, Setting};
use crate::options::MAX_ARENA_SIZE;
use crate::{
    AllocError, ArenaOptions, ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation,
    OptionValue, Outcome, Scope,
};
use session::Session;

const DEFAULTS: ArenaOptions = ArenaOptions::DEFAULT;

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
