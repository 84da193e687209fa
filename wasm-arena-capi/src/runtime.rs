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

mod wamr;
mod wasm3;

pub use wamr::*;
pub use wasm3::*;

use core::alloc::Layout;
use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use arena_heap::{HeapConfig, SharedArenaHeap};
use os::{Counted, Mutex, OsPages};
use wasm_arena::{AllocError, ConfigOption, GrowthPolicy, RoomAccess};

use crate::arenas::{AnyArenas, wasm_arena_arenas_t};
use crate::call::{Place, answer, look, make};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles::{self, Kind, Object};
use crate::memory::{Memory, Settings};
use crate::memory_options::{settings, wasm_arena_memory_options_t};
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

    fn statistics(&self) -> wasm_arena_runtime_statistics_t {
        let objects = self.objects.statistics();
        let memories = self.register.lock().count();
        wasm_arena_runtime_statistics_t {
            memories: memories as u64,
            object_bytes: objects.allocated_bytes() as u64,
            object_mapped_bytes: objects.mapped_bytes as u64,
            refusals: self.refusals.load(Ordering::Relaxed) as u64,
            strays: self.strays.load(Ordering::Relaxed) as u64,
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
        let arenas = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let settings = unsafe { settings(options)? };
        Runtime::new(&arenas, settings, reserved)
    };
    // SAFETY: the caller's promise.
    unsafe { make(runtime, error, work) }
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
    let work = || handles::own::<Runtime>(runtime, "runtime").map(|owned| drop(owned.remove()));
    // SAFETY: the caller's promise.
    unsafe { answer(Place::NONE, error, work) }
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
    let place = Place::needed(statistics, "statistics");
    let work = |runtime: &Runtime| Ok::<_, Failure>(runtime.statistics());
    // SAFETY: the caller's promise.
    unsafe { look(runtime, place, error, work) }
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
    let place = Place::needed(refusal, "refusal");
    let work = |runtime: &Runtime| {
        let last = *runtime.last_refusal.lock();
        Ok::<_, Failure>(wasm_arena_error_t::of_last(last.as_ref()))
    };
    // SAFETY: the caller's promise.
    unsafe { look(runtime, place, error, work) }
}
