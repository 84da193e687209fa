//! Random programs on every arena system, with every kind of guard and room, against a plain model.

#[path = "support/program.rs"]
mod program;

use core::mem::MaybeUninit;

use os::{FailAt, FixedMemory, OsPages, PageSize, PageSource};
use wasm_arena::{
    AllocatorBuilder, ArenaSystem, Arenas, GrowthRoom, GuardSize, MappedPages, PortableArenas,
    RoomAccess, VerificationLevel,
};

/// Programs per combination, and their length.
const PROGRAMS: u64 = 16;
const LENGTH: usize = 900;

/// Every combination of settings that changes the path a memory takes.
fn variants<S: ArenaSystem>() -> Vec<AllocatorBuilder<S>> {
    let mut variants = Vec::new();
    for room_access in [RoomAccess::Guarded, RoomAccess::Open] {
        for room in [
            GrowthRoom::Automatic,
            GrowthRoom::Bytes(0),
            GrowthRoom::Bytes(100_000),
        ] {
            for guard in [
                GuardSize::OneHostPage,
                GuardSize::None,
                GuardSize::Bytes(65_536),
            ] {
                for (blocks, lifo) in [(0, false), (3, true)] {
                    variants.push(
                        AllocatorBuilder::new()
                            .with_room_access(room_access)
                            .with_growth_room(room)
                            .with_guard_before(guard)
                            .with_guard_after(guard)
                            .with_arena_cache_max_blocks(blocks)
                            .with_lifo_free(lifo)
                            .with_verification_level(VerificationLevel::Critical),
                    );
                }
            }
        }
    }
    variants
}

/// Runs programs on each variant; returns the steps taken.
fn run_all<S: ArenaSystem>(
    programs: u64,
    mut system: impl FnMut() -> S,
    mut after: impl FnMut(&Arenas<S>),
) -> usize {
    let mut steps = 0;
    for (index, builder) in variants::<S>().iter().enumerate() {
        let arenas = builder
            .build_arenas_over(system())
            .expect("the options are legal");
        for seed in 0..programs {
            let seed = seed + index as u64 * 1000;
            steps += program::run(builder, &arenas, &program::random_program(seed, LENGTH));
        }
        assert_eq!(arenas.statistics().live_memories, 0);
        assert_eq!(arenas.statistics().unreturned.regions, 0);
        after(&arenas);
    }
    steps
}

/// After `trim`, only bookkeeping may be left; after the arenas are gone, nothing.
fn nothing_leaks<S: ArenaSystem>(pages: &FailAt<OsPages>, arenas: &Arenas<S>) {
    arenas.trim().expect("nothing is sealed");
    assert_eq!(arenas.statistics().reserved_bytes, 0);
    assert_eq!(
        pages.live_bytes(),
        arenas.statistics().bookkeeping.mapped_bytes
    );
}

#[test]
fn portable_arenas_follow_the_model() {
    let pages = FailAt::new(OsPages::new());
    let steps = run_all(
        PROGRAMS,
        || PortableArenas::new(&pages),
        |arenas| nothing_leaks(&pages, arenas),
    );
    assert!(steps > 50_000, "{steps} steps only");
    assert_eq!(pages.live_bytes(), 0);
}

#[test]
fn mapped_pages_follow_the_model() {
    let pages = FailAt::new(OsPages::new());
    let steps = run_all(
        PROGRAMS,
        || MappedPages::new(&pages),
        |arenas| nothing_leaks(&pages, arenas),
    );
    assert!(steps > 50_000, "{steps} steps only");
    assert_eq!(pages.live_bytes(), 0);
}

#[test]
fn a_fixed_array_follows_the_model() {
    let mut array = vec![MaybeUninit::<u8>::new(0xa5); 24 << 20];
    for page_size in [4096, 16_384] {
        let page_size = PageSize::new(page_size).unwrap();
        let pages = FixedMemory::new(&mut array, page_size).expect("the array is large enough");
        let free = pages.free_bytes();
        assert!(!pages.facts().can_protect);
        run_all(4, || PortableArenas::new(&pages), |_| ());
        assert_eq!(pages.free_bytes(), free);
        run_all(4, || MappedPages::new(&pages), |_| ());
        assert_eq!(pages.free_bytes(), free);
    }
}

#[test]
fn threads_share_arenas() {
    let pages = FailAt::new(OsPages::new());
    let builder = AllocatorBuilder::new()
        .with_arena_cache_max_blocks(6)
        .with_verification_level(VerificationLevel::Critical);
    let arenas = builder
        .build_arenas_over(PortableArenas::new(&pages))
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (builder, arenas) = (&builder, &arenas);
            scope.spawn(move || {
                for seed in 0..60 {
                    let program = program::random_program(seed * 7 + thread, LENGTH);
                    program::run(builder, arenas, &program);
                }
            });
        }
    });
    assert_eq!(arenas.statistics().live_memories, 0);
    nothing_leaks(&pages, &arenas);
    drop(arenas);
    assert_eq!(pages.live_bytes(), 0);
}
