//! The embedding that is shown: arenas, memories, an engine for one kind of code.

use alloc::sync::Arc;

use wasm_arena::{MemoryOptions, QnxArenaAllocatorBuilder, SystemArenas};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::{Config, Engine, Module, Result};

use crate::code::{Code, Guest};

/// Arenas of this system, memories from them, and an engine that uses those.
pub(crate) struct Embedding {
    pub(crate) arenas: Arc<SystemArenas>,
    pub(crate) memories: ArenaMemories<wasm_arena::NativeArenas>,
    pub(crate) engine: Engine,
}

impl Embedding {
    /// With the default options.
    pub(crate) fn new(code: Code) -> Result<Self> {
        Self::with(code, MemoryOptions::default())
    }

    /// With these options for every memory.
    pub(crate) fn with(code: Code, options: MemoryOptions) -> Result<Self> {
        let arenas = Arc::new(QnxArenaAllocatorBuilder::new().build_arenas()?);
        let memories = ArenaMemories::new(Arc::clone(&arenas), Strategy::Bounded)
            .with_memory_options(options)?
            .with_records();
        let engine = memories.engine(config(code)?)?;
        Ok(Self {
            arenas,
            memories,
            engine,
        })
    }

    /// Loads a guest.
    pub(crate) fn module(&self, guest: &Guest, code: Code) -> Result<Module> {
        self.bytes(guest.code(code))
    }

    /// Loads a guest, or a part of one.
    pub(crate) fn bytes(&self, code: &'static [u8]) -> Result<Module> {
        // SAFETY: the only bytes that live as long as the program are what `precompile` wrote, put
        // into it when it was built; a part of them lacks tables, and is refused.
        unsafe { Module::deserialize(&self.engine, code) }
    }
}

/// Bytes of stack that a guest may use. Native code runs on the stack of its thread, so this is less
/// than any thread here has.
const GUEST_STACK: usize = 256 << 10;

/// What has to agree with the engine that compiled the guests; memories set the rest.
fn config(code: Code) -> Result<Config> {
    let mut config = Config::new();
    // There is no handler of faults behind this program: compiled code checks for itself.
    config
        .signals_based_traps(false)
        .max_wasm_stack(GUEST_STACK);
    match code {
        Code::Pulley => {
            config.target("pulley64")?;
        }
        Code::Native => {
            // SAFETY: QNX's convention passes floating-point numbers in vector registers, as
            // Cranelift does: the target this is compiled for has them, and its specification
            // carries only the name of one that has not.
            #[cfg(target_arch = "x86_64")]
            unsafe {
                config.x86_float_abi_ok(true)
            };
        }
    }
    Ok(config)
}
