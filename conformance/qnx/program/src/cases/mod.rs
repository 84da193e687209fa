//! Cases about QNX's C library: what its heap is told, what it gets back, what is made of its
//! refusals. They look into the stand-in, so they run only with it.
//!
//! | file | about |
//! |---|---|
//! | `layout` | where guards lie in a block, and how the block goes back |
//! | `reallocate` | recipe C of qnx-facts §9: `realloc` under guards |
//! | `zeroing` | the heap hands out what others left |
//! | `refusals` | locks, and blocks that cannot go back |
//! | `calls` | which calls an operation makes, and which none does |
//! | `settings`, `sharing`, `undoing`, `cache` | `mallopt`, on versions with arenas |
//! | `parameters` | `mallopt` on 8.0 |
//! | `numbers` | constants and structs |
//! | `limits` | `getrlimit` and `sysconf` |
//! | `locks` | mutexes that inherit priority |
//! | `partitions` | `SchedCtl` |
//!
//! What does not apply to the version in force is not in the list.

mod cache;
mod calls;
mod layout;
mod limits;
mod locks;
mod numbers;
mod parameters;
mod partitions;
mod reallocate;
mod refusals;
mod settings;
mod sharing;
mod support;
mod undoing;
mod zeroing;

use conformance::Case;

use crate::bench;
use crate::subjects::{Libc, OnQnx};

/// A case of this program.
type LibcCase = Case<OnQnx<Libc>>;

/// The cases for the version that the stand-in plays.
pub(crate) fn cases() -> impl Iterator<Item = LibcCase> {
    let has_arenas = bench::version().is_some_and(|version| version.profile().has_arenas);
    let of_arenas = settings::cases()
        .into_iter()
        .chain(sharing::cases())
        .chain(undoing::cases())
        .chain(cache::cases())
        .filter(move |_| has_arenas);
    let of_parameters = parameters::cases().into_iter().filter(move |_| !has_arenas);
    layout::cases()
        .into_iter()
        .chain(reallocate::cases())
        .chain(zeroing::cases())
        .chain(refusals::cases())
        .chain(calls::cases())
        .chain(of_arenas)
        .chain(of_parameters)
        .chain(numbers::cases())
        .chain(limits::cases())
        .chain(locks::cases())
        .chain(partitions::cases())
}
