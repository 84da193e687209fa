//! Real guests on arena memory: they compute, grow, stray and end, over both systems and with both
//! strategies.

mod common;

use core::fmt::Write;
use std::sync::Arc;

use common::{Guest, Make, PAGE, memories};
use wasm_arena::ArenaSystem;
use wasm_arena_wasmtime::Strategy;
use wasmtime::{Instance, Memory, MemoryType, Module, SharedMemory, Store, Trap};

everywhere!(
    a_guest_computes_and_grows,
    every_edge_holds,
    recycled_regions_show_no_secrets,
    several_memories_are_apart,
    sixty_four_bit_memories,
    pages_of_one_byte,
    many_instances,
    tables_work_beside,
    bulk_operations_stop_at_the_end,
    data_segments_arrive,
    garbage_collected_heaps,
    shared_memories_of_modules,
    memories_made_by_the_host_are_elsewhere,
    an_empty_memory,
);

fn a_guest_computes_and_grows<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    // A sieve in a memory that grows to what it needs.
    let mut guest = Guest::from_text(
        &engine,
        r#"(module
            (memory (export "memory") 1 64)
            (func (export "primes") (param $below i32) (result i32)
                (local $i i32) (local $j i32) (local $count i32)
                (loop $more
                    (if (i32.lt_u (i32.mul (memory.size) (i32.const 65536)) (local.get $below))
                        (then
                            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1))
                                (then unreachable))
                            (br $more))))
                (local.set $i (i32.const 2))
                (loop $next
                    (if (i32.eqz (i32.load8_u (local.get $i)))
                        (then
                            (local.set $count (i32.add (local.get $count) (i32.const 1)))
                            (local.set $j (i32.mul (local.get $i) (i32.const 2)))
                            (block $done (loop $strike
                                (br_if $done (i32.ge_u (local.get $j) (local.get $below)))
                                (i32.store8 (local.get $j) (i32.const 1))
                                (local.set $j (i32.add (local.get $j) (local.get $i)))
                                (br $strike)))))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $i) (local.get $below))))
                (local.get $count)))"#,
    );
    assert_eq!(guest.call::<_, i32>("primes", 2_000_000).unwrap(), 148_933);
    let record = memories.records()[0];
    let numbers = record.statistics;
    assert!(record.is_live && !record.is_64 && !record.is_shared);
    assert_eq!(record.page_size, 65_536);
    assert_eq!(
        (numbers.initial_bytes, numbers.peak_bytes),
        (PAGE, 31 * PAGE)
    );
    assert_eq!(
        (numbers.grows, numbers.maximum_bytes),
        (30, Some(64 * PAGE))
    );
    match strategy {
        // Room of half as much again makes the moves few.
        Strategy::Bounded => assert!((1..=8).contains(&numbers.moves), "{}", numbers.moves),
        _ => assert_eq!((numbers.moves, numbers.capacity_bytes), (0, 1 << 32)),
    }
    drop(guest);
    let record = memories.records()[0];
    assert!(!record.is_live);
    assert_eq!(record.statistics, numbers);
    assert_eq!(memories.arenas().statistics().live_memories, 0);
}

const WIDTHS: [(u64, &str, &str); 4] = [
    (1, "i32.load8_u", "i32.store8"),
    (2, "i32.load16_u", "i32.store16"),
    (4, "i32.load", "i32.store"),
    (8, "i64.load", "i64.store"),
];

/// A module with a load and a store of every width at every constant offset.
fn accesses(memory: &str, index: &str, offsets: &[u64]) -> String {
    let mut text = format!("(module {memory}");
    for (width, load, store) in WIDTHS {
        let (get, put) = if width == 8 {
            ("i32.wrap_i64", "(i64.const -1)")
        } else {
            ("", "(i32.const -1)")
        };
        for offset in offsets {
            write!(
                text,
                r#"
                (func (export "load{width}+{offset}") (param {index}) (result i32)
                    ({load} offset={offset} (local.get 0)) {get})
                (func (export "store{width}+{offset}") (param {index}) (result i32)
                    ({store} offset={offset} (local.get 0) {put}) (i32.const 0))"#
            )
            .unwrap();
        }
    }
    text + ")"
}

/// Tries every access around every edge, and looks what became of the bytes.
fn try_edges<I>(guest: &mut Guest, offsets: &[u64], greatest: u64, index: impl Fn(u64) -> I)
where
    I: wasmtime::WasmParams + Copy,
{
    let size = guest.data().len() as u64;
    for (width, ..) in WIDTHS {
        for &offset in offsets {
            let mut starts = vec![0, 1 << 31, (1 << 32) - width, (1 << 32) - 1, greatest];
            for edge in [
                size,
                size + 4096,
                size + PAGE as u64,
                1 << 32,
                (1 << 32) + (32 << 20),
            ] {
                let first = edge.wrapping_sub(offset);
                starts.extend((0..=width + 1).map(|back| first.wrapping_sub(back)));
                starts.extend((1..=2).map(|ahead| first.wrapping_add(ahead)));
            }
            for start in starts.into_iter().filter(|&start| start <= greatest) {
                let end = start
                    .checked_add(offset)
                    .and_then(|at| at.checked_add(width));
                let inside = end.is_some_and(|end| end <= size);
                let (load, store) = (
                    format!("load{width}+{offset}"),
                    format!("store{width}+{offset}"),
                );
                if inside {
                    assert_eq!(guest.call::<I, i32>(&load, index(start)).unwrap(), 0);
                    guest.call::<I, i32>(&store, index(start)).unwrap();
                    let at = usize::try_from(start + offset).unwrap();
                    let written = &mut guest.data_mut()[at..][..usize::try_from(width).unwrap()];
                    assert!(written.iter().all(|&byte| byte == 0xff));
                    written.fill(0);
                } else {
                    for name in [load, store] {
                        let trap = guest.trap(&name, index(start));
                        assert_eq!(trap, Trap::MemoryOutOfBounds, "{name} at {start:#x}");
                    }
                }
            }
        }
    }
    assert!(guest.data().iter().all(|&byte| byte == 0));
}

fn every_edge_holds<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let offsets = [
        0,
        1,
        4095,
        65_535,
        65_536,
        0x7fff_ffff,
        0xffff_fff8,
        0xffff_ffff,
    ];
    let text = accesses(r#"(memory (export "memory") 2 9)"#, "i32", &offsets);
    let module = Module::new(&engine, text).unwrap();
    let mut before = Guest::new(&engine, &module);
    let mut guest = Guest::new(&engine, &module);
    let mut after = Guest::new(&engine, &module);
    for neighbour in [&mut before, &mut after] {
        neighbour.data_mut().fill(0x5a);
    }
    // In the room of the first region, at its end, and after a move.
    for more in [0, 1, 2, 4] {
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
    for neighbour in [&mut before, &mut after] {
        assert!(neighbour.data().iter().all(|&byte| byte == 0x5a));
    }
    let memory = guest.memory();
    assert!(memory.grow(&mut guest.store, 1).is_err());
    assert_eq!(memories.records()[1].statistics.current_bytes, 9 * PAGE);
}

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

fn recycled_regions_show_no_secrets<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let module = Module::new(
        &engine,
        r#"(module
            (memory (export "memory") 1)
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "fill") (param i32)
                (memory.fill (i32.const 0) (i32.const 0xaa)
                    (i32.mul (memory.size) (i32.const 65536))))
            (func (export "dirt") (result i32)
                (local $at i32) (local $dirt i32)
                (loop $next
                    (local.set $dirt (i32.or (local.get $dirt) (i32.load (local.get $at))))
                    (local.set $at (i32.add (local.get $at) (i32.const 4)))
                    (br_if $next (i32.lt_u (local.get $at)
                        (i32.mul (memory.size) (i32.const 65536)))))
                (local.get $dirt)))"#,
    )
    .unwrap();
    for _guest in 0..6 {
        let mut guest = Guest::new(&engine, &module);
        assert_eq!(guest.call::<_, i32>("dirt", ()).unwrap(), 0);
        for more in [1, 1, 7, 30] {
            assert!(guest.call::<_, i32>("grow", more).unwrap() > 0);
        }
        // One page was written before: what growth added is what must be clean.
        assert_eq!(guest.call::<_, i32>("dirt", ()).unwrap(), 0);
        guest.call::<_, ()>("fill", 0).unwrap();
        assert_ne!(guest.call::<_, i32>("dirt", ()).unwrap(), 0);
        assert!(guest.data().iter().all(|&byte| byte == 0xaa));
    }
    assert!(memories.arenas().statistics().cache_hits >= 5);
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

fn many_instances<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let module = Module::new(
        &engine,
        r#"(module (memory (export "memory") 1 2)
            (func (export "set") (param i32) (i32.store (i32.const 65532) (local.get 0))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let in_one: Vec<_> = (0..500)
        .map(|_| Instance::new(&mut store, &module, &[]).unwrap())
        .collect();
    let mut across: Vec<_> = (0..500).map(|_| Guest::new(&engine, &module)).collect();
    for (number, instance) in (0..).zip(&in_one) {
        let set = instance
            .get_typed_func::<i32, ()>(&mut store, "set")
            .unwrap();
        set.call(&mut store, number).unwrap();
    }
    for (number, guest) in (1000..).zip(&mut across) {
        guest.call::<i32, ()>("set", number).unwrap();
    }
    for (number, instance) in (0_i32..).zip(&in_one) {
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        assert_eq!(memory.data(&store)[65_532..], number.to_le_bytes());
    }
    for (number, guest) in (1000_i32..).zip(&mut across) {
        assert_eq!(guest.data()[65_532..], number.to_le_bytes());
    }
    assert_eq!(memories.arenas().statistics().live_memories, 1000);
    drop((store, across));
    assert_eq!(memories.arenas().statistics().live_memories, 0);
    assert_eq!(memories.records().len(), 1000);
    assert!(memories.records().iter().all(|record| !record.is_live));
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

fn bulk_operations_stop_at_the_end<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (_memories, engine) = memories(make(), strategy);
    let mut guest = Guest::from_text(
        &engine,
        r#"(module
            (memory (export "memory") 1 3)
            (data $words "sixteen bytes ..")
            (func (export "fill") (param i32 i32)
                (memory.fill (local.get 0) (i32.const 7) (local.get 1)))
            (func (export "copy") (param i32 i32 i32)
                (memory.copy (local.get 0) (local.get 1) (local.get 2)))
            (func (export "init") (param i32 i32)
                (memory.init $words (local.get 0) (i32.const 0) (local.get 1))))"#,
    );
    for size in [PAGE, 3 * PAGE] {
        let end = i32::try_from(size).unwrap();
        guest.call::<_, ()>("fill", (end - 10, 10)).unwrap();
        guest.call::<_, ()>("fill", (end, 0)).unwrap();
        guest.call::<_, ()>("init", (end - 16, 16)).unwrap();
        guest.call::<_, ()>("copy", (0, end - 16, 16)).unwrap();
        assert_eq!(&guest.data()[..16], b"sixteen bytes ..");
        let contents = guest.data().to_vec();
        for (to, len) in [(end - 10, 11), (end, 1), (0, -1), (-1, 1), (end + 1, 0)] {
            assert_eq!(guest.trap("fill", (to, len)), Trap::MemoryOutOfBounds);
            assert_eq!(guest.trap("copy", (to, 0, len)), Trap::MemoryOutOfBounds);
            assert_eq!(guest.trap("copy", (0, to, len)), Trap::MemoryOutOfBounds);
        }
        assert_eq!(guest.trap("init", (end - 15, 16)), Trap::MemoryOutOfBounds);
        assert_eq!(guest.data(), contents);
        let memory = guest.memory();
        let _at_the_maximum_in_the_second_round = memory.grow(&mut guest.store, 2);
    }
}

fn data_segments_arrive<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let module = Module::new(
        &engine,
        r#"(module (memory (export "memory") 2 2)
            (data (i32.const 0) "first")
            (data (i32.const 65530) "across the page")
            (data (i32.const 131068) "last"))"#,
    )
    .unwrap();
    for _guest in 0..3 {
        let mut guest = Guest::new(&engine, &module);
        assert_eq!(&guest.data()[..6], b"first\0");
        assert_eq!(&guest.data()[65_530..65_545], b"across the page");
        assert_eq!(&guest.data()[131_068..], b"last");
        guest.data_mut().fill(0xee);
    }
    let outside = r#"(module (memory 1) (data (i32.const 65533) "four"))"#;
    let outside = Module::new(&engine, outside).unwrap();
    let error = Guest::try_new(&engine, &outside).err().unwrap();
    assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
    assert_eq!(memories.arenas().statistics().live_memories, 0);
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
