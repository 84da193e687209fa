//! Real programs: what they print, and how they end.
#![forbid(unsafe_code)]

use alloc::string::String;
use alloc::vec::Vec;

use wasm_arena::{AllocError, GrowthRoom, MemoryBudget, MemoryOptions, WASM_PAGE_SIZE};
use wasmi::TrapCode;

use super::{Case, Verdict, ensure, told};
use crate::embedding::{COMMAND_ROOM, COMMANDS, Embedding, Guest};
use crate::run::start;

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

const WORD_INDEX: &Guest = &COMMANDS[0];
const MISBEHAVE: &Guest = &COMMANDS[1];

/// How a command ended, and what it printed.
fn command(
    embedding: &Embedding,
    guest: &Guest,
    words: &[&str],
) -> (Result<i32, wasmi::Error>, String) {
    let (ended, printed) = start(embedding, guest, words, Some(Vec::new()));
    let printed = printed.unwrap_or_default();
    (ended, String::from_utf8_lossy(&printed).into_owned())
}

fn computes() -> Verdict {
    let embedding = Embedding::for_commands().map_err(told)?;
    let words = ["--words", "3000", "river"];
    let (ended, printed) = command(&embedding, WORD_INDEX, &words);
    let status = ended.map_err(told)?;
    ensure!(status == 0, "exit code {status}:\n{printed}");
    ensure!(
        printed.contains("check     index and scan agree"),
        "it does not agree with itself:\n{printed}"
    );
    let records = embedding.memories.records();
    ensure!(records.len() == 1, "{} memories", records.len());
    let statistics = records[0].statistics;
    // What the guest says of its memory is what the arenas say of it.
    let pages = alloc::format!(
        "memory    {} pages at the start, {} now, {} growths",
        statistics.initial_bytes / WASM_PAGE_SIZE,
        statistics.peak_bytes / WASM_PAGE_SIZE,
        statistics.grows
    );
    ensure!(printed.contains(&pages), "not `{pages}`:\n{printed}");
    Ok(())
}

fn traps() -> Verdict {
    let embedding = Embedding::for_commands().map_err(told)?;
    for (words, trap) in [
        (&["read-past-end"][..], TrapCode::MemoryOutOfBounds),
        (&["read-past-end", "16777216"], TrapCode::MemoryOutOfBounds),
        (&["write-past-end"], TrapCode::MemoryOutOfBounds),
        (&["straddle-end"], TrapCode::MemoryOutOfBounds),
        (&["recurse"], TrapCode::StackOverflow),
        (&["overflow-stack"], TrapCode::MemoryOutOfBounds),
        (&["abort"], TrapCode::UnreachableCodeReached),
        (&["divide-by-zero"], TrapCode::IntegerDivisionByZero),
        (&["call-wrong-type"], TrapCode::BadSignature),
    ] {
        let (ended, printed) = command(&embedding, MISBEHAVE, words);
        match ended {
            Ok(status) => return Err(alloc::format!("{words:?}: exit code {status}:\n{printed}")),
            Err(error) => ensure!(
                error.as_trap_code() == Some(trap),
                "{words:?}: not {trap:?}, but {error:?}"
            ),
        }
        ensure!(
            embedding.arenas.statistics().live_memories == 0,
            "{words:?}: its memory is still there"
        );
    }
    let (ended, printed) = command(&embedding, MISBEHAVE, &["exit", "42"]);
    let status = ended.map_err(told)?;
    ensure!(
        status == 42,
        "after all that: exit code {status}:\n{printed}"
    );
    Ok(())
}

fn room() -> Verdict {
    let mut options = MemoryOptions::default();
    options.growth_room = GrowthRoom::Bytes(20 * WASM_PAGE_SIZE);
    let embedding = Embedding::with(options).map_err(told)?;
    // It grows until it is refused, and looks for its marks then.
    let (ended, printed) = command(&embedding, MISBEHAVE, &["grow-forever"]);
    let status = ended.map_err(told)?;
    ensure!(status == 0, "exit code {status}:\n{printed}");
    let record = embedding.memories.records()[0];
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
    let (ended, printed) = command(&embedding, WORD_INDEX, &["--words", "200000"]);
    let status = ended.map_err(told)?;
    ensure!(status == 3, "exit code {status}, not 3:\n{printed}");
    Ok(())
}

fn budget() -> Verdict {
    static GUESTS: MemoryBudget = MemoryBudget::new("guests", 1 << 20);
    let mut options = MemoryOptions::default();
    options.budget = Some((&GUESTS).into());
    options.growth_room = GrowthRoom::Bytes(COMMAND_ROOM);
    let embedding = Embedding::with(options).map_err(told)?;
    let (ended, _) = command(&embedding, WORD_INDEX, &[]);
    let Err(error) = ended else {
        return Err("a room beyond the budget was taken".into());
    };
    let said = alloc::format!("{error}");
    ensure!(said.contains("\"guests\""), "not said why: {said}");
    ensure!(GUESTS.used() == 0, "{} bytes are charged", GUESTS.used());
    Ok(())
}
