//! Any page source, with every call counted by kind.

use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::{Facts, OsCall, OsError, PageSource, Protection, ResourceLimits, Touched};

const KINDS: usize = OsCall::ALL.len();

// The counters are indexed by the declaration order of the kinds.
const _: () = {
    let mut index = 0;
    while index < KINDS {
        assert!(OsCall::ALL[index] as usize == index);
        index += 1;
    }
};

/// How many calls of each kind were made: a snapshot.
///
/// ```
/// use os::{Counted, OsCall, OsPages, PageSource};
///
/// let pages = Counted::new(OsPages::new());
/// let before = pages.call_counts().unwrap();
/// assert!(pages.reserve(0).is_err());
/// let made = pages.call_counts().unwrap().since(&before);
/// assert_eq!(made.get(OsCall::Reserve), 1);
/// assert_eq!(made.total(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct CallCounts([usize; KINDS]);

impl CallCounts {
    /// Calls of one kind. Constant time.
    #[must_use]
    pub const fn get(&self, call: OsCall) -> usize {
        self.0[call as usize]
    }

    /// Calls of every kind together, wrapping at `usize::MAX`.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// Every kind with its count, in the order of [`OsCall::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (OsCall, usize)> {
        OsCall::ALL.into_iter().zip(self.0)
    }

    /// What was called between an earlier snapshot and this one.
    ///
    /// Right even if a counter wrapped once in between.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        for (later, earlier) in difference.0.iter_mut().zip(earlier.0) {
            *later = later.wrapping_sub(earlier);
        }
        difference
    }
}

impl fmt::Debug for CallCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(call, count)| (call.name(), count)))
            .finish()
    }
}

/// A page source that counts the calls made of another one.
///
/// Attempts are counted, refused ones too. Asking for [`facts`](PageSource::facts) is no call.
/// Costs one relaxed atomic addition for each call; counters wrap at `usize::MAX`.
///
/// ```
/// use os::{Counted, OsCall, OsPages, PageSource};
///
/// static PAGES: Counted<OsPages> = Counted::new(OsPages::new());
///
/// let page = PAGES.facts().page_size.get();
/// let run = PAGES.map(page)?;
/// // SAFETY: exactly the run mapped above, not used again.
/// unsafe { PAGES.unmap(run, page)? };
/// let counts = PAGES.call_counts().unwrap();
/// assert_eq!((counts.get(OsCall::Map), counts.get(OsCall::Unmap)), (1, 1));
/// # Ok::<(), os::OsError>(())
/// ```
#[derive(Debug, Default)]
pub struct Counted<P> {
    inner: P,
    counts: [AtomicUsize; KINDS],
}

impl<P> Counted<P> {
    /// Counts what is asked of `inner`, from zero.
    pub const fn new(inner: P) -> Self {
        Self {
            inner,
            counts: [const { AtomicUsize::new(0) }; KINDS],
        }
    }

    /// The source that does the work. What is asked of it directly is not counted.
    pub const fn inner(&self) -> &P {
        &self.inner
    }

    fn count(&self, call: OsCall) {
        // The counters order nothing, so nothing stronger is needed.
        self.counts[call as usize].fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every promise is the inner source's; counting changes nothing about it.
unsafe impl<P: PageSource> PageSource for Counted<P> {
    fn facts(&self) -> Facts {
        self.inner.facts()
    }

    fn reserve(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        self.count(OsCall::Reserve);
        self.inner.reserve(len)
    }

    fn map(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        self.count(OsCall::Map);
        self.inner.map(len)
    }

    unsafe fn commit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.count(OsCall::Commit);
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.commit(address, len) }
    }

    unsafe fn decommit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.count(OsCall::Decommit);
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.decommit(address, len) }
    }

    unsafe fn discard(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.count(OsCall::Discard);
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.discard(address, len) }
    }

    unsafe fn protect(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError> {
        self.count(OsCall::Protect);
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.protect(address, len, protection) }
    }

    unsafe fn unmap(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.count(OsCall::Unmap);
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.unmap(address, len) }
    }

    unsafe fn lock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.count(OsCall::Lock);
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.lock(address, len) }
    }

    unsafe fn unlock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.count(OsCall::Unlock);
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.unlock(address, len) }
    }

    unsafe fn prefault(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.count(OsCall::Prefault);
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.prefault(address, len) }
    }

    fn resident(&self, address: NonNull<u8>, len: usize) -> Result<usize, OsError> {
        self.count(OsCall::Resident);
        self.inner.resident(address, len)
    }

    unsafe fn touched(
        &self,
        address: NonNull<u8>,
        len: usize,
        found: &mut [Range<usize>],
    ) -> Result<Touched, OsError> {
        self.count(OsCall::Touched);
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.touched(address, len, found) }
    }

    fn probe(&self, address: usize) -> Result<bool, OsError> {
        self.count(OsCall::Probe);
        self.inner.probe(address)
    }

    fn limits(&self) -> ResourceLimits {
        self.inner.limits()
    }

    fn call_counts(&self) -> Option<CallCounts> {
        let mut counts = CallCounts::default();
        for (count, counter) in counts.0.iter_mut().zip(&self.counts) {
            *count = counter.load(Ordering::Relaxed);
        }
        Some(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_survives_a_counter_that_wrapped() {
        let mut earlier = CallCounts::default();
        let mut later = CallCounts::default();
        earlier.0[OsCall::Map as usize] = usize::MAX;
        later.0[OsCall::Map as usize] = 2;
        assert_eq!(later.since(&earlier).get(OsCall::Map), 3);
    }
}
