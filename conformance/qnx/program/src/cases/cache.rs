//! The heap's own arena cache, and what its odd commands do to it: SDP 6.5 to 7.1.
#![forbid(unsafe_code)]

use conformance::Verdict;
use wasm_arena::{ArenaOptions, Arenas};

use super::LibcCase;
use super::support::{
    Bench, Calls, PAGE, arenas, builder, ensure, ensure_same, memory_in, named, switch,
};
use crate::bench::{self, HeapSetting, Switch};
use crate::subjects::Libc;

pub(super) fn cases() -> [LibcCase; 4] {
    [
        named!(
            lifting_hold_brings_the_limits_back,
            "off means no cache at all to the heap, qnx-facts §9.22"
        ),
        named!(lowered_limits_empty_the_cache_at_once, "qnx-facts §9.21"),
        named!(
            a_cache_with_limits_lowered_and_filled_loses_nothing,
            "several sizes, several limits"
        ),
        named!(
            trim_empties_the_arena_cache_of_the_heap,
            "and leaves its limits"
        ),
    ]
}

/// Leaves blocks of these sizes, in Wasm pages, with the heap, which keeps what it may. The last ones
/// are kept here, and a mapping in whose slack their records lie stays with them (qnx-facts §9.15).
fn leave(arenas: &Arenas<Libc>, sizes: &[u32]) -> Verdict {
    switch(Switch::LargeBlocksCached, 1)?;
    let builder = builder();
    let mut memories = [const { None }; 8];
    for (place, &pages) in memories.iter_mut().zip(sizes) {
        *place = Some(memory_in(&builder, arenas, pages)?);
    }
    for memory in memories.into_iter().flatten() {
        memory.into_allocator()?;
    }
    Ok(())
}

fn lifting_hold_brings_the_limits_back(_: &Bench) -> Verdict {
    let arenas = arenas(&builder().with_memory_hold(true))?;
    ensure_same!(bench::setting(HeapSetting::Hold), 1, "memory is held");
    let mut options = arenas.options();
    options.memory_hold = false;
    arenas.configure(options)?;
    ensure_same!(bench::setting(HeapSetting::Hold), 0, "it is held no more");
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks).unsigned_abs(),
        ArenaOptions::DEFAULT.cache_max_blocks,
        "the count is limited"
    );
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBytes).unsigned_abs(),
        ArenaOptions::DEFAULT.cache_max_bytes,
        "the bytes are not"
    );
    Ok(())
}

fn lowered_limits_empty_the_cache_at_once(_: &Bench) -> Verdict {
    let first = arenas(&builder().with_arena_cache_max_blocks(2))?;
    leave(&first, &[3; 6])?;
    ensure!(
        bench::cached_bytes() > 3 * PAGE,
        "the heap keeps a block at least"
    );
    let before = Calls::now();
    let second = arenas(&builder().with_arena_cache_max_blocks(1))?;
    ensure_same!(bench::cached_bytes(), 0, "the heap keeps nothing");
    ensure_same!(
        before.since("mallopt"),
        3,
        "a question, the limit, and the emptying"
    );
    ensure_same!(bench::lost_bytes(), 0, "and has lost nothing");
    ensure_same!(
        first.statistics().cached_regions,
        2,
        "what is kept here stays"
    );
    drop(second);
    Ok(())
}

fn a_cache_with_limits_lowered_and_filled_loses_nothing(_: &Bench) -> Verdict {
    let first = arenas(&builder().with_arena_cache_max_blocks(1))?;
    let mut options = first.options();
    for (blocks, bytes) in [(6, 0), (3, 40 * PAGE), (1, 0), (2, 20 * PAGE), (1, PAGE)] {
        leave(&first, &[9, 5, 7, 2, 3])?;
        options.cache_max_blocks = blocks;
        options.cache_max_bytes = bytes;
        first.configure(options)?;
        leave(&first, &[2, 4])?;
        ensure_same!(bench::lost_bytes(), 0, "the heap has lost nothing");
    }
    Ok(())
}

fn trim_empties_the_arena_cache_of_the_heap(_: &Bench) -> Verdict {
    let arenas = arenas(&builder().with_arena_cache_max_blocks(2))?;
    leave(&arenas, &[3; 6])?;
    let kept = bench::cached_bytes();
    ensure!(kept > 3 * PAGE, "the heap keeps a block at least");
    let heap = bench::heap_bytes();
    let given_back = arenas.trim()?;
    ensure_same!(bench::cached_bytes(), 0, "the heap keeps nothing");
    ensure!(bench::heap_bytes() <= heap - kept, "the system has it");
    ensure!(given_back >= kept, "and the result counts it");
    ensure_same!(
        bench::setting(HeapSetting::CacheMaxBlocks),
        2,
        "the limit stands"
    );
    Ok(())
}
