//! What wasm3 calls in the place of `calloc`, `realloc` and `free`: it passes nothing to tell by.

use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use wasm_arena::{AllocError, WASM_PAGE_SIZE};

use super::{Runtime, wasm_arena_runtime_t};
use crate::call::{Place, answer};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles::{self, Pinned};
use crate::status::wasm_arena_status_t;

/// The handle that wasm3's functions use.
static OF_WASM3: AtomicUsize = AtomicUsize::new(0);

/// Blocks from this size on come from arenas, in regions of their own with guards: wasm3's linear
/// memories (a page and more, with wasm3's header in front) and stacks of that size. wasm3 does not
/// say what a block is for.
pub const WASM_ARENA_WASM3_THRESHOLD: usize = 65536;
const _: () = assert!(WASM_ARENA_WASM3_THRESHOLD == WASM_PAGE_SIZE);

/// Says where wasm3's functions take memory from, for the whole process: wasm3 passes them nothing to
/// tell by. Call it before wasm3 does anything, and with null after its end.
///
/// # Safety
/// Pointers are as said at the head of this header; no block of another runtime is in use by wasm3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_wasm3_use(
    runtime: *mut wasm_arena_runtime_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        if !runtime.is_null() {
            handles::pin::<Runtime>(runtime, "runtime")?;
        }
        OF_WASM3.store(runtime.addr(), Ordering::Release);
        Ok::<_, Failure>(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(Place::NONE, error, work) }
}

fn of_wasm3() -> Option<Pinned<Runtime>> {
    let handle = core::ptr::without_provenance(OF_WASM3.load(Ordering::Acquire));
    handles::pin(handle, "runtime").ok()
}

/// In the place of `calloc` in wasm3: see `wasm_arena_wasm3.h`.
///
/// # Safety
/// None of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_wasm3_calloc(count: usize, size: usize) -> *mut c_void {
    let Some(runtime) = of_wasm3() else {
        return core::ptr::null_mut();
    };
    runtime.answer(match count.checked_mul(size) {
        None => Err(AllocError::TooLarge { bytes: u64::MAX }.into()),
        Some(size) => runtime.allocate_for_wasm3(size),
    })
}

/// In the place of `realloc` in wasm3: see `wasm_arena_wasm3.h`. What a block from arenas gains is
/// zero.
///
/// # Safety
/// As C's `realloc`: `block` is null or a live block of the runtime in use, which is not used by its
/// old address after success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_wasm3_realloc(block: *mut c_void, size: usize) -> *mut c_void {
    let Some(runtime) = of_wasm3() else {
        return core::ptr::null_mut();
    };
    let result = match NonNull::new(block.cast::<u8>()) {
        None => runtime.allocate_for_wasm3(size),
        // SAFETY: the caller's promise.
        Some(block) => unsafe { runtime.resize_for_wasm3(block, size) },
    };
    runtime.answer(result)
}

/// In the place of `free` in wasm3: see `wasm_arena_wasm3.h`.
///
/// # Safety
/// As C's `free`: `block` is null or a live block of the runtime in use, which is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_wasm3_free(block: *mut c_void) {
    let (Some(runtime), Some(block)) = (of_wasm3(), NonNull::new(block.cast::<u8>())) else {
        return;
    };
    if !runtime.free_memory(block.addr().get()) {
        // SAFETY: the caller's promise.
        unsafe { runtime.free_object(block) };
    }
}

impl Runtime {
    fn allocate_for_wasm3(&self, size: usize) -> Result<NonNull<u8>, Failure> {
        if size >= WASM_ARENA_WASM3_THRESHOLD {
            self.allocate_memory(size)
        } else {
            self.allocate_object(size, true)
        }
    }

    /// # Safety
    /// As C's `realloc`.
    unsafe fn resize_for_wasm3(
        &self,
        block: NonNull<u8>,
        size: usize,
    ) -> Result<NonNull<u8>, Failure> {
        if let Some(grown) = self.grow_memory(block.addr().get(), size, false) {
            return grown;
        }
        if size < WASM_ARENA_WASM3_THRESHOLD {
            // SAFETY: the caller's promise.
            return unsafe { self.resize_object(block, size) };
        }
        // SAFETY: the caller's promise; the heap sees whether it is a block of its own.
        let usable = unsafe { self.objects.usable_size(block)? };
        let memory = self.allocate_memory(size)?;
        let kept = usable.min(size);
        // SAFETY: both blocks are live, at least `kept` long, and share no byte; the bytes of an
        // object that the runtime never wrote are copied as they are.
        unsafe { memory.copy_from_nonoverlapping(block, kept) };
        // SAFETY: the caller's promise: the old address is not used again.
        unsafe { self.free_object(block) };
        Ok(memory)
    }
}
