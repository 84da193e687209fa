//! Guests that are suspended in the middle of a call: their memories come from the arenas, stay in
//! place while they wait, and go back whatever becomes of the call.

mod common;

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use common::pauses::{Pause, finish};
use common::{Make, PAGE, memories};
use wasm_arena::ArenaSystem;
use wasm_arena_wasmtime::{MemoryGuard, Strategy};
use wasmtime::{Caller, Engine, Func, Instance, Module, Store, Trap, TypedFunc};

everywhere!(
    guests_that_take_turns_keep_their_memories_apart,
    a_call_that_is_given_up_gives_its_memory_back,
    a_trap_after_a_pause,
);

/// Grows, fills what it has with its number, pauses, and adds up; `rounds` times. Then it strays, if
/// it is told to.
const TURNS: &str = r#"(module
    (import "host" "pause" (func $pause))
    (memory (export "memory") 1 40)
    (func (export "run") (param $number i32) (param $rounds i32) (param $stray i32) (result i32)
        (local $at i32) (local $sum i32)
        (loop $round
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
            (memory.fill (i32.const 0) (local.get $number)
                (i32.mul (memory.size) (i32.const 65536)))
            (call $pause)
            (local.set $at (i32.const 0))
            (loop $next
                (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 1024)))
                (br_if $next (i32.lt_u (local.get $at)
                    (i32.mul (memory.size) (i32.const 65536)))))
            (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
            (br_if $round (local.get $rounds)))
        (if (local.get $stray) (then
            (i32.store (i32.mul (memory.size) (i32.const 65536)) (i32.const 1))))
        (local.get $sum)))"#;

struct Guest {
    store: Store<()>,
    instance: Instance,
    run: TypedFunc<(i32, i32, i32), i32>,
}

impl Guest {
    fn new(engine: &Engine, module: &Module) -> Self {
        let mut store = Store::new(engine, ());
        let pause = Func::wrap_async(&mut store, |_: Caller<'_, ()>, ()| {
            Box::new(Pause::default())
        });
        let instance = finish(Instance::new_async(&mut store, module, &[pause.into()]));
        let instance = instance.0.unwrap();
        let run = instance.get_typed_func(&mut store, "run").unwrap();
        Self {
            store,
            instance,
            run,
        }
    }
}

/// What the guest's sum is: 64 looks at each page.
fn sum(number: i32, rounds: i32) -> i32 {
    (1..=rounds).map(|round| (round + 1) * 64 * number).sum()
}

fn guests_that_take_turns_keep_their_memories_apart<S: ArenaSystem + 'static>(
    make: Make<S>,
    strategy: Strategy,
) {
    let (memories, engine) = memories(make(), strategy);
    let module = Module::new(&engine, TURNS).unwrap();
    let mut guests: Vec<Guest> = (0..8).map(|_| Guest::new(&engine, &module)).collect();
    let mut calls: Vec<_> = (1..)
        .zip(&mut guests)
        .map(|(number, guest)| {
            let call = guest
                .run
                .call_async(&mut guest.store, (number, number + 3, 0));
            (number, Box::pin(call))
        })
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut turns = 0;
    // One step each, in turns: every guest is suspended while the others grow and move.
    while !calls.is_empty() {
        turns += 1;
        calls.retain_mut(|(number, call)| match call.as_mut().poll(&mut context) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                assert_eq!(result.unwrap(), sum(*number, *number + 3));
                false
            }
        });
    }
    drop(calls);
    assert_eq!(turns, 8 + 3 + 1, "the last of them paused eleven times");
    let records = memories.records();
    assert_eq!(records.len(), 8);
    for (number, record) in (1..).zip(&records) {
        assert_eq!(record.statistics.current_bytes, (number + 4) * PAGE);
        assert_eq!(record.statistics.grows, number + 3);
    }
    // Between two calls, a guard works as it does otherwise.
    let Guest {
        store,
        instance,
        run,
    } = &mut guests[2];
    let memory = instance.get_memory(&mut *store, "memory").unwrap();
    let mut guard = MemoryGuard::new(memory).with_mirror();
    for _call in 0..3 {
        guard.seal(&*store).unwrap();
        memory.data_mut(&mut *store)[70_000] ^= 1;
        assert!(guard.verify(&*store).is_err());
        assert_eq!(guard.mend(&mut *store).unwrap().blocks_repaired, 1);
        let (result, pauses) = finish(run.call_async(&mut *store, (1, 2, 0)));
        assert!(result.is_ok());
        assert_eq!(pauses, 2);
    }
    drop(guests);
    assert_eq!(memories.arenas().statistics().live_memories, 0);
}

fn a_call_that_is_given_up_gives_its_memory_back<S: ArenaSystem + 'static>(
    make: Make<S>,
    strategy: Strategy,
) {
    let (memories, engine) = memories(make(), strategy);
    let module = Module::new(&engine, TURNS).unwrap();
    for steps in 0..4 {
        let mut guest = Guest::new(&engine, &module);
        {
            let mut call = pin!(guest.run.call_async(&mut guest.store, (0x55, 9, 0)));
            let mut context = Context::from_waker(Waker::noop());
            for _step in 0..steps {
                assert!(call.as_mut().poll(&mut context).is_pending());
            }
        }
        let memory = guest
            .instance
            .get_memory(&mut guest.store, "memory")
            .unwrap();
        assert_eq!(memory.data_size(&guest.store), (1 + steps) * PAGE);
        assert_eq!(memories.arenas().statistics().live_memories, 1);
        drop(guest);
        assert_eq!(memories.arenas().statistics().live_memories, 0);
    }
    // What they left is seen by nobody.
    let mut guest = Guest::new(&engine, &module);
    let memory = guest
        .instance
        .get_memory(&mut guest.store, "memory")
        .unwrap();
    memory.grow(&mut guest.store, 5).unwrap();
    assert!(memory.data(&guest.store).iter().all(|&byte| byte == 0));
}

fn a_trap_after_a_pause<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let module = Module::new(&engine, TURNS).unwrap();
    let mut guest = Guest::new(&engine, &module);
    for rounds in 1..4 {
        let (result, pauses) = finish(guest.run.call_async(&mut guest.store, (7, rounds, 1)));
        let error = result.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
        assert_eq!(pauses, usize::try_from(rounds).unwrap());
    }
    let (result, _) = finish(guest.run.call_async(&mut guest.store, (7, 1, 0)));
    assert_eq!(result.unwrap(), 9 * 64 * 7 - 64 * 7);
    drop(guest);
    assert_eq!(memories.arenas().statistics().live_memories, 0);
}
