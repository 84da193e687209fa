//! The embedding that is shown: arenas, memories, an engine.
#![forbid(unsafe_code)]

use alloc::sync::Arc;

use wasm_arena::{
    GrowthRoom, MemoryOptions, NativeArenas, QnxArenaAllocatorBuilder, SystemArenas, WASM_PAGE_SIZE,
};
use wasm_arena_wasmi::{ArenaMemories, ArenaModule};
use wasmi::{Config, Engine, Error};

/// A module in binary form.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) wasm: &'static [u8],
}

pub(crate) const MEMORIES: Guest = Guest {
    name: "memories",
    wasm: include_bytes!(concat!(env!("OUT_DIR"), "/memories.wasm")),
};

/// Programs that can be started as commands.
pub(crate) const COMMANDS: [Guest; 2] = [
    Guest {
        name: "word-index",
        wasm: include_bytes!("../../../../examples/guests/word-index.wasm"),
    },
    Guest {
        name: "misbehave",
        wasm: include_bytes!("../../../../examples/guests/misbehave.wasm"),
    },
];

/// Room to grow for a program that names no maximum: it costs that much memory, because wasmi's
/// memories do not move.
pub(crate) const COMMAND_ROOM: usize = 420 * WASM_PAGE_SIZE;

/// Arenas of this system, memories from them, and an engine.
pub(crate) struct Embedding {
    pub(crate) arenas: Arc<SystemArenas>,
    pub(crate) memories: ArenaMemories<NativeArenas>,
    pub(crate) engine: Engine,
}

impl Embedding {
    /// With the default options.
    pub(crate) fn new() -> Result<Self, Error> {
        Self::with(MemoryOptions::default())
    }

    /// With room for commands.
    pub(crate) fn for_commands() -> Result<Self, Error> {
        let mut options = MemoryOptions::default();
        options.growth_room = GrowthRoom::Bytes(COMMAND_ROOM);
        Self::with(options)
    }

    /// With these options for every memory.
    pub(crate) fn with(options: MemoryOptions) -> Result<Self, Error> {
        let arenas = QnxArenaAllocatorBuilder::new().build_arenas();
        let arenas = Arc::new(arenas.map_err(|error| Error::new(alloc::format!("{error}")))?);
        let memories = ArenaMemories::new(Arc::clone(&arenas))
            .and_then(|memories| memories.with_memory_options(options))
            .map_err(Error::host)?
            .with_records();
        let mut config = Config::default();
        config
            .wasm_multi_memory(true)
            .set_max_recursion_depth(20_000);
        Ok(Self {
            arenas,
            memories,
            engine: Engine::new(&config),
        })
    }

    /// Compiles a guest.
    pub(crate) fn module(&self, guest: &Guest) -> Result<ArenaModule, Error> {
        ArenaModule::new(&self.engine, guest.wasm)
    }
}
