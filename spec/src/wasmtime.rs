//! Wasmtime on trial: both strategies, both systems, every size of guard that a strategy has.
#![forbid(unsafe_code)]

mod judge;

use std::sync::Arc;

use os::OsPages;
use wasm_arena::{ArenaSystem, Arenas, GuardSize, MappedPages, PortableArenas};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::{Config, Engine, OptLevel};

use crate::known;
use crate::plan::{LARGE_GUARD, Plan, SMALL_GUARD, System};
use crate::trial::{Configuration, Reference, Trial};

/// Under `Strategy::Reserved` compiled code relies on the guard, and 32 MiB is the least there is.
const LEAST_RELIED_ON: GuardSize = GuardSize::Bytes(32 << 20);
const MORE_RELIED_ON: GuardSize = GuardSize::Bytes(64 << 20);

#[rustfmt::skip]
const PLANS: [(Strategy, Plan); 12] = {
    use Strategy::{Bounded, Reserved};
    use System::{Arenas, Mapped};
    [
        (Bounded,  Plan::new("arenas, bounded, no guard",       Arenas, GuardSize::None)),
        (Bounded,  Plan::new("arenas, bounded, guard 64 KiB",   Arenas, SMALL_GUARD)),
        (Bounded,  Plan::new("arenas, bounded, guard 1 MiB",    Arenas, LARGE_GUARD)),
        (Reserved, Plan::new("arenas, reserved, guard 32 MiB",  Arenas, LEAST_RELIED_ON)),
        (Reserved, Plan::new("arenas, reserved, guard 64 MiB",  Arenas, MORE_RELIED_ON)),
        (Bounded,  Plan::new("mapped, bounded, no guard",       Mapped, GuardSize::None)),
        (Bounded,  Plan::new("mapped, bounded, guard 64 KiB",   Mapped, SMALL_GUARD)),
        (Bounded,  Plan::new("mapped, bounded, guard 1 MiB",    Mapped, LARGE_GUARD)),
        (Reserved, Plan::new("mapped, reserved, guard 32 MiB",  Mapped, LEAST_RELIED_ON)),
        (Reserved, Plan::new("mapped, reserved, guard 64 MiB",  Mapped, MORE_RELIED_ON)),
        (Bounded,  Plan::paid("arenas, bounded, large budget, critical")),
        (Reserved, Plan::paid("arenas, reserved, large budget, critical")),
    ]
};

/// Wasmtime with its own memory, and with ours.
///
/// # Errors
/// An engine could not be made.
pub fn trial() -> Result<Trial, String> {
    Ok(Trial {
        engine: "Wasmtime",
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

fn configuration(&(strategy, plan): &(Strategy, Plan)) -> Result<Configuration, String> {
    let made = match plan.system {
        System::Arenas => over(PortableArenas::new(OsPages::new()), strategy, &plan),
        System::Mapped => over(MappedPages::new(OsPages::new()), strategy, &plan),
    };
    made.map_err(|error| format!("{}: {error:?}", plan.name))
}

fn over<S: ArenaSystem + 'static>(
    system: S,
    strategy: Strategy,
    plan: &Plan,
) -> wasmtime::Result<Configuration> {
    let arenas = Arc::new(Arenas::new(system));
    let (options, budget) = plan.options();
    let memories =
        ArenaMemories::new(Arc::clone(&arenas), strategy).with_memory_options(options)?;
    let engine = memories.engine(features())?;
    Ok(Configuration::new(plan.name, engine, arenas, budget))
}
