//! The functions of memories.

use core::ffi::c_void;

use wasm_arena::{AllocError, GrowthRoom, GuardSize, MemoryOptions, WASM_PAGE_SIZE};

use crate::arenas::{AnyArenas, wasm_arena_arenas_t};
use crate::budget::{Budget, wasm_arena_budget_t};
use crate::call::{self, Out, answer};
use crate::effective::{effective_option, wasm_arena_effective_option_t};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles;
use crate::memory::{Memory, Settings, not_lent, not_lent_mut};
use crate::numbers::{
    self, WASM_ARENA_GROWTH_MOVE_WHEN_FULL, WASM_ARENA_LEVEL_STANDARD, WASM_ARENA_PROTECTION_NONE,
    WASM_ARENA_PROTECTION_READ_WRITE, WASM_ARENA_ROOM_GUARDED, switch, wasm_arena_growth_t,
    wasm_arena_level_t, wasm_arena_protection_t, wasm_arena_room_t,
};
use crate::shared::Shared;
use crate::statistics::{
    WASM_ARENA_NO_MAXIMUM, wasm_arena_address_t, wasm_arena_memory_statistics_t,
};
use crate::status::wasm_arena_status_t;

/// An allocator that holds one memory at most, on arenas. Made by `wasm_arena_memory_create`, ended
/// by `wasm_arena_memory_destroy`. Functions that change it need it alone: a second thread gets
/// `WASM_ARENA_ERROR_IN_USE`. Functions that look at it may run at once.
#[derive(Debug)]
pub struct wasm_arena_memory_t {
    _never_dereferenced: [u8; 0],
}

/// Bytes of a Wasm page.
pub const WASM_ARENA_PAGE_SIZE: usize = 65536;
const _: () = assert!(WASM_ARENA_PAGE_SIZE == WASM_PAGE_SIZE);

/// As the size of a guard: one host page. As room to grow: as much as suits the platform. As a
/// maximum or capacity in bytes: none.
pub const WASM_ARENA_AUTOMATIC: usize = usize::MAX;

/// Settings of a memory. Initialise with `wasm_arena_memory_options_init`, then change what is to
/// differ. Switches are 0 or 1.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_memory_options_t {
    /// Set by the initialisation; leave it alone.
    pub struct_size: u32,
    /// How much is checked. Default standard.
    pub level: wasm_arena_level_t,
    /// How the memory grows. Default move when full.
    pub growth: wasm_arena_growth_t,
    /// What lies between the data and the guard. Default guarded.
    pub room: wasm_arena_room_t,
    /// What may be done with the data at first. Default read and write.
    pub data_protection: wasm_arena_protection_t,
    /// What may be done with the guards: none (default) or read.
    pub guard_protection: wasm_arena_protection_t,
    /// Bytes of the guard before the data: a multiple of the host page, or `WASM_ARENA_AUTOMATIC`
    /// for one host page (default).
    pub guard_before: usize,
    /// The same after the room to grow.
    pub guard_after: usize,
    /// Bytes of room beyond the initial size, or `WASM_ARENA_AUTOMATIC` (default): where reserving
    /// costs nothing, up to the maximum, at most 4 GiB; where it costs memory, none.
    pub growth_room: usize,
    /// The budget that pays, or null (default). It is kept alive by the memory.
    pub budget: *mut wasm_arena_budget_t,
    /// Lock the data in memory. Default 0.
    pub lock_in_memory: u8,
    /// Make the data resident at allocation and growth. Default 0.
    pub prefault: u8,
    /// Permit protections that allow writing and executing at once. Default 0.
    pub write_and_execute: u8,
    /// Refuse if any option cannot be had as asked. Default 0: the effective options tell.
    pub refuse_partial: u8,
    /// Always 0.
    pub reserved: [u8; 4],
}

const _: () = assert!(size_of::<wasm_arena_memory_options_t>() == 32 + 4 * size_of::<usize>());
const _: () = assert!(core::mem::offset_of!(wasm_arena_memory_options_t, guard_before) == 24);
const _: () = assert!(
    core::mem::offset_of!(wasm_arena_memory_options_t, budget) == 24 + 3 * size_of::<usize>()
);

impl wasm_arena_memory_options_t {
    fn default_options() -> Self {
        Self {
            struct_size: crate::size_of_struct::<Self>(),
            level: WASM_ARENA_LEVEL_STANDARD,
            growth: WASM_ARENA_GROWTH_MOVE_WHEN_FULL,
            room: WASM_ARENA_ROOM_GUARDED,
            data_protection: WASM_ARENA_PROTECTION_READ_WRITE,
            guard_protection: WASM_ARENA_PROTECTION_NONE,
            guard_before: WASM_ARENA_AUTOMATIC,
            guard_after: WASM_ARENA_AUTOMATIC,
            growth_room: WASM_ARENA_AUTOMATIC,
            budget: core::ptr::null_mut(),
            lock_in_memory: 0,
            prefault: 0,
            write_and_execute: 0,
            refuse_partial: 0,
            reserved: [0; 4],
        }
    }

    fn to_settings(self) -> Result<Settings, Failure> {
        let mut options = MemoryOptions::DEFAULT;
        options.verification_level = numbers::level(self.level, "level")?;
        options.growth_policy = numbers::growth(self.growth, "growth")?;
        options.room_access = numbers::room(self.room, "room")?;
        options.data_protection = numbers::protection(self.data_protection, "data_protection")?;
        options.guard_protection = numbers::protection(self.guard_protection, "guard_protection")?;
        options.guard_before = guard(self.guard_before);
        options.guard_after = guard(self.guard_after);
        options.growth_room = match self.growth_room {
            WASM_ARENA_AUTOMATIC => GrowthRoom::Automatic,
            bytes => GrowthRoom::Bytes(bytes),
        };
        options.lock_in_memory = switch(self.lock_in_memory, "lock_in_memory")?;
        options.prefault = switch(self.prefault, "prefault")?;
        options.write_and_execute = switch(self.write_and_execute, "write_and_execute")?;
        let budget = if self.budget.is_null() {
            None
        } else {
            Some(handles::pin::<Budget>(self.budget, "budget")?.share())
        };
        Ok(Settings {
            options,
            budget,
            refuse_partial: switch(self.refuse_partial, "refuse_partial")?,
        })
    }
}

/// The settings that C hands over; the defaults if it hands over none.
///
/// # Errors
/// The struct is another version's, or a field has a value that means nothing.
///
/// # Safety
/// As for [`call::options`].
pub(crate) unsafe fn settings(
    options: *const wasm_arena_memory_options_t,
) -> Result<Settings, Failure> {
    // SAFETY: the caller's promise, passed on unchanged.
    let options = unsafe { call::options(options, "wasm_arena_memory_options_t")? };
    options
        .unwrap_or_else(wasm_arena_memory_options_t::default_options)
        .to_settings()
}

const fn guard(bytes: usize) -> GuardSize {
    match bytes {
        WASM_ARENA_AUTOMATIC => GuardSize::OneHostPage,
        0 => GuardSize::None,
        bytes => GuardSize::Bytes(bytes),
    }
}

/// Bytes from C that may be left open.
const fn if_any(bytes: usize) -> Option<usize> {
    match bytes {
        WASM_ARENA_AUTOMATIC => None,
        bytes => Some(bytes),
    }
}

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

/// Fills `options` with the defaults: guards of one host page, data that can be read and written,
/// growth in place while there is room.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_memory_options_init(
    options: *mut wasm_arena_memory_options_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let options = unsafe { Out::new(options, "options")? };
        options.set(wasm_arena_memory_options_t::default_options());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
        // SAFETY: the caller's promise.
        let memory = unsafe { Out::new(memory, "memory")? };
        let arenas = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let settings = unsafe { settings(options)? };
        let made = Memory::new(&arenas, settings)?;
        memory.set(handles::insert(Shared::new(made)?)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
        let freed = match not_lent_mut(&mut owned)?.free() {
            Err(AllocError::NotAllocated) => Ok(()),
            Err(sealed @ AllocError::Sealed { .. }) => return Err(sealed.into()),
            freed => freed,
        };
        drop(owned.remove());
        freed?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        // SAFETY: the caller's promise.
        let base = unsafe { Out::optional(base) };
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        let maximum = match maximum_pages {
            WASM_ARENA_NO_MAXIMUM => None,
            pages => Some(pages),
        };
        base.set(memory.allocate_pages(initial_pages, maximum)?.as_ptr());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        // SAFETY: the caller's promise.
        let base = unsafe { Out::optional(base) };
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        let allocated =
            memory.allocate_bytes(initial_bytes, if_any(maximum_bytes), if_any(capacity_bytes))?;
        base.set(allocated.as_ptr());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        // SAFETY: the caller's promise.
        let base = unsafe { Out::optional(base) };
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        base.set(memory.grow_pages(current_pages, additional_pages)?.as_ptr());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        // SAFETY: the caller's promise.
        let base = unsafe { Out::optional(base) };
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        base.set(memory.grow_bytes(additional_bytes)?.as_ptr());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        let protection = numbers::protection(protection, "protection")?;
        memory.protect(offset, length, protection)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        memory.reset()?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        memory.free()?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        memory.set_sealed(true);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        memory.set_sealed(false);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        memory.set_level(numbers::level(level, "level")?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        let pinned = handles::pin::<Memory>(memory, "memory")?;
        let memory = not_lent(&pinned)?;
        memory.verify()?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

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
    let work = || {
        // SAFETY: the caller's promise.
        let view = unsafe { Out::new(view, "view")? };
        let pinned = handles::pin::<Memory>(memory, "memory")?;
        let memory = not_lent(&pinned)?;
        view.set(wasm_arena_view_t {
            base: memory
                .base()
                .map_or(core::ptr::null_mut(), core::ptr::NonNull::as_ptr),
            size: memory.size(),
            capacity: memory.capacity(),
        });
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        let pinned = handles::pin::<Memory>(memory, "memory")?;
        let memory = not_lent(&pinned)?;
        // SAFETY: the caller's promise.
        let target = unsafe { call::bytes_mut(target, length, "target")? };
        memory.read(offset, target)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        let mut owned = handles::own::<Memory>(memory, "memory")?;
        let memory = not_lent_mut(&mut owned)?;
        // SAFETY: the caller's promise.
        let source = unsafe { call::bytes(source, length, "source")? };
        memory.write(offset, source)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        // SAFETY: the caller's promise.
        let statistics = unsafe { Out::new(statistics, "statistics")? };
        let pinned = handles::pin::<Memory>(memory, "memory")?;
        let memory = not_lent(&pinned)?;
        statistics.set(wasm_arena_memory_statistics_t::new(memory.statistics()));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        // SAFETY: the caller's promise.
        let effective = unsafe { Out::new(effective, "effective")? };
        let pinned = handles::pin::<Memory>(memory, "memory")?;
        let memory = not_lent(&pinned)?;
        effective.set(effective_option(memory.effective_configuration(), option)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
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
    let work = || {
        // SAFETY: the caller's promise.
        let description = unsafe { Out::new(description, "description")? };
        let pinned = handles::pin::<Memory>(memory, "memory")?;
        let memory = not_lent(&pinned)?;
        let part = memory.describe_address(address.addr());
        description.set(part.map_or(wasm_arena_address_t::NOWHERE, |part| {
            wasm_arena_address_t::new(None, part)
        }));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}
