//! The books of a fixed memory: three bitmaps, kept at the head of the memory itself.
//!
//! ```text
//!   start of the array                    first page                          end of the array
//!     | slack | in use | run starts | committed | slack | page 0 | page 1 | ... | slack |
//!               '------ one bit for each page ---'
//! ```
//!
//! Invariants: (1) the three maps are `3 * map_words` initialised words at `maps`, and the pages
//! are `pages * page_size` bytes at `first_page`; both lie inside the array, do not overlap, and
//! belong to this value alone, except for the pages of live runs, which belong to their callers;
//! (2) a page is in use exactly when it belongs to a live run; (3) a page's start bit is set exactly
//! when it is the first page of a live run; (4) a page that is committed is in use, and was filled
//! with zeros when it became so.

use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr::NonNull;
use core::slice;

use crate::{PageSize, Reason, bitmap};

#[derive(Debug)]
pub(super) struct Books {
    maps: NonNull<usize>,
    map_words: usize,
    first_page: NonNull<u8>,
    pages: usize,
    page_size: PageSize,
}

// SAFETY: invariant (1): the memory behind the pointers belongs to this value, not to a thread.
unsafe impl Send for Books {}

struct Maps<'a> {
    in_use: &'a mut [usize],
    starts: &'a mut [usize],
    committed: &'a mut [usize],
}

impl Books {
    /// Opens the books over an array, wasting only what alignment takes. Too small an array gives
    /// books over no pages.
    ///
    /// # Safety
    /// The `len` bytes at `start` are one allocated object (or part of one), belong to the new
    /// value alone for as long as it or a run of it is used, and may be written.
    pub(super) unsafe fn open(start: NonNull<u8>, len: usize, page_size: PageSize) -> Self {
        let Some(plan) = Plan::fitting(start.addr().get(), len, page_size) else {
            let maps = NonNull::dangling();
            return Self {
                maps,
                map_words: 0,
                first_page: start,
                pages: 0,
                page_size,
            };
        };
        // SAFETY: the plan's offsets are at most `len`.
        let maps = unsafe { start.add(plan.maps_offset) }.cast::<MaybeUninit<usize>>();
        // SAFETY: as above.
        let first_page = unsafe { start.add(plan.first_page_offset) };
        // SAFETY: the plan aligned the maps to a word and left room for three of them before the
        // first page; the caller gave the memory away.
        let words = unsafe { slice::from_raw_parts_mut(maps.as_ptr(), 3 * plan.map_words) };
        words.fill(MaybeUninit::new(0));
        let Plan {
            map_words, pages, ..
        } = plan;
        Self {
            maps: maps.cast(),
            map_words,
            first_page,
            pages,
            page_size,
        }
    }

    fn maps(&mut self) -> Maps<'_> {
        let words = 3 * self.map_words;
        // SAFETY: invariant (1); the borrow of `self` keeps other borrows of the maps away.
        let all = unsafe { slice::from_raw_parts_mut(self.maps.as_ptr(), words) };
        let (in_use, rest) = all.split_at_mut(self.map_words);
        let (starts, committed) = rest.split_at_mut(self.map_words);
        Maps {
            in_use,
            starts,
            committed,
        }
    }

    /// Pages that can be handed out, free or not.
    pub(super) const fn pages(&self) -> usize {
        self.pages
    }

    pub(super) fn free_pages(&mut self) -> usize {
        let pages = self.pages;
        pages - bitmap::count(self.maps().in_use, 0..pages)
    }

    pub(super) fn longest_free_run(&mut self) -> usize {
        let pages = self.pages;
        bitmap::clear_runs(self.maps().in_use, 0..pages)
            .map(|run| run.len())
            .max()
            .unwrap_or(0)
    }

    /// Hands out the first free run of `count` pages, nothing of it committed.
    ///
    /// Looks at each word of one bitmap, and at each hole before the run, once.
    pub(super) fn take_run(&mut self, count: usize) -> Result<Range<usize>, Reason> {
        let (pages, page_size) = (self.pages, self.page_size.get());
        let maps = self.maps();
        let mut longest = 0;
        let found = bitmap::clear_runs(maps.in_use, 0..pages).find(|hole| {
            longest = longest.max(hole.len());
            hole.len() >= count
        });
        let Some(hole) = found else {
            return Err(Reason::OutOfPages {
                longest_free: longest * page_size,
            });
        };
        let run = hole.start..hole.start + count;
        bitmap::set(maps.in_use, run.clone());
        bitmap::set(maps.starts, run.start..run.start + 1);
        Ok(run)
    }

    /// Takes back exactly one run.
    pub(super) fn return_run(&mut self, run: Range<usize>) -> Result<(), Reason> {
        if self.end_of_run(run.start) != Some(run.end) {
            return Err(Reason::NotARun);
        }
        let maps = self.maps();
        bitmap::clear(maps.in_use, run.clone());
        bitmap::clear(maps.starts, run.start..run.start + 1);
        bitmap::clear(maps.committed, run);
        Ok(())
    }

    /// One past the last page of the run that starts at a page; `None` if none starts there.
    fn end_of_run(&mut self, start: usize) -> Option<usize> {
        let pages = self.pages;
        let maps = self.maps();
        if start >= pages || !bitmap::is_set(maps.starts, start) {
            return None;
        }
        let unused = bitmap::first_clear(maps.in_use, start..pages).unwrap_or(pages);
        Some(bitmap::first_set(maps.starts, start + 1..unused).unwrap_or(unused))
    }

    /// The pages of a range of addresses, if they lie inside one live run.
    pub(super) fn pages_in_one_run(
        &mut self,
        address: NonNull<u8>,
        len: usize,
    ) -> Result<Range<usize>, Reason> {
        let range = self.page_range(address, len).ok_or(Reason::NotARun)?;
        let maps = self.maps();
        let all_in_use = bitmap::first_clear(maps.in_use, range.clone()).is_none();
        let crosses = bitmap::first_set(maps.starts, range.start + 1..range.end).is_some();
        if all_in_use && !crosses {
            Ok(range)
        } else {
            Err(Reason::NotARun)
        }
    }

    /// The pages of a range of addresses, if this memory has them. The range is whole pages.
    pub(super) fn page_range(&self, address: NonNull<u8>, len: usize) -> Option<Range<usize>> {
        let offset = address
            .addr()
            .get()
            .checked_sub(self.first_page.addr().get())?;
        let end = offset.checked_add(len)?;
        let page = self.page_size.get();
        let aligned = self.page_size.divides(offset) && self.page_size.divides(end);
        (aligned && end / page <= self.pages).then(|| offset / page..end / page)
    }

    /// The address of a page of this memory.
    pub(super) fn address_of(&self, page: usize) -> NonNull<u8> {
        debug_assert!(page < self.pages);
        // SAFETY: invariant (1), and the page is one of ours.
        unsafe { self.first_page.add(page * self.page_size.get()) }
    }

    /// Marks pages committed; the caller has filled them with zeros or is about to, before anybody
    /// else learns of them.
    pub(super) fn mark_committed(&mut self, range: Range<usize>) {
        bitmap::set(self.maps().committed, range);
    }

    pub(super) fn mark_decommitted(&mut self, range: Range<usize>) {
        bitmap::clear(self.maps().committed, range);
    }

    pub(super) fn committed_pages(&mut self, range: Range<usize>) -> usize {
        bitmap::count(self.maps().committed, range)
    }

    /// Commits the first page of the range that is not committed; `None` if all are.
    ///
    /// # Safety
    /// The range lies inside one live run.
    pub(super) unsafe fn commit_next(&mut self, range: Range<usize>) -> Option<usize> {
        let page = bitmap::first_clear(self.maps().committed, range)?;
        let bytes = self.page_size.get();
        // SAFETY: the page is one of ours, and nobody may use it before it is committed.
        unsafe { self.address_of(page).write_bytes(0, bytes) };
        self.mark_committed(page..page + 1);
        Some(page)
    }
}

/// Where the parts go, as offsets from the start of the array.
struct Plan {
    maps_offset: usize,
    map_words: usize,
    first_page_offset: usize,
    pages: usize,
}

impl Plan {
    /// `None` if not even one page fits.
    fn fitting(start: usize, len: usize, page_size: PageSize) -> Option<Self> {
        let end = start.checked_add(len)?;
        let maps = start.checked_next_multiple_of(align_of::<usize>())?;
        let pages_from = |address: usize| {
            let first = page_size.round_up(address)?;
            let bytes = page_size.round_down(end).checked_sub(first)?;
            Some((first, bytes / page_size.get()))
        };
        // Maps for as many pages as would fit without maps are never too small.
        let (_, at_most) = pages_from(maps)?;
        let map_words = bitmap::words_for(at_most);
        let maps_end = maps.checked_add(map_words.checked_mul(3 * size_of::<usize>())?)?;
        let (first_page, pages) = pages_from(maps_end)?;
        (pages > 0).then(|| Self {
            maps_offset: maps - start,
            map_words,
            first_page_offset: first_page - start,
            pages,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_keeps_its_parts_apart_and_inside_whatever_the_alignment() {
        for page in [16, 4096, 65536] {
            let page_size = PageSize::new(page).unwrap();
            for start in [4096, 4097, 65535, 65536, 65544] {
                for len in (0..40 * page).step_by(page / 2 + 1) {
                    let Some(plan) = Plan::fitting(start, len, page_size) else {
                        assert!(len <= 3 * page, "{len} bytes are enough for a page");
                        continue;
                    };
                    assert!(plan.pages > 0);
                    let maps_end = plan.maps_offset + 3 * plan.map_words * size_of::<usize>();
                    assert_eq!((start + plan.maps_offset) % align_of::<usize>(), 0);
                    assert!(plan.map_words * bitmap::WORD_BITS >= plan.pages);
                    assert!(maps_end <= plan.first_page_offset);
                    assert_eq!((start + plan.first_page_offset) % page, 0);
                    assert!(plan.first_page_offset + plan.pages * page <= len);
                }
            }
        }
    }

    #[test]
    fn an_array_that_is_too_small_has_no_pages() {
        let page_size = PageSize::new(4096).unwrap();
        let pages = |start, len| Plan::fitting(start, len, page_size).map(|plan| plan.pages);
        assert_eq!(pages(4096, 4096), None);
        assert_eq!(pages(4096, 8191), None);
        assert_eq!(pages(4096, 8192), Some(1));
        assert_eq!(pages(usize::MAX - 100, 200), None);
    }
}
