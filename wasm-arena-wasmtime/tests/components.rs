//! Components with memories of their own: those come from the arenas like any other.

mod common;

use common::{Make, PAGE, config, memories};
use wasm_arena::{AllocError, ArenaSystem, MemoryBudget, MemoryOptions};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::component::{Component, Instance, Linker};
use wasmtime::{Engine, Store, Trap};

everywhere!(
    strings_go_in_and_out_of_a_memory_that_grows,
    every_core_instance_has_its_own,
    a_trap_ends_the_component_and_nothing_else,
    budgets_hold_for_components,
);

/// Reverses texts. Its `realloc` never frees, and grows the memory.
const REVERSE: &str = r#"(component
    (core module $module
        (memory (export "memory") 1 64)
        (global $free (mut i32) (i32.const 16))
        (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
            (local $start i32)
            (local.set $start (i32.and
                (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
                (i32.sub (i32.const 0) (local.get $align))))
            (global.set $free (i32.add (local.get $start) (local.get $size)))
            (loop $more
                (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
                    (then
                        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1))
                            (then unreachable))
                        (br $more))))
            (local.get $start))
        (func (export "reverse") (param $from i32) (param $length i32) (result i32)
            (local $at i32) (local $other i32) (local $byte i32)
            (local.set $other (i32.sub (i32.add (local.get $from) (local.get $length)) (i32.const 1)))
            (local.set $at (local.get $from))
            (block $done (loop $next
                (br_if $done (i32.ge_u (local.get $at) (local.get $other)))
                (local.set $byte (i32.load8_u (local.get $at)))
                (i32.store8 (local.get $at) (i32.load8_u (local.get $other)))
                (i32.store8 (local.get $other) (local.get $byte))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (local.set $other (i32.sub (local.get $other) (i32.const 1)))
                (br $next)))
            (i32.store (i32.const 0) (local.get $from))
            (i32.store (i32.const 4) (local.get $length))
            (i32.const 0))
        (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))
    (core instance $instance (instantiate $module))
    (func (export "reverse") (param "text" string) (result string)
        (canon lift (core func $instance "reverse")
            (memory (core memory $instance "memory"))
            (realloc (core func $instance "realloc"))))
    (func (export "load") (param "address" u32) (result u32)
        (canon lift (core func $instance "load"))))"#;

struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn try_new(engine: &Engine, text: &str) -> wasmtime::Result<Self> {
        let component = Component::new(engine, text)?;
        let mut store = Store::new(engine, ());
        let instance = Linker::new(engine).instantiate(&mut store, &component)?;
        Ok(Self { store, instance })
    }

    fn reverse(&mut self, text: &str) -> wasmtime::Result<String> {
        let reverse = self
            .instance
            .get_typed_func::<(&str,), (String,)>(&mut self.store, "reverse")?;
        Ok(reverse.call(&mut self.store, (text,))?.0)
    }

    fn load(&mut self, address: u32) -> wasmtime::Result<u32> {
        let load = self
            .instance
            .get_typed_func::<(u32,), (u32,)>(&mut self.store, "load")?;
        Ok(load.call(&mut self.store, (address,))?.0)
    }
}

fn strings_go_in_and_out_of_a_memory_that_grows<S: ArenaSystem + 'static>(
    make: Make<S>,
    strategy: Strategy,
) {
    let (memories, engine) = memories(make(), strategy);
    let mut guest = Guest::try_new(&engine, REVERSE).unwrap();
    assert_eq!(guest.reverse("drawer").unwrap(), "reward");
    let text: String = (0..300_000_u32)
        .map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap()))
        .collect();
    let reversed: String = text.chars().rev().collect();
    for _call in 0..3 {
        assert_eq!(guest.reverse(&text).unwrap(), reversed);
    }
    let records = memories.records();
    assert_eq!(records.len(), 1, "one memory, and it is ours");
    let numbers = records[0].statistics;
    assert!(records[0].is_live);
    assert_eq!(
        (numbers.initial_bytes, numbers.maximum_bytes),
        (PAGE, Some(64 * PAGE))
    );
    // Six bytes, and three times 300,000, never freed.
    assert_eq!(numbers.current_bytes, 900_022_usize.next_multiple_of(PAGE));
    assert_eq!(numbers.grows, numbers.current_bytes / PAGE - 1);
    assert_eq!(numbers.moves > 0, strategy == Strategy::Bounded);
    drop(guest);
    assert_eq!(memories.arenas().statistics().live_memories, 0);
    // The region serves the next component, and shows nothing of the last.
    let mut guest = Guest::try_new(&engine, REVERSE).unwrap();
    for address in (0..65_536).step_by(4) {
        assert_eq!(guest.load(address).unwrap(), 0);
    }
}

fn every_core_instance_has_its_own<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let (memories, engine) = memories(make(), strategy);
    let guest = Guest::try_new(
        &engine,
        r#"(component
            (core module $one (memory 1 2))
            (core module $two (memory 3) (memory i64 0 9))
            (core instance (instantiate $one))
            (core instance (instantiate $two))
            (core instance (instantiate $one)))"#,
    )
    .unwrap();
    let sizes: Vec<_> = memories
        .records()
        .iter()
        .map(|record| (record.statistics.current_bytes / PAGE, record.is_64))
        .collect();
    assert_eq!(sizes, [(1, false), (3, false), (0, true), (1, false)]);
    assert_eq!(memories.arenas().statistics().live_memories, 4);
    drop(guest);
    assert_eq!(memories.arenas().statistics().live_memories, 0);
}

fn a_trap_ends_the_component_and_nothing_else<S: ArenaSystem + 'static>(
    make: Make<S>,
    strategy: Strategy,
) {
    let (memories, engine) = memories(make(), strategy);
    for address in [65_533, 65_536, 1 << 20, u32::MAX] {
        let mut neighbour = Guest::try_new(&engine, REVERSE).unwrap();
        let mut guest = Guest::try_new(&engine, REVERSE).unwrap();
        assert_eq!(guest.load(65_532).unwrap(), 0);
        let error = guest.load(address).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
        // Wasmtime does not let a component be entered again after a trap.
        assert!(guest.load(0).is_err());
        assert_eq!(neighbour.reverse("live").unwrap(), "evil");
    }
    assert_eq!(memories.arenas().statistics().live_memories, 0);
}

fn budgets_hold_for_components<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let budget = std::sync::Arc::new(MemoryBudget::new("components", 5 * PAGE));
    let mut options = MemoryOptions::default();
    options.budget = Some(budget.clone().into());
    let memories = ArenaMemories::new(make(), strategy)
        .with_memory_options(options)
        .unwrap()
        .with_records();
    let engine = memories.engine(config()).unwrap();
    let mut guest = Guest::try_new(&engine, REVERSE).unwrap();
    assert_eq!(guest.reverse("stressed").unwrap(), "desserts");
    let long = "x".repeat(5 * PAGE);
    let error = guest.reverse(&long).unwrap_err();
    assert_eq!(
        error.downcast_ref(),
        Some(&Trap::UnreachableCodeReached),
        "its allocator gives up"
    );
    let refusal = memories.records()[0].last_refusal;
    assert!(
        matches!(refusal, Some(AllocError::BudgetExceeded { .. })),
        "{refusal:?}"
    );
    let needs_six = "(component (core module $m (memory 6)) (core instance (instantiate $m)))";
    let error = Guest::try_new(&engine, needs_six).err().unwrap();
    assert!(format!("{error:#}").contains("components"), "{error:#}");
    drop(guest);
    assert_eq!(budget.used(), 0);
}
