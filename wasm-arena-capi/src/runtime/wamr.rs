//! WAMR's callbacks: it says for each block what it is for.

use core::ffi::{c_uint, c_void};
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use wasm_arena::AllocError;

use super::Runtime;
use crate::handles::{self, Pinned};

/// WAMR's tag for its own objects, `Alloc_For_Runtime`.
pub const WASM_ARENA_WAMR_FOR_RUNTIME: u32 = 0;
/// WAMR's tag for linear memories, `Alloc_For_LinearMemory`.
pub const WASM_ARENA_WAMR_FOR_LINEAR_MEMORY: u32 = 1;

fn of_user_data(user_data: *mut c_void) -> Option<Pinned<Runtime>> {
    // What is no handle gets nothing; a callback has nobody to tell.
    handles::pin(user_data.cast_const().cast(), "user_data").ok()
}

fn bytes(size: c_uint) -> usize {
    // Of 32 bits, on every processor there is code for.
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// For WAMR's `mem_alloc_option.allocator.malloc_func`, built with `WASM_MEM_ALLOC_WITH_USAGE` and
/// `WASM_MEM_ALLOC_WITH_USER_DATA`. `user_data` is a `wasm_arena_runtime_t`. A linear memory is zero
/// and lies between guards; null if it is refused.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_wamr_malloc(
    usage: u32,
    user_data: *mut c_void,
    size: c_uint,
) -> *mut c_void {
    let Some(runtime) = of_user_data(user_data) else {
        return core::ptr::null_mut();
    };
    let size = bytes(size);
    runtime.answer(match usage {
        WASM_ARENA_WAMR_FOR_LINEAR_MEMORY => runtime.allocate_memory(size),
        _ => runtime.allocate_object(size, false),
    })
}

/// For WAMR's `realloc_func`, as `wasm_arena_wamr_malloc`. What a linear memory gains is zero. With
/// `full_size_mapped` the runtime counts on the base staying where it is: the memory then grows in
/// place or not at all.
///
/// # Safety
/// As C's `realloc`: `block` is null or a live block of this runtime, which is not used by its old
/// address after success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_wamr_realloc(
    usage: u32,
    full_size_mapped: bool,
    user_data: *mut c_void,
    block: *mut c_void,
    size: c_uint,
) -> *mut c_void {
    let Some(runtime) = of_user_data(user_data) else {
        return core::ptr::null_mut();
    };
    let size = bytes(size);
    let result = match (usage, NonNull::new(block.cast::<u8>())) {
        (WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, None) => runtime.allocate_memory(size),
        (WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, Some(block)) => runtime
            .grow_memory(block.addr().get(), size, full_size_mapped)
            .unwrap_or_else(|| {
                runtime.strays.fetch_add(1, Ordering::Relaxed);
                Err(AllocError::NotAllocated.into())
            }),
        (_, None) => runtime.allocate_object(size, false),
        // SAFETY: the caller's promise.
        (_, Some(block)) => unsafe { runtime.resize_object(block, size) },
    };
    runtime.answer(result)
}

/// For WAMR's `free_func`, as `wasm_arena_wamr_malloc`. A block that is none is counted and left
/// alone, as far as it can be told.
///
/// # Safety
/// As C's `free`: `block` is null or a live block of this runtime, which is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_wamr_free(
    usage: u32,
    user_data: *mut c_void,
    block: *mut c_void,
) {
    let (Some(runtime), Some(block)) = (of_user_data(user_data), NonNull::new(block.cast::<u8>()))
    else {
        return;
    };
    match usage {
        WASM_ARENA_WAMR_FOR_LINEAR_MEMORY => {
            if !runtime.free_memory(block.addr().get()) {
                runtime.strays.fetch_add(1, Ordering::Relaxed);
            }
        }
        // SAFETY: the caller's promise.
        _ => unsafe { runtime.free_object(block) },
    }
}
