//! The guest's module: read from its file, told apart by content, and what it says of its memories.

use core::fmt::Display;
use std::fs;
use std::path::Path;

use wasmparser::{ExternalKind, MemoryType, Parser, Payload, TypeRef};

use crate::exit::Failure;

/// What a binary module starts with: the magic number and version 1.
const MAGIC: &[u8] = b"\0asm";
const VERSION: [u8; 4] = [1, 0, 0, 0];
const COMPONENT: [u8; 4] = [0x0d, 0, 1, 0];

/// A module in binary form.
#[derive(Debug)]
pub(super) struct GuestModule {
    /// The path it was read from, for messages.
    pub(super) path: String,
    /// Its binary form; offsets in traps count from its start.
    pub(super) bytes: Vec<u8>,
    /// The types of its memories, in the order of their index.
    pub(super) memories: Vec<MemoryType>,
}

impl GuestModule {
    /// Reads a module from a file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no module.
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let refuse = |why: &dyn Display| Failure::not_started(format_args!("{name}: {why}"));
        let metadata = fs::metadata(path).map_err(|error| refuse(&error))?;
        if metadata.is_dir() {
            return Err(refuse(&"is a folder, not a module"));
        }
        let contents = fs::read(path).map_err(|error| refuse(&error))?;
        let bytes = to_binary(contents).map_err(|why| refuse(&why))?;
        let memories = memories_of(&bytes)
            .map_err(|error| refuse(&format_args!("damaged module: {error}")))?;
        if let Some(index) = memories.iter().position(|memory| memory.shared) {
            return Err(refuse(&format_args!(
                "memory {index} is shared between threads, which `run` does not offer"
            )));
        }
        Ok(Self {
            path: name,
            bytes,
            memories,
        })
    }

    /// The names under which memories can be reached from outside, with their indices.
    pub(super) fn exported_memories(&self) -> Vec<(String, usize)> {
        let exports = self.exports(ExternalKind::Memory).into_iter();
        exports
            .filter_map(|(name, index)| Some((name, usize::try_from(index).ok()?)))
            .collect()
    }

    /// The names and indices of all exports of this kind.
    pub(super) fn exports(&self, kind: ExternalKind) -> Vec<(String, u32)> {
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(&self.bytes).flatten() {
            if let Payload::ExportSection(section) = payload {
                let exports = section.into_iter().flatten();
                let of_kind = exports.filter(|export| export.kind == kind);
                found.extend(of_kind.map(|export| (export.name.to_owned(), export.index)));
            }
        }
        found
    }

    /// Refuses a module that starts with more than `limit` bytes in a memory.
    ///
    /// # Errors
    /// Names the memory and both numbers.
    pub(super) fn check_limit(&self, limit_pages: Option<u64>) -> Result<(), Failure> {
        let Some(limit) = limit_pages else {
            return Ok(());
        };
        for (index, memory) in self.memories.iter().enumerate() {
            let bytes = u128::from(memory.initial) << page_size_log2(memory);
            if bytes > u128::from(limit) << 16 {
                return Err(Failure::not_started(format_args!(
                    "{}: memory {index} starts with {} pages of {} bytes, \
                     --max-pages allows {limit} of 65536",
                    self.path,
                    memory.initial,
                    1_u64 << page_size_log2(memory)
                )));
            }
        }
        Ok(())
    }
}

/// The base-2 logarithm of a memory's page size.
pub(super) fn page_size_log2(memory: &MemoryType) -> u32 {
    memory.page_size_log2.unwrap_or(16)
}

fn to_binary(contents: Vec<u8>) -> Result<Vec<u8>, String> {
    if contents.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if contents.starts_with(MAGIC) {
        return match contents.get(4..8) {
            None => Err("damaged module: it ends within its first 8 bytes".to_owned()),
            Some(version) if version == VERSION => Ok(contents),
            Some(version) if version == COMPONENT => {
                Err("is a component; `run` takes core modules (WASI preview 1)".to_owned())
            }
            Some(version) => Err(format!("unknown version of WebAssembly: {version:02x?}")),
        };
    }
    let looks_like_text = contents
        .trim_ascii_start()
        .first()
        .is_some_and(|&byte| byte == b'(' || byte == b';');
    match core::str::from_utf8(&contents) {
        Ok(text) if looks_like_text => {
            wat::parse_str(text).map_err(|error| text_error(&error.to_string()))
        }
        _ => Err(format!(
            "not a WebAssembly module: it starts with {:02x?}, neither the binary form \
             (00 61 73 6d) nor text",
            &contents[..contents.len().min(4)]
        )),
    }
}

/// The message and the place, without the drawing around them.
fn text_error(drawing: &str) -> String {
    let mut lines = drawing.lines().map(str::trim);
    let message = lines.next().unwrap_or("not understood");
    let place = lines
        .find_map(|line| line.strip_prefix("--> "))
        .and_then(|place| place.strip_prefix("<anon>:"));
    match place.and_then(|place| place.split_once(':')) {
        Some((line, column)) => format!("line {line}, column {column}: {message}"),
        None => message.to_owned(),
    }
}

fn memories_of(bytes: &[u8]) -> wasmparser::Result<Vec<MemoryType>> {
    let mut memories = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Memory(memory) = import?.ty {
                        memories.push(memory);
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    memories.push(memory?);
                }
            }
            _ => {}
        }
    }
    Ok(memories)
}

#[cfg(test)]
mod tests {
    use super::{memories_of, to_binary};

    #[test]
    fn content_decides_not_the_name() {
        let binary = to_binary(b"  ;; text\n(module (memory 3 9))".to_vec()).unwrap();
        let memories = memories_of(&binary).unwrap();
        assert_eq!((memories[0].initial, memories[0].maximum), (3, Some(9)));
        assert_eq!(to_binary(binary.clone()).unwrap(), binary);
    }

    #[test]
    fn what_is_no_module_is_said_to_be_none() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "empty"),
            (b"\0asm\x01", "first 8 bytes"),
            (b"\0asm\x0d\0\x01\0", "component"),
            (b"\0asm\x02\0\0\0", "unknown version"),
            (b"\x7fELF", "[7f, 45, 4c, 46]"),
            (b"(module\n  (memry 1))", "line 2, column 4"),
        ];
        for (contents, expected) in cases {
            let message = to_binary(contents.to_vec()).unwrap_err();
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }
}
