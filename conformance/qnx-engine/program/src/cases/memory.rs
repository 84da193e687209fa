//! Where memory comes from.
#![forbid(unsafe_code)]

use alloc::format;

use qnx_guests::cases::{Verdict, ensure, is_data, object_bytes, part_of};
use wasm_arena::{MemoryOptions, RegionPart, WASM_PAGE_SIZE};

use super::steps::Steps;
use super::{Case, told};
use crate::HEAP;
use crate::code::{Code, STEPS};
use crate::embedding::Embedding;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "every-byte-of-linear-memory-is-the-arenas",
        run: arenas,
    },
    Case {
        name: "grown-memory-is-zero-and-old-bytes-stay",
        run: growth,
    },
    Case {
        name: "objects-of-the-runtime-are-the-heaps",
        run: heap,
    },
    Case {
        name: "what-is-no-code-is-refused",
        run: no_code,
    },
];

fn arenas(code: Code) -> Verdict {
    let embedding = Embedding::new(code).map_err(told)?;
    let mut steps = Steps::new(&embedding, code).map_err(told)?;
    for pages in [1, 3, 12] {
        let grown = pages - steps.call::<_, i32>("size", ()).map_err(told)?;
        steps.call::<_, i32>("grow", grown).map_err(told)?;
        let (base, size) = steps.memory().ok_or("no memory")?;
        ensure!(size == pages as usize * WASM_PAGE_SIZE, "{size} bytes");
        is_data(&embedding.arenas, base, size)?;
        for (address, guard) in [
            (base - 1, RegionPart::GuardBefore { before_base: 1 }),
            (base + size + 1, RegionPart::GuardAfter { offset: size + 1 }),
        ] {
            let part = part_of(&embedding.arenas, address)?;
            let room = matches!(part, Some(RegionPart::RoomToGrow { .. }));
            ensure!(part == Some(guard) || room, "{address:#x} is {part:?}");
        }
        let records = embedding.memories.records();
        ensure!(
            records.len() == 1 && records[0].statistics.current_bytes == size,
            "the account says {:?}",
            records
        );
    }
    Ok(())
}

fn growth(code: Code) -> Verdict {
    let embedding = Embedding::new(code).map_err(told)?;
    let mut steps = Steps::new(&embedding, code).map_err(told)?;
    // Whoever comes second gets the region of the first, and must not see it.
    for _ in 0..2 {
        steps.call::<_, ()>("fill", 1).map_err(told)?;
        let mut sum = 65_536;
        for grown in [1, 2, 5, 20] {
            let before = steps.call::<_, i32>("grow", grown).map_err(told)?;
            ensure!(before > 0, "a growth by {grown} was refused");
            let now = steps.call::<_, i64>("sum", ()).map_err(told)?;
            ensure!(now == sum, "after growing by {grown}: {now}, not {sum}");
            steps.call::<_, ()>("fill", grown).map_err(told)?;
            sum = i64::from(grown) * i64::from(before + grown) * 65_536;
        }
        // The maximum of the module is 64 pages.
        let refused = steps.call::<_, i32>("grow", 37).map_err(told)?;
        ensure!(refused == -1, "beyond the maximum: {refused}");
        steps = Steps::new(&embedding, code).map_err(told)?;
    }
    Ok(())
}

fn heap(code: Code) -> Verdict {
    let before = HEAP.statistics();
    let embedding = Embedding::new(code).map_err(told)?;
    let mut steps = Steps::new(&embedding, code).map_err(told)?;
    steps.call::<_, i32>("grow", 40).map_err(told)?;
    let now = HEAP.statistics();
    ensure!(
        now.allocations > before.allocations + 20,
        "{} allocations for an engine",
        now.allocations - before.allocations
    );
    // Neither the guest's memory nor its code is among them; Pulley's stack is.
    let taken = object_bytes(&now) - object_bytes(&before);
    ensure!(taken < 41 * WASM_PAGE_SIZE, "{taken} bytes of objects");
    drop(steps);
    drop(embedding);
    let left = object_bytes(&HEAP.statistics()).saturating_sub(object_bytes(&before));
    // Wasmtime keeps a table of types and one of modules.
    ensure!(left < 8 << 10, "{left} bytes of objects are left behind");
    Ok(())
}

fn no_code(code: Code) -> Verdict {
    let embedding = Embedding::with(code, MemoryOptions::default()).map_err(told)?;
    let other = match code {
        Code::Pulley => Code::Native,
        Code::Native => Code::Pulley,
    };
    let Err(error) = embedding.module(&STEPS, other) else {
        return Err("code for another machine was taken".into());
    };
    let said = format!("{error:?}");
    ensure!(said.contains("compiled for"), "not said why: {said}");
    let whole = STEPS.code(code);
    for len in [0, 1, 63, 64, 200, whole.len() / 2] {
        ensure!(
            embedding.bytes(&whole[..len]).is_err(),
            "{len} bytes of {} were taken",
            whole.len()
        );
    }
    Ok(())
}
