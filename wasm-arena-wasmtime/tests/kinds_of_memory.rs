//! Every kind of memory Wasmtime knows, over both systems and with both strategies: several in a
//! module, 64-bit ones, ones with pages of a byte, empty ones, garbage-collected heaps, shared ones.

mod common;

use std::sync::Arc;

use common::edges::{accesses, try_edges};
use common::{Guest, Make, PAGE, memories};
use wasm_arena::ArenaSystem;
use wasm_arena_wasmtime::Strategy;
use wasmtime::{Instance, Memory, MemoryType, Module, SharedMemory, Store, Trap};

everywhere!(
    sixty_four_bit_memories,
    pages_of_one_byte,
    several_memories_are_apart,
    tables_work_beside,
    garbage_collected_heaps,
    shared_memories_of_modules,
    memories_made_by_the_host_are_elsewhere,
    an_empty_memory,
);

fn sixty_four_bit_memories<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let offsets = [0, 4096, 65_536, 0xffff_ffff];
    let text = accesses(
        r#"(memory (export "memory") i64 1 1000000)"#,
        "i64",
        &offsets,
    );
    let mut guest = Guest::from_text(&engine, &text);
    for more in [0, 1, 5] {
        let memory = guest.memory();
        memory.grow(&mut guest.store, more).unwrap();
        try_edges(&mut guest, &offsets, u64::MAX, |start| start);
    }
    assert!(memories.records()[0].is_64);
    let memory = guest.memory();
    assert!(memory.grow(&mut guest.store, u64::MAX).is_err());
    assert_eq!(memory.size(&guest.store), 7);
}

fn pages_of_one_byte<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let offsets = [0, 1, 100, 4096, 0xffff_ffff];
    let memory = r#"(memory (export "memory") 100 70000 (pagesize 1))"#;
    let mut guest = Guest::from_text(&engine, &accesses(memory, "i32", &offsets));
    for more in [0, 1, 3994, 1, 1, 65_000] {
        let memory = guest.memory();
        memory.grow(&mut guest.store, more).unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "starts are at most u32::MAX"
        )]
        try_edges(&mut guest, &offsets, u64::from(u32::MAX), |start| {
            start as u32
        });
    }
    let memory = guest.memory();
    assert_eq!(memory.size(&guest.store), 69_097);
    assert!(memory.grow(&mut guest.store, 904).is_err());
    memory.grow(&mut guest.store, 903).unwrap();
    let record = memories.records()[0];
    assert_eq!(
        (record.page_size, record.statistics.current_bytes),
        (1, 70_000)
    );
}

fn several_memories_are_apart<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let mut guest = Guest::from_text(
        &engine,
        r#"(module
            (memory $a (export "memory") 1 4)
            (memory $b 1 4)
            (memory $c i64 1 4)
            (func (export "run") (result i32)
                (memory.fill $a (i32.const 0) (i32.const 1) (i32.const 65536))
                (memory.fill $b (i32.const 0) (i32.const 2) (i32.const 65536))
                (drop (memory.grow $b (i32.const 3)))
                (memory.copy $a $b (i32.const 10) (i32.const 0) (i32.const 5))
                (i64.store $c (i64.const 65528) (i64.const -1))
                (i32.add (i32.load8_u $a (i32.const 14))
                    (i32.add (i32.load8_u $b (i32.const 65535))
                        (i32.load8_u $b (i32.const 65536)))))
            (func (export "stray") (param i32) (i32.store $b (local.get 0) (i32.const 9))))"#,
    );
    assert_eq!(guest.call::<_, i32>("run", ()).unwrap(), 4);
    assert_eq!(guest.trap("stray", 4 * 65_536 - 3), Trap::MemoryOutOfBounds);
    assert_eq!(&guest.data()[8..16], [1, 1, 2, 2, 2, 2, 2, 1]);
    let sizes: Vec<_> = memories
        .records()
        .iter()
        .map(|record| (record.statistics.current_bytes / PAGE, record.is_64))
        .collect();
    assert_eq!(sizes, [(1, false), (4, false), (1, true)]);
}

fn tables_work_beside<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let module = Module::new(
        &engine,
        r#"(module
            (memory (export "memory") 1)
            (type $unary (func (param i32) (result i32)))
            (table $t 10000 funcref)
            (elem (i32.const 9998) $load $grow)
            (func $load (param i32) (result i32) (i32.load8_u (local.get 0)))
            (func $grow (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "call") (param i32 i32) (result i32)
                (call_indirect $t (type $unary) (local.get 1) (local.get 0))))"#,
    )
    .unwrap();
    let mut guests: Vec<_> = (0..100).map(|_| Guest::new(&engine, &module)).collect();
    for guest in &mut guests {
        guest.data_mut()[7] = 77;
        assert_eq!(guest.call::<_, i32>("call", (9999, 2)).unwrap(), 1);
        assert_eq!(guest.call::<_, i32>("call", (9998, 7)).unwrap(), 77);
        assert_eq!(guest.trap("call", (9997, 7)), Trap::IndirectCallToNull);
        assert_eq!(guest.trap("call", (10_000, 7)), Trap::TableOutOfBounds);
        assert_eq!(
            guest.trap("call", (9998, 3 * 65_536)),
            Trap::MemoryOutOfBounds
        );
    }
    assert_eq!(memories.records().len(), 100);
}

fn garbage_collected_heaps<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    // A list of structs, all kept, then added up.
    let mut guest = Guest::from_text(
        &engine,
        r#"(module
            (type $node (struct (field $value i32) (field $next (ref null $node))))
            (func (export "sum") (param $count i32) (result i32)
                (local $list (ref null $node)) (local $sum i32)
                (loop $next
                    (local.set $list (struct.new $node (local.get $count) (local.get $list)))
                    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
                    (br_if $next (local.get $count)))
                (loop $more
                    (local.set $sum (i32.add (local.get $sum)
                        (struct.get $node $value (local.get $list))))
                    (local.set $list (struct.get $node $next (local.get $list)))
                    (br_if $more (i32.eqz (ref.is_null (local.get $list)))))
                (local.get $sum)))"#,
    );
    assert_eq!(guest.call::<_, i32>("sum", 60_000).unwrap(), 1_800_030_000);
    let records = memories.records();
    assert_eq!(records.len(), 1);
    assert!(records[0].is_live && records[0].statistics.peak_bytes >= 60_000 * 16);
    assert!(records[0].statistics.grows > 0);
    drop(guest);
    assert_eq!(memories.arenas().statistics().live_memories, 0);
}

fn shared_memories_of_modules<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let text = r#"(module
        (memory (export "memory") 1 40 shared)
        (func (export "count") (param i32)
            (loop $again
                (drop (i32.atomic.rmw.add (i32.const 65532) (i32.const 1)))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $again (local.get 0))))
        (func (export "load") (param i32) (result i32) (i32.atomic.load (local.get 0))))"#;
    let mut guest = Guest::from_text(&engine, text);
    let shared = guest
        .instance
        .get_shared_memory(&mut guest.store, "memory")
        .unwrap();
    let user = Module::new(
        &engine,
        text.replace(
            "(memory (export \"memory\")",
            "(memory (import \"\" \"memory\")",
        ),
    )
    .unwrap();
    std::thread::scope(|scope| {
        for _thread in 0..3 {
            scope.spawn(|| {
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &user, &[shared.clone().into()]).unwrap();
                let count = instance
                    .get_typed_func::<i32, ()>(&mut store, "count")
                    .unwrap();
                count.call(&mut store, 20_000).unwrap();
            });
        }
        for _growth in 1..40 {
            shared.grow(1).unwrap();
        }
    });
    assert!(shared.grow(1).is_err());
    assert_eq!(guest.call::<_, i32>("load", 65_532).unwrap(), 60_000);
    assert_eq!(guest.call::<_, i32>("load", 40 * 65_536 - 4).unwrap(), 0);
    assert_eq!(guest.trap("load", 40 * 65_536), Trap::MemoryOutOfBounds);
    let record = memories.records()[0];
    assert!(record.is_shared);
    assert_eq!(
        (record.statistics.moves, record.statistics.current_bytes),
        (0, 40 * PAGE)
    );
    drop((guest, shared));
    assert_eq!(memories.arenas().statistics().live_memories, 0);
}

fn memories_made_by_the_host_are_elsewhere<S: ArenaSystem + 'static>(
    make: Make<S>,
    strategy: Strategy,
) {
    let (memories, engine) = memories(make(), strategy);
    let mut store = Store::new(&engine, ());
    let text = r#"(module (memory (import "" "memory") 1 4)
        (func (export "store") (param i32) (i32.store (local.get 0) (i32.const 5))))"#;
    let module = Module::new(&engine, text).unwrap();
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(4))).unwrap();
    let shared = SharedMemory::new(&engine, MemoryType::shared(1, 4)).unwrap();
    // Wasmtime gives it the engine's reservation to grow into, and the bounded strategy has none.
    assert_eq!(shared.grow(1).is_ok(), strategy == Strategy::Reserved);
    let instance = Instance::new(&mut store, &module, &[memory.into()]).unwrap();
    let write = instance
        .get_typed_func::<u32, ()>(&mut store, "store")
        .unwrap();
    write.call(&mut store, 65_532).unwrap();
    for outside in [65_533, 65_536, 70_000, u32::MAX] {
        let error = write.call(&mut store, outside).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
    }
    assert_eq!(memories.records(), []);
    assert_eq!(memories.arenas().statistics().memories_allocated, 0);
}

fn an_empty_memory<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    for limits in ["0", "0 0", "0 2"] {
        let text = accesses(
            &format!(r#"(memory (export "memory") {limits})"#),
            "i32",
            &[0, 9],
        );
        let mut guest = Guest::from_text(&engine, &text);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "starts are at most u32::MAX"
        )]
        try_edges(&mut guest, &[0, 9], u64::from(u32::MAX), |start| {
            start as u32
        });
        let memory = guest.memory();
        assert_eq!(memory.grow(&mut guest.store, 1).is_ok(), limits != "0 0");
    }
    assert_eq!(memories.records().len(), 3);
    // Arenas outlive the engine's handle to them, and the other way round.
    let arenas = Arc::clone(memories.arenas());
    drop(memories);
    let guest = Guest::from_text(&engine, "(module (memory 1))");
    assert_eq!(arenas.statistics().live_memories, 1);
    drop(guest);
    assert_eq!(arenas.statistics().live_memories, 0);
}
