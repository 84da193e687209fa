//! Processors without wide products: every run is given back.
#![forbid(unsafe_code)]

use super::super::run::Run;

/// What a run needs to be gone through by vectors: nothing here.
pub(in super::super) trait Vectors {}

impl<R> Vectors for R {}

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
