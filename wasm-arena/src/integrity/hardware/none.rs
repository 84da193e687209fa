//! Processors without an instruction for CRC-32C, or compiled as if.
#![forbid(unsafe_code)]

use super::super::run::Run;

pub(in super::super) const fn sum<R: Run>(_state: u32, run: R) -> Result<u32, R> {
    Err(run)
}

pub(in super::super) const fn shift(_remainder: u32, _bytes: usize) -> Option<u32> {
    None
}
