//! Processors without an instruction for CRC-32C, or compiled as if.
#![forbid(unsafe_code)]

use super::super::run::Run;

pub(in super::super) const fn sum<R: Run>(_state: u32, run: R) -> Result<u32, R> {
    Err(run)
}

pub(in super::super) const fn sum_blocks<R: Run>(
    run: R,
    _words: usize,
    _each: &mut impl FnMut(u32),
) -> Result<(), R> {
    Err(run)
}

pub(in super::super) const fn factor(_words: usize) -> Option<u32> {
    None
}

pub(in super::super) const fn multiply(_remainder: u32, _factor: u32) -> Option<u32> {
    None
}
