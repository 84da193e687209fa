//! The contract every platform answers to.

use core::ops::Range;
use core::ptr::NonNull;

use crate::{CallCounts, OsCall, OsError, PageSize, Reason, ResourceLimits};

/// What may be done with a host page.
///
/// There is no write-only protection: no processor this project runs on has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protection {
    /// Every access faults.
    None,
    /// Reads only.
    Read,
    /// Reads and writes: what committed pages start with.
    #[default]
    ReadWrite,
    /// Reads and instruction fetches.
    ReadExecute,
    /// Everything. The layers above refuse it unless they were told otherwise.
    ReadWriteExecute,
}

impl Protection {
    /// Whether data can be read under this protection.
    #[must_use]
    pub const fn can_read(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether data can be written under this protection.
    #[must_use]
    pub const fn can_write(self) -> bool {
        matches!(self, Self::ReadWrite | Self::ReadWriteExecute)
    }

    /// Whether instructions can be fetched under this protection.
    #[must_use]
    pub const fn can_execute(self) -> bool {
        matches!(self, Self::ReadExecute | Self::ReadWriteExecute)
    }
}

/// What a page source is able to do. The answers never change during its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The unit of every address and length: asked of the platform, never assumed.
    pub page_size: PageSize,
    /// Reserved address space costs no memory until it is committed.
    pub reserves_for_free: bool,
    /// [`PageSource::protect`] really makes accesses fault, so that guards work.
    pub can_protect: bool,
    /// [`PageSource::decommit`] and [`PageSource::discard`] really give memory back.
    pub returns_memory: bool,
    /// [`PageSource::discard`] of many pages costs less than filling them with zeros, even though
    /// each of them faults again. Where a discard puts new pages in the place of the old, it does
    /// not.
    pub discards_cheaply: bool,
    /// [`PageSource::lock`] is available.
    pub can_lock: bool,
    /// [`PageSource::probe`] is able to tell whether an address can be read.
    pub can_probe: bool,
    /// [`PageSource::touched`] exists on this platform. This kernel, or this process, may be unable
    /// to answer all the same; it then says so when it is asked.
    pub can_tell_touched: bool,
    /// Of memory that comes and goes in the same way again and again, [`PageSource::touched`] mostly
    /// answers without a system call, so that asking pays for small memories, too.
    pub touched_is_quick: bool,
}

/// How an answer of [`PageSource::touched`] is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// So many entries of the buffer were filled.
    pub ranges: usize,
    /// Bytes from the address that were looked at. Less than the length asked about if the buffer
    /// was full; never 0.
    pub searched: usize,
}

/// A source of host pages.
///
/// All methods take `&self` and may be called from several threads at once. None allocates. Each
/// is one system call (or none, for sources without an operating system), except where it says
/// otherwise; none holds a lock while in the operating system.
///
/// Preconditions common to all methods that take an address and a length: both are multiples of
/// the page size, the length is not zero, and the range lies inside **one** run returned by
/// [`reserve`](Self::reserve) or [`map`](Self::map) that was not unmapped since. Sources check
/// alignment and length and answer [`Reason::Misaligned`] or
/// [`Reason::ZeroLength`]; the rest is the caller's duty.
///
/// # Safety
///
/// Callers build memory safety on these promises, so an implementation must keep them:
///
/// 1. A run returned by `reserve` or `map` is page-aligned, overlaps no other live run and no
///    other object of the program, and stays so until it is unmapped (or until a lifetime in the
///    type of the source ends, if it has one).
/// 2. Pages become readable and writable only by `map`, `commit` and `protect`; pages that `map`
///    or `commit` made accessible for the first time, or after `decommit`, read as zero, and so do
///    pages after `discard`.
/// 3. Where [`Facts::can_protect`] is true, an access that the current protection (or the reserved
///    state) forbids faults; it neither succeeds nor reaches other memory.
/// 4. A method that returns an error has changed nothing that a reader of the affected pages can
///    notice, except that a failed `protect`, `commit` or `decommit` may have changed the access of
///    a part of the range.
/// 5. [`facts`](Self::facts) always gives the same answer.
/// 6. Pages that [`touched`](Self::touched) looked at and does not name were not written since they
///    were fresh or discarded last: they read as zero.
pub unsafe trait PageSource {
    /// What this source can do. Constant time, no system call after the first.
    fn facts(&self) -> Facts;

    /// Reserves `len` bytes of address space that cannot be accessed yet.
    ///
    /// # Errors
    /// The source has no such run left, or the length is zero or no multiple of the page size.
    fn reserve(&self, len: usize) -> Result<NonNull<u8>, OsError>;

    /// Reserves and commits `len` bytes in one step: readable, writable, zero.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    fn map(&self, len: usize) -> Result<NonNull<u8>, OsError>;

    /// Makes reserved pages readable and writable; those never committed before, or decommitted
    /// since, read as zero.
    ///
    /// # Errors
    /// The platform refused; see promise 4 for what may have changed.
    ///
    /// # Safety
    /// The range lies inside one live run of this source.
    unsafe fn commit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError>;

    /// Makes pages inaccessible and drops their contents; their memory goes back if
    /// [`Facts::returns_memory`]. At most two system calls; four if pages of the range are locked.
    /// Undoes [`lock`](Self::lock).
    ///
    /// # Errors
    /// The platform refused.
    ///
    /// # Safety
    /// The range lies inside one live run of this source, and nobody uses its contents again.
    unsafe fn decommit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError>;

    /// Drops the contents of committed, readable and writable pages: they stay accessible and
    /// read as zero. Gives memory back if [`Facts::returns_memory`], otherwise fills with zeros.
    ///
    /// # Errors
    /// The platform refused.
    ///
    /// # Safety
    /// The range lies inside one live run of this source, is readable and writable, and nobody
    /// holds references into it or relies on its contents.
    unsafe fn discard(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError>;

    /// Changes what may be done with committed pages. Contents stay.
    ///
    /// # Errors
    /// The platform refused, or cannot protect at all and was asked for anything but
    /// [`Protection::ReadWrite`].
    ///
    /// # Safety
    /// The range lies inside one live run of this source, was committed, and nobody holds
    /// references into it that the new protection would contradict.
    unsafe fn protect(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError>;

    /// Gives a run back, whatever the state of its pages.
    ///
    /// # Errors
    /// The platform refused; the run is still live.
    ///
    /// # Safety
    /// `address` and `len` are exactly those of one live run of this source, and nobody uses it
    /// again.
    unsafe fn unmap(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError>;

    /// Keeps committed pages in memory from now on: no page-out, and no fault at first touch.
    ///
    /// # Errors
    /// No permission, over a limit, or not available here.
    ///
    /// # Safety
    /// The range lies inside one live run of this source and is readable.
    unsafe fn lock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError>;

    /// Undoes [`lock`](Self::lock). Locks do not nest.
    ///
    /// # Errors
    /// Not available here, or the platform refused.
    ///
    /// # Safety
    /// The range lies inside one live run of this source.
    unsafe fn unlock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError>;

    /// Makes committed pages resident now, so that the first write to them does not fault.
    /// Contents stay. One system call where the platform has one for it, else one write per page.
    ///
    /// # Errors
    /// The platform has no memory for it.
    ///
    /// # Safety
    /// The range lies inside one live run of this source, is readable and writable, and no other
    /// thread writes to it during the call.
    unsafe fn prefault(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError>;

    /// How many bytes of the range occupy memory now. For reports; cost grows with `len`
    /// (one system call per 16 MiB on Unix).
    ///
    /// # Errors
    /// Not available here.
    fn resident(&self, address: NonNull<u8>, len: usize) -> Result<usize, OsError>;

    /// Finds the pages of the range that may have been written since they were fresh, decommitted
    /// or discarded last: those that are in memory, and those that were swapped out. `found` is
    /// filled with ranges of bytes from `address`, ascending, whole pages, neighbours joined.
    ///
    /// **The first page must have been written** since it was fresh (one byte is enough, of any
    /// value): a platform whose answer does not name it is talking about other memory, and its
    /// answer is thrown away.
    ///
    /// One system call, more than that the first time in a process (Linux opens a file and keeps
    /// it: one descriptor). Cost grows with the number of pages in memory, and slowly with those
    /// that lie in the same two megabytes as one of them.
    ///
    /// # Errors
    /// [`Reason::Unsupported`]: not available, nor will it be; see [`Facts::can_tell_touched`]; on
    /// Linux before 6.7, and where `/proc/self/pagemap` cannot be opened.
    /// [`Reason::NotARun`]: the answer did not name the first page. Others: refused this time.
    ///
    /// # Safety
    /// The range lies inside one live run of this source, is readable and writable, and nobody uses
    /// it during the call: an answer that is true when it is given must not be overtaken.
    unsafe fn touched(
        &self,
        address: NonNull<u8>,
        len: usize,
        found: &mut [Range<usize>],
    ) -> Result<Touched, OsError> {
        let _nobody_to_ask = found;
        Err(OsError {
            call: OsCall::Touched,
            address: address.addr().get(),
            len,
            reason: Reason::Unsupported,
        })
    }

    /// Whether the byte at `address` can be read, without reading it and without a fault.
    /// Any address may be asked about. One system call.
    ///
    /// # Errors
    /// Not available here: see [`Facts::can_probe`].
    fn probe(&self, address: usize) -> Result<bool, OsError>;

    /// What the process may have, if this source has a process around it. A few system calls;
    /// never fails: what cannot be learnt is missing.
    fn limits(&self) -> ResourceLimits {
        ResourceLimits::NONE
    }

    /// Calls made so far, by kind, if this source counts them: see [`Counted`](crate::Counted).
    fn call_counts(&self) -> Option<CallCounts> {
        None
    }
}

// SAFETY: every promise is the referent's; a shared reference changes nothing about it.
unsafe impl<P: PageSource + ?Sized> PageSource for &P {
    fn facts(&self) -> Facts {
        (**self).facts()
    }

    fn reserve(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        (**self).reserve(len)
    }

    fn map(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        (**self).map(len)
    }

    unsafe fn commit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { (**self).commit(address, len) }
    }

    unsafe fn decommit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { (**self).decommit(address, len) }
    }

    unsafe fn discard(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { (**self).discard(address, len) }
    }

    unsafe fn protect(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { (**self).protect(address, len, protection) }
    }

    unsafe fn unmap(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { (**self).unmap(address, len) }
    }

    unsafe fn lock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { (**self).lock(address, len) }
    }

    unsafe fn unlock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { (**self).unlock(address, len) }
    }

    unsafe fn prefault(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { (**self).prefault(address, len) }
    }

    fn resident(&self, address: NonNull<u8>, len: usize) -> Result<usize, OsError> {
        (**self).resident(address, len)
    }

    unsafe fn touched(
        &self,
        address: NonNull<u8>,
        len: usize,
        found: &mut [Range<usize>],
    ) -> Result<Touched, OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { (**self).touched(address, len, found) }
    }

    fn probe(&self, address: usize) -> Result<bool, OsError> {
        (**self).probe(address)
    }

    fn limits(&self) -> ResourceLimits {
        (**self).limits()
    }

    fn call_counts(&self) -> Option<CallCounts> {
        (**self).call_counts()
    }
}
