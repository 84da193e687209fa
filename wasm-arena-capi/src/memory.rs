//! Memories: what a handle stands for, whichever arenas it draws on.
//!
//! ```text
//!   handle ──▶ Memory ── allocator ──▶ arenas
//!                 ▲        └ budget
//!                 └── atomic operations, while they last: then the handle's functions refuse
//! ```

use core::ops::Range;
use core::ptr::NonNull;

use os::Protection;
use wasm_arena::{
    AllocError, Allocator, AllocatorBuilder, Arenas, EffectiveConfiguration, MappedPages,
    MemoryOptions, MemoryStatistics, NativeArenas, PageAllocator, QnxArenaAllocatorConfig,
    RegionPart, SystemPages, VerificationLevel,
};

use crate::arenas::AnyArenas;
use crate::budget::Budget;
use crate::failure::Failure;
use crate::handles::{Kind, Object, Owned, Pinned};
use crate::memory_calls::wasm_arena_memory_t;
use crate::shared::Shared;

/// An allocator on either kind of arenas.
#[derive(Debug)]
enum AnyAllocator {
    Native(Allocator<Shared<Arenas<NativeArenas>>>),
    Mapped(Allocator<Shared<Arenas<MappedPages<SystemPages>>>>),
}

/// A memory, or an allocator that waits for one.
///
/// Invariant: `_budget` is the budget in the allocator's options, if there is one; it is dropped
/// after the allocator.
#[derive(Debug)]
pub(crate) struct Memory {
    allocator: AnyAllocator,
    _budget: Option<Shared<Budget>>,
}

// SAFETY: the only type of this kind.
unsafe impl Object for Memory {
    type Opaque = wasm_arena_memory_t;
    const KIND: Kind = Kind::Memory;

    /// Refused while atomic operations have it.
    fn look(pinned: &Pinned<Self>) -> Result<&Self, Failure> {
        // Only atomic operations take a further reference, and only while nobody else has pinned
        // the handle: so a memory that is not lent now stays so while this pin lasts.
        if pinned.references() == 1 {
            Ok(pinned)
        } else {
            Err(LENT)
        }
    }

    /// Refused while atomic operations have it.
    fn change(owned: &mut Owned<Self>) -> Result<&mut Self, Failure> {
        owned.get_mut().ok_or(LENT)
    }
}

const LENT: Failure = Failure::Lent { argument: "memory" };

/// Does the same with either kind of allocator.
macro_rules! each {
    ($memory:expr, $allocator:ident => $work:expr) => {
        match $memory {
            AnyAllocator::Native($allocator) => $work,
            AnyAllocator::Mapped($allocator) => $work,
        }
    };
}

/// What a memory is made with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Without the budget, which is given apart.
    pub(crate) options: MemoryOptions,
    pub(crate) budget: Option<Shared<Budget>>,
    pub(crate) refuse_partial: bool,
}

impl Memory {
    /// An allocator on `arenas`, without a memory yet.
    ///
    /// # Errors
    /// An option is wrong.
    pub(crate) fn new(arenas: &AnyArenas, settings: Settings) -> Result<Self, Failure> {
        let mut config = QnxArenaAllocatorConfig::default();
        config.memory = settings.options;
        // SAFETY: the budget is kept beside the allocator, and dropped after it (invariant).
        config.memory.budget = settings
            .budget
            .as_ref()
            .map(|budget| unsafe { crate::budget::reference(budget) });
        config.refuse_partial = settings.refuse_partial;
        let allocator = match arenas {
            AnyArenas::Native(arenas) => AnyAllocator::Native(
                AllocatorBuilder::from_config(config).build_in(arenas.clone())?,
            ),
            AnyArenas::Mapped(arenas) => AnyAllocator::Mapped(
                AllocatorBuilder::from_config(config).build_in(arenas.clone())?,
            ),
        };
        Ok(Self {
            allocator,
            _budget: settings.budget,
        })
    }

    pub(crate) fn allocate_pages(
        &mut self,
        initial: u32,
        maximum: Option<u32>,
    ) -> Result<NonNull<u8>, AllocError> {
        let (base, _) = each!(&mut self.allocator, a => a.allocate(initial, maximum))?;
        Ok(base)
    }

    pub(crate) fn allocate_bytes(
        &mut self,
        initial: usize,
        maximum: Option<usize>,
        capacity: Option<usize>,
    ) -> Result<NonNull<u8>, AllocError> {
        let (base, _) = each!(&mut self.allocator, a => match capacity {
            Some(capacity) => a.allocate_with_capacity(initial, maximum, capacity),
            None => a.allocate_bytes(initial, maximum),
        })?;
        Ok(base)
    }

    pub(crate) fn grow_pages(
        &mut self,
        current: u32,
        additional: u32,
    ) -> Result<NonNull<u8>, AllocError> {
        each!(&mut self.allocator, a => a.grow(current, additional))
    }

    pub(crate) fn grow_bytes(&mut self, additional: usize) -> Result<NonNull<u8>, AllocError> {
        each!(&mut self.allocator, a => a.grow_bytes(additional))
    }

    pub(crate) fn protect(
        &mut self,
        offset: usize,
        len: usize,
        protection: Protection,
    ) -> Result<(), AllocError> {
        each!(&mut self.allocator, a => a.protect(offset, len, protection))
    }

    pub(crate) fn reset(&mut self) -> Result<(), AllocError> {
        each!(&mut self.allocator, a => a.reset())
    }

    pub(crate) fn free(&mut self) -> Result<(), AllocError> {
        each!(&mut self.allocator, a => a.free())
    }

    pub(crate) const fn set_sealed(&mut self, sealed: bool) {
        each!(&mut self.allocator, a => if sealed { a.seal() } else { a.unseal() });
    }

    pub(crate) const fn set_level(&mut self, level: VerificationLevel) {
        each!(&mut self.allocator, a => a.set_verification_level(level));
    }

    pub(crate) fn verify(&self) -> Result<(), AllocError> {
        each!(&self.allocator, a => a.verify())
    }

    pub(crate) fn base(&self) -> Option<NonNull<u8>> {
        each!(&self.allocator, a => a.base())
    }

    pub(crate) fn size(&self) -> usize {
        each!(&self.allocator, a => a.size())
    }

    pub(crate) fn capacity(&self) -> usize {
        each!(&self.allocator, a => a.capacity())
    }

    pub(crate) fn first_refusal(&self, range: Range<usize>, write: bool) -> Option<usize> {
        each!(&self.allocator, a => a.first_refusal(range, write))
    }

    pub(crate) fn statistics(&self) -> &MemoryStatistics {
        each!(&self.allocator, a => a.statistics())
    }

    pub(crate) fn effective_configuration(&self) -> &EffectiveConfiguration {
        each!(&self.allocator, a => a.effective_configuration())
    }

    pub(crate) fn describe_address(&self, address: usize) -> Option<RegionPart> {
        each!(&self.allocator, a => a.describe_address(address))
    }

    /// The address of a range, if it is inside the memory and nothing forbids the access.
    fn check(&self, offset: usize, len: usize, write: bool) -> Result<NonNull<u8>, AllocError> {
        let base = self.base().ok_or(AllocError::NotAllocated)?;
        let size = self.size();
        let end = offset
            .checked_add(len)
            .filter(|&end| end <= size)
            .ok_or(AllocError::OutOfRange { offset, len, size })?;
        if let Some(offset) = self.first_refusal(offset..end, write) {
            return Err(AllocError::Protected { offset });
        }
        // SAFETY: at most the size, which was just compared: inside the memory or one past it.
        Ok(unsafe { base.add(offset) })
    }

    /// Copies bytes out of the memory.
    ///
    /// # Errors
    /// Out of range, or protected; the target is as it was.
    pub(crate) fn read(&self, offset: usize, target: &mut [u8]) -> Result<(), AllocError> {
        let start = self.check(offset, target.len(), false)?;
        // SAFETY: readable, initialised memory (promise 1 of `PageAllocator`, and the check). The
        // target may be a part of it, in another place of the program: so a copy that allows it.
        unsafe { start.copy_to(NonNull::from_mut(target).cast(), target.len()) };
        Ok(())
    }

    /// Copies bytes into the memory.
    ///
    /// # Errors
    /// Out of range, or protected; nothing is written.
    pub(crate) fn write(&mut self, offset: usize, source: &[u8]) -> Result<(), AllocError> {
        let start = self.check(offset, source.len(), true)?;
        // SAFETY: writable memory (as for `read`), which is borrowed exclusively.
        unsafe { start.copy_from(NonNull::from_ref(source).cast(), source.len()) };
        Ok(())
    }
}
