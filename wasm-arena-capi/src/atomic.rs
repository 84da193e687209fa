//! Atomic operations: memories whose contents know when they are damaged.

use core::ops::Range;
use core::ptr::NonNull;

use os::{Counted, OsPages};
use wasm_arena::{
    AllocError, AtomicMemoryOps, CompareExchange, IntegrityError, MappedTable, Provider,
    VerificationLevel, bytes_to_pages, pages_to_bytes,
};

use crate::call::{self, Out, answer};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles::{self, Kind, Object, Owned};
use crate::memory::{Memory, not_lent_mut};
use crate::memory_calls::wasm_arena_memory_t;
use crate::numbers::{self, wasm_arena_level_t};
use crate::shared::{HEAP, Shared};
use crate::statistics::{wasm_arena_atomic_statistics_t, wasm_arena_scrub_t};
use crate::status::wasm_arena_status_t;

/// Reads and writes of a memory that are atomic to each other, and checked. Made by
/// `wasm_arena_atomic_create`, ended by `wasm_arena_atomic_close`. Any number of threads may use it
/// at once: writers exclude each other, readers never see half of a write. No function of it makes
/// a system call, except to wait for a writer, and where that is said.
#[derive(Debug)]
pub struct wasm_arena_atomic_t {
    _never_dereferenced: [u8; 0],
}

/// The memory under atomic operations, and its second copy.
///
/// Invariant: while this value exists, nobody else reaches the memories through their handles: these
/// refuse as soon as there is a further reference (`memory::not_lent`), which is made while the
/// handle has one user.
#[derive(Debug)]
struct Lent {
    memory: Shared<Memory>,
    mirror: Option<Shared<Memory>>,
}

impl Lent {
    /// Takes a memory that nobody else uses at this moment.
    fn take(
        memory: &mut Owned<Memory>,
        mirror: Option<&mut Owned<Memory>>,
    ) -> Result<Self, Failure> {
        let size = allocated(memory)?;
        let mirror = mirror.map(|mirror| {
            let mirror_size = allocated(mirror)?;
            if mirror_size < size {
                return Err(IntegrityError::MirrorTooSmall {
                    mirror: mirror_size,
                    size,
                }
                .into());
            }
            for write in [false, true] {
                if let Some(offset) = mirror.first_refusal(0..mirror_size, write) {
                    return Err(Failure::from(IntegrityError::Protected { offset }));
                }
            }
            Ok(mirror.share())
        });
        Ok(Self {
            mirror: mirror.transpose()?,
            memory: memory.share(),
        })
    }
}

fn allocated(memory: &mut Owned<Memory>) -> Result<usize, Failure> {
    let memory = not_lent_mut(memory)?;
    match memory.base() {
        Some(_) => Ok(memory.size()),
        None => Err(AllocError::NotAllocated.into()),
    }
}

fn grow(memory: &mut Shared<Memory>, additional_pages: u32) -> Result<(), AllocError> {
    let mut pointer = memory.value_pointer();
    // SAFETY: nobody else reaches the memory (invariant of `Lent`), which is borrowed exclusively.
    let memory = unsafe { pointer.as_mut() };
    let current = bytes_to_pages(memory.size());
    memory.grow_pages(current, additional_pages).map(drop)
}

// SAFETY: 1 and 2: promises 1 and 2 of `PageAllocator`, which the memories are; nobody frees,
// resets, protects or moves them meanwhile (invariant). Two memories share no bytes; the second is
// at least as large, aligned to a host page and unprotected, as `take` saw. 3: promises 3 and 4 of
// `PageAllocator`; the mirror grows first, so that it is never the smaller one.
unsafe impl Provider for Lent {
    fn base(&self) -> NonNull<u8> {
        self.memory
            .base()
            .unwrap_or(NonNull::<usize>::dangling().cast())
    }

    fn size(&self) -> usize {
        self.memory.size()
    }

    fn first_refusal(&self, range: Range<usize>, write: bool) -> Option<usize> {
        self.memory.first_refusal(range, write)
    }

    fn mirror(&self) -> Option<NonNull<u8>> {
        self.mirror.as_ref().and_then(|mirror| mirror.base())
    }

    fn grow(&mut self, additional_pages: u32) -> Result<(), AllocError> {
        let needed = self
            .size()
            .saturating_add(pages_to_bytes(additional_pages)?);
        if let Some(mirror) = &mut self.mirror
            && mirror.size() < needed
        {
            grow(mirror, additional_pages)?;
        }
        grow(&mut self.memory, additional_pages)
    }
}

type Table = MappedTable<&'static Counted<OsPages>>;

/// What the handle stands for.
#[derive(Debug)]
pub(crate) struct Atomic(AtomicMemoryOps<Lent, Table>);

// SAFETY: the only type of this kind.
unsafe impl Object for Atomic {
    type Opaque = wasm_arena_atomic_t;
    const KIND: Kind = Kind::Atomic;
}

/// Sizes of a checked memory.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_atomic_info_t {
    /// Bytes of the memory.
    pub size: u64,
    /// Bytes that share a checksum: a power of two.
    pub block_size: u64,
    /// Blocks of the memory.
    pub block_count: u64,
    /// 1 if there is a second copy to repair from, else 0.
    pub is_mirrored: u64,
}

const _: () = assert!(size_of::<wasm_arena_atomic_info_t>() == 32);

/// Puts a memory under atomic operations, and stores their handle in `atomic`. Reads the whole
/// memory once. Until `wasm_arena_atomic_close`, the functions of the memory's handle refuse with
/// `WASM_ARENA_ERROR_LENT`; on failure it is as it was.
///
/// `mirror` is null, or a second memory, at least as large, from which damage is repaired; what it
/// held is lost, and it is lent too. `table_entries` is how many checksums there are at most (0:
/// 256): the size of a block follows from it. They lie in host pages of their own: one system call.
/// The level is standard at first.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_create(
    memory: *mut wasm_arena_memory_t,
    mirror: *mut wasm_arena_memory_t,
    table_entries: usize,
    atomic: *mut *mut wasm_arena_atomic_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let atomic = unsafe { Out::new(atomic, "atomic")? };
        let mut memory = handles::own::<Memory>(memory, "memory")?;
        let mut mirror = match mirror.is_null() {
            true => None,
            false => Some(handles::own::<Memory>(mirror, "mirror")?),
        };
        let entries = match table_entries {
            0 => wasm_arena::DEFAULT_TABLE_ENTRIES,
            entries => entries,
        };
        let table = MappedTable::new(HEAP.source(), entries)?;
        let lent = Lent::take(&mut memory, mirror.as_mut())?;
        let ops = AtomicMemoryOps::with_table(lent, table)?;
        atomic.set(handles::insert(Shared::new(Atomic(ops))?)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Ends atomic operations; the memory's handle can be used again, and a mirror's too. One system
/// call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_close(
    atomic: *mut wasm_arena_atomic_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let owned = handles::own::<Atomic>(atomic, "atomic")?;
        drop(owned.remove());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Writes `length` bytes at `offset`, and brings the checksums up to date. Cost: the bytes; from
/// level full on also up to two blocks. On failure nothing is written, except with
/// `WASM_ARENA_ERROR_READ_BACK`: everything was, and did not hold.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_write(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    source: *const u8,
    length: usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        // SAFETY: the caller's promise.
        let source = unsafe { call::bytes(source, length, "source")? };
        ops.0.atomic_write_with_checksum(offset, source)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Copies `length` bytes at `offset` into `target`, all of one moment. What is found damaged is
/// repaired if there is anything to repair it from; otherwise it is an error, and `target` is zero.
/// Cost: the bytes, and the blocks they touch as far as the level has them checked.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_read(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    target: *mut u8,
    length: usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        // SAFETY: the caller's promise.
        let target = unsafe { call::bytes_mut(target, length, "target")? };
        ops.0.atomic_read(offset, target)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// As `wasm_arena_atomic_read`, but never waits and never repairs: with
/// `WASM_ARENA_ERROR_CONTENDED`, writers came in between each time.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_try_read(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    target: *mut u8,
    length: usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        // SAFETY: the caller's promise.
        let target = unsafe { call::bytes_mut(target, length, "target")? };
        ops.0.try_atomic_read(offset, target)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Writes `length` times the same byte. Otherwise as `wasm_arena_atomic_write`.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_fill(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    length: usize,
    byte: u8,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        ops.0.atomic_fill(offset, length, byte)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Copies `length` bytes within the memory, from offset `from` to offset `to`; the ranges may
/// overlap. No writer comes in between, and no reader sees a part of it. Damage is never copied, as
/// far as the level has it checked.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_copy_within(
    atomic: *mut wasm_arena_atomic_t,
    from: usize,
    to: usize,
    length: usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        ops.0.atomic_copy_within(from, to, length)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Writes `desired` at `offset` if the 8-bit number there, little-endian and in any alignment,
/// equals `expected`. `found` (may be null) is the number that was there: equal to `expected` if,
/// and only if, it was exchanged.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_compare_exchange_u8(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    expected: u8,
    desired: u8,
    found: *mut u8,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let found = unsafe { Out::optional(found) };
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        found.set(compare_exchange(&ops, offset, expected, desired)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Writes `desired` at `offset` if the 16-bit number there, little-endian and in any alignment,
/// equals `expected`. `found` (may be null) is the number that was there: equal to `expected` if,
/// and only if, it was exchanged.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_compare_exchange_u16(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    expected: u16,
    desired: u16,
    found: *mut u16,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let found = unsafe { Out::optional(found) };
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        found.set(compare_exchange(&ops, offset, expected, desired)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Writes `desired` at `offset` if the 32-bit number there, little-endian and in any alignment,
/// equals `expected`. `found` (may be null) is the number that was there: equal to `expected` if,
/// and only if, it was exchanged.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_compare_exchange_u32(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    expected: u32,
    desired: u32,
    found: *mut u32,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let found = unsafe { Out::optional(found) };
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        found.set(compare_exchange(&ops, offset, expected, desired)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Writes `desired` at `offset` if the 64-bit number there, little-endian and in any alignment,
/// equals `expected`. `found` (may be null) is the number that was there: equal to `expected` if,
/// and only if, it was exchanged.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_compare_exchange_u64(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    expected: u64,
    desired: u64,
    found: *mut u64,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let found = unsafe { Out::optional(found) };
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        found.set(compare_exchange(&ops, offset, expected, desired)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Checks every block of the memory, both records of their checksums, the second copy and the
/// bookkeeping. Repairs nothing. Never holds up a writer for longer than one block takes.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_verify(
    atomic: *mut wasm_arena_atomic_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        ops.0.verify_integrity()?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// As `wasm_arena_atomic_verify`, for the blocks that a range touches.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_verify_range(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    length: usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        ops.0.verify_range(offset, length)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Checks up to `blocks` blocks from where the last call ended, and repairs what can be repaired.
/// For a cyclic task: damage that cannot be repaired is reported and passed over. `report` may be
/// null.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_scrub(
    atomic: *mut wasm_arena_atomic_t,
    blocks: usize,
    report: *mut wasm_arena_scrub_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let report = unsafe { Out::optional(report) };
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        report.set(wasm_arena_scrub_t::new(&ops.0.scrub(blocks)?));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Takes the checksums of the blocks that a range touches anew, from what they hold: for bytes that
/// a guest changed without these operations. What else is wrong with these blocks is blessed with
/// it.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_resync(
    atomic: *mut wasm_arena_atomic_t,
    offset: usize,
    length: usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        ops.0.resync(offset, length)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Grows by `additional_pages`; `previous_pages` (may be null) is the size before. Needs the handle
/// alone. The base may change. On failure the memory is as it was.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_grow(
    atomic: *mut wasm_arena_atomic_t,
    additional_pages: u32,
    previous_pages: *mut u32,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let previous_pages = unsafe { Out::optional(previous_pages) };
        let mut owned = handles::own::<Atomic>(atomic, "atomic")?;
        let ops = owned
            .get_mut()
            .ok_or(Failure::InUse { argument: "atomic" })?;
        previous_pages.set(ops.0.grow(additional_pages)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// How much is checked.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_level(
    atomic: *mut wasm_arena_atomic_t,
    level: *mut wasm_arena_level_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let level = unsafe { Out::new(level, "level")? };
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        level.set(numbers::level_number(ops.0.verification_level()?));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Changes how much is checked, from the next operation on. Leaving level off takes all checksums
/// anew, which costs the whole memory once, with writers and readers waiting.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_set_level(
    atomic: *mut wasm_arena_atomic_t,
    level: wasm_arena_level_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        let level: VerificationLevel = numbers::level(level, "level")?;
        ops.0.set_verification_level(level);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Sizes of the memory and of its blocks. Constant time.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_info(
    atomic: *mut wasm_arena_atomic_t,
    info: *mut wasm_arena_atomic_info_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let info = unsafe { Out::new(info, "info")? };
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        info.set(wasm_arena_atomic_info_t {
            size: ops.0.size() as u64,
            block_size: ops.0.block_size() as u64,
            block_count: ops.0.block_count() as u64,
            is_mirrored: u64::from(ops.0.is_mirrored()),
        });
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// What happened so far. Constant time.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_statistics(
    atomic: *mut wasm_arena_atomic_t,
    statistics: *mut wasm_arena_atomic_statistics_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let statistics = unsafe { Out::new(statistics, "statistics")? };
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        statistics.set(wasm_arena_atomic_statistics_t::new(&ops.0.statistics()));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// The damage found last, and whether it was repaired, in `damage`; its status is `WASM_ARENA_OK`
/// if there was none. Waits for writers.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_atomic_last_damage(
    atomic: *mut wasm_arena_atomic_t,
    damage: *mut wasm_arena_error_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let damage = unsafe { Out::new(damage, "damage")? };
        let ops = handles::pin::<Atomic>(atomic, "atomic")?;
        let last = ops.0.last_damage();
        damage.set(last.map_or(wasm_arena_error_t::EMPTY, |last| {
            (&Failure::from(last)).into()
        }));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// What was there before, whether or not it was exchanged.
fn compare_exchange<N: CompareExchange>(
    ops: &Atomic,
    offset: usize,
    expected: N,
    desired: N,
) -> Result<N, Failure> {
    let (Ok(found) | Err(found)) = ops.0.atomic_compare_exchange(offset, expected, desired)?;
    Ok(found)
}
