//! Access to arenas: owned, borrowed, or shared.

use super::Arenas;
use crate::ArenaSystem;

/// Access to [`Arenas`]: owned, borrowed, or shared.
///
/// # Safety
/// [`arenas`](Self::arenas) always returns the same object for as long as this value lives,
/// wherever it is moved, or a moved value that took over the same state: allocators give regions
/// back to where they got them.
pub unsafe trait ArenasRef {
    /// The arena system of the arenas.
    type System: ArenaSystem;

    /// The arenas.
    fn arenas(&self) -> &Arenas<Self::System>;
}

// SAFETY: the object itself; moving it moves the state along.
unsafe impl<S: ArenaSystem> ArenasRef for Arenas<S> {
    type System = S;

    fn arenas(&self) -> &Self {
        self
    }
}

// SAFETY: a shared reference keeps its referent in place and never changes it.
unsafe impl<S: ArenaSystem> ArenasRef for &Arenas<S> {
    type System = S;

    fn arenas(&self) -> &Arenas<S> {
        self
    }
}

#[cfg(feature = "alloc")]
// SAFETY: an `Arc` keeps its referent in place and never changes it.
unsafe impl<S: ArenaSystem> ArenasRef for alloc::sync::Arc<Arenas<S>> {
    type System = S;

    fn arenas(&self) -> &Arenas<S> {
        self
    }
}
