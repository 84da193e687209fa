//! Guards that work by themselves at every call.
#![cfg(feature = "call-hook")]

mod common;

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};

use common::pauses::{Pause, finish};
use common::{config, portable};
use wasm_arena_wasmtime::{
    ArenaMemories, GuardError, GuardedCallError, GuardedCalls, MemoryGuard, Strategy,
};
use wasmtime::{Func, Instance, Memory, Module, Store, Trap, TypedFunc};

struct Host {
    memory: Option<Memory>,
    inner: Option<TypedFunc<(), ()>>,
}

struct Rig {
    store: Store<Host>,
    instance: Instance,
    memories: [Memory; 2],
    guards: GuardedCalls,
}

/// A guest with two memories that calls the host, which writes into one of them and calls it back.
fn rig() -> Rig {
    let engine = ArenaMemories::new(portable(), Strategy::Reserved)
        .engine(config())
        .unwrap();
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "call" (func $host))
            (memory (export "memory") 1 4)
            (memory (export "second") 1)
            (func (export "outer") (result i32)
                (i32.store (i32.const 0) (i32.const 1))
                (call $host)
                (drop (memory.grow (i32.const 1)))
                (i32.add (i32.load8_u (i32.const 8)) (i32.load (i32.const 4))))
            (func (export "inner") (i32.store (i32.const 4) (i32.const 40)))
            (func (export "trap") (i32.store (i32.const 12) (i32.const 3)) unreachable))"#,
    )
    .unwrap();
    let mut store = Store::new(
        &engine,
        Host {
            memory: None,
            inner: None,
        },
    );
    let host = Func::wrap(
        &mut store,
        |mut caller: wasmtime::Caller<'_, Host>| -> wasmtime::Result<()> {
            let memory = caller.data().memory.expect("given below");
            memory.write(&mut caller, 8, &[2])?;
            let inner = caller.data().inner.clone().expect("given below");
            inner.call(&mut caller, ())
        },
    );
    let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
    let memories = ["memory", "second"].map(|name| instance.get_memory(&mut store, name).unwrap());
    store.data_mut().memory = Some(memories[0]);
    store.data_mut().inner = Some(instance.get_typed_func(&mut store, "inner").unwrap());
    let guards = memories.map(MemoryGuard::new).into();
    let guards = GuardedCalls::install(&mut store, guards).unwrap();
    Rig {
        store,
        instance,
        memories,
        guards,
    }
}

impl Rig {
    fn call(&mut self, name: &str) -> wasmtime::Result<()> {
        let function = self.instance.get_func(&mut self.store, name).unwrap();
        let mut results = vec![wasmtime::Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &[], &mut results)
    }

    fn refused(&mut self, name: &str) -> (usize, GuardError) {
        let error = self.call(name).unwrap_err();
        let GuardedCallError { guard, error } = *error.downcast_ref().expect("refused by a guard");
        (guard, error)
    }
}

#[test]
fn what_runs_in_between_is_no_damage() {
    let mut rig = rig();
    // Growth, the host's writes in a host function, and the call from there back into the guest.
    for _call in 0..3 {
        rig.call("outer").unwrap();
        rig.call("inner").unwrap();
    }
    let trap = rig.call("trap").unwrap_err();
    assert_eq!(trap.downcast_ref(), Some(&Trap::UnreachableCodeReached));
    rig.call("outer").unwrap();
    let numbers = rig.guards.with(|guards| guards[0].statistics());
    assert_eq!((numbers.seals, numbers.verifications), (9, 8));
    assert_eq!(numbers.damages, 0);
}

#[test]
fn damage_keeps_every_guest_of_the_store_from_running_until_it_is_dealt_with() {
    let mut rig = rig();
    rig.call("outer").unwrap();
    rig.memories[1].data_mut(&mut rig.store)[5000] ^= 1;
    for _try in 0..2 {
        let (guard, error) = rig.refused("outer");
        assert_eq!(guard, 1);
        assert!(error.to_string().contains("block 1 "), "{error}");
    }
    rig.guards
        .with(|guards| guards[1].reseal(&rig.store, 5000..5001))
        .unwrap();
    rig.call("outer").unwrap();
    // Growth by the host is told too.
    rig.memories[0].grow(&mut rig.store, 1).unwrap();
    let (guard, error) = rig.refused("outer");
    assert_eq!(guard, 0);
    for size in ["196608", "262144"] {
        assert!(error.to_string().contains(size), "{error}");
    }
    rig.guards
        .with(|guards| guards[0].seal(&rig.store))
        .unwrap();
    rig.call("outer").unwrap();
    // Guards can go.
    rig.memories[1].data_mut(&mut rig.store)[5000] ^= 1;
    rig.guards.with(|guards| guards.truncate(1));
    rig.call("outer").unwrap();
}

#[test]
fn suspended_calls_are_left_alone_and_given_up_ones_are_sealed() {
    let engine = ArenaMemories::new(portable(), Strategy::Bounded)
        .engine(config())
        .unwrap();
    let module = Module::new(
        &engine,
        r#"(module (import "host" "pause" (func $pause))
            (memory (export "memory") 1)
            (func (export "run")
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
                (call $pause)
                (i32.store (i32.const 4) (i32.const -1))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let pause = Func::wrap_async(&mut store, |_: wasmtime::Caller<'_, ()>, ()| {
        Box::new(Pause::default())
    });
    let instance = finish(Instance::new_async(&mut store, &module, &[pause.into()]));
    let instance = instance.0.unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let run = instance
        .get_typed_func::<(), ()>(&mut store, "run")
        .unwrap();
    let guards = GuardedCalls::install(&mut store, vec![MemoryGuard::new(memory)]).unwrap();
    for round in 1..4 {
        finish(run.call_async(&mut store, ())).0.unwrap();
        {
            let mut call = pin!(run.call_async(&mut store, ()));
            let mut context = Context::from_waker(Waker::noop());
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        // What it did before it was given up is no damage, and what happens now is.
        assert_eq!(memory.data(&store)[0], 2 * round);
        memory.data_mut(&mut store)[60_000] ^= 2;
        let error = finish(run.call_async(&mut store, ())).0.unwrap_err();
        assert!(error.is::<GuardedCallError>(), "{error:#}");
        assert_eq!(memory.data(&store)[0], 2 * round, "it did not run");
        guards
            .with(|guards| guards[0].reseal(&store, 60_000..60_001))
            .unwrap();
    }
    let numbers = guards.with(|guards| guards[0].statistics());
    assert_eq!((numbers.seals, numbers.damages), (7, 3));
}
