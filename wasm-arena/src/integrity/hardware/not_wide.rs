//! Processors without wide products: every run is given back.
#![forbid(unsafe_code)]

use super::super::run::{Exchanged, In, Loaded, Out};

pub(in super::super) const fn loaded(_state: u32, run: Loaded<'_>) -> Result<u32, Loaded<'_>> {
    Err(run)
}

pub(in super::super) const fn copied_in(_state: u32, run: In<'_>) -> Result<u32, In<'_>> {
    Err(run)
}

pub(in super::super) const fn copied_out(_state: u32, run: Out<'_>) -> Result<u32, Out<'_>> {
    Err(run)
}

pub(in super::super) const fn exchanged(
    _state: u32,
    run: Exchanged<'_>,
) -> Result<u32, Exchanged<'_>> {
    Err(run)
}
