//! Arenas: where memories come from, and their settings.

use wasm_arena::{
    AllocatorBuilder, ArenaOptions, ArenaSystem, Arenas, MappedPages, NativeArenas,
    QnxArenaAllocatorConfig, SystemFacts, SystemPages,
};

use crate::call::{Place, answer};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles::{Kind, Object};
use crate::numbers::switch;
use crate::shared::Shared;
use crate::status::wasm_arena_status_t;

/// Where memories come from: arenas, a cache of released regions, and their accounts. Made by
/// `wasm_arena_arenas_create`, ended by `wasm_arena_arenas_destroy`. Any number of threads may use
/// it at once.
#[derive(Debug)]
pub struct wasm_arena_arenas_t {
    _never_dereferenced: [u8; 0],
}

/// Which arena system: one of `WASM_ARENA_SYSTEM_...`.
pub type wasm_arena_system_t = i32;
/// The platform's own arenas: the C library's heap on QNX 7.0 and 7.1, portable arenas elsewhere.
pub const WASM_ARENA_SYSTEM_ARENAS: wasm_arena_system_t = 0;
/// A mapping for each memory. Arena settings do not apply, and nothing is kept unless a cache is
/// asked for.
pub const WASM_ARENA_SYSTEM_MAPPED: wasm_arena_system_t = 1;

/// Settings of arenas. Initialise with `wasm_arena_arena_options_init`, then change what is to
/// differ. Switches are 0 or 1.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_arena_options_t {
    /// Set by the initialisation; leave it alone.
    pub struct_size: u32,
    /// Which arena system.
    pub system: wasm_arena_system_t,
    /// Bytes taken from the operating system at a time: a multiple of the host page, at least one,
    /// at most 262144. Default 32768.
    pub arena_size: usize,
    /// How many released regions are kept. 0 with a byte limit: no limit by count; 0 without one:
    /// none is kept. Default 12, or 0 for `WASM_ARENA_SYSTEM_MAPPED`.
    pub cache_max_blocks: usize,
    /// Bytes of memory that kept regions may hold together; 0: no limit by bytes. Default 0.
    pub cache_max_bytes: usize,
    /// Bytes of arenas taken beforehand for small blocks. Default 0.
    pub preallocate: usize,
    /// Reuse what was freed last rather than first. Default 0.
    pub lifo_free: u8,
    /// Keep everything that is released, whatever the limits. Default 0.
    pub memory_hold: u8,
    /// Never round the growth of small blocks up. Default 0.
    pub monotonic_growth: u8,
    /// Where settings belong to the process (QNX's C library): put back at the end what was in
    /// force before. Default 0.
    pub restore_on_drop: u8,
    /// Refuse if any option cannot be had as asked. Default 0: the effective options tell.
    pub refuse_partial: u8,
    /// Always 0.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<wasm_arena_arena_options_t>() == 16 + 4 * size_of::<usize>());
const _: () = assert!(core::mem::offset_of!(wasm_arena_arena_options_t, arena_size) == 8);

/// What the handle stands for.
#[derive(Debug)]
pub(crate) enum AnyArenas {
    Native(Shared<Arenas<NativeArenas>>),
    Mapped(Shared<Arenas<MappedPages<SystemPages>>>),
}

// SAFETY: the only type of this kind.
unsafe impl Object for AnyArenas {
    type Opaque = wasm_arena_arenas_t;
    const KIND: Kind = Kind::Arenas;
}

/// Does the same with either kind of arenas.
macro_rules! each_arenas {
    ($any:expr, $arenas:ident => $work:expr) => {
        match $any {
            AnyArenas::Native($arenas) => $work,
            AnyArenas::Mapped($arenas) => $work,
        }
    };
}
pub(crate) use each_arenas;

impl AnyArenas {
    pub(crate) fn new(options: wasm_arena_arena_options_t) -> Result<Self, Failure> {
        Ok(match options.system {
            WASM_ARENA_SYSTEM_MAPPED => Self::Mapped(build(options)?),
            _ => Self::Native(build(options)?),
        })
    }

    /// How many references there are to the arenas themselves, this one included.
    pub(crate) fn references(&self) -> usize {
        each_arenas!(self, arenas => arenas.references())
    }

    /// A further reference to the same arenas.
    pub(crate) fn share(&self) -> Self {
        match self {
            Self::Native(arenas) => Self::Native(arenas.clone()),
            Self::Mapped(arenas) => Self::Mapped(arenas.clone()),
        }
    }

    /// Which arena system.
    pub(crate) const fn system(&self) -> wasm_arena_system_t {
        match self {
            Self::Native(_) => WASM_ARENA_SYSTEM_ARENAS,
            Self::Mapped(_) => WASM_ARENA_SYSTEM_MAPPED,
        }
    }

    /// What the arena system can do.
    pub(crate) fn facts(&self) -> SystemFacts {
        each_arenas!(self, arenas => arenas.system().facts())
    }
}

fn default_options(system: wasm_arena_system_t) -> Result<ArenaOptions, Failure> {
    match system {
        WASM_ARENA_SYSTEM_ARENAS => Ok(AllocatorBuilder::<NativeArenas>::new().config().arenas),
        WASM_ARENA_SYSTEM_MAPPED => {
            let builder = AllocatorBuilder::<MappedPages<SystemPages>>::new();
            Ok(builder.config().arenas)
        }
        other => Err(Failure::InvalidArgument {
            argument: "system",
            value: i64::from(other).cast_unsigned(),
        }),
    }
}

impl wasm_arena_arena_options_t {
    pub(crate) fn default_of(system: wasm_arena_system_t) -> Result<Self, Failure> {
        let defaults = default_options(system)?;
        Ok(Self {
            struct_size: crate::size_of_struct::<Self>(),
            system,
            arena_size: defaults.arena_size,
            cache_max_blocks: defaults.cache_max_blocks,
            cache_max_bytes: defaults.cache_max_bytes,
            preallocate: defaults.preallocate,
            lifo_free: u8::from(defaults.lifo_free),
            memory_hold: u8::from(defaults.memory_hold),
            monotonic_growth: u8::from(defaults.monotonic_growth),
            restore_on_drop: u8::from(defaults.restore_on_drop),
            refuse_partial: 0,
            reserved: [0; 3],
        })
    }

    pub(crate) fn to_options(self) -> Result<ArenaOptions, Failure> {
        let mut options = default_options(self.system)?;
        options.arena_size = self.arena_size;
        options.cache_max_blocks = self.cache_max_blocks;
        options.cache_max_bytes = self.cache_max_bytes;
        options.preallocate = self.preallocate;
        options.lifo_free = switch(self.lifo_free, "lifo_free")?;
        options.memory_hold = switch(self.memory_hold, "memory_hold")?;
        options.monotonic_growth = switch(self.monotonic_growth, "monotonic_growth")?;
        options.restore_on_drop = switch(self.restore_on_drop, "restore_on_drop")?;
        Ok(options)
    }
}

fn build<S: ArenaSystem + Default>(
    options: wasm_arena_arena_options_t,
) -> Result<Shared<Arenas<S>>, Failure> {
    let mut config = QnxArenaAllocatorConfig::default();
    config.arenas = options.to_options()?;
    config.refuse_partial = switch(options.refuse_partial, "refuse_partial")?;
    let builder = AllocatorBuilder::<S>::from_config(config);
    Ok(Shared::new(builder.build_arenas()?)?)
}

/// Fills `options` with the defaults of a system. An unknown system is an error, and nothing is
/// written. No system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arena_options_init(
    options: *mut wasm_arena_arena_options_t,
    system: wasm_arena_system_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let place = Place::needed(options, "options");
    let work = || wasm_arena_arena_options_t::default_of(system);
    // SAFETY: the caller's promise.
    unsafe { answer(place, error, work) }
}
