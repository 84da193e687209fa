//! A program of memory operations against the model of `wasm-arena`'s own tests.
//!
//! The first byte chooses the system and the options:
//!
//! ```text
//!   bit  7        6       5  4     3  2     1       0
//!        reserve  lifo    room     guards   room    system
//!        blocks                             access
//! ```
#![no_main]

#[path = "../../wasm-arena/tests/support/program.rs"]
#[allow(dead_code, reason = "each user of it has its own part")]
mod program;

use libfuzzer_sys::fuzz_target;
use os::{FailAt, OsPages};
use wasm_arena::{
    AllocatorBuilder, ArenaSystem, GrowthRoom, GuardSize, MappedPages, PortableArenas, RoomAccess,
    VerificationLevel,
};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, program)) = input.split_first() else {
        return;
    };
    let pages = FailAt::new(OsPages::new());
    if choice & 1 == 0 {
        run(PortableArenas::new(&pages), choice, program);
    } else {
        run(MappedPages::new(&pages), choice, program);
    }
    assert_eq!((pages.live_runs(), pages.live_bytes()), (0, 0));
});

fn run<S: ArenaSystem>(system: S, choice: u8, program: &[u8]) {
    let builder = builder::<S>(choice);
    let arenas = builder
        .build_arenas_over(system)
        .expect("the options are legal");
    program::run(&builder, &arenas, program);
    let statistics = arenas.statistics();
    assert_eq!(statistics.live_memories, 0);
    assert_eq!(statistics.unreturned.regions, 0);
}

fn builder<S: ArenaSystem>(choice: u8) -> AllocatorBuilder<S> {
    let access = [RoomAccess::Guarded, RoomAccess::Open][usize::from(choice >> 1 & 1)];
    let guard = [
        GuardSize::OneHostPage,
        GuardSize::None,
        GuardSize::Bytes(65_536),
        GuardSize::Bytes(8192),
    ][usize::from(choice >> 2 & 3)];
    let room = [
        GrowthRoom::Automatic,
        GrowthRoom::Bytes(0),
        GrowthRoom::Bytes(100_000),
        GrowthRoom::Bytes(1 << 20),
    ][usize::from(choice >> 4 & 3)];
    AllocatorBuilder::new()
        .with_room_access(access)
        .with_guard_before(guard)
        .with_guard_after(guard)
        .with_growth_room(room)
        .with_lifo_free(choice >> 6 & 1 == 1)
        .with_arena_cache_max_blocks(usize::from(choice >> 7) * 3)
        .with_verification_level(VerificationLevel::Critical)
}
