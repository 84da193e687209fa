//! wasmi on trial: its own memories, and ours with every kind of guard, from both systems.
#![forbid(unsafe_code)]

mod runner;

use std::sync::Arc;

use os::OsPages;
use wasm_arena::{
    ArenaSystem, Arenas, GuardSize, MappedPages, MemoryBudget, MemoryOptions, PortableArenas,
    VerificationLevel,
};
use wasm_arena_wasmi::{ArenaMemories, ArenaModule, ArenaStore, Guest};
use wasmi::{AsContextMut, Config, Engine, Error, Instance, Linker, Module, Store};

use crate::judge::{Judge, Outcome};
use crate::known;
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

/// One way to make memories.
#[derive(Debug, Clone, Copy)]
struct Plan {
    name: &'static str,
    is_mapped: bool,
    guard: GuardSize,
    /// The budget pays for more than the suite can ask for, and everything is checked.
    paid_and_checked: bool,
}

const fn plan(name: &'static str, is_mapped: bool, guard: GuardSize) -> Plan {
    Plan {
        name,
        is_mapped,
        guard,
        paid_and_checked: false,
    }
}

const LARGE_BUDGET_BYTES: usize = 1 << 46;

#[rustfmt::skip]
const PLANS: [Plan; 5] = [
    plan("arenas, no guard",     false, GuardSize::None),
    plan("arenas, guard 64 KiB", false, GuardSize::Bytes(64 << 10)),
    plan("arenas, guard 1 MiB",  false, GuardSize::Bytes(1 << 20)),
    plan("mapped, guard 64 KiB", true,  GuardSize::Bytes(64 << 10)),
    Plan {
        paid_and_checked: true,
        ..plan("arenas, large budget, critical", false, GuardSize::OneHostPage)
    },
];

/// Proposals that wasmi 2.0 has nothing of.
const ABSENT: &[(&str, &str)] = &[
    ("custom-descriptors/", "wasmi has no descriptors"),
    ("exceptions/", "wasmi has no exceptions"),
    ("function-references/", "wasmi has no typed references"),
    ("gc/", "wasmi has no garbage collection"),
    ("relaxed-simd/", "wasmi is built without SIMD here"),
    ("simd/", "wasmi is built without SIMD here"),
    ("threads/", "wasmi has no threads"),
];

/// wasmi with its own memory, and with ours.
///
/// # Errors
/// An option is not possible.
pub fn trial() -> Result<Trial, String> {
    Ok(Trial {
        engine: "wasmi",
        absent: ABSENT,
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
        .wasm_wide_arithmetic(true);
    Engine::new(&config)
}

fn configuration(plan: &Plan) -> Result<Configuration, String> {
    let made = if plan.is_mapped {
        over(MappedPages::new(OsPages::new()), plan)
    } else {
        over(PortableArenas::new(OsPages::new()), plan)
    };
    made.map_err(|error| format!("{}: {error}", plan.name))
}

fn over<S: ArenaSystem + 'static>(
    system: S,
    plan: &Plan,
) -> Result<Configuration, wasm_arena_wasmi::MemoryError> {
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
    let memories = ArenaMemories::new(Arc::clone(&arenas))?.with_memory_options(options)?;
    let judge = Interpreter(FromArenas {
        engine: engine(),
        memories,
    });
    Ok(Configuration::new(plan.name, judge, arenas, budget))
}
