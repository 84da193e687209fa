//! The functions that look at a memory, and that copy to and from it.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use crate::call::{self, Place, change, look};
use crate::effective::{effective_option, wasm_arena_effective_option_t};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::memory::Memory;
use crate::memory_calls::wasm_arena_memory_t;
use crate::statistics::{wasm_arena_address_t, wasm_arena_memory_statistics_t};
use crate::status::wasm_arena_status_t;

/// Where a memory lies.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_view_t {
    /// Where the data starts; null if there is no memory. Valid until the next growth, reset, free
    /// or destruction.
    pub base: *mut u8,
    /// Size in bytes; 0 if there is no memory.
    pub size: usize,
    /// Bytes that the memory can grow to without moving.
    pub capacity: usize,
}

const _: () = assert!(size_of::<wasm_arena_view_t>() == 3 * size_of::<usize>());

/// Where the memory lies, and how large it is. Constant time, no system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_view(
    memory: *mut wasm_arena_memory_t,
    view: *mut wasm_arena_view_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &Memory| {
        Ok::<_, Failure>(wasm_arena_view_t {
            base: memory.base().map_or(ptr::null_mut(), NonNull::as_ptr),
            size: memory.size(),
            capacity: memory.capacity(),
        })
    };
    // SAFETY: the caller's promise.
    unsafe { look(memory, Place::needed(view, "view"), error, work) }
}

/// Copies `length` bytes at `offset` out of the memory, into `target`, which is no part of it. A
/// range outside, or one that a protection forbids to read, is an error and no fault; `target` is
/// then zero. No system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_read(
    memory: *mut wasm_arena_memory_t,
    offset: usize,
    target: *mut u8,
    length: usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &Memory| {
        // SAFETY: the caller's promise.
        let target = unsafe { call::bytes_mut(target, length, "target")? };
        Ok::<_, Failure>(memory.read(offset, target)?)
    };
    // SAFETY: the caller's promise.
    unsafe { look(memory, Place::NONE, error, work) }
}

/// Copies `length` bytes from `source`, which is no part of the memory, into it at `offset`. A
/// range outside, or one that a protection forbids to write, is an error and no fault; nothing is
/// written then. No system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_write(
    memory: *mut wasm_arena_memory_t,
    offset: usize,
    source: *const u8,
    length: usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| {
        // SAFETY: the caller's promise.
        let source = unsafe { call::bytes(source, length, "source")? };
        Ok::<_, Failure>(memory.write(offset, source)?)
    };
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::NONE, error, work) }
}

/// The account of the memory held, or held last. Constant time, no system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_statistics(
    memory: *mut wasm_arena_memory_t,
    statistics: *mut wasm_arena_memory_statistics_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let place = Place::needed(statistics, "statistics");
    let work = |memory: &Memory| {
        Ok::<_, Failure>(wasm_arena_memory_statistics_t::new(memory.statistics()))
    };
    // SAFETY: the caller's promise.
    unsafe { look(memory, place, error, work) }
}

/// What became of an option of the memory or of its arenas: `option` is a `WASM_ARENA_OPTION_...`.
/// No system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_effective_option(
    memory: *mut wasm_arena_memory_t,
    option: i32,
    effective: *mut wasm_arena_effective_option_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let place = Place::needed(effective, "effective");
    let work = |memory: &Memory| effective_option(memory.effective_configuration(), option);
    // SAFETY: the caller's promise.
    unsafe { look(memory, place, error, work) }
}

/// Tells which part of the memory an address falls in; `part` is `WASM_ARENA_PART_NONE` if in none.
/// Constant time, no system call, never waits.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_describe_address(
    memory: *mut wasm_arena_memory_t,
    address: *const c_void,
    description: *mut wasm_arena_address_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let place = Place::needed(description, "description");
    let work = |memory: &Memory| {
        let part = memory.describe_address(address.addr());
        Ok::<_, Failure>(part.map_or(wasm_arena_address_t::NOWHERE, |part| {
            wasm_arena_address_t::new(None, part)
        }))
    };
    // SAFETY: the caller's promise.
    unsafe { look(memory, place, error, work) }
}
