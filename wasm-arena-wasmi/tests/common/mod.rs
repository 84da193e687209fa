//! What the tests of stores share.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::Arc;

use wasm_arena::{ArenaSystem, Arenas, MappedPages, MemoryOptions, PortableArenas, SystemPages};
use wasm_arena_wasmi::{ArenaMemories, ArenaModule, ArenaStore};
use wasmi::{Config, Engine, Instance, Linker, Module};

/// Bytes of a Wasm page.
pub(crate) const PAGE: usize = 65_536;

/// Makes arenas; called as often as a test needs fresh ones.
pub(crate) type Make<S> = fn() -> Arc<Arenas<S>>;

pub(crate) fn portable() -> Arc<Arenas<PortableArenas<SystemPages>>> {
    Arc::new(Arenas::new(PortableArenas::default()))
}

pub(crate) fn mapped() -> Arc<Arenas<MappedPages<SystemPages>>> {
    Arc::new(Arenas::new(MappedPages::default()))
}

/// Runs test functions of the form `fn<S>(Make<S>)` over both systems.
#[macro_export]
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            use super::common::{mapped, portable};

            #[test]
            fn on_portable() { super::$name(portable); }
            #[test]
            fn on_mapped() { super::$name(mapped); }
        }
    )* };
}

/// Every proposal the tests use.
pub(crate) fn engine() -> Engine {
    let mut config = Config::default();
    config
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_custom_page_sizes(true);
    Engine::new(&config)
}

pub(crate) fn options(change: impl FnOnce(&mut MemoryOptions)) -> MemoryOptions {
    let mut options = MemoryOptions::default();
    change(&mut options);
    options
}

pub(crate) fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// One instance in a store of its own.
pub(crate) struct Ours {
    pub(crate) store: ArenaStore<()>,
    pub(crate) instance: Instance,
}

impl Ours {
    pub(crate) fn try_new<S: ArenaSystem + 'static>(
        memories: &ArenaMemories<S>,
        text: &str,
    ) -> Result<Self, wasmi::Error> {
        let engine = engine();
        let module = ArenaModule::new(&engine, &wasm(text))?;
        let mut store = memories.store(&engine, ());
        let instance = store.instantiate(&Linker::new(&engine), &module)?;
        Ok(Self { store, instance })
    }

    pub(crate) fn new<S: ArenaSystem + 'static>(memories: &ArenaMemories<S>, text: &str) -> Self {
        Self::try_new(memories, text).unwrap()
    }

    pub(crate) fn call(&mut self, name: &str, argument: i32) -> Result<i32, wasmi::Error> {
        self.instance
            .get_typed_func::<i32, i32>(&self.store, name)?
            .call(&mut self.store, argument)
    }
}

/// The same instance on wasmi's own memory.
pub(crate) struct Stock {
    pub(crate) store: wasmi::Store<()>,
    pub(crate) instance: Instance,
}

impl Stock {
    pub(crate) fn new(text: &str) -> Result<Self, wasmi::Error> {
        let engine = engine();
        let module = Module::new(&engine, wasm(text))?;
        let mut store = wasmi::Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module)?;
        Ok(Self { store, instance })
    }
}
