//! Pages of which only a learnt window is accessible: what lies behind it cannot have been written.

mod faults;
mod table;

use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use crate::{CallCounts, Facts, OsError, PageSource, Protection, ResourceLimits, Touched};
use table::{Slot, Table};

static TABLE: Table = Table::new();

/// Lives that are watched before a memory is closed behind what they touched.
const WATCHED: u32 = 4;

/// Lives after a fault before it is closed again: one guest in so many pays for it.
const CALM: u32 = 64;

/// Closing less is not worth a call.
const LEAST_CLOSED: usize = 32 * 1024;

/// A page source that answers [`touched`](PageSource::touched) without a call where it can: it
/// closes those pages of a memory that its users never touch, and opens them when somebody does.
///
/// A runtime that makes memories of one kind again and again asks at the end of each life which pages
/// were written. After four lives in which nobody went beyond the first few pages, everything behind
/// them is made inaccessible. From then on the answer is known: what is closed was not
/// written. A guest that goes further faults once, and a signal handler opens up to there and as
/// much again; after 64 calm lives the window is narrowed again.
///
/// **An opt-in, because of one thing it cannot do:** a *system call* that is given the address of a
/// closed page fails with `EFAULT`; only accesses by instructions fault and are handled. Use it where the
/// host copies between its own buffers and guests' memory, and never passes addresses inside guests'
/// memory to `read`, `recv` and the like. It is no matter of memory safety: nothing is read or written
/// that should not be.
///
/// Nothing is closed before [`handle_faults`](Self::handle_faults) was called, which must be done
/// after the runtime installed handlers of its own.
///
/// At most 1024 memories have a window at a time; others are asked about. A memory that grows, is
/// locked, prefaulted or protected is opened first, at the price of one call. Opening is a call of the
/// handler's own, which [`Counted`](crate::Counted) does not see: not for arenas that are sealed.
///
/// ```
/// use os::{OsPages, PageSource, WindowedPages};
///
/// let pages = WindowedPages::new(OsPages::new());
/// assert!(pages.facts().touched_is_quick);
/// WindowedPages::handle_faults()?;
/// # Ok::<(), os::OsError>(())
/// ```
#[derive(Debug, Default)]
pub struct WindowedPages<P> {
    inner: P,
}

impl<P> WindowedPages<P> {
    /// Windows over the pages of `inner`, which must be the operating system's own.
    pub const fn new(inner: P) -> Self {
        Self { inner }
    }

    /// The source that does the work.
    pub const fn inner(&self) -> &P {
        &self.inner
    }
}

impl WindowedPages<()> {
    /// Installs the handler of faults, in front of the one there is; from now on memories are closed.
    /// May be called again, and must be if another handler was installed since that does not pass
    /// on what is not its own. One or two system calls.
    ///
    /// The handler opens pages and returns; faults outside of closed pages go to the handler that was
    /// there before. It makes one system call and takes no lock.
    ///
    /// # Errors
    /// The platform refused.
    pub fn handle_faults() -> Result<(), OsError> {
        faults::handle()
    }
}

impl<P: PageSource> WindowedPages<P> {
    /// Opens what is closed in a range that is about to change in another way, and forgets it.
    fn open(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.open_but(address, len, None)
    }

    fn open_but(
        &self,
        address: NonNull<u8>,
        len: usize,
        kept: Option<&Slot>,
    ) -> Result<(), OsError> {
        let start = address.addr().get();
        let others = TABLE
            .concerned(start, start.saturating_add(len))
            .filter(|slot| kept.is_none_or(|kept| !core::ptr::eq(*slot, kept)));
        for slot in others {
            if let Some(bounds) = slot.bounds()
                && bounds.opened_to < bounds.end
            {
                let closed = bounds.end - bounds.opened_to;
                let distance = bounds.opened_to.wrapping_sub(start);
                let first = address.as_ptr().wrapping_byte_add(distance);
                if let Some(first) = NonNull::new(first) {
                    // SAFETY: whole pages of a memory that was readable and writable before it was
                    // closed, in the same run as the range, by the invariant of the table.
                    unsafe { self.inner.protect(first, closed, Protection::ReadWrite)? };
                }
            }
            slot.free();
        }
        Ok(())
    }

    /// What the kernel says of the range, and whether that is all; with the end of the last page
    /// touched, as an offset, and how many bytes were.
    ///
    /// # Safety
    /// As [`PageSource::touched`].
    unsafe fn ask(
        &self,
        address: NonNull<u8>,
        len: usize,
        found: &mut [Range<usize>],
    ) -> Result<(Touched, usize, usize), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        let answer = unsafe { self.inner.touched(address, len, found)? };
        let ranges = &found[..answer.ranges.min(found.len())];
        let furthest = ranges.last().map_or(0, |range| range.end);
        Ok((
            answer,
            furthest,
            ranges.iter().map(ExactSizeIterator::len).sum(),
        ))
    }

    /// Closes everything behind `furthest`, if enough lives went no further.
    ///
    /// # Safety
    /// As [`PageSource::touched`], for the pages from the address to `end`; those behind `furthest`
    /// were never written.
    unsafe fn consider_closing(
        &self,
        slot: &Slot,
        address: NonNull<u8>,
        furthest: usize,
        end: usize,
        patience: u32,
    ) {
        let start = address.addr().get();
        let before = slot.furthest.load(Ordering::Relaxed);
        let furthest = furthest.max(before);
        slot.furthest.store(furthest, Ordering::Relaxed);
        let lives = slot.lives.load(Ordering::Relaxed).saturating_add(1);
        slot.lives.store(lives, Ordering::Relaxed);
        if lives < patience || !faults::are_handled() || end - furthest < LEAST_CLOSED {
            return;
        }
        // The same memory had another size before: one slot is enough to find a page by.
        if self.open_but(address, end - start, Some(slot)).is_err() {
            return;
        }
        // SAFETY: inside the range asked about.
        let first = unsafe { address.byte_add(furthest - start) };
        // SAFETY: pages that nobody uses meanwhile, by the caller's promise.
        let closed = unsafe { self.inner.protect(first, end - furthest, Protection::None) };
        if closed.is_ok() {
            slot.note_closed(furthest);
            return;
        }
        // A part may be closed, a part not: neither may be relied on.
        // SAFETY: as above; that is what the pages were before.
        let reopened = unsafe {
            self.inner
                .protect(first, end - furthest, Protection::ReadWrite)
        };
        if reopened.is_ok() {
            slot.free();
        } else {
            slot.note_closed_in_part(furthest);
        }
    }
}

// SAFETY: every promise is the inner source's, with these differences. 2 and 3: closed pages are those of a
// memory that is readable and writable; an access faults, and succeeds after the handler opened
// them. Whoever changes them in another way finds them open (`open`). 4: pages that were opened although the
// operation behind it then failed differ for nobody. 6: pages not named are those the inner source
// does not name, or were closed since it did not name them and not opened by a fault.
unsafe impl<P: PageSource> PageSource for WindowedPages<P> {
    fn facts(&self) -> Facts {
        let facts = self.inner.facts();
        Facts {
            touched_is_quick: facts.can_tell_touched && facts.can_protect,
            ..facts
        }
    }

    fn reserve(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        self.inner.reserve(len)
    }

    fn map(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        self.inner.map(len)
    }

    unsafe fn commit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.open(address, len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.commit(address, len) }
    }

    unsafe fn decommit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.open(address, len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.decommit(address, len) }
    }

    unsafe fn discard(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        let start = address.addr().get();
        for slot in TABLE.concerned(start, start.saturating_add(len)) {
            slot.is_dense.store(false, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise, passed on unchanged; what is closed holds nothing.
        unsafe { self.inner.discard(address, len) }
    }

    unsafe fn protect(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError> {
        self.open(address, len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.protect(address, len, protection) }
    }

    unsafe fn unmap(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        // Opened first: if it cannot be unmapped, it must be as it was.
        self.open(address, len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.unmap(address, len) }
    }

    unsafe fn lock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.open(address, len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.lock(address, len) }
    }

    unsafe fn unlock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.unlock(address, len) }
    }

    unsafe fn prefault(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.open(address, len)?;
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.inner.prefault(address, len) }
    }

    fn resident(&self, address: NonNull<u8>, len: usize) -> Result<usize, OsError> {
        self.inner.resident(address, len)
    }

    /// No call where what is accessible is known to be touched, and the rest is closed.
    unsafe fn touched(
        &self,
        address: NonNull<u8>,
        len: usize,
        found: &mut [Range<usize>],
    ) -> Result<Touched, OsError> {
        let start = address.addr().get();
        let slot = start.checked_add(len).and_then(|end| {
            let slot = TABLE.of(end)?;
            Some((slot, end))
        });
        let Some((slot, end)) = slot else {
            // SAFETY: the caller's promise, passed on unchanged.
            return unsafe { self.inner.touched(address, len, found) };
        };
        let bounds = slot
            .bounds()
            .filter(|bounds| bounds.opened_to > start && slot.is_certain());
        let (accessible, patience) = match bounds {
            Some(bounds) => (bounds.opened_to.min(end) - start, CALM),
            None => (len, WATCHED),
        };
        if bounds.is_some()
            && slot.is_dense.load(Ordering::Relaxed)
            && let Some(all) = found.first_mut()
        {
            *all = 0..accessible;
            return Ok(Touched {
                ranges: 1,
                searched: len,
            });
        }
        // SAFETY: the caller's promise, for less.
        let (answer, furthest, bytes) = unsafe { self.ask(address, accessible, found)? };
        if answer.searched < accessible {
            return Ok(answer);
        }
        // SAFETY: the caller's promise; what is not named was never written, or is closed.
        unsafe { self.consider_closing(slot, address, start + furthest, end, patience) };
        let is_dense = bytes >= accessible / 2;
        slot.is_dense.store(is_dense, Ordering::Relaxed);
        Ok(Touched {
            searched: len,
            ..answer
        })
    }

    fn probe(&self, address: usize) -> Result<bool, OsError> {
        match TABLE.at(address) {
            // It can be read, because then it opens.
            Some(_) => Ok(true),
            None => self.inner.probe(address),
        }
    }

    fn limits(&self) -> ResourceLimits {
        self.inner.limits()
    }

    fn call_counts(&self) -> Option<CallCounts> {
        self.inner.call_counts()
    }
}
