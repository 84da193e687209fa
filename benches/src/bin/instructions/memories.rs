//! Linear memories, among few and among many.

use os::OsPages;
use wasm_arena::{
    Allocator, AllocatorBuilder, Arenas, GrowthRoom, PageAllocator, PortableArenas, RoomAccess,
    WASM_PAGE_SIZE,
};

use crate::Log;

const LIVE: [usize; 3] = [10, 1000, 100_000];
const CALLS: usize = 16;

type System = PortableArenas<OsPages>;
type Memory<'a> = Allocator<&'a Arenas<System>>;

/// A process may have 65,530 mappings, and guards are mappings of their own: without them, neighbours
/// count as one.
fn builder() -> AllocatorBuilder<System> {
    AllocatorBuilder::new()
        .with_guard_pages(false)
        .with_room_access(RoomAccess::Open)
        .with_growth_room(GrowthRoom::Bytes(WASM_PAGE_SIZE))
        .with_arena_cache_max_blocks(0)
        .with_arena_cache_max_size(1 << 40)
}

fn told<T>(result: Result<T, wasm_arena::AllocError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

pub(crate) fn run(log: &mut Log) -> Result<(), String> {
    for live in LIVE {
        among(log, live)?;
    }
    Ok(())
}

fn among(log: &mut Log, live: usize) -> Result<(), String> {
    let builder = builder();
    let arenas = told(builder.build_arenas_over(PortableArenas::new(OsPages::new())))?;
    let new = || told(builder.clone().build_in(&arenas));
    let mut others: Vec<Memory<'_>> = Vec::new();
    for number in 0..live {
        let mut memory = new()?;
        told(memory.allocate(1 + u32::from(number % 2 == 0), Some(3)))?;
        others.push(memory);
    }
    let mut memories = Vec::new();
    for _ in 0..CALLS {
        let mut memory = new()?;
        told(log.count("memory: allocate 1 page, fresh", live, || {
            memory.allocate(1, Some(2))
        }))?;
        told(log.count("memory: grow 1 page in place", live, || memory.grow(1, 1)))?;
        memories.push(memory);
    }
    for memory in &mut memories {
        told(log.count("memory: free, kept", live, || memory.free()))?;
    }
    for memory in &mut memories {
        told(
            log.count("memory: allocate 1 page, reused, 2 dirty", live, || {
                memory.allocate(1, Some(2))
            }),
        )?;
    }
    let hits = arenas.statistics().cache_hits;
    if hits == CALLS {
        Ok(())
    } else {
        Err(format!("{hits} of {CALLS} regions were used again"))
    }
}
