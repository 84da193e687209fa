//! What the cases share: checks, memories, counts of calls, patterns.
#![forbid(unsafe_code)]

use core::ops::Range;
use core::panic::Location;

use conformance::{Failure, Observer, Subject, Verdict};
use os::Protection;
use wasm_arena::{
    AllocError, Allocator, AllocatorBuilder, ArenaSystem, Arenas, ArenasRef, GrowthPolicy,
    LinearMemory, PageAllocator, WASM_PAGE_SIZE,
};

use crate::bench::{self, HeapSetting, StandIn};
use crate::subjects::{LIBC, Libc, OnQnx};

/// What the cases run on.
pub(super) type Bench = OnQnx<Libc>;

/// A memory on arenas of its own.
pub(super) type Memory = LinearMemory<Allocator<Arenas<Libc>>>;

/// A builder for the heap of the C library.
pub(super) type Builder = AllocatorBuilder<Libc>;

/// Bytes of one Wasm page.
pub(super) const PAGE: usize = WASM_PAGE_SIZE;

/// A failure of the line that calls this.
#[track_caller]
pub(super) fn failure(what: &'static str, left: u64, right: u64) -> Failure {
    let place = Location::caller();
    Failure {
        file: place.file(),
        line: place.line(),
        what,
        left,
        right,
        error: None,
    }
}

/// Ends the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $what:literal) => {
        if !$condition {
            return Err($crate::cases::support::failure($what, 0, 0));
        }
    };
}

/// Ends the case unless two numbers are the same.
macro_rules! ensure_same {
    ($found:expr, $expected:expr, $what:literal) => {{
        let (found, expected) = ($found, $expected);
        if found != expected {
            return Err($crate::cases::support::failure(
                $what,
                conformance::Number::number(found),
                conformance::Number::number(expected),
            ));
        }
    }};
}

/// Ends the case unless the result is an error of this pattern.
macro_rules! ensure_error {
    ($result:expr, $pattern:pat $(if $guard:expr)?, $what:literal) => {
        match $result.map(drop) {
            Err($pattern) $(if $guard)? => {}
            other => {
                return Err(conformance::Failure {
                    error: other.err().map(Into::into),
                    ..$crate::cases::support::failure($what, 0, 0)
                });
            }
        }
    };
}

/// A case named after its function.
macro_rules! named {
    ($function:ident, $shows:literal) => {
        conformance::Case {
            name: stringify!($function),
            shows: $shows,
            ends: conformance::Ends::Returns,
            needs_observer: true,
            exhaustive: false,
            loses_memory: false,
            run: $function,
        }
    };
    ($function:ident loses, $shows:literal) => {
        conformance::Case {
            exhaustive: false,
            loses_memory: true,
            ..named!($function, $shows)
        }
    };
}

pub(super) use {ensure, ensure_error, ensure_same, named};

/// A builder with guards of one host page, no room, and the default settings of arenas.
pub(super) fn builder() -> Builder {
    AllocatorBuilder::new().with_guard_pages(true)
}

/// As [`builder`], for growth by `realloc`.
pub(super) fn reallocating() -> Builder {
    builder().with_growth_policy(GrowthPolicy::Reallocate)
}

/// As [`builder`], with nothing kept: what is released goes back to the heap at once.
pub(super) fn keeping_nothing() -> Builder {
    builder().with_arena_cache_max_blocks(0)
}

/// Arenas over the heap of the C library.
pub(super) fn arenas(builder: &Builder) -> Result<Arenas<Libc>, AllocError> {
    builder.build_arenas_over(LIBC.system())
}

/// A memory of so many Wasm pages on arenas of its own.
pub(super) fn memory(builder: Builder, pages: u32) -> Result<Memory, AllocError> {
    LinearMemory::new(builder.build_over(LIBC.system())?, pages, None)
}

/// A memory of so many Wasm pages on arenas that exist.
pub(super) fn memory_in<'a>(
    builder: &Builder,
    arenas: &'a Arenas<Libc>,
    pages: u32,
) -> Result<LinearMemory<Allocator<&'a Arenas<Libc>>>, AllocError> {
    LinearMemory::new(builder.clone().build_in(arenas)?, pages, None)
}

/// Bytes of a host page.
pub(super) fn host_page() -> usize {
    LIBC.system().facts().pages.page_size.get()
}

/// Where the data starts.
pub(super) fn base_of<R: ArenasRef>(memory: &LinearMemory<Allocator<R>>) -> usize {
    memory
        .allocator()
        .base()
        .map_or(0, |base| base.addr().get())
}

/// The block of the heap that a memory lies in: where it starts and ends.
#[track_caller]
pub(super) fn block_around<R: ArenasRef>(
    memory: &LinearMemory<Allocator<R>>,
) -> Result<Range<usize>, Failure> {
    let (start, len) = bench::block_of(base_of(memory))
        .ok_or_else(|| failure("the data lies in a live block", 0, 1))?;
    Ok(start..start + len)
}

/// Fails unless the page that holds `address` has this protection.
#[track_caller]
pub(super) fn ensure_protection(address: usize, expected: Protection) -> Verdict {
    let found = StandIn.protection(address);
    if found == Some(expected) {
        return Ok(());
    }
    let found = found.map_or(u64::MAX, |found| found as u64);
    Err(failure(
        "the page has this protection",
        found,
        expected as u64,
    ))
}

/// Fails unless both guards are inaccessible and lie next to what they guard.
#[track_caller]
pub(super) fn ensure_guarded<R: ArenasRef>(memory: &LinearMemory<Allocator<R>>) -> Verdict {
    let allocator = memory.allocator();
    if allocator.statistics().guards_down {
        return Err(failure("the account says that guards are up", 0, 1));
    }
    allocator.verify()?;
    let base = base_of(memory);
    ensure_protection(base - 1, Protection::None)?;
    ensure_protection(base, Protection::ReadWrite)?;
    ensure_protection(base + memory.size() - 1, Protection::ReadWrite)?;
    ensure_protection(base + allocator.capacity(), Protection::None)
}

/// Bytes that tell a place in the memory: one for each unit of 256 bytes, never zero.
fn mark(seed: u8, offset: usize) -> u8 {
    let unit = (offset / 256 % 241).to_le_bytes()[0];
    seed.wrapping_mul(31).wrapping_add(unit) | 1
}

/// Writes a pattern over a range that starts at a multiple of 256.
pub(super) fn fill<A: PageAllocator>(
    memory: &mut LinearMemory<A>,
    range: Range<usize>,
    seed: u8,
) -> Result<(), AllocError> {
    let bytes = memory.slice_mut(range.start, range.len())?;
    for (index, unit) in bytes.chunks_mut(256).enumerate() {
        unit.fill(mark(seed, range.start + index * 256));
    }
    Ok(())
}

/// Fails unless a range holds the pattern of `seed`.
#[track_caller]
pub(super) fn ensure_filled<A: PageAllocator>(
    memory: &LinearMemory<A>,
    range: Range<usize>,
    seed: u8,
) -> Verdict {
    for (index, unit) in memory
        .slice(range.start, range.len())?
        .chunks(256)
        .enumerate()
    {
        let offset = range.start + index * 256;
        if unit.iter().any(|&byte| byte != mark(seed, offset)) {
            return Err(failure("the bytes are those written", offset as u64, 0));
        }
    }
    Ok(())
}

/// Fails unless a range is zero.
#[track_caller]
pub(super) fn ensure_zero<A: PageAllocator>(
    memory: &LinearMemory<A>,
    range: Range<usize>,
) -> Verdict {
    zero(memory.slice(range.start, range.len())?, range.start)
}

/// Fails unless all bytes are zero; `offset` is that of the first.
#[track_caller]
pub(super) fn zero(bytes: &[u8], offset: usize) -> Verdict {
    bytes
        .iter()
        .position(|&byte| byte != 0)
        .map_or(Ok(()), |at| {
            Err(failure(
                "bytes are zero from here on",
                (offset + at) as u64,
                u64::MAX,
            ))
        })
}

/// More kinds of calls than the stand-in has.
const KINDS: usize = 32;

/// The counts of all calls at one moment.
#[derive(Clone, Copy)]
pub(super) struct Calls([usize; KINDS]);

impl Calls {
    /// Now.
    pub(super) fn now() -> Self {
        let mut counts = [0; KINDS];
        for (place, (kind, _)) in counts.iter_mut().zip(bench::kinds()) {
            *place = bench::calls_of_kind(kind);
        }
        Self(counts)
    }

    /// Calls of a function since then; a name that is none is too many.
    pub(super) fn since(&self, name: &str) -> usize {
        self.all_since()
            .find(|(other, _)| *other == name)
            .map_or(usize::MAX, |(_, count)| count)
    }

    /// Functions and their calls since then.
    pub(super) fn all_since(&self) -> impl Iterator<Item = (&'static str, usize)> {
        bench::kinds()
            .zip(self.0)
            .map(|((kind, name), before)| (name, bench::calls_of_kind(kind) - before))
    }

    /// Calls of whatever function since then, but for locks.
    pub(super) fn total_since(&self) -> usize {
        self.all_since()
            .filter(|(name, _)| !bench::is_lock(name))
            .map(|(_, count)| count)
            .sum()
    }
}

/// Plans a refusal of the nth call of one function; [`refused`] tells whether it came to that.
#[track_caller]
pub(super) fn refuse(name: &str, n: usize) -> Verdict {
    StandIn.refuse_nth(0);
    if bench::refuse_nth_of(name, n) {
        Ok(())
    } else {
        Err(failure("the stand-in can refuse this function", 0, 1))
    }
}

/// Plans refusals of the nth call and all after it.
pub(super) fn refuse_from(n: usize) {
    StandIn.refuse_nth(0);
    bench::refuse_from(n);
}

/// Calls refused since the last plan was made. Nothing is refused from now on.
pub(super) fn refused() -> usize {
    let refusals = StandIn.refusals();
    StandIn.refuse_nth(0);
    refusals
}

/// All settings of the heap.
pub(super) fn heap_settings() -> [isize; 9] {
    [
        HeapSetting::ArenaSize,
        HeapSetting::CacheMaxBlocks,
        HeapSetting::CacheMaxBytes,
        HeapSetting::Hold,
        HeapSetting::Monotonic,
        HeapSetting::Lifo,
        HeapSetting::TrimThreshold,
        HeapSetting::MmapThreshold,
        HeapSetting::Granularity,
    ]
    .map(bench::setting)
}

/// Fails unless the heap's settings are these; shows the first that differs.
#[track_caller]
pub(super) fn ensure_settings(expected: [isize; 9]) -> Verdict {
    for (found, expected) in heap_settings().into_iter().zip(expected) {
        if found != expected {
            let (found, expected) = (found as u64, expected as u64);
            return Err(failure("the heap's settings are these", found, expected));
        }
    }
    Ok(())
}

/// Sets a switch of the stand-in.
#[track_caller]
pub(super) fn switch(which: bench::Switch, value: isize) -> Verdict {
    if bench::switch(which, value) {
        Ok(())
    } else {
        Err(failure("the stand-in has this switch", which as u64, 0))
    }
}
