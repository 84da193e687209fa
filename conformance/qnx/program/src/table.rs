//! Which calls of the C library each operation takes.
//!
//! Counted while the operations run, on each system anew. What asks questions only is left out.
#![forbid(unsafe_code)]

use core::ffi::c_int;

use conformance::Subject;
use os::Protection;
use wasm_arena::{
    AllocError, Allocator, AllocatorBuilder, ArenaSystem, Arenas, GrowthPolicy, GrowthRoom,
    LinearMemory, WASM_PAGE_SIZE,
};

use crate::bench;
use crate::output::say;
use crate::subjects::{ARENA, LIBC, MAPPED, OnQnx};

/// The functions counted, in the order of the columns.
const FUNCTIONS: [&str; 8] = [
    "mallopt",
    "posix_memalign",
    "realloc",
    "free",
    "mmap",
    "munmap",
    "mprotect",
    "mlock",
];

/// Prints the table. The result is the status of the program.
pub(crate) fn print() -> c_int {
    say(format_args!(
        "calls of QNX's C library, as SDP {}.{} has it\n",
        bench::profile() / 100,
        bench::profile() % 100 / 10
    ));
    let printed = of_system(&LIBC)
        .and_then(|()| of_system(&ARENA))
        .and_then(|()| of_system(&MAPPED));
    match printed {
        Ok(()) => 0,
        Err(error) => {
            say(format_args!("{error}\n"));
            1
        }
    }
}

/// A memory on arenas shared with others.
type Memory<'a, S> = LinearMemory<Allocator<&'a Arenas<S>>>;

fn memory<'a, S: ArenaSystem>(
    builder: &AllocatorBuilder<S>,
    arenas: &'a Arenas<S>,
) -> Result<Memory<'a, S>, AllocError> {
    LinearMemory::new(builder.clone().build_in(arenas)?, 2, Some(64))
}

/// Does something, and prints a line of the calls it took.
fn line<T>(operation: &str, act: impl FnOnce() -> Result<T, AllocError>) -> Result<T, AllocError> {
    let before = FUNCTIONS.map(bench::calls_of);
    let result = act()?;
    let after = FUNCTIONS.map(bench::calls_of);
    say(format_args!("{operation:30}"));
    for (function, (before, after)) in FUNCTIONS.iter().zip(before.into_iter().zip(after)) {
        say(format_args!(
            " {:>width$}",
            after - before,
            width = function.len()
        ));
    }
    say(format_args!("\n"));
    Ok(result)
}

fn of_system<S: ArenaSystem>(subject: &OnQnx<S>) -> Result<(), AllocError> {
    bench::start_anew();
    say(format_args!("\n{:30}", subject.name()));
    for function in FUNCTIONS {
        say(format_args!(" {function}"));
    }
    say(format_args!("\n"));

    let keeping = AllocatorBuilder::new()
        .with_guard_pages(true)
        .with_growth_room(GrowthRoom::Bytes(2 * WASM_PAGE_SIZE))
        .with_arena_cache_max_blocks(8);
    let arenas = line("build the arenas", || {
        keeping.build_arenas_over(subject.system())
    })?;
    let mut first = line("allocate, fresh", || memory(&keeping, &arenas))?;
    line("grow in place", || first.grow(1))?;
    line("protect a page", || {
        let page = arenas.system().facts().pages.page_size.get();
        first.protect(0, page, Protection::Read)?;
        Ok(page)
    })
    .and_then(|page| first.protect(0, page, Protection::ReadWrite))?;
    line("reset", || first.reset())?;
    line("free, kept", || first.into_allocator())?;
    let mut again = line("allocate, kept", || memory(&keeping, &arenas))?;
    let mut again = line("cycle of the same shape", || {
        again.write(0, &[1])?;
        LinearMemory::new(again.into_allocator()?, 2, Some(64))
    })?;
    line("grow by moving", || again.grow(8))?;
    drop(again);
    line("trim", || arenas.trim())?;
    line("drop the arenas", || {
        drop(arenas);
        Ok(())
    })?;

    let returning = keeping
        .with_growth_room(GrowthRoom::Bytes(0))
        .with_growth_policy(GrowthPolicy::Reallocate)
        .with_arena_cache_max_blocks(0);
    let arenas = line("build, keeping nothing", || {
        returning.build_arenas_over(subject.system())
    })?;
    let mut last = memory(&returning, &arenas)?;
    if arenas.system().facts().reallocates {
        line("grow by realloc", || last.grow(8))?;
    }
    line("free, returned", || last.into_allocator())?;
    drop(arenas);

    // So large that page faults cost more than a call that drops the contents.
    let arenas = returning
        .clone()
        .with_arena_cache_max_blocks(8)
        .build_arenas_over(subject.system())?;
    let large = LinearMemory::new(returning.clone().build_in(&arenas)?, 32, None)?;
    let large = line("cycle of the same shape, 2 MiB", || {
        LinearMemory::new(large.into_allocator()?, 32, None)
    })?;
    drop(large);
    drop(arenas);

    // Locking is counted in a line of its own: nothing else locks.
    let locking = AllocatorBuilder::new()
        .with_guard_pages(true)
        .with_lock_in_memory(true);
    let arenas = locking.build_arenas_over(subject.system())?;
    let locked = line("allocate, fresh, locked", || memory(&locking, &arenas))?;
    drop(locked);
    Ok(())
}
