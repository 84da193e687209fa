//! Any page source, failing on purpose: for tests of error paths, and of leaks.
//!
//! A test first runs its program once and reads [`FailAt::calls_seen`]; then it runs the program
//! again for every n up to that, with the nth call failing, and looks at what is left behind.

use core::fmt;
use core::num::NonZeroUsize;
use core::ops::Range;
use core::ptr::NonNull;

use crate::{
    CallCounts, Facts, Mutex, OsCall, OsError, PageSource, Protection, Reason, ResourceLimits,
    Touched,
};

/// A page source that refuses chosen calls with [`Reason::Injected`] and passes on the others.
///
/// A refused call never reaches the inner source. Calls that change something count and fail, and
/// so does [`touched`](PageSource::touched), whose refusal callers must live with:
/// [`resident`](PageSource::resident), [`probe`](PageSource::probe) and
/// [`facts`](PageSource::facts) always pass. There is one plan at a time, and a new one replaces
/// the old. Costs one short lock for each call.
///
/// ```
/// use os::{FailAt, OsPages, PageSource, Reason};
///
/// let pages = FailAt::new(OsPages::new());
/// let page = pages.facts().page_size.get();
/// pages.fail_nth(2);
/// let run = pages.map(page)?;
/// assert_eq!(pages.map(page).unwrap_err().reason, Reason::Injected);
/// assert_eq!((pages.live_runs(), pages.live_bytes()), (1, page));
/// // SAFETY: exactly the run mapped above, not used again.
/// unsafe { pages.unmap(run, page)? };
/// assert_eq!((pages.calls_seen(), pages.injected(), pages.live_runs()), (3, 1, 0));
/// # Ok::<(), os::OsError>(())
/// ```
pub struct FailAt<P> {
    inner: P,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    plan: Option<Plan>,
    calls_seen: usize,
    injected: usize,
    live_runs: usize,
    live_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Calls of another kind neither count nor fail; `None`: all kinds do.
    only: Option<OsCall>,
    /// The call that fails is this many matching calls away.
    remaining: NonZeroUsize,
    /// Every matching call after it fails as well.
    and_later: bool,
}

impl Plan {
    /// Whether this call fails, and what remains to be done afterwards.
    fn meet(self, call: OsCall) -> (bool, Option<Self>) {
        if self.only.is_some_and(|only| only != call) {
            return (false, Some(self));
        }
        match NonZeroUsize::new(self.remaining.get() - 1) {
            Some(remaining) => (false, Some(Self { remaining, ..self })),
            None if self.and_later => (true, Some(self)),
            None => (true, None),
        }
    }
}

impl<P> FailAt<P> {
    /// Passes everything on to `inner` until told otherwise.
    pub const fn new(inner: P) -> Self {
        let state = State {
            plan: None,
            calls_seen: 0,
            injected: 0,
            live_runs: 0,
            live_bytes: 0,
        };
        Self {
            inner,
            state: Mutex::new(state),
        }
    }

    /// The source that does the work.
    pub const fn inner(&self) -> &P {
        &self.inner
    }

    /// From now on, the `n`th call fails, counting from 1; 0 is the same as [`clear`](Self::clear).
    pub fn fail_nth(&self, n: usize) {
        self.plan(None, n, false);
    }

    /// From now on, the `n`th call of one kind fails, counting from 1; 0 is the same as
    /// [`clear`](Self::clear).
    pub fn fail_nth_of(&self, call: OsCall, n: usize) {
        self.plan(Some(call), n, false);
    }

    /// From now on, the `n`th call and all later ones fail, counting from 1; 0 is the same as
    /// [`clear`](Self::clear).
    pub fn fail_from_nth(&self, n: usize) {
        self.plan(None, n, true);
    }

    /// From now on, nothing fails on purpose.
    pub fn clear(&self) {
        self.state.lock().plan = None;
    }

    /// Calls that could have failed, so far: passed on and refused ones, whatever the plan.
    pub fn calls_seen(&self) -> usize {
        self.state.lock().calls_seen
    }

    /// Failures injected so far.
    pub fn injected(&self) -> usize {
        self.state.lock().injected
    }

    /// Bytes reserved or mapped and not unmapped yet.
    pub fn live_bytes(&self) -> usize {
        self.state.lock().live_bytes
    }

    /// Runs reserved or mapped and not unmapped yet.
    pub fn live_runs(&self) -> usize {
        self.state.lock().live_runs
    }

    fn plan(&self, only: Option<OsCall>, n: usize, and_later: bool) {
        let plan = NonZeroUsize::new(n).map(|remaining| Plan {
            only,
            remaining,
            and_later,
        });
        self.state.lock().plan = plan;
    }

    /// Counts a call and refuses it if that is the plan.
    fn pass(&self, call: OsCall, address: usize, len: usize) -> Result<(), OsError> {
        let mut state = self.state.lock();
        state.calls_seen += 1;
        let Some(plan) = state.plan else {
            return Ok(());
        };
        let (fails, rest) = plan.meet(call);
        state.plan = rest;
        if !fails {
            return Ok(());
        }
        state.injected += 1;
        Err(OsError {
            call,
            address,
            len,
            reason: Reason::Injected,
        })
    }

    fn record_run(&self, len: usize) {
        let mut state = self.state.lock();
        state.live_runs += 1;
        state.live_bytes += len;
    }

    fn forget_run(&self, len: usize) {
        let mut state = self.state.lock();
        // A caller that gives back more than it got breaks its own promise; do not hide it behind
        // a panic in the book-keeping: the wrapped number will not pass any leak check.
        state.live_runs = state.live_runs.wrapping_sub(1);
        state.live_bytes = state.live_bytes.wrapping_sub(len);
    }
}

impl<P: fmt::Debug> fmt::Debug for FailAt<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = *self.state.lock();
        f.debug_struct("FailAt")
            .field("inner", &self.inner)
            .field("state", &state)
            .finish()
    }
}

impl<P: Default> Default for FailAt<P> {
    fn default() -> Self {
        Self::new(P::default())
    }
}

// SAFETY: every promise is the inner source's; a call that is refused here did not reach it, so it
// has changed nothing.
unsafe impl<P: PageSource> PageSource for FailAt<P> {
    fn facts(&self) -> Facts {
        self.inner.facts()
    }

    fn reserve(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        self.pass(OsCall::Reserve, 0, len)?;
        let run = self.inner.reserve(len)?;
        self.record_run(len);
        Ok(run)
    }

    fn map(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        self.pass(OsCall::Map, 0, len)?;
        let run = self.inner.map(len)?;
        self.record_run(len);
        Ok(run)
    }

    unsafe fn commit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.pass(OsCall::Commit, address.addr().get(), len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.commit(address, len) }
    }

    unsafe fn decommit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.pass(OsCall::Decommit, address.addr().get(), len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.decommit(address, len) }
    }

    unsafe fn discard(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.pass(OsCall::Discard, address.addr().get(), len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.discard(address, len) }
    }

    unsafe fn protect(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError> {
        self.pass(OsCall::Protect, address.addr().get(), len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.protect(address, len, protection) }
    }

    unsafe fn unmap(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.pass(OsCall::Unmap, address.addr().get(), len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.unmap(address, len) }?;
        self.forget_run(len);
        Ok(())
    }

    unsafe fn lock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.pass(OsCall::Lock, address.addr().get(), len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.lock(address, len) }
    }

    unsafe fn unlock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.pass(OsCall::Unlock, address.addr().get(), len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.unlock(address, len) }
    }

    unsafe fn prefault(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.pass(OsCall::Prefault, address.addr().get(), len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.prefault(address, len) }
    }

    fn resident(&self, address: NonNull<u8>, len: usize) -> Result<usize, OsError> {
        self.inner.resident(address, len)
    }

    unsafe fn touched(
        &self,
        address: NonNull<u8>,
        len: usize,
        found: &mut [Range<usize>],
    ) -> Result<Touched, OsError> {
        self.pass(OsCall::Touched, address.addr().get(), len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.touched(address, len, found) }
    }

    fn probe(&self, address: usize) -> Result<bool, OsError> {
        self.inner.probe(address)
    }

    fn limits(&self) -> ResourceLimits {
        self.inner.limits()
    }

    fn call_counts(&self) -> Option<CallCounts> {
        self.inner.call_counts()
    }
}
