//! The safe face of a memory.
//!
//! A [`LinearMemory`] owns its allocator, so nobody can grow or free the memory behind its back, and
//! it asks before it touches: an access outside the memory, or one that a protection forbids, is an
//! error and not a fault.

use core::ops::Range;
use core::ptr::NonNull;

use os::Protection;

use crate::region::checked_range;
use crate::{AllocError, PageAllocator, bytes_to_pages};

/// A linear memory, with checked access to its bytes.
///
/// ```
/// use wasm_arena::{LinearMemory, QnxArenaAllocatorBuilder};
///
/// let allocator = QnxArenaAllocatorBuilder::new().build()?;
/// let mut memory = LinearMemory::new(allocator, 1, Some(2))?;
/// memory.write_le(8, 0xdead_beef_u32)?;
/// assert_eq!(memory.read_le::<u32>(8)?, 0xdead_beef);
/// assert_eq!(memory.grow(1)?, 1);
/// assert_eq!(memory.size_in_pages(), 2);
/// assert!(memory.read_le::<u64>(2 * 65_536 - 7).is_err());
/// # Ok::<(), wasm_arena::AllocError>(())
/// ```
#[derive(Debug)]
pub struct LinearMemory<A: PageAllocator> {
    allocator: A,
}

/// A number with a fixed layout in linear memory: little-endian, as WebAssembly has it.
pub trait LittleEndian: Copy + sealed::Sealed {
    #[doc(hidden)]
    type Bytes: AsRef<[u8]> + AsMut<[u8]> + Default;
    #[doc(hidden)]
    fn from_bytes(bytes: Self::Bytes) -> Self;
    #[doc(hidden)]
    fn into_bytes(self) -> Self::Bytes;
}

mod sealed {
    /// Keeps [`LittleEndian`](super::LittleEndian) to the numbers WebAssembly has.
    pub trait Sealed {}
}

macro_rules! little_endian {
    ($($number:ty),*) => {$(
        impl sealed::Sealed for $number {}
        impl LittleEndian for $number {
            type Bytes = [u8; size_of::<$number>()];

            fn from_bytes(bytes: Self::Bytes) -> Self {
                Self::from_le_bytes(bytes)
            }

            fn into_bytes(self) -> Self::Bytes {
                self.to_le_bytes()
            }
        }
    )*};
}

little_endian!(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, f32, f64);

impl<A: PageAllocator> LinearMemory<A> {
    /// Allocates a memory from `allocator`: see [`PageAllocator::allocate`].
    ///
    /// # Errors
    /// As there; an allocator that holds a memory already is refused, and dropped.
    pub fn new(
        mut allocator: A,
        initial_pages: u32,
        maximum_pages: Option<u32>,
    ) -> Result<Self, AllocError> {
        allocator.allocate(initial_pages, maximum_pages)?;
        Ok(Self { allocator })
    }

    /// The allocator, for its accounts.
    pub const fn allocator(&self) -> &A {
        &self.allocator
    }

    /// Ends the memory and returns the allocator.
    ///
    /// # Errors
    /// As [`PageAllocator::free`].
    pub fn into_allocator(mut self) -> Result<A, AllocError> {
        self.allocator.free()?;
        Ok(self.allocator)
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.allocator.size()
    }

    /// Size in Wasm pages.
    pub fn size_in_pages(&self) -> u32 {
        bytes_to_pages(self.size())
    }

    /// Grows by `additional_pages` and returns the previous size in Wasm pages, as `memory.grow`
    /// does. Needs the memory exclusively, so that no slice can outlive a move.
    ///
    /// # Errors
    /// As [`PageAllocator::grow`].
    pub fn grow(&mut self, additional_pages: u32) -> Result<u32, AllocError> {
        let previous = self.size_in_pages();
        self.allocator.grow(previous, additional_pages)?;
        Ok(previous)
    }

    /// Changes what may be done with a range: see [`PageAllocator::protect`].
    ///
    /// # Errors
    /// As there.
    pub fn protect(
        &mut self,
        offset: usize,
        len: usize,
        protection: Protection,
    ) -> Result<(), AllocError> {
        self.allocator.protect(offset, len, protection)
    }

    /// Back to the initial size, all zero: see [`PageAllocator::reset`].
    ///
    /// # Errors
    /// As there.
    pub fn reset(&mut self) -> Result<(), AllocError> {
        self.allocator.reset()
    }

    /// Checks a range, and returns the address of its first byte.
    fn check(&self, range: Range<usize>, write: bool) -> Result<NonNull<u8>, AllocError> {
        let start = range.start;
        if let Some(offset) = self.allocator.first_refusal(range, write) {
            return Err(AllocError::Protected { offset });
        }
        let base = self.allocator.base().ok_or(AllocError::NotAllocated)?;
        // SAFETY: `start` is at most the size (checked by the caller's `checked_range`), so the
        // result is inside the memory or one past its end (promise 1 of `PageAllocator`).
        Ok(unsafe { base.add(start) })
    }

    /// `len` bytes at `offset`, to read.
    ///
    /// # Errors
    /// [`AllocError::OutOfRange`] or [`AllocError::Protected`].
    pub fn slice(&self, offset: usize, len: usize) -> Result<&[u8], AllocError> {
        let range = checked_range(offset, len, self.size())?;
        let start = self.check(range, false)?;
        // SAFETY: readable, initialised memory (promise 1 of `PageAllocator`, and the check above);
        // the slice borrows the owner, so the memory neither moves nor changes meanwhile.
        Ok(unsafe { core::slice::from_raw_parts(start.as_ptr(), len) })
    }

    /// `len` bytes at `offset`, to read and write.
    ///
    /// # Errors
    /// [`AllocError::OutOfRange`] or [`AllocError::Protected`].
    pub fn slice_mut(&mut self, offset: usize, len: usize) -> Result<&mut [u8], AllocError> {
        let range = checked_range(offset, len, self.size())?;
        let start = self.check(range, true)?;
        // SAFETY: readable, writable, initialised memory (promise 1 of `PageAllocator`, and the
        // check above; no protection allows writes without reads); the slice borrows the owner
        // exclusively.
        Ok(unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), len) })
    }

    /// Copies bytes at `offset` out of the memory.
    ///
    /// # Errors
    /// [`AllocError::OutOfRange`] or [`AllocError::Protected`]; `target` is unchanged then.
    pub fn read(&self, offset: usize, target: &mut [u8]) -> Result<(), AllocError> {
        target.copy_from_slice(self.slice(offset, target.len())?);
        Ok(())
    }

    /// Copies bytes into the memory at `offset`.
    ///
    /// # Errors
    /// [`AllocError::OutOfRange`] or [`AllocError::Protected`]; nothing is written then.
    pub fn write(&mut self, offset: usize, source: &[u8]) -> Result<(), AllocError> {
        self.slice_mut(offset, source.len())?
            .copy_from_slice(source);
        Ok(())
    }

    /// Reads a little-endian number at `offset`, which need not be aligned.
    ///
    /// # Errors
    /// [`AllocError::OutOfRange`] or [`AllocError::Protected`].
    pub fn read_le<N: LittleEndian>(&self, offset: usize) -> Result<N, AllocError> {
        let mut bytes = N::Bytes::default();
        self.read(offset, bytes.as_mut())?;
        Ok(N::from_bytes(bytes))
    }

    /// Writes a little-endian number at `offset`, which need not be aligned.
    ///
    /// # Errors
    /// [`AllocError::OutOfRange`] or [`AllocError::Protected`].
    pub fn write_le<N: LittleEndian>(&mut self, offset: usize, value: N) -> Result<(), AllocError> {
        self.write(offset, value.into_bytes().as_ref())
    }
}
