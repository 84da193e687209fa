//! The guards really fault: probed in child processes on all four edges, on every system.
//!
//! The test binary starts itself again with the name of an edge in an environment variable; the
//! child touches one byte there, and must die of it.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use wasm_arena::{
    Allocator, AllocatorBuilder, ArenaSystem, Arenas, GrowthPolicy, GrowthRoom, GuardSize,
    MappedPages, PageAllocator, PortableArenas, Protection, SystemPages, WASM_PAGE_SIZE,
};

const SEGMENTATION_FAULT: i32 = 11;
const BUS_ERROR: i32 = 7;

/// Edges of a region: which byte to touch.
const EDGES: [&str; 6] = [
    "first byte of the guard before",
    "last byte of the guard before",
    "first byte after the data",
    "last byte of the room to grow",
    "first byte of the guard after",
    "last byte of the guard after",
];

/// How the memory got where it is.
const HISTORIES: [&str; 5] = ["fresh", "grown in place", "moved", "reused", "reset"];

fn memory<S: ArenaSystem + Default>(history: &str) -> Allocator<Arenas<S>> {
    let room = if history == "moved" {
        0
    } else {
        4 * WASM_PAGE_SIZE
    };
    let mut allocator = AllocatorBuilder::<S>::new()
        .with_arena_cache_max_blocks(4)
        .with_guard_before(GuardSize::Bytes(2 * 4096))
        .with_guard_after(GuardSize::Bytes(3 * 4096))
        .with_growth_room(GrowthRoom::Bytes(room))
        .build()
        .unwrap();
    allocator.allocate(1, None).unwrap();
    match history {
        "grown in place" => {
            allocator.grow(1, 2).unwrap();
            assert_eq!(allocator.statistics().moves, 0);
        }
        "moved" => {
            let old = allocator.base();
            allocator.grow(1, 2).unwrap();
            assert_eq!(allocator.statistics().moves, 1);
            assert_ne!(allocator.base(), old);
        }
        "reused" => {
            allocator.grow(1, 3).unwrap();
            allocator.free().unwrap();
            allocator.allocate(1, None).unwrap();
            assert_eq!(allocator.arenas().statistics().cache_hits, 1);
        }
        "reset" => {
            allocator.grow(1, 3).unwrap();
            allocator.reset().unwrap();
        }
        _ => {}
    }
    allocator
}

/// Address of an edge, as an offset from the base.
fn edge<S: ArenaSystem>(allocator: &Allocator<Arenas<S>>, edge: &str) -> isize {
    let before = allocator.statistics().guard_before_bytes as isize;
    let after = allocator.statistics().guard_after_bytes as isize;
    let (size, capacity) = (allocator.size() as isize, allocator.capacity() as isize);
    match edge {
        "first byte of the guard before" => -before,
        "last byte of the guard before" => -1,
        "first byte after the data" => size,
        "last byte of the room to grow" => capacity - 1,
        "first byte of the guard after" => capacity,
        "last byte of the guard after" => capacity + after - 1,
        other => panic!("unknown edge {other}"),
    }
}

fn touch<S: ArenaSystem + Default>(history: &str, name: &str, write: bool) {
    let allocator = memory::<S>(history);
    let base = allocator.base().unwrap().as_ptr();
    // The ends of the data itself must be there, or the test would prove nothing.
    for offset in [0, allocator.size() - 1] {
        // SAFETY: the first and the last byte of the memory.
        unsafe { base.wrapping_add(offset).write_volatile(1) };
    }
    println!("alive");
    let address = base.wrapping_offset(edge(&allocator, name));
    if write {
        // SAFETY: none: this access must fault, which is what the parent looks for.
        unsafe { address.write_volatile(3) };
    } else {
        // SAFETY: none: this access must fault, which is what the parent looks for.
        unsafe { address.read_volatile() };
    }
    println!("survived");
}

#[test]
fn every_edge_faults() {
    if let Ok(job) = std::env::var("WASM_ARENA_EDGE") {
        let [system, history, name, access] = job.split('|').collect::<Vec<_>>()[..] else {
            panic!("bad job {job}");
        };
        let write = access == "write";
        match system {
            "arena" => touch::<PortableArenas<SystemPages>>(history, name, write),
            _ => touch::<MappedPages<SystemPages>>(history, name, write),
        }
        return;
    }
    let mut probes = 0;
    for system in ["arena", "mapped"] {
        for history in HISTORIES {
            for name in EDGES {
                // A moved memory of this test has half its size as room, like any other; all edges
                // exist everywhere.
                for access in ["read", "write"] {
                    let job = format!("{system}|{history}|{name}|{access}");
                    let child = Command::new(std::env::current_exe().unwrap())
                        .args(["every_edge_faults", "--exact", "--nocapture"])
                        .env("WASM_ARENA_EDGE", &job)
                        .output()
                        .unwrap();
                    let output = String::from_utf8_lossy(&child.stdout);
                    assert!(
                        output.contains("alive"),
                        "{job}: the child never got there: {output}"
                    );
                    assert!(!output.contains("survived"), "{job}: no fault");
                    let signal = child.status.signal();
                    assert!(
                        matches!(signal, Some(SEGMENTATION_FAULT | BUS_ERROR)),
                        "{job}: ended with {:?}",
                        child.status
                    );
                    probes += 1;
                }
            }
        }
    }
    assert_eq!(probes, 2 * HISTORIES.len() * EDGES.len() * 2);
}

#[test]
fn readable_guards_can_be_read_but_not_written() {
    let mut allocator = AllocatorBuilder::<PortableArenas<SystemPages>>::new()
        .with_guard_protection(Protection::Read)
        .build()
        .unwrap();
    allocator.allocate(1, Some(1)).unwrap();
    let base = allocator.base().unwrap().as_ptr();
    for guard in [base.wrapping_sub(1), base.wrapping_add(WASM_PAGE_SIZE)] {
        // SAFETY: the guards of this memory are readable.
        assert_eq!(unsafe { guard.read_volatile() }, 0);
    }
    allocator.verify().unwrap();
}

#[test]
fn a_guard_that_lost_its_protection_is_found() {
    use os::PageSource;
    use wasm_arena::{AllocError, VerificationLevel};

    let mut allocator = AllocatorBuilder::<PortableArenas<SystemPages>>::new()
        .with_growth_policy(GrowthPolicy::ReserveMaximum)
        .with_verification_level(VerificationLevel::Full)
        .build()
        .unwrap();
    let (base, size) = allocator.allocate(1, Some(1)).unwrap();
    // SAFETY: the guard behind the data, inside the run of the region.
    let guard = unsafe { base.add(size) };
    // SAFETY: whole pages of the guard; this is the damage the test is about.
    unsafe { allocator.arenas().system().source().commit(guard, 4096) }.unwrap();
    let address = guard.addr().get();
    assert_eq!(
        allocator.verify(),
        Err(AllocError::GuardDamaged { address })
    );
    assert_eq!(
        allocator.grow(1, 0),
        Err(AllocError::GuardDamaged { address })
    );
    assert_eq!(allocator.free(), Err(AllocError::GuardDamaged { address }));
    let lost = allocator.arenas().statistics().unreturned;
    assert_eq!(
        lost.regions, 1,
        "a region that cannot be trusted is taken out of use, and counted"
    );
}
