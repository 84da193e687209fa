//! The functions of arenas.

use core::ffi::c_void;

use wasm_arena::{ArenaSystem, Arenas, EffectiveConfiguration};

use crate::arenas::{
    AnyArenas, WASM_ARENA_SYSTEM_ARENAS, each_arenas, wasm_arena_arena_options_t,
    wasm_arena_arenas_t,
};
use crate::call::{self, Place, answer, look, make};
use crate::effective::{effective_option, wasm_arena_effective_option_t};
use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles;
use crate::numbers;
use crate::statistics::{wasm_arena_address_t, wasm_arena_arenas_statistics_t};
use crate::status::wasm_arena_status_t;

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
        let options = match unsafe { call::options(options, "wasm_arena_arena_options_t")? } {
            Some(options) => options,
            None => wasm_arena_arena_options_t::default_of(WASM_ARENA_SYSTEM_ARENAS)?,
        };
        AnyArenas::new(options)
    };
    // SAFETY: the caller's promise.
    unsafe { make(arenas, error, work) }
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
    unsafe { answer(Place::NONE, error, work) }
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
    let work = |arenas: &AnyArenas| {
        // SAFETY: the caller's promise.
        let options = unsafe { call::options(options, "wasm_arena_arena_options_t")? };
        let options: wasm_arena_arena_options_t = options.ok_or(Failure::NullArgument {
            argument: "options",
        })?;
        if options.system != arenas.system() {
            return Err(Failure::InvalidArgument {
                argument: "system",
                value: i64::from(options.system).cast_unsigned(),
            });
        }
        let options = options.to_options()?;
        Ok(each_arenas!(arenas, arenas => arenas.configure(options))?)
    };
    // SAFETY: the caller's promise.
    unsafe { look(arenas, Place::NONE, error, work) }
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
    let work = |arenas: &AnyArenas| {
        each_arenas!(arenas, arenas => arenas.seal());
        Ok::<_, Failure>(())
    };
    // SAFETY: the caller's promise.
    unsafe { look(arenas, Place::NONE, error, work) }
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
    let work = |arenas: &AnyArenas| {
        each_arenas!(arenas, arenas => arenas.unseal());
        Ok::<_, Failure>(())
    };
    // SAFETY: the caller's promise.
    unsafe { look(arenas, Place::NONE, error, work) }
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
    let work = |arenas: &AnyArenas| each_arenas!(arenas, arenas => arenas.trim());
    // SAFETY: the caller's promise.
    unsafe { look(arenas, Place::optional(bytes), error, work) }
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
    let place = Place::needed(statistics, "statistics");
    let work = |arenas: &AnyArenas| {
        let now = each_arenas!(arenas, arenas => arenas.statistics());
        let sealed = each_arenas!(arenas, arenas => arenas.is_sealed());
        Ok::<_, Failure>(wasm_arena_arenas_statistics_t::new(&now, sealed))
    };
    // SAFETY: the caller's promise.
    unsafe { look(arenas, place, error, work) }
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
    let place = Place::needed(bytes, "bytes");
    let work = |arenas: &AnyArenas| each_arenas!(arenas, arenas => arenas.measure_resident());
    // SAFETY: the caller's promise.
    unsafe { look(arenas, place, error, work) }
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
    let work = |arenas: &AnyArenas| {
        let call = numbers::at(&numbers::CALLS, call).ok_or(Failure::InvalidArgument {
            argument: "call",
            value: i64::from(call).cast_unsigned(),
        })?;
        Ok::<_, Failure>(each_arenas!(arenas, arenas => call_counts(arenas)).get(call))
    };
    // SAFETY: the caller's promise.
    unsafe { look(arenas, Place::needed(count, "count"), error, work) }
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
    let place = Place::needed(description, "description");
    let work = |arenas: &AnyArenas| {
        let found = each_arenas!(arenas, arenas => arenas.describe_address(address.addr()))?;
        Ok::<_, Failure>(found.map_or(wasm_arena_address_t::NOWHERE, |found| {
            wasm_arena_address_t::new(Some(found.memory), found.part)
        }))
    };
    // SAFETY: the caller's promise.
    unsafe { look(arenas, place, error, work) }
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
    let place = Place::needed(effective, "effective");
    let work = |arenas: &AnyArenas| {
        let all: EffectiveConfiguration =
            each_arenas!(arenas, arenas => arenas.effective_configuration());
        effective_option(&all, option)
    };
    // SAFETY: the caller's promise.
    unsafe { look(arenas, place, error, work) }
}

fn call_counts<S: ArenaSystem>(arenas: &Arenas<S>) -> os::CallCounts {
    use os::PageSource;
    // Every system here counts.
    arenas.system().source().call_counts().unwrap_or_default()
}
