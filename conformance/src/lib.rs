//! One suite of named cases over the public interface of wasm-arena, for every arena system and
//! every platform.
//!
//! ```text
//!   native runner        QNX object code over a stand-in C library        a board
//!        │                               │                                   │
//!        └── Subject, Observer ──────────┴──────────── Subject ──────────────┘
//!                                  │
//!                        run_all, run_named
//!                                  │
//!                               cases()       each shows one thing, and says so in its name
//! ```
//!
//! A case assumes what the documentation of wasm-arena promises and nothing more. Where platforms
//! differ by right (guards need a protection that works, room to grow may cost memory) it asks
//! [`SystemFacts`](wasm_arena::SystemFacts) and checks what is promised there.
//!
//! The suite needs neither `std` nor a heap. Cases that end in a fault need a runner that has
//! processes: it calls [`run_named`] in one of them, and looks how it died.
#![no_std]

mod case;
mod cases;
mod driver;
mod failure;
mod subject;
mod support;

pub use case::{Case, Ends};
pub use cases::cases;
pub use driver::{Tally, run_all, run_case, run_named};
pub use failure::{Cause, Failure, Number, Verdict};
pub use subject::{Observer, Subject};
