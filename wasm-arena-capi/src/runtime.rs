//! The memory of a C runtime that asks by callbacks: linear memories from arenas, everything else
//! from a heap of its own. WAMR and wasm3 are served by it.
//!
//! ```text
//!   WAMR   malloc, realloc, free, each with a usage     wasm3   calloc, realloc, free
//!                    │                                              │ 64 KiB and more
//!              ┌─────┴───────┐                              ┌───────┴─────┐
//!     linear memory      runtime's objects            large block      small block
//!              │             │                              │              │
//!           Memory     SharedArenaHeap                   Memory     SharedArenaHeap
//! ```

use core::alloc::Layout;
use core::ffi::{c_uint, c_void};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use arena_heap::{HeapConfig, SharedArenaHeap};
use os::{Counted, Mutex, OsPages};
use wasm_arena::{AllocError, ConfigOption, GrowthPolicy, RoomAccess, WASM_PAGE_SIZE};

use crate::arenas::{AnyArenas, wasm_arena_arenas_t};
use crate::call::{Out, answer};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles::{self, Kind, Object, Pinned};
use crate::memory::{Memory, Settings};
use crate::memory_calls::{settings, wasm_arena_memory_options_t};
use crate::register::{Entry, Register};
use crate::shared::Shared;
use crate::status::wasm_arena_status_t;

/// The memory of a C runtime: its linear memories come from arenas, its own objects from a heap of
/// bounded time beside them. Made by `wasm_arena_runtime_create`, ended by
/// `wasm_arena_runtime_destroy`. Any number of threads may use it at once.
#[derive(Debug)]
pub struct wasm_arena_runtime_t {
    _never_dereferenced: [u8; 0],
}

/// The account of a runtime's memory.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_runtime_statistics_t {
    /// Linear memories (and other blocks that came from arenas) alive.
    pub memories: u64,
    /// Bytes of the runtime's own objects, as it asked for them and rounded up.
    pub object_bytes: u64,
    /// Bytes taken from the operating system for these.
    pub object_mapped_bytes: u64,
    /// Requests that were refused.
    pub refusals: u64,
    /// Blocks that were to be freed or resized, and were none.
    pub strays: u64,
}

const _: () = assert!(size_of::<wasm_arena_runtime_statistics_t>() == 40);

/// As C's `malloc` aligns.
const ALIGNMENT: usize = 16;

/// What the handle stands for.
#[derive(Debug)]
pub(crate) struct Runtime {
    // Before the arenas, which its memories belong to.
    register: Mutex<Register>,
    objects: SharedArenaHeap<Counted<OsPages>>,
    settings: Settings,
    reserved: Option<usize>,
    arenas: AnyArenas,
    refusals: AtomicUsize,
    strays: AtomicUsize,
    last_refusal: Mutex<Option<Failure>>,
}

// SAFETY: the only type of this kind.
unsafe impl Object for Runtime {
    type Opaque = wasm_arena_runtime_t;
    const KIND: Kind = Kind::Runtime;
}

impl Runtime {
    fn new(arenas: &AnyArenas, mut settings: Settings, reserved: usize) -> Result<Self, Failure> {
        let facts = arenas.facts();
        if reserved > 0 {
            // Compiled code that leaves checks out relies on a fault at every byte up to there.
            if settings.options.room_access != RoomAccess::Guarded {
                return Err(Failure::InvalidArgument {
                    argument: "room, which must be guarded if address space is reserved",
                    value: 1,
                });
            }
            if !facts.pages.can_protect || !facts.pages.reserves_for_free {
                return Err(AllocError::PartialConfiguration {
                    option: ConfigOption::GrowthRoom,
                }
                .into());
            }
            settings.options.growth_policy = GrowthPolicy::InPlace;
        }
        // Finds settings that every request would be refused for.
        Memory::new(arenas, settings.clone())?;
        let objects = SharedArenaHeap::new(Counted::new(OsPages::new()));
        objects.configure(HeapConfig::for_page_size(facts.pages.page_size))?;
        Ok(Self {
            register: Mutex::new(Register::new()),
            objects,
            settings,
            reserved: (reserved > 0).then_some(reserved),
            arenas: arenas.share(),
            refusals: AtomicUsize::new(0),
            strays: AtomicUsize::new(0),
            last_refusal: Mutex::new(None),
        })
    }

    /// A zeroed memory of `size` bytes.
    fn allocate_memory(&self, size: usize) -> Result<NonNull<u8>, Failure> {
        let mut memory = Memory::new(&self.arenas, self.settings.clone())?;
        let capacity = self.reserved.map(|reserved| reserved.max(size));
        let base = memory.allocate_bytes(size, None, capacity)?;
        let entry = Entry {
            address: base.addr().get(),
            memory: Shared::new(memory)?,
            is_busy: false,
        };
        let mut register = self.register.lock();
        register.reserve()?;
        register.insert(entry);
        Ok(base)
    }

    /// Grows the memory at `address` to `size` bytes; added bytes are zero. `None` if there is none.
    fn grow_memory(
        &self,
        address: usize,
        size: usize,
        in_place: bool,
    ) -> Option<Result<NonNull<u8>, Failure>> {
        let memory = {
            let mut register = self.register.lock();
            let entry = register.get(address)?;
            if entry.is_busy {
                return Some(Err(Failure::InUse { argument: "memory" }));
            }
            entry.is_busy = true;
            entry.memory.clone()
        };
        let mut pointer = memory.value_pointer();
        // SAFETY: the entry is marked as busy, and whoever finds it so leaves its memory alone; the
        // reference that was cloned keeps it alive.
        let grown = grow(unsafe { pointer.as_mut() }, size, in_place);
        let base = memory.base();
        let mut register = self.register.lock();
        if let Some(mut entry) = register.remove(address) {
            entry.is_busy = false;
            if let Some(base) = base {
                entry.address = base.addr().get();
            }
            // There is room: one was removed just now.
            register.insert(entry);
        }
        Some(grown)
    }

    /// Ends the memory at `address`; false if there is none.
    fn free_memory(&self, address: usize) -> bool {
        let mut register = self.register.lock();
        match register.get(address) {
            None => return false,
            // Another thread grows it at this moment: a mistake of the runtime, and the memory stays.
            Some(entry) if entry.is_busy => {
                self.strays.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            Some(_) => {}
        }
        let entry = register.remove(address);
        drop(register);
        // What cannot be given back is counted by the arenas.
        drop(entry);
        true
    }

    fn object_layout(size: usize) -> Result<Layout, Failure> {
        Layout::from_size_align(size, ALIGNMENT)
            .map_err(|_| AllocError::TooLarge { bytes: size as u64 }.into())
    }

    fn allocate_object(&self, size: usize, zeroed: bool) -> Result<NonNull<u8>, Failure> {
        let layout = Self::object_layout(size)?;
        Ok(match zeroed {
            true => self.objects.allocate_zeroed(layout)?,
            false => self.objects.allocate(layout)?,
        })
    }

    /// # Safety
    /// `object` is not used by its old address after success.
    unsafe fn resize_object(
        &self,
        object: NonNull<u8>,
        size: usize,
    ) -> Result<NonNull<u8>, Failure> {
        let layout = Self::object_layout(size)?;
        // SAFETY: the caller's promise; whether it is a live block at all, the heap sees itself.
        Ok(unsafe { self.objects.reallocate(object, layout)? })
    }

    /// # Safety
    /// `object` is not used again.
    unsafe fn free_object(&self, object: NonNull<u8>) {
        // SAFETY: the caller's promise; whether it is a live block at all, the heap sees itself.
        if unsafe { self.objects.deallocate(object) }.is_err() {
            self.strays.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The answer that C understands; a refusal is kept for who asks why.
    fn answer(&self, result: Result<NonNull<u8>, Failure>) -> *mut c_void {
        match result {
            Ok(block) => block.as_ptr().cast(),
            Err(failure) => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                *self.last_refusal.lock() = Some(failure);
                core::ptr::null_mut()
            }
        }
    }
}

fn grow(memory: &mut Memory, size: usize, in_place: bool) -> Result<NonNull<u8>, Failure> {
    let capacity = memory.capacity();
    if in_place && size > capacity {
        return Err(AllocError::NoRoom {
            requested: size,
            capacity,
        }
        .into());
    }
    // Less than there is already takes nothing away.
    Ok(memory.grow_bytes(size.saturating_sub(memory.size()))?)
}

/// Makes the memory of a runtime, and stores its handle in `runtime`. Linear memories come from
/// `arenas`, each with the options given (null: the defaults); the runtime's own objects come from a
/// heap of its own. The arenas, and the budget in the options, cannot be destroyed before it.
///
/// `reserved` is 0, or how much address space behind the base of every linear memory is to fault or
/// to be its data, as a runtime needs that leaves checks out of compiled code: 8 GiB for WAMR with
/// hardware bounds checks. Memories then never move. Refused where address space costs memory.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_runtime_create(
    arenas: *mut wasm_arena_arenas_t,
    options: *const wasm_arena_memory_options_t,
    reserved: usize,
    runtime: *mut *mut wasm_arena_runtime_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let runtime = unsafe { Out::new(runtime, "runtime")? };
        let arenas = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let settings = unsafe { settings(options)? };
        let made = Runtime::new(&arenas, settings, reserved)?;
        runtime.set(handles::insert(Shared::new(made)?)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Ends the memory of a runtime: all of its linear memories and all of its objects, freed by it or
/// not. End the runtime first.
///
/// # Safety
/// Pointers are as said at the head of this header; nothing the runtime got from it is used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_runtime_destroy(
    runtime: *mut wasm_arena_runtime_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let owned = handles::own::<Runtime>(runtime, "runtime")?;
        drop(owned.remove());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// The account of a runtime's memory. No system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_runtime_statistics(
    runtime: *mut wasm_arena_runtime_t,
    statistics: *mut wasm_arena_runtime_statistics_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<Runtime>(runtime, "runtime")?;
        // SAFETY: the caller's promise.
        let statistics = unsafe { Out::new(statistics, "statistics")? };
        let objects = pinned.objects.statistics();
        let memories = pinned.register.lock().count();
        statistics.set(wasm_arena_runtime_statistics_t {
            memories: memories as u64,
            object_bytes: objects.allocated_bytes() as u64,
            object_mapped_bytes: objects.mapped_bytes as u64,
            refusals: pinned.refusals.load(Ordering::Relaxed) as u64,
            strays: pinned.strays.load(Ordering::Relaxed) as u64,
        });
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Why a request of the runtime was refused last, in `refusal`: the runtime itself only sees a null
/// pointer. Its status is `WASM_ARENA_OK` if none was.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_runtime_last_refusal(
    runtime: *mut wasm_arena_runtime_t,
    refusal: *mut wasm_arena_error_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<Runtime>(runtime, "runtime")?;
        // SAFETY: the caller's promise.
        let refusal = unsafe { Out::new(refusal, "refusal")? };
        let last = *pinned.last_refusal.lock();
        refusal.set(last.map_or(wasm_arena_error_t::EMPTY, |last| (&last).into()));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

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
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
