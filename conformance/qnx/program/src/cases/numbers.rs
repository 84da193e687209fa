//! QNX's constants and structs, as they arrive at its C library.
#![forbid(unsafe_code)]

use conformance::{Observer, Subject, Verdict};
use os::{OsPages, PageSource, Protection, QnxVersion};
use wasm_arena::{AllocatorBuilder, GrowthPolicy, LinearMemory, QnxArenaAllocatorBuilder};

use super::LibcCase;
use super::support::{
    Bench, Calls, PAGE, base_of, builder, ensure, ensure_same, ensure_zero, fill, host_page,
    keeping_nothing, memory, memory_in, named, switch,
};
use crate::bench::{self, StandIn, Switch};
use crate::subjects::{LIBC, MAPPED};

pub(super) fn cases() -> impl Iterator<Item = LibcCase> {
    let has_arenas =
        |version: Option<QnxVersion>| version.is_some_and(|version| version.profile().has_arenas);
    // The choice is made when the program is compiled: it can be seen where the version in force
    // is like the target's.
    let like_target = has_arenas(bench::version()) == has_arenas(QnxVersion::of_this_target());
    let of_the_target = [named!(
        the_recommended_system_is_the_one_built_on,
        "the heap where it has arenas, our own on 8.0"
    )];
    [
        named!(protection_bits_are_those_of_qnx, "qnx-facts §6.1"),
        named!(
            mappings_are_private_anonymous_and_lazy,
            "qnx-facts §6.2, §6.3: reserving takes no memory"
        ),
        named!(
            pages_to_use_at_once_are_not_lazy,
            "what there is no memory for is refused when it is asked for"
        ),
        named!(
            heap_usage_is_mallinfo,
            "qnx-facts §5.2, by the layout and meaning of the version"
        ),
    ]
    .into_iter()
    .chain(of_the_target.into_iter().filter(move |_| like_target))
}

fn protection_bits_are_those_of_qnx(_: &Bench) -> Verdict {
    let page = host_page();
    let mut memory = memory(builder(), 1)?;
    let base = base_of(&memory);
    // Writing and executing together needs an ability (qnx-facts §6.4), so it is not tried.
    for (protection, bits) in [
        (Protection::None, 0),
        (Protection::Read, 0x100),
        (Protection::ReadWrite, 0x300),
        (Protection::ReadExecute, 0x500),
    ] {
        let complaints = StandIn.complaints();
        memory.protect(0, page, protection)?;
        let found = bench::protection_bits(base).cast_unsigned();
        ensure_same!(found, bits, "the bits are those of QNX");
        ensure_same!(StandIn.complaints(), complaints, "and of nobody else");
    }
    let guards = [base - 1, base + PAGE].map(bench::protection_bits);
    ensure!(guards == [0, 0], "guards have no bits");
    Ok(())
}

/// Bytes there are for heap and mappings together in the cases about memory that runs out.
const SCARCE: usize = 64 * PAGE;

fn mappings_are_private_anonymous_and_lazy(_: &Bench) -> Verdict {
    switch(Switch::MemoryLimit, SCARCE as isize)?;
    let complaints = StandIn.complaints();
    let before = Calls::now();
    let allocator = AllocatorBuilder::new()
        .with_guard_pages(true)
        .with_growth_policy(GrowthPolicy::ReserveMaximum)
        .build_over(MAPPED.system())?;
    let mut memory = LinearMemory::new(allocator, 1, Some(1024))?;
    ensure!(
        memory.allocator().capacity() > SCARCE,
        "more is reserved than there is"
    );
    memory.grow(2)?;
    ensure_zero(&memory, 0..3 * PAGE)?;
    fill(&mut memory, 0..3 * PAGE, 71)?;
    ensure!(before.since("mmap") > 0, "it is mapped");
    ensure_same!(
        before.since("posix_memalign"),
        0,
        "and no block of the heap"
    );
    ensure_same!(StandIn.complaints(), complaints, "no flag is one of Linux");
    Ok(())
}

fn pages_to_use_at_once_are_not_lazy(_: &Bench) -> Verdict {
    switch(Switch::MemoryLimit, SCARCE as isize)?;
    let pages = OsPages::new();
    ensure!(pages.map(2 * SCARCE).is_err(), "there is not that much");
    // The heap's blocks are no different.
    let builder = keeping_nothing();
    let arenas = super::support::arenas(&builder)?;
    ensure!(
        memory_in(&builder, &arenas, 128).is_err(),
        "nor in the heap"
    );
    let memory = memory_in(&builder, &arenas, 8)?;
    ensure_zero(&memory, 0..8 * PAGE)
}

fn heap_usage_is_mallinfo(_: &Bench) -> Verdict {
    let system = LIBC.system();
    let before = system.heap_usage();
    // One among the other blocks, one in a mapping of its own.
    for pages in [1, 32] {
        let memory = memory(builder(), pages)?;
        let calls = Calls::now();
        let during = system.heap_usage();
        ensure_same!(calls.since("mallinfo"), 1, "mallinfo is called");
        ensure_same!(calls.total_since(), 1, "and nothing else");
        let block = memory.size() + 2 * host_page();
        // The heap counts in units of 4 KiB, the system in its own pages (qnx-facts §6.6).
        let (counted, mapped) = (during.from_system, bench::heap_bytes());
        if host_page() == 4096 {
            ensure_same!(counted, mapped, "what the heap has");
        } else {
            ensure!(counted <= mapped, "what the heap has, pages rounded down");
        }
        ensure!(
            during.in_use >= before.in_use + block,
            "the block is in use"
        );
        ensure!(
            during.in_use <= during.from_system,
            "no more is in use than there is"
        );
        ensure!(
            during.in_use < before.in_use + block + PAGE,
            "the block and little else is in use"
        );
        drop(memory);
        ensure_same!(system.heap_usage().in_use, before.in_use, "then it is not");
    }
    Ok(())
}

fn the_recommended_system_is_the_one_built_on(_: &Bench) -> Verdict {
    let allocator = QnxArenaAllocatorBuilder::new().build()?;
    let name = wasm_arena::ArenaSystem::facts(allocator.arenas().system()).name;
    let version = QnxVersion::of_this_target();
    let recommended = version.map(|version| version.profile().recommended_system);
    ensure!(
        recommended == Some(name),
        "it is the one of the target's version"
    );
    let has_arenas = version.is_some_and(|version| version.profile().has_arenas);
    ensure!(
        name == if has_arenas { "libc" } else { "arena" },
        "by whether the heap has arenas"
    );
    Ok(())
}
