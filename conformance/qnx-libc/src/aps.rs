//! A small model of adaptive partitions behind `SchedCtl` (qnx-facts §7.4).
//!
//! Partitions form a tree under System; a budget is taken from the parent's. Nothing is scheduled:
//! times are zero. The blocks are those of 7.x; the profiles of 6.x, for which there is no Rust
//! target, use them too and differ in the number of partitions only.
//!
//! Not modelled: `SET_PARMS`, `OVERALL_STATS`, security, queries of threads and processes; they
//! answer `EINVAL`.

mod blocks;

use core::ffi::{c_int, c_void};

use blocks::{
    Blocks, Create, Info, Join, Lookup, Modify, Name, PartitionInfo, PartitionStats, read_name,
};

use crate::linux;
use crate::profile::Profile;
use crate::qnx::{errno, sched};
use crate::state::State;

/// A partition.
#[derive(Clone, Copy, Debug)]
struct Partition {
    name: Name,
    parent: i16,
    budget: u16,
    max_budget: u16,
    critical_budget_ms: i16,
    critical_priority: i16,
}

/// The partitions, by their ids; id 0 is System and always there.
pub(crate) struct Partitions {
    all: [Option<Partition>; 32],
}

impl Partitions {
    pub(crate) const fn new() -> Self {
        let mut all = [None; 32];
        all[0] = Some(Partition {
            name: *b"System\0\0\0\0\0\0\0\0\0\0",
            parent: -1,
            budget: 100,
            max_budget: 100,
            critical_budget_ms: 100,
            critical_priority: 0,
        });
        Self { all }
    }

    fn get(&self, id: i16) -> Result<Partition, c_int> {
        let index = usize::try_from(id).map_err(|_| errno::EINVAL)?;
        self.all.get(index).copied().flatten().ok_or(errno::EINVAL)
    }

    fn named(&self, name: &Name) -> Option<i16> {
        let is_it = |entry: &Option<Partition>| entry.is_some_and(|found| found.name == *name);
        self.all
            .iter()
            .position(is_it)
            .and_then(|index| i16::try_from(index).ok())
    }

    fn count(&self) -> usize {
        self.all.iter().flatten().count()
    }

    /// Moves `more` percent from a parent to a child; false if the parent has less.
    fn take_from(&mut self, parent: i16, more: i32) -> bool {
        let place = usize::try_from(parent)
            .ok()
            .and_then(|index| self.all.get_mut(index));
        let Some(Some(parent)) = place else {
            return more <= 0;
        };
        let left = i32::from(parent.budget) - more;
        let fits = (0..=100).contains(&left);
        if fits {
            parent.budget = u16::try_from(left).unwrap_or(0);
        }
        fits
    }
}

/// `EDOM` unless everything that has to be zero is (qnx-facts §7.4).
fn zeroed(fields: &[bool]) -> Result<(), c_int> {
    if fields.iter().all(|&zero| zero) {
        Ok(())
    } else {
        Err(errno::EDOM)
    }
}

impl State {
    /// Obeys a command of the adaptive scheduler.
    ///
    /// # Errors
    /// `ENOSYS` without the scheduler, `EINVAL` for an unknown command, size, name or id, `EDOM` for
    /// a reserved field that is not zero, `ESRCH`, `EEXIST`, `ENOSPC`, `EDQUOT`, `ENAMETOOLONG`.
    ///
    /// # Safety
    /// `data` is null or points to `length` bytes that may be read and written, and names in it are
    /// C strings.
    pub(crate) unsafe fn sched_ctl(
        &mut self,
        command: c_int,
        data: *mut c_void,
        length: usize,
    ) -> Result<(), c_int> {
        if !self.switches.aps_module {
            return Err(errno::ENOSYS);
        }
        if self.profile == Profile::Sdp80 {
            return Err(errno::EINVAL);
        }
        match command {
            sched::QUERY_PARMS => {
                let blocks = Blocks::new(data, length, false)?;
                // SAFETY: passed on; the length was checked.
                let info = self.query(unsafe { blocks.read(0) })?;
                // SAFETY: passed on; the length was checked.
                unsafe { blocks.write(0, info) };
            }
            sched::CREATE_PARTITION => {
                let blocks = Blocks::new(data, length, false)?;
                // SAFETY: passed on; the length was checked.
                let create: Create = unsafe { blocks.read(0) };
                // SAFETY: passed on.
                let name = unsafe { read_name(create.name) };
                let id = self.create(&create, name)?;
                // SAFETY: passed on; the length was checked.
                unsafe { blocks.write(0, Create { id, ..create }) };
            }
            sched::LOOKUP => {
                let blocks = Blocks::new(data, length, false)?;
                // SAFETY: passed on; the length was checked.
                let lookup: Lookup = unsafe { blocks.read(0) };
                zeroed(&[lookup.reserved == 0])?;
                // SAFETY: passed on.
                let name = unsafe { read_name(lookup.name) }?;
                let id = self.partitions.named(&name).ok_or(errno::EINVAL)?;
                // SAFETY: passed on; the length was checked.
                unsafe { blocks.write(0, Lookup { id, ..lookup }) };
            }
            sched::QUERY_PARTITION => {
                let blocks = Blocks::new(data, length, false)?;
                // SAFETY: passed on; the length was checked.
                let info = self.describe(unsafe { blocks.read(0) })?;
                // SAFETY: passed on; the length was checked.
                unsafe { blocks.write(0, info) };
            }
            sched::JOIN_PARTITION => {
                let blocks = Blocks::new(data, length, false)?;
                // SAFETY: passed on; the length was checked.
                self.join(unsafe { blocks.read(0) })?;
            }
            sched::MODIFY_PARTITION => {
                let blocks = Blocks::new(data, length, false)?;
                // SAFETY: passed on; the length was checked.
                self.modify(unsafe { blocks.read(0) })?;
            }
            sched::PARTITION_STATS => {
                let blocks = Blocks::new(data, length, true)?;
                // SAFETY: passed on; the length was checked.
                let first: PartitionStats = unsafe { blocks.read(0) };
                self.partitions.get(first.id)?;
                for index in 0..blocks.count {
                    // SAFETY: passed on; the length was checked.
                    let stats = unsafe { blocks.read(index) };
                    let stats = self.times(stats, first.id, index)?;
                    // SAFETY: passed on; the length was checked.
                    unsafe { blocks.write(index, stats) };
                }
            }
            _ => return Err(errno::EINVAL),
        }
        Ok(())
    }

    fn query(&self, info: Info) -> Result<Info, c_int> {
        zeroed(&[
            info.reserved == [0; 3],
            info.reserved_2 == 0,
            info.reserved_3 == 0,
            info.reserved_4 == 0,
        ])?;
        Ok(Info {
            // A clock of 1 MHz: the model has no time of its own.
            cycles_per_ms: 1000,
            num_partitions: u16::try_from(self.partitions.count()).unwrap_or(u16::MAX),
            max_partitions: u16::try_from(self.profile.most_partitions()).unwrap_or(u16::MAX),
            windowsize_ms: sched::WINDOW_MS,
            ..info
        })
    }

    fn create(&mut self, create: &Create, name: Result<Name, c_int>) -> Result<i16, c_int> {
        zeroed(&[
            create.reserved == 0,
            create.reserved_2 == 0,
            create.reserved_3 == 0,
        ])?;
        let name = name?;
        let parent = if create.flags & 1 != 0 {
            i16::from(create.parent_id)
        } else {
            0
        };
        self.partitions.get(parent)?;
        if create.budget_percent > 100 || create.max_budget_percent > 100 || create.flags > 1 {
            return Err(errno::EINVAL);
        }
        if self.partitions.named(&name).is_some() {
            return Err(errno::EEXIST);
        }
        let most = self.profile.most_partitions();
        let free = self.partitions.all[..most].iter().position(Option::is_none);
        let free = free.ok_or(errno::ENOSPC)?;
        if !self
            .partitions
            .take_from(parent, i32::from(create.budget_percent))
        {
            return Err(errno::EDQUOT);
        }
        self.partitions.all[free] = Some(Partition {
            name,
            parent,
            budget: create.budget_percent,
            max_budget: create.max_budget_percent,
            critical_budget_ms: create.critical_budget_ms,
            critical_priority: create.critical_priority,
        });
        i16::try_from(free).map_err(|_| errno::ENOSPC)
    }

    fn describe(&self, info: PartitionInfo) -> Result<PartitionInfo, c_int> {
        let all_zero = [
            info.reserved,
            info.reserved_2.into(),
            info.reserved_3,
            info.reserved_5,
        ];
        zeroed(&[all_zero == [0; 4], info.reserved_4 == 0])?;
        let partition = self.partitions.get(info.id)?;
        let budget_ms = u64::try_from(partition.critical_budget_ms).unwrap_or(0);
        Ok(PartitionInfo {
            critical_budget_cycles: budget_ms * 1000,
            name: partition.name,
            parent_id: partition.parent,
            budget_percent: partition.budget,
            max_budget_percent: partition.max_budget,
            critical_priority: partition.critical_priority.cast_unsigned(),
            ..info
        })
    }

    /// Threads join for show: ids are checked, and nothing is scheduled.
    fn join(&self, join: Join) -> Result<(), c_int> {
        zeroed(&[join.reserved == 0])?;
        self.partitions.get(join.id)?;
        let process = join.pid == 0 || join.pid == linux::process();
        if process && (-2..=1).contains(&join.tid) {
            Ok(())
        } else {
            Err(errno::ESRCH)
        }
    }

    fn modify(&mut self, modify: Modify) -> Result<(), c_int> {
        zeroed(&[modify.reserved == 0, modify.reserved_2 == 0])?;
        let mut partition = self.partitions.get(modify.id)?;
        if let Ok(budget @ ..=100) = u16::try_from(modify.new_budget_percent) {
            // System takes what others leave; it cannot be set against nobody.
            let more = i32::from(budget) - i32::from(partition.budget);
            if modify.id == 0 && more != 0 || !self.partitions.take_from(partition.parent, more) {
                return Err(errno::EDQUOT);
            }
            partition.budget = budget;
        } else if modify.new_budget_percent != -1 {
            return Err(errno::EINVAL);
        }
        if modify.new_critical_budget_ms != -1 {
            partition.critical_budget_ms = modify.new_critical_budget_ms;
        }
        if let Ok(max_budget) = u16::try_from(modify.new_max_budget_percent) {
            partition.max_budget = max_budget;
        }
        if modify.new_critical_priority != -1 {
            partition.critical_priority = modify.new_critical_priority;
        }
        let index = usize::try_from(modify.id).map_err(|_| errno::EINVAL)?;
        self.partitions.all[index] = Some(partition);
        Ok(())
    }

    /// The times of the `nth` partition from `first` on, or an unused element behind the last.
    fn times(
        &self,
        stats: PartitionStats,
        first: i16,
        nth: usize,
    ) -> Result<PartitionStats, c_int> {
        zeroed(&[
            stats.reserved == [0; 4],
            stats.reserved_2 == 0,
            stats.reserved_3 == 0,
        ])?;
        let ids = (first..).take(self.partitions.all.len());
        let id = ids
            .filter(|&id| self.partitions.get(id).is_ok())
            .nth(nth)
            .unwrap_or(-1);
        Ok(PartitionStats {
            run_time_cycles: 0,
            critical_time_cycles: 0,
            stats_flags: 0,
            dynamic_windowsize_cycles: u64::from(sched::WINDOW_MS) * 1000,
            id,
            ..stats
        })
    }
}
