//! SDP 8.0: no arenas; three parameters stand in for what there was before.
#![forbid(unsafe_code)]

use os::{NativeHeap, OsError};

use super::process::Setting;
use super::session::Session;
use super::{DEFAULTS, bytes, count, of_process, switch};
use crate::{
    ArenaOptions, ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation, OptionValue,
    Outcome,
};

/// Blocks of this size get mappings of their own, which go back when they are freed: one page of a
/// linear memory.
const SMALLEST_MEMORY: isize = crate::WASM_PAGE_SIZE as isize;

impl<H: NativeHeap> Session<'_, H> {
    /// Tells the process what of `options` is a wish, as far as there is a parameter for it.
    pub(super) fn apply_to_parameters(
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
