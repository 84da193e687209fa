//! Pages cut from an array that the caller owns: bare metal, or a hard upper bound on any system.
//!
//! ```text
//!   caller's array:  | books | page | page | page | page | page | page | ... |
//!                             '---- a run ----'      '- a run -'
//! ```
//!
//! Without an operating system there is nothing to ask: address space is memory, so reserving
//! takes what it reserves, protecting is not possible, and nothing is ever given to anybody else.
//! What remains of the contract is kept: runs do not overlap, pages read as zero when the contract
//! says so, and a range that is no run is found.

mod books;
mod storage;

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::check::{check_length, check_range};
use crate::{Facts, Mutex, OsCall, OsError, PageSize, PageSource, Protection, Reason};
use books::Books;
pub use storage::FixedStorage;

/// A page source over a caller's array.
///
/// The first free run that is long enough is handed out. Book-keeping takes three bits for each
/// page at the head of the array. Finding, checking and freeing a run looks at one bit for each
/// page, a word at a time; zeroing costs what `memset` does. One lock guards the books and is
/// never held for longer than one such search, or one page's worth of zeroing.
///
/// What differs from an operating system's pages:
/// - committing fills with zeros, page by page, what was not committed before;
/// - [`protect`](PageSource::protect) accepts [`Protection::ReadWrite`] and refuses the rest, so
///   there are no guards, and reserved pages are inaccessible by contract only;
/// - decommitted pages stay part of their run, and only unmapping makes them available again;
/// - [`lock`](PageSource::lock), [`unlock`](PageSource::unlock) and
///   [`prefault`](PageSource::prefault) succeed and do nothing: committed pages were written to,
///   and whether the array can be paged out is for its owner to decide;
/// - [`resident`](PageSource::resident) counts committed bytes.
///
/// A run may be used until it is unmapped or until the lifetime `'a` ends, whichever comes first.
/// Dropping a `FixedMemory` returns nothing; storage that was claimed stays so.
///
/// ```
/// use core::mem::MaybeUninit;
/// use os::{FixedMemory, PageSize, PageSource, Reason};
///
/// let mut array = [MaybeUninit::uninit(); 8192];
/// let pages = FixedMemory::new(&mut array, PageSize::new(1024).unwrap())?;
/// let run = pages.map(2048)?;
/// assert_eq!(pages.free_bytes(), pages.capacity() - 2048);
/// // SAFETY: exactly the run mapped above, not used again.
/// unsafe { pages.unmap(run, 2048)? };
/// let too_much = pages.map(8192).unwrap_err();
/// assert_eq!(too_much.reason, Reason::OutOfPages { longest_free: pages.capacity() });
/// # Ok::<(), os::OsError>(())
/// ```
#[derive(Debug)]
pub struct FixedMemory<'a> {
    page_size: PageSize,
    state: Mutex<State>,
    memory: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

#[derive(Debug)]
enum State {
    /// Nobody asked for anything yet; the storage may turn out to be somebody else's.
    Unclaimed(Claim),
    /// The storage is somebody else's.
    Refused,
    Open(Books),
}

/// Storage to be had by whoever turns its flag first.
#[derive(Debug)]
struct Claim {
    start: NonNull<u8>,
    len: usize,
    flag: &'static AtomicBool,
}

// SAFETY: the pointer is not used before the flag is won, and the storage behind it is not bound
// to a thread.
unsafe impl Send for Claim {}

impl Claim {
    fn settle(&self, page_size: PageSize) -> State {
        if self.flag.swap(true, Ordering::AcqRel) {
            return State::Refused;
        }
        // SAFETY: the storage lives forever and is ours alone from now on: the flag was won, which
        // happens once.
        State::Open(unsafe { Books::open(self.start, self.len, page_size) })
    }
}

impl<'a> FixedMemory<'a> {
    /// A page source over `memory`, with pages of `page_size`.
    ///
    /// The array may have any alignment and any length; its edges are not used. Its contents do
    /// not matter.
    ///
    /// # Errors
    /// [`Reason::OutOfPages`] if not one page fits beside the book-keeping.
    pub fn new(memory: &'a mut [MaybeUninit<u8>], page_size: PageSize) -> Result<Self, OsError> {
        let len = memory.len();
        let start = NonNull::from_mut(memory).cast::<u8>();
        // SAFETY: the exclusive borrow gives the array away for `'a`, and this value, with that
        // lifetime in its type, is the only one that learns of it.
        let books = unsafe { Books::open(start, len, page_size) };
        if books.pages() == 0 {
            let address = start.addr().get();
            let reason = Reason::OutOfPages { longest_free: 0 };
            return Err(OsError {
                call: OsCall::Reserve,
                address,
                len,
                reason,
            });
        }
        Ok(Self {
            page_size,
            state: Mutex::new(State::Open(books)),
            memory: PhantomData,
        })
    }

    /// Bytes that can be handed out, free or not. Zero if the storage is somebody else's.
    pub fn capacity(&self) -> usize {
        self.in_pages(|books| books.pages())
    }

    /// Bytes that are free now, in however many pieces. Looks at one bit for each page.
    pub fn free_bytes(&self) -> usize {
        self.in_pages(Books::free_pages)
    }

    /// Bytes of the longest run that could be handed out now. Looks at one bit for each page.
    pub fn longest_free_run(&self) -> usize {
        self.in_pages(Books::longest_free_run)
    }

    fn in_pages(&self, count: impl FnOnce(&mut Books) -> usize) -> usize {
        let pages = self.with_books(|books| Ok(count(books))).unwrap_or(0);
        pages * self.page_size.get()
    }

    /// Runs `work` on the books, claiming the storage first if that was not done yet.
    fn with_books<T>(
        &self,
        work: impl FnOnce(&mut Books) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let mut state = self.state.lock();
        if let State::Unclaimed(claim) = &*state {
            *state = claim.settle(self.page_size);
        }
        match &mut *state {
            State::Open(books) => work(books),
            State::Unclaimed(_) | State::Refused => Err(Reason::AlreadyClaimed),
        }
    }

    /// Takes a run of `len` bytes, marked committed or not.
    fn take(&self, call: OsCall, len: usize, committed: bool) -> Result<NonNull<u8>, OsError> {
        check_length(call, self.page_size, len)?;
        let count = len / self.page_size.get();
        self.with_books(|books| {
            let run = books.take_run(count)?;
            let address = books.address_of(run.start);
            if committed {
                books.mark_committed(run);
            }
            Ok(address)
        })
        .map_err(|reason| OsError {
            call,
            address: 0,
            len,
            reason,
        })
    }

    /// Runs `work` on the pages of a range, which lies inside one live run.
    fn on_pages<T>(
        &self,
        call: OsCall,
        address: NonNull<u8>,
        len: usize,
        work: impl FnOnce(&mut Books, Range<usize>) -> Result<T, Reason>,
    ) -> Result<T, OsError> {
        check_range(call, self.page_size, address, len)?;
        self.with_books(|books| {
            let pages = books.pages_in_one_run(address, len)?;
            work(books, pages)
        })
        .map_err(|reason| OsError {
            call,
            address: address.addr().get(),
            len,
            reason,
        })
    }
}

impl FixedMemory<'static> {
    /// A page source over a static, with pages of `page_size`. Usable in statics.
    ///
    /// The storage is claimed at the first use. If it belongs to another `FixedMemory` by then,
    /// every request is refused with [`Reason::AlreadyClaimed`]; if it is too small for one page,
    /// with [`Reason::OutOfPages`].
    #[must_use]
    pub const fn in_storage<const N: usize>(
        storage: &'static FixedStorage<N>,
        page_size: PageSize,
    ) -> Self {
        let (start, flag) = storage.parts();
        let state = State::Unclaimed(Claim {
            start,
            len: N,
            flag,
        });
        Self {
            page_size,
            state: Mutex::new(state),
            memory: PhantomData,
        }
    }
}

// SAFETY: promise by promise: (1) the books hand out pages that are in no live run, inside an array
// that nobody else uses, for the lifetime in the type; (2) a page is zeroed when it becomes
// committed, by `map` before the run is known to the caller, by `commit` under the lock, and by
// `discard`; (3) the facts claim no protection; (4) every refusal is decided before anything
// changes; (5) the facts are constants.
unsafe impl PageSource for FixedMemory<'_> {
    fn facts(&self) -> Facts {
        Facts {
            page_size: self.page_size,
            reserves_for_free: false,
            can_protect: false,
            returns_memory: false,
            discards_cheaply: false,
            can_lock: true,
            can_probe: false,
            can_tell_touched: false,
            touched_is_quick: false,
        }
    }

    fn reserve(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        self.take(OsCall::Reserve, len, false)
    }

    fn map(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        let run = self.take(OsCall::Map, len, true)?;
        // SAFETY: the run was taken just now and nobody else knows of it.
        unsafe { run.write_bytes(0, len) };
        Ok(run)
    }

    unsafe fn commit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        let mut pages = self.on_pages(OsCall::Commit, address, len, |_, pages| Ok(pages))?;
        // One page for each turn of the lock, so that others wait for one page at most. Zeroing
        // and marking stay under one turn: a second thread that commits the same page must not
        // find it marked and write to it while it is still being zeroed.
        loop {
            let rest = pages.clone();
            let result = self.with_books(|books| {
                // SAFETY: checked above; the run is live as long as the caller commits in it.
                Ok(unsafe { books.commit_next(rest) })
            });
            match result {
                Ok(Some(page)) => pages.start = page + 1,
                Ok(None) => return Ok(()),
                Err(reason) => {
                    let address = address.addr().get();
                    return Err(OsError {
                        call: OsCall::Commit,
                        address,
                        len,
                        reason,
                    });
                }
            }
        }
    }

    unsafe fn decommit(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.on_pages(OsCall::Decommit, address, len, |books, pages| {
            books.mark_decommitted(pages);
            Ok(())
        })
    }

    unsafe fn discard(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.on_pages(OsCall::Discard, address, len, |_, _| Ok(()))?;
        // SAFETY: inside one live run, checked; the caller promised that nobody uses it meanwhile.
        unsafe { address.write_bytes(0, len) };
        Ok(())
    }

    unsafe fn protect(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError> {
        self.on_pages(OsCall::Protect, address, len, |_, _| match protection {
            Protection::ReadWrite => Ok(()),
            _ => Err(Reason::Unsupported),
        })
    }

    unsafe fn unmap(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.on_pages(OsCall::Unmap, address, len, Books::return_run)
    }

    unsafe fn lock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.on_pages(OsCall::Lock, address, len, |_, _| Ok(()))
    }

    unsafe fn unlock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.on_pages(OsCall::Unlock, address, len, |_, _| Ok(()))
    }

    unsafe fn prefault(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        self.on_pages(OsCall::Prefault, address, len, |_, _| Ok(()))
    }

    fn resident(&self, address: NonNull<u8>, len: usize) -> Result<usize, OsError> {
        let page = self.page_size.get();
        self.on_pages(OsCall::Resident, address, len, |books, pages| {
            Ok(books.committed_pages(pages) * page)
        })
    }

    fn probe(&self, address: usize) -> Result<bool, OsError> {
        let reason = Reason::Unsupported;
        Err(OsError {
            call: OsCall::Probe,
            address,
            len: 1,
            reason,
        })
    }
}
