//! What is known of QNX's versions: pure facts and numbers, compiled everywhere.
//!
//! The calls themselves are in the platform's files. Every number names its section of `qnx-facts`.

use crate::Errno;

/// The error number for a value that is refused (qnx-facts §8.1).
pub const EINVAL: Errno = Errno(22);

mod heap_command;
mod version;

pub use heap_command::HeapCommand;
pub use version::{LargeBlocks, QnxProfile, QnxVersion};
