//! The blocks that `SchedCtl` takes, of 7.x (qnx-facts §7.4), and reading and writing a caller's.

use core::ffi::{c_char, c_int, c_void};

use crate::qnx::{errno, sched};

/// A name with its end.
pub(super) type Name = [u8; sched::NAME_LENGTH + 1];

/// `sched_aps_info`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Info {
    pub(super) cycles_per_ms: u64,
    pub(super) reserved: [u64; 3],
    pub(super) scheduling_policy_flags: u32,
    pub(super) sec_flags: u32,
    pub(super) bankruptcy_policy: u32,
    pub(super) num_partitions: u16,
    pub(super) max_partitions: u16,
    pub(super) windowsize_ms: u16,
    pub(super) reserved_2: u16,
    pub(super) reserved_3: u32,
    pub(super) reserved_4: u64,
}

/// `sched_aps_create_parms`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Create {
    pub(super) name: *const c_char,
    pub(super) budget_percent: u16,
    pub(super) critical_budget_ms: i16,
    pub(super) flags: u8,
    pub(super) parent_id: i8,
    pub(super) max_budget_percent: u16,
    pub(super) critical_priority: i16,
    pub(super) budget_percent_scale: u16,
    pub(super) reserved: u64,
    pub(super) reserved_2: u32,
    pub(super) id: i16,
    pub(super) reserved_3: i16,
}

/// `sched_aps_lookup_parms`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Lookup {
    pub(super) name: *const c_char,
    pub(super) reserved: i16,
    pub(super) id: i16,
}

/// `sched_aps_partition_info`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct PartitionInfo {
    pub(super) reserved: i64,
    pub(super) critical_budget_cycles: u64,
    pub(super) name: Name,
    pub(super) parent_id: i16,
    pub(super) budget_percent: u16,
    pub(super) reserved_2: i32,
    pub(super) reserved_3: i64,
    pub(super) pid_at_last_bankruptcy: i32,
    pub(super) tid_at_last_bankruptcy: i32,
    pub(super) max_budget_percent: u16,
    pub(super) critical_priority: u16,
    pub(super) budget_percent_scale: u16,
    pub(super) reserved_4: i16,
    pub(super) reserved_5: i64,
    pub(super) id: i16,
}

/// `sched_aps_join_parms`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Join {
    pub(super) id: i16,
    pub(super) reserved: i16,
    pub(super) pid: i32,
    pub(super) tid: i32,
    pub(super) aid: i32,
}

/// `sched_aps_modify_parms`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Modify {
    pub(super) id: i16,
    pub(super) new_budget_percent: i16,
    pub(super) new_critical_budget_ms: i16,
    pub(super) new_max_budget_percent: i16,
    pub(super) new_critical_priority: i16,
    pub(super) scale: u16,
    pub(super) reserved: i32,
    pub(super) reserved_2: i64,
}

/// `sched_aps_partition_stats`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct PartitionStats {
    pub(super) run_time_cycles: u64,
    pub(super) critical_time_cycles: u64,
    pub(super) reserved: [u64; 4],
    pub(super) stats_flags: u32,
    pub(super) reserved_2: u32,
    pub(super) dynamic_windowsize_cycles: u64,
    pub(super) reserved_3: u64,
    pub(super) id: i16,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Info>() == 64);
    assert!(size_of::<Create>() == 40);
    assert!(size_of::<Lookup>() == 16);
    assert!(size_of::<PartitionInfo>() == 80);
    assert!(core::mem::offset_of!(PartitionInfo, id) == 72);
    assert!(size_of::<Join>() == 16);
    assert!(size_of::<Modify>() == 24);
    assert!(size_of::<PartitionStats>() == 80);
};
#[cfg(target_arch = "x86")]
const _: () = {
    assert!(size_of::<Info>() == 64);
    assert!(size_of::<Create>() == 32);
    assert!(size_of::<Lookup>() == 8);
    assert!(size_of::<PartitionInfo>() == 76);
    assert!(size_of::<Join>() == 16);
    assert!(size_of::<Modify>() == 24);
    assert!(size_of::<PartitionStats>() == 76);
};

/// A caller's block, or several in a row, whose length was checked.
#[derive(Clone, Copy)]
pub(super) struct Blocks<T> {
    pub(super) first: *mut T,
    pub(super) count: usize,
}

impl<T: Copy> Blocks<T> {
    /// Checks the length: `at_least` one, and exactly one unless `many`.
    pub(super) fn new(data: *mut c_void, length: usize, many: bool) -> Result<Self, c_int> {
        let count = length / size_of::<T>();
        let whole = length.is_multiple_of(size_of::<T>());
        if data.is_null() || !whole || count == 0 || (count > 1 && !many) {
            return Err(errno::EINVAL);
        }
        Ok(Self {
            first: data.cast(),
            count,
        })
    }

    /// # Safety
    /// The caller of `SchedCtl` gave `count` blocks that are readable and initialised.
    pub(super) unsafe fn read(&self, index: usize) -> T {
        // SAFETY: `index` is below `count` in all uses; the rest is passed on.
        let place = unsafe { self.first.add(index.min(self.count - 1)) };
        // SAFETY: passed on; every bit pattern is a value of these structures.
        unsafe { place.read_unaligned() }
    }

    /// # Safety
    /// The caller of `SchedCtl` gave `count` blocks that are writable.
    pub(super) unsafe fn write(&self, index: usize, value: T) {
        // SAFETY: as for `read`.
        let place = unsafe { self.first.add(index.min(self.count - 1)) };
        // SAFETY: passed on.
        unsafe { place.write_unaligned(value) };
    }
}

/// A caller's name, within the limit.
///
/// # Safety
/// `name` is null or a C string.
pub(super) unsafe fn read_name(name: *const c_char) -> Result<Name, c_int> {
    if name.is_null() {
        return Err(errno::EINVAL);
    }
    // SAFETY: passed on.
    let text = unsafe { core::ffi::CStr::from_ptr(name) }.to_bytes();
    if text.is_empty() {
        return Err(errno::EINVAL);
    }
    let mut kept = Name::default();
    kept[..sched::NAME_LENGTH]
        .get_mut(..text.len())
        .ok_or(errno::ENAMETOOLONG)?
        .copy_from_slice(text);
    Ok(kept)
}
