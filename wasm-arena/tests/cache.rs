//! Released regions: reused without a call, within the limits, never with old contents; sealed
//! arenas ask nothing of the operating system.

use os::{Counted, FailAt, OsCall, OsPages, PageSource};
use wasm_arena::{
    AllocError, Allocator, AllocatorBuilder, ArenaSystem, Arenas, GrowthRoom, MemoryBudget,
    PageAllocator, PortableArenas, Protection, RoomAccess, WASM_PAGE_SIZE,
};

type Portable = PortableArenas<Counted<OsPages>>;

fn builder() -> AllocatorBuilder<Portable> {
    AllocatorBuilder::new().with_growth_room(GrowthRoom::Bytes(8 * WASM_PAGE_SIZE))
}

fn calls(arenas: &Arenas<Portable>) -> usize {
    arenas.system().source().call_counts().unwrap().total()
}

/// Everything the memory shows, after checking that it may be read.
fn contents(allocator: &impl PageAllocator) -> &[u8] {
    assert_eq!(allocator.first_refusal(0..allocator.size(), false), None);
    let base = allocator.base().unwrap();
    // SAFETY: initialised memory of that size, readable throughout; the borrow keeps it in place.
    unsafe { core::slice::from_raw_parts(base.as_ptr(), allocator.size()) }
}

fn fill(allocator: &impl PageAllocator, value: u8) {
    let base = allocator.base().unwrap();
    // SAFETY: writable memory of that size.
    unsafe { base.write_bytes(value, allocator.size()) };
}

#[test]
fn the_steady_state_makes_no_call() {
    for room_access in [RoomAccess::Open, RoomAccess::Guarded] {
        let builder = builder().with_room_access(room_access);
        let arenas = builder.build_arenas().unwrap();
        let mut allocator = builder.clone().build_in(&arenas).unwrap();
        let cycle = |allocator: &mut Allocator<&Arenas<Portable>>| {
            allocator.allocate(1, Some(9)).unwrap();
            fill(allocator, 7);
            if room_access == RoomAccess::Open {
                // Growth within an open room is arithmetic.
                allocator.grow(1, 1).unwrap();
                fill(allocator, 8);
            }
            allocator.free().unwrap();
        };
        cycle(&mut allocator);
        let before = calls(&arenas);
        for _ in 0..1000 {
            cycle(&mut allocator);
        }
        assert_eq!(calls(&arenas) - before, 0);
        assert_eq!(arenas.statistics().cache_hits, 1000);
        assert!(allocator.statistics().from_cache);
    }
}

#[test]
fn no_secret_survives_any_way_a_memory_can_end() {
    static BUDGET: MemoryBudget = MemoryBudget::new("secrets", 40 * WASM_PAGE_SIZE);
    for room_access in [RoomAccess::Open, RoomAccess::Guarded] {
        for pages in [1, 4, 8, 30] {
            let builder = builder().with_room_access(room_access).with_budget(&BUDGET);
            let arenas = builder.build_arenas().unwrap();
            for way in [
                "free",
                "drop",
                "grown",
                "refused",
                "reset",
                "protected",
                "forgotten room",
            ] {
                let mut allocator = builder.clone().build_in(&arenas).unwrap();
                allocator.allocate(1, None).unwrap();
                allocator.grow(1, pages - 1).unwrap();
                fill(&allocator, 0x5e);
                match way {
                    "grown" => {
                        allocator.grow(pages, 2).unwrap();
                        fill(&allocator, 0x5f);
                    }
                    "refused" => {
                        let error = allocator.grow(pages, 100).unwrap_err();
                        assert!(matches!(error, AllocError::BudgetExceeded { .. }));
                    }
                    "reset" => {
                        allocator.reset().unwrap();
                        assert!(contents(&allocator).iter().all(|&byte| byte == 0));
                        allocator.grow(1, pages - 1).unwrap();
                        assert!(contents(&allocator).iter().all(|&byte| byte == 0), "{way}");
                        fill(&allocator, 0x60);
                    }
                    "protected" => allocator.protect(0, 4096, Protection::None).unwrap(),
                    "forgotten room" => {
                        // Larger first, then smaller: the room above the size was written once.
                        allocator.reset().unwrap();
                    }
                    _ => {}
                }
                if way == "free" {
                    allocator.free().unwrap();
                } else {
                    drop(allocator);
                }
                let mut next = builder.clone().build_in(&arenas).unwrap();
                next.allocate(1, None).unwrap();
                assert!(
                    contents(&next).iter().all(|&byte| byte == 0),
                    "{way}: {pages} pages"
                );
                next.grow(1, pages + 1).unwrap();
                assert!(
                    contents(&next).iter().all(|&byte| byte == 0),
                    "{way}: {pages} pages, grown"
                );
            }
            assert!(arenas.statistics().cache_hits > 0);
        }
    }
    assert_eq!(BUDGET.used(), 0);
}

#[test]
fn two_threads_never_see_each_others_bytes() {
    let builder = builder()
        .with_room_access(RoomAccess::Open)
        .with_arena_cache_max_blocks(2);
    let arenas = builder.build_arenas().unwrap();
    std::thread::scope(|scope| {
        for value in 1..=4 {
            let (builder, arenas) = (&builder, &arenas);
            scope.spawn(move || {
                let mut allocator = builder.clone().build_in(arenas).unwrap();
                for round in 0..400 {
                    allocator.allocate(1, Some(9)).unwrap();
                    assert!(contents(&allocator).iter().all(|&byte| byte == 0));
                    fill(&allocator, value);
                    allocator.grow(1, round % 3).unwrap();
                    assert!(
                        contents(&allocator)[WASM_PAGE_SIZE..]
                            .iter()
                            .all(|&byte| byte == 0)
                    );
                    assert!(
                        contents(&allocator)[..WASM_PAGE_SIZE]
                            .iter()
                            .all(|&byte| byte == value)
                    );
                    fill(&allocator, value);
                    allocator.free().unwrap();
                }
            });
        }
    });
}

#[test]
fn limits_are_kept() {
    let hold_nothing = [
        (0, 0, false, 0),
        (3, 0, false, 3),
        (0, 3 * 65_536, false, 3),
    ];
    for (blocks, bytes, hold, kept) in hold_nothing.into_iter().chain([(0, 0, true, 10)]) {
        let builder = builder()
            .with_arena_cache_max_blocks(blocks)
            .with_arena_cache_max_size(bytes)
            .with_memory_hold(hold);
        let arenas = builder.build_arenas().unwrap();
        let mut memories: Vec<_> = (0..10)
            .map(|_| {
                let mut allocator = builder.clone().build_in(&arenas).unwrap();
                allocator.allocate(1, Some(1)).unwrap();
                fill(&allocator, 1);
                allocator
            })
            .collect();
        for memory in &mut memories {
            memory.free().unwrap();
        }
        let statistics = arenas.statistics();
        assert_eq!(
            statistics.cached_regions, kept,
            "{blocks} blocks, {bytes} bytes, {hold}"
        );
        assert_eq!(statistics.cached_bytes, kept * WASM_PAGE_SIZE);
        // Lowered limits act at once.
        let mut lowered = wasm_arena::ArenaOptions::DEFAULT;
        lowered.cache_max_blocks = 1;
        arenas.configure(lowered).unwrap();
        assert_eq!(arenas.statistics().cached_regions, kept.min(1));
        let reserved = arenas.statistics().reserved_bytes;
        let returned = arenas.trim().unwrap();
        assert!(returned >= reserved);
        assert_eq!(arenas.statistics().cached_regions, 0);
        assert_eq!(arenas.statistics().reserved_bytes, 0);
        assert_eq!(arenas.statistics().accessible_bytes, 0);
    }
}

#[test]
fn reuse_follows_the_order_asked_for() {
    for (lifo, expected) in [(true, [2, 1, 0]), (false, [0, 1, 2])] {
        let builder = builder().with_lifo_free(lifo);
        let arenas = builder.build_arenas().unwrap();
        let mut memories: Vec<_> = (0..3)
            .map(|_| builder.clone().build_in(&arenas).unwrap())
            .collect();
        let bases: Vec<_> = memories
            .iter_mut()
            .map(|memory| memory.allocate(1, Some(1)).unwrap().0)
            .collect();
        for memory in &mut memories {
            memory.free().unwrap();
        }
        for index in expected {
            assert_eq!(memories[0].allocate(1, Some(1)).unwrap().0, bases[index]);
            let taken = memories.remove(0);
            core::mem::forget(taken);
        }
    }
}

#[test]
fn sealed_arenas_ask_nothing_of_the_operating_system() {
    let builder = builder()
        .with_room_access(RoomAccess::Open)
        .with_arena_cache_max_blocks(1);
    let arenas = builder.build_arenas().unwrap();
    let mut first = builder.clone().build_in(&arenas).unwrap();
    let mut second = builder.clone().build_in(&arenas).unwrap();
    first.allocate(1, Some(9)).unwrap();
    second.allocate(1, Some(9)).unwrap();
    first.free().unwrap();

    arenas.seal();
    let before = calls(&arenas);
    for _ in 0..100 {
        first.allocate(1, Some(9)).unwrap();
        fill(&first, 9);
        first.grow(1, 8).unwrap();
        assert!(
            contents(&first)[WASM_PAGE_SIZE..]
                .iter()
                .all(|&byte| byte == 0)
        );
        fill(&first, 9);
        first.reset().unwrap();
        assert!(contents(&first).iter().all(|&byte| byte == 0));
        first.free().unwrap();
    }
    let mut third = builder.clone().build_in(&arenas).unwrap();
    third.allocate(1, Some(9)).unwrap();
    assert_eq!(
        first.allocate(1, Some(9)),
        Err(AllocError::Sealed {
            needed: OsCall::Reserve
        })
    );
    assert_eq!(
        second.protect(0, 4096, Protection::Read),
        Err(AllocError::Sealed {
            needed: OsCall::Protect
        })
    );
    assert_eq!(
        second.grow(1, 9).unwrap_err(),
        AllocError::BeyondMaximum {
            requested: 10 * 65_536,
            maximum: 9 * WASM_PAGE_SIZE,
        }
    );
    assert_eq!(
        arenas.trim(),
        Err(AllocError::Sealed {
            needed: OsCall::Unmap
        })
    );
    // Both are kept although the limit is one: giving one back would need a call.
    second.free().unwrap();
    third.free().unwrap();
    assert_eq!(arenas.statistics().cached_regions, 2);
    assert_eq!(calls(&arenas) - before, 0);

    arenas.unseal();
    assert_eq!(arenas.statistics().cached_regions, 1);
}

#[test]
fn a_sealed_memory_grows_only_where_no_call_is_needed() {
    let builder = builder().with_growth_room(GrowthRoom::Bytes(2 * WASM_PAGE_SIZE));
    let mut guarded = builder.clone().build().unwrap();
    guarded.allocate(1, None).unwrap();
    guarded.protect(0, 4096, Protection::Read).unwrap();
    guarded.seal();
    assert_eq!(
        guarded.grow(1, 1),
        Err(AllocError::Sealed {
            needed: OsCall::Commit
        })
    );
    assert_eq!(
        guarded.reset(),
        Err(AllocError::Sealed {
            needed: OsCall::Protect
        })
    );
    assert_eq!(
        guarded.free(),
        Err(AllocError::Sealed {
            needed: OsCall::Protect
        })
    );
    assert_eq!(guarded.size(), WASM_PAGE_SIZE, "still there, still usable");
    guarded.unseal();
    guarded.free().unwrap();

    let mut open = builder.with_room_access(RoomAccess::Open).build().unwrap();
    open.allocate(1, None).unwrap();
    open.seal();
    open.grow(1, 2).unwrap();
    assert_eq!(
        open.grow(3, 1),
        Err(AllocError::Sealed {
            needed: OsCall::Reserve
        })
    );
    open.free().unwrap();
}

#[test]
fn locked_regions_stay_locked_in_the_cache_and_are_unlocked_before_they_go() {
    let pages = FailAt::new(Counted::new(OsPages::new()));
    let builder = AllocatorBuilder::<PortableArenas<&FailAt<Counted<OsPages>>>>::new()
        .with_lock_in_memory(true);
    let arenas = builder
        .build_arenas_over(PortableArenas::new(&pages))
        .unwrap();
    let mut allocator = builder.build_in(&arenas).unwrap();
    for _ in 0..10 {
        allocator.allocate(1, Some(1)).unwrap();
        allocator.free().unwrap();
    }
    let counts = pages.inner().call_counts().unwrap();
    assert_eq!(
        (counts.get(OsCall::Lock), counts.get(OsCall::Unlock)),
        (1, 0)
    );
    arenas.trim().unwrap();
    assert_eq!(pages.inner().call_counts().unwrap().get(OsCall::Unlock), 1);

    // A refused lock is a refused allocation, and leaves nothing behind.
    pages.fail_nth_of(OsCall::Lock, 1);
    let error = allocator.allocate(1, Some(1)).unwrap_err();
    assert!(matches!(error, AllocError::Os(error) if error.call == OsCall::Lock));
    assert_eq!(arenas.statistics().reserved_bytes, 0);
    assert_eq!(
        pages.live_bytes(),
        arenas.statistics().bookkeeping.mapped_bytes
    );
}
