//! A program of heap operations, read from any byte string, run on a heap and on a plain model in
//! lockstep. Made to be shared: tests feed it random bytes, a fuzz target feeds it what it likes.
//!
//! The model is a map from addresses to what must lie there. It disagrees by panicking with the
//! range that is wrong.
#![allow(dead_code, reason = "each test binary uses its own part")]

extern crate alloc;

use alloc::collections::BTreeMap;
use core::alloc::Layout;
use core::iter;
use core::ptr::NonNull;
use core::slice;
use std::sync::OnceLock;

use arena_heap::{
    ArenaHeap, ConfigError, Corruption, FreeOrder, HeapConfig, HeapError, HeapStatistics,
    ShardedArenaHeap, Trimmed,
};
use os::{FailAt, OsCall, OsError, PageSource};

/// The heap under test: its source counts what it gave out, and can fail.
pub(crate) type TestHeap<'a, Q> = ArenaHeap<&'a FailAt<Q>>;

/// The same in shards.
pub(crate) type TestShards<'a, Q, const SHARDS: usize> = ShardedArenaHeap<&'a FailAt<Q>, SHARDS>;

/// What the model asks of a heap. The safety of the calls is that of the heaps' own.
pub(crate) trait Tested {
    fn allocate(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError>;
    fn allocate_zeroed(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError>;
    unsafe fn deallocate(&mut self, block: NonNull<u8>) -> Result<(), HeapError>;
    unsafe fn reallocate(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
    ) -> Result<NonNull<u8>, HeapError>;
    unsafe fn usable_size(&self, block: NonNull<u8>) -> Result<usize, HeapError>;
    fn trim(&mut self) -> Trimmed;
    fn configure(&mut self, config: HeapConfig) -> Result<(), ConfigError>;
    fn config(&self) -> HeapConfig;
    fn statistics(&self) -> HeapStatistics;
    fn verify(&self) -> Result<(), Corruption>;
    fn page_size(&self) -> usize;

    /// Heaps for each of which the settings hold.
    fn shards(&self) -> usize;
    /// Whether such a call may be what fails for lack of memory.
    fn may_lack(&self, call: OsCall) -> bool;
    /// Compares what the heap says with what its source gave out.
    fn check_source(&self, now: &HeapStatistics);
}

macro_rules! forward {
    () => {
        fn allocate(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
            Self::allocate(self, layout)
        }

        fn allocate_zeroed(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
            Self::allocate_zeroed(self, layout)
        }

        unsafe fn deallocate(&mut self, block: NonNull<u8>) -> Result<(), HeapError> {
            // SAFETY: the caller's promise.
            unsafe { Self::deallocate(self, block) }
        }

        unsafe fn reallocate(
            &mut self,
            block: NonNull<u8>,
            layout: Layout,
        ) -> Result<NonNull<u8>, HeapError> {
            // SAFETY: the caller's promise.
            unsafe { Self::reallocate(self, block, layout) }
        }

        unsafe fn usable_size(&self, block: NonNull<u8>) -> Result<usize, HeapError> {
            // SAFETY: the caller's promise.
            unsafe { Self::usable_size(self, block) }
        }

        fn trim(&mut self) -> Trimmed {
            Self::trim(self)
        }

        fn configure(&mut self, config: HeapConfig) -> Result<(), ConfigError> {
            Self::configure(self, config)
        }

        fn statistics(&self) -> HeapStatistics {
            Self::statistics(self)
        }

        fn verify(&self) -> Result<(), Corruption> {
            Self::verify(self)
        }

        fn page_size(&self) -> usize {
            self.source().facts().page_size.get()
        }
    };
}

impl<Q: PageSource> Tested for TestHeap<'_, Q> {
    forward!();

    fn config(&self) -> HeapConfig {
        *Self::config(self)
    }

    fn shards(&self) -> usize {
        1
    }

    fn may_lack(&self, call: OsCall) -> bool {
        call == OsCall::Map
    }

    fn check_source(&self, now: &HeapStatistics) {
        assert_eq!(now.mapped_bytes, self.source().live_bytes());
        assert_eq!(now.arenas, self.source().live_runs());
    }
}

impl<Q: PageSource, const SHARDS: usize> Tested for TestShards<'_, Q, SHARDS> {
    forward!();

    fn config(&self) -> HeapConfig {
        Self::config(self)
    }

    fn shards(&self) -> usize {
        SHARDS
    }

    fn may_lack(&self, call: OsCall) -> bool {
        matches!(call, OsCall::Reserve | OsCall::Commit | OsCall::Map)
    }

    fn check_source(&self, now: &HeapStatistics) {
        assert!(now.mapped_bytes <= self.source().live_bytes());
        assert!(self.source().live_runs() <= 1, "one reservation");
    }
}

/// Bytes live at once, at most: keeps long programs from asking for everything there is.
const MAX_LIVE: usize = 4 << 20;

/// What must lie at an address.
#[derive(Debug, Clone, Copy)]
struct Live {
    size: usize,
    usable: usize,
    seed: u8,
}

/// The model: live blocks, in the order of addresses.
#[derive(Debug, Default)]
pub(crate) struct Model {
    live: BTreeMap<usize, (NonNull<u8>, Live)>,
    bytes: usize,
    next_seed: u8,
    /// Operations the heap refused for lack of memory.
    pub(crate) refused: usize,
    /// Operations done.
    pub(crate) done: usize,
}

/// A generator of test bytes; the same for the same seed.
pub(crate) fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)).to_le_bytes()
    };
    iter::repeat_with(next).flatten().take(count).collect()
}

struct Program<'a>(&'a [u8]);

impl Program<'_> {
    fn byte(&mut self) -> Option<usize> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(usize::from(*first))
    }

    fn word(&mut self) -> Option<usize> {
        Some(self.byte()? << 8 | self.byte()?)
    }
}

/// No request is larger.
const MAX_SIZE: usize = 1 << 18;

/// What a block of `size` bytes holds: a piece of one long pattern, so that filling and comparing
/// are single copies even in an unoptimised build.
fn pattern(seed: u8, size: usize) -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    let pattern = PATTERN.get_or_init(|| bytes(99, MAX_SIZE + (1 << 14)));
    &pattern[usize::from(seed) * 61..][..size]
}

impl Model {
    /// Runs a program to its end. `verify_every` operations, the heap is verified, and its
    /// statistics compared with the model.
    pub(crate) fn run(&mut self, heap: &mut impl Tested, program: &[u8], verify_every: usize) {
        let mut program = Program(program);
        while self.step(heap, &mut program).is_some() {
            self.done += 1;
            if self.done.is_multiple_of(verify_every) {
                self.check(heap);
            }
        }
        self.check(heap);
    }

    fn step(&mut self, heap: &mut impl Tested, program: &mut Program<'_>) -> Option<()> {
        match program.byte()? % 32 {
            0..=8 => {
                let size = program.byte()?;
                self.allocate(heap, size, 1 << (size % 4), false);
            }
            9 | 10 => {
                let size = program.word()? % 9000;
                self.allocate(heap, size, 8, false);
            }
            11 => {
                let size = program.word()? * 3;
                self.allocate(heap, size, 16, false);
            }
            12 | 13 => {
                let align = 1 << (program.byte()? % 17);
                let size = program.word()? % 5000;
                self.allocate(heap, size, align, false);
            }
            14 | 15 => {
                let align = 1 << (program.byte()? % 13);
                let size = program.word()? % 20_000;
                self.allocate(heap, size, align, true);
            }
            16..=25 => {
                let index = program.word()?;
                self.deallocate(heap, index);
            }
            26 | 27 => {
                let (index, size) = (program.word()?, program.word()?);
                let align = 1 << (program.byte()? % 8);
                self.reallocate(heap, index, size % 3000, align);
            }
            28 => {
                let (index, size) = (program.word()?, program.word()?);
                let align = 1 << (program.byte()? % 14);
                self.reallocate(heap, index, size * 4, align);
            }
            29 => {
                if program.byte()? < 64 {
                    let mapped = heap.statistics().mapped_bytes;
                    let trimmed = heap.trim();
                    assert_eq!(heap.statistics().mapped_bytes + trimmed.bytes, mapped);
                    assert_eq!(heap.statistics().cached_arenas, trimmed.failures);
                }
            }
            30 => {
                let (choice, amount) = (program.byte()?, program.byte()?);
                self.configure(heap, choice, amount);
            }
            _ => self.refuse_stray(heap, program.byte()?),
        }
        Some(())
    }

    fn allocate(&mut self, heap: &mut impl Tested, size: usize, align: usize, zeroed: bool) {
        if self.bytes + size > MAX_LIVE {
            return;
        }
        let layout = Layout::from_size_align(size, align).unwrap();
        let result = if zeroed {
            heap.allocate_zeroed(layout)
        } else {
            heap.allocate(layout)
        };
        let block = match result {
            Ok(block) => block,
            Err(error) => return self.refused_for_memory(heap, error, size),
        };
        if zeroed {
            // SAFETY: a block of at least `size` bytes, zeroed, so initialised.
            let contents = unsafe { slice::from_raw_parts(block.as_ptr(), size) };
            assert!(
                contents == &[0; MAX_SIZE][..size],
                "{size} bytes at {block:?} are not zero"
            );
        }
        self.adopt(heap, block, layout);
    }

    /// A new block: aligned, apart from all others, and from now on filled with its pattern.
    fn adopt(&mut self, heap: &impl Tested, block: NonNull<u8>, layout: Layout) {
        let address = block.addr().get();
        assert!(
            address.is_multiple_of(layout.align()),
            "{address:#x} for {layout:?}"
        );
        // SAFETY: just allocated.
        let usable = unsafe { heap.usable_size(block) }.unwrap();
        assert!(
            usable >= layout.size(),
            "{usable} usable bytes for {layout:?}"
        );
        if let Some((before, (_, live))) = self.live.range(..=address).next_back() {
            assert!(
                before + live.usable <= address,
                "{address:#x} overlaps {before:#x} {live:?}"
            );
        }
        if let Some((after, live)) = self.live.range(address..).next() {
            assert!(
                address + usable <= *after,
                "{address:#x} overlaps {after:#x} {live:?}"
            );
        }
        self.next_seed = self.next_seed.wrapping_add(89);
        let live = Live {
            size: layout.size(),
            usable,
            seed: self.next_seed,
        };
        let contents = pattern(live.seed, live.size).as_ptr();
        // SAFETY: a block of at least `size` bytes that nobody else uses.
        unsafe { block.as_ptr().copy_from_nonoverlapping(contents, live.size) };
        self.bytes += live.size;
        self.live.insert(address, (block, live));
    }

    /// Takes the `index`th live block out of the model, after a look at its contents.
    fn pick(&mut self, index: usize) -> Option<(NonNull<u8>, Live)> {
        if self.live.is_empty() {
            return None;
        }
        let address = *self.live.keys().nth(index % self.live.len())?;
        let (block, live) = self.live.remove(&address)?;
        self.bytes -= live.size;
        expect_contents(block, live, live.size);
        Some((block, live))
    }

    fn deallocate(&mut self, heap: &mut impl Tested, index: usize) {
        let Some((block, _)) = self.pick(index) else {
            return;
        };
        let unmapped = heap.statistics().arenas_unmapped;
        // SAFETY: live in the model until just now.
        unsafe { heap.deallocate(block) }.unwrap();
        if heap.statistics().arenas_unmapped == unmapped {
            let refused = heap.statistics().refused_frees;
            // SAFETY: no arena went back, so the heap still has the words around this address.
            let error = unsafe { heap.deallocate(block) }.unwrap_err();
            assert_eq!(
                error,
                HeapError::AlreadyFree {
                    address: block.addr().get()
                }
            );
            assert_eq!(heap.statistics().refused_frees, refused + 1);
        }
    }

    fn reallocate(&mut self, heap: &mut impl Tested, index: usize, size: usize, align: usize) {
        if self.bytes + size > MAX_LIVE {
            return;
        }
        let Some((block, live)) = self.pick(index) else {
            return;
        };
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: live in the model until just now.
        match unsafe { heap.reallocate(block, layout) } {
            Ok(new) => {
                expect_contents(new, live, live.size.min(size));
                self.adopt(heap, new, layout);
            }
            Err(error) => {
                let aligned = block.addr().get().is_multiple_of(align);
                assert!(
                    !aligned || size > live.usable,
                    "shrinking must not fail: {error}"
                );
                self.refused_for_memory(heap, error, size);
                expect_contents(block, live, live.size);
                self.bytes += live.size;
                self.live.insert(block.addr().get(), (block, live));
            }
        }
    }

    fn refused_for_memory(&mut self, heap: &impl Tested, error: HeapError, asked: usize) {
        self.refused += 1;
        let HeapError::OutOfMemory {
            size,
            source: OsError { call, .. },
        } = error
        else {
            panic!("{error}");
        };
        assert!(heap.may_lack(call), "{error}");
        assert!(size >= asked, "{error}");
    }

    fn configure(&mut self, heap: &mut impl Tested, choice: usize, amount: usize) {
        let mut config = heap.config();
        let page = heap.page_size();
        match choice % 6 {
            0 => config.arena_size = page * (1 + amount % (HeapConfig::MAX_ARENA_SIZE / page)),
            1 => config.cache_max_blocks = amount % 16,
            2 => config.cache_max_bytes = amount * 4096,
            3 => config.hold = amount.is_multiple_of(4),
            4 => config.monotonic_growth = amount.is_multiple_of(2),
            _ => {
                let lifo = amount.is_multiple_of(2);
                config.free_order = if lifo {
                    FreeOrder::Lifo
                } else {
                    FreeOrder::Fifo
                };
            }
        }
        heap.configure(config).unwrap();
        let now = heap.statistics();
        let limited = !config.hold && config.preallocate == 0 && now.failed_unmaps == 0;
        if limited && config.cache_max_blocks > 0 {
            let most = heap.shards() * config.cache_max_blocks;
            assert!(now.cached_arenas <= most, "{now:?}");
        }
        if limited && config.cache_max_bytes > 0 {
            let most = heap.shards() * config.cache_max_bytes;
            assert!(now.cached_bytes <= most, "{now:?}");
        }
        if limited && config.cache_max_blocks == 0 && config.cache_max_bytes == 0 {
            assert_eq!(now.cached_arenas, 0);
        }
    }

    /// Addresses inside live blocks are no blocks; the heap must say so and stay as it is.
    fn refuse_stray(&mut self, heap: &mut impl Tested, choice: usize) {
        let Some((block, live)) = self.live.values().nth(choice % self.live.len().max(1)) else {
            return;
        };
        if live.size < 8 {
            return;
        }
        // SAFETY: inside the block.
        let stray = unsafe { block.add(1 + choice % 3) };
        let before = heap.statistics();
        // SAFETY: an odd address is no block, and must be refused.
        let error = unsafe { heap.deallocate(stray) }.unwrap_err();
        assert_eq!(
            error,
            HeapError::NotABlock {
                address: stray.addr().get()
            }
        );
        assert_eq!(heap.statistics().frees, before.frees);
    }

    /// Everything that must hold between two operations.
    pub(crate) fn check(&self, heap: &impl Tested) {
        heap.verify().unwrap();
        let now = heap.statistics();
        let parts = now.overhead_bytes() + now.free_bytes() + now.allocated_bytes();
        assert_eq!(now.mapped_bytes, parts, "{now:?}");
        heap.check_source(&now);
        assert_eq!(now.arenas_mapped - now.arenas_unmapped, now.arenas);
        let usable: usize = self.live.values().map(|(_, live)| live.usable).sum();
        assert_eq!(now.allocated_bytes(), usable);
        assert_eq!(now.allocations - now.frees, self.live.len());
        assert!(now.peak_mapped_bytes >= now.mapped_bytes);
        assert!(now.peak_allocated_bytes >= usable);
    }

    /// Looks at every live block.
    pub(crate) fn check_contents(&self) {
        for (block, live) in self.live.values() {
            expect_contents(*block, *live, live.size);
        }
    }

    /// Frees everything that is live.
    pub(crate) fn free_all(&mut self, heap: &mut impl Tested) {
        while let Some((block, _)) = self.pick(0) {
            // SAFETY: live in the model until just now.
            unsafe { heap.deallocate(block) }.unwrap();
        }
        assert_eq!(self.bytes, 0);
    }
}

fn expect_contents(block: NonNull<u8>, live: Live, count: usize) {
    // SAFETY: a block whose first `size` bytes were written when it was adopted.
    let contents = unsafe { slice::from_raw_parts(block.as_ptr(), count) };
    let expected = pattern(live.seed, count);
    if contents != expected {
        let first = contents
            .iter()
            .zip(expected)
            .position(|(found, expected)| found != expected);
        panic!("byte {first:?} of {live:?} at {block:?} has changed");
    }
}
