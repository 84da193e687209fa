//! One instance: every way of going wrong leaves it usable.
#![forbid(unsafe_code)]

use core::fmt;

use qnx_guests::cases::{Verdict, ensure};
use wasmtime::{Caller, Extern, Instance, Linker, Store, Trap, WasmParams, WasmResults};

use super::{Case, told};
use crate::code::{Code, STEPS};
use crate::embedding::Embedding;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "an-instance-survives-its-traps",
        run: survives,
    },
    Case {
        name: "floating-point-crosses-both-ways",
        run: floating_point,
    },
    Case {
        name: "the-host-is-called-and-may-fail-or-call-back",
        run: host_calls,
    },
    Case {
        name: "several-instances-keep-apart",
        run: several,
    },
];

/// The instance in its store.
pub(super) struct Steps {
    pub(super) store: Store<i32>,
    pub(super) instance: Instance,
}

/// The host does not like a number.
#[derive(Debug)]
struct Dislike;

impl fmt::Display for Dislike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host does not like that number")
    }
}

impl core::error::Error for Dislike {}

/// Adds the number to the store's; calls the guest back with even ones; fails with negative ones.
fn note(mut caller: Caller<'_, i32>, number: i32) -> wasmtime::Result<i32> {
    if number < 0 {
        return Err(Dislike.into());
    }
    *caller.data_mut() += number;
    if number % 2 == 1 {
        return Ok(number);
    }
    let Some(Extern::Func(multiply)) = caller.get_export("multiply") else {
        return Err(Dislike.into());
    };
    multiply
        .typed::<(i32, i32), i32>(&caller)?
        .call(&mut caller, (number, 10))
}

impl Steps {
    pub(super) fn new(embedding: &Embedding, code: Code) -> wasmtime::Result<Self> {
        let module = embedding.module(&STEPS, code)?;
        let mut store = Store::new(&embedding.engine, 0);
        let mut linker = Linker::new(&embedding.engine);
        linker.func_wrap("host", "note", note)?;
        let instance = linker.instantiate(&mut store, &module)?;
        Ok(Self { store, instance })
    }

    pub(super) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &str,
        parameters: P,
    ) -> wasmtime::Result<R> {
        self.instance
            .get_typed_func::<P, R>(&mut self.store, name)?
            .call(&mut self.store, parameters)
    }

    /// The address of its memory, and its size.
    pub(super) fn memory(&mut self) -> Option<(usize, usize)> {
        let memory = self.instance.get_memory(&mut self.store, "memory")?;
        let size = memory.data_size(&self.store);
        Some((memory.data_ptr(&self.store).addr(), size))
    }
}

/// Whether a call ended in this trap.
fn trapped<R: fmt::Debug>(result: wasmtime::Result<R>, trap: Trap) -> Verdict {
    match result {
        Ok(value) => Err(alloc::format!(
            "{trap:?} was expected, and it gave {value:?}"
        )),
        Err(error) => {
            ensure!(
                error.downcast_ref::<Trap>() == Some(&trap),
                "not {trap:?}, but {error:?}"
            );
            Ok(())
        }
    }
}

fn survives(code: Code) -> Verdict {
    let embedding = Embedding::new(code).map_err(told)?;
    let mut steps = Steps::new(&embedding, code).map_err(told)?;
    let end = 65_536;
    for round in 1..=3 {
        let outside = Trap::MemoryOutOfBounds;
        for at in [end, end - 3, i32::MAX, -4, -1] {
            trapped(steps.call::<_, i32>("load", at), outside)?;
            trapped(steps.call::<_, ()>("store", (at, -1)), outside)?;
        }
        let inside = steps.call::<_, i32>("load", end - 4).map_err(told)?;
        ensure!(
            inside == 0,
            "the last word is {inside:#x}: a refused store reached it"
        );
        trapped(
            steps.call::<_, ()>("unreachable", ()),
            Trap::UnreachableCodeReached,
        )?;
        trapped(
            steps.call::<_, i32>("divide", (1, 0)),
            Trap::IntegerDivisionByZero,
        )?;
        trapped(
            steps.call::<_, i32>("divide", (i32::MIN, -1)),
            Trap::IntegerOverflow,
        )?;
        trapped(
            steps.call::<_, i32>("truncate", f64::NAN),
            Trap::BadConversionToInteger,
        )?;
        trapped(steps.call::<_, i32>("through", 1), Trap::BadSignature)?;
        trapped(steps.call::<_, i32>("through", 2), Trap::IndirectCallToNull)?;
        trapped(steps.call::<_, i32>("through", 4), Trap::TableOutOfBounds)?;
        trapped(steps.call::<_, i32>("forever", 0), Trap::StackOverflow)?;
        let seven = steps.call::<_, i32>("through", 0).map_err(told)?;
        ensure!(seven == 7, "through the table: {seven}");
        let product = steps
            .call::<_, i32>("multiply", (round, -9))
            .map_err(told)?;
        ensure!(product == -9 * round, "{round} times -9 is {product}");
        let calls = steps.call::<_, i32>("calls", ()).map_err(told)?;
        ensure!(calls == round, "{calls} calls remembered, not {round}");
    }
    Ok(())
}

fn floating_point(code: Code) -> Verdict {
    let embedding = Embedding::new(code).map_err(told)?;
    let mut steps = Steps::new(&embedding, code).map_err(told)?;
    for (a, b, c) in [(3.0, 4.0, 5.0), (0.5, 1.2, 1.3), (-20.0, 21.0, 29.0)] {
        let got = steps
            .call::<(f64, f64), f64>("hypotenuse", (a, b))
            .map_err(told)?;
        ensure!((got - c).abs() < 1e-12, "{a}, {b}: {got}, not {c}");
    }
    for (number, rounded) in [(2.5_f32, 2.0_f32), (-0.25, -0.0), (3.5, 4.0)] {
        let got = steps.call::<f32, f32>("round", number).map_err(told)?;
        ensure!(got.to_bits() == rounded.to_bits(), "{number}: {got}");
    }
    Ok(())
}

fn host_calls(code: Code) -> Verdict {
    let embedding = Embedding::new(code).map_err(told)?;
    let mut steps = Steps::new(&embedding, code).map_err(told)?;
    for (number, answer) in [(1, 1), (6, 60), (9, 9)] {
        let got = steps.call::<_, i32>("note", number).map_err(told)?;
        ensure!(got == answer, "{number}: {got}, not {answer}");
    }
    match steps.call::<_, i32>("note", -1) {
        Ok(got) => return Err(alloc::format!("the host's refusal became {got}")),
        Err(error) => ensure!(error.is::<Dislike>(), "not the host's error: {error:?}"),
    }
    let sum = *steps.store.data();
    ensure!(sum == 16, "the host added up {sum}");
    let calls = steps.call::<_, i32>("calls", ()).map_err(told)?;
    ensure!(calls == 1, "called back {calls} times");
    Ok(())
}

fn several(code: Code) -> Verdict {
    let embedding = Embedding::new(code).map_err(told)?;
    let mut all = alloc::vec::Vec::new();
    for number in 1..=8_i32 {
        let mut steps = Steps::new(&embedding, code).map_err(told)?;
        steps.call::<_, ()>("fill", number).map_err(told)?;
        all.push(steps);
    }
    let live = embedding.arenas.statistics().live_memories;
    ensure!(live == 8, "{live} memories, not 8");
    for (number, steps) in (1..).zip(&mut all) {
        let sum = steps.call::<_, i64>("sum", ()).map_err(told)?;
        ensure!(sum == number * 65_536, "instance {number}: {sum}");
    }
    drop(all);
    let live = embedding.arenas.statistics().live_memories;
    ensure!(live == 0, "{live} memories after the end of all");
    Ok(())
}
