//! What the tests of guests share.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod edges;
pub(crate) mod pauses;

use std::sync::Arc;

use wasm_arena::{ArenaSystem, Arenas, MappedPages, PortableArenas, SystemPages};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::{Config, Engine, Instance, Memory, Module, Store};

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

/// Runs test functions of the form `fn<S>(Make<S>, Strategy)` over both systems, with both
/// strategies.
#[macro_export]
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            use wasm_arena_wasmtime::Strategy;
            use super::common::{mapped, portable};

            #[test]
            fn bounded_portable() { super::$name(portable, Strategy::Bounded); }
            #[test]
            fn bounded_mapped() { super::$name(mapped, Strategy::Bounded); }
            #[test]
            fn reserved_portable() { super::$name(portable, Strategy::Reserved); }
            #[test]
            fn reserved_mapped() { super::$name(mapped, Strategy::Reserved); }
        }
    )* };
}

/// Every proposal the tests use.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_memory64(true)
        .wasm_multi_memory(true)
        .wasm_custom_page_sizes(true)
        .wasm_threads(true)
        .shared_memory(true)
        .wasm_function_references(true)
        .wasm_gc(true);
    config
}

/// Memories with records, and an engine of them.
pub(crate) fn memories<S: ArenaSystem + 'static>(
    arenas: Arc<Arenas<S>>,
    strategy: Strategy,
) -> (ArenaMemories<S>, Engine) {
    let memories = ArenaMemories::new(arenas, strategy).with_records();
    let engine = memories.engine(config()).unwrap();
    (memories, engine)
}

/// One instance in a store of its own.
pub(crate) struct Guest {
    pub(crate) store: Store<()>,
    pub(crate) instance: Instance,
}

impl Guest {
    pub(crate) fn try_new(engine: &Engine, module: &Module) -> wasmtime::Result<Self> {
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, module, &[])?;
        Ok(Self { store, instance })
    }

    pub(crate) fn new(engine: &Engine, module: &Module) -> Self {
        Self::try_new(engine, module).unwrap()
    }

    pub(crate) fn from_text(engine: &Engine, text: &str) -> Self {
        Self::new(engine, &Module::new(engine, text).unwrap())
    }

    pub(crate) fn memory(&mut self) -> Memory {
        self.instance.get_memory(&mut self.store, "memory").unwrap()
    }

    pub(crate) fn data(&mut self) -> &[u8] {
        self.memory().data(&self.store)
    }

    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        self.memory().data_mut(&mut self.store)
    }

    /// Calls an export that takes and gives what the types say.
    pub(crate) fn call<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        name: &str,
        parameters: P,
    ) -> wasmtime::Result<R> {
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut self.store, name)
            .unwrap();
        function.call(&mut self.store, parameters)
    }

    /// The trap of a call that must not succeed.
    pub(crate) fn trap<P: wasmtime::WasmParams>(
        &mut self,
        name: &str,
        parameters: P,
    ) -> wasmtime::Trap {
        let function = self.instance.get_func(&mut self.store, name).unwrap();
        let results = function.ty(&self.store).results().len();
        let error = if results == 0 {
            self.call::<P, ()>(name, parameters).unwrap_err()
        } else {
            self.call::<P, i32>(name, parameters).unwrap_err()
        };
        *error.downcast_ref::<wasmtime::Trap>().expect("a trap")
    }
}
