//! Real programs: what they print, and how they end.
#![forbid(unsafe_code)]

use alloc::string::String;
use alloc::vec::Vec;

use wasm_arena::{AllocError, MemoryBudget, MemoryOptions, WASM_PAGE_SIZE};
use wasmtime::Trap;

use super::{Case, Verdict, ensure, told};
use crate::code::{Code, Guest, MISBEHAVE, WORD_INDEX};
use crate::embedding::Embedding;
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
        name: "growth-stops-at-the-budget",
        run: budget,
    },
];

/// How a command ended, and what it printed.
fn command(
    embedding: &Embedding,
    code: Code,
    guest: &Guest,
    words: &[&str],
) -> (wasmtime::Result<i32>, String) {
    let (ended, printed) = start(embedding, code, guest, words, Some(Vec::new()));
    let printed = printed.unwrap_or_default();
    (ended, String::from_utf8_lossy(&printed).into_owned())
}

fn computes(code: Code) -> Verdict {
    let embedding = Embedding::new(code).map_err(told)?;
    let words = ["--words", "30000", "river"];
    let (ended, printed) = command(&embedding, code, &WORD_INDEX, &words);
    let status = ended.map_err(told)?;
    ensure!(status == 0, "exit code {status}:\n{printed}");
    ensure!(
        printed.contains("check     index and scan agree"),
        "it does not agree with itself:\n{printed}"
    );
    let records = embedding.memories.records();
    ensure!(records.len() == 1, "{} memories", records.len());
    let statistics = records[0].statistics;
    ensure!(
        statistics.grows > 0 && statistics.refused_grows == 0,
        "{statistics:?}"
    );
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

fn traps(code: Code) -> Verdict {
    let embedding = Embedding::new(code).map_err(told)?;
    for (words, trap) in [
        (&["read-past-end"][..], Trap::MemoryOutOfBounds),
        (&["read-past-end", "16777216"], Trap::MemoryOutOfBounds),
        (&["write-past-end"], Trap::MemoryOutOfBounds),
        (&["straddle-end"], Trap::MemoryOutOfBounds),
        (&["recurse"], Trap::StackOverflow),
        (&["overflow-stack"], Trap::MemoryOutOfBounds),
        (&["abort"], Trap::UnreachableCodeReached),
        (&["divide-by-zero"], Trap::IntegerDivisionByZero),
        (&["call-wrong-type"], Trap::BadSignature),
    ] {
        let (ended, printed) = command(&embedding, code, &MISBEHAVE, words);
        match ended {
            Ok(status) => return Err(alloc::format!("{words:?}: exit code {status}:\n{printed}")),
            Err(error) => ensure!(
                error.downcast_ref::<Trap>() == Some(&trap),
                "{words:?}: not {trap:?}, but {error:?}"
            ),
        }
        ensure!(
            embedding.arenas.statistics().live_memories == 0,
            "{words:?}: its memory is still there"
        );
    }
    for (words, status) in [
        (&["exit", "42"][..], 42),
        (&["grow-huge"], 0),
        (&["null"], 0),
    ] {
        let (ended, printed) = command(&embedding, code, &MISBEHAVE, words);
        let got = ended.map_err(told)?;
        ensure!(got == status, "{words:?}: exit code {got}:\n{printed}");
    }
    let statistics = embedding.arenas.statistics();
    ensure!(
        statistics.cache_hits > 0,
        "no region served a second guest: {statistics:?}"
    );
    Ok(())
}

fn budget(code: Code) -> Verdict {
    static BUDGETS: [MemoryBudget; 2] = [
        MemoryBudget::new("pulley", 40 * WASM_PAGE_SIZE),
        MemoryBudget::new("native", 40 * WASM_PAGE_SIZE),
    ];
    let budget = &BUDGETS[code as usize];
    let mut options = MemoryOptions::default();
    options.budget = Some(budget.into());
    let embedding = Embedding::with(code, options).map_err(told)?;
    let (ended, printed) = command(&embedding, code, &MISBEHAVE, &["grow-forever"]);
    let status = ended.map_err(told)?;
    ensure!(status == 0, "exit code {status}:\n{printed}");
    let records = embedding.memories.records();
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
