//! Memory for [`AtomicMemoryOps`], whoever it comes from.
//!
//! | provider | memory | made by | grows |
//! |---|---|---|---|
//! | [`CustomProvider`] | a pointer and a size | `unsafe`: the pointer is taken on trust | no |
//! | [`SliceProvider`] | a borrowed slice | safe | no |
//! | [`LinearMemory`] | any allocator | safe | as its allocator does |
//! | [`LinearMemory`] over [`NoStdAllocator`](crate::NoStdAllocator) | an array, in a static say | safe | up to the array |
//! | [`MirroredProvider`] | one of these, and a second copy in another | safe | if both do |

use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::NonNull;

use crate::integrity::{AtomicMemoryOps, ChecksumTable, IntegrityError};
use crate::{AllocError, LinearMemory, PageAllocator, pages_to_bytes};

/// Memory that can be handed to [`AtomicMemoryOps`].
///
/// # Safety
/// Checked operations are safe because implementations keep these promises:
///
/// 1. The [`size`](Self::size) bytes from [`base`](Self::base) are initialised, can be read and
///    written from any thread wherever [`first_refusal`](Self::first_refusal) has no objection, and
///    belong to nobody else for as long as this value lives; moving the value does not move them.
/// 2. Base, size and refusals change only in [`grow`](Self::grow). The same holds for the
///    [`mirror`](Self::mirror), which has the same size, no protections of its own, and no byte in
///    common with the memory.
/// 3. Growth keeps the old bytes, in both copies, and adds zeros to the memory; a failed growth
///    changes nothing, except perhaps where the mirror lies.
pub unsafe trait Provider {
    /// Where the memory starts.
    fn base(&self) -> NonNull<u8>;

    /// Size in bytes.
    fn size(&self) -> usize;

    /// The first byte of `range` (within the size) that may not be written, if `write`, or read.
    fn first_refusal(&self, range: Range<usize>, write: bool) -> Option<usize> {
        let _everything_is_allowed = (range, write);
        None
    }

    /// Where a second copy of the memory starts, if there is one.
    fn mirror(&self) -> Option<NonNull<u8>> {
        None
    }

    /// Grows by `additional_pages` Wasm pages. The base may change.
    ///
    /// # Errors
    /// [`AllocError::NoRoom`] where memory cannot grow; otherwise as
    /// [`PageAllocator::grow`].
    fn grow(&mut self, additional_pages: u32) -> Result<(), AllocError> {
        let size = self.size();
        let added = pages_to_bytes(additional_pages)?;
        if added == 0 {
            return Ok(());
        }
        Err(AllocError::NoRoom {
            requested: size.saturating_add(added),
            capacity: size,
        })
    }
}

/// Turns memory into checked memory.
pub trait AtomicMemoryExt: Provider + Sized {
    /// Checked operations over this memory, with checksums in a table inside the value: 256 blocks,
    /// whose size follows from the memory's. Reads the whole memory once.
    ///
    /// # Errors
    /// [`IntegrityError::Misaligned`] if the memory does not start and end at whole machine words;
    /// [`IntegrityError::Protected`] if part of it cannot be read.
    ///
    /// ```
    /// use wasm_arena::{
    ///     AtomicMemoryExt, CustomProvider, LinearMemory, PageAllocator, QnxArenaAllocatorBuilder,
    /// };
    ///
    /// // Create QNX arena allocator
    /// let mut allocator = QnxArenaAllocatorBuilder::new()
    ///     .with_arena_size(64 * 1024)
    ///     .build()
    ///     .expect("Failed to create allocator");
    ///
    /// // Allocate 2 pages
    /// let (ptr, size) = allocator.allocate(2, Some(4))
    ///     .expect("Failed to allocate memory");
    ///
    /// // Create a memory provider for this memory
    /// // SAFETY: the allocator lives longer than the provider and does nothing meanwhile; nobody
    /// // else knows of the memory.
    /// let provider = unsafe { CustomProvider::new(ptr, size) };
    ///
    /// // Create atomic memory operations handler
    /// let atomic_ops = provider.into_atomic_ops()
    ///     .expect("Failed to create atomic ops");
    ///
    /// // Use atomic operations for safe memory access
    /// atomic_ops.atomic_write_with_checksum(0, &[1, 2, 3, 4])
    ///     .expect("Failed to write data");
    /// # let mut back = [0; 4];
    /// # atomic_ops.atomic_read(0, &mut back).unwrap();
    /// # assert_eq!(back, [1, 2, 3, 4]);
    /// # drop(atomic_ops);
    ///
    /// // The same without `unsafe`: a memory that owns its allocator can be given away whole.
    /// let memory = LinearMemory::new(QnxArenaAllocatorBuilder::new().build()?, 2, Some(4))?;
    /// let atomic_ops = memory.into_atomic_ops()?;
    /// atomic_ops.atomic_write_with_checksum(0, &[1, 2, 3, 4])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn into_atomic_ops(self) -> Result<AtomicMemoryOps<Self>, IntegrityError> {
        AtomicMemoryOps::new(self)
    }

    /// As [`into_atomic_ops`](Self::into_atomic_ops), with checksums in a table of the caller's
    /// choice.
    ///
    /// # Errors
    /// As there; and [`IntegrityError::NoTable`] if the table is empty.
    fn into_atomic_ops_with<T: ChecksumTable>(
        self,
        table: T,
    ) -> Result<AtomicMemoryOps<Self, T>, IntegrityError> {
        AtomicMemoryOps::with_table(self, table)
    }

    /// This memory with a second copy of it in `mirror`, from which damage is repaired. What
    /// `mirror` held is lost when checked operations start.
    ///
    /// # Errors
    /// [`IntegrityError::MirrorTooSmall`]; [`IntegrityError::Misaligned`] if it does not start at a
    /// whole word; [`IntegrityError::Protected`] if it cannot be written everywhere.
    ///
    /// ```
    /// use wasm_arena::{AtomicMemoryExt, SliceProvider};
    ///
    /// let (mut memory, mut copy) = ([0_usize; 512], [0_usize; 512]);
    /// let memory = SliceProvider::from_words(&mut memory);
    /// let ops = memory.mirrored_by(SliceProvider::from_words(&mut copy))?.into_atomic_ops()?;
    /// assert!(ops.is_mirrored());
    /// # Ok::<(), wasm_arena::IntegrityError>(())
    /// ```
    fn mirrored_by<M: Provider>(
        self,
        mirror: M,
    ) -> Result<MirroredProvider<Self, M>, IntegrityError> {
        MirroredProvider::new(self, mirror)
    }
}

impl<P: Provider> AtomicMemoryExt for P {}

/// Memory that is known by its address and size.
///
/// Invariant: what the caller of [`new`](Self::new) promised.
#[derive(Debug)]
pub struct CustomProvider {
    base: NonNull<u8>,
    size: usize,
}

// SAFETY: the memory may be used from any thread, by promise 1 of `new`.
unsafe impl Send for CustomProvider {}
// SAFETY: a shared reference only tells base and size.
unsafe impl Sync for CustomProvider {}

impl CustomProvider {
    /// The `size` bytes at `base`. Unsafe because nothing can be asked about a pointer: whether
    /// the memory is there, for how long, and who else uses it.
    ///
    /// # Safety
    /// For as long as this value lives, and whatever takes it over:
    ///
    /// 1. the bytes are initialised, and can be read and written, from any thread;
    /// 2. whoever else reads or writes them (a guest, say) does so at times when no operation on
    ///    them runs, and no reference to them is kept meanwhile. Bytes that were written this way
    ///    are damage until [`resync`](crate::AtomicMemoryOps::resync) is told of them;
    /// 3. they are neither freed nor moved.
    #[must_use]
    pub const unsafe fn new(base: NonNull<u8>, size: usize) -> Self {
        Self { base, size }
    }
}

// SAFETY: 1 and 2: the caller of `new` promised it. 3: never grows.
unsafe impl Provider for CustomProvider {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn size(&self) -> usize {
        self.size
    }
}

/// Memory that is borrowed from its owner, who gets it back unchanged in place.
///
/// Invariant: the `size` bytes at `base` are borrowed exclusively for `'a`.
#[derive(Debug)]
pub struct SliceProvider<'a> {
    base: NonNull<u8>,
    size: usize,
    memory: PhantomData<&'a mut [u8]>,
}

// SAFETY: an exclusive borrow of bytes, which may be sent.
unsafe impl Send for SliceProvider<'_> {}
// SAFETY: a shared reference only tells base and size.
unsafe impl Sync for SliceProvider<'_> {}

impl<'a> SliceProvider<'a> {
    /// The bytes of `memory`, which must start and end at whole machine words to be of use.
    #[must_use]
    pub const fn new(memory: &'a mut [u8]) -> Self {
        Self {
            size: memory.len(),
            base: NonNull::from_mut(memory).cast(),
            memory: PhantomData,
        }
    }

    /// The bytes of whole machine words.
    #[must_use]
    pub const fn from_words(memory: &'a mut [usize]) -> Self {
        Self {
            size: size_of_val(memory),
            base: NonNull::from_mut(memory).cast(),
            memory: PhantomData,
        }
    }
}

// SAFETY: 1 and 2: the borrow gives the bytes away for as long as this value can live. 3: never
// grows.
unsafe impl Provider for SliceProvider<'_> {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn size(&self) -> usize {
        self.size
    }
}

// SAFETY: 1 and 2: promises 1 and 2 of `PageAllocator`; the memory owns its allocator, so nobody
// frees, resets, protects or moves it while this value is given away. 3: promises 3 and 4 there.
unsafe impl<A: PageAllocator> Provider for LinearMemory<A> {
    fn base(&self) -> NonNull<u8> {
        // An allocator without a memory has no bytes, wherever they are.
        self.allocator()
            .base()
            .unwrap_or(NonNull::<usize>::dangling().cast())
    }

    fn size(&self) -> usize {
        Self::size(self)
    }

    fn first_refusal(&self, range: Range<usize>, write: bool) -> Option<usize> {
        self.allocator().first_refusal(range, write)
    }

    fn grow(&mut self, additional_pages: u32) -> Result<(), AllocError> {
        Self::grow(self, additional_pages).map(drop)
    }
}

/// A memory and a second copy of it.
///
/// Invariants: (1) the mirror is at least as large as the memory; (2) it starts at a whole machine
/// word and can be read and written everywhere.
#[derive(Debug)]
pub struct MirroredProvider<P: Provider, M: Provider> {
    memory: P,
    mirror: M,
}

impl<P: Provider, M: Provider> MirroredProvider<P, M> {
    /// `memory`, with its second copy in `mirror`.
    ///
    /// # Errors
    /// As [`AtomicMemoryExt::mirrored_by`].
    pub fn new(memory: P, mirror: M) -> Result<Self, IntegrityError> {
        if mirror.size() < memory.size() {
            return Err(IntegrityError::MirrorTooSmall {
                mirror: mirror.size(),
                size: memory.size(),
            });
        }
        let base = mirror.base();
        if !base.cast::<usize>().is_aligned() {
            return Err(IntegrityError::Misaligned {
                address: base.addr().get(),
                len: mirror.size(),
                word: size_of::<usize>(),
            });
        }
        for write in [false, true] {
            if let Some(offset) = mirror.first_refusal(0..mirror.size(), write) {
                return Err(IntegrityError::Protected { offset });
            }
        }
        Ok(Self { memory, mirror })
    }

    /// The memory and its mirror.
    pub fn into_parts(self) -> (P, M) {
        (self.memory, self.mirror)
    }
}

// SAFETY: 1: both parts promise it, and two values that each own their bytes share none; invariants
// 1 and 2 say that the mirror is large enough, aligned and unprotected. 2: both change only in
// `grow`. 3: the mirror grows first, so that invariant 1 holds whatever fails; the memory promises
// the rest.
unsafe impl<P: Provider, M: Provider> Provider for MirroredProvider<P, M> {
    fn base(&self) -> NonNull<u8> {
        self.memory.base()
    }

    fn size(&self) -> usize {
        self.memory.size()
    }

    fn first_refusal(&self, range: Range<usize>, write: bool) -> Option<usize> {
        self.memory.first_refusal(range, write)
    }

    fn mirror(&self) -> Option<NonNull<u8>> {
        Some(self.mirror.base())
    }

    fn grow(&mut self, additional_pages: u32) -> Result<(), AllocError> {
        let size = self.memory.size();
        let needed = size.saturating_add(pages_to_bytes(additional_pages)?);
        if self.mirror.size() < needed {
            self.mirror.grow(additional_pages)?;
        }
        self.memory.grow(additional_pages)
    }
}
