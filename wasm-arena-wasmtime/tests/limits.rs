//! Where guests meet limits: budgets, host maxima, seals, hosts without reservations, and failures
//! of the operating system at every call.

mod common;

use core::mem::MaybeUninit;
use std::sync::Arc;

use common::{Guest, Make, PAGE, config, mapped, memories, portable};
use os::{Counted, FailAt, FixedMemory, OsCall, OsPages, PageSize, PageSource};
use wasm_arena::{
    AllocError, ArenaOptions, ArenaSystem, Arenas, ConfigOption, GuardSize, MappedPages,
    MemoryBudget, MemoryOptions, OptionValue, PortableArenas, VerificationLevel,
};
use wasm_arena_wasmtime::{ArenaMemories, MemoryError, Strategy};
use wasmtime::{Config, Module};

everywhere!(
    a_budget_refuses,
    the_host_has_the_last_word,
    sealed_arenas_serve_what_is_kept,
    every_verification_level_works,
);

const GROWS: &str = r#"(module
    (memory (export "memory") 2 100)
    (data (i32.const 131064) "contents")
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))"#;

fn options(change: impl FnOnce(&mut MemoryOptions)) -> MemoryOptions {
    let mut options = MemoryOptions::default();
    change(&mut options);
    options
}

fn a_budget_refuses<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let budget = Arc::new(MemoryBudget::new("guests of the test", 20 * PAGE));
    let memories = ArenaMemories::new(make(), strategy)
        .with_memory_options(options(|o| o.budget = Some(Arc::clone(&budget).into())))
        .unwrap()
        .with_records();
    let engine = memories.engine(config()).unwrap();
    let module = Module::new(&engine, GROWS).unwrap();
    let mut guest = Guest::new(&engine, &module);
    assert_eq!(guest.call::<_, i32>("grow", 3).unwrap(), 2);
    assert_eq!(guest.call::<_, i32>("grow", 16).unwrap(), -1);
    assert_eq!(
        guest.call::<_, i32>("load", 131_064).unwrap(),
        i32::from(b'c')
    );
    let record = memories.records()[0];
    assert_eq!(record.statistics.refused_grows, 1);
    assert!(matches!(
        record.last_refusal,
        Some(AllocError::BudgetExceeded {
            budget: "guests of the test",
            ..
        })
    ));
    let others: Vec<_> = (0..7).map(|_| Guest::new(&engine, &module)).collect();
    let refusal = Guest::try_new(&engine, &module).err().unwrap();
    let message = format!("{refusal:#}");
    assert!(
        message.contains("budget \"guests of the test\" refused 131072 bytes"),
        "{message}"
    );
    drop((guest, others));
    assert_eq!(budget.used(), 0);
    Guest::new(&engine, &module);
}

fn the_host_has_the_last_word<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let memories = ArenaMemories::new(make(), strategy)
        .with_maximum_bytes(5 * PAGE)
        .with_records();
    let engine = memories.engine(config()).unwrap();
    let mut guest = Guest::from_text(&engine, GROWS);
    assert_eq!(guest.call::<_, i32>("grow", 4).unwrap(), -1);
    assert_eq!(guest.call::<_, i32>("grow", 3).unwrap(), 2);
    assert_eq!(guest.call::<_, i32>("grow", 1).unwrap(), -1);
    assert_eq!(guest.call::<_, i32>("grow", 0).unwrap(), 5);
    let record = memories.records()[0];
    assert_eq!(record.statistics.maximum_bytes, Some(5 * PAGE));
    assert_eq!(
        record.last_refusal,
        Some(AllocError::BeyondMaximum {
            requested: 6 * PAGE as u64,
            maximum: 5 * PAGE
        })
    );
    let large = Module::new(&engine, "(module (memory 6))").unwrap();
    let message = format!("{:#}", Guest::try_new(&engine, &large).err().unwrap());
    assert!(
        message.contains("393216 bytes exceeds the host's maximum of 327680 bytes"),
        "{message}"
    );
    // Nobody has that much; the module's own limit does not matter then.
    let absurd = Module::new(&engine, "(module (memory i64 0x800000000000))").unwrap();
    assert!(Guest::try_new(&engine, &absurd).is_err());
}

fn sealed_arenas_serve_what_is_kept<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let module = Module::new(&engine, GROWS).unwrap();
    drop(Guest::new(&engine, &module));
    let before = memories
        .arenas()
        .system()
        .source()
        .call_counts()
        .map(|counts| counts.total());
    memories.arenas().seal();
    let mut guest = Guest::new(&engine, &module);
    assert_eq!(
        guest.call::<_, i32>("load", 131_064).unwrap(),
        i32::from(b'c')
    );
    let refusal = Guest::try_new(&engine, &module).err().unwrap();
    assert!(format!("{refusal:#}").contains("sealed"));
    let grown = guest.call::<_, i32>("grow", 1).unwrap();
    match strategy {
        // The room is open: growing into it needs nobody.
        Strategy::Bounded => assert_eq!(grown, 2),
        _ => assert_eq!(grown, -1),
    }
    assert_eq!(guest.call::<_, i32>("grow", 50).unwrap(), -1);
    let last = memories.records().last().unwrap().last_refusal;
    assert!(matches!(last, Some(AllocError::Sealed { .. })));
    drop(guest);
    let after = memories
        .arenas()
        .system()
        .source()
        .call_counts()
        .map(|counts| counts.total());
    assert!(before.is_some() && before == after);
    memories.arenas().unseal();
    let mut guest = Guest::new(&engine, &module);
    assert_eq!(guest.call::<_, i32>("grow", 50).unwrap(), 2);
}

fn every_verification_level_works<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    for level in VerificationLevel::ALL {
        let memories = ArenaMemories::new(make(), strategy)
            .with_memory_options(options(|o| o.verification_level = level))
            .unwrap();
        let engine = memories.engine(config()).unwrap();
        let module = Module::new(&engine, GROWS).unwrap();
        for _guest in 0..3 {
            let mut guest = Guest::new(&engine, &module);
            for more in [1, 5, 20] {
                assert!(guest.call::<_, i32>("grow", more).unwrap() > 0);
            }
            assert_eq!(
                guest.call::<_, i32>("load", 131_064).unwrap(),
                i32::from(b'c')
            );
        }
        let level_in_force = memories
            .effective_configuration()
            .get(ConfigOption::VerificationLevel)
            .unwrap()
            .in_force;
        assert_eq!(level_in_force, OptionValue::Choice(level.name()));
        assert_eq!(memories.arenas().statistics().unreturned.regions, 0);
    }
}

#[test]
fn guards_lie_where_they_were_asked_for() {
    let memories = ArenaMemories::new(portable(), Strategy::Reserved)
        .with_memory_options(options(|o| {
            o.guard_before = GuardSize::Bytes(1 << 20);
            o.guard_after = GuardSize::Bytes(64 << 20);
        }))
        .unwrap()
        .with_records();
    let engine = memories.engine(config()).unwrap();
    let mut guest = Guest::from_text(&engine, GROWS);
    let base = guest.data().as_ptr().addr();
    let statistics = memories.records()[0].statistics;
    assert_eq!(statistics.guard_before_bytes, 1 << 20);
    assert_eq!(statistics.guard_after_bytes, 64 << 20);
    let source = memories.arenas().system().source();
    for (address, is_readable) in [
        (base - (1 << 20), false),
        (base - 1, false),
        (base, true),
        (base + 2 * PAGE - 1, true),
        (base + 2 * PAGE, false),
        (base + (4 << 30) - 1, false),
        (base + (4 << 30) + (64 << 20) - 1, false),
    ] {
        assert_eq!(source.probe(address), Ok(is_readable), "{address:#x}");
    }
}

/// A source whose pages cannot fault and cost memory as soon as they are reserved.
fn fixed(bytes: usize) -> FixedMemory<'static> {
    let array = vec![MaybeUninit::uninit(); bytes].leak();
    FixedMemory::new(array, PageSize::new(4096).unwrap()).unwrap()
}

#[test]
fn a_host_without_reservations_is_bounded_or_refused() {
    let arenas = Arc::new(Arenas::new(PortableArenas::new(fixed(4 << 20))));
    let refusal = ArenaMemories::new(Arc::clone(&arenas), Strategy::Reserved)
        .engine(Config::new())
        .unwrap_err();
    assert!(matches!(
        refusal.downcast_ref(),
        Some(MemoryError::StrategyUnavailable {
            setting: "memory_guard_size",
            ..
        })
    ));
    assert!(
        refusal.to_string().contains("memory_guard_size"),
        "{refusal}"
    );

    let (memories, engine) = memories(arenas, Strategy::Bounded);
    let module = Module::new(&engine, GROWS).unwrap();
    let mut guest = Guest::new(&engine, &module);
    assert_eq!(
        guest.call::<_, i32>("load", 131_064).unwrap(),
        i32::from(b'c')
    );
    assert_eq!(guest.call::<_, i32>("grow", 10).unwrap(), 2);
    assert_eq!(guest.call::<_, i32>("grow", 80).unwrap(), -1);
    assert_eq!(
        guest.trap("load", 12 * 65_536),
        wasmtime::Trap::MemoryOutOfBounds
    );
    let guard_in_force = memories
        .effective_configuration()
        .get(ConfigOption::GuardAfter)
        .unwrap()
        .in_force;
    assert_eq!(guard_in_force, OptionValue::Bytes(0));
    let mut guests = vec![guest];
    let refusal = loop {
        match Guest::try_new(&engine, &module) {
            Ok(guest) => guests.push(guest),
            Err(refusal) => break refusal,
        }
    };
    assert!(guests.len() > 5);
    assert!(
        format!("{refusal:#}").contains("the longest free run is"),
        "{refusal:#}"
    );
    drop(guests);
    Guest::new(&engine, &module);
}

type Failing = FailAt<Counted<OsPages>>;

/// One guest's life: instantiated, grown twice, used, ended. What went wrong, in words.
fn live_and_die<S: ArenaSystem + 'static>(
    memories: &ArenaMemories<S>,
    engine: &wasmtime::Engine,
    module: &Module,
) -> Vec<String> {
    let mut troubles = Vec::new();
    match Guest::try_new(engine, module) {
        Err(refusal) => troubles.push(format!("{refusal:#}")),
        Ok(mut guest) => {
            let mut pages = 2;
            for more in [1, 9, 30] {
                match guest.call::<_, i32>("grow", more).unwrap() {
                    -1 => {
                        let refusal = memories.records().last().unwrap().last_refusal;
                        troubles.push(refusal.unwrap().to_string());
                    }
                    before => {
                        assert_eq!(before, pages);
                        pages += more;
                    }
                }
                assert_eq!(&guest.data()[131_064..131_072], b"contents");
                assert!(guest.data()[131_072..].iter().all(|&byte| byte == 0));
                let end = pages * 65_536;
                let last = if pages == 2 { b's' } else { 0 };
                assert_eq!(
                    guest.call::<_, i32>("load", end - 1).unwrap(),
                    i32::from(last)
                );
                assert_eq!(guest.trap("load", end), wasmtime::Trap::MemoryOutOfBounds);
            }
        }
    }
    troubles
}

fn fail_every_call<S>(
    system: fn(Failing) -> S,
    source: for<'s> fn(&'s S) -> &'s Failing,
    strategy: Strategy,
    kept: usize,
) where
    S: ArenaSystem + 'static,
{
    let mut options = ArenaOptions::default();
    options.cache_max_blocks = kept;
    let fresh = || {
        let arenas = Arenas::with_options(system(FailAt::new(Counted::default())), options);
        ArenaMemories::new(Arc::new(arenas.unwrap()), strategy).with_records()
    };
    let memories = fresh();
    let engine = memories.engine(config()).unwrap();
    let module = Module::new(&engine, GROWS).unwrap();
    assert_eq!(live_and_die(&memories, &engine, &module), [""; 0]);
    let counts = source(memories.arenas().system()).call_counts().unwrap();
    assert!(counts.total() >= 3);

    let mut refusals = 0;
    for (call, count) in counts.iter() {
        if matches!(call, OsCall::Resident | OsCall::Probe) {
            continue;
        }
        for nth in 1..=count {
            let memories = fresh();
            let engine = memories.engine(config()).unwrap();
            let module = Module::new(&engine, GROWS).unwrap();
            let source = source(memories.arenas().system());
            source.fail_nth_of(call, nth);
            let troubles = live_and_die(&memories, &engine, &module);
            source.clear();
            refusals += troubles.len();
            for trouble in troubles {
                assert!(
                    trouble.contains(call.name()) && trouble.contains("injected by a test"),
                    "{call} {nth}: {trouble}"
                );
            }
            assert_eq!(
                live_and_die(&memories, &engine, &module),
                [""; 0],
                "{call} {nth}"
            );
            assert_eq!(memories.arenas().statistics().live_memories, 0);
            memories.arenas().trim().unwrap();
            let statistics = memories.arenas().statistics();
            assert_eq!(
                source.live_bytes(),
                statistics.unreturned.bytes + statistics.bookkeeping.mapped_bytes,
                "{call} {nth}"
            );
            if call != OsCall::Unmap {
                assert_eq!((source.live_bytes(), statistics.unreturned.regions), (0, 0));
            }
        }
    }
    assert!(refusals > 0);
}

#[test]
fn every_call_may_fail() {
    for strategy in Strategy::ALL {
        for kept in [0, 12] {
            fail_every_call(
                PortableArenas::new,
                |system| system.source(),
                strategy,
                kept,
            );
            fail_every_call(MappedPages::new, |system| system.source(), strategy, kept);
        }
    }
}

#[test]
fn several_engines_on_one_arena() {
    let arenas = mapped();
    let bounded = ArenaMemories::new(Arc::clone(&arenas), Strategy::Bounded).with_records();
    let reserved = ArenaMemories::new(Arc::clone(&arenas), Strategy::Reserved).with_records();
    let engines = [
        bounded.engine(config()).unwrap(),
        reserved.engine(config()).unwrap(),
        bounded.clone().engine(config()).unwrap(),
    ];
    std::thread::scope(|scope| {
        for engine in &engines {
            scope.spawn(move || {
                let module = Module::new(engine, GROWS).unwrap();
                for _guest in 0..50 {
                    let mut guest = Guest::new(engine, &module);
                    assert_eq!(guest.call::<_, i32>("grow", 20).unwrap(), 2);
                    assert!(guest.data()[131_072..].iter().all(|&byte| byte == 0));
                    guest.data_mut().fill(0x77);
                }
            });
        }
    });
    assert_eq!(
        (bounded.records().len(), reserved.records().len()),
        (100, 50)
    );
    let mut ids: Vec<_> = bounded
        .records()
        .iter()
        .chain(&reserved.records())
        .map(|record| record.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 150);
    assert_eq!(arenas.statistics().live_memories, 0);
}
