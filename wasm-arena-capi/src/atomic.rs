//! A memory under atomic operations: what the handle stands for.

use core::ops::Range;
use core::ptr::NonNull;

use os::{Counted, OsPages};
use wasm_arena::{
    AllocError, AtomicMemoryOps, IntegrityError, MappedTable, Provider, bytes_to_pages,
    pages_to_bytes,
};

use crate::atomic_calls::wasm_arena_atomic_t;
use crate::failure::Failure;
use crate::handles::{Kind, Object, Owned};
use crate::memory::Memory;
use crate::shared::{HEAP, Shared};

/// The memory under atomic operations, and its second copy.
///
/// Invariant: while this value exists, nobody else reaches the memories through their handles: these
/// refuse as soon as there is a further reference (`Memory::look`), which is made while the
/// handle has one user.
#[derive(Debug)]
pub(crate) struct Lent {
    memory: Shared<Memory>,
    mirror: Option<Shared<Memory>>,
}

impl Lent {
    /// Takes a memory that nobody else uses at this moment.
    fn take(
        memory: &mut Owned<Memory>,
        mirror: Option<&mut Owned<Memory>>,
    ) -> Result<Self, Failure> {
        let size = allocated(memory)?;
        let mirror = mirror.map(|mirror| {
            let mirror_size = allocated(mirror)?;
            if mirror_size < size {
                return Err(IntegrityError::MirrorTooSmall {
                    mirror: mirror_size,
                    size,
                }
                .into());
            }
            for write in [false, true] {
                if let Some(offset) = mirror.first_refusal(0..mirror_size, write) {
                    return Err(Failure::from(IntegrityError::Protected { offset }));
                }
            }
            Ok(mirror.share())
        });
        Ok(Self {
            mirror: mirror.transpose()?,
            memory: memory.share(),
        })
    }
}

fn allocated(memory: &mut Owned<Memory>) -> Result<usize, Failure> {
    let memory = Memory::change(memory)?;
    match memory.base() {
        Some(_) => Ok(memory.size()),
        None => Err(AllocError::NotAllocated.into()),
    }
}

fn grow(memory: &mut Shared<Memory>, additional_pages: u32) -> Result<(), AllocError> {
    let mut pointer = memory.value_pointer();
    // SAFETY: nobody else reaches the memory (invariant of `Lent`), which is borrowed exclusively.
    let memory = unsafe { pointer.as_mut() };
    let current = bytes_to_pages(memory.size());
    memory.grow_pages(current, additional_pages).map(drop)
}

// SAFETY: 1 and 2: promises 1 and 2 of `PageAllocator`, which the memories are; nobody frees,
// resets, protects or moves them meanwhile (invariant). Two memories share no bytes; the second is
// at least as large, aligned to a host page and unprotected, as `take` saw. 3: promises 3 and 4 of
// `PageAllocator`; the mirror grows first, so that it is never the smaller one.
unsafe impl Provider for Lent {
    fn base(&self) -> NonNull<u8> {
        self.memory
            .base()
            .unwrap_or(NonNull::<usize>::dangling().cast())
    }

    fn size(&self) -> usize {
        self.memory.size()
    }

    fn first_refusal(&self, range: Range<usize>, write: bool) -> Option<usize> {
        self.memory.first_refusal(range, write)
    }

    fn mirror(&self) -> Option<NonNull<u8>> {
        self.mirror.as_ref().and_then(|mirror| mirror.base())
    }

    fn grow(&mut self, additional_pages: u32) -> Result<(), AllocError> {
        let needed = self
            .size()
            .saturating_add(pages_to_bytes(additional_pages)?);
        if let Some(mirror) = &mut self.mirror
            && mirror.size() < needed
        {
            grow(mirror, additional_pages)?;
        }
        grow(&mut self.memory, additional_pages)
    }
}

type Table = MappedTable<&'static Counted<OsPages>>;

/// What the handle stands for.
#[derive(Debug)]
pub(crate) struct Atomic(pub(crate) AtomicMemoryOps<Lent, Table>);

// SAFETY: the only type of this kind.
unsafe impl Object for Atomic {
    type Opaque = wasm_arena_atomic_t;
    const KIND: Kind = Kind::Atomic;
}

impl Atomic {
    /// Takes a memory and its mirror, which nobody else uses at this moment.
    ///
    /// # Errors
    /// They cannot be checked, or there is no memory for the table; they are as they were.
    pub(crate) fn new(
        memory: &mut Owned<Memory>,
        mirror: Option<&mut Owned<Memory>>,
        table_entries: usize,
    ) -> Result<Self, Failure> {
        let table = MappedTable::new(HEAP.source(), table_entries)?;
        let lent = Lent::take(memory, mirror)?;
        Ok(Self(AtomicMemoryOps::with_table(lent, table)?))
    }
}
