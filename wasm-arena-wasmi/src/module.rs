//! A compiled module whose own memories the store makes.
#![forbid(unsafe_code)]

use wasmi::{Engine, Error, Module};

use crate::import_own_memories;

/// A compiled module, ready for [`ArenaStore::instantiate`](crate::ArenaStore::instantiate).
#[derive(Debug, Clone)]
pub struct ArenaModule {
    module: Module,
    own_memories: u32,
}

impl ArenaModule {
    /// Compiles a module in binary form, its own memories turned into imports.
    ///
    /// What is compiled then are not the bytes given, so these are validated first: what wasmi
    /// refuses is refused, in its words and with offsets into the module given. Costs a second
    /// validation, for modules with memories of their own.
    ///
    /// # Errors
    /// wasmi's refusal of the module; an [`ImportError`](crate::ImportError) inside of a
    /// [`wasmi::Error`] if its memories cannot be turned into imports.
    pub fn new(engine: &Engine, wasm: &[u8]) -> Result<Self, Error> {
        let imported = match import_own_memories(wasm) {
            Ok(imported) if imported.indices().is_empty() => imported,
            other => {
                Module::validate(engine, wasm)?;
                other.map_err(Error::host)?
            }
        };
        Ok(Self {
            module: Module::new(engine, imported.wasm())?,
            own_memories: imported.indices().end - imported.indices().start,
        })
    }

    /// The module as wasmi has it: its own memories are among its imports.
    #[must_use]
    pub const fn module(&self) -> &Module {
        &self.module
    }

    /// How many memories of its own the module has.
    #[must_use]
    pub const fn own_memories(&self) -> u32 {
        self.own_memories
    }
}
