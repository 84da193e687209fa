//! The two ways in which compiled code is kept inside its memory, as engine settings.
#![forbid(unsafe_code)]

use core::fmt;
use core::str::FromStr;

use wasmtime::{Config, InstanceAllocationStrategy};

/// Address space behind the base of every memory under [`Strategy::Reserved`]: the reach of a
/// 32-bit index.
pub(crate) const RESERVATION_BYTES: u64 = 1 << 32;

/// Guard behind the reservation under [`Strategy::Reserved`], unless a larger one was asked for:
/// constant offsets up to here need no check.
pub(crate) const GUARD_BYTES: usize = 32 << 20;

/// How the engine's compiled code keeps a guest inside its memory.
///
/// The table in the [crate documentation](crate#strategies) compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// Every access is compared with the size of the memory. Needs nothing of the host.
    Bounded,
    /// 4 GiB of address space and a guard are reserved for every memory, so that a stray access
    /// faults by itself and most comparisons are left out. Needs a 64-bit host whose page source
    /// reserves for free and protects.
    Reserved,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 2] = [Self::Bounded, Self::Reserved];

    /// The name used in reports and on the command line: a stable, lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bounded => "bounded",
            Self::Reserved => "reserved",
        }
    }

    /// Sets in `config` what compiled code depends on, as [`ArenaMemories::engine`] sets it for
    /// memories with the default guards: for an engine that compiles here what another engine runs
    /// elsewhere.
    ///
    /// What else must agree between the two (the target, `signals_based_traps`, proposals) is the
    /// caller's business; Wasmtime compares, and names what differs.
    ///
    /// ```
    /// use wasm_arena_wasmtime::Strategy;
    /// use wasmtime::{Config, Engine};
    ///
    /// // For a target without signal handlers.
    /// let mut config = Config::new();
    /// config.target("x86_64-unknown-none")?.signals_based_traps(false);
    /// Strategy::Bounded.configure_compilation(&mut config);
    /// let compiler = Engine::new(&config)?;
    /// let code = compiler.precompile_module(br#"(module (memory 1))"#)?;
    /// assert!(Engine::detect_precompiled(&code).is_some());
    /// # Ok::<(), wasmtime::Error>(())
    /// ```
    ///
    /// [`ArenaMemories::engine`]: crate::ArenaMemories::engine
    pub fn configure_compilation(self, config: &mut Config) {
        let guard = match self {
            Self::Bounded => 0,
            Self::Reserved => GUARD_BYTES,
        };
        self.apply(config, guard);
    }

    /// Sets everything in `config` that decides where compiled code may reach, whatever it was
    /// before. `guard` is what lies behind the room of every memory, in bytes.
    pub(crate) fn apply(self, config: &mut Config, guard: usize) {
        let (reservation, guard) = match self {
            Self::Bounded => (0, 0),
            Self::Reserved => (RESERVATION_BYTES, guard as u64),
        };
        config
            .memory_reservation(reservation)
            .memory_reservation_for_growth(0)
            .memory_guard_size(guard)
            .memory_may_move(true)
            .gc_heap_reservation(reservation)
            .gc_heap_reservation_for_growth(0)
            .gc_heap_guard_size(guard)
            .gc_heap_may_move(true)
            // The guard before a memory is our own affair; Wasmtime does not ask a creator for it.
            .guard_before_linear_memory(false)
            // Images are mapped over Wasmtime's own mappings; with a creator, it panics.
            .memory_init_cow(false)
            // The pooling allocator would not ask the creator at all.
            .allocation_strategy(InstanceAllocationStrategy::OnDemand);
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no [`Strategy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownStrategy;

impl fmt::Display for UnknownStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the strategy must be \"bounded\" or \"reserved\"")
    }
}

impl core::error::Error for UnknownStrategy {}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.name() == name)
            .ok_or(UnknownStrategy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_strategies_match_both_ways() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        for wrong in ["", "Bounded", "reserved ", "pooling"] {
            assert_eq!(wrong.parse::<Strategy>(), Err(UnknownStrategy));
        }
    }
}
