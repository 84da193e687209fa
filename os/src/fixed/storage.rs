//! An array for a static: the memory of a [`FixedMemory`](super::FixedMemory) that lives forever.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

/// `N` bytes for one [`FixedMemory`](super::FixedMemory), zero at start, so that a static of this
/// type takes no room in the program file.
///
/// Aligned to 4096 bytes; its size is `N` and one byte, rounded up to 4096. It belongs to the first
/// `FixedMemory` that uses it, for good: there is no way to know that nobody holds a run any more.
///
/// ```
/// use os::{FixedMemory, FixedStorage, PageSize, PageSource};
///
/// static STORAGE: FixedStorage<65536> = FixedStorage::new();
/// static PAGES: FixedMemory<'static> =
///     FixedMemory::in_storage(&STORAGE, PageSize::new(4096).unwrap());
///
/// let run = PAGES.map(8192)?;
/// // SAFETY: mapped above, so readable.
/// assert_eq!(unsafe { run.read() }, 0);
/// # Ok::<(), os::OsError>(())
/// ```
#[repr(C, align(4096))]
pub struct FixedStorage<const N: usize> {
    /// Used through raw pointers by the one memory that claimed it; by nobody before that.
    memory: UnsafeCell<[MaybeUninit<u8>; N]>,
    claimed: AtomicBool,
}

impl<const N: usize> FixedStorage<N> {
    /// Storage that belongs to nobody yet.
    #[must_use]
    pub const fn new() -> Self {
        let memory = UnsafeCell::new([MaybeUninit::new(0); N]);
        Self {
            memory,
            claimed: AtomicBool::new(false),
        }
    }

    /// Whether a [`FixedMemory`](super::FixedMemory) uses this storage already.
    pub fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Relaxed)
    }

    /// The first byte, and the flag that must be won before it may be used.
    pub(super) const fn parts(&'static self) -> (NonNull<u8>, &'static AtomicBool) {
        (NonNull::from_ref(&self.memory).cast(), &self.claimed)
    }
}

impl<const N: usize> Default for FixedStorage<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for FixedStorage<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedStorage")
            .field("bytes", &N)
            .field("claimed", &self.is_claimed())
            .finish_non_exhaustive()
    }
}

// SAFETY: the flag is atomic. The memory is reached only by whoever turned the flag from false to
// true, which happens once; after that it is exclusively theirs, on whatever thread they are.
unsafe impl<const N: usize> Sync for FixedStorage<N> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_costs_at_most_one_unit_of_alignment() {
        assert_eq!(size_of::<FixedStorage<4095>>(), 4096);
        assert_eq!(size_of::<FixedStorage<65536>>(), 65536 + 4096);
        assert_eq!(align_of::<FixedStorage<1>>(), 4096);
    }
}
