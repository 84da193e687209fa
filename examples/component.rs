//! A component whose memories come from arenas: `cargo run -p wasm-arena-wasmtime --example component`.
//!
//! Nothing about it is special: the engine is made as for modules, and whatever memory a core
//! instance inside the component defines comes from the arenas, within the budget, and is accounted
//! for.

use std::sync::Arc;

use wasm_arena::{MemoryBudget, MemoryOptions, QnxArenaAllocatorBuilder};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Store};

static COMPONENTS: MemoryBudget = MemoryBudget::new("components", 4 << 20);

/// Keeps samples in a memory that grows as they come, and gives their mean.
const MEAN: &str = r#"(component
    (core module $module
        (memory (export "memory") 1 32)
        (global $count (mut i32) (i32.const 0))
        (func (export "add") (param $sample f64)
            (if (i32.ge_u (i32.mul (global.get $count) (i32.const 8))
                    (i32.mul (memory.size) (i32.const 65536)))
                (then (drop (memory.grow (i32.const 1)))))
            (f64.store (i32.mul (global.get $count) (i32.const 8)) (local.get $sample))
            (global.set $count (i32.add (global.get $count) (i32.const 1))))
        (func (export "mean") (result f64)
            (local $at i32) (local $sum f64)
            (loop $next
                (local.set $sum (f64.add (local.get $sum)
                    (f64.load (i32.mul (local.get $at) (i32.const 8)))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $at) (global.get $count))))
            (f64.div (local.get $sum) (f64.convert_i32_u (global.get $count)))))
    (core instance $instance (instantiate $module))
    (func (export "add") (param "sample" f64) (canon lift (core func $instance "add")))
    (func (export "mean") (result f64) (canon lift (core func $instance "mean"))))"#;

fn main() -> wasmtime::Result<()> {
    let arenas = Arc::new(QnxArenaAllocatorBuilder::new().build_arenas()?);
    let mut options = MemoryOptions::default();
    options.budget = Some((&COMPONENTS).into());
    let memories = ArenaMemories::new(Arc::clone(&arenas), Strategy::Bounded)
        .with_memory_options(options)?
        .with_records();
    let engine = memories.engine(Config::new())?;

    let component = Component::new(&engine, MEAN)?;
    for sensor in 0..3_u32 {
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate(&mut store, &component)?;
        let add = instance.get_typed_func::<(f64,), ()>(&mut store, "add")?;
        let mean = instance.get_typed_func::<(), (f64,)>(&mut store, "mean")?;
        for sample in 0..20_000 * (sensor + 1) {
            add.call(&mut store, (f64::from(sample % 101),))?;
        }
        let (mean,) = mean.call(&mut store, ())?;
        println!("sensor {sensor}: mean {mean:.2}");
    }

    for record in memories.records() {
        let numbers = record.statistics;
        println!(
            "memory {}: {} KiB at first, {} KiB at last, {} growths, {} of them moved it, region {}",
            record.id,
            numbers.initial_bytes >> 10,
            numbers.peak_bytes >> 10,
            numbers.grows,
            numbers.moves,
            if numbers.from_cache {
                "reused"
            } else {
                "fresh"
            },
        );
    }
    assert_eq!(arenas.statistics().live_memories, 0);
    println!(
        "budget: {} KiB of {} KiB at most, {} now",
        COMPONENTS.peak() >> 10,
        COMPONENTS.limit() >> 10,
        COMPONENTS.used()
    );
    Ok(())
}

#[test]
fn it_runs() -> wasmtime::Result<()> {
    main()
}
