//! What one guest wrote, no other reads: whatever way it ends, in whatever order, on two threads.

mod common;

use std::sync::Arc;
use std::thread;

use common::{Guest, Make, PAGE, config};
use wasm_arena::{ArenaSystem, BudgetRef, MemoryBudget, MemoryOptions};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::{Engine, Module};

everywhere!(
    no_end_leaves_a_secret,
    nor_does_any_order_of_ends,
    nor_do_two_threads,
);

/// Memories of 1 and of 4 pages are cleaned in different ways.
const SIZES: [usize; 2] = [1, 4];

/// Fills all it has with secrets, above its initial size too, and ends as it is told: 0 returns,
/// 1 traps, 2 strays, 3 asks for more than it can have until it is refused, and returns.
fn text(pages: usize) -> String {
    format!(
        r#"(module
            (memory (export "memory") {pages} 64)
            (func $fill
                (memory.fill (i32.const 0) (i32.const 0x5e)
                    (i32.mul (memory.size) (i32.const 65536))))
            (func (export "live") (param $more i32) (param $end i32)
                (call $fill)
                (drop (memory.grow (local.get $more)))
                (call $fill)
                (if (i32.eq (local.get $end) (i32.const 1)) (then unreachable))
                (if (i32.eq (local.get $end) (i32.const 2)) (then
                    (i32.store (i32.mul (memory.size) (i32.const 65536)) (i32.const 1))))
                (if (i32.eq (local.get $end) (i32.const 3)) (then
                    (loop $more
                        (br_if $more (i32.ne (memory.grow (i32.const 3)) (i32.const -1))))
                    (call $fill))))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#
    )
}

/// An engine whose memories are paid for by a budget of 40 pages each way.
struct Host {
    engine: Engine,
    modules: Vec<Module>,
    _budget: Arc<MemoryBudget>,
}

impl Host {
    fn new<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) -> Self {
        let budget = Arc::new(MemoryBudget::new("guests", 40 * PAGE));
        let mut options = MemoryOptions::default();
        options.budget = Some(BudgetRef::from(Arc::clone(&budget)));
        let memories = ArenaMemories::new(make(), strategy)
            .with_memory_options(options)
            .unwrap();
        let engine = memories.engine(config()).unwrap();
        let modules = SIZES.map(|pages| Module::new(&engine, text(pages)).unwrap());
        Self {
            engine,
            modules: modules.into(),
            _budget: budget,
        }
    }

    /// A guest that must find zeros, at first and after growing by `more`.
    fn guest(&self, size: usize, more: i32) -> Guest {
        let mut guest = Guest::new(&self.engine, &self.modules[size]);
        assert_clean(&mut guest);
        assert!(guest.call::<_, i32>("grow", more).unwrap() > 0);
        assert_clean(&mut guest);
        guest
    }

    /// Lets a guest write secrets and end.
    fn live(&self, size: usize, more: i32, end: i32) -> Guest {
        let mut guest = Guest::new(&self.engine, &self.modules[size]);
        assert_clean(&mut guest);
        let lived = guest.call::<_, ()>("live", (more, end));
        assert_eq!(lived.is_err(), end == 1 || end == 2, "end {end}");
        assert!(guest.data().iter().all(|&byte| byte == 0x5e));
        guest
    }
}

fn assert_clean(guest: &mut Guest) {
    let data = guest.data();
    let secret = data.iter().position(|&byte| byte != 0);
    assert_eq!(secret, None, "a secret among {} bytes", data.len());
}

fn no_end_leaves_a_secret<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let host = Host::new(make, strategy);
    for size in 0..SIZES.len() {
        for end in [0, 1, 2, 3] {
            for more in [0, 1, 7] {
                for after in [0, 1, 9] {
                    drop(host.live(size, more, end));
                    drop(host.guest(size, after));
                    drop(host.guest(1 - size, after));
                }
            }
        }
    }
}

fn nor_does_any_order_of_ends<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let host = Host::new(make, strategy);
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut guests = [(0, 1), (1, 2), (1, 0)].map(|(size, end)| Some(host.live(size, 2, end)));
        for ended in order {
            drop(guests[ended].take());
            drop(host.guest(0, 2));
            drop(host.guest(1, 1));
        }
    }
}

fn nor_do_two_threads<S: ArenaSystem + 'static>(make: Make<S>, strategy: Strategy) {
    let host = Host::new(make, strategy);
    thread::scope(|scope| {
        for thread in 0..2 {
            let host = &host;
            scope.spawn(move || {
                for life in 0..60 {
                    let size = (life + thread) % 2;
                    let end = i32::try_from(life % 3).unwrap();
                    drop(host.live(size, 2, end));
                    drop(host.guest(1 - size, 1));
                }
            });
        }
    });
}
