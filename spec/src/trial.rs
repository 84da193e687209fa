//! An engine on trial: with its own memory, the reference, and with ours in every configuration.
#![forbid(unsafe_code)]

use core::fmt;
use std::sync::Arc;

use wasm_arena::{ArenaSystem, Arenas, ArenasStatistics, MemoryBudget};

use crate::judge::Judge;
use crate::known::Known;

/// An engine on trial.
#[derive(Debug)]
pub struct Trial {
    /// The engine.
    pub engine: &'static str,
    /// The engine with its own memory.
    pub reference: Reference,
    /// What fails on the reference.
    pub known: &'static [Known],
    /// The engine with ours.
    pub configurations: Vec<Configuration>,
}

/// An engine with its own memory.
pub struct Reference(pub Box<dyn Judge>);

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reference").finish_non_exhaustive()
    }
}

/// An engine with memories from arenas.
pub struct Configuration {
    /// What tells it from the others.
    pub name: &'static str,
    /// The engine.
    pub judge: Box<dyn Judge>,
    statistics: Box<dyn Fn() -> ArenasStatistics + Send + Sync>,
    budget: Option<Arc<MemoryBudget>>,
}

impl Configuration {
    /// An engine whose memories all come from `arenas`, and are paid by `budget` if there is one.
    pub fn new<S: ArenaSystem + 'static>(
        name: &'static str,
        judge: impl Judge + 'static,
        arenas: Arc<Arenas<S>>,
        budget: Option<Arc<MemoryBudget>>,
    ) -> Self {
        Self {
            name,
            judge: Box::new(judge),
            statistics: Box::new(move || arenas.statistics()),
            budget,
        }
    }

    /// How many memories the arenas have served so far.
    #[must_use]
    pub fn memories_served(&self) -> usize {
        (self.statistics)().memories_allocated
    }

    /// Checks the accounts after everything has ended: something was served, and nothing is left.
    ///
    /// # Errors
    /// The first number that should not be.
    pub fn check_accounts(&self) -> Result<(), String> {
        let statistics = (self.statistics)();
        let told = |what: &str, found: usize| Err(format!("{}: {what}: {found}", self.name));
        if statistics.memories_allocated == 0 {
            return told("memories served by the arenas", 0);
        }
        if statistics.live_memories != 0 {
            return told("memories left alive", statistics.live_memories);
        }
        if statistics.unreturned.regions != 0 {
            return told("regions not returned", statistics.unreturned.regions);
        }
        match &self.budget {
            Some(budget) if budget.peak() == 0 => told("bytes the budget ever paid", 0),
            Some(budget) if budget.used() != 0 => told("bytes still charged", budget.used()),
            Some(budget) if budget.refusals() != 0 => {
                told("refusals by a large budget", budget.refusals())
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration")
            .field("name", &self.name)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
