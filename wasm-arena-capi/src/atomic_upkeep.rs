//! Upkeep of a memory under atomic operations: checks, repairs, growth, levels, accounts.

use crate::atomic::Atomic;
use crate::atomic_calls::wasm_arena_atomic_t;
use crate::call::{Place, change, look};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::numbers::{self, wasm_arena_level_t};
use crate::statistics::{wasm_arena_atomic_statistics_t, wasm_arena_scrub_t};
use crate::status::wasm_arena_status_t;

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
    let work = |ops: &Atomic| ops.0.verify_integrity();
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::NONE, error, work) }
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
    let work = |ops: &Atomic| ops.0.verify_range(offset, length);
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::NONE, error, work) }
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
    let work = |ops: &Atomic| {
        ops.0
            .scrub(blocks)
            .map(|done| wasm_arena_scrub_t::new(&done))
    };
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::optional(report), error, work) }
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
    let work = |ops: &Atomic| ops.0.resync(offset, length);
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::NONE, error, work) }
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
    let work = |ops: &mut Atomic| ops.0.grow(additional_pages);
    // SAFETY: the caller's promise.
    unsafe { change(atomic, Place::optional(previous_pages), error, work) }
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
    let work = |ops: &Atomic| ops.0.verification_level().map(numbers::level_number);
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::needed(level, "level"), error, work) }
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
    let work = |ops: &Atomic| {
        let level = numbers::level(level, "level")?;
        ops.0.set_verification_level(level);
        Ok::<_, Failure>(())
    };
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::NONE, error, work) }
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
    let work = |ops: &Atomic| {
        Ok::<_, Failure>(wasm_arena_atomic_info_t {
            size: ops.0.size() as u64,
            block_size: ops.0.block_size() as u64,
            block_count: ops.0.block_count() as u64,
            is_mirrored: u64::from(ops.0.is_mirrored()),
        })
    };
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::needed(info, "info"), error, work) }
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
    let place = Place::needed(statistics, "statistics");
    let work =
        |ops: &Atomic| Ok::<_, Failure>(wasm_arena_atomic_statistics_t::new(&ops.0.statistics()));
    // SAFETY: the caller's promise.
    unsafe { look(atomic, place, error, work) }
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
    let work = |ops: &Atomic| {
        let last = ops.0.last_damage().map(Failure::from);
        Ok::<_, Failure>(wasm_arena_error_t::of_last(last.as_ref()))
    };
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::needed(damage, "damage"), error, work) }
}
