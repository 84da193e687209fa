//! Which pages of a region were touched: the question, and what is believed of the answer.

use core::ops::Range;
use core::ptr::NonNull;

use os::{OsCall, PageSource, Reason};

use super::{Arenas, HeldRegion};
use crate::{ArenaSystem, SystemFacts};

/// Ranges asked for at a time.
const RANGES_PER_CALL: usize = 32;

/// Up to so many bytes a copy costs less than the question what is worth copying.
const COPY_LIMIT: usize = 128 * 1024;

/// What of ranges in ascending order was not named before: pages at a seam are named twice.
#[derive(Debug)]
pub(super) struct Unseen {
    from: usize,
}

impl Unseen {
    /// Nothing before `from` is of interest.
    pub(super) const fn from(from: usize) -> Self {
        Self { from }
    }

    /// The part of a range behind everything before it; may be empty.
    pub(super) fn of(&mut self, range: Range<usize>) -> Range<usize> {
        let start = range.start.max(self.from);
        self.from = self.from.max(range.end);
        start..range.end.max(start)
    }
}

impl<S: ArenaSystem> Arenas<S> {
    /// Whether the system, of which these are the facts, can tell, and may be asked now.
    pub(super) fn can_ask(&self, facts: &SystemFacts) -> bool {
        facts.pages.can_tell_touched && self.may_ask() && self.permit(OsCall::Touched).is_ok()
    }

    /// Names the touched pages of a range from the offset `of_interest` on to `visit`, in ascending
    /// order and each once; ranges are offsets from `base`, whole pages. A page there that is not
    /// named reads as zero.
    ///
    /// Says whether the answer is complete: if not, nothing may be assumed. An answer is believed
    /// because it names the first page, which was just written to.
    ///
    /// # Safety
    /// `bytes` are whole accessible pages of one region of these arenas, whose base is `base`, and
    /// nobody else uses them; the first was just written to.
    pub(super) unsafe fn each_touched(
        &self,
        base: NonNull<u8>,
        bytes: Range<usize>,
        page: usize,
        of_interest: usize,
        mut visit: impl FnMut(Range<usize>),
    ) -> bool {
        let Range { start: mut at, end } = bytes;
        let mut unseen = Unseen::from(of_interest);
        let mut found = [const { 0..0 }; RANGES_PER_CALL];
        loop {
            // SAFETY: below the end, so inside the region, by the caller's promise.
            let address = unsafe { base.byte_add(at) };
            // SAFETY: the caller's promise, for what is left of the range.
            let asked = unsafe { self.system.source().touched(address, end - at, &mut found) };
            let answer = match asked {
                Ok(answer) => answer,
                Err(error) => {
                    if error.reason == Reason::Unsupported {
                        self.stop_asking();
                    }
                    return false;
                }
            };
            for range in &found[..answer.ranges] {
                visit(unseen.of(at + range.start..at + range.end));
            }
            if answer.searched >= end - at {
                return true;
            }
            // The buffer was full: on from the last page it named, which was written for certain.
            match found[..answer.ranges].last() {
                Some(last) if last.end > page => at += last.end - page,
                _ => return false,
            }
        }
    }

    /// Copies the first `len` bytes of data of one region into another, whose data is zero; returns
    /// how many bytes were copied. What was never touched is not: it is zero on both sides.
    ///
    /// The old data is readable and writable, the new writable; `len` is at most what either makes
    /// accessible. One call where much is copied and the system can tell.
    ///
    /// # Safety
    /// The first `len` bytes of both regions are accessible, readable in the old one and writable in
    /// the new one, and nobody else uses them. Where `may_write`, the old ones are writable, too.
    pub(crate) unsafe fn copy_data(
        &self,
        from: &HeldRegion,
        to: &HeldRegion,
        len: usize,
        may_write: bool,
    ) -> usize {
        let facts = self.system.facts();
        let page = facts.pages.page_size;
        let end = page.round_up(len).unwrap_or(len);
        if len <= COPY_LIMIT || !may_write || !self.can_ask(&facts) {
            // SAFETY: the caller's promise.
            unsafe { copy(from, to, 0..len) };
            return len;
        }
        let base = from.region().base();
        // SAFETY: the first byte of data, readable and nobody else's, by the caller's promise.
        let first = unsafe { base.read() };
        // Written back, so that the page is one that was written for certain.
        // SAFETY: as above, and writable.
        unsafe { base.write_volatile(first) };
        let mut copied = 0;
        let visit = |touched: Range<usize>| {
            let data = touched.start.min(len)..touched.end.min(len);
            copied += data.len();
            // SAFETY: the caller's promise; no more than `len` bytes.
            unsafe { copy(from, to, data) };
        };
        // SAFETY: what is accessible is whole pages, so this is inside; the first was written above.
        let is_complete = unsafe { self.each_touched(base, 0..end, page.get(), 0, visit) };
        if is_complete {
            copied
        } else {
            // SAFETY: the caller's promise.
            unsafe { copy(from, to, 0..len) };
            len
        }
    }
}

/// Copies data of one region to the same place in another.
///
/// # Safety
/// The bytes are accessible in both, readable in the old one and writable in the new one, and nobody
/// else uses them.
unsafe fn copy(from: &HeldRegion, to: &HeldRegion, bytes: Range<usize>) {
    if bytes.is_empty() {
        return;
    }
    // SAFETY: accessible bytes, by the caller's promise.
    let source = unsafe { from.region().address(bytes.start) };
    // SAFETY: as above.
    let target = unsafe { to.region().address(bytes.start) };
    // SAFETY: the caller's promise; two live regions never overlap (invariant 1 of `Region`).
    unsafe { target.copy_from_nonoverlapping(source, bytes.len()) };
}
