//! A shard's share of the address space: arenas are committed in it, and decommitted.
//!
//! ```text
//!   start
//!     |map|  arena  |      arena      |..........|  arena  |.................|
//!      a bit for each host page: in use             reserved, no access
//! ```
//!
//! The first run of pages that is long enough is taken. Finding it looks at one bit for each host page
//! of the share at most, a word at a time.
//!
//! Invariants: (1) once opened, `pages` pages from `start` on are this share's alone, part of one
//! reservation, and the map, at their head, is committed; (2) a page whose bit is clear is
//! inaccessible or was never used; (3) below `lowest` no bit is clear.

use core::cell::RefCell;
use core::ops::Range;
use core::ptr::NonNull;
use core::slice;

use os::{OsCall, OsError, PageSize, PageSource, Reason, bitmap};

use super::space::Space;
use crate::heap::ArenaSource;
use crate::layout::WORD;
use crate::{Corruption, Damage};

/// The books of a share.
#[derive(Debug)]
pub(super) struct Share {
    /// `None` until it is opened.
    start: Option<NonNull<u8>>,
    /// Pages of the share, the map's included, and those of the map.
    pages: usize,
    map_pages: usize,
    lowest: usize,
    /// Pages that can neither be given back nor used again.
    lost_pages: usize,
    /// How often that happened.
    pub(super) losses: usize,
}

// SAFETY: invariant (1): the memory behind the pointer belongs to this value, not to a thread.
unsafe impl Send for Share {}

impl Share {
    pub(super) const fn new() -> Self {
        Self {
            start: None,
            pages: 0,
            map_pages: 0,
            lowest: 0,
            lost_pages: 0,
            losses: 0,
        }
    }

    /// The map of pages in use; empty until the share is opened.
    fn map(&mut self) -> &mut [usize] {
        let Some(start) = self.start else {
            return &mut [];
        };
        let words = bitmap::words_for(self.pages);
        // SAFETY: invariant (1): so many words were committed at the head of the share, and read as
        // zero before they were written; the borrow of `self` keeps others away.
        unsafe { slice::from_raw_parts_mut(start.cast().as_ptr(), words) }
    }

    /// The first run of so many pages that are not in use, in use from now on; on failure the length
    /// of the longest one.
    fn take(&mut self, count: usize) -> Result<Range<usize>, usize> {
        let (lowest, pages) = (self.lowest, self.pages);
        let map = self.map();
        let mut longest = 0;
        let hole = bitmap::clear_runs(map, lowest..pages).find(|hole| {
            longest = longest.max(hole.len());
            hole.len() >= count
        });
        let start = hole.ok_or(longest)?.start;
        let run = start..start + count;
        bitmap::set(map, run.clone());
        if start == lowest {
            let next = bitmap::first_clear(map, lowest..pages);
            self.lowest = next.unwrap_or(pages);
        }
        Ok(run)
    }

    fn give_back(&mut self, run: Range<usize>) {
        self.lowest = self.lowest.min(run.start);
        bitmap::clear(self.map(), run);
    }

    /// Compares the map with what the shard's arenas have.
    pub(super) fn verify(&mut self, arena_pages: usize) -> Result<(), Corruption> {
        let pages = self.pages;
        let lowest = self.lowest;
        let counted = bitmap::count(self.map(), 0..pages);
        let recorded = self.map_pages + arena_pages + self.lost_pages;
        let no_lower = bitmap::first_clear(self.map(), 0..lowest).is_none();
        if recorded == counted && no_lower {
            return Ok(());
        }
        let name = "pages in use";
        Err(Corruption {
            address: self.start.map_or(0, |start| start.addr().get()),
            damage: Damage::Counter {
                name,
                recorded,
                counted,
            },
        })
    }
}

/// A share as the source of its shard's arenas.
///
/// Whoever makes one holds the lock of the shard that `share` belongs to.
pub(super) struct SharePages<'a, P: PageSource> {
    pub(super) source: &'a P,
    pub(super) space: &'a Space,
    pub(super) shard: usize,
    pub(super) share: &'a RefCell<Share>,
}

impl<P: PageSource> SharePages<'_, P> {
    /// Finds out where the share is, and commits its map. Two system calls at most, once.
    #[cold]
    fn open(&self, share: &mut Share) -> Result<(), OsError> {
        let part = self.space.share(self.shard, self.source)?;
        let page = self.page_size().get();
        let pages = part.bytes / page;
        let map_pages = (bitmap::words_for(pages) * WORD).div_ceil(page);
        if map_pages >= pages {
            return Err(out_of_pages(part.bytes, 0));
        }
        // SAFETY: the head of a share nobody else knows of, inside the one reservation.
        unsafe { self.source.commit(part.base, map_pages * page) }?;
        share.start = Some(part.base);
        share.pages = pages;
        share.map_pages = map_pages;
        share.lowest = map_pages;
        bitmap::set(share.map(), 0..map_pages);
        Ok(())
    }
}

// SAFETY: promise by promise: (1) the map gives each page of the share to one run at a time, and the
// page source makes it accessible and zero; (2) a run that could not be decommitted is accessible,
// and its contents are what they were, or it counts as taken back; (3) the page source's fifth
// promise.
unsafe impl<P: PageSource> ArenaSource for SharePages<'_, P> {
    fn page_size(&self) -> PageSize {
        self.source.facts().page_size
    }

    /// One system call, three the first time.
    fn map(&self, length: usize) -> Result<NonNull<u8>, OsError> {
        let mut share = self.share.borrow_mut();
        let start = match share.start {
            Some(start) => start,
            None => {
                self.open(&mut share)?;
                share.start.ok_or_else(|| out_of_pages(length, 0))?
            }
        };
        let page = self.page_size().get();
        let run = share
            .take(length / page)
            .map_err(|longest| out_of_pages(length, longest * page))?;
        // SAFETY: a page of the share.
        let base = unsafe { start.add(run.start * page) };
        // SAFETY: inside the one reservation, and nobody else's: its bits were clear.
        let committed = unsafe { self.source.commit(base, length) };
        if let Err(refused) = committed {
            share.give_back(run);
            return Err(refused);
        }
        Ok(base)
    }

    /// Two system calls at most, three if it is refused.
    unsafe fn unmap(&self, base: NonNull<u8>, length: usize) -> Result<(), OsError> {
        let mut share = self.share.borrow_mut();
        let page = self.page_size().get();
        let offset = share.start.map_or(0, |start| {
            base.addr().get().wrapping_sub(start.addr().get())
        });
        let run = offset / page..(offset + length) / page;
        // SAFETY: the caller's promise: a run of this share, not used again.
        let Err(refused) = (unsafe { self.source.decommit(base, length) }) else {
            share.give_back(run);
            return Ok(());
        };
        // A part of it may be inaccessible now.
        // SAFETY: as above.
        if unsafe { self.source.commit(base, length) }.is_ok() {
            return Err(refused);
        }
        share.lost_pages += run.len();
        share.losses += 1;
        Ok(())
    }
}

fn out_of_pages(length: usize, longest_free: usize) -> OsError {
    OsError {
        call: OsCall::Map,
        address: 0,
        len: length,
        reason: Reason::OutOfPages { longest_free },
    }
}
