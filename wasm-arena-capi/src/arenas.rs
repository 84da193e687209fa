//! Arenas: where memories come from.

use core::ffi::c_void;

use wasm_arena::{
    AllocatorBuilder, ArenaOptions, ArenaSystem, Arenas, EffectiveConfiguration, MappedPages,
    NativeArenas, QnxArenaAllocatorConfig, SystemFacts, SystemPages,
};

use crate::call::{Out, answer, options};
use crate::effective::{effective_option, wasm_arena_effective_option_t};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles::{self, Kind, Object};
use crate::numbers::{self, switch};
use crate::shared::Shared;
use crate::statistics::{wasm_arena_address_t, wasm_arena_arenas_statistics_t};
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

impl AnyArenas {
    fn references(&self) -> usize {
        each_arenas!(self, arenas => arenas.references())
    }

    /// A further reference to the same arenas.
    pub(crate) fn share(&self) -> Self {
        match self {
            Self::Native(arenas) => Self::Native(arenas.clone()),
            Self::Mapped(arenas) => Self::Mapped(arenas.clone()),
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
    fn default_of(system: wasm_arena_system_t) -> Result<Self, Failure> {
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

    fn to_options(self) -> Result<ArenaOptions, Failure> {
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
    let work = || {
        // SAFETY: the caller's promise.
        let options = unsafe { Out::new(options, "options")? };
        options.set(wasm_arena_arena_options_t::default_of(system)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Makes arenas, and stores their handle in `arenas`. `options` may be null: the defaults of
/// `WASM_ARENA_SYSTEM_ARENAS`. Takes nothing from the operating system for memories yet, except what
/// `preallocate` asks for; the first handle of a program takes an arena for handles.
///
/// The handle belongs to the caller, until `wasm_arena_arenas_destroy`.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_create(
    options: *const wasm_arena_arena_options_t,
    arenas: *mut *mut wasm_arena_arenas_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let place = unsafe { Out::new(arenas, "arenas")? };
        // SAFETY: the caller's promise.
        let options = match unsafe { self::options(options, "wasm_arena_arena_options_t")? } {
            Some(options) => options,
            None => wasm_arena_arena_options_t::default_of(WASM_ARENA_SYSTEM_ARENAS)?,
        };
        let made = match options.system {
            WASM_ARENA_SYSTEM_MAPPED => AnyArenas::Mapped(build(options)?),
            _ => AnyArenas::Native(build(options)?),
        };
        place.set(handles::insert(Shared::new(made)?)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Ends arenas, and gives all that they kept back to the operating system. Refused with
/// `WASM_ARENA_ERROR_STILL_REFERENCED`, and nothing is changed, while memories or hooks depend on
/// them.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_destroy(
    arenas: *mut wasm_arena_arenas_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let owned = handles::own::<AnyArenas>(arenas, "arenas")?;
        let others = (owned.references() - 1) + (AnyArenas::references(&owned) - 1);
        if others > 0 {
            return Err(Failure::StillReferenced {
                argument: "arenas",
                references: others,
            });
        }
        drop(owned.remove());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Applies settings from now on; the system must be the one that the arenas have. Lowered limits act
/// at once. On failure nothing is changed, unless only the preallocation was refused: then the
/// settings are in force all the same. `refuse_partial` is not looked at.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_configure(
    arenas: *mut wasm_arena_arenas_t,
    options: *const wasm_arena_arena_options_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let options = unsafe { self::options(options, "wasm_arena_arena_options_t")? }.ok_or(
            Failure::NullArgument {
                argument: "options",
            },
        )?;
        let system = match &*pinned {
            AnyArenas::Native(_) => WASM_ARENA_SYSTEM_ARENAS,
            AnyArenas::Mapped(_) => WASM_ARENA_SYSTEM_MAPPED,
        };
        if options.system != system {
            return Err(Failure::InvalidArgument {
                argument: "system",
                value: i64::from(options.system).cast_unsigned(),
            });
        }
        let options = options.to_options()?;
        each_arenas!(&*pinned, arenas => arenas.configure(options))?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// From now on nothing is asked of the operating system for these arenas: kept regions are reused,
/// released ones are all kept, and what would need a call is refused with
/// `WASM_ARENA_ERROR_SEALED`. For the cyclic part of a program, after it has set up. No system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_seal(
    arenas: *mut wasm_arena_arenas_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<AnyArenas>(arenas, "arenas")?;
        each_arenas!(&*pinned, arenas => arenas.seal());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Undoes `wasm_arena_arenas_seal`; regions kept beyond the limits meanwhile go back to the
/// operating system.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_unseal(
    arenas: *mut wasm_arena_arenas_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<AnyArenas>(arenas, "arenas")?;
        each_arenas!(&*pinned, arenas => arenas.unseal());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Gives everything that is kept and not in use back to the operating system, whatever the limits
/// say; `bytes` (may be null) is the address space given back. Makes system calls; the cost grows
/// with what is kept.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_trim(
    arenas: *mut wasm_arena_arenas_t,
    bytes: *mut usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { Out::optional(bytes) };
        bytes.set(each_arenas!(&*pinned, arenas => arenas.trim())?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// The account of all memories on these arenas. Constant time, no system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_statistics(
    arenas: *mut wasm_arena_arenas_t,
    statistics: *mut wasm_arena_arenas_statistics_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let statistics = unsafe { Out::new(statistics, "statistics")? };
        let now = each_arenas!(&*pinned, arenas => arenas.statistics());
        let sealed = each_arenas!(&*pinned, arenas => arenas.is_sealed());
        statistics.set(wasm_arena_arenas_statistics_t::new(&now, sealed));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// Counts the resident bytes of all regions, live and kept. For reports: one system call per
/// 16 MiB, during which other threads wait.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_measure_resident(
    arenas: *mut wasm_arena_arenas_t,
    bytes: *mut usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { Out::new(bytes, "bytes")? };
        bytes.set(each_arenas!(&*pinned, arenas => arenas.measure_resident())?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// How often these arenas made a call of the operating system: `call` is a `WASM_ARENA_CALL_...`.
/// Constant time, no system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_call_count(
    arenas: *mut wasm_arena_arenas_t,
    call: i32,
    count: *mut usize,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let count = unsafe { Out::new(count, "count")? };
        let call = numbers::at(&numbers::CALLS, call).ok_or(Failure::InvalidArgument {
            argument: "call",
            value: i64::from(call).cast_unsigned(),
        })?;
        let counts = each_arenas!(&*pinned, arenas => call_counts(arenas));
        count.set(counts.get(call));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

fn call_counts<S: ArenaSystem>(arenas: &Arenas<S>) -> os::CallCounts {
    use os::PageSource;
    // Every system here counts.
    arenas.system().source().call_counts().unwrap_or_default()
}

/// Tells which live memory, and which part of it, an address falls in; `part` is
/// `WASM_ARENA_PART_NONE` if in none. Never waits, makes no system call: it may be called from a
/// handler of memory faults, where `WASM_ARENA_ERROR_BUSY` means that the register of live memories
/// was being changed when the fault came. The cost grows with the number of live memories.
///
/// # Safety
/// Pointers are as said at the head of this header. `address` may be anything.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_describe_address(
    arenas: *mut wasm_arena_arenas_t,
    address: *const c_void,
    description: *mut wasm_arena_address_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let description = unsafe { Out::new(description, "description")? };
        let found = each_arenas!(&*pinned, arenas => arenas.describe_address(address.addr()))?;
        description.set(found.map_or(wasm_arena_address_t::NOWHERE, |found| {
            wasm_arena_address_t::new(Some(found.memory), found.part)
        }));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}

/// What became of an option of the arenas: `option` is a `WASM_ARENA_OPTION_...`. An option that is
/// a memory's own is `WASM_ARENA_ERROR_NO_SUCH_OPTION` here. No system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_arenas_effective_option(
    arenas: *mut wasm_arena_arenas_t,
    option: i32,
    effective: *mut wasm_arena_effective_option_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<AnyArenas>(arenas, "arenas")?;
        // SAFETY: the caller's promise.
        let effective = unsafe { Out::new(effective, "effective")? };
        let all: EffectiveConfiguration =
            each_arenas!(&*pinned, arenas => arenas.effective_configuration());
        effective.set(effective_option(&all, option)?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(error, work) }
}
