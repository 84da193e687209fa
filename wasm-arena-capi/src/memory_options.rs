//! Settings of a memory, as C hands them over.

use wasm_arena::{GrowthRoom, GuardSize, MemoryOptions, WASM_PAGE_SIZE};

use crate::budget::{Budget, wasm_arena_budget_t};
use crate::call::{self, Place, answer};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles;
use crate::memory::Settings;
use crate::numbers::{
    self, WASM_ARENA_GROWTH_MOVE_WHEN_FULL, WASM_ARENA_LEVEL_STANDARD, WASM_ARENA_PROTECTION_NONE,
    WASM_ARENA_PROTECTION_READ_WRITE, WASM_ARENA_ROOM_GUARDED, switch, wasm_arena_growth_t,
    wasm_arena_level_t, wasm_arena_protection_t, wasm_arena_room_t,
};
use crate::status::wasm_arena_status_t;

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
    let place = Place::needed(options, "options");
    let work = || Ok::<_, Failure>(wasm_arena_memory_options_t::default_options());
    // SAFETY: the caller's promise.
    unsafe { answer(place, error, work) }
}
