//! Memories of a store: made, grown, refused, and given back when the store is gone, never before.

mod common;

use std::sync::Arc;

use wasm_arena::{
    AllocError, Allocator, ArenaSystem, Arenas, GrowthRoom, GuardSize, MemoryBudget, MemoryOptions,
    VerificationLevel,
};
use wasm_arena_wasmi::{ArenaMemories, ArenaModule, Guest, MemoryError};
use wasmi::{Linker, Memory, MemoryType, Module, StoreLimitsBuilder};

use common::{Make, Ours, PAGE, engine, options, wasm};

everywhere! {
    memories_come_from_the_arenas_and_go_back_with_the_store,
    growth_ends_at_the_room_without_a_panic,
    growth_ends_at_the_budget_and_says_why,
    grown_bytes_are_zero_and_old_ones_stay,
    memories_that_are_taken_for_each_other_leave_nothing_behind,
    a_growth_that_fails_half_way_is_undone,
    exchanged_data_does_not_exchange_memories,
    no_other_memory_gets_into_a_store,
    limits_of_the_store_hold,
    initial_sizes_are_refused_with_numbers,
    stores_end_in_any_order_and_on_any_thread,
    a_store_outlives_its_maker_and_a_panic,
    memory64_and_custom_pages,
    sealed_arenas_let_memories_grow,
    checks_reach_every_memory,
    records_stay,
}

/// [`PAGE`], as an argument of a guest.
const PAGE_I32: i32 = 65_536;

const GROW: &str = r#"(module
    (memory (export "memory") 1 8)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "store") (param i32) (result i32)
        (i32.store8 (local.get 0) (i32.const 0xA5)) (i32.const 0)))"#;

fn memories<S: ArenaSystem + 'static>(arenas: &Arc<Arenas<S>>) -> ArenaMemories<S> {
    ArenaMemories::new(Arc::clone(arenas))
        .unwrap()
        .with_records()
}

/// Takes regions of a shape until `count` came from the cache, and looks for bytes that are not
/// zero.
fn nothing_is_left<S: ArenaSystem>(arenas: &Arc<Arenas<S>>, capacity: usize, count: usize) {
    let held: Vec<_> = (0..count)
        .map(|_| {
            let options = options(|o| o.room_access = wasm_arena::RoomAccess::Open);
            let mut allocator = Allocator::new(Arc::clone(arenas), options).unwrap();
            let (base, _) = allocator
                .allocate_with_capacity(capacity, None, capacity)
                .unwrap();
            assert!(allocator.statistics().from_cache);
            // SAFETY: the data of a live memory, which nobody writes.
            let bytes = unsafe { core::slice::from_raw_parts(base.as_ptr(), capacity) };
            assert_eq!(bytes.iter().position(|byte| *byte != 0), None);
            allocator
        })
        .collect();
    drop(held);
}

fn memories_come_from_the_arenas_and_go_back_with_the_store<S: ArenaSystem + 'static>(
    make: Make<S>,
) {
    let arenas = make();
    let memories = memories(&arenas);
    let mut guest = Ours::new(&memories, GROW);
    let memory = guest.instance.get_memory(&guest.store, "memory").unwrap();
    let base = memory.data_ptr(&guest.store).addr();
    assert_eq!(arenas.statistics().live_memories, 1);
    assert!(
        matches!(arenas.describe_address(base), Ok(Some(_))),
        "not from the arenas"
    );
    assert_eq!(guest.call("grow", 7).unwrap(), 1);
    assert_eq!(memory.data_ptr(&guest.store).addr(), base, "it never moves");
    guest.call("store", 8 * PAGE_I32 - 1).unwrap();
    assert!(guest.call("load", 8 * PAGE_I32).is_err());
    let record = guest.store.records()[0];
    assert_eq!(record.statistics.current_bytes, 8 * PAGE);
    assert_eq!((record.statistics.grows, record.is_live), (1, true));
    drop(guest);
    assert_eq!(arenas.statistics().live_memories, 0);
    assert_eq!(arenas.statistics().unreturned.regions, 0);
    nothing_is_left(&arenas, 8 * PAGE, 1);
    assert!(!memories.records()[0].is_live);
}

fn growth_ends_at_the_room_without_a_panic<S: ArenaSystem + 'static>(make: Make<S>) {
    // wasmi itself would panic beyond the end of a memory that the host supplied.
    let no_maximum = GROW.replace(" 1 8)", " 1)");
    let arenas = make();
    let memories = memories(&arenas)
        .with_memory_options(options(|o| o.growth_room = GrowthRoom::Bytes(2 * PAGE)))
        .unwrap();
    let mut guest = Ours::new(&memories, &no_maximum);
    for more in [3, 4, 65_535, i32::MAX, -1] {
        assert_eq!(guest.call("grow", more).unwrap(), -1);
    }
    assert_eq!(guest.call("grow", 2).unwrap(), 1);
    assert_eq!(guest.call("grow", 1).unwrap(), -1);
    let record = guest.store.records()[0];
    assert_eq!(record.statistics.current_bytes, 3 * PAGE);
    assert_eq!(record.statistics.refused_grows, 4);
    assert_eq!(
        record.last_refusal,
        Some(AllocError::NoRoom {
            requested: 4 * PAGE,
            capacity: 3 * PAGE
        })
    );
    // The host is refused as the guest is.
    let memory = guest.store.memories()[0];
    assert!(memory.grow(&mut guest.store, 1).is_err());

    let capped = ArenaMemories::new(arenas)
        .unwrap()
        .with_maximum_bytes(5 * PAGE + 1);
    let mut guest = Ours::new(&capped, &no_maximum);
    assert_eq!(guest.call("grow", 5).unwrap(), -1);
    assert_eq!(guest.call("grow", 4).unwrap(), 1);
}

fn growth_ends_at_the_budget_and_says_why<S: ArenaSystem + 'static>(make: Make<S>) {
    let budget = Arc::new(MemoryBudget::new("guests", 3 * PAGE));
    let arenas = make();
    let memories = memories(&arenas)
        .with_memory_options(options(|o| o.budget = Some(Arc::clone(&budget).into())))
        .unwrap();
    let mut guest = Ours::new(&memories, GROW);
    assert_eq!(guest.call("grow", 2).unwrap(), 1);
    assert_eq!(guest.call("grow", 1).unwrap(), -1);
    assert_eq!(budget.used(), 3 * PAGE);
    let refusal = guest.store.records()[0].last_refusal.unwrap();
    assert!(refusal.to_string().contains("\"guests\""), "{refusal}");
    assert!(Ours::try_new(&memories, GROW).is_err());
    assert_eq!(arenas.statistics().live_memories, 1);
    drop(guest);
    assert_eq!(budget.used(), 0);
    Ours::new(&memories, GROW);
}

fn grown_bytes_are_zero_and_old_ones_stay<S: ArenaSystem + 'static>(make: Make<S>) {
    let arenas = make();
    let memories = memories(&arenas);
    for _ in 0..3 {
        let mut guest = Ours::new(&memories, GROW);
        guest.call("store", 5).unwrap();
        for pages in 1..8 {
            assert_eq!(guest.call("grow", 1).unwrap(), pages);
            let memory = guest.store.memories()[0];
            let data = memory.data_mut(&mut guest.store);
            let (old, new) = data.split_at_mut(pages as usize * PAGE);
            assert_eq!(old[5], 0xA5);
            assert!(new.iter().all(|byte| *byte == 0));
            new.fill(0xA5);
        }
    }
    assert!(arenas.statistics().cache_hits >= 2);
}

fn memories_that_are_taken_for_each_other_leave_nothing_behind<S: ArenaSystem + 'static>(
    make: Make<S>,
) {
    let text = r#"(module
        (memory $a (export "a") 1 16) (memory $b (export "b") 1 16) (memory $c (export "c") 1 16)
        (func (export "grow") (param i32) (result i32) (memory.grow $c (local.get 0)))
        (func (export "grow_b") (param i32) (result i32) (memory.grow $b (local.get 0))))"#;
    let budget = Arc::new(MemoryBudget::new("tight", 17 * PAGE));
    let arenas = make();
    let memories = memories(&arenas)
        .with_memory_options(options(|o| o.budget = Some(Arc::clone(&budget).into())))
        .unwrap();
    let mut guest = Ours::new(&memories, text);
    assert_eq!(guest.call("grow", 9).unwrap(), 1);
    assert_eq!(guest.call("grow_b", 2).unwrap(), 1);
    assert_eq!(guest.call("grow", 3).unwrap(), 10);
    // 1 + 3 + 13 pages, and not one more.
    assert_eq!(guest.call("grow", 1).unwrap(), -1);
    let sizes: Vec<usize> = guest
        .store
        .records()
        .iter()
        .map(|record| record.statistics.current_bytes / PAGE)
        .collect();
    assert_eq!(sizes, [1, 3, 13]);
    assert_eq!(budget.used(), 17 * PAGE);
    for memory in guest.store.memories().to_vec() {
        memory.data_mut(&mut guest.store).fill(0xA5);
    }
    drop(guest);
    assert_eq!(budget.used(), 0);
    nothing_is_left(&arenas, 16 * PAGE, 3);
}

fn a_growth_that_fails_half_way_is_undone<S: ArenaSystem + 'static>(make: Make<S>) {
    let mut config = wasmi::Config::default();
    config.consume_fuel(true);
    let engine = wasmi::Engine::new(&config);
    let module = ArenaModule::new(&engine, &wasm(GROW)).unwrap();
    let budget = Arc::new(MemoryBudget::new("fuel", 8 * PAGE));
    let memories = memories(&make())
        .with_memory_options(options(|o| o.budget = Some(Arc::clone(&budget).into())))
        .unwrap();
    let mut store = memories.store(&engine, ());
    store.set_fuel(1_000_000).unwrap();
    let instance = store.instantiate(&Linker::new(&engine), &module).unwrap();
    let grow = instance.get_typed_func::<i32, i32>(&store, "grow").unwrap();
    store.set_fuel(100).unwrap();
    assert!(grow.call(&mut store, 7).is_err(), "writing costs fuel");
    assert_eq!(store.records()[0].statistics.current_bytes, PAGE);
    store.set_fuel(1_000_000).unwrap();
    assert_eq!(grow.call(&mut store, 3).unwrap(), 1);
    assert_eq!(grow.call(&mut store, 4).unwrap(), 4);
    assert_eq!(budget.used(), 8 * PAGE);
    drop(store);
    assert_eq!(budget.used(), 0);
}

fn exchanged_data_does_not_exchange_memories<S: ArenaSystem + 'static>(make: Make<S>) {
    let arenas = make();
    let narrow = memories(&arenas).with_maximum_bytes(2 * PAGE);
    let wide = memories(&arenas).with_maximum_bytes(8 * PAGE);
    let engine = engine();
    let module = ArenaModule::new(&engine, &wasm(&GROW.replace(" 1 8)", " 1)"))).unwrap();
    let (mut one, mut other) = (narrow.store(&engine, 1), wide.store(&engine, 2));
    let linker: Linker<Guest<i32>> = Linker::new(&engine);
    let in_one = one.instantiate(&linker, &module).unwrap();
    let in_other = other.instantiate(&linker, &module).unwrap();
    {
        use wasmi::AsContextMut;
        let (mut a, mut b) = (one.as_context_mut(), other.as_context_mut());
        core::mem::swap(a.data_mut(), b.data_mut());
        // Contexts are references: exchanging them moves nothing.
        core::mem::swap(&mut a, &mut b);
    }
    assert_eq!((*one.data(), *other.data()), (2, 1));
    let grow = |instance: wasmi::Instance, store: &mut wasm_arena_wasmi::ArenaStore<i32>, by| {
        let grow = instance
            .get_typed_func::<i32, i32>(&*store, "grow")
            .unwrap();
        grow.call(store, by).unwrap()
    };
    assert_eq!(grow(in_one, &mut one, 2), -1);
    assert_eq!(grow(in_one, &mut one, 1), 1);
    assert_eq!(grow(in_other, &mut other, 7), 1);
    // Whole stores may be exchanged, and go on.
    core::mem::swap(&mut one, &mut other);
    assert_eq!(grow(in_one, &mut other, 1), -1);
    drop(one);
    assert_eq!(arenas.statistics().live_memories, 1);
    let memory = other.memories()[0];
    memory.data_mut(&mut other)[2 * PAGE - 1] = 1;
    drop(other);
    assert_eq!(arenas.statistics().live_memories, 0);
}

fn no_other_memory_gets_into_a_store<S: ArenaSystem + 'static>(make: Make<S>) {
    let arenas = make();
    let memories = memories(&arenas);
    let engine = engine();
    let mut store = memories.store(&engine, ());
    assert!(Memory::new(&mut store, MemoryType::new(1, None)).is_err());
    let module = Module::new(&engine, wasm(GROW)).unwrap();
    let linker = Linker::new(&engine);
    assert!(linker.instantiate_and_start(&mut store, &module).is_err());
    assert_eq!(arenas.statistics().live_memories, 0);
    // Neither after a memory of ours was made.
    store.new_memory(MemoryType::new(1, None)).unwrap();
    assert!(Memory::new(&mut store, MemoryType::new(1, None)).is_err());
    assert!(linker.instantiate_and_start(&mut store, &module).is_err());
}

fn limits_of_the_store_hold<S: ArenaSystem + 'static>(make: Make<S>) {
    let arenas = make();
    let memories = memories(&arenas);
    let engine = engine();
    let mut store = memories.store(&engine, ());
    store.set_limits(
        StoreLimitsBuilder::new()
            .memories(2)
            .memory_size(4 * PAGE)
            .trap_on_grow_failure(true)
            .build(),
    );
    let memory = store.new_memory(MemoryType::new(1, None)).unwrap();
    assert!(store.new_memory(MemoryType::new(5, None)).is_err());
    assert_eq!(
        arenas.statistics().live_memories,
        1,
        "nothing is left behind"
    );
    memory.grow(&mut store, 3).unwrap();
    assert!(memory.grow(&mut store, 1).is_err());
    store.new_memory(MemoryType::new(1, None)).unwrap();
    let refusal = store.new_memory(MemoryType::new(1, None)).unwrap_err();
    assert_eq!(
        refusal.downcast_ref(),
        Some(&MemoryError::TooManyMemories { limit: 2 })
    );
}

fn initial_sizes_are_refused_with_numbers<S: ArenaSystem + 'static>(make: Make<S>) {
    let arenas = make();
    let memories = memories(&arenas).with_maximum_bytes(PAGE);
    let mut store = memories.store(&engine(), ());
    let refusal = store.new_memory(MemoryType::new(2, None)).unwrap_err();
    assert_eq!(
        refusal.downcast_ref(),
        Some(&MemoryError::BeyondHostMaximum {
            requested: 2 * PAGE as u128,
            maximum: PAGE
        })
    );
    assert!(refusal.to_string().contains("131072"), "{refusal}");
    // No address space is that large.
    let memories = ArenaMemories::new(arenas).unwrap();
    let mut store = memories.store(&engine(), ());
    for pages in [1 << 31, 1 << 47, 1 << 48] {
        assert!(store.new_memory(MemoryType::new64(pages, None)).is_err());
    }
    let empty = store.new_memory(MemoryType::new(0, Some(0))).unwrap();
    assert_eq!(empty.data_size(&store), 0);
    assert!(empty.grow(&mut store, 1).is_err());
}

fn stores_end_in_any_order_and_on_any_thread<S: ArenaSystem + 'static>(make: Make<S>) {
    let arenas = make();
    let memories = memories(&arenas);
    let mut guests: Vec<Ours> = (0..4).map(|_| Ours::new(&memories, GROW)).collect();
    for index in [2, 0, 1, 0] {
        let mut guest = guests.remove(index);
        std::thread::spawn(move || {
            guest.call("grow", 7).unwrap();
            guest.call("store", 8 * PAGE_I32 - 1).unwrap();
        })
        .join()
        .unwrap();
        for other in &mut guests {
            assert_eq!(other.call("load", 1).unwrap(), 0);
        }
        assert_eq!(arenas.statistics().live_memories, guests.len());
    }
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut guest = Ours::new(&memories, GROW);
                    assert_eq!(guest.call("load", 77).unwrap(), 0);
                    guest.call("grow", 1).unwrap();
                    assert_eq!(guest.call("load", PAGE_I32 + 77).unwrap(), 0);
                    guest.call("store", 77).unwrap();
                    guest.call("store", PAGE_I32 + 77).unwrap();
                }
            });
        }
    });
    assert_eq!(arenas.statistics().live_memories, 0);
}

fn a_store_outlives_its_maker_and_a_panic<S: ArenaSystem + 'static>(make: Make<S>) {
    type Mapped = wasm_arena::MappedPages<wasm_arena::SystemPages>;
    struct Loud(Arc<Arenas<Mapped>>, bool);
    impl Drop for Loud {
        fn drop(&mut self) {
            // The store is going; its regions are still there.
            assert_eq!(self.0.statistics().live_memories, 1);
            assert!(!self.1, "on purpose");
        }
    }
    let mut guest = {
        let memories = memories(&make());
        Ours::new(&memories, GROW)
    };
    guest.call("grow", 1).unwrap();

    let arenas = common::mapped();
    let memories = ArenaMemories::new(Arc::clone(&arenas)).unwrap();
    for panics in [false, true] {
        let mut store = memories.store(&engine(), Loud(Arc::clone(&arenas), panics));
        store.new_memory(MemoryType::new(1, None)).unwrap();
        let ended = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| drop(store)));
        assert_eq!(ended.is_err(), panics);
        assert_eq!(arenas.statistics().live_memories, 0);
    }
}

fn memory64_and_custom_pages<S: ArenaSystem + 'static>(make: Make<S>) {
    let text = r#"(module
        (memory $wide (export "wide") i64 1 0x1_0000_0000_0000)
        (memory $fine (export "fine") 5 100 (pagesize 1))
        (func (export "grow") (param i32) (result i32)
            (i32.wrap_i64 (memory.grow $wide (i64.extend_i32_u (local.get 0)))))
        (func (export "grow_fine") (param i32) (result i32) (memory.grow $fine (local.get 0)))
        (func (export "load_fine") (param i32) (result i32) (i32.load8_u $fine (local.get 0))))"#;
    let arenas = make();
    let memories = memories(&arenas).with_maximum_bytes(1 << 20);
    let mut guest = Ours::new(&memories, text);
    assert_eq!(guest.call("grow", 15).unwrap(), 1);
    assert_eq!(guest.call("grow", 1).unwrap(), -1);
    assert_eq!(guest.call("grow", -1).unwrap(), -1);
    assert_eq!(guest.call("load_fine", 4).unwrap(), 0);
    assert!(guest.call("load_fine", 5).is_err());
    assert_eq!(guest.call("grow_fine", 95).unwrap(), 5);
    assert_eq!(guest.call("load_fine", 99).unwrap(), 0);
    assert_eq!(guest.call("grow_fine", 1).unwrap(), -1);
    let records = guest.store.records();
    assert_eq!((records[0].is_64, records[0].page_size), (true, 65_536));
    assert_eq!((records[1].is_64, records[1].page_size), (false, 1));
    assert_eq!(records[1].statistics.current_bytes, 100);
    drop(guest);
    assert_eq!(arenas.statistics().live_memories, 0);
}

fn sealed_arenas_let_memories_grow<S: ArenaSystem + 'static>(make: Make<S>) {
    let arenas = make();
    let memories = memories(&arenas);
    let mut guest = Ours::new(&memories, GROW);
    arenas.seal();
    assert_eq!(guest.call("grow", 7).unwrap(), 1);
    assert!(
        Ours::try_new(&memories, GROW).is_err(),
        "that needs a region"
    );
    drop(guest);
    Ours::new(&memories, GROW);
    assert_eq!(arenas.statistics().cache_hits, 1);
}

fn checks_reach_every_memory<S: ArenaSystem + 'static>(make: Make<S>) {
    let arenas = make();
    for level in VerificationLevel::ALL {
        let memories = memories(&arenas)
            .with_memory_options(options(|o| {
                o.verification_level = level;
                o.guard_after = GuardSize::Bytes(16 * 4096);
            }))
            .unwrap();
        let mut guest = Ours::new(&memories, GROW);
        assert_eq!(guest.call("grow", 3).unwrap(), 1);
        guest.store.verify().unwrap();
        let record = guest.store.records()[0];
        assert_eq!(record.statistics.guard_after_bytes, 16 * 4096);
    }
    let wrong = options(|o| o.guard_before = GuardSize::Bytes(100));
    assert!(matches!(
        memories(&arenas).with_memory_options(wrong),
        Err(MemoryError::Alloc(AllocError::Misaligned { .. }))
    ));
}

fn records_stay<S: ArenaSystem + 'static>(make: Make<S>) {
    let memories = memories(&make());
    for pages in 1..4 {
        let mut guest = Ours::new(&memories, GROW);
        guest.call("grow", pages).unwrap();
    }
    let peaks: Vec<_> = memories
        .records()
        .iter()
        .map(|record| (record.statistics.peak_bytes / PAGE, record.is_live))
        .collect();
    assert_eq!(peaks, [(2, false), (3, false), (4, false)]);
    let silent = memories
        .clone()
        .with_memory_options(MemoryOptions::DEFAULT)
        .unwrap();
    assert_eq!(silent.records().len(), 3, "clones share accounts");
}
