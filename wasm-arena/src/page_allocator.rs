//! What a WebAssembly runtime asks of whoever supplies its linear memory.

use core::ops::Range;
use core::ptr::NonNull;

use os::Protection;

use crate::AllocError;

/// A source of one linear memory at a time.
///
/// Sizes are in Wasm pages (64 KiB) where the name says pages, else in bytes. No method panics; a
/// method that fails leaves the memory as it was, still usable, unless it says otherwise.
///
/// # Safety
/// [`LinearMemory`](crate::LinearMemory) is safe because implementations keep these promises:
///
/// 1. From a successful [`allocate`](Self::allocate) until [`free`](Self::free), [`base`](Self::base)
///    and [`size`](Self::size) describe memory that is initialised, belongs to nobody else, and can
///    be read and written wherever [`first_refusal`](Self::first_refusal) has no objection.
/// 2. The base changes only in [`grow`](Self::grow), the size only in `grow` and
///    [`reset`](Self::reset).
/// 3. New bytes are zero: all of them after `allocate` and `reset`, the added ones after `grow`.
/// 4. Growth keeps the other bytes, and the protections.
pub unsafe trait PageAllocator {
    /// Allocates a memory of `initial_pages`, which may grow to `maximum_pages` (or without a limit
    /// of its own). Returns its base and its size in bytes. 0 pages are legal.
    ///
    /// # Errors
    /// [`AllocError::AlreadyAllocated`], [`AllocError::MaximumBelowInitial`],
    /// [`AllocError::TooLarge`], a budget's or the page source's refusal. Nothing is left behind.
    fn allocate(
        &mut self,
        initial_pages: u32,
        maximum_pages: Option<u32>,
    ) -> Result<(NonNull<u8>, usize), AllocError>;

    /// Grows by `additional_pages` and returns the base, which may have changed. `current_pages`
    /// must be the current size. Growing by 0 returns today's base.
    ///
    /// # Errors
    /// [`AllocError::PageCountMismatch`], [`AllocError::BeyondMaximum`], [`AllocError::NoRoom`], a
    /// budget's or the page source's refusal.
    fn grow(
        &mut self,
        current_pages: u32,
        additional_pages: u32,
    ) -> Result<NonNull<u8>, AllocError>;

    /// Changes what may be done with a range of the data: whole host pages, given in bytes from the
    /// base; the last page of the memory may be named by the memory's end.
    ///
    /// # Errors
    /// [`AllocError::OutOfRange`], [`AllocError::Misaligned`], [`AllocError::WriteAndExecute`],
    /// [`AllocError::TooManyProtections`], or the page source's refusal.
    fn protect(
        &mut self,
        offset: usize,
        len: usize,
        protection: Protection,
    ) -> Result<(), AllocError>;

    /// Takes the memory back to its initial size, all zero, with its initial protection. The base
    /// stays.
    ///
    /// # Errors
    /// [`AllocError::NotAllocated`], or the page source's refusal.
    fn reset(&mut self) -> Result<(), AllocError>;

    /// Ends the memory. Pointers to it must not be used again.
    ///
    /// # Errors
    /// [`AllocError::NotAllocated`]; or what was found damaged or could not be given back. Except
    /// for [`AllocError::Sealed`], the memory is gone in any case.
    fn free(&mut self) -> Result<(), AllocError>;

    /// Where the memory starts; `None` if there is none.
    fn base(&self) -> Option<NonNull<u8>>;

    /// Size of the memory in bytes; 0 if there is none.
    fn size(&self) -> usize;

    /// The first byte of `range` (within the size) that may not be written, if `write`, or read.
    fn first_refusal(&self, range: Range<usize>, write: bool) -> Option<usize>;
}
