//! Wasmtime on trial: both strategies, both systems, every size of guard that a strategy has.
#![forbid(unsafe_code)]

mod judge;

use std::sync::Arc;

use os::OsPages;
use wasm_arena::{
    ArenaSystem, Arenas, GuardSize, MappedPages, MemoryBudget, MemoryOptions, PortableArenas,
    VerificationLevel,
};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::{Config, Engine, OptLevel};

use crate::known;
use crate::trial::{Configuration, Reference, Trial};

/// Where memory comes from.
#[derive(Debug, Clone, Copy)]
enum System {
    Arenas,
    Mapped,
}

/// One way to make memories.
#[derive(Debug, Clone, Copy)]
struct Plan {
    name: &'static str,
    system: System,
    strategy: Strategy,
    /// Behind the room to grow.
    guard: GuardSize,
    /// The budget pays for more than the suite can ask for, and everything is checked.
    paid_and_checked: bool,
}

const fn plan(name: &'static str, system: System, strategy: Strategy, guard: GuardSize) -> Plan {
    Plan {
        name,
        system,
        strategy,
        guard,
        paid_and_checked: false,
    }
}

const fn paid(name: &'static str, strategy: Strategy) -> Plan {
    Plan {
        paid_and_checked: true,
        ..plan(name, System::Arenas, strategy, GuardSize::OneHostPage)
    }
}

const SMALL_GUARD: GuardSize = GuardSize::Bytes(64 << 10);
const LARGE_GUARD: GuardSize = GuardSize::Bytes(1 << 20);
/// Under `Strategy::Reserved` compiled code relies on the guard, and 32 MiB is the least there is.
const LEAST_RELIED_ON: GuardSize = GuardSize::Bytes(32 << 20);
const MORE_RELIED_ON: GuardSize = GuardSize::Bytes(64 << 20);

const LARGE_BUDGET_BYTES: usize = 1 << 46;

#[rustfmt::skip]
const PLANS: [Plan; 12] = {
    use Strategy::{Bounded, Reserved};
    use System::{Arenas, Mapped};
    [
        plan("arenas, bounded, no guard",       Arenas, Bounded,  GuardSize::None),
        plan("arenas, bounded, guard 64 KiB",   Arenas, Bounded,  SMALL_GUARD),
        plan("arenas, bounded, guard 1 MiB",    Arenas, Bounded,  LARGE_GUARD),
        plan("arenas, reserved, guard 32 MiB",  Arenas, Reserved, LEAST_RELIED_ON),
        plan("arenas, reserved, guard 64 MiB",  Arenas, Reserved, MORE_RELIED_ON),
        plan("mapped, bounded, no guard",       Mapped, Bounded,  GuardSize::None),
        plan("mapped, bounded, guard 64 KiB",   Mapped, Bounded,  SMALL_GUARD),
        plan("mapped, bounded, guard 1 MiB",    Mapped, Bounded,  LARGE_GUARD),
        plan("mapped, reserved, guard 32 MiB",  Mapped, Reserved, LEAST_RELIED_ON),
        plan("mapped, reserved, guard 64 MiB",  Mapped, Reserved, MORE_RELIED_ON),
        paid("arenas, bounded, large budget, critical",  Bounded),
        paid("arenas, reserved, large budget, critical", Reserved),
    ]
};

/// Wasmtime with its own memory, and with ours.
///
/// # Errors
/// An engine could not be made.
pub fn trial() -> Result<Trial, String> {
    Ok(Trial {
        engine: "Wasmtime",
        absent: &[],
        reference: Reference(Box::new(stock()?)),
        known: known::WASMTIME,
        configurations: PLANS.iter().map(configuration).collect::<Result<_, _>>()?,
    })
}

/// An engine with Wasmtime's own memories and settings of memory: the reference.
///
/// # Errors
/// Wasmtime's.
pub fn stock() -> Result<Engine, String> {
    Engine::new(&features()).map_err(|error| format!("stock memory: {error:?}"))
}

/// Every feature of the suite that Wasmtime has; nothing about memory.
#[must_use]
pub fn features() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::None)
        .shared_memory(true)
        .wasm_custom_page_sizes(true)
        .wasm_exceptions(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_memory64(true)
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(true)
        .wasm_tail_call(true)
        .wasm_threads(true)
        .wasm_wide_arithmetic(true);
    config
}

fn configuration(plan: &Plan) -> Result<Configuration, String> {
    let made = match plan.system {
        System::Arenas => over(PortableArenas::new(OsPages::new()), plan),
        System::Mapped => over(MappedPages::new(OsPages::new()), plan),
    };
    made.map_err(|error| format!("{}: {error:?}", plan.name))
}

fn over<S: ArenaSystem + 'static>(system: S, plan: &Plan) -> wasmtime::Result<Configuration> {
    let arenas = Arc::new(Arenas::new(system));
    let mut options = MemoryOptions::default();
    options.guard_after = plan.guard;
    if plan.guard == GuardSize::None {
        options.guard_before = GuardSize::None;
    }
    let budget = plan
        .paid_and_checked
        .then(|| Arc::new(MemoryBudget::new(plan.name, LARGE_BUDGET_BYTES)));
    if plan.paid_and_checked {
        options.budget = budget.clone().map(Into::into);
        options.verification_level = VerificationLevel::Critical;
    }
    let memories =
        ArenaMemories::new(Arc::clone(&arenas), plan.strategy).with_memory_options(options)?;
    let engine = memories.engine(features())?;
    Ok(Configuration::new(plan.name, engine, arenas, budget))
}
