//! A memory inside an array of its own: no operating system, no heap.
//!
//! ```text
//!   NoStdProvider   | canary |  data, up to N bytes ...... (size) ...... N | canary |
//!                            '- base: handed out only while the array is pinned by a borrow
//! ```
//!
//! The array belongs to whoever claims it, one at a time: [`NoStdAllocator`] borrows the provider,
//! so that it cannot be moved while addresses into it are in use.
//!
//! There are canaries and no guard pages, on purpose. A guard page needs the host's page size when
//! the program is compiled, which no platform promises; its protection would stay behind when the
//! value is moved or its stack frame is left; and rounding the array to pages on both sides costs a
//! small machine more than the memory is worth. Who has an operating system takes
//! [`QnxAllocator`](crate::QnxAllocator), whose guards fault. A canary does not stop a stray write
//! behind the array, it tells of it: at growth, reset, release and on demand.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use os::{OsCall, OsError, Protection, Reason};

use crate::zeros::ensure_zero;
use crate::{
    AllocError, PageAllocator, VerificationLevel, WASM_PAGE_SIZE, bytes_to_pages, pages_to_bytes,
};

/// Words of a canary.
const CANARY_WORDS: usize = 8;

/// `N` bytes for one memory at a time: a whole number of Wasm pages, at least one. Checked when the
/// program is compiled, and in a static checked by the linker against the machine.
///
/// A static of this type is zero at start, so that it takes no room in the program file.
///
/// ```
/// use wasm_arena::{AtomicMemoryExt, LinearMemory, NoStdProvider};
///
/// static ARRAY: NoStdProvider<131_072> = NoStdProvider::new();
///
/// let mut memory = LinearMemory::new(ARRAY.claim()?, 1, None)?;
/// assert!(ARRAY.claim().is_err());
/// memory.grow(1)?;
/// assert!(memory.grow(1).is_err());
/// let ops = memory.into_atomic_ops()?;
/// ops.atomic_write_with_checksum(100_000, b"without a heap")?;
/// drop(ops);
/// assert!(ARRAY.claim().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An array that is no whole number of pages does not compile:
///
/// ```compile_fail
/// static ARRAY: wasm_arena::NoStdProvider<65_537> = wasm_arena::NoStdProvider::new();
/// ```
#[repr(C, align(64))]
pub struct NoStdProvider<const N: usize> {
    /// Read and written by nobody but through the claim; as `back`.
    front: [AtomicUsize; CANARY_WORDS],
    /// Touched by nobody but who holds the claim.
    data: UnsafeCell<[u8; N]>,
    back: [AtomicUsize; CANARY_WORDS],
    /// Bytes from the start that may be other than zero. Written by who holds the claim.
    dirty: AtomicUsize,
    claimed: AtomicBool,
}

// SAFETY: the flag gives the data to one claim at a time; everything else is atomic.
unsafe impl<const N: usize> Sync for NoStdProvider<N> {}

impl<const N: usize> NoStdProvider<N> {
    /// An array that belongs to nobody yet.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(N > 0, "a memory of no page needs no array");
            assert!(
                N.is_multiple_of(WASM_PAGE_SIZE),
                "the array is a whole number of Wasm pages"
            );
        }
        Self {
            front: [const { AtomicUsize::new(0) }; CANARY_WORDS],
            data: UnsafeCell::new([0; N]),
            back: [const { AtomicUsize::new(0) }; CANARY_WORDS],
            dirty: AtomicUsize::new(0),
            claimed: AtomicBool::new(false),
        }
    }

    /// Bytes of the array.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        N
    }

    /// Takes the array, for an allocator of one memory in it. It is free again when the allocator
    /// is dropped. Constant time.
    ///
    /// # Errors
    /// [`AllocError::AlreadyAllocated`] while another allocator has it.
    pub fn claim(&self) -> Result<NoStdAllocator<'_, N>, AllocError> {
        if self.claimed.swap(true, Ordering::Acquire) {
            return Err(AllocError::AlreadyAllocated { size: N });
        }
        Ok(NoStdAllocator {
            array: self,
            live: None,
            level: VerificationLevel::Standard,
        })
    }

    /// Whether an allocator has the array.
    pub fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Relaxed)
    }

    /// The words that the canaries should hold: other ones for each place and array.
    fn canaries(&self) -> impl Iterator<Item = (&AtomicUsize, usize)> {
        let words = self.front.iter().chain(&self.back);
        words.map(|word| {
            let address = core::ptr::from_ref(word).addr();
            (word, !address.rotate_left(7))
        })
    }

    fn set_canaries(&self) {
        for (word, expected) in self.canaries() {
            word.store(expected, Ordering::Relaxed);
        }
    }

    /// The address of the first damaged word.
    fn damaged_canary(&self) -> Option<usize> {
        self.canaries()
            .find(|(word, expected)| word.load(Ordering::Relaxed) != *expected)
            .map(|(word, _)| core::ptr::from_ref(word).addr())
    }
}

impl<const N: usize> Default for NoStdProvider<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for NoStdProvider<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoStdProvider")
            .field("bytes", &N)
            .field("claimed", &self.is_claimed())
            .finish_non_exhaustive()
    }
}

/// The one who may use a [`NoStdProvider`]: an allocator of one memory in its array.
///
/// The base never changes, and growth ends at `N` bytes. Without an operating system nothing can be
/// protected: every protection but [`Protection::ReadWrite`] is refused. The canaries are compared
/// at growth, reset and release, at every [level](VerificationLevel) but `Off`; at `Critical` what
/// was never data must be zero, too.
///
/// Invariants: (1) this value holds the claim of the array; (2) the data is zero from the dirty mark
/// on; (3) the size of a live memory is at most `N`.
#[derive(Debug)]
pub struct NoStdAllocator<'a, const N: usize> {
    array: &'a NoStdProvider<N>,
    live: Option<Live>,
    level: VerificationLevel,
}

#[derive(Debug, Clone, Copy)]
struct Live {
    size: usize,
    initial: usize,
    maximum: usize,
}

impl<const N: usize> NoStdAllocator<'_, N> {
    /// Changes how much is checked, from the next operation on.
    pub const fn set_verification_level(&mut self, level: VerificationLevel) {
        self.level = level;
    }

    /// Compares the canaries, and looks whether all of the array that was never data is zero, now,
    /// whatever the level.
    ///
    /// # Errors
    /// [`AllocError::GuardDamaged`] with the address of the first damaged word, or
    /// [`AllocError::ContentsDamaged`].
    pub fn verify(&self) -> Result<(), AllocError> {
        if self.live.is_none() {
            return Ok(());
        }
        self.compare_canaries()?;
        let dirty = self.array.dirty.load(Ordering::Relaxed).min(N);
        // SAFETY: inside the array, which is this value's (invariant 1); nobody has references
        // into bytes above the memory.
        unsafe { ensure_zero(self.start(), dirty..N) }
    }

    fn compare_canaries(&self) -> Result<(), AllocError> {
        match self.array.damaged_canary() {
            None => Ok(()),
            Some(address) => Err(AllocError::GuardDamaged { address }),
        }
    }

    fn check(&self) -> Result<(), AllocError> {
        match self.level {
            VerificationLevel::Off => Ok(()),
            VerificationLevel::Critical => self.verify(),
            _ => self.compare_canaries(),
        }
    }

    fn live(&self) -> Result<Live, AllocError> {
        self.live.ok_or(AllocError::NotAllocated)
    }

    const fn start(&self) -> NonNull<u8> {
        NonNull::from_ref(&self.array.data).cast()
    }

    /// Zeroes what may be other than zero in `range`, which is inside the array.
    fn zero(&self, range: Range<usize>) {
        let end = range.end.min(self.array.dirty.load(Ordering::Relaxed));
        if range.start < end {
            // SAFETY: inside the array.
            let start = unsafe { self.start().add(range.start) };
            // SAFETY: inside the array, which is this value's (invariant 1); nobody holds
            // references into bytes outside the memory, or into a memory that is reset.
            unsafe { start.write_bytes(0, end - range.start) };
        }
    }

    /// From now on the first `size` bytes may be written.
    fn open(&self, size: usize) {
        self.array.dirty.fetch_max(size, Ordering::Relaxed);
    }
}

// SAFETY: 1: the array is pinned by the borrow and this value's alone (invariant 1), is initialised,
// and holds the size (invariant 3); nothing is protected. 2: the base is the array's; the size
// changes in the steps named. 3: bytes are zeroed before they become part of the memory, except
// those from the dirty mark on, which are zero (invariant 2). 4: growth touches no byte below the
// old size.
unsafe impl<const N: usize> PageAllocator for NoStdAllocator<'_, N> {
    fn allocate(
        &mut self,
        initial_pages: u32,
        maximum_pages: Option<u32>,
    ) -> Result<(NonNull<u8>, usize), AllocError> {
        if let Some(live) = self.live {
            return Err(AllocError::AlreadyAllocated { size: live.size });
        }
        let initial = pages_to_bytes(initial_pages)?;
        // A maximum above the address space is no error: it is never reached.
        let maximum = maximum_pages.map_or(usize::MAX, |pages| {
            pages_to_bytes(pages).unwrap_or(usize::MAX)
        });
        if maximum < initial {
            return Err(AllocError::MaximumBelowInitial { initial, maximum });
        }
        if initial > N {
            return Err(AllocError::NoRoom {
                requested: initial,
                capacity: N,
            });
        }
        self.array.set_canaries();
        self.zero(0..initial);
        self.open(initial);
        self.live = Some(Live {
            size: initial,
            initial,
            maximum,
        });
        Ok((self.start(), initial))
    }

    fn grow(
        &mut self,
        current_pages: u32,
        additional_pages: u32,
    ) -> Result<NonNull<u8>, AllocError> {
        let live = self.live()?;
        let actual = bytes_to_pages(live.size);
        if current_pages != actual {
            return Err(AllocError::PageCountMismatch {
                given: current_pages,
                actual,
            });
        }
        self.check()?;
        let size = live.size.saturating_add(pages_to_bytes(additional_pages)?);
        if size > live.maximum {
            return Err(AllocError::BeyondMaximum {
                requested: size as u64,
                maximum: live.maximum,
            });
        }
        if size > N {
            return Err(AllocError::NoRoom {
                requested: size,
                capacity: N,
            });
        }
        self.zero(live.size..size);
        self.open(size);
        self.live = Some(Live { size, ..live });
        Ok(self.start())
    }

    fn protect(
        &mut self,
        offset: usize,
        len: usize,
        protection: Protection,
    ) -> Result<(), AllocError> {
        let live = self.live()?;
        crate::region::checked_range(offset, len, live.size)?;
        match protection {
            Protection::ReadWrite => Ok(()),
            _ => Err(AllocError::Os(OsError {
                call: OsCall::Protect,
                address: self.start().addr().get() + offset,
                len,
                reason: Reason::Unsupported,
            })),
        }
    }

    fn reset(&mut self) -> Result<(), AllocError> {
        let live = self.live()?;
        self.check()?;
        self.zero(0..live.size);
        self.live = Some(Live {
            size: live.initial,
            ..live
        });
        Ok(())
    }

    fn free(&mut self) -> Result<(), AllocError> {
        self.live()?;
        let checked = self.check();
        self.live = None;
        checked
    }

    fn base(&self) -> Option<NonNull<u8>> {
        self.live.map(|_| self.start())
    }

    fn size(&self) -> usize {
        self.live.map_or(0, |live| live.size)
    }

    fn first_refusal(&self, _range: Range<usize>, _write: bool) -> Option<usize> {
        None
    }
}

impl<const N: usize> Drop for NoStdAllocator<'_, N> {
    /// Gives the array back.
    fn drop(&mut self) {
        self.array.claimed.store(false, Ordering::Release);
    }
}
