//! Linear memories: at most N, each with an allocator of its own.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use os::Mutex;
use spacewasm::WasmMemoryAllocator;
use wasm_arena::{
    AllocError, Allocator, ArenaSystem, ArenasRef, MemoryOptions, MemoryStatistics, PageAllocator,
    Protection,
};

use crate::MemoryError;

/// Linear memories from arenas, at most `N` at a time, for SpaceWasm.
///
/// `R` is a way to the arenas that can be copied: `&'static Arenas`, or with the feature `alloc` of
/// `wasm-arena` an `Arc`. Every memory has guards, limits, budget and checks as the options say.
pub struct ArenaMemories<R: ArenasRef + Clone, const N: usize> {
    arenas: R,
    options: MemoryOptions,
    maximum: usize,
    table: Mutex<Table<R, N>>,
}

struct Table<R: ArenasRef, const N: usize> {
    /// Of the memories that live.
    places: [Option<Allocator<R>>; N],
    refusals: usize,
    last_refusal: Option<MemoryError>,
    /// Memories that were to end and were not to be found, or not in one piece.
    strays: usize,
}

impl<R: ArenasRef + Clone, const N: usize> ArenaMemories<R, N> {
    /// Memories from `arenas` with these options. Takes nothing from them yet.
    ///
    /// # Errors
    /// [`MemoryError::DataProtection`]; [`MemoryError::Alloc`] for a value outside its limits.
    ///
    /// # Safety
    /// `WasmMemoryAllocator`'s methods on the result are called by SpaceWasm alone. (They are safe to
    /// call as SpaceWasm declares them, although one ends a memory that others may still use.)
    pub unsafe fn new(arenas: R, options: MemoryOptions) -> Result<Self, MemoryError> {
        if options.data_protection != Protection::ReadWrite {
            return Err(MemoryError::DataProtection);
        }
        // Finds values that the arenas would refuse at the first memory.
        Allocator::new(arenas.clone(), options.clone())?;
        Ok(Self {
            arenas,
            options,
            maximum: isize::MAX as usize,
            table: Mutex::new(Table {
                places: [const { None }; N],
                refusals: 0,
                last_refusal: None,
                strays: 0,
            }),
        })
    }

    /// No memory gets larger than that many bytes, whatever its module declares: decoding fails if
    /// its initial size is larger, and growing beyond answers -1.
    #[must_use]
    pub const fn with_maximum_bytes(mut self, bytes: usize) -> Self {
        self.maximum = bytes;
        self
    }

    /// Memories that live.
    pub fn live(&self) -> usize {
        self.table.lock().places.iter().flatten().count()
    }

    /// How often a memory or a growth was refused.
    pub fn refusals(&self) -> usize {
        self.table.lock().refusals
    }

    /// Why the last one was refused: the guest only ever sees -1.
    pub fn last_refusal(&self) -> Option<MemoryError> {
        self.table.lock().last_refusal
    }

    /// Ends that went wrong: of a memory nobody knows (which a call by somebody else than SpaceWasm
    /// would explain), or of one whose region could not be given back.
    pub fn strays(&self) -> usize {
        self.table.lock().strays
    }

    /// Shows the account of every memory that lives. Nothing may be asked of this value meanwhile.
    pub fn for_each(&self, mut show: impl FnMut(&MemoryStatistics)) {
        for memory in self.table.lock().places.iter().flatten() {
            show(memory.statistics());
        }
    }

    /// Checks bookkeeping and guards of every memory.
    ///
    /// # Errors
    /// [`AllocError::BookkeepingDamaged`] or [`AllocError::GuardDamaged`].
    pub fn verify(&self) -> Result<(), AllocError> {
        let table = self.table.lock();
        table
            .places
            .iter()
            .flatten()
            .try_for_each(Allocator::verify)
    }

    fn make(&self, layout: Layout) -> Result<Allocator<R>, MemoryError> {
        let host_page = self.arenas.arenas().system().facts().pages.page_size.get();
        if layout.align() > host_page {
            return Err(MemoryError::Alignment {
                requested: layout.align(),
                host_page,
            });
        }
        let mut allocator = Allocator::new(self.arenas.clone(), self.options.clone())?;
        // A memory that is larger at its start already is refused by this, with both numbers.
        allocator.allocate_bytes(layout.size(), Some(self.maximum))?;
        Ok(allocator)
    }
}

impl<R: ArenasRef, const N: usize> Table<R, N> {
    fn of(&mut self, base: NonNull<u8>) -> Option<&mut Option<Allocator<R>>> {
        self.places.iter_mut().find(|place| {
            place
                .as_ref()
                .is_some_and(|memory| memory.base() == Some(base))
        })
    }

    fn insert(&mut self, memory: Allocator<R>) -> Result<NonNull<u8>, MemoryError> {
        let base = memory.base().ok_or(AllocError::NotAllocated)?;
        let free = self.places.iter_mut().find(|place| place.is_none());
        *free.ok_or(MemoryError::TooManyMemories { limit: N })? = Some(memory);
        Ok(base)
    }

    fn grow(
        &mut self,
        base: NonNull<u8>,
        from: usize,
        to: usize,
    ) -> Result<NonNull<u8>, MemoryError> {
        let place = self.of(base).and_then(Option::as_mut);
        let memory = place.ok_or(MemoryError::Unknown)?;
        let size = memory.size();
        match to.checked_sub(size) {
            Some(additional) if size == from => Ok(memory.grow_bytes(additional)?),
            _ => Err(MemoryError::Unknown),
        }
    }

    /// What SpaceWasm is told, which has three words for it.
    fn answer(
        &mut self,
        outcome: Result<NonNull<u8>, MemoryError>,
    ) -> Result<NonNull<u8>, spacewasm::AllocError> {
        outcome.map_err(|why| {
            self.refusals += 1;
            self.last_refusal = Some(why);
            match why {
                MemoryError::Unknown | MemoryError::Alignment { .. } => {
                    spacewasm::AllocError::AllocationFailed
                }
                _ => spacewasm::AllocError::OutOfMemory,
            }
        })
    }
}

impl<R: ArenasRef + Clone, const N: usize> WasmMemoryAllocator for ArenaMemories<R, N> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, spacewasm::AllocError> {
        // Not under the lock: it may call the operating system.
        let made = self.make(layout);
        let mut table = self.table.lock();
        let outcome = made.and_then(|memory| table.insert(memory));
        table.answer(outcome)
    }

    /// In place while there is room, otherwise by moving; a refusal leaves everything as it was.
    fn reallocate(
        &self,
        ptr: NonNull<u8>,
        old_layout: Layout,
        layout: Layout,
    ) -> Result<NonNull<u8>, spacewasm::AllocError> {
        let mut table = self.table.lock();
        let outcome = table.grow(ptr, old_layout.size(), layout.size());
        table.answer(outcome)
    }

    fn deallocate(&self, ptr: NonNull<u8>, _: Layout) {
        let ended = self.table.lock().of(ptr).and_then(Option::take);
        let is_whole = ended.is_some_and(|mut memory| memory.free().is_ok());
        if !is_whole {
            self.table.lock().strays += 1;
        }
    }
}

impl<R: ArenasRef + Clone, const N: usize> fmt::Debug for ArenaMemories<R, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaMemories")
            .field("system", &self.arenas.arenas().system().facts().name)
            .field("places", &N)
            .field("live", &self.live())
            .field("maximum", &self.maximum)
            .finish_non_exhaustive()
    }
}
