//! The control interface: profiles, switches, counts, failures, complaints, leaks.
//!
//! The same functions serve C and Rust. Numbers stand for the variants of [`Switch`], [`Call`],
//! [`Complaint`](crate::Complaint) and [`Setting`]; what has no such number is refused with −1, 0 or
//! null, as each function says.

use core::ffi::{c_char, c_int};

use crate::calls::Call;
use crate::complaints::KEPT;
use crate::pages::Owner;
use crate::profile::Profile;
use crate::settings::Setting;
use crate::state::state;
use crate::switches::Switch;

/// Gives every page back and starts again with the profile of an SDP: 650, 660, 700, 710 or 800.
/// Settings, switches and limits are at their defaults afterwards, counts are zero, complaints are
/// forgotten, nothing fails, and the environment is read anew. Answers 0; −1, and nothing done, for
/// another number.
///
/// Memory that the stand-in gave out must not be used afterwards.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_reset(profile: u32) -> c_int {
    Profile::from_number(profile).map_or(-1, |profile| {
        state().reset(profile);
        0
    })
}

/// The profile in force: 650, 660, 700, 710 or 800. At the start of a process it is 710.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_profile() -> u32 {
    state().profile as u32
}

/// Sets a [`Switch`]; −1, and nothing done, for a switch or a value that does not exist.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_switch(which: u32, value: isize) -> c_int {
    let mut state = state();
    let done = match (Switch::from_number(which), usize::try_from(value)) {
        (None, _) => false,
        (Some(Switch::HostPage), Ok(page @ (4096 | 16_384 | 65_536))) => state.pages.set_page(page),
        (Some(switch), _) => state.switches.set(switch, value),
    };
    if done { 0 } else { -1 }
}

/// Sets a limit of QNX's kind (`RLIMIT_*`), current and maximum; −1 for a kind the profile lacks.
/// `DATA`, `AS` and `MEMLOCK` bind; the others are only shown.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_limit(kind: c_int, value: u64) -> c_int {
    let mut state = state();
    let kinds = state.profile.limit_kinds();
    let Some(kind) = usize::try_from(kind).ok().filter(|&kind| kind < kinds) else {
        return -1;
    };
    state.limits[kind] = value;
    0
}

/// Number of calls of a [`Call`] since the last reset or forget.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_calls(kind: u32) -> usize {
    Call::from_number(kind).map_or(0, |call| state().calls.count(call))
}

/// The C name of a [`Call`]; null for a number without one.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_call_name(kind: u32) -> *const c_char {
    Call::from_number(kind).map_or(core::ptr::null(), |call| call.name().as_ptr())
}

/// How many kinds of calls there are; their numbers start at 0.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_call_kinds() -> u32 {
    u32::try_from(Call::ALL.len()).unwrap_or(u32::MAX)
}

/// Sets all counts of calls and failures to zero; what is planned to fail stays planned.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_forget_calls() {
    state().calls.forget();
}

/// Lets the `n`th call from now on fail, once, counting only calls that can fail; 0 for never.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_fail_nth(n: usize) {
    state().calls.fail_nth(n);
}

/// Lets the `n`th call of one [`Call`] fail, once; 0 for never. −1 for a call that cannot fail.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_fail_nth_of(kind: u32, n: usize) -> c_int {
    match Call::from_number(kind).filter(|call| call.can_fail()) {
        Some(call) => {
            state().calls.fail_nth_of(call, n);
            0
        }
        None => -1,
    }
}

/// Lets the `n`th call from now on fail, and all after it that can fail; 0 for never.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_fail_from(n: usize) {
    state().calls.fail_from(n);
}

/// Calls that failed on purpose since the last reset or forget.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_failures() -> usize {
    state().calls.failures()
}

/// Calls that can fail, seen since the last reset or forget.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_failable_calls() -> usize {
    state().calls.failable()
}

/// Live heap blocks.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_live_blocks() -> usize {
    state().heap.live().count()
}

/// Bytes that live heap blocks were asked for.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_live_block_bytes() -> usize {
    state().heap.live().map(|block| block.requested).sum()
}

/// Mappings made with `mmap` of which a page is left.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_mappings() -> usize {
    state().pages.user_mappings()
}

/// Mutexes that were made and not destroyed: 1 for those whose holders inherit priority, 0 for all
/// others.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_mutexes(inheriting: c_int) -> usize {
    state().mutexes.count(inheriting != 0)
}

/// Bytes mapped with `mmap`.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_mapped_bytes() -> usize {
    state().pages.bytes(|run| run.owner == Owner::User)
}

/// Bytes mapped for the heap, cache included.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_heap_bytes() -> usize {
    state().pages.bytes(|run| run.owner == Owner::Heap)
}

/// Bytes in the arena cache.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_cached_bytes() -> usize {
    state().cached_bytes()
}

/// Bytes that the heap lost because limits were lowered over a filled cache (qnx-facts §4.4).
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_lost_bytes() -> usize {
    state().heap.counters.lost
}

/// Bytes of locked pages.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_locked_bytes() -> usize {
    state().pages.bytes(|run| run.locked)
}

/// Complaints so far.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_complaints() -> usize {
    state().complaints.count()
}

/// What complaint `index` is about; null beyond the last, and beyond the first 256, which are all
/// that is kept.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_complaint(index: usize) -> *const c_char {
    state()
        .complaints
        .get(index)
        .map_or(core::ptr::null(), |entry| entry.kind.text().as_ptr())
}

/// The [`Complaint`](crate::Complaint) number of complaint `index`; 0 where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_complaint_kind(index: usize) -> u32 {
    state()
        .complaints
        .get(index)
        .map_or(0, |entry| entry.kind as u32)
}

/// The address that complaint `index` is about; 0 where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_complaint_address(index: usize) -> usize {
    state()
        .complaints
        .get(index)
        .map_or(0, |entry| entry.address)
}

/// How many complaints are kept word for word.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_complaints_kept() -> usize {
    KEPT
}

/// Compares every word of the heap with the books; answers the number of complaints.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_check() -> usize {
    let mut state = state();
    state.walk();
    state.complaints.count()
}

/// The protection of a page in QNX's bits; −1 where the stand-in mapped nothing.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_protection(address: usize) -> c_int {
    state()
        .pages
        .run_of(address)
        .map_or(-1, |run| run.protection)
}

/// The live heap block whose requested bytes hold `address`: 0 and its range, or −1.
///
/// # Safety
/// `start` and `len` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stand_in_block_of(
    address: usize,
    start: *mut usize,
    len: *mut usize,
) -> c_int {
    let Some((block_start, block_len)) = block_of(address) else {
        return -1;
    };
    if !start.is_null() {
        // SAFETY: the caller says it is writable.
        unsafe { start.write(block_start) };
    }
    if !len.is_null() {
        // SAFETY: the caller says it is writable.
        unsafe { len.write(block_len) };
    }
    0
}

/// The live heap block whose requested bytes hold `address`: its start and length. For Rust.
#[must_use]
pub fn block_of(address: usize) -> Option<(usize, usize)> {
    let state = state();
    let block = state.heap.blocks.all()[state.heap.index_of(address)?];
    let user = block.start + state.shape().header;
    let inside = block.busy && address >= user && address - user < block.requested;
    inside.then_some((user, block.requested))
}

/// A [`Setting`] in force; −1 for a number without one. A limit without end (4294967295) is −1 too
/// where `isize` has 32 bits.
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_setting(which: u32) -> isize {
    let setting = usize::try_from(which)
        .ok()
        .and_then(|index| Setting::ALL.get(index));
    let mut state = state();
    setting.map_or(-1, |&setting| {
        state.enter_heap();
        state.heap.settings.get(setting)
    })
}
