//! Real programs: what they print, and how they end.
#![forbid(unsafe_code)]

use alloc::string::String;
use alloc::vec::Vec;

use qnx_guests::cases::{Verdict, ensure};
use qnx_guests::guests::{self, Commands, Ended, MISBEHAVE, status};
use wasm_arena::{
    AllocError, MemoryBudget, MemoryOptions, MemoryRecord, SystemArenas, WASM_PAGE_SIZE,
};

use super::{Case, told};
use crate::code::Code;
use crate::embedding::Embedding;
use crate::run::{ended, start};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "a-program-computes-and-checks-itself",
        run: computes,
    },
    Case {
        name: "what-goes-wrong-traps-and-the-engine-goes-on",
        run: traps,
    },
    Case {
        name: "growth-stops-at-the-budget",
        run: budget,
    },
];

/// The guests, as one kind of code.
struct Compiled {
    embedding: Embedding,
    code: Code,
}

impl Compiled {
    fn new(code: Code, options: MemoryOptions) -> Result<Self, String> {
        let embedding = Embedding::with(code, options).map_err(told)?;
        Ok(Self { embedding, code })
    }
}

impl Commands for Compiled {
    fn run(&self, guest: &str, words: &[&str]) -> (Ended, String) {
        let kept = Some(Vec::new());
        let (outcome, printed) = start(&self.embedding, self.code, guest, words, kept);
        let printed = printed.unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        (ended(outcome), printed)
    }

    fn arenas(&self) -> &SystemArenas {
        &self.embedding.arenas
    }

    fn records(&self) -> Vec<MemoryRecord> {
        self.embedding.memories.records()
    }
}

fn computes(code: Code) -> Verdict {
    let commands = Compiled::new(code, MemoryOptions::default())?;
    guests::computes(&commands, &["--words", "30000", "river"])?;
    let grows = commands.records()[0].statistics.grows;
    ensure!(grows > 0, "{grows} growths");
    Ok(())
}

fn traps(code: Code) -> Verdict {
    guests::misbehaves(&Compiled::new(code, MemoryOptions::default())?)
}

fn budget(code: Code) -> Verdict {
    static BUDGETS: [MemoryBudget; 2] = [
        MemoryBudget::new("pulley", 40 * WASM_PAGE_SIZE),
        MemoryBudget::new("native", 40 * WASM_PAGE_SIZE),
    ];
    let budget = &BUDGETS[code as usize];
    let mut options = MemoryOptions::default();
    options.budget = Some(budget.into());
    let commands = Compiled::new(code, options)?;
    let (ended, printed) = commands.run(MISBEHAVE, &["grow-forever"]);
    let status = status(ended)?;
    ensure!(status == 0, "exit code {status}:\n{printed}");
    let records = commands.records();
    let refusal = records.first().and_then(|record| record.last_refusal);
    ensure!(
        matches!(refusal, Some(AllocError::BudgetExceeded { .. })),
        "the host is told {refusal:?}"
    );
    let pages = records[0].statistics.peak_bytes / WASM_PAGE_SIZE;
    let said = alloc::format!("refused at {pages} pages after {} growths", pages - 2);
    ensure!(printed.contains(&said), "not `{said}`:\n{printed}");
    // A growth that moves has both places for a moment.
    ensure!((19..=40).contains(&pages), "refused at {pages} pages");
    ensure!(budget.used() == 0, "{} bytes still charged", budget.used());
    Ok(())
}
