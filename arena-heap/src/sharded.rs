//! Several heaps, each behind a lock of its own: for threads that seldom wait for each other.
//!
//! ```text
//!   allocate ──▶ where is this thread's stack? ──▶ its shard ── refuses? ──▶ the others, in turn
//!   free, realloc ──▶ in whose share is the address? ──▶ that shard
//!
//!   | lock, heap, map | lock, heap, map | …      each in lines of the cache of its own
//!           │                 │
//!   |     share 0     |     share 1     | …      of one reservation of address space
//! ```
//!
//! One lock is held at a time, besides that of the reservation; whoever needs all of them takes them
//! in the order of their numbers.

mod share;
mod space;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use os::{Mutex, MutexGuard, PageSource, ThreadShards};

use crate::global::global_allocator;
use crate::heap::{HeapState, Working};
use crate::{ConfigError, Corruption, HeapConfig, HeapError, HeapStatistics, Trimmed};
use share::{Share, SharePages};
use space::Space;

/// A heap for threads that allocate at the same time: [`SHARDS`](Self::SHARDS) heaps, each behind its
/// own lock, over one reservation of address space. Can be a program's allocator.
///
/// A thread allocates from the shard that is its own for as long as that has memory, and then from the
/// others; a block goes back to the shard it came from, whichever thread frees it. So threads that
/// keep to their own blocks neither wait for each other nor move data from cache to cache. It takes
/// more memory than a [`SharedArenaHeap`](crate::SharedArenaHeap): what is free in one shard serves
/// the threads of others only when they find nothing else. For one thread, or for threads that take
/// turns, that one is the better choice.
///
/// What is different from there:
///
/// | what | here |
/// |---|---|
/// | address space | reserved at the first use, in one piece, and kept until the heap ends; each shard has an equal share. A block has to fit in a share |
/// | page source | [`reserve`](PageSource::reserve), then [`commit`](PageSource::commit) for an arena, and [`decommit`](PageSource::decommit) when it goes back. Where [reserving takes memory](os::Facts::reserves_for_free), as in a [`FixedMemory`](os::FixedMemory), that is with the heap for good |
/// | [`HeapConfig`] | holds for each shard: limits of the cache and what is preallocated are to be multiplied by the number of shards in use |
/// | where an arena is put | the first place in the share; one bit for each host page of a share is looked at, at most, a word at a time, besides the call of the page source. The bits are kept at the head of the share |
/// | a request that a shard refuses | is made of each other one, so it may take as many times as long, before it fails |
/// | [statistics](Self::statistics) | sums; the peaks are sums of peaks, and so at least what they say |
///
/// Which shard is a thread's own follows from where its stack is, in steps of 256 KiB, without
/// anything kept in the thread: the first thread that is seen gets the first shard, and so on. If
/// there are more threads than shards, some share one. Coroutines on stacks of their own count as
/// threads. A thread whose shard has no arena left moves to the next one that serves it.
///
/// Every call holds a shard's lock for as long as the heap's own call takes, system calls included.
/// Not for signal handlers. What [`ArenaHeap`](crate::ArenaHeap) says of errors, costs and dropping
/// holds here too.
///
/// ```
/// use arena_heap::ShardedArenaHeap;
///
/// #[global_allocator]
/// static HEAP: ShardedArenaHeap<os::OsPages> =
///     ShardedArenaHeap::new(os::OsPages::new(), 1 << 30);
///
/// let workers: Vec<_> = (0..4)
///     .map(|_| std::thread::spawn(|| (0..1000).map(|number| number.to_string()).collect()))
///     .collect();
/// for worker in workers {
///     let words: Vec<String> = worker.join().unwrap();
///     assert_eq!(words.concat().len(), 2890);
/// }
/// assert!(HEAP.statistics().allocations > 4000);
/// HEAP.verify().unwrap();
/// ```
pub struct ShardedArenaHeap<P: PageSource, const SHARDS: usize = 8> {
    finder: Finder,
    shards: [Shard; SHARDS],
    source: P,
    /// Frees and reallocations refused because the address is in no share.
    strangers: AtomicUsize,
}

/// What every call reads and hardly any writes.
#[repr(align(128))]
struct Finder {
    space: Space,
    homes: ThreadShards,
}

/// In lines of the cache of its own: processors fetch them in pairs.
#[repr(align(128))]
struct Shard(Mutex<ShardState>);

struct ShardState {
    heap: HeapState,
    share: RefCell<Share>,
}

/// What a shard at work can be asked for.
type Request<P> = fn(&mut Working<'_, SharePages<'_, P>>, Layout) -> Result<NonNull<u8>, HeapError>;

impl<P: PageSource, const SHARDS: usize> ShardedArenaHeap<P, SHARDS> {
    /// How many shards there are: 1 to 64.
    pub const SHARDS: usize = {
        assert!(
            SHARDS >= 1 && SHARDS <= space::MOST_SHARDS,
            "a heap has 1 to 64 shards"
        );
        SHARDS
    };

    /// A heap with the default settings, in `address_space` bytes, of which each shard gets an equal
    /// share of whole host pages: less than a 64th of it, or less than a page, remains unused. Asks for
    /// nothing until it is used; can be called in a constant.
    ///
    /// If the page source then refuses so many bytes, or a share has less than two host pages, every
    /// request is refused with [`HeapError::OutOfMemory`] that says so, and the next one tries again.
    pub const fn new(source: P, address_space: usize) -> Self {
        Self {
            finder: Finder {
                space: Space::new(address_space, Self::SHARDS),
                homes: ThreadShards::new(),
            },
            shards: [const { Shard::new() }; SHARDS],
            source,
            strangers: AtomicUsize::new(0),
        }
    }

    /// The page source. No lock.
    pub const fn source(&self) -> &P {
        &self.source
    }

    /// The shard that an address belongs to, block or not; `None` outside of the reservation.
    /// Constant time, no lock.
    ///
    /// ```
    /// use arena_heap::ShardedArenaHeap;
    /// use core::alloc::Layout;
    ///
    /// let heap: ShardedArenaHeap<_, 4> = ShardedArenaHeap::new(os::OsPages::new(), 64 << 20);
    /// let block = heap.allocate(Layout::new::<u64>())?;
    /// assert_eq!(heap.shard_of(block), Some(0), "the first thread's own");
    /// assert_eq!(heap.shard_of(core::ptr::NonNull::dangling()), None);
    /// # Ok::<(), arena_heap::HeapError>(())
    /// ```
    #[inline]
    pub fn shard_of(&self, address: NonNull<u8>) -> Option<usize> {
        self.finder.space.shard_of(address.addr().get())
    }

    /// The number is one of a shard.
    #[inline(always)]
    fn lock(&self, shard: usize) -> MutexGuard<'_, ShardState> {
        self.shards[shard % SHARDS].0.lock()
    }

    #[inline(always)]
    fn at_work<T>(
        &self,
        shard: usize,
        state: &mut ShardState,
        work: impl FnOnce(&mut Working<'_, SharePages<'_, P>>) -> T,
    ) -> T {
        let pages = SharePages {
            source: &self.source,
            space: &self.finder.space,
            shard,
            share: &state.share,
        };
        work(&mut Working::new(&pages, &mut state.heap))
    }

    #[inline(always)]
    fn with<T>(
        &self,
        shard: usize,
        work: impl FnOnce(&mut Working<'_, SharePages<'_, P>>) -> T,
    ) -> T {
        self.at_work(shard, &mut self.lock(shard), work)
    }

    /// See [`ArenaHeap::allocate`](crate::ArenaHeap::allocate).
    ///
    /// # Errors
    /// As there: what this thread's own shard says, after all others refused as well.
    #[inline]
    pub fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        let own = self.own();
        match self.with(own, |heap| heap.allocate(layout)) {
            Ok(block) => Ok(block),
            Err(refused) => {
                self.take_elsewhere(own, layout, refused, |heap, layout| heap.allocate(layout))
            }
        }
    }

    /// See [`ArenaHeap::allocate_zeroed`](crate::ArenaHeap::allocate_zeroed).
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate).
    pub fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        let own = self.own();
        match self.with(own, |heap| heap.allocate_zeroed(layout)) {
            Ok(block) => Ok(block),
            Err(refused) => self.take_elsewhere(own, layout, refused, |heap, layout| {
                heap.allocate_zeroed(layout)
            }),
        }
    }

    /// This thread's own shard.
    #[inline(always)]
    fn own(&self) -> usize {
        self.finder.homes.of_this_thread(SHARDS)
    }

    /// What becomes of a request that this thread's own shard refused.
    #[cold]
    #[inline(never)]
    fn take_elsewhere(
        &self,
        own: usize,
        layout: Layout,
        refused: HeapError,
        request: Request<P>,
    ) -> Result<NonNull<u8>, HeapError> {
        if !matches!(refused, HeapError::OutOfMemory { .. }) {
            return Err(refused);
        }
        let (other, block) = self.ask_others(own, layout, request).ok_or(refused)?;
        // A shard without an arena for this has none for anything: it is not to be asked in vain each
        // time.
        if layout.size() < HeapConfig::DEFAULT.arena_size {
            self.finder.homes.move_this_thread(other);
        }
        Ok(block)
    }

    /// Makes a request of every shard but one, until one of them serves it.
    fn ask_others(
        &self,
        but: usize,
        layout: Layout,
        request: Request<P>,
    ) -> Option<(usize, NonNull<u8>)> {
        (1..SHARDS).find_map(|distance| {
            let other = (but + distance) % SHARDS;
            let block = self.with(other, |heap| request(heap, layout)).ok()?;
            Some((other, block))
        })
    }

    /// See [`ArenaHeap::deallocate`](crate::ArenaHeap::deallocate).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// As there. (An address outside of the reservation is recognised and refused.)
    #[inline]
    pub unsafe fn deallocate(&self, block: NonNull<u8>) -> Result<(), HeapError> {
        let Some(shard) = self.shard_of(block) else {
            return Err(self.refuse_stranger(block));
        };
        // SAFETY: the caller's promises; blocks of this heap at such addresses are this shard's.
        self.with(shard, |heap| unsafe { heap.deallocate(block) })
    }

    #[cold]
    fn refuse_stranger(&self, block: NonNull<u8>) -> HeapError {
        self.strangers.fetch_add(1, Ordering::Relaxed);
        not_a_block(block)
    }

    /// See [`ArenaHeap::reallocate`](crate::ArenaHeap::reallocate). A block that has to move stays in
    /// its shard while there is room.
    ///
    /// # Errors
    /// As there, after all other shards refused as well.
    ///
    /// # Safety
    /// As there.
    pub unsafe fn reallocate(
        &self,
        block: NonNull<u8>,
        layout: Layout,
    ) -> Result<NonNull<u8>, HeapError> {
        let Some(shard) = self.shard_of(block) else {
            return Err(self.refuse_stranger(block));
        };
        // SAFETY: the caller's promises; blocks of this heap at such addresses are this shard's.
        match self.with(shard, |heap| unsafe { heap.reallocate(block, layout) }) {
            Err(refused @ HeapError::OutOfMemory { .. }) => {
                // SAFETY: the caller's promises; it is a block in use, or the refusal were another.
                unsafe { self.move_elsewhere(shard, block, layout, refused) }
            }
            answer => answer,
        }
    }

    /// Moves a block for which its own shard has no room.
    ///
    /// # Safety
    /// As [`reallocate`](Self::reallocate); the block is one of this shard, in use.
    #[cold]
    unsafe fn move_elsewhere(
        &self,
        shard: usize,
        block: NonNull<u8>,
        layout: Layout,
        refused: HeapError,
    ) -> Result<NonNull<u8>, HeapError> {
        // SAFETY: the caller's promise.
        let usable = unsafe { self.usable_size(block) }?;
        let request: Request<P> = |heap, layout| heap.allocate(layout);
        let (_, new) = self.ask_others(shard, layout, request).ok_or(refused)?;
        let bytes = usable.min(layout.size());
        // SAFETY: both blocks have that many bytes and are the caller's or nobody's; two blocks never
        // overlap.
        unsafe { block.copy_to_nonoverlapping(new, bytes) };
        let mut state = self.lock(shard);
        let freed = self.at_work(shard, &mut state, |heap| {
            // SAFETY: the caller's promises.
            unsafe { heap.deallocate(block) }
        });
        if freed.is_ok() {
            state.heap.counters.moved(bytes);
        }
        Ok(new)
    }

    /// See [`ArenaHeap::usable_size`](crate::ArenaHeap::usable_size).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// As there.
    pub unsafe fn usable_size(&self, block: NonNull<u8>) -> Result<usize, HeapError> {
        let shard = self.shard_of(block).ok_or_else(|| not_a_block(block))?;
        // SAFETY: the caller's promise; blocks of this heap at such addresses are this shard's.
        unsafe { self.lock(shard).heap.usable_size(block) }
    }

    /// See [`ArenaHeap::trim`](crate::ArenaHeap::trim): of every shard, one after the other.
    pub fn trim(&self) -> Trimmed {
        let mut sum = Trimmed::default();
        for shard in 0..SHARDS {
            let trimmed = self.with(shard, |heap| heap.trim());
            sum.arenas += trimmed.arenas;
            sum.bytes += trimmed.bytes;
            sum.failures += trimmed.failures;
        }
        sum
    }

    /// See [`ArenaHeap::configure`](crate::ArenaHeap::configure): the same settings for each shard, all
    /// at once. As a program's allocator the heap cannot change its bands: a program allocates before
    /// `main`.
    ///
    /// # Errors
    /// As there. If a page source refuses what one shard is to preallocate, the others still get
    /// theirs.
    pub fn configure(&self, config: HeapConfig) -> Result<(), ConfigError> {
        config.validate(self.source.facts().page_size)?;
        let mut states: [_; SHARDS] = core::array::from_fn(|shard| self.lock(shard));
        let contradicts =
            |state: &ShardState| state.heap.is_started() && state.heap.config.bands != config.bands;
        if states.iter().any(|state| contradicts(state)) {
            return Err(ConfigError::BandsInUse);
        }
        let mut result = Ok(());
        for (shard, state) in states.iter_mut().enumerate() {
            let configured = self.at_work(shard, state, |heap| heap.configure(config));
            result = result.and(configured);
        }
        result
    }

    /// See [`ArenaHeap::prepare`](crate::ArenaHeap::prepare): reserves the address space, and prepares
    /// every shard. A shard that is not prepared does its part when a thread first uses it.
    ///
    /// # Errors
    /// As there: the first refusal, after all shards were tried.
    pub fn prepare(&self) -> Result<(), HeapError> {
        self.reserve()?;
        let mut result = Ok(());
        for shard in 0..SHARDS {
            result = result.and(self.with(shard, |heap| heap.prepare()));
        }
        result
    }

    fn reserve(&self) -> Result<(), HeapError> {
        let share = self.finder.space.share(0, &self.source);
        share.map(|_| ()).map_err(|source| HeapError::OutOfMemory {
            size: source.len,
            source,
        })
    }

    /// The settings in force.
    pub fn config(&self) -> HeapConfig {
        self.lock(0).heap.config
    }

    /// See [`ArenaHeap::statistics`](crate::ArenaHeap::statistics): the sums over all shards, of which
    /// each is exact for a moment of its own.
    pub fn statistics(&self) -> HeapStatistics {
        let mut sum = HeapStatistics::default();
        for shard in 0..SHARDS {
            sum = sum.plus(&self.lock(shard).statistics());
        }
        sum.refused_frees += self.strangers.load(Ordering::Relaxed);
        sum
    }

    /// The statistics of one shard; `None` if there is no such shard.
    pub fn statistics_of(&self, shard: usize) -> Option<HeapStatistics> {
        (shard < SHARDS).then(|| self.lock(shard).statistics())
    }

    /// See [`ArenaHeap::verify`](crate::ArenaHeap::verify): one shard after the other. Threads that
    /// need the shard wait for the end of its walk.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn verify(&self) -> Result<(), Corruption> {
        let page_size = self.source.facts().page_size.get();
        (0..SHARDS).try_for_each(|shard| self.lock(shard).verify(page_size))
    }
}

impl Shard {
    const fn new() -> Self {
        Self(Mutex::new(ShardState {
            heap: HeapState::new(HeapConfig::DEFAULT, false),
            share: RefCell::new(Share::new()),
        }))
    }
}

impl ShardState {
    fn statistics(&self) -> HeapStatistics {
        let mut statistics = self.heap.statistics();
        statistics.failed_unmaps += self.share.borrow().losses;
        statistics
    }

    fn verify(&self, page_size: usize) -> Result<(), Corruption> {
        self.heap.verify()?;
        let arena_pages = self.heap.arenas.bytes / page_size;
        self.share.borrow_mut().verify(arena_pages)
    }
}

fn not_a_block(block: NonNull<u8>) -> HeapError {
    HeapError::NotABlock {
        address: block.addr().get(),
    }
}

global_allocator!(ShardedArenaHeap<P, SHARDS>, P: PageSource, const SHARDS: usize);

impl<P: PageSource, const SHARDS: usize> Drop for ShardedArenaHeap<P, SHARDS> {
    /// Gives the reservation back, blocks in use included. If the page source refuses it, it is
    /// leaked: there is nobody left to keep it for.
    fn drop(&mut self) {
        if let Some(all) = self.finder.space.reserved() {
            // SAFETY: exactly the run that was reserved; the heap ends, so nobody uses it again: see
            // the documentation about blocks in use.
            let _refused = unsafe { self.source.unmap(all.base, all.bytes) };
        }
    }
}

impl<P: PageSource, const SHARDS: usize> fmt::Debug for ShardedArenaHeap<P, SHARDS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statistics = self
            .shards
            .iter()
            .try_fold(HeapStatistics::default(), |sum, shard| {
                Some(sum.plus(&shard.0.try_lock()?.statistics()))
            });
        f.debug_struct("ShardedArenaHeap")
            .field("shards", &SHARDS)
            .field("statistics", &statistics)
            .finish_non_exhaustive()
    }
}
