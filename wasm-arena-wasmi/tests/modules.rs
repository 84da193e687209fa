//! A module with memories of its own behaves the same on wasmi's memory and on ours.

mod common;

use std::sync::Arc;

use wasm_arena::{ArenaSystem, GrowthRoom};
use wasm_arena_wasmi::{ArenaMemories, ArenaModule, ImportError};
use wasmi::{AsContextMut, ExternType, Func, Linker, Module, Val, ValType};

use common::{Make, Ours, PAGE, Stock, engine, options, wasm};

everywhere! {
    modules_behave_as_on_stock_memory,
    instances_share_what_they_export,
    what_cannot_be_turned_into_an_import_is_named,
}

/// Modules, each with a memory, and what is called in them one after the other.
const MODULES: [&str; 8] = [
    include_str!("../../examples/guests/memories.wat"),
    // Data segments, active and passive, bulk operations at the edges.
    r#"(module
        (memory (export "m") 1 3)
        (data (i32.const 65533) "end")
        (data $passive "passive")
        (func (export "init") (param i32) (memory.init $passive (local.get 0) (i32.const 0) (i32.const 7)))
        (func (export "drop") (data.drop $passive))
        (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
        (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "size") (result i32) (memory.size))
        (func (export "load") (param i32) (result i64) (i64.load (local.get 0)))
        (func (export "store") (param i32 i64) (i64.store (local.get 0) (local.get 1))))"#,
    // A start function that grows, and a global that it sets.
    r#"(module
        (memory 0 9)
        (global $was (mut i32) (i32.const -7))
        (func $start (global.set $was (memory.grow (i32.const 4))))
        (start $start)
        (func (export "was") (result i32) (global.get $was))
        (func (export "size") (result i32) (memory.size)))"#,
    // Data that does not fit: no instance.
    r#"(module (memory 1) (data (i32.const 65534) "too long"))"#,
    // A start function that traps: no instance.
    r#"(module (memory 1) (func $start (drop (i32.load (i32.const 65536)))) (start $start))"#,
    // Two memories, copies between them, one of them indexed with 64 bits.
    r#"(module
        (memory $a 1 2) (memory $b i64 1 2)
        (data (memory $a) (i32.const 0) "from a to b")
        (func (export "over") (param i64) (memory.copy $b $a (local.get 0) (i32.const 0) (i32.const 11)))
        (func (export "load") (param i64) (result i64) (i64.load $b (local.get 0)))
        (func (export "grow") (param i64) (result i64) (memory.grow $b (local.get 0))))"#,
    // A table, an indirect call, a memory nobody uses.
    r#"(module
        (type $t (func (param i32) (result i32)))
        (memory 3)
        (table 2 funcref)
        (elem (i32.const 0) $twice $thrice)
        (func $twice (type $t) (i32.mul (local.get 0) (i32.const 2)))
        (func $thrice (type $t) (i32.mul (local.get 0) (i32.const 3)))
        (func (export "call") (param i32 i32) (result i32)
            (call_indirect (type $t) (local.get 0) (local.get 1))))"#,
    // No maximum; grows far, then to where every memory ends.
    r#"(module
        (memory (export "m") 1)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "last") (result i32)
            (i32.load8_u (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1)))))"#,
];

/// Arguments that are tried at every call: edges of pages, of memories, of numbers.
const NUMBERS: [i64; 12] = [
    0,
    1,
    2,
    7,
    65_528,
    65_529,
    65_535,
    65_536,
    131_072,
    i32::MAX as i64,
    -1,
    0x1_0000_0000,
];

fn value(ty: ValType, number: i64) -> Val {
    match ty {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low half is a number too"
        )]
        ValType::I32 => Val::I32(number as i32),
        ValType::I64 => Val::I64(number),
        other => panic!("no number for {other:?}"),
    }
}

/// Calls a function, and tells what came of it as text.
fn outcome(store: &mut impl AsContextMut, function: Func, arguments: &[Val]) -> String {
    let ty = function.ty(&*store);
    let mut results: Vec<Val> = ty
        .results()
        .iter()
        .map(|ty| Val::default_for_ty(*ty))
        .collect();
    match function.call(store, arguments, &mut results) {
        Ok(()) => format!("{results:?}"),
        Err(error) => format!("trap: {error}"),
    }
}

fn modules_behave_as_on_stock_memory<S: ArenaSystem + 'static>(make: Make<S>) {
    let memories = ArenaMemories::new(make()).unwrap();
    for text in MODULES {
        let (ours, stock) = (Ours::try_new(&memories, text), Stock::new(text));
        let (mut ours, mut stock) = match (ours, stock) {
            (Ok(ours), Ok(stock)) => (ours, stock),
            (Err(ours), Err(stock)) => {
                assert_eq!(ours.to_string(), stock.to_string());
                continue;
            }
            (ours, stock) => panic!("{:?} against {:?}: {text}", ours.err(), stock.err()),
        };
        let names: Vec<String> = ours
            .instance
            .exports(&ours.store)
            .map(|export| export.name().to_owned())
            .collect();
        let mut calls = 0;
        // It adds up every byte, which takes its time.
        let steps = if text.contains("fill_grow_sum") {
            3
        } else {
            NUMBERS.len()
        };
        // Numbers in the outer loop, so that the functions' effects meet.
        for (step, first) in NUMBERS.into_iter().enumerate().take(steps) {
            for name in &names {
                let export = ours.instance.get_func(&ours.store, name);
                let (Some(our_function), Some(its_function)) =
                    (export, stock.instance.get_func(&stock.store, name))
                else {
                    continue;
                };
                let arguments: Vec<Val> = our_function
                    .ty(&ours.store)
                    .params()
                    .iter()
                    .zip(0..)
                    .map(|(ty, place)| value(*ty, [first, NUMBERS[(step + 5) % 12], 9][place]))
                    .collect();
                assert_eq!(
                    outcome(&mut ours.store, our_function, &arguments),
                    outcome(&mut stock.store, its_function, &arguments),
                    "{name}{arguments:?}: {text}"
                );
                calls += 1;
            }
        }
        for name in &names {
            let memory = ours.instance.get_memory(&ours.store, name);
            assert_eq!(
                memory.map(|memory| memory.data(&ours.store).to_vec()),
                stock
                    .instance
                    .get_memory(&stock.store, name)
                    .map(|memory| memory.data(&stock.store).to_vec()),
                "{name}: {text}"
            );
        }
        assert!(calls > 0, "{text}");
    }
}

fn instances_share_what_they_export<S: ArenaSystem + 'static>(make: Make<S>) {
    let arenas = make();
    let memories = ArenaMemories::new(Arc::clone(&arenas))
        .unwrap()
        .with_memory_options(options(|o| o.growth_room = GrowthRoom::Bytes(4 * PAGE)))
        .unwrap();
    let engine = engine();
    let compile = |text: &str| ArenaModule::new(&engine, &wasm(text)).unwrap();
    let owner = compile(r#"(module (memory (export "m") 1) (data (i32.const 3) "\2a"))"#);
    let user = compile(
        r#"(module
            (import "owner" "m" (memory $theirs 1))
            (memory $mine 1 2)
            (data (memory $mine) (i32.const 3) "\07")
            (func (export "sum") (result i32)
                (drop (memory.grow $theirs (i32.const 2)))
                (i32.add (memory.size $theirs)
                    (i32.add (i32.load8_u $theirs (i32.const 3)) (i32.load8_u $mine (i32.const 3))))))"#,
    );
    assert_eq!((owner.own_memories(), user.own_memories()), (1, 1));
    let mut store = memories.store(&engine, ());
    let mut linker = Linker::new(&engine);
    let first = store.instantiate(&linker, &owner).unwrap();
    linker.instance(&mut store, "owner", first).unwrap();
    for size in [3, 5] {
        let instance = store.instantiate(&linker, &user).unwrap();
        let sum = instance.get_typed_func::<(), i32>(&store, "sum").unwrap();
        assert_eq!(sum.call(&mut store, ()).unwrap(), size + 42 + 7);
    }
    assert_eq!(store.memories().len(), 3);
    assert_eq!(arenas.statistics().live_memories, 3);
    assert_eq!(store.records()[0].statistics.grows, 2);
}

fn what_cannot_be_turned_into_an_import_is_named<S: ArenaSystem + 'static>(make: Make<S>) {
    let engine = engine();
    let taken = r#"(module (import "wasm-arena" "0" (memory 1)) (memory 1))"#;
    let refusal = ArenaModule::new(&engine, &wasm(taken)).unwrap_err();
    assert_eq!(
        refusal.downcast_ref(),
        Some(&ImportError::NamespaceTaken),
        "{refusal}"
    );
    // Imports keep their types, so that nothing unsuitable is linked.
    let module = ArenaModule::new(&engine, &wasm("(module (memory 2 5))")).unwrap();
    let import = module.module().imports().next().unwrap();
    assert!(matches!(import.ty(), ExternType::Memory(ty)
        if (ty.minimum(), ty.maximum()) == (2, Some(5))));
    let memories = ArenaMemories::new(make()).unwrap();
    let mut store = memories.store(&engine, ());
    let linker: Linker<wasm_arena_wasmi::Guest<()>> = Linker::new(&engine);
    // As any module with imports, it needs them.
    assert!(
        linker
            .instantiate_and_start(&mut store, module.module())
            .is_err()
    );
    store.instantiate(&linker, &module).unwrap();
}

#[test]
fn what_wasmi_refuses_is_refused_in_its_words() {
    let engine = engine();
    let refused: [&[u8]; 5] = [
        // A maximum that takes six bytes: a later version of the format than wasmi's has those.
        b"\0asm\x01\0\0\0\x05\x09\x01\x01\x00\x82\x80\x80\x80\x80\x00",
        b"\0asm\x01\0\0\0\x05\x03\x01",
        &wasm("(module (memory 1 1 shared))"),
        // Offsets are those of this module.
        &wasm("(module (memory 1) (func (result i32)))"),
        &wasm("(module (memory 1) (memory 2 1))"),
    ];
    for bytes in refused {
        let expected = Module::new(&engine, bytes).unwrap_err().to_string();
        let found = ArenaModule::new(&engine, bytes).unwrap_err().to_string();
        assert_eq!(found, expected);
    }
}
