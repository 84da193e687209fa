//! A page source that watches its users: refuses on demand, keeps books of runs and locked pages,
//! and complains about what breaks the contract of `PageSource`.

use core::ops::Range;
use core::ptr::NonNull;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use conformance::Observer;
use os::{CallCounts, Facts, FailAt, OsError, PageSource, Protection, ResourceLimits, Touched};

/// A page source under watch.
#[derive(Debug)]
pub(crate) struct Bench<P> {
    pages: FailAt<P>,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// Start and length of every live run.
    runs: BTreeMap<usize, usize>,
    /// Addresses of locked pages.
    locked: BTreeSet<usize>,
    complaints: Vec<&'static str>,
    refusals_before: usize,
}

impl<P: PageSource> Bench<P> {
    pub(crate) const fn new(pages: P) -> Self {
        Self {
            pages: FailAt::new(pages),
            books: Mutex::new(Books {
                runs: BTreeMap::new(),
                locked: BTreeSet::new(),
                complaints: Vec::new(),
                refusals_before: 0,
            }),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page_size(&self) -> usize {
        self.pages.facts().page_size.get()
    }

    /// Complains unless the range lies inside one live run.
    fn expect_in_a_run(&self, address: NonNull<u8>, len: usize, complaint: &'static str) {
        let address = address.addr().get();
        let mut books = self.books();
        let run = books.runs.range(..=address).next_back();
        let inside = run.is_some_and(|(start, run_len)| {
            let end = address.checked_add(len);
            end.is_some_and(|end| end <= start + run_len)
        });
        if !inside {
            books.complaints.push(complaint);
        }
    }

    fn pages_of(&self, address: usize, len: usize) -> impl Iterator<Item = usize> + use<P> {
        (address..address + len).step_by(self.page_size())
    }
}

// SAFETY: every promise is the inner source's; books are kept beside it and change nothing.
unsafe impl<P: PageSource> PageSource for Bench<P> {
    fn facts(&self) -> Facts {
        self.pages.facts()
    }

    fn reserve(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        let run = self.pages.reserve(len)?;
        self.books().runs.insert(run.addr().get(), len);
        Ok(run)
    }

    fn map(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        let run = self.pages.map(len)?;
        self.books().runs.insert(run.addr().get(), len);
        Ok(run)
    }

    unsafe fn commit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.expect_in_a_run(address, len, "a commit is not inside a live run");
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.pages.commit(address, len) }
    }

    unsafe fn decommit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.expect_in_a_run(address, len, "a decommit is not inside a live run");
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.pages.decommit(address, len) }
    }

    unsafe fn discard(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.expect_in_a_run(address, len, "a discard is not inside a live run");
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.pages.discard(address, len) }
    }

    unsafe fn protect(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError> {
        self.expect_in_a_run(address, len, "a protection is not inside a live run");
        // SAFETY: the caller's promise, passed on unchanged.
        let changed = unsafe { self.pages.protect(address, len, protection) };
        let page = self.page_size();
        let divisible = len > page && self.pages.facts().can_protect;
        if changed.is_err() && divisible {
            // What is refused may have been done in part (promise 4): here the first page.
            // SAFETY: a part of the caller's range, with the caller's promise.
            let _half_done = unsafe { self.pages.inner().protect(address, page, protection) };
        }
        changed
    }

    unsafe fn unmap(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        let start = address.addr().get();
        if self.books().runs.get(&start) != Some(&len) {
            self.books()
                .complaints
                .push("what is unmapped is not exactly a live run");
        }
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.pages.unmap(address, len) }?;
        let mut books = self.books();
        books.runs.remove(&start);
        // Unmapping unlocks.
        books
            .locked
            .retain(|page| !(start..start + len).contains(page));
        Ok(())
    }

    unsafe fn lock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.expect_in_a_run(address, len, "a lock is not inside a live run");
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.pages.lock(address, len) }?;
        self.books()
            .locked
            .extend(self.pages_of(address.addr().get(), len));
        Ok(())
    }

    unsafe fn unlock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.expect_in_a_run(address, len, "an unlock is not inside a live run");
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.pages.unlock(address, len) }?;
        let mut books = self.books();
        for page in self.pages_of(address.addr().get(), len) {
            if !books.locked.remove(&page) {
                books
                    .complaints
                    .push("a page is unlocked that is not locked");
            }
        }
        Ok(())
    }

    unsafe fn prefault(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.expect_in_a_run(address, len, "a prefault is not inside a live run");
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.pages.prefault(address, len) }
    }

    fn resident(&self, address: NonNull<u8>, len: usize) -> Result<usize, OsError> {
        self.pages.resident(address, len)
    }

    unsafe fn touched(
        &self,
        address: NonNull<u8>,
        len: usize,
        found: &mut [Range<usize>],
    ) -> Result<Touched, OsError> {
        self.expect_in_a_run(address, len, "a search is not inside a live run");
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.pages.touched(address, len, found) }
    }

    fn probe(&self, address: usize) -> Result<bool, OsError> {
        self.pages.probe(address)
    }

    fn limits(&self) -> ResourceLimits {
        self.pages.limits()
    }

    fn call_counts(&self) -> Option<CallCounts> {
        self.pages.call_counts()
    }
}

impl<P: PageSource> Observer for Bench<P> {
    fn calls(&self) -> usize {
        self.pages.calls_seen()
    }

    fn refuse_nth(&self, n: usize) {
        self.pages.fail_nth(n);
        self.books().refusals_before = self.pages.injected();
    }

    fn refusals(&self) -> usize {
        self.pages.injected() - self.books().refusals_before
    }

    fn held_bytes(&self) -> usize {
        self.pages.live_bytes()
    }

    fn locked_bytes(&self) -> usize {
        self.books().locked.len() * self.page_size()
    }

    fn complaints(&self) -> usize {
        self.books().complaints.len()
    }

    fn complaint(&self, index: usize) -> &'static str {
        self.books()
            .complaints
            .get(index)
            .copied()
            .unwrap_or("no such complaint")
    }

    fn protection(&self, address: usize) -> Option<Protection> {
        if self.pages.facts().can_protect {
            protection_of(address)
        } else {
            None
        }
    }
}

/// What the kernel says of the page, as far as it says something (Linux).
fn protection_of(address: usize) -> Option<Protection> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        if (start..end).contains(&address) {
            return match rest.get(..3)? {
                "---" => Some(Protection::None),
                "r--" => Some(Protection::Read),
                "rw-" => Some(Protection::ReadWrite),
                "r-x" => Some(Protection::ReadExecute),
                "rwx" => Some(Protection::ReadWriteExecute),
                _ => None,
            };
        }
    }
    None
}
