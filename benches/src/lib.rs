//! Measurements of wasm-arena beside its peers: what every group shares.
//!
//! ```text
//!   group ──▶ race: A B C │ B C A │ C A B ...     every round times a batch of each contender
//!                │                               then every contender again, with its system calls
//!                │                               counted by a second process
//!             Measured ──▶ Report ──▶ table · JSON ──▶ pictures
//! ```
//!
//! Contenders of a case run in one process, one batch each per round, and what is compared are the
//! batches of one round: whatever else the machine does meanwhile, it does to neighbours alike. A
//! ratio in a report is the median of the rounds' ratios, with its quartiles.
//!
//! The groups are in three programs, each behind a feature: `engines` (Wasmtime), `libraries`
//! (allocators, checksums) and `instructions` (nobody but us). A fourth draws pictures.
#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

mod document;
mod machine;
mod numbers;
mod picture;
mod process;
mod program;
mod race;
mod report;
mod system_calls;
mod table;
mod threads;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tracer;

pub use document::with_figures;
pub use machine::Machine;
pub use numbers::{Spread, Tail, geometric_mean};
pub use picture::picture;
pub use process::{AddressSpace, PageFaults};
pub use program::{Group, Setting, main, results};
pub use race::{Contender, Effort, Measured, race, timed};
pub use report::{Aim, Case, Limit, Mode, Report, Row};
pub use system_calls::{Counting, NotCounted, SystemCalls, check_counting, counting_process};
pub use threads::on_threads;
