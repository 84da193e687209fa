//! Where memory comes from.
#![forbid(unsafe_code)]

use alloc::format;

use qnx_guests::cases::{Verdict, ensure, is_data, object_bytes};
use wasm_arena::WASM_PAGE_SIZE;
use wasm_arena_wasmi::ArenaStore;
use wasmi::{Instance, Linker, TrapCode};

use super::{Case, told};
use crate::HEAP;
use crate::embedding::{Embedding, MEMORIES};

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
        name: "an-instance-survives-its-traps",
        run: survives,
    },
    Case {
        name: "objects-of-the-runtime-are-the-heaps",
        run: heap,
    },
    Case {
        name: "what-is-no-module-is-refused",
        run: no_module,
    },
];

/// An instance in its store.
pub(super) struct Steps {
    pub(super) store: ArenaStore<()>,
    instance: Instance,
}

impl Steps {
    pub(super) fn new(embedding: &Embedding) -> Result<Self, wasmi::Error> {
        let module = embedding.module(&MEMORIES)?;
        let mut store = embedding.memories.store(&embedding.engine, ());
        let instance = store.instantiate(&Linker::new(&embedding.engine), &module)?;
        Ok(Self { store, instance })
    }

    pub(super) fn call(&mut self, name: &str, argument: i32) -> Result<i32, wasmi::Error> {
        self.instance
            .get_typed_func::<i32, i32>(&self.store, name)?
            .call(&mut self.store, argument)
    }
}

fn arenas() -> Verdict {
    let embedding = Embedding::new().map_err(told)?;
    let mut steps = Steps::new(&embedding).map_err(told)?;
    for (more, before) in [(0, 1), (2, 1), (9, 3)] {
        let had = steps.call("grow", more).map_err(told)?;
        ensure!(had == before, "{had} pages, not {before}");
        let memory = steps.store.memories()[0];
        let (base, size) = (
            memory.data_ptr(&steps.store).addr(),
            memory.data_size(&steps.store),
        );
        is_data(&embedding.arenas, base, size)?;
        let records = steps.store.records();
        ensure!(
            records.len() == 2 && records[0].statistics.current_bytes == size,
            "the accounts say {records:?}"
        );
        steps.store.verify().map_err(|damage| format!("{damage}"))?;
    }
    Ok(())
}

fn growth() -> Verdict {
    let embedding = Embedding::new().map_err(told)?;
    // Whoever comes second gets the regions of the first, and must not see them.
    for _ in 0..2 {
        let mut steps = Steps::new(&embedding).map_err(told)?;
        let data: i32 = b"from a data segment"
            .iter()
            .map(|&byte| i32::from(byte))
            .sum();
        let sum = steps.call("sum", 0).map_err(told)?;
        ensure!(sum == data, "at the start: {sum}, not {data}");
        steps.call("fill", 1).map_err(told)?;
        // Which of two equal memories grows, wasmi does not say.
        for (name, more) in [("grow_two", 4), ("grow", 2), ("grow", 9), ("grow_two", 7)] {
            let before = steps.call(name, more).map_err(told)?;
            ensure!(before > 0, "{name} by {more} was refused");
            let sum = steps.call("sum", 0).map_err(told)?;
            ensure!(sum == 2 * 65_536, "after {name} by {more}: {sum}");
        }
        for name in ["grow", "grow_two"] {
            let refused = steps.call(name, 1).map_err(told)?;
            ensure!(refused == -1, "beyond the maximum: {refused}");
        }
        steps.call("fill", 255).map_err(told)?;
        let sum = steps.call("sum", 0).map_err(told)?;
        ensure!(sum == 24 * 65_536 * 255, "all of it filled: {sum}");
    }
    let hits = embedding.arenas.statistics().cache_hits;
    ensure!(hits == 2, "{hits} regions served twice, not 2");
    Ok(())
}

fn survives() -> Verdict {
    let embedding = Embedding::new().map_err(told)?;
    let mut steps = Steps::new(&embedding).map_err(told)?;
    for round in 1..=3 {
        for (name, argument, trap) in [
            ("load", 65_536, TrapCode::MemoryOutOfBounds),
            ("load", 65_533, TrapCode::MemoryOutOfBounds),
            ("load", -1, TrapCode::MemoryOutOfBounds),
            ("store", 65_533, TrapCode::MemoryOutOfBounds),
            ("store", i32::MAX, TrapCode::MemoryOutOfBounds),
            ("unreachable", 0, TrapCode::UnreachableCodeReached),
            ("divide", 0, TrapCode::IntegerDivisionByZero),
            ("through", 1, TrapCode::BadSignature),
            ("through", 2, TrapCode::IndirectCallToNull),
            ("through", 3, TrapCode::TableOutOfBounds),
            ("forever", 0, TrapCode::StackOverflow),
        ] {
            match steps.call(name, argument) {
                Ok(value) => return Err(format!("{name}({argument}) gave {value}")),
                Err(error) => ensure!(
                    error.as_trap_code() == Some(trap),
                    "{name}({argument}): not {trap:?}, but {error:?}"
                ),
            }
        }
        let inside = steps.call("load", 65_532).map_err(told)?;
        ensure!(
            inside == 0,
            "the last word is {inside:#x}: a refused store reached it"
        );
        for (name, argument, result) in [
            ("through", 0, 7),
            ("round_trip", round * 1000, round * 1000),
            ("hypotenuse", 3, 5),
            ("size", 0, 1),
        ] {
            let got = steps.call(name, argument).map_err(told)?;
            ensure!(got == result, "{name}({argument}): {got}, not {result}");
        }
    }
    Ok(())
}

fn heap() -> Verdict {
    let before = HEAP.statistics();
    let embedding = Embedding::new().map_err(told)?;
    let mut steps = Steps::new(&embedding).map_err(told)?;
    steps.call("grow", 11).map_err(told)?;
    let now = HEAP.statistics();
    ensure!(
        now.allocations > before.allocations + 20,
        "{} allocations for an engine",
        now.allocations - before.allocations
    );
    // The guest's memories are not among them.
    let taken = object_bytes(&now) - object_bytes(&before);
    ensure!(taken < 12 * WASM_PAGE_SIZE, "{taken} bytes of objects");
    drop(steps);
    drop(embedding);
    let left = object_bytes(&HEAP.statistics()).saturating_sub(object_bytes(&before));
    ensure!(left == 0, "{left} bytes of objects are left behind");
    Ok(())
}

fn no_module() -> Verdict {
    let embedding = Embedding::new().map_err(told)?;
    let whole = MEMORIES.wasm;
    for len in [0, 1, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        let part = crate::embedding::Guest {
            name: "a part",
            wasm: &whole[..len],
        };
        // The header alone is a module, an empty one.
        ensure!(
            embedding.module(&part).is_ok() == (len == 8),
            "{len} bytes of {} were taken",
            whole.len()
        );
    }
    Ok(())
}
