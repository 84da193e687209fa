//! wasmi on trial: its own memories, and ours with every kind of guard, from both systems.
#![forbid(unsafe_code)]

mod runner;

use std::sync::Arc;

use os::OsPages;
use wasm_arena::{ArenaSystem, Arenas, GrowthRoom, GuardSize, MappedPages, PortableArenas};
use wasm_arena_wasmi::{ArenaMemories, ArenaModule, ArenaStore, Guest, MemoryError};
use wasmi::{AsContextMut, Config, Engine, Error, Instance, Linker, Module, Store};

use crate::judge::{Judge, Outcome};
use crate::known;
use crate::plan::{LARGE_GUARD, Plan, SMALL_GUARD, System};
use crate::script::Directive;
use crate::trial::{Configuration, Reference, Trial};
use runner::Runner;

/// Stores, and how modules get into them.
trait Guests: Send + Sync {
    type Data: 'static;
    type Store: AsContextMut<Data = Self::Data>;

    fn engine(&self) -> &Engine;
    fn store(&self) -> Self::Store;
    fn compile(&self, wasm: &[u8]) -> Result<(), Error>;
    fn instantiate(
        &self,
        store: &mut Self::Store,
        linker: &Linker<Self::Data>,
        wasm: &[u8],
    ) -> Result<Instance, Error>;
}

/// wasmi's own memories.
struct Stock(Engine);

impl Guests for Stock {
    type Data = ();
    type Store = Store<()>;

    fn engine(&self) -> &Engine {
        &self.0
    }

    fn store(&self) -> Store<()> {
        Store::new(&self.0, ())
    }

    fn compile(&self, wasm: &[u8]) -> Result<(), Error> {
        Module::new(&self.0, wasm).map(|_module| ())
    }

    fn instantiate(
        &self,
        store: &mut Store<()>,
        linker: &Linker<()>,
        wasm: &[u8],
    ) -> Result<Instance, Error> {
        linker.instantiate_and_start(store, &Module::new(&self.0, wasm)?)
    }
}

/// Memories from arenas.
struct FromArenas<S: ArenaSystem + 'static> {
    engine: Engine,
    memories: ArenaMemories<S>,
}

impl<S: ArenaSystem + 'static> Guests for FromArenas<S> {
    type Data = Guest<()>;
    type Store = ArenaStore<()>;

    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn store(&self) -> ArenaStore<()> {
        self.memories.store(&self.engine, ())
    }

    fn compile(&self, wasm: &[u8]) -> Result<(), Error> {
        ArenaModule::new(&self.engine, wasm).map(|_module| ())
    }

    fn instantiate(
        &self,
        store: &mut ArenaStore<()>,
        linker: &Linker<Guest<()>>,
        wasm: &[u8],
    ) -> Result<Instance, Error> {
        store.instantiate(linker, &ArenaModule::new(&self.engine, wasm)?)
    }
}

struct Interpreter<G>(G);

impl<G: Guests> Judge for Interpreter<G> {
    fn run(&self, directives: &[Directive<'_>]) -> Result<Vec<Outcome>, String> {
        let mut runner = Runner::new(&self.0)?;
        let outcomes = directives
            .iter()
            .map(|directive| runner.judge(directive.text));
        Ok(outcomes.collect())
    }
}

#[rustfmt::skip]
const PLANS: [Plan; 6] = [
    Plan::new("arenas, no guard",     System::Arenas, GuardSize::None),
    Plan::new("arenas, guard 64 KiB", System::Arenas, SMALL_GUARD),
    Plan::new("arenas, guard 1 MiB",  System::Arenas, LARGE_GUARD),
    Plan::new("mapped, no guard",     System::Mapped, GuardSize::None),
    Plan::new("mapped, guard 64 KiB", System::Mapped, SMALL_GUARD),
    Plan::paid("arenas, large budget, critical"),
];

/// More than any guest of the suite grows by. At level `critical` all of the room is looked at when
/// a memory ends; without this it would be 1 GiB, or whatever maximum is declared.
const CHECKED_ROOM_BYTES: usize = 64 << 20;

/// wasmi with its own memory, and with ours.
///
/// # Errors
/// An option is not possible.
pub fn trial() -> Result<Trial, String> {
    Ok(Trial {
        engine: "wasmi",
        reference: Reference(Box::new(Interpreter(Stock(engine())))),
        known: known::WASMI,
        configurations: PLANS.iter().map(configuration).collect::<Result<_, _>>()?,
    })
}

fn engine() -> Engine {
    let mut config = Config::default();
    config
        .wasm_custom_page_sizes(true)
        .wasm_memory64(true)
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(true)
        .wasm_wide_arithmetic(true);
    Engine::new(&config)
}

fn configuration(plan: &Plan) -> Result<Configuration, String> {
    let made = match plan.system {
        System::Arenas => over(PortableArenas::new(OsPages::new()), plan),
        System::Mapped => over(MappedPages::new(OsPages::new()), plan),
    };
    made.map_err(|error| format!("{}: {error}", plan.name))
}

fn over<S: ArenaSystem + 'static>(system: S, plan: &Plan) -> Result<Configuration, MemoryError> {
    let arenas = Arc::new(Arenas::new(system));
    let (mut options, budget) = plan.options();
    if budget.is_some() {
        options.growth_room = GrowthRoom::Bytes(CHECKED_ROOM_BYTES);
    }
    let memories = ArenaMemories::new(Arc::clone(&arenas))?.with_memory_options(options)?;
    let engine = engine();
    let judge = Interpreter(FromArenas { engine, memories });
    Ok(Configuration::new(plan.name, judge, arenas, budget))
}

#[cfg(test)]
mod tests;
