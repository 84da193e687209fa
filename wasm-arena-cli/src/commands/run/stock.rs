//! What a store tells of its memories' sizes: the account for Wasmtime's own memory, and the cap.
//!
//! The engine says how far a memory wants to grow, but not which memory. The one meant is found by
//! its present size, its maximum and its page size; where two fit, the first is taken, and the
//! sizes that can be read through exports at the end put it right.

use wasmparser::MemoryType;
use wasmtime::ResourceLimiter;

use super::module::page_size_log2;
use super::report::Memory;

/// Watches the memories of one store grow.
#[derive(Debug)]
pub(super) struct StoreWatch {
    cap: Option<usize>,
    memories: Vec<Watched>,
    /// How many of the memories have been created.
    created: usize,
    /// The growth that was allowed last, and the size before it.
    allowed: Option<(usize, usize)>,
}

#[derive(Debug)]
struct Watched {
    of_type: MemoryType,
    initial: usize,
    current: usize,
    grows: u64,
    refused: u64,
}

impl Watched {
    fn page_size(&self) -> u64 {
        1 << page_size_log2(&self.of_type)
    }

    fn declared_maximum(&self) -> Option<u64> {
        let pages = self.of_type.maximum?;
        Some(pages.saturating_mul(self.page_size()))
    }

    fn starts_with(&self, bytes: usize) -> bool {
        u128::from(self.of_type.initial) << page_size_log2(&self.of_type) == bytes as u128
    }

    fn could_be(&self, current: usize, desired: usize) -> bool {
        self.current == current
            && u64::try_from(desired).is_ok_and(|bytes| bytes.is_multiple_of(self.page_size()))
    }
}

impl StoreWatch {
    /// A watch over memories of these types, none of which may exceed `cap` bytes.
    pub(super) fn new(types: &[MemoryType], cap: Option<usize>) -> Self {
        let memories = types.iter().map(|&of_type| Watched {
            of_type,
            initial: 0,
            current: 0,
            grows: 0,
            refused: 0,
        });
        Self {
            cap,
            memories: memories.collect(),
            created: 0,
            allowed: None,
        }
    }

    /// Puts the size of memory `index` right.
    pub(super) fn correct(&mut self, index: usize, bytes: usize) {
        if let Some(memory) = self.memories.get_mut(index) {
            memory.current = bytes;
        }
    }

    /// The account, in the form of the report. Memory never shrinks: the last size is the peak.
    pub(super) fn account(&self) -> Vec<Memory> {
        let created = self.memories.iter().take(self.created).enumerate();
        created
            .map(|(index, memory)| {
                let declared = memory.declared_maximum();
                let cap = self.cap.map(|cap| cap as u64);
                Memory::new(
                    index,
                    memory.page_size(),
                    memory.of_type.memory64,
                    [memory.initial, memory.current, memory.current],
                    declared,
                )
                .with_limit([declared, cap].into_iter().flatten().min())
                .with_growth(memory.grows, memory.refused)
            })
            .collect()
    }
}

impl ResourceLimiter for StoreWatch {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = desired
            <= self
                .cap
                .unwrap_or(usize::MAX)
                .min(maximum.unwrap_or(usize::MAX));
        self.allowed = None;
        // Memories are created in the order of their index, before any of them can grow.
        if let Some(next) = self.memories.get_mut(self.created)
            && current == 0
            && next.starts_with(desired)
        {
            (next.initial, next.current) = (desired, desired);
            self.created += 1;
            return Ok(allowed);
        }
        let mut known = self.memories.iter_mut().take(self.created).enumerate();
        if let Some((index, memory)) = known.find(|(_, memory)| memory.could_be(current, desired)) {
            if allowed {
                self.allowed = Some((index, current));
                memory.current = desired;
                memory.grows += 1;
            } else {
                memory.refused += 1;
            }
        }
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // A size that the type of the memory cannot express fails without being asked for first;
        // everything else fails directly after it was allowed, and is taken back.
        let never_asked = error.to_string().contains("type's limits");
        if let Some((index, before)) = self.allowed.take().filter(|_| !never_asked) {
            let memory = &mut self.memories[index];
            memory.current = before;
            memory.grows -= 1;
            memory.refused += 1;
        }
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= maximum.unwrap_or(usize::MAX))
    }
}
