//! Objects behind handles: counted, in a heap of their own, made without a chance to abort.
//!
//! `alloc::sync::Arc` would do, but ends the program where there is no memory left, and needs an
//! allocator of the whole program. The heap here maps host pages when the first object is made, and
//! keeps them.

use core::alloc::Layout;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use arena_heap::{HeapConfig, HeapError, SharedArenaHeap};
use os::{Counted, OsPages, PageSource};
use wasm_arena::{ArenaSystem, Arenas, ArenasRef};

/// The heap of the objects, the handles and their registers. Constant time, but for a call of the
/// operating system when it needs an arena.
pub(crate) static HEAP: SharedArenaHeap<Counted<OsPages>> =
    SharedArenaHeap::new(Counted::new(OsPages::new()));

static IS_FITTED: AtomicBool = AtomicBool::new(false);

/// Allocates from the heap, which fits itself to the host page at first.
pub(crate) fn allocate(layout: Layout) -> Result<NonNull<u8>, HeapError> {
    if !IS_FITTED.load(Ordering::Relaxed) {
        let page = HEAP.source().facts().page_size;
        // The settings for a page size are valid for it, and nothing is preallocated.
        let _never_refused = HEAP.configure(HeapConfig::for_page_size(page));
        IS_FITTED.store(true, Ordering::Relaxed);
    }
    HEAP.allocate(layout)
}

/// Gives a block of [`allocate`] back.
///
/// # Safety
/// The block is live and nobody uses it again.
pub(crate) unsafe fn free(block: NonNull<u8>) {
    // SAFETY: the caller's promise, passed on unchanged.
    let freed = unsafe { HEAP.deallocate(block) };
    // A block that was damaged stays where it is; the heap counts it.
    let _counted = freed;
}

#[derive(Debug)]
struct Body<T> {
    references: AtomicUsize,
    value: T,
}

/// A counted reference to an object in the heap.
///
/// Invariants: (1) the body is a live block of the heap, initialised, for as long as a reference to
/// it exists; (2) `references` counts them.
#[derive(Debug)]
pub(crate) struct Shared<T>(NonNull<Body<T>>);

// SAFETY: as for any counted reference: the value may be used from and dropped by any holder.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above; a shared `Shared` gives out shared values and clones.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Moves a value into the heap.
    ///
    /// # Errors
    /// The heap refused; the value is dropped.
    pub(crate) fn new(value: T) -> Result<Self, HeapError> {
        let block = allocate(Layout::new::<Body<T>>())?.cast::<Body<T>>();
        let body = Body {
            references: AtomicUsize::new(1),
            value,
        };
        // SAFETY: a fresh block of the body's layout, nobody else's.
        unsafe { block.write(body) };
        Ok(Self(block))
    }

    fn body(&self) -> &Body<T> {
        // SAFETY: invariant 1; whoever changes the value has the only reference, and no other borrow.
        unsafe { self.0.as_ref() }
    }

    /// How many references there are, this one included. Exact only while nobody can clone or drop
    /// one.
    pub(crate) fn references(&self) -> usize {
        self.body().references.load(Ordering::Acquire)
    }

    /// Gives the reference out of hand.
    pub(crate) fn into_raw(self) -> NonNull<()> {
        let raw = self.0.cast();
        core::mem::forget(self);
        raw
    }

    /// Takes a reference back.
    ///
    /// # Safety
    /// `raw` came from [`into_raw`](Self::into_raw) of the same type and was not taken back since.
    pub(crate) const unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self(raw.cast())
    }

    /// Where the value is.
    pub(crate) const fn value_pointer(&self) -> NonNull<T> {
        // SAFETY: a field of a live body (invariant 1).
        let field = unsafe { &raw mut (*self.0.as_ptr()).value };
        // SAFETY: a field's address is not null.
        unsafe { NonNull::new_unchecked(field) }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // A program has far fewer references than the counter has numbers: each takes memory.
        self.body().references.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.body().value
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.body().references.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // What other holders did comes before what follows.
        fence(Ordering::Acquire);
        // SAFETY: the last reference; the body is initialised (invariant 1) and not used again.
        unsafe { self.0.drop_in_place() };
        // SAFETY: the block of the body, not used again.
        unsafe { free(self.0.cast()) };
    }
}

// SAFETY: a counted reference keeps its referent in place, and arenas are changed through shared
// references alone.
unsafe impl<S: ArenaSystem> ArenasRef for Shared<Arenas<S>> {
    type System = S;

    fn arenas(&self) -> &Arenas<S> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reference_drops_the_value() {
        static DROPS: AtomicUsize = AtomicUsize::new(0);
        struct Counting;
        impl Drop for Counting {
            fn drop(&mut self) {
                DROPS.fetch_add(1, Ordering::Relaxed);
            }
        }
        let one = Shared::new(Counting).unwrap();
        let other = one.clone();
        assert_eq!(one.references(), 2);
        let raw = other.into_raw();
        drop(one);
        assert_eq!(DROPS.load(Ordering::Relaxed), 0);
        // SAFETY: from `into_raw` just now.
        drop(unsafe { Shared::<Counting>::from_raw(raw) });
        assert_eq!(DROPS.load(Ordering::Relaxed), 1);
    }
}
