//! Where the guest's memory comes from: arenas, plain mappings, or Wasmtime itself.
//!
//! One trait hides the difference, so that everything else of a run is the same for all three.

use std::sync::Arc;

use os::PageSource;
use wasm_arena::{
    AllocError, AllocatorBuilder, ArenaSystem, Arenas, ArenasStatistics, BudgetRef,
    EffectiveConfiguration, MappedPages, MemoryBudget, MemoryOptions, MemoryRecord, OptionValue,
    Outcome, PortableArenas, SystemPages,
};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmparser::MemoryType;
use wasmtime::{Config, Engine};

use super::module::page_size_log2;
use super::options::{RunOptions, StrategyName, SystemName};
use super::report::{
    ArenasReport, Bookkeeping, Budget, Cache, LeftOver, Memory, MemoryKind, OsCalls, Setting,
    SettingValue, Totals,
};
use crate::exit::Failure;

/// A source of linear memory, and what it can tell afterwards.
pub(super) trait MemorySystem {
    /// An engine whose memories come from here.
    fn engine(&self, config: Config) -> wasmtime::Result<Engine>;

    /// The account of each memory, live or ended; `None` if the store has to be asked.
    fn memories(&self, types: &[MemoryType]) -> Option<Vec<Memory>>;

    /// What can only be measured while the memories live. To be called once, before they end.
    fn sample(&mut self);

    /// The accounts. To be called after the memories ended; gives back everything that is kept.
    fn finish(&self) -> ArenasReport;
}

/// The system asked for, configured as asked.
///
/// # Errors
/// A setting is outside its limits.
pub(super) fn build(options: &RunOptions) -> Result<Box<dyn MemorySystem>, Failure> {
    Ok(match options.system {
        SystemName::Arena => Box::new(Measured::<PortableArenas<SystemPages>>::build(options)?),
        SystemName::Mapped => Box::new(Measured::<MappedPages<SystemPages>>::build(options)?),
        SystemName::Stock => Box::new(Stock(options.strategy())),
    })
}

/// Wasmtime's own memory.
struct Stock(StrategyName);

impl MemorySystem for Stock {
    fn engine(&self, mut config: Config) -> wasmtime::Result<Engine> {
        // Wasmtime's defaults are the reserved strategy.
        if self.0 == StrategyName::Bounded {
            config.memory_reservation(0).memory_guard_size(0);
        }
        Engine::new(&config)
    }

    fn memories(&self, _types: &[MemoryType]) -> Option<Vec<Memory>> {
        None
    }

    fn sample(&mut self) {}

    fn finish(&self) -> ArenasReport {
        ArenasReport::default()
    }
}

/// Memory from our arenas (or plain mappings), in Wasmtime.
struct Measured<S: ArenaSystem + 'static> {
    memories: ArenaMemories<S>,
    accounts: Accounts<S>,
}

/// Arenas, and what they can tell of a run.
pub(super) struct Accounts<S: ArenaSystem> {
    pub(super) arenas: Arc<Arenas<S>>,
    budget: Option<Arc<MemoryBudget>>,
    at_the_end: Option<Sample>,
}

/// Numbers from the moment the guest ended, with its memories still there.
struct Sample {
    statistics: ArenasStatistics,
    resident: Option<usize>,
    budget_used: usize,
}

impl<S: ArenaSystem + Default> Accounts<S> {
    /// Arenas as asked for, and the options of the memories on them.
    ///
    /// # Errors
    /// A setting is outside its limits.
    pub(super) fn build(options: &RunOptions) -> Result<(Self, MemoryOptions), Failure> {
        let mut builder = AllocatorBuilder::<S>::new()
            .with_lifo_free(options.lifo)
            .with_memory_hold(options.hold);
        if let Some(bytes) = options.arena_size {
            builder = builder.with_arena_size(bytes);
        }
        if let Some(blocks) = options.cache_blocks {
            builder = builder.with_arena_cache_max_blocks(blocks);
        }
        if let Some(bytes) = options.cache_bytes {
            builder = builder.with_arena_cache_max_size(bytes);
        }
        let arenas = builder.build_arenas().map_err(|error| match error {
            AllocError::Misaligned { .. } => Failure::usage(format_args!("--arena-size: {error}")),
            other => Failure::usage(other),
        })?;

        let budget = options
            .budget
            .map(|bytes| Arc::new(MemoryBudget::new("--budget", bytes)));
        let mut memory = MemoryOptions::default();
        if let Some(guard) = options.guard_size() {
            memory.guard_before = guard;
            memory.guard_after = guard;
        }
        if let Some(level) = options.verify {
            memory.verification_level = level;
        }
        memory.budget = budget.clone().map(BudgetRef::from);
        let accounts = Self {
            arenas: Arc::new(arenas),
            budget,
            at_the_end: None,
        };
        Ok((accounts, memory))
    }
}

impl<S: ArenaSystem + Default + 'static> Measured<S> {
    fn build(options: &RunOptions) -> Result<Self, Failure> {
        let (accounts, memory) = Accounts::build(options)?;
        let strategy = match options.strategy() {
            StrategyName::Bounded => Strategy::Bounded,
            StrategyName::Reserved => Strategy::Reserved,
        };
        let mut memories = ArenaMemories::new(Arc::clone(&accounts.arenas), strategy)
            .with_memory_options(memory)
            .map_err(|error| match options.guard {
                Some(_) => Failure::usage(format_args!(
                    "--guard with --strategy {}: {error}",
                    options.strategy().name()
                )),
                None => Failure::usage(error),
            })?
            .with_records();
        if let Some(bytes) = options.maximum_bytes() {
            memories = memories.with_maximum_bytes(bytes);
        }
        Ok(Self { memories, accounts })
    }
}

impl<S: ArenaSystem + 'static> MemorySystem for Measured<S> {
    fn engine(&self, config: Config) -> wasmtime::Result<Engine> {
        self.memories.engine(config)
    }

    fn memories(&self, types: &[MemoryType]) -> Option<Vec<Memory>> {
        let records: Vec<_> = self.memories.records().iter().map(as_shared).collect();
        Some(accounts_of(&records, types))
    }

    fn sample(&mut self) {
        self.accounts.sample();
    }

    fn finish(&self) -> ArenasReport {
        let effective = self.memories.effective_configuration();
        self.accounts.finish(&effective)
    }
}

impl<S: ArenaSystem> Accounts<S> {
    /// What can only be measured while the memories live. To be called once, before they end.
    pub(super) fn sample(&mut self) {
        let arenas = &self.arenas;
        let resident = arenas.measure_resident().ok();
        self.at_the_end = Some(Sample {
            statistics: arenas.statistics(),
            resident,
            budget_used: self.budget.as_ref().map_or(0, |budget| budget.used()),
        });
    }

    /// The accounts, with the configuration in force. To be called after the memories ended; gives
    /// back everything that is kept.
    pub(super) fn finish(&self, effective: &EffectiveConfiguration) -> ArenasReport {
        let arenas = &self.arenas;
        let released = arenas.statistics();
        // Only seals refuse, and nobody here sets one.
        let _bytes = arenas.trim();
        let emptied = arenas.statistics();
        let sample = self.at_the_end.as_ref();
        let at_the_end = sample.map_or(released, |sample| sample.statistics);
        ArenasReport {
            totals: Some(Totals {
                refused_memories: released.refused_allocations as u64,
                reserved_bytes: at_the_end.reserved_bytes as u64,
                peak_reserved_bytes: released.peak_reserved_bytes as u64,
                accessible_bytes: at_the_end.accessible_bytes as u64,
                peak_accessible_bytes: released.peak_accessible_bytes as u64,
                resident_bytes: sample.and_then(|sample| sample.resident).map(|n| n as u64),
                peak_resident_bytes: sample
                    .filter(|sample| sample.resident.is_some())
                    .map(|_| released.peak_resident_bytes as u64),
            }),
            os_calls: arenas
                .system()
                .source()
                .call_counts()
                .map(|counts| OsCalls {
                    total: counts.total() as u64,
                    by_kind: counts
                        .iter()
                        .map(|(call, count)| (call.name(), count as u64))
                        .collect(),
                }),
            cache: Some(Cache {
                hits: released.cache_hits as u64,
                misses: released.cache_misses as u64,
                held_regions: released.cached_regions as u64,
                held_bytes: released.cached_bytes as u64,
                evictions: released.evictions as u64,
            }),
            bookkeeping: Some(Bookkeeping {
                mapped_bytes: at_the_end.bookkeeping.mapped_bytes as u64,
                used_bytes: at_the_end.bookkeeping.used_bytes as u64,
                arenas_mapped: at_the_end.bookkeeping.arenas_mapped as u64,
                cached_arenas: at_the_end.bookkeeping.cached_arenas as u64,
                cache_hits: at_the_end.bookkeeping.cache_hits as u64,
                cache_misses: at_the_end.bookkeeping.cache_misses as u64,
            }),
            budget: self.budget.as_ref().map(|budget| Budget {
                limit_bytes: budget.limit() as u64,
                used_bytes: sample.map_or(0, |sample| sample.budget_used as u64),
                peak_bytes: budget.peak() as u64,
                refusals: budget.refusals() as u64,
            }),
            configuration: Some(effective.iter().map(Setting::from).collect()),
            left_over: Some(LeftOver {
                live_memories: emptied.live_memories as u64,
                reserved_bytes: emptied.reserved_bytes as u64,
                budget_bytes: self
                    .budget
                    .as_ref()
                    .map_or(0, |budget| budget.used() as u64),
                unreturned_regions: emptied.unreturned.regions as u64,
                unreturned_bytes: emptied.unreturned.bytes as u64,
            }),
        }
    }
}

/// An account of Wasmtime's adapter as the other adapters keep theirs.
fn as_shared(record: &wasm_arena_wasmtime::MemoryRecord) -> MemoryRecord {
    let mut shared = MemoryRecord::new(record.id, record.statistics, record.page_size);
    shared.is_64 = record.is_64;
    shared.is_shared = record.is_shared;
    shared.is_live = record.is_live;
    shared.last_refusal = record.last_refusal;
    shared
}

/// The accounts of a module's memories, in the order of their index, and then of others.
pub(super) fn accounts_of(records: &[MemoryRecord], types: &[MemoryType]) -> Vec<Memory> {
    // The module's memories are made in the order of their index; in between, the engine may
    // take a heap for objects of its own.
    let mut expected = types.iter().enumerate().peekable();
    let mut accounts: Vec<Memory> = Vec::with_capacity(records.len());
    let mut heaps = Vec::new();
    for record in records {
        match expected.next_if(|(_, of_type)| is_of_type(record, of_type)) {
            Some((index, of_type)) => accounts.push(account(record, index, of_type.maximum)),
            None => heaps.push(record),
        }
    }
    for heap in heaps {
        let mut account = account(heap, accounts.len(), None);
        account.kind = MemoryKind::EngineHeap;
        accounts.push(account);
    }
    accounts
}

impl From<&wasm_arena::EffectiveOption> for Setting {
    fn from(known: &wasm_arena::EffectiveOption) -> Self {
        let (outcome, reason) = match known.outcome {
            Outcome::Applied => ("applied", None),
            Outcome::Clamped(why) => ("clamped", Some(why.to_string())),
            Outcome::Unsupported(why) => ("unsupported", Some(why.to_string())),
            Outcome::Partial(why) => ("partial", Some(why.to_string())),
            Outcome::Overruled => ("overruled", Some(Outcome::Overruled.to_string())),
            other => ("other", Some(other.to_string())),
        };
        Self {
            option: known.option.name(),
            asked: known.asked.into(),
            in_force: known.in_force.into(),
            outcome,
            reason,
        }
    }
}

impl From<OptionValue> for SettingValue {
    fn from(value: OptionValue) -> Self {
        match value {
            OptionValue::Bytes(bytes) => Self::Bytes(bytes as u64),
            OptionValue::Count(count) => Self::Count(count as u64),
            OptionValue::Switch(on) => Self::Switch(on),
            other => Self::Name(other.to_string()),
        }
    }
}

fn is_of_type(record: &MemoryRecord, of_type: &MemoryType) -> bool {
    let initial = u128::from(of_type.initial) << page_size_log2(of_type);
    record.page_size == 1 << page_size_log2(of_type)
        && record.is_64 == of_type.memory64
        && record.statistics.initial_bytes as u128 == initial
}

fn account(record: &MemoryRecord, index: usize, maximum_pages: Option<u64>) -> Memory {
    let numbers = &record.statistics;
    let sizes = [
        numbers.initial_bytes,
        numbers.current_bytes,
        numbers.peak_bytes,
    ];
    let maximum = maximum_pages.map(|pages| pages.saturating_mul(record.page_size));
    let mut account = Memory::new(index, record.page_size, record.is_64, sizes, maximum)
        .with_limit(numbers.maximum_bytes.map(|bytes| bytes as u64))
        .with_growth(numbers.grows as u64, numbers.refused_grows as u64);
    account.last_refusal = record.last_refusal.map(|refusal| refusal.to_string());
    account.moves = Some(numbers.moves as u64);
    account.bytes_copied = Some(numbers.bytes_copied as u64);
    account.guard_before_bytes = Some(numbers.guard_before_bytes as u64);
    account.guard_after_bytes = Some(numbers.guard_after_bytes as u64);
    account.capacity_bytes = Some(numbers.capacity_bytes as u64);
    account.from_cache = Some(numbers.from_cache);
    account
}
