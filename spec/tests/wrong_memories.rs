//! Proof that the suite judges memory: memories with one defect each are found by it, and the same
//! memories without a defect are not.
//!
//! Only the unsafe traits that Wasmtime asks of memories need unsafe code; no defect is one that
//! would harm the process. Compiled code compares every access with the size here, so what is
//! claimed is all that matters, and what is claimed is always there.

#![allow(clippy::std_instead_of_alloc, reason = "a test has std")]

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use wasm_arena_spec::compare::{Tally, compare};
use wasm_arena_spec::judge::Judge;
use wasm_arena_spec::script::directives;
use wasm_arena_spec::suite::{File, files};
use wasm_arena_spec::wasmtime::{features, stock};
use wasmtime::{Engine, LinearMemory, MemoryCreator, MemoryType};

/// Bytes, eight at a time, that may be changed through shared references.
type Words = Arc<[AtomicU64]>;

const PAGE: usize = 65_536;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    /// Fresh memories hold what somebody left there.
    DirtyStart,
    /// What growth adds holds what somebody left there.
    DirtyGrowth,
    /// Growing forgets the contents.
    Forgets,
    /// Growing stops a page before what was asked for.
    OnePageShort,
    /// Growing adds a page more than was asked for.
    OnePageLong,
    /// Growing is refused.
    NeverGrows,
    /// Two memories of the same size have the same bytes.
    SameBytes,
}

#[derive(Debug)]
struct WrongCreator {
    defect: Defect,
    /// The memories made so far, for the defect that hands them out again.
    made: Mutex<Vec<Words>>,
}

#[derive(Debug)]
struct WrongMemory {
    defect: Defect,
    words: Words,
}

/// What somebody left there.
const DIRT: u64 = 0xa5a5_a5a5_a5a5_a5a5;

/// Larger than what the chosen files need.
const GREATEST: usize = 1 << 26;

fn words(bytes: usize, value: u64) -> Vec<AtomicU64> {
    assert_eq!(bytes % PAGE, 0);
    (0..bytes / size_of::<u64>())
        .map(|_| AtomicU64::new(value))
        .collect()
}

// SAFETY: with neither a reservation nor a guard in the engine's settings, and no image, compiled
// code and Wasmtime rely on the accessible bytes alone. They are zero but for `DirtyStart`, which
// only guests can tell.
unsafe impl MemoryCreator for WrongCreator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if reserved.unwrap_or(0) != 0 || guard != 0 || minimum > GREATEST {
            return Err("not for this test".to_owned());
        }
        let first = match self.defect {
            Defect::DirtyStart => DIRT,
            _ => 0,
        };
        let fresh = Words::from(words(minimum, first));
        let mut made = self.made.lock().unwrap();
        let same = made.iter().find(|other| other.len() == fresh.len());
        let words = match same {
            Some(same) if self.defect == Defect::SameBytes => Arc::clone(same),
            _ => fresh,
        };
        made.push(Arc::clone(&words));
        Ok(Box::new(WrongMemory {
            defect: self.defect,
            words,
        }))
    }
}

// SAFETY: `as_ptr` is the start of `byte_size` bytes that live as long as the memory, and change
// only by `grow_to`, which has the memory for itself. The bytes are behind shared references to
// atomics, so the pointer may be written through.
unsafe impl LinearMemory for WrongMemory {
    fn byte_size(&self) -> usize {
        size_of_val(&*self.words)
    }

    fn byte_capacity(&self) -> usize {
        self.byte_size()
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        let size = match self.defect {
            Defect::NeverGrows => return Err(wasmtime::Error::msg("a defect")),
            Defect::OnePageShort => new_size.saturating_sub(PAGE).max(self.byte_size()),
            Defect::OnePageLong => new_size + PAGE,
            _ => new_size,
        };
        if size > GREATEST {
            return Err(wasmtime::Error::msg("not for this test"));
        }
        let added = match self.defect {
            Defect::DirtyGrowth => DIRT,
            _ => 0,
        };
        let grown = words(size, added);
        if self.defect != Defect::Forgets {
            for (to, from) in grown.iter().zip(&*self.words) {
                to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
        self.words = grown.into();
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.words.as_ptr().cast::<u8>().cast_mut()
    }
}

fn engine(defect: Defect) -> Engine {
    let mut config = features();
    config
        .memory_reservation(0)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .guard_before_linear_memory(false)
        .memory_may_move(true)
        .memory_init_cow(false)
        // Heaps of garbage-collected objects stay out of it.
        .wasm_exceptions(false)
        .wasm_gc(false)
        .with_host_memory(Arc::new(WrongCreator {
            defect,
            made: Mutex::default(),
        }));
    Engine::new(&config).unwrap()
}

/// A few files about memory; the whole suite would take minutes.
fn chosen() -> Vec<File> {
    const CHOSEN: [&str; 8] = [
        "bulk-memory/memory_fill.wast",
        "memory64/memory_grow64.wast",
        "memory64/memory_redundancy64.wast",
        "multi-memory/load1.wast",
        "multi-memory/memory_grow.wast",
        "multi-memory/memory_size1.wast",
        "multi-memory/memory_trap1.wast",
        "multi-memory/store1.wast",
    ];
    let mut files = files();
    files.retain(|file| {
        let also = file.also.iter().map(String::as_str);
        also.chain([file.name.as_str()])
            .any(|name| CHOSEN.contains(&name))
    });
    assert_eq!(files.len(), CHOSEN.len(), "{files:?}");
    files
}

fn judged(defect: Defect) -> Tally {
    let (reference, wrong) = (stock().unwrap(), engine(defect));
    let mut tally = Tally::default();
    for file in chosen() {
        let directives = directives(file.text);
        let expected = reference.run(&directives).unwrap();
        let found = wrong.run(&directives).unwrap();
        tally.add(&compare(&file.name, &directives, &expected, &found));
    }
    tally
}

#[test]
fn a_memory_without_a_defect_passes() {
    let tally = judged(Defect::None);
    assert_eq!(tally.failures, [""; 0]);
    assert!(tally.assertions > 100, "{tally:?}");
}

#[test]
fn every_defect_is_found() {
    for defect in [
        Defect::DirtyStart,
        Defect::DirtyGrowth,
        Defect::Forgets,
        Defect::OnePageShort,
        Defect::OnePageLong,
        Defect::NeverGrows,
        Defect::SameBytes,
    ] {
        let tally = judged(defect);
        println!("{defect:?}: {}", tally.failures.len());
        assert!(!tally.failures.is_empty(), "{defect:?} was not found");
        assert!(tally.passed > 0, "{defect:?} broke everything");
    }
}
