//! What is known of QNX's versions: pure facts and numbers, compiled everywhere.
//!
//! The calls themselves are in the platform's files. Every number names its section of `qnx-facts`.

pub mod heap_command;
mod version;

pub use version::{LargeBlocks, QnxProfile, QnxVersion};
