//! The traps of custom memory: each is shown to snap with a naive creator, and not to with ours.

mod common;

use core::ops::Range;
use std::process::Command;
use std::sync::Arc;

use common::{Guest, PAGE, config, mapped, portable};
use wasm_arena::{ArenaSystem, Arenas};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, LinearMemory, MemoryCreator, MemoryType, Module,
    PoolingAllocationConfig, Trap,
};

/// Bytes of the host's buffer in which the naive memories lie, and where they start in it.
const BUFFER: usize = 1 << 20;
const START: usize = 256 << 10;

/// Hands out the middle of one big buffer, and ignores reservation and guard: what a first attempt
/// at a creator looks like. What lies around the memory stands for the host's own data.
#[derive(Clone)]
struct Naive(Arc<Buffer>);

struct Buffer {
    start: usize,
    bytes: Box<[core::cell::UnsafeCell<u8>]>,
}

// SAFETY: the tests use a buffer from one thread at a time.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Naive {
    fn new() -> Self {
        let mut bytes = Vec::new();
        bytes.resize_with(BUFFER + PAGE, || core::cell::UnsafeCell::new(0));
        let bytes = bytes.into_boxed_slice();
        let aligned = bytes.as_ptr().addr().next_multiple_of(PAGE) - bytes.as_ptr().addr();
        Self(Arc::new(Buffer {
            start: aligned + START,
            bytes,
        }))
    }

    fn base(&self) -> *mut u8 {
        self.0.bytes[self.0.start].get()
    }

    /// Bytes of the host's buffer, counted from the base of the memory.
    fn beside_memory(&self, range: Range<usize>) -> Vec<u8> {
        let start = self.0.start;
        self.0.bytes[start + range.start..start + range.end]
            .iter()
            // SAFETY: no guest runs at the moment, and no reference into the buffer exists.
            .map(|byte| unsafe { *byte.get() })
            .collect()
    }
}

struct NaiveMemory(Naive, usize);

// SAFETY: deliberately none: it shows what happens without the promises of the trait. The buffer
// is large enough for everything the tests let the guests reach.
unsafe impl MemoryCreator for Naive {
    fn new_memory(
        &self,
        _type: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        _ignored_reservation: Option<usize>,
        _ignored_guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        Ok(Box::new(NaiveMemory(self.clone(), minimum)))
    }
}

// SAFETY: as above.
unsafe impl LinearMemory for NaiveMemory {
    fn byte_size(&self) -> usize {
        self.1
    }

    fn byte_capacity(&self) -> usize {
        self.1
    }

    fn grow_to(&mut self, _size: usize) -> wasmtime::Result<()> {
        Err(wasmtime::format_err!("never"))
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.base()
    }
}

/// A change of settings.
type Change = fn(&mut Config);

/// Everything a user might set before, each contradicting the strategies somehow.
fn contrary_configs() -> Vec<Config> {
    let changes: [Change; 9] = [
        |_| (),
        |config| {
            config.memory_init_cow(true);
        },
        |config| {
            config
                .memory_reservation(4 << 30)
                .memory_guard_size(2 << 30);
        },
        |config| {
            config.memory_reservation(0).memory_guard_size(65_536);
        },
        |config| {
            config.memory_may_move(false).memory_reservation(1 << 20);
        },
        |config| {
            config
                .guard_before_linear_memory(true)
                .memory_reservation_for_growth(1 << 30);
        },
        |config| {
            config
                .gc_heap_reservation(1 << 20)
                .gc_heap_guard_size(4096)
                .gc_heap_may_move(false)
                .gc_heap_reservation_for_growth(77 << 20);
        },
        |config| {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(
                PoolingAllocationConfig::new(),
            ));
        },
        |config| {
            config.with_host_memory(Arc::new(Naive::new()));
        },
    ];
    changes
        .into_iter()
        .map(|change| {
            let mut config = config();
            change(&mut config);
            config
        })
        .collect()
}

/// One engine for each strategy, system and contrary configuration.
fn all_engines(mut check: impl FnMut(&Engine, &dyn Fn() -> usize)) {
    fn engines<S: ArenaSystem + 'static>(
        arenas: fn() -> Arc<Arenas<S>>,
        check: &mut impl FnMut(&Engine, &dyn Fn() -> usize),
    ) {
        for strategy in Strategy::ALL {
            for config in contrary_configs() {
                let memories = ArenaMemories::new(arenas(), strategy);
                let engine = memories.engine(config).unwrap();
                check(&engine, &|| {
                    memories.arenas().statistics().memories_allocated
                });
            }
        }
    }
    engines(portable, &mut check);
    engines(mapped, &mut check);
}

const WITH_DATA: &str = r#"(module (memory (export "memory") 1)
    (data (i32.const 100) "an image"))"#;

/// Trap 1: with image-based initialisation, Wasmtime maps images over memories and panics if they
/// are not its own.
#[test]
fn images_with_a_custom_creator() {
    const CHILD: &str = "WASM_ARENA_TEST_NAIVE_IMAGE";
    if std::env::var_os(CHILD).is_some() {
        let mut config = Config::new();
        config
            .memory_init_cow(true)
            .with_host_memory(Arc::new(Naive::new()));
        let engine = Engine::new(&config).unwrap();
        Guest::from_text(&engine, WITH_DATA);
        println!("the naive creator survived");
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "images_with_a_custom_creator", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(!child.status.success(), "{output}");
    assert!(
        output.contains("memory_image is Some only for mmap-based memories"),
        "{output}"
    );
    assert!(!output.contains("the naive creator survived"));

    all_engines(|engine, memories_allocated| {
        let mut guest = Guest::from_text(engine, WITH_DATA);
        assert_eq!(&guest.data()[100..108], b"an image");
        assert_eq!(memories_allocated(), 1, "the memory came from elsewhere");
    });
}

const STORES: &str = r#"(module (memory (export "memory") 1)
    (func (export "near") (param i32) (i32.store (local.get 0) (i32.const -1)))
    (func (export "far") (param i32) (i32.store offset=4096 (local.get 0) (i32.const -1))))"#;

/// Where the stores of the next two tests go: past the end of the memory of one page.
fn strays() -> [(&'static str, i32, usize); 4] {
    [
        ("near", 65_536, 65_536),
        ("near", 65_536 + 1000, 65_536 + 1000),
        ("near", 400_000, 400_000),
        ("far", 65_536, 65_536 + 4096),
    ]
}

/// How many of the strays reach the host's buffer beside a naive memory.
fn strays_that_land(mut config: Config) -> usize {
    let naive = Naive::new();
    config.with_host_memory(Arc::new(naive.clone()));
    let engine = Engine::new(&config).unwrap();
    let mut guest = Guest::from_text(&engine, STORES);
    let mut landed = 0;
    for (name, index, place) in strays() {
        assert_eq!(naive.beside_memory(place..place + 4), [0; 4]);
        if guest.call::<_, ()>(name, index).is_ok() {
            assert_eq!(naive.beside_memory(place..place + 4), [0xff; 4]);
            landed += 1;
        }
    }
    landed
}

/// Trap 2: with the default settings of a 64-bit host no store is checked. Trap 3: with a guard
/// alone, stores at constant offsets up to its size are checked as if the offset were 0.
#[test]
fn a_reservation_or_guard_that_is_ignored() {
    let mut reserved = Config::new();
    reserved.memory_init_cow(false);
    assert_eq!(strays_that_land(reserved), 4);

    let mut guarded = Config::new();
    guarded
        .memory_init_cow(false)
        .memory_reservation(0)
        .memory_guard_size(65_536)
        .memory_may_move(true);
    // "near" at the very end passes as well: its index is not *beyond* the bound.
    assert_eq!(strays_that_land(guarded), 2);

    all_engines(|engine, memories_allocated| {
        let module = Module::new(engine, STORES).unwrap();
        let mut guests = [Guest::new(engine, &module), Guest::new(engine, &module)];
        let addresses = guests.each_mut().map(|guest| guest.data().as_ptr().addr());
        // The strays, and the distance to each other: the most interesting place to reach.
        let to_neighbour = addresses[1].wrapping_sub(addresses[0]);
        for (name, index, _) in strays() {
            assert_eq!(guests[0].trap(name, index), Trap::MemoryOutOfBounds);
        }
        for distance in [to_neighbour, to_neighbour.wrapping_neg()] {
            if let Ok(index) = u32::try_from(distance) {
                assert_eq!(guests[0].trap("near", index), Trap::MemoryOutOfBounds);
                assert_eq!(
                    guests[0].trap("far", index.wrapping_sub(4096)),
                    Trap::MemoryOutOfBounds
                );
            }
        }
        for guest in &mut guests {
            assert!(guest.data().iter().all(|&byte| byte == 0));
        }
        assert_eq!(memories_allocated(), 2);
    });
}

/// Trap 4: the configuration of an engine can be copied, changed, and used for another engine, with
/// our creator in it. It refuses what it does not provide, and says which setting that is.
#[test]
fn a_copied_configuration_that_promises_more() {
    let changes: [(&str, Change); 4] = [
        ("memory_guard_size", |config| {
            config.memory_guard_size(1 << 30);
        }),
        ("memory_reservation", |config| {
            config.memory_reservation(1 << 40);
        }),
        ("gc_heap", |config| {
            config.gc_heap_guard_size(1 << 30);
        }),
        ("nothing", |config| {
            config.memory_may_move(false).signals_based_traps(false);
        }),
    ];
    for strategy in Strategy::ALL {
        for (setting, change) in changes {
            let memories = ArenaMemories::new(portable(), strategy);
            let mut config = memories.engine(config()).unwrap().config().clone();
            change(&mut config);
            let engine = Engine::new(&config).unwrap();
            let module = Module::new(&engine, STORES).unwrap();
            let is_refused = match strategy {
                Strategy::Bounded => setting.starts_with("memory_"),
                // A larger reservation is nothing but address space, and is provided.
                _ => setting == "memory_guard_size",
            };
            match Guest::try_new(&engine, &module) {
                Ok(mut guest) => {
                    assert!(!is_refused, "{strategy}: {setting}");
                    for (name, index, _) in strays() {
                        assert_eq!(guest.trap(name, index), Trap::MemoryOutOfBounds);
                    }
                }
                Err(error) => {
                    let message = format!("{error:#}");
                    assert!(is_refused && message.contains(setting), "{message}");
                }
            }
        }
    }
}

/// Trap 5: code compiled for one set of promises must not run with another.
#[test]
fn precompiled_modules_of_other_engines() {
    let stock = Engine::new(&config()).unwrap();
    let engines: Vec<_> = Strategy::ALL
        .into_iter()
        .map(|strategy| {
            ArenaMemories::new(mapped(), strategy)
                .engine(config())
                .unwrap()
        })
        .chain([stock])
        .collect();
    for (made, maker) in engines.iter().enumerate() {
        let code = maker.precompile_module(STORES.as_bytes()).unwrap();
        for (used, user) in engines.iter().enumerate() {
            // SAFETY: the bytes come from `precompile_module`, unchanged.
            let module = unsafe { Module::deserialize(user, &code) };
            assert_eq!(module.is_ok(), made == used, "made {made}, used {used}");
        }
    }
}
