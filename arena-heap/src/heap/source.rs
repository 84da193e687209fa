//! What a heap asks of the place its arenas come from: less than a page source does.

use core::ptr::NonNull;

use os::{OsError, PageSize, PageSource};

/// Gives out arenas and takes them back. Every page source is one.
///
/// # Safety
///
/// An implementation keeps these promises:
///
/// 1. A run that [`map`](Self::map) returned is page-aligned, zero, readable, writable, and nobody
///    else's until it is unmapped or the heap ends.
/// 2. A refused `unmap` has changed nothing.
/// 3. The page size is always the same.
pub(crate) unsafe trait ArenaSource {
    /// Alignment of runs, and the unit of their lengths.
    fn page_size(&self) -> PageSize;

    /// A new run of `length` bytes.
    fn map(&self, length: usize) -> Result<NonNull<u8>, OsError>;

    /// Takes a run back.
    ///
    /// # Safety
    /// `base` and `length` are exactly those of one run of this source that was not unmapped, and
    /// nobody uses it again.
    unsafe fn unmap(&self, base: NonNull<u8>, length: usize) -> Result<(), OsError>;
}

// SAFETY: promises 1, 2, 4 and 5 of a page source.
unsafe impl<P: PageSource> ArenaSource for P {
    fn page_size(&self) -> PageSize {
        self.facts().page_size
    }

    fn map(&self, length: usize) -> Result<NonNull<u8>, OsError> {
        PageSource::map(self, length)
    }

    unsafe fn unmap(&self, base: NonNull<u8>, length: usize) -> Result<(), OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { PageSource::unmap(self, base, length) }
    }
}
