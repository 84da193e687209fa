//! What the guest's memory holds, under checksums while the guest does not run (`--verify full` and
//! `critical`).
//!
//! ```text
//!   instantiate ─▶ seal ─▶ verify, _initialize, seal ─▶ verify, call, seal ─▶ pause ─▶ verify, call ...
//! ```
//!
//! After the last call nobody reads the memory any more, so nothing is verified then.

use std::collections::BTreeMap;

use wasm_arena::{IntegrityError, VerificationLevel};
use wasm_arena_wasmtime::{GuardError, GuardedCallError, GuardedCalls, MemoryGuard};
use wasmtime::{Instance, Store};

use super::module::GuestModule;
use super::report::{Contents, ContentsDamage, WatchedMemory};
use crate::size::human;

/// The guards of one guest's memories.
#[derive(Debug)]
pub(super) struct Watch {
    guards: GuardedCalls,
    /// The index of each guarded memory.
    indices: Vec<usize>,
    /// The indices of memories that are not exported, and cannot be reached.
    not_watched: Vec<usize>,
}

impl Watch {
    /// Seals every memory that is exported, and has it verified before each call.
    ///
    /// # Errors
    /// A memory cannot be sealed.
    pub(super) fn start<T: 'static>(
        level: VerificationLevel,
        store: &mut Store<T>,
        instance: Instance,
        module: &GuestModule,
    ) -> Result<Self, Damage> {
        let exported: BTreeMap<usize, String> = module
            .exported_memories()
            .into_iter()
            .map(|(name, index)| (index, name))
            .collect();
        let (mut guards, mut indices) = (Vec::new(), Vec::new());
        for (&index, name) in &exported {
            if let Some(memory) = instance.get_memory(&mut *store, name) {
                guards.push(MemoryGuard::new(memory).with_verification_level(level));
                indices.push(index);
            }
        }
        let not_watched = 0..module.memories.len();
        let not_watched = not_watched.filter(|index| !indices.contains(index));
        let not_watched = not_watched.collect();
        match GuardedCalls::install(store, guards) {
            Ok(guards) => Ok(Self {
                guards,
                indices,
                not_watched,
            }),
            Err(error) => Err(Damage::of(error, &indices)),
        }
    }

    /// What a failed call says of the contents, if it is about them.
    pub(super) fn damage(&self, error: &wasmtime::Error) -> Option<Damage> {
        let error = *error.downcast_ref::<GuardedCallError>()?;
        Some(Damage::of(error, &self.indices))
    }

    /// What was watched, and how it went.
    pub(super) fn report(&self) -> Contents {
        let memories = self.guards.with(|guards| {
            let watched = guards.iter().zip(&self.indices);
            watched
                .map(|(guard, &index)| {
                    let numbers = guard.statistics();
                    WatchedMemory {
                        index,
                        bytes: guard.sealed_bytes() as u64,
                        blocks: guard.block_count() as u64,
                        block_bytes: guard.block_size() as u64,
                        seals: numbers.seals,
                        verifications: numbers.verifications,
                        blocks_verified: numbers.blocks_verified,
                        damages: numbers.damages,
                    }
                })
                .collect()
        });
        Contents {
            memories,
            not_watched: self.not_watched.clone(),
            damage: None,
        }
    }
}

/// Contents that were changed while the guest did not run, or that could not be watched.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) message: String,
    pub(super) report: ContentsDamage,
}

impl Damage {
    fn of(error: GuardedCallError, indices: &[usize]) -> Self {
        let index = indices.get(error.guard).copied().unwrap_or(error.guard);
        let mut report = ContentsDamage {
            memory_index: index,
            block: None,
            offset: None,
            block_bytes: None,
            stored_checksum: None,
            computed_checksum: None,
        };
        let what = match error.error {
            GuardError::Integrity(damage) => {
                match damage {
                    IntegrityError::BlockDamaged {
                        block,
                        offset,
                        len,
                        stored,
                        computed,
                        ..
                    } => {
                        report.block_bytes = Some(len as u64);
                        report.set(block, offset, stored, computed);
                    }
                    IntegrityError::ChecksumDamaged {
                        block,
                        offset,
                        stored,
                        computed,
                        ..
                    } => report.set(block, offset, stored, computed),
                    _ => {}
                }
                format!("was changed while the guest did not run: {damage}")
            }
            other => format!("cannot be watched: {other}"),
        };
        Self {
            message: format!("memory {index} {what}"),
            report,
        }
    }
}

impl ContentsDamage {
    const fn set(&mut self, block: usize, offset: usize, stored: u32, computed: u32) {
        self.block = Some(block as u64);
        self.offset = Some(offset as u64);
        self.stored_checksum = Some(stored);
        self.computed_checksum = Some(computed);
    }
}

/// One line for each memory, for people.
pub(super) fn lines(contents: &Contents) -> Vec<String> {
    let damage = contents.damage.as_ref();
    let mut lines: Vec<String> = contents
        .memories
        .iter()
        .map(|memory| {
            let state = match damage.filter(|damage| damage.memory_index == memory.index) {
                None => "no damage".to_owned(),
                Some(damage) => damage.offset.map_or("damaged".to_owned(), |offset| {
                    format!("damaged at offset {offset:#x}")
                }),
            };
            format!(
                "memory {}: {} blocks of {}, sealed {}, verified {} times between calls: {state}",
                memory.index,
                memory.blocks,
                human(memory.block_bytes),
                memory.seals,
                memory.verifications
            )
        })
        .collect();
    if !contents.not_watched.is_empty() {
        let indices: Vec<String> = contents.not_watched.iter().map(usize::to_string).collect();
        lines.push(format!(
            "not watched, because not exported: memory {}",
            indices.join(", ")
        ));
    }
    if lines.is_empty() {
        lines.push("the module has no memory".to_owned());
    }
    lines
}
