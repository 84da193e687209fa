//! Where a memory lies in its block, and how the block goes back.
#![forbid(unsafe_code)]

use conformance::{Observer, Verdict};
use os::Protection;

use super::LibcCase;
use super::support::{
    Bench, Calls, PAGE, arenas, base_of, block_around, builder, ensure, ensure_guarded,
    ensure_protection, ensure_same, host_page, keeping_nothing, memory, memory_in, named,
};
use crate::bench::{self, StandIn};

pub(super) fn cases() -> [LibcCase; 5] {
    [
        named!(
            headers_and_footers_are_never_protected,
            "guards inside the block, the heap's pages beside it open"
        ),
        named!(
            the_upper_guard_is_not_the_last_data_page,
            "the first byte behind the data faults, the last of it does not"
        ),
        named!(
            the_block_goes_back_not_the_data,
            "what free is told is what posix_memalign gave"
        ),
        named!(guards_are_lifted_before_free, "qnx-facts §9.1"),
        named!(
            blocks_are_whole_host_pages,
            "no page is shared with the heap's own words"
        ),
    ]
}

fn headers_and_footers_are_never_protected(_: &Bench) -> Verdict {
    let page = host_page();
    let mut memory = memory(builder(), 2)?;
    for pages in [2, 3, 4] {
        let block = block_around(&memory)?;
        let base = base_of(&memory);
        ensure!(
            block.start <= base - page,
            "the guard before is in the block"
        );
        ensure!(
            base + memory.allocator().capacity() + page <= block.end,
            "the guard after is in the block"
        );
        ensure_protection(block.start, Protection::None)?;
        ensure_protection(block.end - 1, Protection::None)?;
        ensure_protection(block.start - 1, Protection::ReadWrite)?;
        ensure_protection(block.end, Protection::ReadWrite)?;
        memory.protect(0, page, Protection::Read)?;
        memory.protect(memory.size() - page, page, Protection::None)?;
        ensure_protection(block.start - 1, Protection::ReadWrite)?;
        ensure_protection(block.end, Protection::ReadWrite)?;
        ensure_same!(memory.size_in_pages(), pages, "the size is the one checked");
        memory.grow(1)?;
    }
    Ok(())
}

fn the_upper_guard_is_not_the_last_data_page(_: &Bench) -> Verdict {
    let mut memory = memory(builder(), 1)?;
    for _ in 0..3 {
        let last = memory.size() - 1;
        memory.write(last, &[7])?;
        memory.write(0, &[7])?;
        let base = base_of(&memory);
        ensure_protection(base + last, Protection::ReadWrite)?;
        ensure_protection(base + last + 1, Protection::None)?;
        memory.grow(1)?;
    }
    ensure_same!(memory.size(), 4 * PAGE, "it has grown");
    Ok(())
}

fn the_block_goes_back_not_the_data(_: &Bench) -> Verdict {
    let builder = keeping_nothing();
    let arenas = arenas(&builder)?;
    let held = StandIn.held_bytes();
    let memory = memory_in(&builder, &arenas, 2)?;
    let base = base_of(&memory);
    let block = block_around(&memory)?;
    ensure_same!(
        block.len(),
        2 * PAGE + 2 * host_page(),
        "guards are in the block"
    );
    let complaints = StandIn.complaints();
    let before = Calls::now();
    memory.into_allocator()?;
    ensure_same!(before.since("free"), 2, "the block and its record go back");
    ensure_same!(
        before.since("munmap"),
        0,
        "nothing is unmapped from under the heap"
    );
    ensure_same!(StandIn.complaints(), complaints, "the heap knew both");
    ensure_same!(
        bench::block_of(base).map(|block| block.0),
        None::<usize>,
        "it is free"
    );
    ensure_same!(StandIn.held_bytes(), held, "nothing is left");
    Ok(())
}

fn guards_are_lifted_before_free(_: &Bench) -> Verdict {
    let builder = keeping_nothing();
    let arenas = arenas(&builder)?;
    let mut memory = memory_in(&builder, &arenas, 3)?;
    ensure_guarded(&memory)?;
    memory.protect(PAGE, host_page(), Protection::Read)?;
    let block = block_around(&memory)?;
    let complaints = StandIn.complaints();
    let before = Calls::now();
    memory.into_allocator()?;
    ensure!(before.since("mprotect") > 0, "the guards are lifted");
    ensure_same!(before.since("free"), 2, "the block and its record go back");
    ensure_same!(
        StandIn.complaints(),
        complaints,
        "no page of them was protected"
    );
    for address in [block.start, block.end - 1] {
        let left = StandIn.protection(address);
        ensure!(
            left.is_none() || left == Some(Protection::ReadWrite),
            "no guard stays behind in the heap"
        );
    }
    Ok(())
}

fn blocks_are_whole_host_pages(_: &Bench) -> Verdict {
    let page = host_page();
    for pages in [0, 1, 7] {
        let memory = memory(builder(), pages)?;
        let block = block_around_start(base_of(&memory) - page)?;
        ensure!(block.0.is_multiple_of(page), "the block starts with a page");
        ensure!(block.1.is_multiple_of(page), "and ends with one");
    }
    Ok(())
}

/// The block that holds `address`, which may be a guard.
fn block_around_start(address: usize) -> Result<(usize, usize), conformance::Failure> {
    bench::block_of(address).ok_or_else(|| super::support::failure("it is in a block", 0, 1))
}
