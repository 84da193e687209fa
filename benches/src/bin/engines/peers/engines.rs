//! Wasmtime engines, one for each way to get linear memory.

use core::fmt;
use std::sync::Arc;

use os::{Counted, OsPages, PageSource, WindowedPages};
use wasm_arena::{AllocatorBuilder, ArenaSystem, Arenas, PortableArenas, WASM_PAGE_SIZE};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module,
    PoolingAllocationConfig,
};

use super::creators::{Afterwards, SimpleCreator};

/// Where linear memories come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Our arenas, with explicit bounds checks.
    Bounded,
    /// Our arenas, with reservations.
    Reserved,
    /// The same, and pages that are not written as a rule are closed: `os::WindowedPages`.
    Windowed,
    /// Wasmtime's default.
    OnDemand,
    /// Wasmtime's pool as it comes.
    Pooling,
    /// Wasmtime's pool that fills memories instead of giving them back.
    PoolingKeepResident,
    /// The same, asking the kernel which pages to fill.
    PoolingPageScan,
    /// A mapping for each memory.
    MappedCreator,
    /// A cache that fills all of a memory with zeros.
    FillingCreator,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Bounded,
        Self::Reserved,
        Self::Windowed,
        Self::OnDemand,
        Self::Pooling,
        Self::PoolingKeepResident,
        Self::PoolingPageScan,
        Self::MappedCreator,
        Self::FillingCreator,
    ];

    pub(crate) const POOLING: [Self; 3] = [
        Self::Pooling,
        Self::PoolingKeepResident,
        Self::PoolingPageScan,
    ];

    /// As it stands in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bounded => "wasm-arena, bounded",
            Self::Reserved => "wasm-arena, reserved",
            Self::Windowed => "wasm-arena, reserved, windows",
            Self::OnDemand => "wasmtime, on demand",
            Self::Pooling => "wasmtime, pooling",
            Self::PoolingKeepResident => "wasmtime, pooling, keep resident",
            Self::PoolingPageScan => "wasmtime, pooling, page scan",
            Self::MappedCreator => "creator, plain mmap",
            Self::FillingCreator => "creator, cached, fills all",
        }
    }
}

/// Ours, whatever they are made of.
pub(crate) trait Watched {
    /// Calls made of the operating system so far.
    fn calls(&self) -> u64;
    /// Bytes of all regions that are in memory.
    fn resident(&self) -> Result<usize, String>;
}

impl<P: PageSource + Send + Sync> Watched for Arenas<PortableArenas<P>> {
    fn calls(&self) -> u64 {
        let counts = self.system().source().call_counts();
        counts.unwrap_or_default().total() as u64
    }

    fn resident(&self) -> Result<usize, String> {
        self.measure_resident().map_err(|error| error.to_string())
    }
}

/// What is set besides.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// For pools that keep memories resident: up to that many bytes of each.
    pub(crate) keep_resident: usize,
    /// Bytes that our kept regions may hold; 0: no limit.
    pub(crate) cache_max_bytes: usize,
    /// Everything about compiled code.
    pub(crate) config: Config,
}

impl Options {
    /// Nothing special, for memories of that many Wasm pages.
    pub(crate) fn for_pages(pages: u32) -> Self {
        Self {
            keep_resident: pages as usize * WASM_PAGE_SIZE,
            cache_max_bytes: 0,
            config: Config::new(),
        }
    }
}

/// How many memories a pool has, and how many regions our cache keeps.
const KEPT: usize = 1000;

/// An engine, and what is needed to look at it.
pub(crate) struct Runtime {
    pub(crate) kind: Kind,
    pub(crate) engine: Engine,
    arenas: Option<Arc<dyn Watched>>,
}

impl Runtime {
    /// An engine whose memories come from `kind`.
    pub(crate) fn new(kind: Kind, options: &Options) -> Result<Self, String> {
        let mut config = options.config.clone();
        let mut arenas = None;
        let engine = match kind {
            Kind::Bounded | Kind::Reserved => {
                let strategy = if kind == Kind::Bounded {
                    Strategy::Bounded
                } else {
                    Strategy::Reserved
                };
                let (engine, own) = ours(Counted::new(OsPages::new()), strategy, options)?;
                arenas = Some(own);
                engine
            }
            Kind::Windowed => {
                let pages = WindowedPages::new(Counted::new(OsPages::new()));
                let (engine, own) = ours(pages, Strategy::Reserved, options)?;
                arenas = Some(own);
                // In front of Wasmtime's handler.
                WindowedPages::handle_faults().map_err(|error| error.to_string())?;
                engine
            }
            Kind::OnDemand => Engine::new(&config),
            Kind::Pooling | Kind::PoolingKeepResident | Kind::PoolingPageScan => {
                let mut pool = PoolingAllocationConfig::new();
                if kind != Kind::Pooling {
                    pool.linear_memory_keep_resident(options.keep_resident);
                }
                if kind == Kind::PoolingPageScan {
                    pool.pagemap_scan(Enabled::Yes);
                }
                config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
                Engine::new(&config)
            }
            Kind::MappedCreator => simple(&mut config, Afterwards::Unmap),
            Kind::FillingCreator => simple(&mut config, Afterwards::FillAndKeep),
        };
        let engine = engine.map_err(|error| format!("{}: {error:#}", kind.name()))?;
        Ok(Self {
            kind,
            engine,
            arenas,
        })
    }

    /// Calls that our side made of the operating system so far; none for others.
    pub(crate) fn calls(&self) -> Option<impl Fn() -> u64 + 'static> {
        let arenas = Arc::clone(self.arenas.as_ref()?);
        Some(move || arenas.calls())
    }

    /// Our arenas; none for others.
    pub(crate) fn arenas(&self) -> Option<&dyn Watched> {
        self.arenas.as_deref()
    }

    /// Compiles a module that imports nothing.
    pub(crate) fn compile(&self, text: &str) -> Result<InstancePre<()>, String> {
        let module = Module::new(&self.engine, text);
        module
            .and_then(|module| Linker::new(&self.engine).instantiate_pre(&module))
            .map_err(|error| format!("{}: {error:#}", self.kind.name()))
    }
}

/// An engine on our arenas over these pages.
fn ours<P: PageSource + fmt::Debug + Send + Sync + 'static>(
    pages: P,
    strategy: Strategy,
    options: &Options,
) -> Result<(wasmtime::Result<Engine>, Arc<dyn Watched>), String> {
    let own = AllocatorBuilder::<PortableArenas<P>>::new()
        .with_lifo_free(true)
        .with_arena_cache_max_blocks(KEPT)
        .with_arena_cache_max_size(options.cache_max_bytes)
        .build_arenas_over(PortableArenas::new(pages));
    let own = Arc::new(own.map_err(|error| error.to_string())?);
    let engine = ArenaMemories::new(Arc::clone(&own), strategy).engine(options.config.clone());
    Ok((engine, own))
}

fn simple(config: &mut Config, afterwards: Afterwards) -> wasmtime::Result<Engine> {
    config
        .memory_reservation(0)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .memory_may_move(true)
        .memory_init_cow(false)
        .with_host_memory(Arc::new(SimpleCreator::new(afterwards)));
    Engine::new(config)
}
