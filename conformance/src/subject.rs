//! What the suite runs on: an arena system, and perhaps a bench that watches it.
#![forbid(unsafe_code)]

use os::Protection;
use wasm_arena::ArenaSystem;

/// What a suite is run on.
pub trait Subject {
    /// The arena system under test.
    type System: ArenaSystem;

    /// A name for reports.
    fn name(&self) -> &'static str;

    /// A system that nobody used before. Cases make one or a few each, one after the other.
    fn system(&self) -> Self::System;

    /// The bench that watches, where there is one.
    fn observer(&self) -> Option<&dyn Observer>;

    /// Called right before the access of a case that [must fault](crate::Ends::Faults), with the
    /// address it goes to: so that a runner can tell this fault from one on the way to it.
    fn about_to_fault(&self, address: usize) {
        let _nobody_asked = address;
    }
}

/// What a test bench can see and do that a real machine does not offer.
///
/// Calls are those that go below the arena system: of the page source, of the C library. A *failable*
/// call is one that the platform may refuse; asking (for facts, for residency) is none.
pub trait Observer {
    /// Calls made so far that ask for memory, give it back, or change it.
    fn calls(&self) -> usize;

    /// The `n`th failable call from now on, counting from 1, is refused, once; 0 takes that back.
    fn refuse_nth(&self, n: usize);

    /// How many calls were refused since the last [`refuse_nth`](Self::refuse_nth).
    fn refusals(&self) -> usize;

    /// Bytes of all runs and blocks that were handed out and not given back, each by the length
    /// that was asked for.
    fn held_bytes(&self) -> usize;

    /// Bytes that are locked in memory.
    fn locked_bytes(&self) -> usize;

    /// How often the bench found itself misused: a block that is none, a guard over a header.
    fn complaints(&self) -> usize;

    /// What a complaint is about; the first has index 0.
    fn complaint(&self, index: usize) -> &'static str;

    /// The protection of the page that holds `address`; `None` if it is unmapped, or the bench
    /// cannot tell.
    fn protection(&self, address: usize) -> Option<Protection>;
}
