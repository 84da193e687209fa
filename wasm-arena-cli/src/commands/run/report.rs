//! The memory report: what a run cost, as data. `docs/report.md` documents every key.
//!
//! Every number was measured in this run; what a system does not measure is `null`, never 0.

mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use super::trap::Trap;

pub(super) use text::to_text;

/// Raised whenever a key changes its meaning or goes away.
pub(super) const SCHEMA: u32 = 1;

/// The whole report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: u32,
    pub(super) wasm_arena_version: &'static str,
    pub(super) engine: Engine,
    pub(super) module: String,
    pub(super) system: &'static str,
    pub(super) strategy: &'static str,
    pub(super) host_page_bytes: u64,
    pub(super) outcome: Outcome,
    pub(super) time: Time,
    pub(super) memories: Vec<Memory>,
    /// What the memories hold, where that was watched.
    pub(super) contents: Option<Contents>,
    /// What the arenas measured; nothing where the memory is Wasmtime's own.
    #[serde(flatten)]
    pub(super) arenas: ArenasReport,
}

/// The runtime.
#[derive(Debug, Serialize)]
pub(super) struct Engine {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

/// How the run ended.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// `exited`, `returned`, `trapped`, `damaged` or `failed`.
    pub(super) kind: &'static str,
    /// The exit code of the process.
    pub(super) exit_code: u8,
    /// The line on stderr, if there was one.
    pub(super) error: Option<String>,
    pub(super) trap: Option<Trap>,
}

/// Wall-clock time; nothing for what did not happen.
#[derive(Debug, Default, Serialize)]
pub(super) struct Time {
    pub(super) compile_nanoseconds: Option<u64>,
    pub(super) run_nanoseconds: Option<u64>,
}

/// Whom a memory serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MemoryKind {
    /// The module's, at its index.
    Linear,
    /// The engine's, for the guest's objects.
    EngineHeap,
}

/// One linear memory.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Memory {
    pub(super) index: usize,
    pub(super) kind: MemoryKind,
    pub(super) page_size_bytes: u64,
    pub(super) is_64: bool,
    pub(super) initial_pages: u64,
    pub(super) final_pages: u64,
    pub(super) peak_pages: u64,
    /// What the module declares; `None`: no maximum.
    pub(super) maximum_pages: Option<u64>,
    pub(super) initial_bytes: u64,
    pub(super) final_bytes: u64,
    pub(super) peak_bytes: u64,
    pub(super) maximum_bytes: Option<u64>,
    /// The maximum and the host's cap together.
    pub(super) limit_bytes: Option<u64>,
    pub(super) grows: u64,
    pub(super) refused_grows: u64,
    /// Why the last one was refused; the guest only sees -1.
    pub(super) last_refusal: Option<String>,
    pub(super) moves: Option<u64>,
    pub(super) bytes_copied: Option<u64>,
    pub(super) guard_before_bytes: Option<u64>,
    pub(super) guard_after_bytes: Option<u64>,
    pub(super) capacity_bytes: Option<u64>,
    pub(super) from_cache: Option<bool>,
}

impl Memory {
    /// A memory of these sizes (initial, final, peak, in bytes); the rest is not known yet.
    pub(super) fn new(
        index: usize,
        page_size_bytes: u64,
        is_64: bool,
        [initial, last, peak]: [usize; 3],
        maximum_bytes: Option<u64>,
    ) -> Self {
        let [initial, last, peak] = [initial as u64, last as u64, peak as u64];
        Self {
            index,
            kind: MemoryKind::Linear,
            page_size_bytes,
            is_64,
            initial_pages: initial / page_size_bytes,
            final_pages: last / page_size_bytes,
            peak_pages: peak / page_size_bytes,
            maximum_pages: maximum_bytes.map(|bytes| bytes / page_size_bytes),
            initial_bytes: initial,
            final_bytes: last,
            peak_bytes: peak,
            maximum_bytes,
            limit_bytes: maximum_bytes,
            grows: 0,
            refused_grows: 0,
            last_refusal: None,
            moves: None,
            bytes_copied: None,
            guard_before_bytes: None,
            guard_after_bytes: None,
            capacity_bytes: None,
            from_cache: None,
        }
    }

    pub(super) fn with_limit(self, limit_bytes: Option<u64>) -> Self {
        Self {
            limit_bytes,
            ..self
        }
    }

    pub(super) fn with_growth(self, grows: u64, refused_grows: u64) -> Self {
        Self {
            grows,
            refused_grows,
            ..self
        }
    }
}

/// What the memories hold: verified before each call, sealed after.
#[derive(Debug, Serialize)]
pub(super) struct Contents {
    pub(super) memories: Vec<WatchedMemory>,
    /// Indices of memories that are not exported.
    pub(super) not_watched: Vec<usize>,
    pub(super) damage: Option<ContentsDamage>,
}

/// One memory under checksums.
#[derive(Debug, Serialize)]
pub(super) struct WatchedMemory {
    pub(super) index: usize,
    pub(super) bytes: u64,
    pub(super) blocks: u64,
    pub(super) block_bytes: u64,
    pub(super) seals: u64,
    pub(super) verifications: u64,
    pub(super) blocks_verified: u64,
    pub(super) damages: u64,
}

/// What ended the run; nothing where it is not about one block.
#[derive(Debug, Serialize)]
pub(super) struct ContentsDamage {
    pub(super) memory_index: usize,
    pub(super) block: Option<u64>,
    pub(super) offset: Option<u64>,
    pub(super) block_bytes: Option<u64>,
    pub(super) stored_checksum: Option<u32>,
    pub(super) computed_checksum: Option<u32>,
}

/// What the arenas below the memories measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct ArenasReport {
    pub(super) totals: Option<Totals>,
    pub(super) os_calls: Option<OsCalls>,
    pub(super) cache: Option<Cache>,
    pub(super) bookkeeping: Option<Bookkeeping>,
    pub(super) budget: Option<Budget>,
    pub(super) configuration: Option<Vec<Setting>>,
    pub(super) left_over: Option<LeftOver>,
}

/// Of all memories together; bytes of regions when the guest ended, and at most.
#[derive(Debug, Serialize)]
pub(super) struct Totals {
    pub(super) refused_memories: u64,
    pub(super) reserved_bytes: u64,
    pub(super) peak_reserved_bytes: u64,
    pub(super) accessible_bytes: u64,
    pub(super) peak_accessible_bytes: u64,
    pub(super) resident_bytes: Option<u64>,
    pub(super) peak_resident_bytes: Option<u64>,
}

/// Calls of the operating system for linear memory and its bookkeeping, refused ones too.
#[derive(Debug, Serialize)]
pub(super) struct OsCalls {
    pub(super) total: u64,
    #[serde(flatten)]
    pub(super) by_kind: BTreeMap<&'static str, u64>,
}

/// Regions kept for reuse, after the guest's memories were released.
#[derive(Debug, Serialize)]
pub(super) struct Cache {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) held_regions: u64,
    pub(super) held_bytes: u64,
    pub(super) evictions: u64,
}

/// The small blocks behind the accounts.
#[derive(Debug, Serialize)]
pub(super) struct Bookkeeping {
    pub(super) mapped_bytes: u64,
    pub(super) used_bytes: u64,
    pub(super) arenas_mapped: u64,
    pub(super) cached_arenas: u64,
    pub(super) cache_hits: u64,
    pub(super) cache_misses: u64,
}

/// The budget of `--budget`.
#[derive(Debug, Serialize)]
pub(super) struct Budget {
    pub(super) limit_bytes: u64,
    pub(super) used_bytes: u64,
    pub(super) peak_bytes: u64,
    pub(super) refusals: u64,
}

/// One option: what was asked for (or is the default), and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    pub(super) option: &'static str,
    pub(super) asked: SettingValue,
    pub(super) in_force: SettingValue,
    pub(super) outcome: &'static str,
    pub(super) reason: Option<String>,
}

/// A number (of bytes or things), a switch, or a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum SettingValue {
    Bytes(u64),
    Count(u64),
    Switch(bool),
    Name(String),
}

/// What was not given back, after everything was released: all zero in a healthy run.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct LeftOver {
    pub(super) live_memories: u64,
    pub(super) reserved_bytes: u64,
    pub(super) budget_bytes: u64,
    pub(super) unreturned_regions: u64,
    pub(super) unreturned_bytes: u64,
}
