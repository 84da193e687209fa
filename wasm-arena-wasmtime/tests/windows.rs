//! Guests whose memories are closed behind what guests of their kind touch: they do not notice, and
//! strays are trapped as ever.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::thread;

use os::{Counted, OsCall, OsPages, PageSource, WindowedPages};
use wasm_arena::{AllocatorBuilder, ArenaSystem, Arenas, PortableArenas};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::{Config, Engine, Instance, Module, Store, Trap, TypedFunc};

type System = PortableArenas<WindowedPages<Counted<OsPages>>>;

const PAGES: usize = 16;
const PAGE: usize = 65_536;

const GUEST: &str = r#"(module
    (memory (export "memory") 16 32)
    ;; What was there before, and 7 from now on.
    (func (export "touch") (param $at i32) (result i32)
        (i32.load8_u (local.get $at))
        (i32.store8 (local.get $at) (i32.const 7)))
    (func (export "fill") (param $bytes i32)
        (memory.fill (i32.const 0) (i32.const 9) (local.get $bytes)))
    (func (export "grow") (result i32) (memory.grow (i32.const 3))))"#;

struct Host {
    arenas: Arc<Arenas<System>>,
    engine: Engine,
    module: Module,
}

struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Host {
    fn new(strategy: Strategy) -> Self {
        let pages = WindowedPages::new(Counted::new(OsPages::new()));
        let arenas = AllocatorBuilder::<System>::new()
            .build_arenas_over(PortableArenas::new(pages))
            .unwrap();
        let arenas = Arc::new(arenas);
        let engine = ArenaMemories::new(Arc::clone(&arenas), strategy)
            .engine(Config::new())
            .unwrap();
        WindowedPages::handle_faults().unwrap();
        let module = Module::new(&engine, GUEST).unwrap();
        Self {
            arenas,
            engine,
            module,
        }
    }

    fn guest(&self) -> Guest {
        let mut store = Store::new(&self.engine, ());
        let instance = Instance::new(&mut store, &self.module, &[]).unwrap();
        Guest { store, instance }
    }

    /// Enough guests that touch the first page only.
    fn calm(&self, lives: usize) {
        for _ in 0..lives {
            assert_eq!(self.guest().touch(0).unwrap(), 0);
        }
    }

    fn calls(&self, call: OsCall) -> usize {
        self.arenas
            .system()
            .source()
            .call_counts()
            .unwrap()
            .get(call)
    }

    /// Whether this kernel can tell what was touched, without which nothing is closed.
    fn closes(&self) -> bool {
        self.calls(OsCall::Touched) > 1
    }
}

impl Guest {
    fn touch(&mut self, at: usize) -> wasmtime::Result<i32> {
        let touch: TypedFunc<u32, i32> = self
            .instance
            .get_typed_func(&mut self.store, "touch")
            .unwrap();
        touch.call(&mut self.store, u32::try_from(at).unwrap())
    }

    fn bytes(&mut self) -> &mut [u8] {
        let memory = self.instance.get_memory(&mut self.store, "memory");
        memory.unwrap().data_mut(&mut self.store)
    }
}

fn both(test: impl Fn(Host)) {
    for strategy in Strategy::ALL {
        test(Host::new(strategy));
    }
}

#[test]
fn calm_guests_cost_no_call() {
    both(|host| {
        host.calm(10);
        let before = host.arenas.system().source().call_counts().unwrap();
        host.calm(200);
        let made = host
            .arenas
            .system()
            .source()
            .call_counts()
            .unwrap()
            .since(&before);
        assert!(!host.closes() || made.total() == 0, "{made:?}");
    });
}

#[test]
fn a_guest_that_goes_further_finds_zeros_and_the_next_does_too() {
    both(|host| {
        host.calm(10);
        for at in [PAGES * PAGE - 1, 5 * PAGE, 4096] {
            let mut deep = host.guest();
            assert_eq!(deep.touch(at).unwrap(), 0);
            assert_eq!(deep.touch(at).unwrap(), 7);
            drop(deep);
            let mut next = host.guest();
            assert_eq!(next.touch(at).unwrap(), 0);
            host.calm(100);
        }
    });
}

#[test]
fn strays_trap_whatever_is_closed() {
    both(|host| {
        host.calm(10);
        for at in [PAGES * PAGE, PAGES * PAGE + 4096, u32::MAX as usize] {
            let mut guest = host.guest();
            let error = guest.touch(at).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
            assert_eq!(guest.touch(PAGES * PAGE - 1).unwrap(), 0);
            host.calm(80);
        }
    });
}

#[test]
fn hosts_and_library_calls_reach_everything() {
    both(|host| {
        host.calm(10);
        let mut guest = host.guest();
        assert!(guest.bytes().iter().all(|byte| *byte == 0));
        host.calm(100);
        let mut guest = host.guest();
        guest.bytes()[9 * PAGE] = 1;
        assert_eq!(guest.touch(9 * PAGE).unwrap(), 1);
        host.calm(100);
        let mut guest = host.guest();
        let fill: TypedFunc<u32, ()> = guest
            .instance
            .get_typed_func(&mut guest.store, "fill")
            .unwrap();
        fill.call(&mut guest.store, u32::try_from(PAGES * PAGE).unwrap())
            .unwrap();
        assert!(guest.bytes().iter().all(|byte| *byte == 9));
        drop(guest);
        host.calm(100);
        let mut guest = host.guest();
        let grow: TypedFunc<(), i32> = guest
            .instance
            .get_typed_func(&mut guest.store, "grow")
            .unwrap();
        assert_eq!(grow.call(&mut guest.store, ()).unwrap(), 16);
        assert_eq!(guest.touch((PAGES + 3) * PAGE - 1).unwrap(), 0);
        assert!(
            guest.bytes()[1..(PAGES + 3) * PAGE - 1]
                .iter()
                .all(|byte| *byte == 0)
        );
    });
}

#[test]
fn threads_do_not_get_in_each_others_way() {
    both(|host| {
        host.calm(10);
        thread::scope(|scope| {
            for number in 0..4 {
                let host = &host;
                scope.spawn(move || {
                    for life in 0..300 {
                        let mut guest = host.guest();
                        assert_eq!(guest.touch(0).unwrap(), 0);
                        if life % 100 == 60 + number {
                            assert_eq!(guest.touch(11 * PAGE).unwrap(), 0);
                            assert!(guest.touch(PAGES * PAGE).is_err());
                        }
                    }
                });
            }
        });
    });
}
