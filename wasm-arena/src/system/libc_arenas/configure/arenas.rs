//! SDP 6.5 to 7.1: the heap has arenas, and a command for nearly each of their settings.
#![forbid(unsafe_code)]

use os::{HeapCommand, NativeHeap, OsError, Reason};

use super::process::{self, Setting};
use super::session::Session;
use super::{DEFAULTS, bytes, of_process, switch};
use crate::options::MAX_ARENA_SIZE;
use crate::{
    ArenaOptions, ConfigOption, EffectiveConfiguration, EffectiveOption, Limitation, OptionValue,
    Outcome,
};

impl<H: NativeHeap> Session<'_, H> {
    /// Tells the process what of `options` is a wish.
    pub(super) fn apply_to_arenas(
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
}
