//! Two memory creators as one would write them in an afternoon: a mapping per memory, and a
//! cache that fills with zeros whatever comes back. For engines without reservations and guards.

use core::ptr::NonNull;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use os::{OsPages, PageSource};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// What a creator does with the mapping of a memory that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Unmap,
    FillAndKeep,
}

/// Mappings by length: last in, first out.
type Kept = Mutex<HashMap<usize, Vec<Mapping>>>;

/// A simple creator.
#[derive(Debug)]
pub(crate) struct SimpleCreator {
    afterwards: Afterwards,
    kept: Arc<Kept>,
}

impl SimpleCreator {
    pub(crate) fn new(afterwards: Afterwards) -> Self {
        Self {
            afterwards,
            kept: Arc::default(),
        }
    }

    fn take(&self, len: usize) -> Result<Mapping, String> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get_mut(&len).and_then(Vec::pop) {
            Some(mapping) => Ok(mapping),
            None => Mapping::new(len),
        }
    }
}

/// Pages of its own.
///
/// Invariant: `start` is a live run of `len` bytes, readable, writable, and this value's alone.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the run is this value's alone, wherever it is sent.
unsafe impl Send for Mapping {}
// SAFETY: a shared reference only tells where the run is.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(len: usize) -> Result<Self, String> {
        let start = OsPages::new().map(len).map_err(|error| error.to_string())?;
        Ok(Self { start, len })
    }

    fn clear(&mut self, len: usize) {
        // SAFETY: the invariant, and `len` is no more than its length: the only caller passes the
        // size of the memory in it.
        unsafe { self.start.write_bytes(0, len.min(self.len)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the invariant; the run is not used again.
        let unmapped = unsafe { OsPages::new().unmap(self.start, self.len) };
        unmapped.unwrap_or_else(|error| eprintln!("a mapping was lost: {error}"));
    }
}

/// A memory that cannot grow.
#[derive(Debug)]
struct SimpleMemory {
    /// There until the drop.
    mapping: Option<Mapping>,
    afterwards: Afterwards,
    kept: Arc<Kept>,
}

impl Drop for SimpleMemory {
    fn drop(&mut self) {
        let Some(mut mapping) = self.mapping.take() else {
            return;
        };
        if self.afterwards == Afterwards::FillAndKeep {
            mapping.clear(mapping.len);
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.entry(mapping.len).or_default().push(mapping);
        }
    }
}

// SAFETY: reservations and guards are refused, so that compiled code relies on none; fresh mappings
// are zero, kept ones were filled with zeros; a mapping serves one memory at a time.
unsafe impl MemoryCreator for SimpleCreator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if reserved_size_in_bytes.unwrap_or(0) > 0 || guard_size_in_bytes > 0 {
            return Err("only without reservations and guards".to_owned());
        }
        Ok(Box::new(SimpleMemory {
            mapping: Some(self.take(minimum)?),
            afterwards: self.afterwards,
            kept: Arc::clone(&self.kept),
        }))
    }
}

// SAFETY: base and size are those of a live mapping, which never changes while the memory lives;
// growth is refused.
unsafe impl LinearMemory for SimpleMemory {
    fn byte_size(&self) -> usize {
        self.mapping.as_ref().map_or(0, |mapping| mapping.len)
    }

    fn byte_capacity(&self) -> usize {
        self.byte_size()
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(format!(
            "{new_size} bytes: it cannot grow"
        )))
    }

    fn as_ptr(&self) -> *mut u8 {
        let start = self.mapping.as_ref().map(|mapping| mapping.start);
        start.unwrap_or(NonNull::dangling()).as_ptr()
    }
}
