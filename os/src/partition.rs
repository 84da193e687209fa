//! Adaptive partitions: shares of processor time that QNX's scheduler guarantees.
//!
//! ```text
//!   System 100 %  ── create guests, 20 % ──▶  System 80 %     guests 20 %
//!        ▲                                         │              ▲
//!        └ every thread starts here                └──── join ────┘
//! ```
//!
//! **Partitions divide processor time, never memory**: a guest that must not use more memory than
//! its share needs a budget of bytes, which the layers above have. They are here because a thread
//! that runs a guest can be held to a share of the processor with them.
//!
//! SDP 7.0 and 7.1 have them, if the boot image holds the module (`[module=aps]`); 8.0 has none,
//! and neither has any other system (qnx-facts §7.4). Where there are none, each function answers
//! [`PartitionError::Unsupported`] without a call, after it has checked its arguments.
//!
//! Depending on the security options of the scheduler, creating, modifying and joining need the
//! ability `PROCMGR_AID_APS_ROOT` (45, §6.5), or a place in a certain partition. Each function is
//! one kernel call (`SchedCtl`) and allocates nothing. A partition cannot be removed again: no
//! command for it is known.
//!
//! **This module has not been run on a QNX kernel by the authors.**
//!
//! ```
//! use os::partition::{PartitionError, PartitionRequest};
//!
//! match PartitionRequest::new(c"guests", 20).create() {
//!     Ok(guests) => guests.join()?,
//!     Err(PartitionError::Unsupported) => {} // run without a guaranteed share
//!     Err(error) => return Err(error),
//! }
//! # Ok::<(), PartitionError>(())
//! ```

mod blocks;
mod error;
mod report;
mod request;

use core::ffi::CStr;
use core::fmt;
use core::ptr;

use blocks::{Block, JoinBlock, LookUpBlock, Name};
pub use error::PartitionError;
pub use report::{BankruptThread, PartitionInformation, PartitionStatistics, SchedulerInformation};
pub use request::{PartitionChange, PartitionRequest};

use crate::{QnxVersion, sys};

/// The longest name of a partition in bytes, without the zero at its end (qnx-facts §7.4).
pub const NAME_LIMIT: usize = 15;

/// `tid` of a join that means the whole process (qnx-facts §7.4).
const EVERY_THREAD: i32 = -2;

/// A partition of the scheduler, by its number.
///
/// Copies name the same partition. A number says nothing about whether the partition exists: the
/// scheduler is asked at each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(i16);

impl Partition {
    /// The partition every thread starts in, called `System` (qnx-facts §7.4).
    pub const SYSTEM: Self = Self(0);

    /// The partition of that number. No call, no check.
    #[must_use]
    pub const fn from_id(id: i16) -> Self {
        Self(id)
    }

    /// Its number.
    #[must_use]
    pub const fn id(self) -> i16 {
        self.0
    }

    /// Finds a partition by its name. One kernel call.
    ///
    /// # Errors
    /// [`PartitionError::NameTooLong`] before any call; [`PartitionError::NoSuchName`];
    /// [`PartitionError::Unsupported`]; [`PartitionError::Refused`] with any other number.
    pub fn look_up(name: &CStr) -> Result<Self, PartitionError> {
        check_name(name)?;
        let mut block = LookUpBlock::new(Name::new(name));
        send(&mut block)?;
        Ok(Self(block.id))
    }

    /// Puts the calling thread into this partition, which becomes its home. One kernel call.
    ///
    /// # Errors
    /// [`PartitionError::NoSuchPartition`], [`PartitionError::NotPermitted`],
    /// [`PartitionError::Unsupported`]; [`PartitionError::Refused`] with any other number. The
    /// thread then is where it was.
    pub fn join(self) -> Result<(), PartitionError> {
        self.join_thread(0, 0)
    }

    /// Puts one thread of a process into this partition. One kernel call.
    ///
    /// A process of 0 is the caller's, a thread of 0 the calling one.
    ///
    /// # Errors
    /// As [`join`](Self::join), and [`PartitionError::NoSuchThread`]: for a negative number before
    /// any call, because the scheduler gives those another meaning.
    pub fn join_thread(self, process: i32, thread: i32) -> Result<(), PartitionError> {
        if process < 0 || thread < 0 {
            return Err(PartitionError::NoSuchThread { process, thread });
        }
        send(&mut JoinBlock::new(self.0, process, thread))
    }

    /// Puts all threads of a process into this partition, and what it does for pulses. One kernel
    /// call.
    ///
    /// A process of 0 is the caller's.
    ///
    /// # Errors
    /// As [`join`](Self::join), and [`PartitionError::NoSuchThread`], for a negative number before
    /// any call; its `thread` is then -2, the scheduler's word for all of them.
    pub fn join_process(self, process: i32) -> Result<(), PartitionError> {
        if process < 0 {
            return Err(PartitionError::NoSuchThread {
                process,
                thread: EVERY_THREAD,
            });
        }
        send(&mut JoinBlock::new(self.0, process, EVERY_THREAD))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {}", self.0)
    }
}

/// Refuses a name that is too long, before the scheduler is asked.
fn check_name(name: &CStr) -> Result<(), PartitionError> {
    let bytes = name.count_bytes();
    if bytes > NAME_LIMIT {
        return Err(PartitionError::NameTooLong {
            bytes,
            limit: NAME_LIMIT,
        });
    }
    Ok(())
}

/// The partitions a version can have, if its blocks are laid out as those of this module.
///
/// Those are the blocks of 7.x. Before, several fields differ; 8.0 has no partitions, and a target
/// that tells no version is not asked at all.
fn partitions_of(version: Option<QnxVersion>) -> Result<u16, PartitionError> {
    match version {
        Some(version) if version >= QnxVersion::Sdp70 && version.profile().partitions > 0 => {
            Ok(version.profile().partitions)
        }
        _ => Err(PartitionError::Unsupported),
    }
}

/// Hands a block to the scheduler, which may write its answer into it.
fn send<B: Block>(block: &mut B) -> Result<(), PartitionError> {
    let limit = partitions_of(QnxVersion::of_this_target())?;
    let asked = block.question();
    // SAFETY: `Block` promises that its implementor is the struct of its command, valid inside and
    // out; the length is that of the live, exclusively borrowed struct.
    let answer = unsafe {
        sys::scheduler_control(B::COMMAND, ptr::from_mut::<B>(block).cast(), size_of::<B>())
    };
    answer.map_err(|reason| asked.refused(reason, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_with_these_layouts_are_asked() {
        let answers = QnxVersion::ALL.map(|version| partitions_of(Some(version)));
        let unsupported = Err(PartitionError::Unsupported);
        assert_eq!(
            answers,
            [unsupported, unsupported, Ok(32), Ok(32), unsupported]
        );
        assert_eq!(partitions_of(None), unsupported);
    }

    #[test]
    fn a_name_of_the_limit_passes_and_a_longer_one_is_measured() {
        assert_eq!(check_name(c""), Ok(()));
        assert_eq!(check_name(c"fifteen-letters"), Ok(()));
        let too_long = PartitionError::NameTooLong {
            bytes: 16,
            limit: 15,
        };
        assert_eq!(check_name(c"sixteen--letters"), Err(too_long));
        // Checked first: the same where there are no partitions.
        assert_eq!(Partition::look_up(c"sixteen--letters"), Err(too_long));
    }

    #[test]
    fn numbers_with_a_meaning_of_their_own_never_reach_the_scheduler() {
        for (process, thread) in [(0, -1), (0, -2), (-1, 0), (i32::MIN, i32::MIN)] {
            assert_eq!(
                Partition::SYSTEM.join_thread(process, thread),
                Err(PartitionError::NoSuchThread { process, thread })
            );
        }
        assert_eq!(
            Partition::SYSTEM.join_process(-7),
            Err(PartitionError::NoSuchThread {
                process: -7,
                thread: -2
            })
        );
    }

    #[cfg(not(any(target_os = "nto", target_os = "qnx")))]
    #[test]
    fn a_system_without_partitions_says_so() {
        let partition = Partition::from_id(3);
        assert_eq!(partition.id(), 3);
        let unsupported = PartitionError::Unsupported;
        assert_eq!(Partition::look_up(c"System"), Err(unsupported));
        assert_eq!(partition.join(), Err(unsupported));
        assert_eq!(partition.join_thread(1, 1), Err(unsupported));
        assert_eq!(partition.join_process(0), Err(unsupported));
        assert_eq!(partition.information(), Err(unsupported));
        assert_eq!(partition.statistics(), Err(unsupported));
        assert_eq!(partition.set_budget_percent(10), Err(unsupported));
        assert_eq!(
            PartitionRequest::new(c"guests", 20).create(),
            Err(unsupported)
        );
        assert_eq!(SchedulerInformation::read(), Err(unsupported));
    }
}
