//! What every program for QNX in this project has: the words it was started with, text to the
//! standard output, an end; and, where it is linked with the stand-in for QNX's C library, that
//! stand-in as the bench that watches it.
#![no_std]

pub mod arguments;
#[cfg(feature = "stand-in")]
pub mod bench;
pub mod output;
