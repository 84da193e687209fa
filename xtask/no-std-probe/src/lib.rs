//! Uses all of the libraries, without a system: for a look at what the machine code needs.
//!
//! Nobody runs this; it is compiled so that generic code becomes code. Each function is exported,
//! so that none of it can be dropped.
#![no_std]

use core::alloc::Layout;
use core::panic::PanicInfo;

use arena_heap::ArenaHeap;
use os::{FixedMemory, FixedStorage, OsPages, PageSize, PageSource, ThreadSlot};
use wasm_arena::{
    AllocError, AllocatorBuilder, ArenaSystem, Arenas, LinearMemory, MappedPages, MemoryBudget,
    PageAllocator, PortableArenas, Protection, QnxAllocatorBuilder, QnxArenaAllocatorBuilder,
    VerificationLevel,
};
use wasm_arena_wasmtime_platform::Platform;

static STORAGE: FixedStorage<{ 1 << 20 }> = FixedStorage::new();
static PAGES: FixedMemory<'static> = FixedMemory::in_storage(
    &STORAGE,
    match PageSize::new(4096) {
        Some(size) => size,
        None => panic!("4096 is a power of two"),
    },
);

static BUDGET: MemoryBudget = MemoryBudget::new("probe", 1 << 20);

static PORTABLE: Arenas<PortableArenas<&'static FixedMemory<'static>>> =
    Arenas::new(PortableArenas::new(&PAGES));
static MAPPED: Arenas<MappedPages<&'static FixedMemory<'static>>> =
    Arenas::new(MappedPages::new(&PAGES));
static PORTABLE_OF_THE_SYSTEM: Arenas<PortableArenas<OsPages>> =
    Arenas::new(PortableArenas::new(OsPages::new()));
static MAPPED_OF_THE_SYSTEM: Arenas<MappedPages<OsPages>> =
    Arenas::new(MappedPages::new(OsPages::new()));

/// What Wasmtime would ask of a board.
static PLATFORM: Platform<&'static FixedMemory<'static>> =
    Platform::new(&PAGES, [ThreadSlot::new(), ThreadSlot::new()]);

wasm_arena_wasmtime_platform::export!(PLATFORM);

/// A memory's life: all that a runtime does with one.
fn life<S: ArenaSystem>(arenas: &'static Arenas<S>) -> Result<usize, AllocError> {
    let allocator = AllocatorBuilder::<S>::new()
        .with_verification_level(VerificationLevel::Critical)
        .with_budget(&BUDGET)
        .build_in(arenas)?;
    let mut memory = LinearMemory::new(allocator, 1, Some(4))?;
    memory.write(7, b"a guest")?;
    memory.grow(2)?;
    memory.protect(0, 4096, Protection::Read)?;
    let word = memory.read_le::<u32>(8)?;
    memory.reset()?;
    let mut allocator = memory.into_allocator()?;
    allocator.allocate(1, None)?;
    allocator.verify()?;
    allocator.free()?;
    Ok(arenas.trim()? + arenas.statistics().live_memories + word as usize)
}

fn heap<P: PageSource>(source: P) -> Option<usize> {
    let mut heap = ArenaHeap::new(source);
    let block = heap.allocate(Layout::new::<[u64; 9]>()).ok()?;
    // SAFETY: just allocated, and not used again by this name.
    let block = unsafe { heap.reallocate(block, Layout::new::<[u64; 999]>()) }.ok()?;
    // SAFETY: live, and not used again.
    unsafe { heap.deallocate(block) }.ok()?;
    heap.verify().ok()?;
    Some(heap.trim().bytes + heap.statistics().mapped_bytes)
}

/// Heaps over both sources of pages.
#[unsafe(no_mangle)]
pub extern "C" fn probe_heaps() -> usize {
    heap(&PAGES).unwrap_or(1) + heap(OsPages::new()).unwrap_or(1)
}

/// Memories of both systems over the caller's array.
#[unsafe(no_mangle)]
pub extern "C" fn probe_fixed_memory() -> usize {
    life(&PORTABLE).unwrap_or(1) + life(&MAPPED).unwrap_or(1)
}

/// Memories of both systems over the pages of the operating system.
#[unsafe(no_mangle)]
pub extern "C" fn probe_system_pages() -> usize {
    life(&PORTABLE_OF_THE_SYSTEM).unwrap_or(1) + life(&MAPPED_OF_THE_SYSTEM).unwrap_or(1)
}

/// The allocators by the names a runtime knows them by, on the libraries' own choice of pages.
#[unsafe(no_mangle)]
pub extern "C" fn probe_named_allocators() -> usize {
    let arena = QnxArenaAllocatorBuilder::new().build();
    let plain = QnxAllocatorBuilder::new().build();
    usize::from(arena.is_ok()) + usize::from(plain.is_ok())
}

/// What must be noticed.
#[cfg(feature = "tainted")]
#[unsafe(no_mangle)]
pub extern "C" fn probe_tainted() -> usize {
    unsafe extern "C" {
        fn malloc(len: usize) -> *mut u8;
    }
    // SAFETY: never run; malloc accepts any length.
    unsafe { malloc(1) }.addr()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
