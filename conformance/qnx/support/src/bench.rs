//! The stand-in for QNX's C library, as the bench that watches.
//!
//! These functions exist only where the program is linked with the stand-in; `qnx-libc-stand-in`
//! documents them.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use conformance::Observer;
use os::{Protection, QnxVersion};

unsafe extern "C" {
    safe fn stand_in_reset(profile: u32) -> c_int;
    safe fn stand_in_profile() -> u32;
    safe fn stand_in_switch(which: u32, value: isize) -> c_int;
    #[cfg(target_pointer_width = "64")]
    safe fn stand_in_limit(kind: c_int, value: u64) -> c_int;
    safe fn stand_in_calls(kind: u32) -> usize;
    safe fn stand_in_call_name(kind: u32) -> *const c_char;
    safe fn stand_in_call_kinds() -> u32;
    safe fn stand_in_fail_nth(n: usize);
    safe fn stand_in_fail_nth_of(kind: u32, n: usize) -> c_int;
    safe fn stand_in_fail_from(n: usize);
    safe fn stand_in_failures() -> usize;
    safe fn stand_in_live_block_bytes() -> usize;
    safe fn stand_in_mapped_bytes() -> usize;
    safe fn stand_in_heap_bytes() -> usize;
    safe fn stand_in_cached_bytes() -> usize;
    safe fn stand_in_lost_bytes() -> usize;
    safe fn stand_in_locked_bytes() -> usize;
    safe fn stand_in_complaints() -> usize;
    safe fn stand_in_complaint(index: usize) -> *const c_char;
    safe fn stand_in_check() -> usize;
    safe fn stand_in_protection(address: usize) -> c_int;
    fn stand_in_block_of(address: usize, start: *mut usize, len: *mut usize) -> c_int;
    safe fn stand_in_setting(which: u32) -> isize;
    safe fn stand_in_mutexes(inheriting: c_int) -> usize;
}

/// Refusals when the last one was planned.
static REFUSED_BEFORE: AtomicUsize = AtomicUsize::new(0);

/// Text that lives as long as the program.
fn text(pointer: *const c_char) -> &'static str {
    if pointer.is_null() {
        return "?";
    }
    // SAFETY: the stand-in returns static strings.
    let text: &'static CStr = unsafe { CStr::from_ptr(pointer) };
    text.to_str().unwrap_or("?")
}

/// The bench.
#[derive(Debug, Clone, Copy)]
pub struct StandIn;

/// Bytes of a host page, as chosen at the start.
static HOST_PAGE: AtomicIsize = AtomicIsize::new(4096);

/// Starts, as the C library of a version (650, 660, 700, 710 or 800) on pages of this size. Says
/// whether there is such a thing.
pub fn start(profile: u32, host_page: isize) -> bool {
    HOST_PAGE.store(host_page, Ordering::Relaxed);
    stand_in_reset(profile) == 0 && switch(Switch::HostPage, host_page)
}

/// Starts again, so that nothing is left of what was before.
pub fn start_anew() {
    // Both were accepted at the start.
    start(profile(), HOST_PAGE.load(Ordering::Relaxed));
}

/// The version the stand-in plays.
pub fn version() -> Option<QnxVersion> {
    Some(match stand_in_profile() {
        650 => QnxVersion::Sdp65,
        660 => QnxVersion::Sdp66,
        700 => QnxVersion::Sdp70,
        710 => QnxVersion::Sdp71,
        800 => QnxVersion::Sdp80,
        _ => return None,
    })
}

/// The profile of the version this program was compiled for.
pub fn native_profile() -> u32 {
    match QnxVersion::of_this_target() {
        Some(QnxVersion::Sdp70) => 700,
        Some(QnxVersion::Sdp80) => 800,
        _ => 710,
    }
}

/// The profile in force.
pub fn profile() -> u32 {
    stand_in_profile()
}

/// Sets a switch of the stand-in.
pub fn switch(which: Switch, value: isize) -> bool {
    stand_in_switch(which as u32, value) == 0
}

/// Sets a limit of the process; a kind of qnx-facts §7.1. Only 64-bit code asks for limits.
#[cfg(target_pointer_width = "64")]
pub fn limit(kind: c_int, value: u64) -> bool {
    stand_in_limit(kind, value) == 0
}

/// A setting of the stand-in's heap.
pub fn setting(which: HeapSetting) -> isize {
    stand_in_setting(which as u32)
}

/// Kinds of calls, and the names of the functions.
pub fn kinds() -> impl Iterator<Item = (u32, &'static str)> {
    (0..stand_in_call_kinds()).map(|kind| (kind, text(stand_in_call_name(kind))))
}

/// Calls so far of the function of this name.
pub fn calls_of(name: &str) -> usize {
    kinds()
        .find(|(_, other)| *other == name)
        .map_or(usize::MAX, |(kind, _)| stand_in_calls(kind))
}

/// Calls so far of a kind.
pub fn calls_of_kind(kind: u32) -> usize {
    stand_in_calls(kind)
}

/// The nth call of this function from now on is refused.
pub fn refuse_nth_of(name: &str, n: usize) -> bool {
    kinds()
        .find(|(_, other)| *other == name)
        .is_some_and(|(kind, _)| stand_in_fail_nth_of(kind, n) == 0)
}

/// The nth call from now on, and all after it, are refused.
pub fn refuse_from(n: usize) {
    stand_in_fail_from(n);
}

/// The live block of the heap that holds `address`: its start, and its length as asked for.
pub fn block_of(address: usize) -> Option<(usize, usize)> {
    let (mut start, mut len) = (0, 0);
    // SAFETY: both places are live locals.
    let found = unsafe { stand_in_block_of(address, &raw mut start, &raw mut len) };
    (found == 0).then_some((start, len))
}

/// Mutexes there are, whose holders inherit priority or not.
pub fn mutexes(inheriting: bool) -> usize {
    stand_in_mutexes(c_int::from(inheriting))
}

/// Whether a function is about locks: no call that asks for memory, and without one that waits none
/// of the system's.
pub fn is_lock(name: &str) -> bool {
    name.starts_with("pthread_mutex_")
}

/// Bytes the heap has from the system, what it keeps included.
pub fn heap_bytes() -> usize {
    stand_in_heap_bytes()
}

/// Bytes in the heap's own arena cache.
pub fn cached_bytes() -> usize {
    stand_in_cached_bytes()
}

/// Bytes the heap lost because limits were lowered over what it kept (qnx-facts §4.4).
pub fn lost_bytes() -> usize {
    stand_in_lost_bytes()
}

/// The protection of the page that holds `address`, in the bits it was given in; -1 if unmapped.
pub fn protection_bits(address: usize) -> c_int {
    stand_in_protection(address)
}

impl Observer for StandIn {
    /// Calls that ask questions only, and locks, are no calls here.
    fn calls(&self) -> usize {
        const QUESTIONS: [&str; 8] = [
            "sysconf",
            "__get_errno_ptr",
            "mallinfo",
            "getrlimit",
            "getenv",
            "write",
            "usleep",
            "sched_yield",
        ];
        kinds()
            .filter(|(_, name)| !QUESTIONS.contains(name) && !is_lock(name))
            .map(|(kind, _)| stand_in_calls(kind))
            .sum()
    }

    fn refuse_nth(&self, n: usize) {
        REFUSED_BEFORE.store(stand_in_failures(), Ordering::Relaxed);
        stand_in_fail_nth(n);
    }

    fn refusals(&self) -> usize {
        stand_in_failures() - REFUSED_BEFORE.load(Ordering::Relaxed)
    }

    fn held_bytes(&self) -> usize {
        stand_in_live_block_bytes() + stand_in_mapped_bytes()
    }

    fn locked_bytes(&self) -> usize {
        stand_in_locked_bytes()
    }

    fn complaints(&self) -> usize {
        stand_in_check();
        stand_in_complaints()
    }

    fn complaint(&self, index: usize) -> &'static str {
        text(stand_in_complaint(index))
    }

    fn protection(&self, address: usize) -> Option<Protection> {
        // qnx-facts §6.1.
        Some(match stand_in_protection(address) {
            0 => Protection::None,
            0x100 => Protection::Read,
            0x300 => Protection::ReadWrite,
            0x500 => Protection::ReadExecute,
            0x700 => Protection::ReadWriteExecute,
            _ => return None,
        })
    }
}

/// Switches of the stand-in: `qnx_libc::Switch` documents them.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "documented where they are defined")]
pub enum Switch {
    MemalignMinusOne,
    PreviousValues,
    ArenaSizeExclusive,
    LargeBlocksCached,
    FreshMemoryZero,
    ReallocMoves,
    ReallocKeepsAlignment,
    HostPage,
    ApsModule,
    DeprecatedRefused,
    MlockRefused,
    MemoryLimit,
    LiveSuccess,
    MutexesRefused,
}

/// Settings of the stand-in's heap: `qnx_libc::Setting` documents them.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "documented where they are defined")]
pub enum HeapSetting {
    ArenaSize,
    CacheMaxBlocks,
    CacheMaxBytes,
    Hold,
    Monotonic,
    Lifo,
    TrimThreshold,
    MmapThreshold,
    Granularity,
}
