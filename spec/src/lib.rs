//! The WebAssembly specification's test suite on arena memory, compared with stock memory directive
//! by directive.
//!
//! ```text
//!   suite ──▶ script ──▶ judge, stock memory ──▶ outcomes ─┐
//!   files   directives     │                               ├─ compare ──▶ Tally
//!                          └ judge, arena memory ─▶ outcomes ┘
//! ```
//!
//! A [`Trial`](trial::Trial) is one engine with all its memories; [`session`] runs it.
//! What fails on stock memory is in [`known`], file by file, and checked.
#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_alloc, reason = "the engines need std")]

pub mod compare;
pub mod judge;
pub mod known;
mod plan;
pub mod script;
pub mod session;
pub mod suite;
pub mod trial;
pub mod wasmi;
pub mod wasmtime;
