//! Real guests on arena memory: they compute, grow, stray and end, over both systems and with both
//! strategies.

mod common;

use common::edges::{accesses, try_edges};
use common::{Guest, Make, PAGE, memories};
use wasm_arena::ArenaSystem;
use wasm_arena_wasmtime::Strategy;
use wasmtime::{Instance, Module, Store, Trap};

everywhere!(
    a_guest_computes_and_grows,
    every_edge_holds,
    recycled_regions_show_no_secrets,
    many_instances,
    bulk_operations_stop_at_the_end,
    data_segments_arrive,
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
