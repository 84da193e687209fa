//! One linear memory on arenas: the generic core behind every allocator a user sees.
//!
//! ```text
//!   PageAllocator: pages        bytes: allocate_bytes, grow_bytes      the two faces
//!                 ╲            ╱
//!                  Allocator          limits, budget, verification, accounts, protections
//!                      │
//!                   Arenas            regions: fresh or kept
//! ```
//!
//! The core holds at most one memory. It never panics, and a refused request leaves the memory as
//! it was. The steps live in files of their own: `life` (allocate, reset, free), `growth`,
//! `protection`, `checks`.

mod books;
mod checks;
mod growth;
mod life;
mod plan;
mod protection;
mod resolve;

use core::ops::Range;
use core::ptr::NonNull;

use os::{OsCall, Protection};

use crate::arenas::HeldRegion;
use crate::protection_map::ProtectionMap;
use crate::{
    AllocError, ArenaSystem, Arenas, ArenasRef, BudgetCharge, EffectiveConfiguration, MemoryId,
    MemoryOptions, MemoryStatistics, PageAllocator, RegionPart, SystemFacts, VerificationLevel,
    bytes_to_pages, pages_to_bytes,
};
use books::{Books, Entry};

/// An allocator of one linear memory, on arenas of type `R`.
///
/// [`QnxArenaAllocator`](crate::QnxArenaAllocator) and [`QnxAllocator`](crate::QnxAllocator) are
/// this type with a choice of arena system. Make one with the builder of the same name.
///
/// ```
/// use wasm_arena::{PageAllocator, QnxArenaAllocatorBuilder};
///
/// let mut allocator = QnxArenaAllocatorBuilder::new().build()?;
/// let (base, size) = allocator.allocate(1, Some(4))?;
/// assert_eq!(size, 65_536);
/// allocator.grow(1, 2)?;
/// assert_eq!(allocator.size(), 3 * 65_536);
/// assert!(allocator.grow(3, 2).is_err());
/// allocator.free()?;
/// # let _ = base;
/// # Ok::<(), wasm_arena::AllocError>(())
/// ```
#[derive(Debug)]
pub struct Allocator<R: ArenasRef> {
    arenas: R,
    options: MemoryOptions,
    effective: EffectiveConfiguration,
    live: Option<Live>,
    /// Those of the memory held. Beside it, because it is large and rarely in use.
    protections: ProtectionMap,
    statistics: MemoryStatistics,
    sealed: bool,
    operations: u32,
}

/// The memory an allocator holds.
///
/// Invariants: (1) the first `accessible` bytes of the region have the protections of the map, and
/// those above the high-water mark are zero; (2) size <= high-water mark <= accessible; (3) the
/// region came from the allocator's arenas.
#[derive(Debug)]
struct Live {
    id: MemoryId,
    held: HeldRegion,
    books: Books,
    charge: Option<BudgetCharge>,
}

impl Live {
    const fn size(&self) -> usize {
        self.books.get(Entry::Size)
    }

    const fn base(&self) -> NonNull<u8> {
        self.held.region().base()
    }

    /// Sets the size, and remembers how far the data ever reached.
    fn set_size(&mut self, size: usize) {
        self.books.set(Entry::Size, size);
        if size > self.books.get(Entry::HighWater) {
            self.books.set(Entry::HighWater, size);
        }
        self.held.publish_size(size);
    }
}

impl<R: ArenasRef> Allocator<R> {
    /// An allocator on `arenas`, without a memory yet. The builders are the usual way here.
    ///
    /// # Errors
    /// An option is wrong: [`AllocError::Misaligned`], [`AllocError::InvalidOption`],
    /// [`AllocError::WriteAndExecute`].
    pub fn new(arenas: R, options: MemoryOptions) -> Result<Self, AllocError> {
        let mut effective = arenas.arenas().effective_configuration();
        let options = resolve::resolve(options, &arenas.arenas().system().facts(), &mut effective)?;
        Ok(Self {
            arenas,
            options,
            effective,
            live: None,
            protections: ProtectionMap::new(Protection::ReadWrite),
            statistics: MemoryStatistics::default(),
            sealed: false,
            operations: 0,
        })
    }

    /// Whether an allocator with these options could be made on a system.
    pub(crate) fn check_options(
        options: &MemoryOptions,
        facts: &SystemFacts,
        refuse_partial: bool,
    ) -> Result<(), AllocError> {
        let mut effective = EffectiveConfiguration::empty();
        resolve::resolve(options.clone(), facts, &mut effective)?;
        match effective.first_deviation().filter(|_| refuse_partial) {
            Some(deviation) => Err(AllocError::PartialConfiguration {
                option: deviation.option,
            }),
            None => Ok(()),
        }
    }

    /// The arenas below.
    pub fn arenas(&self) -> &Arenas<R::System> {
        self.arenas.arenas()
    }

    /// What was asked for, and what is in force.
    pub const fn effective_configuration(&self) -> &EffectiveConfiguration {
        &self.effective
    }

    /// The account of the memory held, or held last.
    pub const fn statistics(&self) -> &MemoryStatistics {
        &self.statistics
    }

    /// The number of the memory held.
    pub fn id(&self) -> Option<MemoryId> {
        self.live.as_ref().map(|live| live.id)
    }

    /// Bytes the memory held can grow to without moving.
    pub fn capacity(&self) -> usize {
        self.live
            .as_ref()
            .map_or(0, |live| live.held.region().layout().capacity())
    }

    /// The maximum agreed at allocation, in bytes.
    pub fn maximum(&self) -> Option<usize> {
        self.live.as_ref().and_then(|live| live.books.maximum())
    }

    /// From now on this memory asks nothing of the operating system: what would need a call is
    /// refused with [`AllocError::Sealed`]. To seal all memories on the same arenas, see
    /// [`Arenas::seal`].
    pub const fn seal(&mut self) {
        self.sealed = true;
    }

    /// Undoes [`seal`](Self::seal).
    pub const fn unseal(&mut self) {
        self.sealed = false;
    }

    /// How much is checked.
    pub const fn verification_level(&self) -> VerificationLevel {
        self.options.verification_level
    }

    /// Changes how much is checked, from the next operation on.
    pub const fn set_verification_level(&mut self, level: VerificationLevel) {
        self.options.verification_level = level;
    }

    /// Which part of the memory held `address` falls in; `None` if it lies outside. Constant time,
    /// no lock, no system call.
    pub fn describe_address(&self, address: usize) -> Option<RegionPart> {
        let live = self.live.as_ref()?;
        let region = live.held.region();
        region
            .layout()
            .part_at(region.start().addr().get(), live.size(), address)
    }

    fn permit(&self, needed: OsCall) -> Result<(), AllocError> {
        if self.sealed {
            Err(AllocError::Sealed { needed })
        } else {
            self.arenas().permit(needed)
        }
    }

    fn live(&self) -> Result<&Live, AllocError> {
        self.live.as_ref().ok_or(AllocError::NotAllocated)
    }

    /// `bytes`, rounded up to whole host pages. Sizes were checked against the region's layout
    /// before, so this cannot overflow; if it did, the layout would refuse the result.
    fn whole_pages(&self, bytes: usize) -> usize {
        self.arenas()
            .system()
            .facts()
            .pages
            .page_size
            .round_up(bytes)
            .unwrap_or(usize::MAX)
    }

    /// Bytes a budget is charged for a memory of this size in a region of this capacity: what can
    /// occupy memory, whether or not it was written.
    fn cost(&self, size: usize, capacity: usize) -> usize {
        let facts = self.arenas().system().facts();
        let guards = if facts.guards_cost_memory {
            self.statistics.guard_before_bytes + self.statistics.guard_after_bytes
        } else {
            0
        };
        let data = if facts.pages.reserves_for_free {
            size
        } else {
            capacity
        };
        self.whole_pages(data).saturating_add(guards)
    }
}

// SAFETY: 1 and 2: the base and the size are those of the region held, whose accessible bytes are
// zeroed by the arenas and protected as the map says (invariants of `Live`); nothing but the steps
// named changes them. 3: bytes above the high-water mark are zero, those below it are zeroed by
// reset and before reuse. 4: growth in place leaves old bytes alone, growth by moving copies them
// and puts the protections back before the old region goes.
unsafe impl<R: ArenasRef> PageAllocator for Allocator<R> {
    fn allocate(
        &mut self,
        initial_pages: u32,
        maximum_pages: Option<u32>,
    ) -> Result<(NonNull<u8>, usize), AllocError> {
        let initial = pages_to_bytes(initial_pages)?;
        if let Some(maximum) = maximum_pages.filter(|&maximum| maximum < initial_pages) {
            return Err(AllocError::MaximumBelowInitial {
                initial,
                maximum: pages_to_bytes(maximum)?,
            });
        }
        // A maximum above the address space is no error: it is never reached.
        let maximum =
            maximum_pages.map(|pages| pages_to_bytes(pages).unwrap_or(isize::MAX as usize));
        self.allocate_bytes(initial, maximum)
    }

    fn grow(
        &mut self,
        current_pages: u32,
        additional_pages: u32,
    ) -> Result<NonNull<u8>, AllocError> {
        let actual = bytes_to_pages(self.live()?.size());
        if current_pages != actual {
            return Err(AllocError::PageCountMismatch {
                given: current_pages,
                actual,
            });
        }
        match pages_to_bytes(additional_pages) {
            Ok(additional) => self.grow_bytes(additional),
            Err(too_large) => {
                self.statistics.refused_grows += 1;
                let requested = (u64::from(current_pages) + u64::from(additional_pages)) << 16;
                Err(self
                    .maximum()
                    .map_or(too_large, |maximum| AllocError::BeyondMaximum {
                        requested,
                        maximum,
                    }))
            }
        }
    }

    fn protect(
        &mut self,
        offset: usize,
        len: usize,
        protection: Protection,
    ) -> Result<(), AllocError> {
        self.protect_bytes(offset, len, protection)
    }

    fn reset(&mut self) -> Result<(), AllocError> {
        self.reset_memory()
    }

    fn free(&mut self) -> Result<(), AllocError> {
        self.free_memory()
    }

    fn base(&self) -> Option<NonNull<u8>> {
        self.live.as_ref().map(Live::base)
    }

    fn size(&self) -> usize {
        self.live.as_ref().map_or(0, Live::size)
    }

    fn first_refusal(&self, range: Range<usize>, write: bool) -> Option<usize> {
        self.live.as_ref()?;
        self.protections.first_refusal(range, |protection| {
            if write {
                protection.can_write()
            } else {
                protection.can_read()
            }
        })
    }
}

impl<R: ArenasRef> Drop for Allocator<R> {
    /// Ends the memory. What cannot be given back is counted by the arenas.
    fn drop(&mut self) {
        self.abandon();
    }
}
