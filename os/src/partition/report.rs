//! What the scheduler tells: of itself, of a partition, and of the time a partition used.
//!
//! Times are in cycles of the processor; [`SchedulerInformation`] says how many make a millisecond.
//! Fields: qnx-facts §7.4. What it does not explain is passed on as the scheduler tells it.
#![forbid(unsafe_code)]

use super::blocks::{
    BANKRUPT_NOW, InformationBlock, SchedulerBlock, StatisticsBlock, WAS_BANKRUPT,
};
use super::{NAME_LIMIT, Partition, PartitionError, send};

/// The scheduler as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchedulerInformation {
    /// Cycles in a millisecond.
    pub cycles_per_millisecond: u64,
    /// Partitions that exist, `System` included.
    pub partitions: u16,
    /// Partitions there can be.
    pub max_partitions: u16,
    /// The window over which shares are balanced, in milliseconds: 8 to 400, 100 unless set.
    pub window_milliseconds: u16,
}

impl SchedulerInformation {
    /// Asks the scheduler. One kernel call.
    ///
    /// # Errors
    /// [`PartitionError::Unsupported`]; [`PartitionError::NotPermitted`];
    /// [`PartitionError::Refused`] with any other number.
    pub fn read() -> Result<Self, PartitionError> {
        let mut block = SchedulerBlock::default();
        send(&mut block)?;
        Ok(Self::of(&block))
    }

    const fn of(block: &SchedulerBlock) -> Self {
        Self {
            cycles_per_millisecond: block.cycles_per_ms,
            partitions: block.num_partitions,
            max_partitions: block.max_partitions,
            window_milliseconds: block.windowsize_ms,
        }
    }
}

/// The thread that last used more critical time than its partition had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BankruptThread {
    /// Its process.
    pub process: i32,
    /// Its number in that process.
    pub thread: i32,
}

/// A partition as it was when it was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionInformation {
    /// The partition.
    pub partition: Partition,
    /// The partition whose budget it divides.
    pub parent: Partition,
    /// The guaranteed share, in per cent if [`budget_percent_scale`](Self::budget_percent_scale) is
    /// 0, as it is for partitions made by this module.
    pub budget_percent: u16,
    /// The scale of the share, as the scheduler tells it.
    pub budget_percent_scale: u16,
    /// The share it may have at most, in per cent.
    pub max_budget_percent: u16,
    /// Its critical budget, in cycles for each window.
    pub critical_budget_cycles: u64,
    /// The priority from which its threads are critical, as the scheduler tells it.
    pub critical_priority: u16,
    /// Who made it bankrupt last; `None` if nobody did.
    pub last_bankrupt: Option<BankruptThread>,
    name: [u8; NAME_LIMIT + 1],
}

impl PartitionInformation {
    /// Its name: the bytes before the first zero, 16 at most.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let end = self.name.iter().position(|&byte| byte == 0);
        &self.name[..end.unwrap_or(self.name.len())]
    }

    /// Its name as text; `None` if it is not UTF-8.
    #[must_use]
    pub fn name_text(&self) -> Option<&str> {
        str::from_utf8(self.name()).ok()
    }

    fn of(block: &InformationBlock, partition: Partition) -> Self {
        Self {
            partition,
            parent: Partition(block.parent_id),
            budget_percent: block.budget_percent,
            budget_percent_scale: block.budget_percent_scale,
            max_budget_percent: block.max_budget_percent,
            critical_budget_cycles: block.critical_budget_cycles,
            critical_priority: block.critical_priority,
            // Processes have numbers above 0.
            last_bankrupt: (block.pid_at_last_bankruptcy > 0).then_some(BankruptThread {
                process: block.pid_at_last_bankruptcy,
                thread: block.tid_at_last_bankruptcy,
            }),
            name: block.name,
        }
    }
}

/// The time a partition used in the last window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionStatistics {
    /// Cycles its threads ran.
    pub run_time_cycles: u64,
    /// Cycles billed as critical.
    pub critical_time_cycles: u64,
    /// Length of that window in cycles; it may differ from the nominal one.
    pub window_cycles: u64,
    /// More critical time is used than it has, now.
    pub is_bankrupt: bool,
    /// That happened at some time since the system started.
    pub was_bankrupt: bool,
}

impl PartitionStatistics {
    const fn of(block: &StatisticsBlock) -> Self {
        Self {
            run_time_cycles: block.run_time_cycles,
            critical_time_cycles: block.critical_time_cycles,
            window_cycles: block.dynamic_windowsize_cycles,
            is_bankrupt: block.stats_flags & BANKRUPT_NOW != 0,
            was_bankrupt: block.stats_flags & WAS_BANKRUPT != 0,
        }
    }
}

impl Partition {
    /// Asks what the partition is. One kernel call.
    ///
    /// # Errors
    /// [`PartitionError::NoSuchPartition`]; [`PartitionError::Unsupported`];
    /// [`PartitionError::NotPermitted`]; [`PartitionError::Refused`] with any other number.
    pub fn information(self) -> Result<PartitionInformation, PartitionError> {
        let mut block = InformationBlock {
            id: self.0,
            ..InformationBlock::default()
        };
        send(&mut block)?;
        Ok(PartitionInformation::of(&block, self))
    }

    /// Asks what time the partition used. One kernel call.
    ///
    /// # Errors
    /// As [`information`](Self::information).
    pub fn statistics(self) -> Result<PartitionStatistics, PartitionError> {
        let mut block = StatisticsBlock {
            id: self.0,
            ..StatisticsBlock::default()
        };
        send(&mut block)?;
        // The scheduler writes whose times these are, and -1 for nobody's (qnx-facts §7.4).
        if block.id == self.0 {
            Ok(PartitionStatistics::of(&block))
        } else {
            Err(PartitionError::NoSuchPartition { id: self.0 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: [u8; 16]) -> PartitionInformation {
        let block = InformationBlock {
            name,
            ..InformationBlock::default()
        };
        PartitionInformation::of(&block, Partition::SYSTEM)
    }

    #[test]
    fn a_name_ends_at_its_zero_or_with_its_field() {
        assert_eq!(named(*b"System\0leftovers").name_text(), Some("System"));
        assert_eq!(named([0; 16]).name(), b"");
        assert_eq!(named([b'x'; 16]).name(), [b'x'; 16]);
        assert_eq!(named([0xff; 16]).name_text(), None);
    }

    #[test]
    fn information_is_read_field_by_field() {
        let block = InformationBlock {
            critical_budget_cycles: 1 << 40,
            parent_id: 2,
            budget_percent: 125,
            budget_percent_scale: 1,
            max_budget_percent: 90,
            critical_priority: 63,
            pid_at_last_bankruptcy: 4099,
            tid_at_last_bankruptcy: 3,
            ..InformationBlock::default()
        };
        let information = PartitionInformation::of(&block, Partition::from_id(7));
        assert_eq!(information.partition.id(), 7);
        assert_eq!(information.parent.id(), 2);
        assert_eq!(information.budget_percent, 125);
        assert_eq!(information.budget_percent_scale, 1);
        assert_eq!(information.max_budget_percent, 90);
        assert_eq!(information.critical_budget_cycles, 1 << 40);
        assert_eq!(information.critical_priority, 63);
        let culprit = BankruptThread {
            process: 4099,
            thread: 3,
        };
        assert_eq!(information.last_bankrupt, Some(culprit));
        let nobody = InformationBlock {
            pid_at_last_bankruptcy: -1,
            tid_at_last_bankruptcy: -1,
            ..block
        };
        let information = PartitionInformation::of(&nobody, Partition::SYSTEM);
        assert_eq!(information.last_bankrupt, None);
    }

    #[test]
    fn statistics_and_the_scheduler_are_read_field_by_field() {
        let block = |stats_flags| StatisticsBlock {
            run_time_cycles: 11,
            critical_time_cycles: 22,
            dynamic_windowsize_cycles: 33,
            stats_flags,
            ..StatisticsBlock::default()
        };
        let statistics = PartitionStatistics::of(&block(1));
        assert_eq!(statistics.run_time_cycles, 11);
        assert_eq!(statistics.critical_time_cycles, 22);
        assert_eq!(statistics.window_cycles, 33);
        assert!(statistics.is_bankrupt && !statistics.was_bankrupt);
        let statistics = PartitionStatistics::of(&block(2));
        assert!(!statistics.is_bankrupt && statistics.was_bankrupt);

        let information = SchedulerInformation::of(&SchedulerBlock {
            cycles_per_ms: 1_000_000,
            num_partitions: 3,
            max_partitions: 32,
            windowsize_ms: 100,
            ..SchedulerBlock::default()
        });
        assert_eq!(information.cycles_per_millisecond, 1_000_000);
        assert_eq!(
            (information.partitions, information.max_partitions),
            (3, 32)
        );
        assert_eq!(information.window_milliseconds, 100);
    }
}
