//! Atomic operations: reads and writes of a memory whose contents know when they are damaged.

use wasm_arena::CompareExchange;

use crate::atomic::Atomic;
use crate::call::{self, Place, answer, look, make};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles;
use crate::memory::Memory;
use crate::memory_calls::wasm_arena_memory_t;
use crate::status::wasm_arena_status_t;

/// Reads and writes of a memory that are atomic to each other, and checked. Made by
/// `wasm_arena_atomic_create`, ended by `wasm_arena_atomic_close`. Any number of threads may use it
/// at once: writers exclude each other, readers never see half of a write. No function of it makes
/// a system call, except to wait for a writer, and where that is said.
#[derive(Debug)]
pub struct wasm_arena_atomic_t {
    _never_dereferenced: [u8; 0],
}

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
        let mut memory = handles::own::<Memory>(memory, "memory")?;
        let mut mirror = match mirror.is_null() {
            true => None,
            false => Some(handles::own::<Memory>(mirror, "mirror")?),
        };
        let entries = match table_entries {
            0 => wasm_arena::DEFAULT_TABLE_ENTRIES,
            entries => entries,
        };
        Atomic::new(&mut memory, mirror.as_mut(), entries)
    };
    // SAFETY: the caller's promise.
    unsafe { make(atomic, error, work) }
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
    let work = || handles::own::<Atomic>(atomic, "atomic").map(|owned| drop(owned.remove()));
    // SAFETY: the caller's promise.
    unsafe { answer(Place::NONE, error, work) }
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
    let work = |ops: &Atomic| {
        // SAFETY: the caller's promise.
        let source = unsafe { call::bytes(source, length, "source")? };
        Ok::<_, Failure>(ops.0.atomic_write_with_checksum(offset, source)?)
    };
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::NONE, error, work) }
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
    let work = |ops: &Atomic| {
        // SAFETY: the caller's promise.
        let target = unsafe { call::bytes_mut(target, length, "target")? };
        Ok::<_, Failure>(ops.0.atomic_read(offset, target)?)
    };
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::NONE, error, work) }
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
    let work = |ops: &Atomic| {
        // SAFETY: the caller's promise.
        let target = unsafe { call::bytes_mut(target, length, "target")? };
        Ok::<_, Failure>(ops.0.try_atomic_read(offset, target)?)
    };
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::NONE, error, work) }
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
    let work = |ops: &Atomic| ops.0.atomic_fill(offset, length, byte);
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::NONE, error, work) }
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
    let work = |ops: &Atomic| ops.0.atomic_copy_within(from, to, length);
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::NONE, error, work) }
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
    let work = |ops: &Atomic| compare_exchange(ops, offset, expected, desired);
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::optional(found), error, work) }
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
    let work = |ops: &Atomic| compare_exchange(ops, offset, expected, desired);
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::optional(found), error, work) }
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
    let work = |ops: &Atomic| compare_exchange(ops, offset, expected, desired);
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::optional(found), error, work) }
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
    let work = |ops: &Atomic| compare_exchange(ops, offset, expected, desired);
    // SAFETY: the caller's promise.
    unsafe { look(atomic, Place::optional(found), error, work) }
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
