//! Guards of guests' memories: what changes while nobody runs is found, named and repaired, over both
//! systems and with both strategies.

mod common;

use common::{Guest, Make, PAGE, memories};
use wasm_arena::{ArenaSystem, IntegrityError, VerificationLevel};
use wasm_arena_wasmtime::{DEFAULT_GUARD_BLOCK_SIZE, GuardError, MemoryGuard, Strategy};
use wasmtime::{Engine, Instance, Module, Store, Trap};

everywhere!(
    a_flip_while_the_guest_sleeps_is_found,
    a_memory_that_grows_and_moves,
    several_memories_of_a_store,
    memories_of_64_bits_and_of_odd_sizes,
);

const BLOCK: usize = DEFAULT_GUARD_BLOCK_SIZE;

const WORKER: &str = r#"(module
    (memory (export "memory") 2 40)
    (func (export "work") (param $seed i32) (result i32)
        (local $at i32) (local $sum i32)
        (loop $next
            (i32.store (local.get $at)
                (i32.add (i32.mul (i32.load (local.get $at)) (i32.const 31))
                    (i32.add (local.get $seed) (local.get $at))))
            (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 252)))
            (br_if $next (i32.lt_u (local.get $at)
                (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)))))
        (local.get $sum))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "stray") (param i32) (i32.store (i32.const 8) (i32.const 5))
        (i32.store (i32.const -4) (local.get 0))))"#;

/// Flips a bit as a fault of the hardware would: through an address, behind everybody's back.
fn flip(guest: &mut Guest, at: usize, bit: u32) {
    let memory = guest.memory();
    assert!(at < memory.data_size(&guest.store));
    let base = memory.data_ptr(&guest.store);
    // SAFETY: inside the memory, as just asserted; nobody runs, and nobody holds a reference.
    let byte = unsafe { base.add(at) };
    // SAFETY: readable, as above.
    let flipped = unsafe { byte.read() } ^ (1 << bit);
    // SAFETY: writable, as above.
    unsafe { byte.write(flipped) };
}

fn damaged(error: GuardError) -> (usize, usize, usize) {
    let GuardError::Integrity(IntegrityError::BlockDamaged {
        block,
        offset,
        len,
        stored,
        computed,
        repaired: false,
    }) = error
    else {
        panic!("no damage of a block: {error}");
    };
    assert_ne!(stored, computed);
    for fact in [
        format!("{stored:#010x}"),
        format!("{computed:#010x}"),
        format!("{offset:#x}"),
    ] {
        assert!(error.to_string().contains(&fact), "{error}");
    }
    (block, offset, len)
}

fn a_flip_while_the_guest_sleeps_is_found<S: ArenaSystem + 'static>(
    make: Make<S>,
    strategy: Strategy,
) {
    let (_memories, engine) = memories(make(), strategy);
    let mut guest = Guest::from_text(&engine, WORKER);
    let mut guard = MemoryGuard::new(guest.memory());
    assert_eq!(guard.verify(&guest.store), Err(GuardError::NotSealed));
    assert_eq!(guard.scrub(&mut guest.store, 1), Err(GuardError::NotSealed));
    guard.seal(&guest.store).unwrap();
    assert_eq!((guard.sealed_bytes(), guard.block_count()), (2 * PAGE, 32));
    for seed in 0..3 {
        guard.verify(&guest.store).unwrap();
        guest.call::<_, i32>("work", seed).unwrap();
        // What the guest did is damage until it is sealed: there is no way to tell.
        assert!(guard.verify(&guest.store).is_err());
        guard.seal(&guest.store).unwrap();
        for at in (0..2 * PAGE).step_by(1021).chain([2 * PAGE - 1]) {
            let bit = u32::try_from(at % 8).unwrap();
            flip(&mut guest, at, bit);
            let found = damaged(guard.verify(&guest.store).unwrap_err());
            assert_eq!(found, (at / BLOCK, at / BLOCK * BLOCK, BLOCK));
            flip(&mut guest, at, bit);
        }
        guard.verify(&guest.store).unwrap();
    }
    let numbers = guard.statistics();
    assert_eq!((numbers.seals, numbers.repairs), (4, 0));
    // Each of the 130 flips of a round, and the guest's own work.
    assert_eq!(numbers.damages, 3 * 131);
}

fn a_memory_that_grows_and_moves<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let mut guest = Guest::from_text(&engine, WORKER);
    let mut guard = MemoryGuard::new(guest.memory()).with_mirror();
    guard.seal(&guest.store).unwrap();
    let memory = guest.memory();
    let mut pages = 2;
    // By the guest, inside a guarded call.
    let grow = guest
        .instance
        .get_typed_func::<i32, i32>(&mut guest.store, "grow")
        .unwrap();
    for more in [1, 7, 20] {
        let before = guard
            .call(&mut guest.store, |store| grow.call(store, more))
            .unwrap();
        assert_eq!(before, pages);
        pages += more;
        assert_eq!(guard.sealed_bytes(), usize::try_from(pages).unwrap() * PAGE);
        let last = guard.sealed_bytes() - 1;
        flip(&mut guest, last, 3);
        damaged(guard.verify(&guest.store).unwrap_err());
        guard.mend(&mut guest.store).unwrap();
        guard.verify(&guest.store).unwrap();
    }
    // By the host, between two calls.
    let sealed = guard.sealed_bytes();
    memory.grow(&mut guest.store, 9).unwrap();
    let changed = GuardError::Integrity(IntegrityError::SizeChanged {
        covered: sealed,
        size: sealed + 9 * PAGE,
    });
    assert_eq!(guard.verify(&guest.store), Err(changed));
    assert_eq!(guard.scrub(&mut guest.store, 1), Err(changed));
    let message = changed.to_string();
    assert!(message.contains(&sealed.to_string()), "{message}");
    assert!(
        message.contains(&(sealed + 9 * PAGE).to_string()),
        "{message}"
    );
    // Telling of the growth does not bless what happened elsewhere.
    flip(&mut guest, 5000, 0);
    guard.reseal(&guest.store, sealed..sealed + 1).unwrap();
    assert_eq!(damaged(guard.verify(&guest.store).unwrap_err()).0, 1);
    assert_eq!(guard.mend(&mut guest.store).unwrap().blocks_repaired, 1);
    flip(&mut guest, sealed + 9 * PAGE - 1, 7);
    assert_eq!(guard.mend(&mut guest.store).unwrap().blocks_repaired, 1);
    guard.verify(&guest.store).unwrap();
    let numbers = memories.records()[0].statistics;
    assert_eq!(numbers.moves > 0, strategy == Strategy::Bounded);
    guest.call::<_, i32>("work", 1).unwrap();
}

fn several_memories_of_a_store<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (_memories, engine) = memories(make(), strategy);
    let module = Module::new(
        &engine,
        r#"(module (memory (export "memory") 1) (memory (export "b") 3) (memory (export "c") 0 2))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let mut all = Vec::new();
    for _instance in 0..2 {
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        for name in ["memory", "b", "c"] {
            all.push(instance.get_memory(&mut store, name).unwrap());
        }
    }
    let mut guards: Vec<_> = all.iter().map(|&memory| MemoryGuard::new(memory)).collect();
    for guard in &mut guards {
        guard.seal(&store).unwrap();
    }
    for (index, memory) in all.iter().enumerate() {
        if index % 3 == 2 {
            // An empty one has no blocks, and is sound.
            assert_eq!(
                (guards[index].block_count(), guards[index].sealed_bytes()),
                (0, 0)
            );
            assert!(guards[index].scrub(&mut store, 3).unwrap().completed_pass);
            continue;
        }
        memory.data_mut(&mut store)[100] ^= 1;
        for (other, guard) in guards.iter_mut().enumerate() {
            assert_eq!(guard.verify(&store).is_err(), other == index);
        }
        memory.data_mut(&mut store)[100] ^= 1;
    }
}

fn memories_of_64_bits_and_of_odd_sizes<S: ArenaSystem + 'static>(
    make: Make<S>,
    strategy: Strategy,
) {
    let (_memories, engine) = memories(make(), strategy);
    for (declared, bytes) in [
        (r#"(memory (export "memory") i64 1)"#, PAGE),
        (r#"(memory (export "memory") 0 (pagesize 1))"#, 0),
        (r#"(memory (export "memory") 1 (pagesize 1))"#, 1),
        (r#"(memory (export "memory") 8195 (pagesize 1))"#, 8195),
    ] {
        let mut guest = Guest::from_text(&engine, &format!("(module {declared})"));
        let mut guard = MemoryGuard::new(guest.memory())
            .with_mirror()
            .with_block_size(256)
            .unwrap();
        guard.seal(&guest.store).unwrap();
        assert_eq!(guard.sealed_bytes(), bytes);
        for at in (0..bytes).rev().take(600) {
            flip(&mut guest, at, 6);
            let (block, offset, len) = damaged(guard.verify(&guest.store).unwrap_err());
            assert_eq!((block, offset), (at / 256, at / 256 * 256));
            assert_eq!(len, 256.min(bytes - offset));
            guard.mend(&mut guest.store).unwrap();
        }
        assert!(guest.data().iter().all(|&byte| byte == 0));
        // A page of one byte more makes the last block longer.
        let memory = guest.memory();
        memory.grow(&mut guest.store, 1).unwrap();
        guard.reseal(&guest.store, 0..0).unwrap();
        guard.verify(&guest.store).unwrap();
        flip(&mut guest, bytes, 0);
        assert_eq!(
            damaged(guard.verify(&guest.store).unwrap_err()).0,
            bytes / 256
        );
        assert_eq!(guard.mend(&mut guest.store).unwrap().blocks_repaired, 1);
    }
}

/// A worker on Wasmtime's own memory: a guard does not care.
fn worker() -> Guest {
    Guest::from_text(&Engine::default(), WORKER)
}

#[test]
fn a_scrub_comes_round_within_its_budget() {
    let mut guest = worker();
    let mut guard = MemoryGuard::new(guest.memory()).with_mirror();
    guard.seal(&guest.store).unwrap();
    let damage = [1, 5 * BLOCK, 31 * BLOCK + 17];
    for budget in [1, 3, 5, 31, 32, 33, usize::MAX] {
        for at in damage {
            flip(&mut guest, at, 2);
        }
        let mut found = 0;
        loop {
            let report = guard.scrub(&mut guest.store, budget).unwrap();
            assert!(report.blocks_checked <= budget.min(32));
            assert_eq!(report.first_damage.is_some(), report.blocks_repaired > 0);
            found += report.blocks_repaired;
            if report.completed_pass {
                break;
            }
        }
        // A pass may start where the last one, with another budget, ended.
        while found < damage.len() {
            found += guard
                .scrub(&mut guest.store, budget)
                .unwrap()
                .blocks_repaired;
        }
        assert_eq!(found, damage.len());
        guard.verify(&guest.store).unwrap();
    }
    assert_eq!(guard.scrub(&mut guest.store, 0).unwrap().blocks_checked, 0);
    // Without a copy, damage is told and passed over.
    let mut guard = MemoryGuard::new(guest.memory());
    guard.seal(&guest.store).unwrap();
    flip(&mut guest, 1, 2);
    for _pass in 0..2 {
        let report = guard.scrub(&mut guest.store, 32).unwrap();
        assert_eq!((report.blocks_damaged, report.blocks_checked), (1, 32));
        assert!(report.completed_pass);
    }
}

#[test]
fn each_level_does_what_it_says() {
    let mut guest = worker();
    for level in VerificationLevel::ALL {
        let mut guard = MemoryGuard::new(guest.memory())
            .with_verification_level(level)
            .with_mirror();
        guard.seal(&guest.store).unwrap();
        let found = |guard: &mut MemoryGuard, guest: &mut Guest, at: usize| {
            flip(guest, at, 1);
            let found = (0..16)
                .filter(|_| guard.verify(&guest.store).is_err())
                .count();
            flip(guest, at, 1);
            found
        };
        let each = match level {
            VerificationLevel::Off => 0,
            // Two of 32 blocks each time.
            VerificationLevel::Sampling => 1,
            _ => 16,
        };
        for at in [0, 7 * BLOCK, 2 * PAGE - 1] {
            assert_eq!(found(&mut guard, &mut guest, at), each, "{level:?}");
        }
        assert_eq!(guard.is_sealed(), level != VerificationLevel::Off);
        // The guest's own call, with everything around it.
        let work = guest
            .instance
            .get_typed_func::<i32, i32>(&mut guest.store, "work")
            .unwrap();
        guard
            .call(&mut guest.store, |store| work.call(store, 1))
            .unwrap();
        // Switched off, nothing is sealed; switched on again, that is said.
        guard.set_verification_level(VerificationLevel::Off);
        guard.verify(&guest.store).unwrap();
        assert_eq!(guard.reseal(&guest.store, 0..1), Ok(()));
        guard.set_verification_level(VerificationLevel::Full);
        assert_eq!(guard.verify(&guest.store), Err(GuardError::NotSealed));
    }
}

#[test]
fn the_hosts_own_writes_are_told_and_nothing_else_is_blessed() {
    let mut guest = worker();
    for (mirrored, input) in [(false, b"input"), (true, b"INPUT")] {
        let mut guard = MemoryGuard::new(guest.memory());
        if mirrored {
            guard = guard.with_mirror();
        }
        guard.seal(&guest.store).unwrap();
        let memory = guest.memory();
        memory.write(&mut guest.store, BLOCK - 2, input).unwrap();
        assert_eq!(damaged(guard.verify(&guest.store).unwrap_err()).0, 0);
        flip(&mut guest, 9 * BLOCK, 4);
        guard.reseal(&guest.store, BLOCK - 2..BLOCK + 3).unwrap();
        assert_eq!(damaged(guard.verify(&guest.store).unwrap_err()).0, 9);
        flip(&mut guest, 9 * BLOCK, 4);
        guard.verify(&guest.store).unwrap();
        let report = guard.mend(&mut guest.store).unwrap();
        assert_eq!((report.blocks_checked, report.first_damage), (32, None));
        assert_eq!(&guest.data()[BLOCK - 2..BLOCK + 3], input);
        for range in [2 * PAGE..2 * PAGE + 1, usize::MAX - 1..usize::MAX] {
            assert!(matches!(
                guard.reseal(&guest.store, range),
                Err(GuardError::Integrity(IntegrityError::OutOfRange { .. }))
            ));
        }
        guard.verify(&guest.store).unwrap();
    }
}

#[test]
fn a_trap_is_sealed_too_and_damage_keeps_the_guest_from_running() {
    let mut guest = worker();
    let mut guard = MemoryGuard::new(guest.memory());
    let stray = guest
        .instance
        .get_typed_func::<i32, ()>(&mut guest.store, "stray")
        .unwrap();
    for _call in 0..2 {
        // Nothing is sealed at first: then the call alone counts.
        let error = guard
            .call(&mut guest.store, |store| stray.call(store, 1))
            .unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
        guard.verify(&guest.store).unwrap();
    }
    flip(&mut guest, 100, 0);
    let before = guest.data().to_vec();
    let mut ran = false;
    let error = guard
        .call(&mut guest.store, |_| {
            ran = true;
            Ok(())
        })
        .unwrap_err();
    damaged(*error.downcast_ref::<GuardError>().unwrap());
    assert!(!ran && guest.data() == before);
}

#[test]
fn the_second_copy_may_be_the_damaged_one() {
    let mut guest = worker();
    let mut guard = MemoryGuard::new(guest.memory())
        .with_mirror()
        .with_verification_level(VerificationLevel::Full);
    guard.seal(&guest.store).unwrap();
    // Both copies differ from what was sealed in the same way: the checksum is alone, and right.
    flip(&mut guest, 70_000, 5);
    guard.reseal(&guest.store, 70_000..70_001).unwrap();
    flip(&mut guest, 70_000, 5);
    let report = guard.mend(&mut guest.store).unwrap();
    assert_eq!(report.blocks_repaired, 1);
    assert_eq!(guest.data()[70_000], 1 << 5);
}

#[test]
fn what_is_reserved_is_enough() {
    let mut guest = worker();
    let mut guard = MemoryGuard::new(guest.memory()).with_mirror();
    let error = guard.reserve(isize::MAX as usize).unwrap_err();
    assert!(matches!(error, GuardError::OutOfMemory { bytes } if bytes >= 1 << 50));
    guard.reserve(40 * PAGE).unwrap();
    guard.seal(&guest.store).unwrap();
    guard.reserve(PAGE).unwrap();
    guard.verify(&guest.store).unwrap();
    for block_size in [0, 255, 4097] {
        let guard = MemoryGuard::new(guest.memory()).with_block_size(block_size);
        let message = guard.unwrap_err().to_string();
        assert!(message.contains(&block_size.to_string()) && message.contains("256"));
    }
    guest.call::<_, i32>("work", 1).unwrap();
}
