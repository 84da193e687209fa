//! A cyclic task whose memory is under checksums while it sleeps:
//! `cargo run -p wasm-arena-wasmtime --example guarded_task`.
//!
//! ```text
//!   cycle   │ verify │ call │ seal │ scrub, as far as the time allows │ sleep ...
//! ```
//!
//! The program plays the part of a failing memory chip itself.

use std::sync::Arc;

use wasm_arena::{QnxArenaAllocatorBuilder, VerificationLevel};
use wasm_arena_wasmtime::{ArenaMemories, GuardError, MemoryGuard, Strategy};
use wasmtime::{Config, Instance, Module, Store};

/// Filters a signal: a state of 256 KiB that lives from cycle to cycle.
const FILTER: &str = r#"(module
    (memory (export "memory") 4)
    (global $at (mut i32) (i32.const 0))
    (func (export "step") (param $input i32) (result i32)
        (i32.store (global.get $at)
            (i32.add (i32.load (global.get $at)) (local.get $input)))
        (global.set $at (i32.and
            (i32.add (global.get $at) (i32.const 4)) (i32.const 0x3ffff)))
        (i32.load (global.get $at))))"#;

fn main() -> wasmtime::Result<()> {
    let arenas = Arc::new(QnxArenaAllocatorBuilder::new().build_arenas()?);
    let engine = ArenaMemories::new(arenas, Strategy::Bounded).engine(Config::new())?;
    let module = Module::new(&engine, FILTER)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let step = instance.get_typed_func::<i32, i32>(&mut store, "step")?;
    let memory = instance.get_memory(&mut store, "memory").unwrap();

    // At `Full`, the second copy is compared as well; what is damaged is put right from the other.
    let mut guard = MemoryGuard::new(memory)
        .with_verification_level(VerificationLevel::Full)
        .with_mirror();
    guard.reserve(memory.data_size(&store))?;
    for cycle in 0..8 {
        guard.call(&mut store, |store| step.call(store, cycle))?;
        if cycle == 3 {
            // In a block that is scrubbed in this cycle; otherwise the next call would repair it.
            memory.data_mut(&mut store)[200_000] ^= 0x08;
        }
        let report = guard.scrub(&mut store, 16)?;
        if let Some(damage) = report.first_damage {
            println!("cycle {cycle}: {damage}");
        }
    }
    let numbers = guard.statistics();
    assert_eq!((numbers.damages, numbers.repairs), (1, 1));
    println!(
        "{} blocks of {} bytes: {} verified, {} damaged, {} repaired",
        guard.block_count(),
        guard.block_size(),
        numbers.blocks_verified,
        numbers.damages,
        numbers.repairs
    );

    // Without a second copy, damage keeps the guest from running.
    let mut guard = MemoryGuard::new(memory);
    guard.seal(&store)?;
    memory.data_mut(&mut store)[70_000] ^= 0x01;
    let refusal = guard
        .call(&mut store, |store| step.call(store, 0))
        .unwrap_err();
    assert!(refusal.is::<GuardError>());
    println!("not called: {refusal}");
    Ok(())
}

#[test]
fn it_runs() -> wasmtime::Result<()> {
    main()
}
