//! Why a partition was refused, and how the scheduler's error numbers are read.
//!
//! One number means different things to different commands: `EINVAL` is an unknown name to one, an
//! unknown partition to another. So a refusal is read together with the question.
#![forbid(unsafe_code)]

use core::fmt;

use crate::{Errno, Reason};

// QNX's error numbers: qnx-facts §8.1. Not those of the system that compiles this.
const EPERM: i32 = 1;
const ESRCH: i32 = 3;
const EACCES: i32 = 13;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const ENOSPC: i32 = 28;
const EDQUOT: i32 = 49;
const ENOSYS: i32 = 89;

/// A refused request about a partition. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartitionError {
    /// This system or version has no partitions, or the boot image lacks the module (`ENOSYS`).
    Unsupported,
    /// The name is too long. Found before the call.
    NameTooLong {
        /// Its length, without the zero at its end.
        bytes: usize,
        /// The longest there can be.
        limit: usize,
    },
    /// A budget is more than 100 per cent. Found before the call.
    InvalidBudget {
        /// What was asked.
        percent: u16,
    },
    /// A critical budget is more milliseconds than the scheduler can be told. Found before the
    /// call.
    InvalidCriticalBudget {
        /// What was asked.
        milliseconds: u16,
        /// The most there can be; the scheduler itself then goes down to its window.
        limit: u16,
    },
    /// Another partition has this name (`EEXIST`).
    Exists,
    /// As many partitions exist as there can be (`ENOSPC`).
    NoSpace {
        /// How many this version can have.
        limit: u16,
    },
    /// The security options of the scheduler forbid it, or an ability is missing (`EACCES`,
    /// `EPERM`).
    NotPermitted,
    /// No partition has this name (`EINVAL` to a name).
    NoSuchName,
    /// There is no partition of this number (`EINVAL` to a number). Where a thread was to join, it
    /// may also be one that has to stay where it is: the kernel's idle thread.
    NoSuchPartition {
        /// The number asked for.
        id: i16,
    },
    /// There is no such thread (`ESRCH`).
    NoSuchThread {
        /// The process asked for; 0 for the caller's.
        process: i32,
        /// The thread asked for; 0 for the calling one, -2 for all.
        thread: i32,
    },
    /// The parent has less budget left than was asked for (`EDQUOT`).
    NoBudgetLeft,
    /// The scheduler refused with another number, one of QNX's.
    Refused(Errno),
}

impl fmt::Display for PartitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("this system has no adaptive partitions"),
            Self::NameTooLong { bytes, limit } => {
                write!(f, "the name has {bytes} bytes; {limit} are the most")
            }
            Self::InvalidBudget { percent } => {
                write!(f, "a budget of {percent} per cent is more than 100")
            }
            Self::InvalidCriticalBudget {
                milliseconds,
                limit,
            } => write!(
                f,
                "a critical budget of {milliseconds} ms is more than {limit} ms"
            ),
            Self::Exists => f.write_str("another partition has this name"),
            Self::NoSpace { limit } => write!(f, "all of {limit} partitions exist already"),
            Self::NotPermitted => f.write_str("the scheduler does not permit it to this thread"),
            Self::NoSuchName => f.write_str("no partition has this name"),
            Self::NoSuchPartition { id } => write!(f, "there is no partition {id}"),
            Self::NoSuchThread { process, thread } => {
                write!(f, "there is no thread {thread} of process {process}")
            }
            Self::NoBudgetLeft => f.write_str("the parent has not enough budget left"),
            Self::Refused(errno) => write!(f, "the scheduler refused: {errno}"),
        }
    }
}

impl core::error::Error for PartitionError {}

/// What the scheduler was asked: with it, an error number can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Scheduler,
    Create,
    LookUp,
    Information { id: i16 },
    Join { id: i16, process: i32, thread: i32 },
    Modify,
    Statistics { id: i16 },
}

impl Question {
    /// Reads a refusal of this question, where `limit` partitions can exist.
    ///
    /// `EINVAL` stands for a wrong argument or a struct of a wrong size. The sizes are asserted, so
    /// it is the argument, wherever there is but one. To create and modify there are several: the
    /// number is passed on.
    pub(super) const fn refused(self, reason: Reason, limit: u16) -> PartitionError {
        let Reason::Errno(errno) = reason else {
            return PartitionError::Unsupported;
        };
        match (errno.0, self) {
            (ENOSYS, _) => PartitionError::Unsupported,
            (EACCES | EPERM, _) => PartitionError::NotPermitted,
            (EEXIST, Self::Create) => PartitionError::Exists,
            (ENOSPC, Self::Create) => PartitionError::NoSpace { limit },
            (EDQUOT, Self::Create | Self::Modify) => PartitionError::NoBudgetLeft,
            (EINVAL, Self::LookUp) => PartitionError::NoSuchName,
            (
                EINVAL,
                Self::Information { id } | Self::Statistics { id } | Self::Join { id, .. },
            ) => PartitionError::NoSuchPartition { id },
            (
                ESRCH,
                Self::Join {
                    process, thread, ..
                },
            ) => PartitionError::NoSuchThread { process, thread },
            _ => PartitionError::Refused(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOIN: Question = Question::Join {
        id: 5,
        process: 70,
        thread: 8,
    };
    const ALL: [Question; 7] = [
        Question::Scheduler,
        Question::Create,
        Question::LookUp,
        Question::Information { id: 5 },
        JOIN,
        Question::Modify,
        Question::Statistics { id: 5 },
    ];

    fn read(question: Question, number: i32) -> PartitionError {
        question.refused(Reason::Errno(Errno(number)), 32)
    }

    #[test]
    fn some_numbers_mean_the_same_to_every_command() {
        for question in ALL {
            assert_eq!(read(question, 89), PartitionError::Unsupported);
            assert_eq!(read(question, 13), PartitionError::NotPermitted);
            assert_eq!(read(question, 1), PartitionError::NotPermitted);
            // EDOM: a reserved field was not zero.
            assert_eq!(read(question, 33), PartitionError::Refused(Errno(33)));
            assert_eq!(
                question.refused(Reason::Unsupported, 32),
                PartitionError::Unsupported
            );
        }
    }

    #[test]
    fn a_wrong_argument_is_named_where_there_is_but_one() {
        let missing = PartitionError::NoSuchPartition { id: 5 };
        let unclear = PartitionError::Refused(Errno(22));
        assert_eq!(
            ALL.map(|question| read(question, 22)),
            [
                unclear,
                unclear,
                PartitionError::NoSuchName,
                missing,
                missing,
                unclear,
                missing
            ]
        );
    }

    #[test]
    fn numbers_of_one_command_are_read_for_that_command_only() {
        assert_eq!(read(Question::Create, 17), PartitionError::Exists);
        assert_eq!(
            read(Question::Create, 28),
            PartitionError::NoSpace { limit: 32 }
        );
        assert_eq!(read(Question::Create, 49), PartitionError::NoBudgetLeft);
        assert_eq!(read(Question::Modify, 49), PartitionError::NoBudgetLeft);
        assert_eq!(
            read(JOIN, 3),
            PartitionError::NoSuchThread {
                process: 70,
                thread: 8
            }
        );
        for number in [3, 17, 28, 49] {
            assert_eq!(
                read(Question::Scheduler, number),
                PartitionError::Refused(Errno(number))
            );
        }
        // Linux's numbers for ENOSYS and EDQUOT are nothing here.
        for number in [38, 122] {
            assert_eq!(
                read(Question::Create, number),
                PartitionError::Refused(Errno(number))
            );
        }
    }
}
