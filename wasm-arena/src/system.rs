//! The seam: everything that differs between platforms, spoken in regions.
//!
//! An arena system hands out [`Region`]s and takes them back. It keeps no list of them, decides
//! nothing about limits or reuse, and is called only when memory really has to come from or go to
//! the operating system: the layer above ([`Arenas`](crate::Arenas)) keeps released regions.

mod libc_arenas;
mod native;
mod page_system;
mod settings;

use core::alloc::Layout;
use core::ptr::NonNull;

use os::{OsCall, OsError, PageSource, Protection, Reason};

use crate::{AllocError, ArenaOptions, EffectiveConfiguration, RegionLayout};

pub use libc_arenas::LibcArenas;
pub use native::{NativeArenas, SystemPages};
pub use page_system::{MappedPages, PageSystem, PortableArenas};

/// What an arena system is and can do. The answers never change during its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemFacts {
    /// A stable, lower-case name for reports.
    pub name: &'static str,
    /// What its page source can do.
    pub pages: os::Facts,
    /// A guard page occupies memory, so budgets are charged for it.
    pub guards_cost_memory: bool,
    /// It has a reallocation of its own: see [`GrowthPolicy`](crate::GrowthPolicy).
    pub reallocates: bool,
    /// Regions are runs of the page source: their pages may be discarded to zero them, and giving
    /// them back undoes a lock. Pages inside a heap's blocks are neither replaced nor left locked.
    pub regions_are_runs: bool,
}

/// One guarded run of address space, owned by whoever holds this value.
///
/// ```text
///   start ─▶| guard | accessible ▒▒▒▒▒▒▒▒| room, no access | guard | (tail of the run, no access)
///           |       |◀──────── capacity ─────────────────▶|       |
/// ```
///
/// The run may begin before the region does, where a system has to align it.
///
/// Invariants, kept by the arena system that made it: (1) the run of `run_len` bytes is live and
/// belongs to this value alone, and the region lies inside it; (2) exactly `accessible` bytes from
/// the base can be accessed (the layers above may have changed their protection); (3) `accessible`
/// is a multiple of the host page and at most the capacity.
#[derive(Debug)]
pub struct Region {
    run: NonNull<u8>,
    start: NonNull<u8>,
    run_len: usize,
    accessible: usize,
    ever_accessible: usize,
    guarded: bool,
    layout: RegionLayout,
}

// SAFETY: the run belongs to this value alone (invariant 1), wherever it is sent.
unsafe impl Send for Region {}

impl Region {
    /// Describes a live run as a region. For implementations of [`ArenaSystem`].
    ///
    /// # Safety
    /// The invariants of the type hold: the `run_len` bytes from `start` are live, belong to nobody
    /// else, hold `layout` and have exactly its first [`opened`](RegionLayout::opened) bytes of
    /// data accessible.
    #[must_use]
    pub const unsafe fn from_raw_parts(
        start: NonNull<u8>,
        run_len: usize,
        layout: RegionLayout,
    ) -> Self {
        Self {
            run: start,
            start,
            run_len,
            accessible: layout.opened(),
            ever_accessible: layout.opened(),
            guarded: true,
            layout,
        }
    }

    /// The same region, in a run that begins `lead` bytes before it and is longer by as much.
    ///
    /// # Safety
    /// These bytes belong to the run too, as invariant 1 has it.
    #[must_use]
    pub const unsafe fn with_lead(mut self, lead: usize) -> Self {
        // SAFETY: inside the same run, by the caller's promise.
        self.run = unsafe { self.start.sub(lead) };
        self.run_len += lead;
        self
    }

    /// Notes that the guards could not be put up: the region is not to serve another memory. For
    /// implementations of [`ArenaSystem`].
    pub const fn note_guards_down(&mut self) {
        self.guarded = false;
    }

    /// Whether the guards are up. Only a reallocation can leave them down.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// Where the region starts: the front guard, if there is one.
    #[must_use]
    pub const fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Where the run starts: at the region, or a little before.
    #[must_use]
    pub const fn run(&self) -> NonNull<u8> {
        self.run
    }

    /// Bytes of the run; at least [`RegionLayout::total`].
    #[must_use]
    pub const fn run_len(&self) -> usize {
        self.run_len
    }

    /// The layout agreed at acquisition.
    #[must_use]
    pub const fn layout(&self) -> &RegionLayout {
        &self.layout
    }

    /// Where the data starts.
    #[must_use]
    pub const fn base(&self) -> NonNull<u8> {
        // SAFETY: the guard before lies inside the run (invariant 1 and the layout's total).
        unsafe { self.start.add(self.layout.guard_before()) }
    }

    /// Bytes from the base that can be accessed.
    #[must_use]
    pub const fn accessible(&self) -> usize {
        self.accessible
    }

    /// Bytes from the base that were accessible at some time.
    #[must_use]
    pub const fn ever_accessible(&self) -> usize {
        self.ever_accessible
    }

    /// Address of the byte at `offset` from the base.
    ///
    /// # Safety
    /// `offset` is at most the capacity plus the guard after.
    #[must_use]
    pub const unsafe fn address(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: by the caller's promise the result lies inside the run or one past its end.
        unsafe { self.base().add(offset) }
    }

    /// Notes a change of the accessible bytes. For implementations of [`ArenaSystem`].
    ///
    /// # Safety
    /// Exactly `accessible` bytes from the base are accessible now; the number is a multiple of the
    /// host page and at most the capacity.
    pub const unsafe fn set_accessible(&mut self, accessible: usize) {
        self.accessible = accessible;
        if accessible > self.ever_accessible {
            self.ever_accessible = accessible;
        }
    }
}

/// Regions that could not be given back. They are lost on purpose: using them further, or
/// pretending they went back, would be worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unreturned {
    /// How many.
    pub regions: usize,
    /// Their bytes of address space.
    pub bytes: usize,
}

/// Small blocks a system keeps for bookkeeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BookkeepingReport {
    /// Bytes taken from the page source for it.
    pub mapped_bytes: usize,
    /// Bytes in use.
    pub used_bytes: usize,
    /// Arenas kept for the next small block.
    pub cached_arenas: usize,
    /// Arenas taken from the page source so far.
    pub arenas_mapped: usize,
    /// Requests for an arena served by a kept one.
    pub cache_hits: usize,
    /// Requests for an arena that went to the page source.
    pub cache_misses: usize,
}

/// Where regions come from.
///
/// Methods take `&self` and may be called from several threads at once.
///
/// # Safety
/// Callers build memory safety on these promises:
///
/// 1. [`acquire`](Self::acquire) returns a region that keeps the invariants of [`Region`], with the
///    layout asked for, whose accessible bytes are readable, writable and zero. Its base is aligned
///    to the host page or better.
/// 2. After [`open`](Self::open), the newly accessible bytes are readable, writable and zero if
///    they were never opened before or were zero when they were closed; the others are untouched.
/// 3. Where [`os::Facts::can_protect`] is true, an access to a guard or to room that is not open
///    faults.
/// 4. A block of [`allocate_record`](Self::allocate_record) belongs to the caller until it is
///    freed.
/// 5. A failed call leaves the region as it was.
/// 6. [`facts`](Self::facts) and [`source`](Self::source) always give the same answer.
pub unsafe trait ArenaSystem: Send + Sync {
    /// The page source below.
    type Source: PageSource;

    /// It has arenas, so that arena settings mean something, and keeps released regions by default.
    const HAS_ARENAS: bool;

    /// The page source below. Constant time.
    fn source(&self) -> &Self::Source;

    /// What this system can do. Constant time.
    fn facts(&self) -> SystemFacts;

    /// Takes a region from the operating system: one or two calls of the page source, up to six
    /// with readable guards.
    ///
    /// # Errors
    /// The page source refused; nothing is left behind.
    fn acquire(&self, layout: RegionLayout) -> Result<Region, AllocError>;

    /// Makes more of the room accessible: `accessible` bytes from the base, a multiple of the host
    /// page between what is accessible now and the capacity. At most one call.
    ///
    /// # Errors
    /// The page source refused.
    ///
    /// # Safety
    /// The region is one of this system's, and `accessible` is as said above.
    unsafe fn open(&self, region: &mut Region, accessible: usize) -> Result<(), AllocError>;

    /// Makes less accessible: the reverse of [`open`](Self::open). Contents stay. At most one call.
    ///
    /// # Errors
    /// The page source refused.
    ///
    /// # Safety
    /// The region is one of this system's, `accessible` is a multiple of the host page not above
    /// what is accessible now, and nobody holds references into what is closed.
    unsafe fn close(&self, region: &mut Region, accessible: usize) -> Result<(), AllocError>;

    /// Changes the protection of accessible data, given in bytes from the base. One call.
    ///
    /// # Errors
    /// The page source refused.
    ///
    /// # Safety
    /// The region is one of this system's, the range is inside its accessible bytes and aligned to
    /// host pages, and nobody holds references that the new protection contradicts.
    unsafe fn protect(
        &self,
        region: &Region,
        offset: usize,
        len: usize,
        protection: Protection,
    ) -> Result<(), AllocError>;

    /// Makes a region of this system into one of `layout`, by the platform's own reallocation. The
    /// first `keep` bytes of data are kept, further accessible bytes are zero. It may move.
    ///
    /// **Guards are down during the call.** If they cannot be put up again afterwards, the region
    /// says so: [`Region::is_guarded`].
    ///
    /// # Errors
    /// The platform refused, or this system has no reallocation of its own; the region is as it was.
    ///
    /// # Safety
    /// The region is one of this system's; all of its data is readable and writable and not locked;
    /// `keep` is at most what is accessible and what `layout` opens; both layouts have the same
    /// guards; nobody holds references into the data, and nobody uses the memory during the call.
    unsafe fn reallocate(
        &self,
        region: &mut Region,
        layout: RegionLayout,
        keep: usize,
    ) -> Result<(), AllocError> {
        let _unused = keep;
        Err(AllocError::Os(OsError {
            call: OsCall::Reallocate,
            address: region.run().addr().get(),
            len: layout.total(),
            reason: Reason::Unsupported,
        }))
    }

    /// Gives a region back to the operating system. Every byte of it is readable and writable up to
    /// what is accessible. If that fails, the region is counted in [`unreturned`](Self::unreturned).
    ///
    /// # Errors
    /// The page source refused; the region is lost on purpose.
    ///
    /// # Safety
    /// The region is one of this system's, and nobody uses its memory again.
    unsafe fn release(&self, region: Region) -> Result<(), AllocError>;

    /// Regions that could not be given back so far.
    fn unreturned(&self) -> Unreturned;

    /// Applies settings, and notes in `effective` what is in force.
    ///
    /// # Errors
    /// A setting is outside its limits; nothing is changed.
    fn configure(
        &self,
        options: &ArenaOptions,
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), AllocError>;

    /// Takes back what [`configure`](Self::configure) told the process, where settings belong to it:
    /// for a configuration that turned out to be refused as a whole.
    fn withdraw(&self) {}

    /// Brings what [`configure`](Self::configure) noted up to date, where settings belong to the
    /// process and somebody else may have changed them.
    fn review(&self, effective: &mut EffectiveConfiguration) {
        let _nothing_to_add = effective;
    }

    /// A small block for bookkeeping, not zeroed. Constant time; a call only if the kept arenas
    /// are used up.
    ///
    /// # Errors
    /// The page source refused.
    fn allocate_record(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// Takes a block of [`allocate_record`](Self::allocate_record) back. Constant time.
    ///
    /// # Safety
    /// The block is one of this system's, and nobody uses it again.
    unsafe fn free_record(&self, block: NonNull<u8>);

    /// Gives kept memory that is not in use back to the operating system; returns the bytes.
    fn trim(&self) -> usize;

    /// What bookkeeping costs. Constant time.
    fn bookkeeping(&self) -> BookkeepingReport;
}
