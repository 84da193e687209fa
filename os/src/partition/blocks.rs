//! The structs that `SchedCtl` reads and writes, as SDP 7.0 and 7.1 lay them out.
//!
//! Commands, fields and sizes: qnx-facts §7.4. A field the scheduler reserves must be zero, or it
//! refuses (`EDOM`). So nothing is left between the fields: the gaps that C would leave are fields
//! here, and every constructor writes every byte.
//!
//! Invariants: (1) no padding, asserted with each struct; (2) the sizes of the facts, asserted
//! below for both widths of a pointer; (3) reserved fields and gaps are zero until the call.

use core::ffi::{CStr, c_char, c_int};
use core::marker::PhantomData;
use core::mem::offset_of;

use super::error::Question;

/// Bytes between a struct's last 2-byte or 4-byte field and what C aligns like a pointer.
const POINTER_GAP: usize = size_of::<usize>() - 4;
/// Bytes after an `i16` at offset 72, where a struct is aligned like its `u64`.
const TAIL: usize = if align_of::<u64>() == 8 { 6 } else { 2 };

/// A struct of the scheduler.
///
/// # Safety
/// The type is exactly the struct that [`COMMAND`](Self::COMMAND) reads and writes; all of its
/// bytes are written, what it points to lives as long as it does, and any answer of the scheduler
/// is a valid value of it.
pub(super) unsafe trait Block {
    /// The number of the command.
    const COMMAND: c_int;

    /// What is asked, for the error.
    fn question(&self) -> Question;
}

/// The address of a string that lives as long as this does, and ends with a zero.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Name<'a> {
    address: *const c_char,
    string: PhantomData<&'a CStr>,
}

impl<'a> Name<'a> {
    pub(super) const fn new(name: &'a CStr) -> Self {
        Self {
            address: name.as_ptr(),
            string: PhantomData,
        }
    }
}

/// Declares a struct of C's layout, and asserts that no bytes lie between its fields.
macro_rules! gapless {
    ($(#[$attribute:meta])* struct $name:ident $(<$life:lifetime>)? {
        $($field:ident: $type:ty,)*
    }) => {
        $(#[$attribute])*
        #[derive(Debug)]
        #[repr(C)]
        #[allow(dead_code, reason = "the scheduler reads and writes what nobody here needs")]
        pub(super) struct $name $(<$life>)? {
            $(pub(super) $field: $type,)*
        }

        const _: () = {
            #[allow(clippy::extra_unused_lifetimes, reason = "the fields' types need it")]
            const fn is_gapless $(<$life>)? () -> bool {
                size_of::<$name $(<$life>)?>() == 0 $(+ size_of::<$type>())*
            }
            assert!(is_gapless());
        };
    };
}

gapless! {
    /// `sched_aps_info`, for `SCHED_APS_QUERY_PARMS`.
    #[derive(Default)]
    struct SchedulerBlock {
        cycles_per_ms: u64,
        reserved_windows: [u64; 3],
        scheduling_policy_flags: u32,
        sec_flags: u32,
        bankruptcy_policy: u32,
        num_partitions: u16,
        max_partitions: u16,
        windowsize_ms: u16,
        reserved_short: u16,
        reserved_word: u32,
        reserved_long: u64,
    }
}

gapless! {
    /// `sched_aps_create_parms`, for `SCHED_APS_CREATE_PARTITION`.
    struct CreateBlock<'a> {
        name: Name<'a>,
        budget_percent: u16,
        critical_budget_ms: i16,
        flags: u8,
        parent_id: i8,
        max_budget_percent: u16,
        critical_priority: i16,
        budget_percent_scale: u16,
        gap: [u8; POINTER_GAP],
        reserved_long: u64,
        reserved_word: u32,
        id: i16,
        reserved_short: i16,
    }
}

/// `flags` of [`CreateBlock`]: the parent is the one named.
pub(super) const USE_PARENT_ID: u8 = 1;

gapless! {
    /// `sched_aps_lookup_parms`, for `SCHED_APS_LOOKUP`.
    struct LookUpBlock<'a> {
        name: Name<'a>,
        reserved_short: i16,
        id: i16,
        gap: [u8; POINTER_GAP],
    }
}

gapless! {
    /// `sched_aps_partition_info`, for `SCHED_APS_QUERY_PARTITION`.
    #[derive(Default)]
    struct InformationBlock {
        reserved_first: i64,
        critical_budget_cycles: u64,
        name: [u8; super::NAME_LIMIT + 1],
        parent_id: i16,
        budget_percent: u16,
        reserved_word: i32,
        reserved_middle: i64,
        pid_at_last_bankruptcy: i32,
        tid_at_last_bankruptcy: i32,
        max_budget_percent: u16,
        critical_priority: u16,
        budget_percent_scale: u16,
        reserved_short: i16,
        reserved_last: i64,
        id: i16,
        gap: [u8; TAIL],
    }
}

gapless! {
    /// `sched_aps_join_parms`, for `SCHED_APS_JOIN_PARTITION`.
    struct JoinBlock {
        id: i16,
        reserved_short: i16,
        pid: i32,
        tid: i32,
        aid: i32,
    }
}

gapless! {
    /// `sched_aps_modify_parms`, for `SCHED_APS_MODIFY_PARTITION`; -1 leaves a value alone.
    #[derive(PartialEq, Eq)]
    struct ModifyBlock {
        id: i16,
        new_budget_percent: i16,
        new_critical_budget_ms: i16,
        new_max_budget_percent: i16,
        new_critical_priority: i16,
        budget_percent_scale: u16,
        reserved_word: i32,
        reserved_long: i64,
    }
}

gapless! {
    /// `sched_aps_partition_stats`, for `SCHED_APS_PARTITION_STATS`.
    #[derive(Default)]
    struct StatisticsBlock {
        run_time_cycles: u64,
        critical_time_cycles: u64,
        reserved_longs: [u64; 4],
        stats_flags: u32,
        reserved_word: u32,
        dynamic_windowsize_cycles: u64,
        reserved_long: u64,
        id: i16,
        gap: [u8; TAIL],
    }
}

/// `stats_flags` of [`StatisticsBlock`]: bankrupt at the time of the call.
pub(super) const BANKRUPT_NOW: u32 = 1;
/// `stats_flags` of [`StatisticsBlock`]: bankrupt at some time.
pub(super) const WAS_BANKRUPT: u32 = 2;

// The sizes of the facts: where a pointer has 64 bits, and on i386, where a `u64` is aligned to 4.
#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<CreateBlock<'_>>() == 40);
    assert!(size_of::<LookUpBlock<'_>>() == 16);
    assert!(size_of::<InformationBlock>() == 80);
    assert!(size_of::<StatisticsBlock>() == 80);
};
#[cfg(target_pointer_width = "32")]
const _: () = {
    let long = if align_of::<u64>() == 8 { 80 } else { 76 };
    assert!(size_of::<CreateBlock<'_>>() == 32);
    assert!(size_of::<LookUpBlock<'_>>() == 8);
    assert!(size_of::<InformationBlock>() == long);
    assert!(size_of::<StatisticsBlock>() == long);
};
const _: () = {
    assert!(size_of::<SchedulerBlock>() == 64);
    assert!(offset_of!(SchedulerBlock, windowsize_ms) == 48);
    assert!(size_of::<JoinBlock>() == 16);
    assert!(size_of::<ModifyBlock>() == 24);
    assert!(offset_of!(InformationBlock, id) == 72);
};

impl<'a> LookUpBlock<'a> {
    pub(super) const fn new(name: Name<'a>) -> Self {
        Self {
            name,
            reserved_short: 0,
            id: 0,
            gap: [0; POINTER_GAP],
        }
    }
}

impl<'a> CreateBlock<'a> {
    /// No budget, no parent of its own, nothing critical.
    pub(super) const fn new(name: Name<'a>) -> Self {
        Self {
            name,
            budget_percent: 0,
            critical_budget_ms: 0,
            flags: 0,
            parent_id: 0,
            max_budget_percent: 0,
            critical_priority: 0,
            budget_percent_scale: 0,
            gap: [0; POINTER_GAP],
            reserved_long: 0,
            reserved_word: 0,
            id: 0,
            reserved_short: 0,
        }
    }
}

impl JoinBlock {
    pub(super) const fn new(id: i16, process: i32, thread: i32) -> Self {
        Self {
            id,
            reserved_short: 0,
            pid: process,
            tid: thread,
            aid: 0,
        }
    }
}

impl ModifyBlock {
    /// Everything left alone.
    pub(super) const fn new(id: i16) -> Self {
        Self {
            id,
            new_budget_percent: -1,
            new_critical_budget_ms: -1,
            new_max_budget_percent: -1,
            new_critical_priority: -1,
            budget_percent_scale: 0,
            reserved_word: 0,
            reserved_long: 0,
        }
    }
}

// SAFETY: command 200 takes `sched_aps_info`; numbers only, so any answer is valid.
unsafe impl Block for SchedulerBlock {
    const COMMAND: c_int = 200;

    fn question(&self) -> Question {
        Question::Scheduler
    }
}

// SAFETY: command 202 takes `sched_aps_create_parms`; its name lives as long as it does, by `Name`,
// and the scheduler writes numbers only.
unsafe impl Block for CreateBlock<'_> {
    const COMMAND: c_int = 202;

    fn question(&self) -> Question {
        Question::Create
    }
}

// SAFETY: command 203 takes `sched_aps_lookup_parms`; its name lives as long as it does, by `Name`,
// and the scheduler writes numbers only.
unsafe impl Block for LookUpBlock<'_> {
    const COMMAND: c_int = 203;

    fn question(&self) -> Question {
        Question::LookUp
    }
}

// SAFETY: command 204 takes `sched_aps_partition_info`; numbers only, so any answer is valid.
unsafe impl Block for InformationBlock {
    const COMMAND: c_int = 204;

    fn question(&self) -> Question {
        Question::Information { id: self.id }
    }
}

// SAFETY: command 205 takes `sched_aps_join_parms`; numbers only, so any answer is valid.
unsafe impl Block for JoinBlock {
    const COMMAND: c_int = 205;

    fn question(&self) -> Question {
        Question::Join {
            id: self.id,
            process: self.pid,
            thread: self.tid,
        }
    }
}

// SAFETY: command 206 takes `sched_aps_modify_parms`; numbers only, so any answer is valid.
unsafe impl Block for ModifyBlock {
    const COMMAND: c_int = 206;

    fn question(&self) -> Question {
        Question::Modify
    }
}

// SAFETY: command 207 takes `sched_aps_partition_stats`, one or several: here, one; numbers only,
// so any answer is valid.
unsafe impl Block for StatisticsBlock {
    const COMMAND: c_int = 207;

    fn question(&self) -> Question {
        Question::Statistics { id: self.id }
    }
}
