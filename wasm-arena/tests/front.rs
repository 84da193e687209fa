//! Regions that wait for their thread count like any that are kept: limits hold, accounts are exact,
//! and nothing is lost with them.

use os::{Counted, OsPages, PageSource};
use wasm_arena::{
    Allocator, AllocatorBuilder, ArenaSystem, Arenas, ArenasStatistics, GrowthRoom, PageAllocator,
    PortableArenas, RoomAccess, WASM_PAGE_SIZE,
};

type Portable = PortableArenas<Counted<OsPages>>;
type Memory<'a> = Allocator<&'a Arenas<Portable>>;

/// The least that leaves room for the front.
const BLOCKS: usize = 16;

/// Regions that may wait in the front, or count there while they are in use.
const SLOTS: usize = 8;

fn builder() -> AllocatorBuilder<Portable> {
    AllocatorBuilder::new()
        .with_lifo_free(true)
        .with_arena_cache_max_blocks(BLOCKS)
}

fn memory<'a>(builder: &AllocatorBuilder<Portable>, arenas: &'a Arenas<Portable>) -> Memory<'a> {
    builder.clone().build_in(arenas).unwrap()
}

fn calls(arenas: &Arenas<Portable>) -> usize {
    arenas.system().source().call_counts().unwrap().total()
}

/// Allocates, checks that all is zero, and writes everything.
fn live(memory: &mut Memory<'_>, pages: u32, value: u8) {
    let (base, size) = memory.allocate(pages, Some(pages)).unwrap();
    // SAFETY: initialised memory of that size, and nobody else's.
    let bytes = unsafe { core::slice::from_raw_parts_mut(base.as_ptr(), size) };
    assert!(bytes.iter().all(|byte| *byte == 0));
    bytes.fill(value);
}

#[test]
fn accounts_follow_a_model() {
    let builder = builder();
    let arenas = builder.build_arenas().unwrap();
    let mut memories: Vec<_> = (0..40).map(|_| memory(&builder, &arenas)).collect();
    let (mut allocated, mut kept, mut seed) = (0, 0, 3_u32);
    for _ in 0..4000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let index = (seed >> 16) as usize % memories.len();
        let memory = &mut memories[index];
        let before = arenas.statistics();
        if memory.size() == 0 {
            live(memory, 1, 0x5e);
            allocated += 1;
            let from_cache = memory.statistics().from_cache;
            assert_eq!(from_cache, kept > 0, "what is kept is taken");
            kept -= usize::from(from_cache);
        } else {
            let address = memory.base().unwrap().addr().get();
            let described = arenas.describe_address(address).unwrap().unwrap();
            assert_eq!(Some(described.memory), memory.id());
            memory.free().unwrap();
            assert_eq!(arenas.describe_address(address), Ok(None));
            // What was there before, and this one while there is room. Should the thread be taken for
            // several, as it may, slots whose regions are in use count, too.
            let more = arenas.statistics().cached_regions - kept;
            assert!(more == 1 || (more == 0 && kept + SLOTS >= BLOCKS));
            kept += more;
        }
        let now = arenas.statistics();
        assert_eq!(now.memories_allocated, allocated);
        assert_eq!(now.cached_regions, kept);
        assert!(kept <= BLOCKS);
        assert_eq!(now.cached_bytes, kept * WASM_PAGE_SIZE);
        let live = memories.iter().filter(|memory| memory.size() > 0).count();
        assert_eq!(now.live_memories, live);
        assert_eq!(now.cache_hits + now.cache_misses, allocated);
        let regions =
            |statistics: &ArenasStatistics| statistics.live_memories + statistics.cached_regions;
        assert!(regions(&now) <= regions(&before) + 1);
        assert_eq!(
            now.accessible_bytes,
            regions(&now) * WASM_PAGE_SIZE,
            "neither lost nor counted twice"
        );
    }
    drop(memories);
    let kept = arenas.statistics().cached_regions;
    assert!((BLOCKS - SLOTS..=BLOCKS).contains(&kept), "{kept}");
    arenas.trim().unwrap();
    let end = arenas.statistics();
    assert_eq!((end.cached_regions, end.cached_bytes), (0, 0));
    assert_eq!((end.reserved_bytes, end.live_memories), (0, 0));
}

#[test]
fn a_limit_of_bytes_holds_with_regions_that_wait() {
    let limit = 3 * WASM_PAGE_SIZE;
    let builder = builder().with_arena_cache_max_size(limit);
    let arenas = builder.build_arenas().unwrap();
    let mut memories: Vec<_> = (0..6).map(|_| memory(&builder, &arenas)).collect();
    for pages in [1, 3, 2, 4, 1] {
        for memory in &mut memories {
            live(memory, pages, 0x5e);
        }
        for memory in &mut memories {
            memory.free().unwrap();
            let now = arenas.statistics();
            assert!(now.cached_bytes <= limit);
            // Walks the register: what went back is no longer in it.
            assert!(arenas.measure_resident().unwrap() <= now.accessible_bytes);
        }
    }
}

#[test]
fn sealed_arenas_find_what_waits_for_other_threads() {
    let builder = builder();
    let arenas = builder.build_arenas().unwrap();
    // All at once on their own stacks, so that most have slots of their own.
    let barrier = std::sync::Barrier::new(6);
    std::thread::scope(|scope| {
        for value in 1..=6 {
            let (builder, arenas, barrier) = (&builder, &arenas, &barrier);
            scope.spawn(move || {
                let mut memory = memory(builder, arenas);
                live(&mut memory, 1, value);
                barrier.wait();
                memory.free().unwrap();
            });
        }
    });
    assert_eq!(arenas.statistics().cached_regions, 6);
    arenas.seal();
    let before = calls(&arenas);
    let mut memories: Vec<_> = (0..6).map(|_| memory(&builder, &arenas)).collect();
    for memory in &mut memories {
        live(memory, 1, 0x5e);
    }
    assert_eq!(calls(&arenas), before);
    assert_eq!(arenas.statistics().cached_regions, 0);
    assert_eq!(arenas.statistics().cache_hits, 6);
}

#[test]
fn a_sealed_memory_moves_into_a_region_that_waits() {
    let builder = builder()
        .with_room_access(RoomAccess::Open)
        .with_growth_room(GrowthRoom::Bytes(0));
    let arenas = builder.build_arenas().unwrap();
    let (mut large, mut small) = (memory(&builder, &arenas), memory(&builder, &arenas));
    live(&mut small, 1, 0x5e);
    small.free().unwrap();
    small.allocate(1, Some(8)).unwrap();
    // As large as the small one gets by moving: half as much again as two pages.
    large.allocate(3, Some(3)).unwrap();
    large.free().unwrap();
    arenas.seal();
    let before = arenas.statistics();
    small.grow(1, 1).unwrap();
    let now = arenas.statistics();
    assert_eq!(small.statistics().moves, 1);
    assert_eq!(now.cache_hits, before.cache_hits + 1);
    assert_eq!(now.memories_allocated, before.memories_allocated);
    assert_eq!(now.live_memories, before.live_memories);
    assert_eq!(now.cached_regions, before.cached_regions);
}

#[test]
fn lowered_limits_act_at_once_on_what_waits() {
    let builder = builder();
    let arenas = builder.build_arenas().unwrap();
    let as_built = arenas.options();
    for way in 0..3 {
        let mut memory = memory(&builder, &arenas);
        live(&mut memory, 1, 0x5e);
        memory.free().unwrap();
        assert_eq!(arenas.statistics().cached_regions, 1);
        let mut options = arenas.options();
        match way {
            0 => options.cache_max_blocks = 0,
            1 => options.cache_max_bytes = WASM_PAGE_SIZE / 2,
            _ => options.lifo_free = false,
        }
        arenas.configure(options).unwrap();
        // The last one changes the order only.
        let kept = usize::from(way == 2);
        assert_eq!(arenas.statistics().cached_regions, kept, "{way}");
        live(&mut memory, 1, 0x5e);
        assert_eq!(memory.statistics().from_cache, kept == 1, "{way}");
        memory.free().unwrap();
        arenas.configure(as_built).unwrap();
        arenas.trim().unwrap();
    }
}

#[test]
fn threads_that_hand_regions_around_find_them_zero() {
    let builder = builder();
    let arenas = builder.build_arenas().unwrap();
    std::thread::scope(|scope| {
        for value in 1..=4_u8 {
            let (builder, arenas) = (&builder, &arenas);
            scope.spawn(move || {
                let mut memories = [memory(builder, arenas), memory(builder, arenas)];
                for round in 0..1500_u32 {
                    let pages = 1 + (round / 7 + u32::from(value)) % 3;
                    live(&mut memories[0], pages, value);
                    if round % 3 == 0 {
                        live(&mut memories[1], pages, value);
                        memories[1].free().unwrap();
                    }
                    memories[0].free().unwrap();
                    if round % 100 == 0 {
                        arenas.trim().unwrap();
                    }
                    assert!(arenas.statistics().cached_regions <= BLOCKS);
                }
            });
        }
    });
    let end = arenas.statistics();
    assert_eq!(end.live_memories, 0);
    assert_eq!(end.memories_allocated, 4 * 2000);
    assert_eq!(end.cache_hits + end.cache_misses, 4 * 2000);
    arenas.trim().unwrap();
    assert_eq!(arenas.statistics().reserved_bytes, 0);
}
