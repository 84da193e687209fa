//! One way to make memories: the system they come from, the guard behind them, who pays and what is
//! checked.
#![forbid(unsafe_code)]

use std::sync::Arc;

use wasm_arena::{GuardSize, MemoryBudget, MemoryOptions, VerificationLevel};

/// Where memory comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum System {
    Arenas,
    Mapped,
}

/// One way to make memories.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) system: System,
    /// Behind the room to grow; without one, there is none before the data either.
    guard: GuardSize,
    /// The budget pays for more than the suite can ask for, and everything is checked.
    paid_and_checked: bool,
}

pub(crate) const SMALL_GUARD: GuardSize = GuardSize::Bytes(64 << 10);
pub(crate) const LARGE_GUARD: GuardSize = GuardSize::Bytes(1 << 20);

const LARGE_BUDGET_BYTES: usize = 1 << 46;

impl Plan {
    pub(crate) const fn new(name: &'static str, system: System, guard: GuardSize) -> Self {
        Self {
            name,
            system,
            guard,
            paid_and_checked: false,
        }
    }

    pub(crate) const fn paid(name: &'static str) -> Self {
        Self {
            paid_and_checked: true,
            ..Self::new(name, System::Arenas, GuardSize::OneHostPage)
        }
    }

    /// The options of every memory, and the budget that pays for them if there is one.
    pub(crate) fn options(&self) -> (MemoryOptions, Option<Arc<MemoryBudget>>) {
        let mut options = MemoryOptions::default();
        options.guard_after = self.guard;
        if self.guard == GuardSize::None {
            options.guard_before = GuardSize::None;
        }
        if !self.paid_and_checked {
            return (options, None);
        }
        let budget = Arc::new(MemoryBudget::new(self.name, LARGE_BUDGET_BYTES));
        options.budget = Some(Arc::clone(&budget).into());
        options.verification_level = VerificationLevel::Critical;
        (options, Some(budget))
    }
}
