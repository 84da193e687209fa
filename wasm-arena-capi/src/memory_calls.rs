//! The functions that make, change and end memories.

use core::ptr::NonNull;

use wasm_arena::AllocError;

use crate::arenas::{AnyArenas, wasm_arena_arenas_t};
use crate::call::{Place, answer, change, look, make};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles::{self, Object};
use crate::memory::Memory;
use crate::memory_options::{WASM_ARENA_AUTOMATIC, settings, wasm_arena_memory_options_t};
use crate::numbers::{self, wasm_arena_level_t, wasm_arena_protection_t};
use crate::statistics::WASM_ARENA_NO_MAXIMUM;
use crate::status::wasm_arena_status_t;

/// An allocator that holds one memory at most, on arenas. Made by `wasm_arena_memory_create`, ended
/// by `wasm_arena_memory_destroy`. Functions that change it need it alone: a second thread gets
/// `WASM_ARENA_ERROR_IN_USE`. Functions that look at it may run at once.
#[derive(Debug)]
pub struct wasm_arena_memory_t {
    _never_dereferenced: [u8; 0],
}

/// Makes an allocator on `arenas`, without a memory yet, and stores its handle in `memory`.
/// `options` may be null: the defaults. The arenas, and the budget in the options, cannot be
/// destroyed before it. No system call for memory. The handle belongs to the caller, until
/// `wasm_arena_memory_destroy`.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_create(
    arenas: *mut wasm_arena_arenas_t,
    options: *const wasm_arena_memory_options_t,
    memory: *mut *mut wasm_arena_memory_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let arenas = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let settings = unsafe { settings(options)? };
        Memory::new(&arenas, settings)
    };
    // SAFETY: the caller's promise.
    unsafe { make(memory, error, work) }
}

/// Ends an allocator, and its memory if there is one, as `wasm_arena_memory_free` does. If that is
/// refused because of a seal, nothing is changed. If the memory is found damaged, or cannot be
/// given back, the error tells, and the handle is gone nevertheless. Pointers into the memory must
/// not be used again.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_destroy(
    memory: *mut wasm_arena_memory_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let freed = match Memory::change(&mut owned)?.free() {
            Err(AllocError::NotAllocated) => Ok(()),
            Err(sealed @ AllocError::Sealed { .. }) => return Err(Failure::from(sealed)),
            freed => freed,
        };
        drop(owned.remove());
        Ok(freed?)
    };
    // SAFETY: the caller's promise.
    unsafe { answer(Place::NONE, error, work) }
}

/// Allocates a memory of `initial_pages` Wasm pages that may grow to `maximum_pages`, or without a
/// limit of its own with `WASM_ARENA_NO_MAXIMUM`. 0 pages are legal. `base` (may be null) is where
/// it starts; all of it is zero. On failure nothing is left behind.
///
/// No system call if a kept region fits, else one to five.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_allocate(
    memory: *mut wasm_arena_memory_t,
    initial_pages: u32,
    maximum_pages: u32,
    base: *mut *mut u8,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| {
        let maximum = match maximum_pages {
            WASM_ARENA_NO_MAXIMUM => None,
            pages => Some(pages),
        };
        memory
            .allocate_pages(initial_pages, maximum)
            .map(NonNull::as_ptr)
    };
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::optional(base), error, work) }
}

/// As `wasm_arena_memory_allocate`, in bytes, which need not be multiples of anything.
/// `maximum_bytes` may be `WASM_ARENA_AUTOMATIC` for none. `capacity_bytes` is the size up to which
/// growth never moves the memory, whatever the options say of room, and even beyond the maximum;
/// with `WASM_ARENA_AUTOMATIC` the options decide. For runtimes whose compiled code relies on so
/// much address space.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_allocate_bytes(
    memory: *mut wasm_arena_memory_t,
    initial_bytes: usize,
    maximum_bytes: usize,
    capacity_bytes: usize,
    base: *mut *mut u8,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| {
        let (maximum, capacity) = (if_any(maximum_bytes), if_any(capacity_bytes));
        memory
            .allocate_bytes(initial_bytes, maximum, capacity)
            .map(NonNull::as_ptr)
    };
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::optional(base), error, work) }
}

/// Grows by `additional_pages`. `current_pages` must be the current size. `base` (may be null) is
/// where the memory starts now, which may have changed; growing by 0 tells it. New bytes are zero,
/// contents and protections stay. On failure the memory is as it was, and still usable.
///
/// In place: no system call where the room is open, else one. Moving: the calls of an allocation,
/// and a copy of the data.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_grow(
    memory: *mut wasm_arena_memory_t,
    current_pages: u32,
    additional_pages: u32,
    base: *mut *mut u8,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| {
        memory
            .grow_pages(current_pages, additional_pages)
            .map(NonNull::as_ptr)
    };
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::optional(base), error, work) }
}

/// As `wasm_arena_memory_grow`, in bytes, which need not be multiples of anything.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_grow_bytes(
    memory: *mut wasm_arena_memory_t,
    additional_bytes: usize,
    base: *mut *mut u8,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| memory.grow_bytes(additional_bytes).map(NonNull::as_ptr);
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::optional(base), error, work) }
}

/// Changes what may be done with a range of the data: whole host pages, in bytes from the base; the
/// last page may be named by the memory's end. On failure nothing is changed. One system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_protect(
    memory: *mut wasm_arena_memory_t,
    offset: usize,
    length: usize,
    protection: wasm_arena_protection_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| {
        let protection = numbers::protection(protection, "protection")?;
        Ok::<_, Failure>(memory.protect(offset, length, protection)?)
    };
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::NONE, error, work) }
}

/// Takes the memory back to its initial size, all zero, with its initial protection. The base
/// stays. For the next guest of the same kind.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_reset(
    memory: *mut wasm_arena_memory_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| memory.reset();
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::NONE, error, work) }
}

/// Ends the memory; the allocator stays, for another one. Pointers into the memory must not be used
/// again. Except for `WASM_ARENA_ERROR_SEALED`, `WASM_ARENA_ERROR_NOT_ALLOCATED`, and errors about
/// the handle, the memory is gone in any case: what was found damaged, or could not be given back,
/// is taken out of use, counted, and told. No system call if the region is kept.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_free(
    memory: *mut wasm_arena_memory_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| memory.free();
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::NONE, error, work) }
}

/// From now on this memory asks nothing of the operating system: what would need a call is refused
/// with `WASM_ARENA_ERROR_SEALED`. No system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_seal(
    memory: *mut wasm_arena_memory_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| {
        memory.set_sealed(true);
        Ok::<_, Failure>(())
    };
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::NONE, error, work) }
}

/// Undoes `wasm_arena_memory_seal`.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_unseal(
    memory: *mut wasm_arena_memory_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| {
        memory.set_sealed(false);
        Ok::<_, Failure>(())
    };
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::NONE, error, work) }
}

/// Changes how much is checked, from the next operation on. No system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_set_level(
    memory: *mut wasm_arena_memory_t,
    level: wasm_arena_level_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &mut Memory| {
        memory.set_level(numbers::level(level, "level")?);
        Ok::<_, Failure>(())
    };
    // SAFETY: the caller's promise.
    unsafe { change(memory, Place::NONE, error, work) }
}

/// Checks the bookkeeping and the guards now, whatever the level. Up to four system calls.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_verify(
    memory: *mut wasm_arena_memory_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |memory: &Memory| memory.verify();
    // SAFETY: the caller's promise.
    unsafe { look(memory, Place::NONE, error, work) }
}

/// Bytes from C that may be left open.
const fn if_any(bytes: usize) -> Option<usize> {
    match bytes {
        WASM_ARENA_AUTOMATIC => None,
        bytes => Some(bytes),
    }
}
