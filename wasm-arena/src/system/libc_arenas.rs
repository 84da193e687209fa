//! Regions inside blocks of the C library's heap: the native arena system of QNX.
//!
//! ```text
//!   heap's page    the block: whole host pages, from posix_memalign(host page, total)  heap's page
//!   ...........|hdr│ guard │ data ............. │ room to grow ...... │ guard │ftr..........
//!                  │◀─────────── what may ever be protected ─────────▶│
//! ```
//!
//! The heap keeps a word before each block and one behind it, writes into the start of a block that
//! it takes back, and copies whole blocks when it reallocates. Hence the rules, each for one of the
//! traps of qnx-facts §9:
//!
//! 1. Base and parts are whole host pages, and only pages of the block are ever protected, so that
//!    the heap's own words stay reachable (§9.9, §9.10, §9.14).
//! 2. Before `free` and `realloc` every page of the block is readable and writable again (§9.1,
//!    §9.3). If that cannot be had, the block is leaked on purpose and counted (§9.2).
//! 3. Everything is zeroed here: the heap hands out what others left (§9.13).
//! 4. What `realloc` returns may lie anywhere, so it is aligned again before use (§9.4).
//! 5. No page inside a block is replaced or unmapped: the heap will touch it again (§6.5).
//!
//! Guards and room to grow occupy memory in such a block, whatever their protection (§6.4).

mod configure;
mod process;
mod reallocate;

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use os::{HeapUsage, Mutex, NativeHeap, PageSource, Protection, QnxVersion};

use super::{ArenaSystem, BookkeepingReport, Region, SystemFacts, Unreturned};
use crate::{AllocError, ArenaOptions, EffectiveConfiguration, RegionLayout};
use configure::Applied;

/// The least alignment asked of the heap, in bytes: 8 might be refused (qnx-facts §4.7).
const LEAST_ALIGNMENT: usize = 16;

/// The native arena system: regions are blocks of the heap `H`, whose pages are protected through
/// the page source `P`.
///
/// On QNX 7.0 and 7.1 [`QnxArenaAllocator`](crate::QnxArenaAllocator) is built on it. Settings are
/// the process's: the [effective configuration](crate::EffectiveConfiguration) says which, what
/// they replaced, and which of them only the environment can make.
#[derive(Debug)]
pub struct LibcArenas<H: NativeHeap, P: PageSource> {
    heap: H,
    pages: P,
    applied: Mutex<Applied>,
    records: AtomicUsize,
    record_bytes: AtomicUsize,
    unreturned_regions: AtomicUsize,
    unreturned_bytes: AtomicUsize,
}

impl<H: NativeHeap, P: PageSource> LibcArenas<H, P> {
    /// A system over a heap and the pages its blocks lie on. Asks nothing of them yet.
    #[must_use]
    pub const fn new(heap: H, pages: P) -> Self {
        Self {
            heap,
            pages,
            applied: Mutex::new(Applied::NOTHING),
            records: AtomicUsize::new(0),
            record_bytes: AtomicUsize::new(0),
            unreturned_regions: AtomicUsize::new(0),
            unreturned_bytes: AtomicUsize::new(0),
        }
    }

    /// Whose rules are followed.
    pub fn version(&self) -> QnxVersion {
        self.heap.version()
    }

    /// What the heap holds for the whole process (`mallinfo`). One call.
    pub fn heap_usage(&self) -> HeapUsage {
        self.heap.usage()
    }

    /// A block with nothing protected in it: all of it is anything.
    fn block(&self, total: usize) -> Result<NonNull<u8>, AllocError> {
        let limit = self.version().profile().largest_block;
        if total > limit {
            return Err(AllocError::BeyondBlockLimit {
                requested: total,
                limit,
            });
        }
        let page = self.pages.facts().page_size.get();
        Ok(self.heap.allocate(page.max(LEAST_ALIGNMENT), total)?)
    }

    /// Makes every page of a region readable and writable. One call.
    ///
    /// # Safety
    /// The region is one of this system's, and nobody relies on its protections.
    unsafe fn lift(&self, region: &Region) -> Result<(), AllocError> {
        let total = region.layout().total();
        // SAFETY: whole pages of our own block (rule 1).
        unsafe {
            self.pages
                .protect(region.start(), total, Protection::ReadWrite)?;
        };
        Ok(())
    }

    /// Puts the guards of a region up, and closes its room. Two calls, or one without a guard
    /// before; three if guards can be read and there is room.
    ///
    /// # Safety
    /// The region is one of this system's; from its base exactly its accessible bytes are in use.
    unsafe fn guard(&self, region: &Region) -> Result<(), AllocError> {
        let layout = region.layout();
        let protection = if layout.guards_readable() {
            Protection::Read
        } else {
            Protection::None
        };
        // Room and guard behind it are closed in one call where they get the same protection.
        let (room_end, guard_start) = if layout.guards_readable() {
            (layout.capacity(), layout.capacity())
        } else {
            (region.accessible(), region.accessible())
        };
        // SAFETY: both are within the capacity.
        let room = unsafe { region.address(region.accessible()) };
        // SAFETY: as above.
        let after = unsafe { region.address(guard_start) };
        let after_len = layout.capacity() + layout.guard_after() - guard_start;
        // What can be closed is closed, whatever was refused before.
        let mut refusal = Ok(());
        for (address, len, protection) in [
            (region.start(), layout.guard_before(), protection),
            (room, room_end - region.accessible(), Protection::None),
            (after, after_len, protection),
        ] {
            if len > 0 {
                // SAFETY: whole pages of our own block (rule 1), none of them accessible data.
                let closed = unsafe { self.pages.protect(address, len, protection) };
                refusal = refusal.and(closed);
            }
        }
        Ok(refusal?)
    }

    /// Zeroes what must read as zero in a region whose pages are all writable: data from `keep` on,
    /// and guards that can be read.
    ///
    /// # Safety
    /// The region is one of this system's, every page of it is writable, and the bytes named are
    /// nobody's.
    unsafe fn clear(region: &Region, keep: usize) {
        // SAFETY: callers keep no more than is accessible.
        let data = unsafe { region.address(keep) };
        // SAFETY: accessible data of the region.
        unsafe { data.write_bytes(0, region.accessible() - keep) };
        let layout = region.layout();
        if layout.guards_readable() {
            // SAFETY: the guard before lies at the start of the region.
            unsafe { region.start().write_bytes(0, layout.guard_before()) };
            // SAFETY: the capacity ends inside the region.
            let after = unsafe { region.address(layout.capacity()) };
            // SAFETY: the guard after lies behind the capacity.
            unsafe { after.write_bytes(0, layout.guard_after()) };
        }
    }

    /// Notes a region that is leaked on purpose.
    fn leak(&self, region: &Region) {
        self.unreturned_regions.fetch_add(1, Ordering::Relaxed);
        self.unreturned_bytes
            .fetch_add(region.run_len(), Ordering::Relaxed);
    }
}

impl<H: NativeHeap + Default, P: PageSource + Default> Default for LibcArenas<H, P> {
    fn default() -> Self {
        Self::new(H::default(), P::default())
    }
}

// SAFETY: 1: a block belongs to whoever allocated it (promise 1 of `NativeHeap`), its base and its
// parts are whole pages, its data is zeroed here. 2: what opens for the first time is zeroed, what
// was open before is not touched. 3: the page source's promise. 4: the heap's. 5: each method puts
// back what it changed, see there; a reallocation says where it could not. 6: neither changes.
unsafe impl<H, P> ArenaSystem for LibcArenas<H, P>
where
    H: NativeHeap + Send + Sync,
    P: PageSource + Send + Sync,
{
    type Source = P;

    const HAS_ARENAS: bool = true;

    fn source(&self) -> &P {
        &self.pages
    }

    fn facts(&self) -> SystemFacts {
        let pages = self.pages.facts();
        SystemFacts {
            name: "libc",
            pages: os::Facts {
                reserves_for_free: false,
                ..pages
            },
            guards_cost_memory: true,
            reallocates: true,
            regions_are_runs: false,
        }
    }

    /// One call of the heap, and up to two to protect; three with readable guards and room.
    fn acquire(&self, layout: RegionLayout) -> Result<Region, AllocError> {
        let total = layout.total();
        let block = self.block(total)?;
        // SAFETY: the block is ours, as long as the layout, aligned to pages, and all accessible;
        // what should not be is closed below, or the block goes back.
        let region = unsafe { Region::from_raw_parts(block, total, layout) };
        // SAFETY: just made; nobody has seen it.
        unsafe { Self::clear(&region, 0) };
        // SAFETY: as above.
        match unsafe { self.guard(&region) } {
            Ok(()) => Ok(region),
            Err(error) => {
                // SAFETY: made here, and never handed out.
                let _counted = unsafe { self.release(region) };
                Err(error)
            }
        }
    }

    unsafe fn open(&self, region: &mut Region, accessible: usize) -> Result<(), AllocError> {
        let from = region.accessible();
        if accessible <= from {
            return Ok(());
        }
        // SAFETY: `from` is within the capacity (invariant 3 of `Region`).
        let address = unsafe { region.address(from) };
        // SAFETY: whole pages of our own room, by the caller's promise.
        let opened = unsafe {
            self.pages
                .protect(address, accessible - from, Protection::ReadWrite)
        };
        if let Err(error) = opened {
            // A part may be open now (qnx-facts §6.4). Closing it again splits no mapping that is
            // not split already; should that be refused as well, the room stays open and dirty, and
            // the region must not serve another memory.
            // SAFETY: room that nobody uses.
            let closed = unsafe {
                self.pages
                    .protect(address, accessible - from, Protection::None)
            };
            if closed.is_err() {
                region.note_guards_down();
            }
            return Err(error.into());
        }
        let clean_from = region.ever_accessible().clamp(from, accessible);
        // SAFETY: within the capacity.
        let dirty = unsafe { region.address(clean_from) };
        // SAFETY: just opened, and nobody's yet. What was open before was zero when it was closed.
        unsafe { dirty.write_bytes(0, accessible - clean_from) };
        // SAFETY: the call made it so; alignment and limit are the caller's promise.
        unsafe { region.set_accessible(accessible) };
        Ok(())
    }

    unsafe fn close(&self, region: &mut Region, accessible: usize) -> Result<(), AllocError> {
        let len = region.accessible().saturating_sub(accessible);
        if len > 0 {
            // SAFETY: whole accessible pages that nobody refers into, by the caller's promise.
            if let Err(error) = unsafe { self.protect(region, accessible, len, Protection::None) } {
                // SAFETY: as above; more access contradicts nothing.
                let _first_error_counts =
                    unsafe { self.protect(region, accessible, len, Protection::ReadWrite) };
                return Err(error);
            }
            // SAFETY: the call made it so.
            unsafe { region.set_accessible(accessible) };
        }
        Ok(())
    }

    unsafe fn protect(
        &self,
        region: &Region,
        offset: usize,
        len: usize,
        protection: Protection,
    ) -> Result<(), AllocError> {
        // SAFETY: the offset is inside the accessible bytes, by the caller's promise.
        let address = unsafe { region.address(offset) };
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.pages.protect(address, len, protection)? };
        Ok(())
    }

    unsafe fn reallocate(
        &self,
        region: &mut Region,
        layout: RegionLayout,
        keep: usize,
    ) -> Result<(), AllocError> {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { self.resize(region, layout, keep) }
    }

    /// One call to lift the guards, one of the heap.
    unsafe fn release(&self, region: Region) -> Result<(), AllocError> {
        // SAFETY: ours, and used no more, by the caller's promise.
        if let Err(error) = unsafe { self.lift(&region) } {
            self.leak(&region);
            return Err(error);
        }
        // SAFETY: every page is accessible again (rule 2), none is locked, and nobody uses it.
        unsafe { self.heap.free(region.run()) };
        Ok(())
    }

    fn unreturned(&self) -> Unreturned {
        Unreturned {
            regions: self.unreturned_regions.load(Ordering::Relaxed),
            bytes: self.unreturned_bytes.load(Ordering::Relaxed),
        }
    }

    fn configure(
        &self,
        options: &ArenaOptions,
        effective: &mut EffectiveConfiguration,
    ) -> Result<(), AllocError> {
        self.apply(options, effective)
    }

    fn withdraw(&self) {
        self.applied.lock().retire(&self.heap, true);
    }

    fn review(&self, effective: &mut EffectiveConfiguration) {
        self.applied.lock().review(effective);
    }

    fn allocate_record(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = self
            .heap
            .allocate(layout.align().max(LEAST_ALIGNMENT), layout.size())?;
        self.records.fetch_add(1, Ordering::Relaxed);
        // All records are of one size, so their number is all there is to keep.
        self.record_bytes.store(layout.size(), Ordering::Relaxed);
        Ok(block)
    }

    unsafe fn free_record(&self, block: NonNull<u8>) {
        self.records.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: one of our blocks, never protected or locked, and used no more.
        unsafe { self.heap.free(block) };
    }

    /// Empties the heap's own arena cache, which is the process's. Three calls; none on a version
    /// without arenas.
    fn trim(&self) -> usize {
        self.empty_arena_cache()
    }

    /// What the records take, without the heap's own words about them.
    fn bookkeeping(&self) -> BookkeepingReport {
        let bytes =
            self.records.load(Ordering::Relaxed) * self.record_bytes.load(Ordering::Relaxed);
        BookkeepingReport {
            mapped_bytes: bytes,
            used_bytes: bytes,
            ..BookkeepingReport::default()
        }
    }
}

impl<H: NativeHeap, P: PageSource> Drop for LibcArenas<H, P> {
    /// Leaves the process's settings to whoever comes next, or puts them back if that was asked.
    fn drop(&mut self) {
        let applied = self.applied.get_mut();
        applied.retire(&self.heap, applied.restore());
    }
}
