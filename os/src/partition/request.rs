//! Making a partition, and changing one.
//!
//! Budgets are checked before the scheduler is asked; they are whole per cents here. Fields and
//! limits are those of qnx-facts §7.4. What that does not tell, such as the scheduler's rules for
//! names beyond their length, is left to the scheduler to refuse.
#![forbid(unsafe_code)]

use core::ffi::CStr;

use super::blocks::{CreateBlock, ModifyBlock, Name, USE_PARENT_ID};
use super::{Partition, PartitionError, check_name, send};

/// What a new partition is to be.
///
/// ```
/// use os::partition::{Partition, PartitionRequest};
///
/// let request = PartitionRequest {
///     parent: Some(Partition::SYSTEM),
///     critical_budget_milliseconds: 10,
///     ..PartitionRequest::new(c"guests", 20)
/// };
/// # let _ = request.create();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionRequest<'a> {
    /// Its name: 15 bytes at most.
    pub name: &'a CStr,
    /// The share it is guaranteed, taken from the parent's: 0 to 100 per cent.
    pub budget_percent: u16,
    /// The share it may have at most: 0 to 100 per cent.
    pub max_budget_percent: u16,
    /// Its budget for critical threads, in milliseconds of each window.
    pub critical_budget_milliseconds: u16,
    /// The priority of its critical threads, passed on as it is.
    pub critical_priority: u8,
    /// The partition whose budget is divided; `None` leaves the choice to the scheduler.
    pub parent: Option<Partition>,
}

impl<'a> PartitionRequest<'a> {
    /// A partition with this share and no bound above it, with nothing for critical threads, a
    /// child of the partition the scheduler takes when none is named.
    #[must_use]
    pub const fn new(name: &'a CStr, budget_percent: u16) -> Self {
        Self {
            name,
            budget_percent,
            max_budget_percent: 100,
            critical_budget_milliseconds: 0,
            critical_priority: 0,
            parent: None,
        }
    }

    /// Makes the partition. One kernel call; nobody is in it yet.
    ///
    /// # Errors
    /// Before any call: [`PartitionError::NameTooLong`], [`PartitionError::InvalidBudget`],
    /// [`PartitionError::InvalidCriticalBudget`], and [`PartitionError::NoSuchPartition`] for a
    /// parent whose number cannot be one. From the scheduler: [`PartitionError::Exists`],
    /// [`PartitionError::NoSpace`], [`PartitionError::NoBudgetLeft`],
    /// [`PartitionError::NotPermitted`], [`PartitionError::Unsupported`], and
    /// [`PartitionError::Refused`] with any other number: 22 for a parent that does not exist or a
    /// name that breaks the rules.
    pub fn create(&self) -> Result<Partition, PartitionError> {
        let mut block = self.block()?;
        send(&mut block)?;
        Ok(Partition(block.id))
    }

    /// The request in the scheduler's words.
    fn block(&self) -> Result<CreateBlock<'a>, PartitionError> {
        check_name(self.name)?;
        let mut block = CreateBlock::new(Name::new(self.name));
        block.budget_percent = budget(self.budget_percent)?.unsigned_abs();
        block.max_budget_percent = budget(self.max_budget_percent)?.unsigned_abs();
        block.critical_budget_ms = critical_budget(self.critical_budget_milliseconds)?;
        block.critical_priority = i16::from(self.critical_priority);
        if let Some(Partition(id)) = self.parent {
            // The number of a parent has eight bits and a sign; none is negative.
            let missing = PartitionError::NoSuchPartition { id };
            block.parent_id = i8::try_from(id).map_err(|_| missing)?;
            if block.parent_id < 0 {
                return Err(missing);
            }
            block.flags = USE_PARENT_ID;
        }
        Ok(block)
    }
}

/// What is to change in a partition; `None` leaves a value alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartitionChange {
    /// As [`PartitionRequest::budget_percent`].
    pub budget_percent: Option<u16>,
    /// As [`PartitionRequest::max_budget_percent`].
    pub max_budget_percent: Option<u16>,
    /// As [`PartitionRequest::critical_budget_milliseconds`].
    pub critical_budget_milliseconds: Option<u16>,
    /// As [`PartitionRequest::critical_priority`].
    pub critical_priority: Option<u8>,
}

impl PartitionChange {
    /// The change in the scheduler's words.
    fn block(&self, partition: Partition) -> Result<ModifyBlock, PartitionError> {
        let mut block = ModifyBlock::new(partition.0);
        if let Some(percent) = self.budget_percent {
            block.new_budget_percent = budget(percent)?;
        }
        if let Some(percent) = self.max_budget_percent {
            block.new_max_budget_percent = budget(percent)?;
        }
        if let Some(milliseconds) = self.critical_budget_milliseconds {
            block.new_critical_budget_ms = critical_budget(milliseconds)?;
        }
        if let Some(priority) = self.critical_priority {
            block.new_critical_priority = i16::from(priority);
        }
        Ok(block)
    }
}

impl Partition {
    /// Changes the partition. One kernel call, also if nothing is to change.
    ///
    /// # Errors
    /// Before any call: [`PartitionError::InvalidBudget`],
    /// [`PartitionError::InvalidCriticalBudget`]. From the scheduler:
    /// [`PartitionError::NoBudgetLeft`], [`PartitionError::NotPermitted`],
    /// [`PartitionError::Unsupported`], and [`PartitionError::Refused`] with any other number: 22
    /// if there is no such partition.
    pub fn modify(self, change: &PartitionChange) -> Result<(), PartitionError> {
        send(&mut change.block(self)?)
    }

    /// Changes the guaranteed share, in per cent, and nothing else. One kernel call.
    ///
    /// # Errors
    /// As [`modify`](Self::modify).
    pub fn set_budget_percent(self, percent: u16) -> Result<(), PartitionError> {
        self.modify(&PartitionChange {
            budget_percent: Some(percent),
            ..PartitionChange::default()
        })
    }
}

fn budget(percent: u16) -> Result<i16, PartitionError> {
    i16::try_from(percent)
        .ok()
        .filter(|&percent| percent <= 100)
        .ok_or(PartitionError::InvalidBudget { percent })
}

fn critical_budget(milliseconds: u16) -> Result<i16, PartitionError> {
    i16::try_from(milliseconds).map_err(|_| PartitionError::InvalidCriticalBudget {
        milliseconds,
        limit: i16::MAX.unsigned_abs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_to_the_scheduler_field_by_field() {
        let block = PartitionRequest {
            max_budget_percent: 60,
            critical_budget_milliseconds: 7,
            critical_priority: 200,
            parent: Some(Partition::from_id(4)),
            ..PartitionRequest::new(c"guests", 20)
        }
        .block()
        .unwrap();
        assert_eq!((block.budget_percent, block.max_budget_percent), (20, 60));
        assert_eq!(
            (block.critical_budget_ms, block.critical_priority),
            (7, 200)
        );
        assert_eq!((block.flags, block.parent_id), (1, 4));
    }

    #[test]
    fn without_a_parent_the_choice_is_left_to_the_scheduler() {
        let block = PartitionRequest::new(c"guests", 100).block().unwrap();
        assert_eq!((block.flags, block.parent_id), (0, 0));
        assert_eq!((block.budget_percent, block.max_budget_percent), (100, 100));
        assert_eq!((block.critical_budget_ms, block.critical_priority), (0, 0));
    }

    #[test]
    fn what_cannot_be_is_refused_before_the_scheduler_is_asked() {
        let fine = PartitionRequest::new(c"guests", 20);
        for percent in [101, 0x8000, u16::MAX] {
            let wrong = Err(PartitionError::InvalidBudget { percent });
            let budget = PartitionRequest::new(c"guests", percent);
            let max_budget = PartitionRequest {
                max_budget_percent: percent,
                ..fine
            };
            assert_eq!(budget.create(), wrong);
            assert_eq!(max_budget.create(), wrong);
            assert_eq!(
                Partition::SYSTEM.set_budget_percent(percent),
                Err(PartitionError::InvalidBudget { percent })
            );
        }
        let critical = PartitionRequest {
            critical_budget_milliseconds: 32768,
            ..fine
        };
        assert_eq!(
            critical.create(),
            Err(PartitionError::InvalidCriticalBudget {
                milliseconds: 32768,
                limit: 32767
            })
        );
        for id in [-1, 128, i16::MIN] {
            let child = PartitionRequest {
                parent: Some(Partition::from_id(id)),
                ..fine
            };
            assert_eq!(child.create(), Err(PartitionError::NoSuchPartition { id }));
        }
        assert_eq!(
            PartitionRequest::new(c"sixteen--letters", 20).create(),
            Err(PartitionError::NameTooLong {
                bytes: 16,
                limit: 15
            })
        );
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let partition = Partition::from_id(9);
        let nothing = ModifyBlock {
            id: 9,
            new_budget_percent: -1,
            new_critical_budget_ms: -1,
            new_max_budget_percent: -1,
            new_critical_priority: -1,
            budget_percent_scale: 0,
            reserved_word: 0,
            reserved_long: 0,
        };
        let change = PartitionChange::default();
        assert_eq!(change.block(partition).as_ref(), Ok(&nothing));
        let change = PartitionChange {
            budget_percent: Some(0),
            critical_priority: Some(255),
            ..change
        };
        assert_eq!(
            change.block(partition),
            Ok(ModifyBlock {
                new_budget_percent: 0,
                new_critical_priority: 255,
                ..nothing
            })
        );
        let change = PartitionChange {
            max_budget_percent: Some(100),
            critical_budget_milliseconds: Some(12),
            ..PartitionChange::default()
        };
        let block = change.block(partition).unwrap();
        assert_eq!(block.new_budget_percent, -1);
        assert_eq!(block.new_max_budget_percent, 100);
        assert_eq!(block.new_critical_budget_ms, 12);
    }
}
