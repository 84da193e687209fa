//! A stand-in for QNX's C library, on Linux.
//!
//! Object code compiled for QNX, its imported symbols renamed from `name` to `qnx_name`, is linked
//! with this library and runs on Linux. It sees QNX: QNX's constants in and out, QNX's errno, QNX's
//! heap with its headers, footers, arenas, cache and `realloc`. Beside that interface there is a
//! second one, `stand_in_*`, for whoever watches: it chooses the SDP version, counts calls, lets them
//! fail, and lists what the program did that would have hurt on QNX.
//!
//! ```text
//!   program for QNX ──▶ interface   qnx_*        counts, fails on purpose, converts
//!   test            ──▶ control     stand_in_*   profile, switches, complaints, leaks
//!                          │
//!                        state      one lock
//!              ┌───────────┼──────────────┬─────────────┐
//!            heap        kernel        mallopt         aps
//!              └────┬──────┘
//!                 pages             every page's owner, protection, lock
//!                   │
//!            memory, linux          the only places that touch memory and Linux
//! ```
//!
//! What it claims is what qnx-facts says of QNX, section by section; where that is open, a [`Switch`]
//! chooses. What it is not: a kernel. Files cannot be mapped, partitions schedule nothing, and the
//! heap of SDP 8.0, which is not public, is modelled from its interface only.
//!
//! Nothing the heap hands out is zero: every block is filled with [`HANDED_OUT`] first, and with
//! [`GIVEN_BACK`] when it comes back (the first 32 MiB and the last 1 MiB of larger ones). Memory from
//! `mmap` is zero, as on QNX. Protections and unmappings are real, so that wrong accesses really
//! fault; the library itself looks into its books before it touches a word, and complains instead.
//!
//! The state belongs to the process: tests that use it take turns.
#![no_std]

mod aps;
mod calls;
mod complaints;
mod control;
mod heap;
mod interface;
mod kernel;
mod layout;
mod linux;
mod lock;
mod mallopt;
mod memory;
mod mutexes;
mod pages;
mod profile;
pub mod qnx;
mod settings;
mod state;
mod switches;
mod table;

pub use calls::Call;
pub use complaints::{Complaint, KEPT};
pub use control::*;
pub use heap::{Mallinfo, MallocStats};
pub use interface::*;
pub use layout::{HEAP_PAGE, Shape};
pub use memory::{FILL_HEAD, FILL_TAIL, GIVEN_BACK, HANDED_OUT};
pub use profile::Profile;
pub use settings::Setting;
pub use switches::Switch;
