//! Linear memories and runtime objects from wasm-arena, for NASA's SpaceWasm.
//!
//! SpaceWasm is an interpreter for flight software: no `std`, no `alloc`, and it asks its embedder
//! for every byte, through two traits. This crate answers both, within bounds that are known before
//! the program starts.
//!
//! ```text
//!   SpaceWasm ── WasmMemoryAllocator ─▶ ArenaMemories<R, N>   linear memory: at most N memories,
//!             │                              │                limits, budget, guards, accounts
//!             │                           Arenas
//!             └─ Allocator ──────────▶ RuntimeHeap<P>         code, stacks, tables: an arena-heap
//!                                            │                in constant time
//!                                   any page source: an array, or the system's pages
//! ```
//!
//! ```
//! use arena_heap::SharedArenaHeap;
//! use os::{FixedMemory, FixedStorage, OsPages, PageSize};
//! use spacewasm::{
//!     AllocError, CodeBuilder, CompilerOptions, Engine, InnerVec, Interpreter, InterpreterResult,
//!     InterpreterRunner, Module, Rc, Value, Vec, WasmRef, WasmStream,
//! };
//! use wasm_arena::{Arenas, MappedPages, MemoryBudget, MemoryOptions};
//! use wasm_arena_spacewasm::{ArenaMemories, RuntimeHeap};
//!
//! // Everything the runtime itself takes: one megabyte, part of the program.
//! static STORAGE: FixedStorage<{ 1 << 20 }> = FixedStorage::new();
//! spacewasm::global_allocator!(
//!     RuntimeHeap<FixedMemory<'static>>,
//!     RuntimeHeap::new(SharedArenaHeap::new(FixedMemory::in_storage(
//!         &STORAGE,
//!         PageSize::new(4096).unwrap(),
//!     )))
//! );
//!
//! static GUESTS: MemoryBudget = MemoryBudget::new("guests", 1 << 20);
//! static ARENAS: Arenas<MappedPages<OsPages>> = Arenas::new(MappedPages::new(OsPages::new()));
//!
//! /// Hands the module over in one piece.
//! struct Whole(Option<std::vec::Vec<u8>>, std::vec::Vec<u8>);
//!
//! impl WasmStream for Whole {
//!     fn read(&mut self) -> Result<Option<InnerVec<u8>>, u8> {
//!         let Some(bytes) = self.0.take() else {
//!             return Ok(None);
//!         };
//!         self.1 = bytes;
//!         let len = self.1.len();
//!         // SAFETY: the bytes stay in this stream until it is dropped.
//!         Ok(Some(unsafe { InnerVec::from_raw_parts(self.1.as_mut_ptr(), len, len) }))
//!     }
//!     fn return_(&mut self, _chunk: InnerVec<u8>) {}
//! }
//!
//! let mut options = MemoryOptions::default();
//! options.budget = Some((&GUESTS).into());
//! // SAFETY: nobody but SpaceWasm calls the methods of `WasmMemoryAllocator` on it.
//! let memories: ArenaMemories<_, 4> = unsafe { ArenaMemories::new(&ARENAS, options) }?;
//! let memories = Rc::new(memories).expect("room for a few words");
//!
//! let wasm = wat::parse_str(
//!     r#"(module
//!         (memory 1 8)
//!         (func (export "double") (param $address i32) (result i32)
//!             (drop (memory.grow (i32.const 3)))
//!             (i32.store (local.get $address) (i32.const 21))
//!             (i32.mul (i32.load (local.get $address)) (i32.const 2))))"#,
//! )?;
//! let mut engine = Engine::new(1024, 1, Vec::zero()).unwrap();
//! let limits = CompilerOptions {
//!     allow_memory_grow: true,
//!     max_backpatch_iterations: Some(1000),
//!     max_code_pages: 64,
//! };
//! let mut code = CodeBuilder::new(limits).unwrap();
//! let module = Module::new::<32, 64>(
//!     "guest",
//!     &mut Whole(Some(wasm), std::vec::Vec::new()),
//!     &mut engine.store,
//!     &mut code,
//!     memories.clone().into_wasm_memory_allocator(),
//! )
//! .unwrap();
//! let module = engine.push_module(module).unwrap();
//! engine.invoke(WasmRef { module, index: 0 }, &[Value::I32(4096)]).unwrap();
//! assert_eq!(Interpreter.run(code.pages(), &mut engine, 1000), InterpreterResult::Finished);
//! assert_eq!(engine.result.map(|value| value.read_i32()), Some(42));
//!
//! assert_eq!((memories.live(), GUESTS.used()), (1, 4 * 65_536));
//! drop(engine);
//! assert_eq!((memories.live(), GUESTS.used()), (0, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What you must know
//! - **Growth may move a memory**: SpaceWasm asks for its address again after each. While there is
//!   room it stays; [`MemoryOptions::growth_room`](wasm_arena::MemoryOptions::growth_room) decides.
//!   A move needs both regions, and their budget, for as long as it takes.
//! - **Refused growth** is -1 for the guest; [`ArenaMemories::last_refusal`] tells the host why.
//! - **Zero.** SpaceWasm writes zeros over new bytes itself, in the length of what is new.
//! - **Guards** catch stray accesses of the *host*: the interpreter compares every access of a guest.
//! - **Linear memory that is allocated later than the module** does not exist: SpaceWasm makes a
//!   module's memory when it decodes the module, and ends it with the engine's last reference.
//! - **Threads.** SpaceWasm is for one thread, and its macro keeps the allocator in a `static mut`.
//!   Both types here lock for a few dozen instructions, so they do not add to that.
//! - **The traits.** SpaceWasm declares `WasmMemoryAllocator::deallocate` as safe, though it ends
//!   memory that others may use; so [`ArenaMemories::new`] is unsafe instead.
//!
//! # Costs
//! Making and ending a memory: as with any [`Allocator`](wasm_arena::Allocator), and a search among
//! N places. Runtime objects: constant time.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

mod error;
mod heap;
mod memories;

pub use error::MemoryError;
pub use heap::RuntimeHeap;
pub use memories::ArenaMemories;
