//! Those that are measured, on both sides.

mod creators;
mod engines;

pub(crate) use engines::{Kind, Options, Runtime};
