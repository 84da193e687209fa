//! A module's own memories, turned into imports, so that the host can supply them.
//!
//! ```text
//!   memories by index:    imported 0 .. n   own n .. m          before
//!                         imported 0 .. n   imported n .. m     after: nobody's index has changed
//! ```
//!
//! Imported memories come first in the index space, so own memories that are appended to the
//! imports keep their numbers. Code, exports, data segments and names need no change: one section
//! gets longer, one goes, every other byte is copied.
#![forbid(unsafe_code)]

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use wasm_encoder::{Encode, EntityType, MemoryType, RawSection, SectionId};
use wasmi::errors::HostError;
use wasmparser::{Encoding, MemorySectionReader, Parser, Payload};

/// The module name under which own memories are imported; their field names are their indices.
pub const NAMESPACE: &str = "wasm-arena";

/// A module whose own memories are imports now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedMemories<'a> {
    wasm: Cow<'a, [u8]>,
    indices: Range<u32>,
}

impl<'a> ImportedMemories<'a> {
    /// The module, changed; the very bytes given if it has no memory of its own.
    #[must_use]
    pub fn wasm(&self) -> &[u8] {
        &self.wasm
    }

    /// The module, changed.
    #[must_use]
    pub fn into_wasm(self) -> Cow<'a, [u8]> {
        self.wasm
    }

    /// The indices of the memories that became imports. Memory 3 is imported as
    /// `"wasm-arena" "3"`.
    #[must_use]
    pub const fn indices(&self) -> &Range<u32> {
        &self.indices
    }
}

/// Why a module's own memories could not be turned into imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// No module in binary form, or a broken one.
    Malformed {
        /// Where, in bytes from the start.
        offset: u64,
    },
    /// A component. Its modules would have to be taken out first.
    Component,
    /// A memory of its own is shared between threads, which wasmi does not have.
    SharedMemory {
        /// Its index.
        index: u32,
    },
    /// It imports from [`NAMESPACE`] already.
    NamespaceTaken,
    /// Its own memories do not fit into the space of indices, or its imports into 32 bits.
    TooManyMemories {
        /// Own memories.
        own: u32,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Malformed { offset } => {
                write!(
                    f,
                    "not a WebAssembly module in binary form, at byte {offset}"
                )
            }
            Self::Component => f.write_str("a component, not a module"),
            Self::SharedMemory { index } => {
                write!(f, "memory {index} is shared between threads")
            }
            Self::NamespaceTaken => {
                write!(f, "the module imports from \"{NAMESPACE}\" already")
            }
            Self::TooManyMemories { own } => write!(f, "the module has {own} memories of its own"),
        }
    }
}

impl core::error::Error for ImportError {}

impl HostError for ImportError {}

/// What is to be known of a module before it can be written anew.
#[derive(Debug, Default)]
struct Survey {
    /// Every section: number and contents, in order.
    sections: Vec<(u8, Range<u64>)>,
    imported_memories: u32,
    own: Vec<MemoryType>,
}

/// Turns a module's own memories into imports, keeping indices, exports, data segments, names and
/// custom sections. A module without memories of its own comes back as it is.
///
/// Takes time in the length of the module, and twice its length of the program's heap at most. The
/// module is not validated.
///
/// # Errors
/// Why it is impossible: see [`ImportError`].
///
/// ```
/// let wasm = wat::parse_str(r#"(module (memory 1) (memory (export "m") 2 4))"#)?;
/// let imported = wasm_arena_wasmi::import_own_memories(&wasm)?;
/// assert_eq!(*imported.indices(), 0..2);
///
/// let module = wasmi::Module::new(&wasmi::Engine::default(), imported.wasm())?;
/// let imports: Vec<_> = module.imports().map(|import| import.name().to_owned()).collect();
/// assert_eq!(imports, ["0", "1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn import_own_memories(wasm: &[u8]) -> Result<ImportedMemories<'_>, ImportError> {
    let survey = Survey::of(wasm)?;
    let first = survey.imported_memories;
    let own = u32::try_from(survey.own.len()).unwrap_or(u32::MAX);
    let Some(end) = first.checked_add(own) else {
        return Err(ImportError::TooManyMemories { own });
    };
    let indices = first..end;
    let wasm = if indices.is_empty() {
        Cow::Borrowed(wasm)
    } else {
        Cow::Owned(survey.rewrite(wasm, &indices)?)
    };
    Ok(ImportedMemories { wasm, indices })
}

const CUSTOM: u8 = SectionId::Custom as u8;
const TYPE: u8 = SectionId::Type as u8;
const IMPORT: u8 = SectionId::Import as u8;
const MEMORY: u8 = SectionId::Memory as u8;

impl Survey {
    fn of(wasm: &[u8]) -> Result<Self, ImportError> {
        let mut survey = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.map_err(malformed)?;
            if let Payload::Version { encoding, .. } = payload
                && encoding != Encoding::Module
            {
                return Err(ImportError::Component);
            }
            if let Some(section) = payload.as_section() {
                survey.sections.push(section);
            }
            match payload {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import.map_err(malformed)?;
                        if import.module == NAMESPACE {
                            return Err(ImportError::NamespaceTaken);
                        }
                        if matches!(import.ty, wasmparser::TypeRef::Memory(_)) {
                            survey.imported_memories += 1;
                        }
                    }
                }
                Payload::MemorySection(memories) => survey.read_own(memories)?,
                _ => {}
            }
        }
        Ok(survey)
    }

    fn read_own(&mut self, memories: MemorySectionReader<'_>) -> Result<(), ImportError> {
        for memory in memories {
            let memory = memory.map_err(malformed)?;
            if memory.shared {
                let own = u32::try_from(self.own.len()).unwrap_or(u32::MAX);
                return Err(ImportError::SharedMemory {
                    index: self.imported_memories.saturating_add(own),
                });
            }
            self.own.push(MemoryType {
                minimum: memory.initial,
                maximum: memory.maximum,
                memory64: memory.memory64,
                shared: memory.shared,
                page_size_log2: memory.page_size_log2,
            });
        }
        Ok(())
    }

    /// The module with its memory section gone and its import section longer.
    fn rewrite(&self, wasm: &[u8], indices: &Range<u32>) -> Result<Vec<u8>, ImportError> {
        let mut module = wasm_encoder::Module::new();
        let mut imported = false;
        for (id, range) in &self.sections {
            let contents = slice(wasm, range)?;
            match *id {
                MEMORY => continue,
                IMPORT => {
                    let data = self.longer_imports(contents, indices)?;
                    section(&mut module, IMPORT, &data);
                    imported = true;
                    continue;
                }
                CUSTOM | TYPE => {}
                _ if !imported => {
                    // No imports so far: their section comes right after the types.
                    section(&mut module, IMPORT, &self.longer_imports(&[0], indices)?);
                    imported = true;
                }
                _ => {}
            }
            section(&mut module, *id, contents);
        }
        if !imported {
            section(&mut module, IMPORT, &self.longer_imports(&[0], indices)?);
        }
        Ok(module.finish())
    }

    /// The contents of an import section, with own memories appended.
    fn longer_imports(
        &self,
        contents: &[u8],
        indices: &Range<u32>,
    ) -> Result<Vec<u8>, ImportError> {
        let mut reader = wasmparser::BinaryReader::new(contents, 0);
        let count = reader.read_var_u32().map_err(malformed)?;
        let entries = slice(
            contents,
            &(reader.original_position()..contents.len() as u64),
        )?;
        let own = indices.end - indices.start;
        let count = count
            .checked_add(own)
            .ok_or(ImportError::TooManyMemories { own })?;
        let mut longer = Vec::new();
        count.encode(&mut longer);
        longer.extend_from_slice(entries);
        for (index, ty) in indices.clone().zip(&self.own) {
            NAMESPACE.encode(&mut longer);
            format!("{index}").as_str().encode(&mut longer);
            EntityType::Memory(*ty).encode(&mut longer);
        }
        Ok(longer)
    }
}

fn section(module: &mut wasm_encoder::Module, id: u8, data: &[u8]) {
    module.section(&RawSection { id, data });
}

/// A part of the module. The parser names only what is there; if it did not, the module would count
/// as broken.
fn slice<'a>(wasm: &'a [u8], range: &Range<u64>) -> Result<&'a [u8], ImportError> {
    let bounds = usize::try_from(range.start)
        .ok()
        .zip(usize::try_from(range.end).ok());
    bounds
        .and_then(|(start, end)| wasm.get(start..end))
        .ok_or(ImportError::Malformed {
            offset: range.start,
        })
}

#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn malformed(error: wasmparser::BinaryReaderError) -> ImportError {
    ImportError::Malformed {
        offset: error.offset(),
    }
}

#[cfg(test)]
mod tests;
