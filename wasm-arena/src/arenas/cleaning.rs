//! Zeroing the data of a region before it is used again.
//!
//! ```text
//!   up to 128 KiB ────────────────────────────▶ fill                            no call
//!   larger, pages can be asked about ──┬──────▶ fill all      nearly all touched no call
//!                                      ├──────▶ fill the usual prefix, give back the rest unseen,
//!                                      │        for nobody goes further              1 call
//!                                      └──────▶ fill the usual prefix, ask, look into what else
//!                                               was touched and fill what was written,
//!                                               give back what is not worth keeping   1 to 2 calls
//!   larger, they cannot ──┬───────────────────▶ discard       if that is cheap        1 call
//!                         └───────────────────▶ fill                            no call
//! ```
//!
//! Whatever way is taken, afterwards everything that could have been written is zero: filled with
//! zeros, given back, or known by the operating system never to have been touched. What is learnt
//! ([`habits`](super::habits)) chooses the way and nothing else.

use core::ops::Range;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};

use os::{OsCall, PageSource};

use super::cache::Shape;
use super::habits::{Advice, Findings, Habits, PAGES_PER_CALL, Rest};
use super::{Arenas, HeldRegion};
use crate::{ArenaSystem, SystemFacts};

/// Up to so many bytes, zeroing by hand is cheaper than asking the operating system: one page fault
/// costs more than filling 64 KiB.
pub(crate) const FILL_LIMIT: usize = 128 * 1024;

impl<S: ArenaSystem> Arenas<S> {
    /// Zeroes the first `dirty` bytes of data; nobody may use them meanwhile. Never fails: filling
    /// always works.
    pub(crate) fn clean(&self, held: &mut HeldRegion, dirty: usize) {
        let dirty = dirty.min(held.region().accessible());
        held.note_dirty(dirty);
        let facts = self.system.facts();
        let (fill_limit, cost_of_asking) = if facts.pages.touched_is_quick {
            (facts.pages.page_size.get(), 0)
        } else {
            (FILL_LIMIT, PAGES_PER_CALL)
        };
        if dirty > fill_limit {
            self.clean_large(held, dirty, &facts, cost_of_asking);
        } else {
            fill(held, 0..dirty);
        }
    }

    fn clean_large(
        &self,
        held: &mut HeldRegion,
        dirty: usize,
        facts: &SystemFacts,
        cost_of_asking: usize,
    ) {
        let page = facts.pages.page_size;
        // What is accessible is whole pages, so this stays inside. What lies between the data and
        // the end of its page was never data.
        let end = page.round_up(dirty).unwrap_or(dirty);
        let replaceable = facts.regions_are_runs && !held.is_locked();
        if replaceable && self.can_ask(facts) {
            let shape = Shape {
                layout: *held.region().layout(),
                locked: held.is_locked(),
            };
            let pages = end / page.get();
            let mut state = self.state.lock();
            let may_give_back = facts.pages.discards_cheaply && !facts.pages.touched_is_quick;
            let advice =
                (state.habits).advise(shape.bucket(), pages, cost_of_asking, may_give_back);
            drop(state);
            if self.clean_touched(held, page.get(), end, &advice) {
                return;
            }
        }
        let discards = replaceable && facts.pages.discards_cheaply && dirty > FILL_LIMIT;
        if !(discards && self.give_back_pages(held, 0..end)) {
            fill(held, 0..dirty);
        }
    }

    /// Zeroes what was touched before `end`, a multiple of the host page. Says whether that is
    /// done: if not, nothing may be assumed.
    fn clean_touched(
        &self,
        held: &mut HeldRegion,
        page: usize,
        end: usize,
        advice: &Advice,
    ) -> bool {
        if advice.rest == Rest::Fill {
            fill(held, 0..end);
            return true;
        }
        // An answer is believed because it names a page that was written for certain: the last one
        // of the prefix.
        let filled = advice.prefix.saturating_mul(page).clamp(page, end);
        fill(held, 0..filled);
        if advice.rest == Rest::GiveBack && self.give_back_alone(held, filled..end) {
            return true;
        }
        let mut sweep = Sweep::new(page, filled, end, advice.keep);
        let base = held.region().base();
        let look_into = |touched: Range<usize>| {
            sweep.pass(&touched);
            for offset in touched.step_by(page) {
                if !is_zero(held, offset, page) && sweep.note_written(offset) {
                    fill(held, offset..offset + page);
                }
            }
        };
        // SAFETY: whole accessible pages of our own region, held mutably; the first was just filled.
        if !unsafe { self.each_touched(base, filled - page..end, page, filled, look_into) } {
            return false;
        }
        if sweep.surplus_from < end && !self.give_back_pages(held, sweep.surplus_from..end) {
            fill(held, sweep.surplus_from..end);
        }
        if Habits::is_news(advice, &sweep.findings) {
            self.state.lock().habits.learn(advice, &sweep.findings);
        }
        true
    }

    /// [`give_back_pages`](Self::give_back_pages), unless another thread is at it: where two threads
    /// give back at once, Linux makes all processors forget their page tables, although there is
    /// nothing to forget. Says whether it is done.
    fn give_back_alone(&self, held: &mut HeldRegion, pages: Range<usize>) -> bool {
        /// A matter of the process, whatever arenas a thread works for.
        static IS_GIVING_BACK: AtomicBool = AtomicBool::new(false);
        if IS_GIVING_BACK.swap(true, Ordering::Relaxed) {
            return false;
        }
        let done = pages.is_empty() || self.give_back_pages(held, pages);
        IS_GIVING_BACK.store(false, Ordering::Relaxed);
        done
    }

    /// Drops the contents of whole accessible pages; they are zero afterwards, and out of memory.
    /// Says whether that was possible.
    fn give_back_pages(&self, held: &mut HeldRegion, pages: Range<usize>) -> bool {
        if self.permit(OsCall::Discard).is_err() {
            return false;
        }
        // SAFETY: callers name accessible bytes.
        let address = unsafe { held.region().address(pages.start) };
        // SAFETY: accessible, writable data of our own region, whose contents nobody needs.
        let discarded = unsafe { self.system.source().discard(address, pages.len()) }.is_ok();
        if discarded {
            held.note_given_back(pages);
        }
        discarded
    }
}

/// A walk over touched ranges in ascending order: what is to be kept and what given back.
#[derive(Debug)]
struct Sweep {
    page: usize,
    /// Pages worth keeping, beyond those met.
    keep: usize,
    /// From here on touched pages are not worth keeping.
    surplus_from: usize,
    findings: Findings,
}

impl Sweep {
    /// The first `filled` bytes are filled already.
    const fn new(page: usize, filled: usize, end: usize, keep: usize) -> Self {
        let pages = filled / page;
        Self {
            page,
            keep: keep.saturating_sub(pages),
            surplus_from: end,
            findings: Findings {
                written: pages,
                prefix: pages,
            },
        }
    }

    /// Takes note of a touched range behind all those before it.
    fn pass(&mut self, touched: &Range<usize>) {
        let pages = touched.len() / self.page;
        if pages > self.keep {
            self.surplus_from = (self.surplus_from).min(touched.start + self.keep * self.page);
        }
        self.keep = self.keep.saturating_sub(pages);
    }

    /// Takes note of a page that held something. Says whether it is kept, and so to be filled.
    fn note_written(&mut self, offset: usize) -> bool {
        if offset == self.findings.prefix * self.page {
            self.findings.prefix += 1;
        }
        self.findings.written += 1;
        offset < self.surplus_from
    }
}

/// Fills accessible data with zeros.
fn fill(held: &mut HeldRegion, bytes: Range<usize>) {
    if bytes.is_empty() {
        // A masked store of nothing to a page that is not in memory takes longer than all the rest.
        return;
    }
    // SAFETY: callers name accessible bytes.
    let address = unsafe { held.region().address(bytes.start) };
    // SAFETY: accessible, writable data of our own region, held mutably: nobody else uses it.
    unsafe { address.write_bytes(0, bytes.len()) };
}

/// Whether a touched page holds nothing but zeros.
fn is_zero(held: &mut HeldRegion, offset: usize, page: usize) -> bool {
    // SAFETY: callers name accessible bytes.
    let address = unsafe { held.region().address(offset) };
    // SAFETY: accessible data of our own region, held mutably, so that nobody writes to it;
    // pages are initialised, by the operating system or by a guest, and aligned.
    let words = unsafe {
        slice::from_raw_parts(address.cast::<usize>().as_ptr(), page / size_of::<usize>())
    };
    // What guests write is mostly found at once.
    words
        .chunks(64)
        .all(|words| words.iter().fold(0, |bits, word| bits | word) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arenas::touched::Unseen;

    const PAGE: usize = 4096;

    fn pages(range: Range<usize>) -> Range<usize> {
        range.start * PAGE..range.end * PAGE
    }

    #[test]
    fn everything_touched_is_either_kept_and_zeroed_or_given_back() {
        let touched = [0..1, 1..3, 5..6, 6..9, 20..40, 39..41, 63..64];
        for keep in [1, 2, 3, 4, 7, 8, 30, 100, usize::MAX] {
            for filled in [1, 2, 6, 30, 64] {
                let mut sweep = Sweep::new(PAGE, filled * PAGE, 64 * PAGE, keep);
                let mut unseen = Unseen::from(filled * PAGE);
                let mut zero = [false; 64];
                zero[..filled].fill(true);
                for range in touched.clone() {
                    let fresh = unseen.of(pages(range));
                    sweep.pass(&fresh);
                    for offset in fresh.step_by(PAGE) {
                        zero[offset / PAGE] |= sweep.note_written(offset);
                    }
                }
                zero[sweep.surplus_from / PAGE..].fill(true);
                for range in touched.clone() {
                    assert!(
                        zero[range.clone()].iter().all(|zero| *zero),
                        "{keep} {filled} {range:?}"
                    );
                }
                let all: usize = (0..64)
                    .filter(|page| {
                        *page < filled || touched.iter().any(|range| range.contains(page))
                    })
                    .count();
                assert_eq!(sweep.findings.written, all);
                let kept: usize = (0..sweep.surplus_from / PAGE)
                    .filter(|page| zero[*page])
                    .count();
                assert!(kept <= keep.max(filled), "{keep} {filled} {kept}");
            }
        }
    }

    #[test]
    fn the_prefix_ends_at_the_first_gap() {
        let mut sweep = Sweep::new(PAGE, PAGE, 64 * PAGE, 100);
        let mut unseen = Unseen::from(PAGE);
        for range in [0..2, 2..4, 6..9] {
            let fresh = unseen.of(pages(range));
            sweep.pass(&fresh);
            for offset in fresh.step_by(PAGE) {
                sweep.note_written(offset);
            }
        }
        assert_eq!(sweep.findings.prefix, 4);
        assert_eq!(sweep.findings.written, 7);
    }
}
