//! Real modules in the real interpreter, on arena memory, with its own objects in an arena heap.

use std::collections::HashMap;

use arena_heap::SharedArenaHeap;
use os::{FixedMemory, FixedStorage, OsPages, PageSize};
use spacewasm::{
    CodeBuilder, CompilerOptions, Engine, ExportDesc, InnerVec, Interpreter, InterpreterResult,
    InterpreterRunner, Module, ModuleRef, ParseError, Rc, TrapReason, Value, Vec as SpaceVec,
    WasmMemoryAllocator, WasmRef, WasmStream,
};
use wasm_arena::{
    AllocError, Arenas, GrowthRoom, MappedPages, MemoryBudget, MemoryOptions, PortableArenas,
    Protection, SystemPages,
};
use wasm_arena_spacewasm::{ArenaMemories, MemoryError, RuntimeHeap};

/// The allocator of the whole program, as SpaceWasm's macro writes it.
#[allow(
    missing_docs,
    clippy::missing_safety_doc,
    reason = "a macro of SpaceWasm's"
)]
mod global {
    use super::*;

    static STORAGE: FixedStorage<{ 4 << 20 }> = FixedStorage::new();

    spacewasm::global_allocator!(
        RuntimeHeap<FixedMemory<'static>>,
        RuntimeHeap::new(SharedArenaHeap::new(FixedMemory::in_storage(
            &STORAGE,
            PageSize::new(4096).unwrap(),
        )))
    );

    pub(crate) fn heap() -> &'static RuntimeHeap<FixedMemory<'static>> {
        // SAFETY: nobody writes the pointer.
        let heap = unsafe { GLOBAL_ALLOCATOR };
        // SAFETY: only shared references to the allocator exist, anywhere.
        unsafe { &*heap }
    }
}

const PAGE: usize = 65_536;

const GUEST: &str = r#"(module
    (memory (export "memory") 1 16)
    (table 2 funcref)
    (elem (i32.const 0) $double)
    (data (i32.const 16) "from a data segment")
    (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "store") (param i32) (result i32)
        (i32.store8 (local.get 0) (i32.const 0xA5)) (memory.size))
    (func (export "through") (param i32) (result i32)
        (call_indirect (param i32) (result i32) (i32.const 21) (local.get 0)))
    (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
    (func (export "forever") (param i32) (result i32)
        (i32.add (i32.const 1) (call 6 (local.get 0))))
    (func (export "sum") (param i32) (result i32)
        (local $at i32) (local $sum i32)
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (i32.mul (memory.size) (i32.const 65536))))
            (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $next)))
        (local.get $sum)))"#;

/// Hands a module over in pieces.
struct Pieces {
    wasm: Vec<u8>,
    at: usize,
}

impl WasmStream for Pieces {
    fn read(&mut self) -> Result<Option<InnerVec<u8>>, u8> {
        let rest = &mut self.wasm[self.at..];
        let len = rest.len().min(100);
        if len == 0 {
            return Ok(None);
        }
        self.at += len;
        // SAFETY: the piece stays in this stream, unchanged, for as long as the module is read.
        Ok(Some(unsafe {
            InnerVec::from_raw_parts(rest.as_mut_ptr(), len, len)
        }))
    }

    fn return_(&mut self, _chunk: InnerVec<u8>) {}
}

struct Machine {
    engine: Engine,
    code: CodeBuilder,
    module: ModuleRef,
    exports: HashMap<String, u16>,
}

impl Machine {
    fn try_new(text: &str, memories: Rc<dyn WasmMemoryAllocator>) -> Result<Self, ParseError> {
        let mut engine = Engine::new(4096, 1, SpaceVec::zero()).unwrap();
        let options = CompilerOptions {
            allow_memory_grow: true,
            max_code_pages: 64,
            max_backpatch_iterations: Some(1000),
        };
        let mut code = CodeBuilder::new(options).unwrap();
        let mut pieces = Pieces {
            wasm: wat::parse_str(text).unwrap(),
            at: 0,
        };
        let module =
            Module::new::<32, 64>("guest", &mut pieces, &mut engine.store, &mut code, memories)?;
        let exports = module
            .exports
            .iter()
            .filter_map(|export| match export.desc {
                ExportDesc::Func(index) => {
                    Some((export.name.to_string(), u16::try_from(index.0).unwrap()))
                }
                _ => None,
            })
            .collect();
        let module = engine.push_module(module).unwrap();
        Ok(Self {
            engine,
            code,
            module,
            exports,
        })
    }

    fn call(&mut self, name: &str, argument: i32) -> Result<i32, TrapReason> {
        let callee = WasmRef {
            module: self.module,
            index: self.exports[name],
        };
        self.engine.invoke(callee, &[Value::I32(argument)]).unwrap();
        loop {
            // Bounded steps, as a cyclic task would take them.
            match Interpreter.run(self.code.pages(), &mut self.engine, 10_000) {
                InterpreterResult::OutOfFuel => {}
                InterpreterResult::Finished => {
                    return Ok(self.engine.result.unwrap().read_i32());
                }
                InterpreterResult::Trap(reason) => {
                    self.engine.reset();
                    return Err(reason);
                }
                InterpreterResult::Pause => panic!("nobody pauses it"),
            }
        }
    }
}

fn options(change: impl FnOnce(&mut MemoryOptions)) -> MemoryOptions {
    let mut options = MemoryOptions::default();
    change(&mut options);
    options
}

type Mapped = &'static Arenas<MappedPages<SystemPages>>;

fn arenas() -> Mapped {
    Box::leak(Box::new(Arenas::new(MappedPages::default())))
}

fn memories<const N: usize>(
    arenas: Mapped,
    options: MemoryOptions,
) -> Rc<ArenaMemories<Mapped, N>> {
    // SAFETY: only the interpreter calls the trait's methods.
    Rc::new(unsafe { ArenaMemories::new(arenas, options) }.unwrap()).unwrap()
}

#[test]
fn a_guest_computes_grows_traps_and_goes_on() {
    let arenas = arenas();
    for room in [GrowthRoom::Automatic, GrowthRoom::Bytes(0)] {
        let memories = memories::<2>(arenas, options(|o| o.growth_room = room));
        let mut guest =
            Machine::try_new(GUEST, memories.clone().into_wasm_memory_allocator()).unwrap();
        let text: i32 = b"from a data segment"
            .iter()
            .map(|&byte| i32::from(byte))
            .sum();
        for (pages, more) in [(1, 2), (3, 5), (8, 8)] {
            assert_eq!(guest.call("sum", 0), Ok(text), "grown bytes are zero");
            let last = pages * 65_536 - 1;
            assert_eq!(guest.call("load", last), Ok(0));
            for beyond in [last + 1, i32::MAX, -1] {
                let trap = Err(TrapReason::MemoryOutOfBounds);
                assert_eq!(guest.call("load", beyond), trap);
                assert_eq!(guest.call("store", beyond), trap);
            }
            assert_eq!(guest.call("divide", 0), Err(TrapReason::DivideByZero));
            assert_eq!(guest.call("forever", 0), Err(TrapReason::StackOverflow));
            assert_eq!(guest.call("through", 0), Ok(42));
            assert!(guest.call("through", 1).is_err());
            assert_eq!(guest.call("grow", more), Ok(pages));
            memories.verify().unwrap();
        }
        assert_eq!(guest.call("grow", 1), Ok(-1), "beyond its maximum");
        let mut shown = Vec::new();
        memories.for_each(|statistics| shown.push(*statistics));
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].current_bytes, 16 * PAGE);
        assert_eq!(shown[0].moves > 0, room == GrowthRoom::Bytes(0));
        assert_eq!(arenas.statistics().live_memories, 1);
        drop(guest);
        assert_eq!((memories.live(), memories.strays()), (0, 0));
        assert_eq!(arenas.statistics().live_memories, 0);
    }
}

#[test]
fn growth_ends_at_budget_and_maximum_and_the_host_is_told_why() {
    static GUESTS: MemoryBudget = MemoryBudget::new("guests", 4 * PAGE);
    let arenas = arenas();
    let with_budget = options(|o| o.budget = Some((&GUESTS).into()));
    let held = memories::<2>(arenas, with_budget);
    let mut guest = Machine::try_new(GUEST, held.clone().into_wasm_memory_allocator()).unwrap();
    guest.call("store", 77).unwrap();
    assert_eq!(guest.call("grow", 3), Ok(1));
    assert_eq!(guest.call("grow", 1), Ok(-1));
    assert_eq!(guest.call("load", 77), Ok(0xA5), "what there was is there");
    assert_eq!(held.refusals(), 1);
    let why = held.last_refusal().unwrap().to_string();
    assert!(why.contains("\"guests\""), "{why}");
    // One more memory is beyond the budget, too.
    assert!(Machine::try_new(GUEST, held.clone().into_wasm_memory_allocator()).is_err());
    drop(guest);
    assert_eq!(GUESTS.used(), 0);

    // SAFETY: only the interpreter calls the trait's methods.
    let capped = unsafe { ArenaMemories::<_, 1>::new(arenas, MemoryOptions::default()) }
        .unwrap()
        .with_maximum_bytes(3 * PAGE);
    let capped = Rc::new(capped).unwrap();
    let mut guest = Machine::try_new(GUEST, capped.clone().into_wasm_memory_allocator()).unwrap();
    assert_eq!(guest.call("grow", 3), Ok(-1));
    assert_eq!(guest.call("grow", 2), Ok(1));
    assert_eq!(
        capped.last_refusal(),
        Some(MemoryError::Alloc(AllocError::BeyondMaximum {
            requested: 4 * PAGE as u64,
            maximum: 3 * PAGE
        }))
    );
    // The only place is taken.
    assert!(Machine::try_new(GUEST, capped.clone().into_wasm_memory_allocator()).is_err());
    assert_eq!(
        capped.last_refusal(),
        Some(MemoryError::TooManyMemories { limit: 1 })
    );
    assert_eq!(
        arenas.statistics().live_memories,
        1,
        "nothing is left behind"
    );
    drop(guest);
    let large = GUEST.replace(" 1 16)", " 4 16)");
    assert!(Machine::try_new(&large, capped.clone().into_wasm_memory_allocator()).is_err());
    assert_eq!(arenas.statistics().live_memories, 0);
}

#[test]
fn what_one_guest_leaves_the_next_does_not_see() {
    let arenas: &'static Arenas<PortableArenas<OsPages>> =
        Box::leak(Box::new(Arenas::new(PortableArenas::new(OsPages::new()))));
    // SAFETY: only the interpreter calls the trait's methods.
    let memories = unsafe { ArenaMemories::<_, 8>::new(arenas, MemoryOptions::default()) };
    let memories = Rc::new(memories.unwrap()).unwrap();
    for _ in 0..4 {
        let mut guests: Vec<Machine> = (0..3)
            .map(|_| {
                Machine::try_new(GUEST, memories.clone().into_wasm_memory_allocator()).unwrap()
            })
            .collect();
        for guest in &mut guests {
            assert_eq!(
                guest.call("load", 70_000),
                Err(TrapReason::MemoryOutOfBounds)
            );
            assert_eq!(guest.call("grow", 15), Ok(1));
            for at in (100..16 * 65_536).step_by(65_536) {
                assert_eq!(guest.call("load", at), Ok(0));
                assert_eq!(guest.call("store", at), Ok(16));
            }
        }
    }
    assert!(arenas.statistics().cache_hits >= 9);
    assert_eq!(memories.strays(), 0);
}

#[test]
fn calls_that_make_no_sense_are_refused() {
    let memories = memories::<1>(arenas(), MemoryOptions::default());
    let layout = core::alloc::Layout::from_size_align;
    assert!(memories.allocate(layout(PAGE, 1 << 20).unwrap()).is_err());
    assert!(matches!(
        memories.last_refusal(),
        Some(MemoryError::Alignment {
            requested: 0x10_0000,
            ..
        })
    ));
    let page = layout(PAGE, 16).unwrap();
    let base = memories.allocate(page).unwrap();
    let two = layout(2 * PAGE, 16).unwrap();
    let stranger = core::ptr::NonNull::<u8>::dangling();
    for (base, from, to) in [
        (stranger, page, two),
        (base, two, two),
        (base, page, layout(1, 1).unwrap()),
    ] {
        assert!(memories.reallocate(base, from, to).is_err());
        assert_eq!(memories.last_refusal(), Some(MemoryError::Unknown));
    }
    memories.deallocate(stranger, page);
    assert_eq!((memories.live(), memories.strays()), (1, 1));
    memories.deallocate(base, page);
    memories.deallocate(base, page);
    assert_eq!((memories.live(), memories.strays()), (0, 2));
    let read_only = options(|o| o.data_protection = Protection::Read);
    // SAFETY: nobody gets it.
    let refused = unsafe { ArenaMemories::<_, 1>::new(arenas(), read_only) };
    assert_eq!(refused.err(), Some(MemoryError::DataProtection));
}

/// The interpreter's own objects are in the heap, and an end of the heap is an answer.
#[test]
fn the_runtimes_own_objects_are_the_heaps() {
    use spacewasm::Allocator;
    static SMALL: FixedStorage<{ 256 << 10 }> = FixedStorage::new();
    let heap = RuntimeHeap::new(SharedArenaHeap::new(FixedMemory::in_storage(
        &SMALL,
        PageSize::new(4096).unwrap(),
    )));
    let layout = core::alloc::Layout::from_size_align(4096, 16).unwrap();
    let mut blocks = Vec::new();
    let refusal = loop {
        // SAFETY: the layout has a size.
        match unsafe { heap.alloc(layout) } {
            Ok(block) => blocks.push(block),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal, spacewasm::AllocError::OutOfMemory);
    assert!(blocks.len() > 8, "{} blocks", blocks.len());
    for block in blocks {
        // SAFETY: each is a block of this heap, and not used again.
        unsafe { heap.dealloc(block, layout) };
    }
    heap.heap().verify().unwrap();
    assert_eq!(heap.heap().statistics().list_allocated_bytes, 0);
    // That of the whole program is in use while an engine lives.
    let whole = global::heap();
    let before = whole.heap().statistics().allocations;
    let engine = Engine::new(4096, 1, SpaceVec::zero()).unwrap();
    assert!(whole.heap().statistics().allocations > before);
    drop(engine);
    whole.heap().verify().unwrap();
}
