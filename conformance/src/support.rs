//! What cases share: memories to look at, patterns to find again, guards to ask after.
//!
//! A pattern depends on a seed and on where it lies, so that bytes which moved to another place are
//! noticed. Every unit of 4 KiB starts with a stamp and is otherwise filled with one byte: quick to
//! write and to compare even where nothing is optimised.

use core::ops::Range;

use os::Protection;
use wasm_arena::{
    Allocator, AllocatorBuilder, ArenaSystem, Arenas, ArenasRef, GrowthRoom, PageAllocator,
    SystemFacts, WASM_PAGE_SIZE,
};

use crate::failure::{ensure, ensure_eq};
use crate::{Failure, Subject, Verdict};

/// A builder for the system of a subject.
pub(crate) type Builder<P> = AllocatorBuilder<<P as Subject>::System>;

/// The arenas of a subject.
pub(crate) type SubjectArenas<P> = Arenas<<P as Subject>::System>;

/// A memory that owns its arenas.
pub(crate) type Memory<P> = Allocator<SubjectArenas<P>>;

/// Bytes of one Wasm page.
pub(crate) const PAGE: usize = WASM_PAGE_SIZE;

/// The unit of a pattern.
const UNIT: usize = 4096;

/// A builder with few surprises: guards of a page, room for four Wasm pages, eight regions kept.
pub(crate) fn builder<P: Subject>(_: &P) -> Builder<P> {
    AllocatorBuilder::new()
        .with_guard_pages(true)
        .with_growth_room(GrowthRoom::Bytes(4 * PAGE))
        .with_arena_cache_max_blocks(8)
}

/// As [`builder`], without room: every growth moves.
pub(crate) fn moving<P: Subject>(subject: &P) -> Builder<P> {
    builder(subject).with_growth_room(GrowthRoom::Bytes(0))
}

/// An allocator over arenas of its own, without a memory yet.
#[track_caller]
pub(crate) fn build<P: Subject>(subject: &P, builder: Builder<P>) -> Result<Memory<P>, Failure> {
    Ok(builder.build_over(subject.system())?)
}

/// What the system of a subject can do.
pub(crate) fn facts<P: Subject>(subject: &P) -> SystemFacts {
    subject.system().facts()
}

/// The host page of a subject, in bytes.
pub(crate) fn host_page<P: Subject>(subject: &P) -> usize {
    facts(subject).pages.page_size.get()
}

/// `range` of the data, to read.
#[track_caller]
pub(crate) fn bytes<A: PageAllocator>(memory: &A, range: Range<usize>) -> Result<&[u8], Failure> {
    let base = checked(memory, &range, false)?;
    // SAFETY: the range is inside the memory and may be read (both just checked), so the bytes are
    // initialised and nobody else's (promise 1 of `PageAllocator`); the borrow of the allocator
    // keeps them in place.
    Ok(unsafe { core::slice::from_raw_parts(base.wrapping_add(range.start), range.len()) })
}

/// `range` of the data, to write.
#[track_caller]
pub(crate) fn bytes_mut<A: PageAllocator>(
    memory: &mut A,
    range: Range<usize>,
) -> Result<&mut [u8], Failure> {
    let base = checked(memory, &range, true)?;
    // SAFETY: as in `bytes`, and the range may be written; the borrow is exclusive.
    Ok(unsafe { core::slice::from_raw_parts_mut(base.wrapping_add(range.start), range.len()) })
}

#[track_caller]
fn checked<A: PageAllocator>(
    memory: &A,
    range: &Range<usize>,
    write: bool,
) -> Result<*mut u8, Failure> {
    ensure!(
        range.start <= range.end && range.end <= memory.size(),
        "the range is inside the memory"
    );
    ensure_eq!(
        memory.first_refusal(range.clone(), write),
        None::<usize>,
        "the range may be accessed"
    );
    let base = memory.base();
    base.map(core::ptr::NonNull::as_ptr)
        .ok_or(Failure::here("there is a memory", 0, 0))
}

/// The bytes from the base on that an allocator opened, though they lie behind the data: up to the
/// end of the host page the data ends in.
#[track_caller]
pub(crate) fn rest_of_the_last_page<R: ArenasRef>(memory: &Allocator<R>) -> Result<&[u8], Failure> {
    let size = memory.size();
    let base = checked(memory, &(size..size), false)?;
    let page = memory.arenas().system().facts().pages.page_size;
    let len = page.round_up(size).unwrap_or(size) - size;
    // SAFETY: what lies between the size and the end of its host page is accessible and zero, as
    // `Allocator::allocate_bytes` promises; the borrow keeps it in place.
    Ok(unsafe { core::slice::from_raw_parts(base.wrapping_add(size), len) })
}

const fn stamp(seed: u8, offset: usize) -> [u8; 8] {
    ((offset as u64) << 8 | seed as u64).to_le_bytes()
}

/// The filling of the unit at `offset`: never zero, and different in neighbours.
fn filling(seed: u8, offset: usize) -> u8 {
    let index = (offset / UNIT % 251).to_le_bytes()[0];
    seed.wrapping_mul(29).wrapping_add(index).max(1)
}

/// Writes the pattern of `seed` into a range that starts at a multiple of 4 KiB.
#[track_caller]
pub(crate) fn fill<A: PageAllocator>(memory: &mut A, range: Range<usize>, seed: u8) -> Verdict {
    let start = range.start;
    for (index, unit) in bytes_mut(memory, range)?.chunks_mut(UNIT).enumerate() {
        let offset = start + index * UNIT;
        unit.fill(filling(seed, offset));
        for (byte, stamped) in unit.iter_mut().zip(stamp(seed, offset)) {
            *byte = stamped;
        }
    }
    Ok(())
}

/// Fills the whole memory.
#[track_caller]
pub(crate) fn fill_all<A: PageAllocator>(memory: &mut A, seed: u8) -> Verdict {
    let size = memory.size();
    fill(memory, 0..size, seed)
}

/// Fails unless a range that starts at a multiple of 4 KiB holds the pattern of `seed`.
#[track_caller]
pub(crate) fn ensure_pattern<A: PageAllocator>(
    memory: &A,
    range: Range<usize>,
    seed: u8,
) -> Verdict {
    let start = range.start;
    for (index, unit) in bytes(memory, range)?.chunks(UNIT).enumerate() {
        let offset = start + index * UNIT;
        let (head, rest) = unit.split_at(unit.len().min(8));
        let same =
            head == &stamp(seed, offset)[..head.len()] && all_are(rest, filling(seed, offset));
        if !same {
            let found =
                first_other(rest, filling(seed, offset)).map_or(offset, |at| offset + 8 + at);
            return Err(Failure::here(
                "the bytes are those written (at the offset found)",
                found as u64,
                u64::from(seed),
            ));
        }
    }
    Ok(())
}

/// Fails unless a range of the data is zero.
#[track_caller]
pub(crate) fn ensure_zero<A: PageAllocator>(memory: &A, range: Range<usize>) -> Verdict {
    let start = range.start;
    zero(bytes(memory, range)?, start)
}

/// Fails unless all of the data is zero.
#[track_caller]
pub(crate) fn ensure_all_zero<A: PageAllocator>(memory: &A) -> Verdict {
    ensure_zero(memory, 0..memory.size())
}

#[track_caller]
pub(crate) fn zero(bytes: &[u8], start: usize) -> Verdict {
    if all_are(bytes, 0) {
        return Ok(());
    }
    let offset = first_other(bytes, 0).unwrap_or(0);
    Err(Failure::here(
        "the byte at this offset is zero",
        (start + offset) as u64,
        u64::MAX,
    ))
}

/// Compares in blocks: a loop over single bytes is slow where nothing is optimised.
fn all_are(bytes: &[u8], value: u8) -> bool {
    let block = [value; 512];
    bytes
        .chunks(block.len())
        .all(|chunk| chunk == &block[..chunk.len()])
}

fn first_other(bytes: &[u8], value: u8) -> Option<usize> {
    bytes.iter().position(|&byte| byte != value)
}

/// Fails unless the page that holds the byte at `offset` from the base has this protection. Passes
/// where nobody can tell.
#[track_caller]
pub(crate) fn ensure_protection<P: Subject, A: PageAllocator>(
    subject: &P,
    memory: &A,
    offset: isize,
    expected: Protection,
) -> Verdict {
    let (Some(observer), Some(base)) = (subject.observer(), memory.base()) else {
        return Ok(());
    };
    if !facts(subject).pages.can_protect {
        return Ok(());
    }
    let address = base.addr().get().wrapping_add_signed(offset);
    ensure_eq!(
        observer.protection(address),
        Some(expected),
        "the page has the protection expected"
    );
    Ok(())
}

/// Fails unless every page of both guards is inaccessible and the data between them is not: seen
/// through the bench where there is one, and by the allocator's own probes where it can.
#[track_caller]
pub(crate) fn ensure_guarded<P: Subject, R: ArenasRef>(
    subject: &P,
    memory: &Allocator<R>,
) -> Verdict {
    memory.verify()?;
    let page = host_page(subject);
    let (before, after) = (
        memory.statistics().guard_before_bytes,
        memory.statistics().guard_after_bytes,
    );
    for index in 1..=before / page {
        ensure_protection(subject, memory, -signed(index * page), Protection::None)?;
    }
    let capacity = memory.capacity();
    for index in 0..after / page {
        let offset = signed(capacity + index * page);
        ensure_protection(subject, memory, offset, Protection::None)?;
    }
    Ok(())
}

/// An offset as a signed number. Offsets inside a region always fit.
pub(crate) fn signed(offset: usize) -> isize {
    isize::try_from(offset).unwrap_or(isize::MAX)
}
