//! Real programs: what they print, and how they end.
#![forbid(unsafe_code)]

use alloc::string::String;
use alloc::vec::Vec;

use qnx_guests::cases::{Verdict, ensure};
use qnx_guests::guests::{self, Commands, Ended, MISBEHAVE, Problem, WORD_INDEX};
use wasm_arena::{
    AllocError, GrowthRoom, MemoryBudget, MemoryOptions, MemoryRecord, SystemArenas, WASM_PAGE_SIZE,
};

use super::{Case, told};
use crate::embedding::{COMMAND_ROOM, Embedding};
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
        name: "growth-stops-at-the-room",
        run: room,
    },
    Case {
        name: "the-budget-is-charged-for-the-room",
        run: budget,
    },
];

/// The guests, interpreted.
struct Interpreted(Embedding);

impl Commands for Interpreted {
    fn run(&self, guest: &str, words: &[&str]) -> (Ended, String) {
        let (outcome, printed) = start(&self.0, guest, words, Some(Vec::new()));
        let printed = printed.unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        (ended(outcome), printed)
    }

    fn arenas(&self) -> &SystemArenas {
        &self.0.arenas
    }

    fn records(&self) -> Vec<MemoryRecord> {
        self.0.memories.records()
    }
}

fn computes() -> Verdict {
    let commands = Interpreted(Embedding::for_commands().map_err(told)?);
    guests::computes(&commands, &["--words", "3000", "river"])
}

fn traps() -> Verdict {
    guests::misbehaves(&Interpreted(Embedding::for_commands().map_err(told)?))
}

fn room() -> Verdict {
    let mut options = MemoryOptions::default();
    options.growth_room = GrowthRoom::Bytes(20 * WASM_PAGE_SIZE);
    let commands = Interpreted(Embedding::with(options).map_err(told)?);
    // It grows until it is refused, and looks for its marks then.
    let (ended, printed) = commands.run(MISBEHAVE, &["grow-forever"]);
    let status = guests::status(ended)?;
    ensure!(status == 0, "exit code {status}:\n{printed}");
    let record = commands.records()[0];
    let (initial, peak) = (
        record.statistics.initial_bytes,
        record.statistics.peak_bytes,
    );
    ensure!(
        peak == initial + 20 * WASM_PAGE_SIZE,
        "{initial} bytes grew to {peak}"
    );
    ensure!(
        matches!(record.last_refusal, Some(AllocError::NoRoom { .. })),
        "the host is told {:?}",
        record.last_refusal
    );
    // Too little for this one, which says so.
    let (ended, printed) = commands.run(WORD_INDEX, &["--words", "200000"]);
    let status = guests::status(ended)?;
    ensure!(status == 3, "exit code {status}, not 3:\n{printed}");
    Ok(())
}

fn budget() -> Verdict {
    static GUESTS: MemoryBudget = MemoryBudget::new("guests", 1 << 20);
    let mut options = MemoryOptions::default();
    options.budget = Some((&GUESTS).into());
    options.growth_room = GrowthRoom::Bytes(COMMAND_ROOM);
    let commands = Interpreted(Embedding::with(options).map_err(told)?);
    let Err(Problem { said, .. }) = commands.run(WORD_INDEX, &[]).0 else {
        return Err("a room beyond the budget was taken".into());
    };
    ensure!(said.contains("\"guests\""), "not said why: {said}");
    ensure!(GUESTS.used() == 0, "{} bytes are charged", GUESTS.used());
    Ok(())
}
