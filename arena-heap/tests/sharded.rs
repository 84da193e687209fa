//! What the documentation of the heap in shards promises, point by point.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::slice;
use std::collections::BTreeSet;
use std::sync::{Barrier, mpsc};
use std::thread;

use arena_heap::{BandConfig, ConfigError, Damage, HeapConfig, HeapError, ShardedArenaHeap};
use os::{Counted, FailAt, FixedMemory, OsCall, OsPages, PageSize, PageSource, Reason};

const SHARE: usize = 1 << 20;

type Heap<'s, const SHARDS: usize> = ShardedArenaHeap<&'s FailAt<OsPages>, SHARDS>;

fn heap<const SHARDS: usize>(source: &FailAt<OsPages>) -> Heap<'_, SHARDS> {
    ShardedArenaHeap::new(source, SHARDS * SHARE)
}

/// Two shards that keep no arena they do not need.
fn heap_without_cache(source: &FailAt<OsPages>) -> Heap<'_, 2> {
    let heap = heap(source);
    let settings = HeapConfig {
        cache_max_blocks: 0,
        ..heap.config()
    };
    heap.configure(settings).unwrap();
    heap
}

fn bytes(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

fn arena_size() -> usize {
    HeapConfig::for_page_size(OsPages::new().facts().page_size).arena_size
}

fn free<P: PageSource, const SHARDS: usize>(
    heap: &ShardedArenaHeap<P, SHARDS>,
    block: NonNull<u8>,
) {
    // SAFETY: the tests of this file free what they allocated, once.
    unsafe { heap.deallocate(block) }.unwrap();
}

/// Fills the heap with blocks of one size; what it says at the end.
fn exhaust<P: PageSource, const SHARDS: usize>(
    heap: &ShardedArenaHeap<P, SHARDS>,
    size: usize,
) -> (Vec<NonNull<u8>>, HeapError) {
    let mut blocks = Vec::new();
    loop {
        match heap.allocate(bytes(size)) {
            Ok(block) => blocks.push(block),
            Err(error) => return (blocks, error),
        }
    }
}

#[test]
fn a_new_heap_asks_for_nothing_and_the_first_block_for_a_reservation_a_map_and_an_arena() {
    let heap: ShardedArenaHeap<_> = ShardedArenaHeap::new(Counted::new(OsPages::new()), 8 * SHARE);
    assert_eq!(heap.source().call_counts().unwrap().total(), 0);
    let block = heap.allocate(bytes(1000)).unwrap();
    let calls = heap.source().call_counts().unwrap();
    assert_eq!(calls.get(OsCall::Reserve), 1);
    assert_eq!(calls.get(OsCall::Commit), 2);
    assert_eq!(calls.total(), 3);
    assert_eq!(heap.statistics().mapped_bytes, arena_size());
    free(&heap, block);
    for _ in 0..100 {
        free(&heap, heap.allocate(bytes(1000)).unwrap());
    }
    assert_eq!(heap.source().call_counts().unwrap(), calls);
}

#[test]
fn a_thread_stays_with_one_shard_and_threads_have_different_ones() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<8>(&source);
    let all = Barrier::new(4);
    let shards: BTreeSet<_> = thread::scope(|scope| {
        let work = || {
            all.wait();
            let shards: BTreeSet<_> = (0..100)
                .map(|size| heap.shard_of(heap.allocate(bytes(size)).unwrap()).unwrap())
                .collect();
            all.wait();
            assert_eq!(shards.len(), 1);
            shards
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    // Two stacks may be taken for one.
    assert!(shards.len() >= 2, "{shards:?}");
    for shard in 0..8 {
        let taken = heap.statistics_of(shard).unwrap().allocations;
        assert_eq!(taken > 0, shards.contains(&shard));
    }
    assert_eq!(heap.statistics_of(8), None);
    assert_eq!(heap.statistics().allocations, 400);
    heap.verify().unwrap();
}

#[test]
fn blocks_go_back_to_their_shard_from_any_thread() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<4>(&source);
    let block = heap.allocate(bytes(5000)).unwrap();
    let own = heap.shard_of(block).unwrap();
    let address = block.addr().get();
    thread::scope(|scope| {
        let heap = &heap;
        let other = scope.spawn(move || {
            let block =
                NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(address)).unwrap();
            // So that this thread has a shard of its own by now.
            heap.allocate(bytes(1)).unwrap();
            // SAFETY: allocated above, and used by this thread alone.
            let grown = unsafe { heap.reallocate(block, bytes(90_000)) }.unwrap();
            assert_eq!(heap.shard_of(grown), Some(own));
            free(heap, grown);
        });
        block.as_ptr().expose_provenance();
        other.join().unwrap();
    });
    let now = heap.statistics_of(own).unwrap();
    assert_eq!(now.frees + now.reallocations_in_place, 2);
    heap.verify().unwrap();
}

#[test]
fn a_request_is_refused_only_after_every_shard_refused_it() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<4>(&source);
    let (blocks, error) = exhaust(&heap, 10_000);
    let HeapError::OutOfMemory {
        size: 10_000,
        source: cause,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(cause.call, OsCall::Map);
    assert!(matches!(cause.reason, Reason::OutOfPages { longest_free } if longest_free < 32 << 10));
    let shards: BTreeSet<_> = blocks.iter().map(|block| heap.shard_of(*block)).collect();
    assert_eq!(shards, (0..4).map(Some).collect());
    // All but the maps, the arenas' ends, and what is no whole block.
    assert!(
        blocks.len() * 10_000 > 4 * SHARE * 7 / 8,
        "{}",
        blocks.len()
    );
    heap.verify().unwrap();
    // Any one that goes back serves again, whatever shard it is of.
    for index in [0, blocks.len() / 2, blocks.len() - 1] {
        free(&heap, blocks[index]);
        assert_eq!(heap.allocate(bytes(10_000)), Ok(blocks[index]));
    }
    for block in blocks {
        free(&heap, block);
    }
    heap.trim();
    assert_eq!(heap.statistics().mapped_bytes, 0);
    heap.verify().unwrap();
    drop(heap);
    assert_eq!(source.live_runs(), 0);
}

#[test]
fn what_no_share_can_hold_is_refused_and_changes_nothing() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<2>(&source);
    let refused = heap.allocate(bytes(SHARE)).unwrap_err();
    assert!(
        matches!(refused, HeapError::OutOfMemory { size: SHARE, .. }),
        "{refused}"
    );
    let refused = heap.allocate(bytes(isize::MAX as usize)).unwrap_err();
    assert!(matches!(refused, HeapError::TooLarge { .. }), "{refused}");
    // A large request that another shard serves does not move the thread.
    let half = heap.allocate(bytes(SHARE / 2)).unwrap();
    let other = heap.allocate(bytes(SHARE / 2)).unwrap();
    assert_ne!(heap.shard_of(half), heap.shard_of(other));
    let small = heap.allocate(bytes(10)).unwrap();
    assert_eq!(heap.shard_of(small), heap.shard_of(half));
}

#[test]
fn a_block_moves_to_another_shard_if_its_own_has_no_room() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<2>(&source);
    let block = heap.allocate(bytes(SHARE / 4)).unwrap();
    // SAFETY: so many bytes, and ours.
    unsafe { block.write_bytes(77, SHARE / 4) };
    let wall = heap.allocate(bytes(SHARE / 2)).unwrap();
    assert_eq!(heap.shard_of(block), heap.shard_of(wall));
    // SAFETY: allocated above; the new address is used from now on.
    let grown = unsafe { heap.reallocate(block, bytes(SHARE / 2)) }.unwrap();
    assert_ne!(heap.shard_of(grown), heap.shard_of(wall));
    // SAFETY: written above, and copied.
    let contents = unsafe { slice::from_raw_parts(grown.as_ptr(), SHARE / 4) };
    assert!(contents.iter().all(|byte| *byte == 77));
    let now = heap.statistics();
    assert_eq!(
        (now.reallocations_moved, now.allocations, now.frees),
        (1, 3, 1)
    );
    assert!(now.reallocated_bytes_copied >= SHARE / 4);
    // SAFETY: allocated above; refused, so still in use.
    let refused = unsafe { heap.reallocate(grown, bytes(SHARE)) }.unwrap_err();
    assert!(
        matches!(refused, HeapError::OutOfMemory { size: SHARE, .. }),
        "{refused}"
    );
    free(&heap, grown);
    free(&heap, wall);
    heap.verify().unwrap();
}

#[test]
fn addresses_that_are_no_blocks_are_refused_and_counted() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<4>(&source);
    let mut outside = 0_u64;
    let outside = NonNull::from_mut(&mut outside).cast::<u8>();
    let first = heap.allocate(bytes(1000)).unwrap();
    // SAFETY: nothing is read: an address in the next shard's share, which nobody used yet.
    let elsewhere = NonNull::new(first.as_ptr().wrapping_add(SHARE)).unwrap();
    assert_eq!(heap.shard_of(elsewhere), Some(1));
    assert_eq!(heap.shard_of(outside), None);
    let address = |block: NonNull<u8>| block.addr().get();
    for stray in [outside, elsewhere] {
        let expected = HeapError::NotABlock {
            address: address(stray),
        };
        // SAFETY: no promise kept, on purpose: the heap recognises both.
        assert_eq!(unsafe { heap.deallocate(stray) }, Err(expected));
        // SAFETY: as above.
        assert_eq!(unsafe { heap.reallocate(stray, bytes(1)) }, Err(expected));
        // SAFETY: as above.
        assert_eq!(unsafe { heap.usable_size(stray) }, Err(expected));
    }
    assert_eq!(heap.statistics().refused_frees, 4);
    free(&heap, first);
    let twice = HeapError::AlreadyFree {
        address: address(first),
    };
    // SAFETY: its arena is still there, so that the heap can tell.
    assert_eq!(unsafe { heap.deallocate(first) }, Err(twice));
    assert_eq!(heap.statistics().refused_frees, 5);
    heap.verify().unwrap();
}

#[test]
fn settings_hold_for_each_shard() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<4>(&source);
    let arena = arena_size();
    let settings = HeapConfig {
        preallocate: 2 * arena,
        cache_max_blocks: 1,
        ..heap.config()
    };
    heap.configure(settings).unwrap();
    assert_eq!(
        source.live_runs(),
        0,
        "nothing is asked for before the first use"
    );
    heap.prepare().unwrap();
    for shard in 0..4 {
        assert_eq!(heap.statistics_of(shard).unwrap().cached_bytes, 2 * arena);
    }
    assert_eq!(heap.statistics().cached_bytes, 8 * arena);
    assert_eq!(source.live_runs(), 1);
    let bands = HeapConfig {
        bands: BandConfig::NONE,
        hold: true,
        ..settings
    };
    assert_eq!(heap.configure(bands), Err(ConfigError::BandsInUse));
    assert_eq!(heap.config(), settings);
    let wrong = HeapConfig {
        arena_size: 1,
        ..settings
    };
    assert!(matches!(
        heap.configure(wrong),
        Err(ConfigError::ArenaSize { bytes: 1, .. })
    ));
    let without = HeapConfig {
        preallocate: 0,
        cache_max_blocks: 0,
        ..settings
    };
    heap.configure(without).unwrap();
    assert_eq!(heap.statistics().mapped_bytes, 0);
    heap.verify().unwrap();
}

#[test]
fn one_shard_in_use_is_enough_to_refuse_other_bands_everywhere() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<4>(&source);
    heap.allocate(bytes(8)).unwrap();
    let bands = HeapConfig {
        bands: BandConfig::NONE,
        ..heap.config()
    };
    assert_eq!(heap.configure(bands), Err(ConfigError::BandsInUse));
    assert_ne!(heap.config().bands, BandConfig::NONE);
}

#[test]
fn a_refused_reservation_is_told_with_its_size_and_asked_for_again() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<4>(&source);
    source.fail_from_nth(1);
    let error = heap.allocate(bytes(5000)).unwrap_err();
    let HeapError::OutOfMemory {
        size: 5000,
        source: cause,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((cause.call, cause.len), (OsCall::Reserve, 4 * SHARE));
    assert!(
        matches!(heap.prepare(), Err(HeapError::OutOfMemory { size, .. }) if size == 4 * SHARE)
    );
    source.clear();
    heap.allocate(bytes(5000)).unwrap();
    heap.verify().unwrap();
}

#[test]
fn a_reservation_without_room_for_shares_is_told_with_its_size() {
    let page = OsPages::new().facts().page_size.get();
    for (address_space, call) in [
        (0, OsCall::Reserve),
        (7, OsCall::Reserve),
        (8 * page, OsCall::Map),
    ] {
        let heap: ShardedArenaHeap<_> = ShardedArenaHeap::new(OsPages::new(), address_space);
        let error = heap.allocate(bytes(1)).unwrap_err();
        let HeapError::OutOfMemory { source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(
            (source.call, source.reason),
            (call, Reason::OutOfPages { longest_free: 0 })
        );
        heap.verify().unwrap();
    }
}

#[test]
fn each_refused_commit_is_made_good_by_another_shard_or_told() {
    let count = {
        let source = FailAt::new(OsPages::new());
        exhaust(&heap::<3>(&source), 3000);
        source.calls_seen()
    };
    assert!(count > 60, "{count}");
    for n in 1..=count {
        let source = FailAt::new(OsPages::new());
        source.fail_nth(n);
        let heap = heap::<3>(&source);
        let mut blocks = exhaust(&heap, 3000).0;
        heap.verify().unwrap();
        // Whatever was refused is asked for again: the end is the same.
        blocks.extend(exhaust(&heap, 3000).0);
        heap.verify().unwrap();
        assert!(
            blocks.len() * 3000 > 3 * SHARE * 7 / 8,
            "{n}: {}",
            blocks.len()
        );
    }
}

#[test]
fn an_arena_that_cannot_be_decommitted_is_kept_counted_and_used_again() {
    let source = FailAt::new(OsPages::new());
    let heap = heap_without_cache(&source);
    let block = heap.allocate(bytes(5000)).unwrap();
    source.fail_nth_of(OsCall::Decommit, 1);
    free(&heap, block);
    let now = heap.statistics();
    assert_eq!(
        (now.failed_unmaps, now.cached_arenas, now.arenas),
        (1, 1, 1)
    );
    heap.verify().unwrap();
    assert_eq!(heap.allocate(bytes(5000)), Ok(block));
    free(&heap, block);
    assert_eq!(heap.statistics().mapped_bytes, 0);
    heap.verify().unwrap();
}

#[test]
fn an_arena_that_can_neither_go_nor_stay_is_never_used_again() {
    let source = FailAt::new(OsPages::new());
    let heap = heap_without_cache(&source);
    let block = heap.allocate(bytes(5000)).unwrap();
    source.fail_from_nth(1);
    free(&heap, block);
    source.clear();
    let now = heap.statistics();
    assert_eq!((now.failed_unmaps, now.arenas, now.mapped_bytes), (1, 0, 0));
    heap.verify().unwrap();
    let next = heap.allocate(bytes(5000)).unwrap();
    assert_eq!(heap.shard_of(next), heap.shard_of(block));
    assert!(next.addr().get() >= block.addr().get() + arena_size());
    free(&heap, next);
    heap.verify().unwrap();
    drop(heap);
    assert_eq!(source.live_runs(), 0, "it ends with the reservation");
}

#[test]
fn damage_is_found_in_any_shard_and_in_the_map_of_pages() {
    let source = FailAt::new(OsPages::new());
    let heap = heap::<2>(&source);
    let (blocks, _) = exhaust(&heap, 10_000);
    for block in [blocks[0], blocks[blocks.len() - 1]] {
        // SAFETY: the word before a block is its header, inside the arena.
        let header = unsafe { block.cast::<usize>().sub(1) };
        // SAFETY: as above.
        let intact = unsafe { header.read() };
        // SAFETY: as above; that it is not ours to write is the point.
        unsafe { header.write(0) };
        assert_eq!(
            heap.verify().unwrap_err().damage,
            Damage::BlockSize { size: 0 }
        );
        // SAFETY: as above.
        unsafe { header.write(intact) };
        heap.verify().unwrap();
    }
    let page = source.facts().page_size.get();
    // The map is the page before the first arena of a share.
    let base = blocks[0]
        .as_ptr()
        .map_addr(|address| (address & !(page - 1)) - page);
    for bit in [0, 1, 100] {
        // SAFETY: the map of a share has a bit for each of its pages.
        let byte = unsafe { base.add(bit / 8) };
        // SAFETY: as above; that it is not ours to write is the point.
        unsafe { *byte ^= 1 << (bit % 8) };
        let found = heap.verify().unwrap_err();
        assert_eq!(found.address, base.addr());
        let expected = matches!(
            found.damage,
            Damage::Counter {
                name: "pages in use",
                ..
            }
        );
        assert!(expected, "{found}");
        // SAFETY: as above.
        unsafe { *byte ^= 1 << (bit % 8) };
        heap.verify().unwrap();
    }
}

#[test]
fn a_fixed_array_is_divided_and_comes_back_when_the_heap_ends() {
    let mut memory = vec![MaybeUninit::uninit(); 1 << 20];
    let memory = FixedMemory::new(&mut memory, PageSize::new(1024).unwrap()).unwrap();
    let all = memory.longest_free_run();
    let heap: ShardedArenaHeap<_, 3> = ShardedArenaHeap::new(&memory, all);
    let (blocks, _) = exhaust(&heap, 1000);
    assert!(
        blocks.len() * 1000 > all * 9 / 10,
        "{} of {all}",
        blocks.len()
    );
    heap.verify().unwrap();
    assert!(memory.free_bytes() < all / 32);
    let too_much: ShardedArenaHeap<_, 3> = ShardedArenaHeap::new(&memory, all);
    let error = too_much.allocate(bytes(1)).unwrap_err();
    let HeapError::OutOfMemory { source, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(source.call, OsCall::Reserve);
    drop(heap);
    assert_eq!(memory.free_bytes(), memory.capacity());
}

/// A block on its way to another thread, filled with one byte.
struct Parcel {
    block: NonNull<u8>,
    size: usize,
    seed: u8,
}

// SAFETY: the block is the parcel's alone.
unsafe impl Send for Parcel {}

impl Parcel {
    fn write(block: NonNull<u8>, size: usize, seed: u8) -> Self {
        // SAFETY: a new block of so many bytes.
        unsafe { block.write_bytes(seed, size) };
        Self { block, size, seed }
    }

    fn check(&self, bytes: usize) {
        // SAFETY: written when it was made, or copied from there.
        let contents = unsafe { slice::from_raw_parts(self.block.as_ptr(), bytes) };
        let intact = contents.iter().all(|byte| *byte == self.seed);
        assert!(intact, "{bytes} bytes at {:?} have changed", self.block);
    }

    /// Gives the block another size, if there is memory for it, looks at it, and frees it.
    fn resize_and_free<P: PageSource, const SHARDS: usize>(
        mut self,
        heap: &ShardedArenaHeap<P, SHARDS>,
        size: usize,
    ) {
        self.check(self.size);
        // SAFETY: the parcel's alone; the new address is used from now on.
        if let Ok(block) = unsafe { heap.reallocate(self.block, bytes(size)) } {
            self.block = block;
            self.check(self.size.min(size));
        }
        free(heap, self.block);
    }
}

/// Sizes from one byte to 33 KB, small ones as often as large ones.
fn random(state: &mut u32) -> (usize, u8) {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    let [_, seed, low, high] = state.to_le_bytes();
    (1 << (high >> 4) | usize::from(low), seed)
}

/// Allocates for another thread and frees what comes from a third one; how often there was no memory,
/// and what still came.
fn trade<P: PageSource, const SHARDS: usize>(
    heap: &ShardedArenaHeap<P, SHARDS>,
    mut state: u32,
    next: mpsc::SyncSender<Parcel>,
    from: mpsc::Receiver<Parcel>,
) -> (usize, mpsc::Receiver<Parcel>) {
    let mut refused = 0;
    for round in 0..20_000 {
        let (size, seed) = random(&mut state);
        match heap.allocate(bytes(size)) {
            Ok(block) => {
                let parcel = Parcel::write(block, size, seed);
                // Whose next one has enough keeps it.
                if let Err(mpsc::TrySendError::Full(parcel)) = next.try_send(parcel) {
                    parcel.resize_and_free(heap, size / 2);
                }
            }
            Err(error) => {
                assert!(matches!(error, HeapError::OutOfMemory { .. }), "{error}");
                refused += 1;
            }
        }
        // In every other thousand they wait, so that memory runs out.
        if round / 1000 % 2 == 1 {
            for parcel in from.try_iter().take(3) {
                let size = parcel.size * 2 / (1 + parcel.size % 3);
                parcel.resize_and_free(heap, size);
            }
        }
    }
    (refused, from)
}

#[test]
fn threads_hand_blocks_to_each_other_while_shards_run_out() {
    const THREADS: usize = 4;
    let source = FailAt::new(OsPages::new());
    let heap = heap::<4>(&source);
    let (mut senders, receivers): (Vec<_>, Vec<_>) =
        (0..THREADS).map(|_| mpsc::sync_channel(300)).unzip();
    senders.rotate_left(1);
    let refused: usize = thread::scope(|scope| {
        let threads: Vec<_> = (1..)
            .zip(senders.into_iter().zip(receivers))
            .map(|(state, (next, from))| {
                let heap = &heap;
                scope.spawn(move || trade(heap, state, next, from))
            })
            .collect();
        for _ in 0..50 {
            heap.verify().unwrap();
            heap.trim();
            thread::yield_now();
        }
        // Channels end with the threads that send.
        let ended: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        for parcel in ended.iter().flat_map(|(_, from)| from.try_iter()) {
            let size = parcel.size;
            parcel.resize_and_free(&heap, size);
        }
        ended.iter().map(|(refused, _)| refused).sum()
    });
    assert!(refused > 0, "memory never ran out: nothing was shown");
    heap.verify().unwrap();
    let now = heap.statistics();
    assert_eq!((now.allocations - now.frees, now.allocated_bytes()), (0, 0));
    assert_eq!((now.refused_frees, now.failed_unmaps), (0, 0));
    for shard in 0..4 {
        assert!(heap.statistics_of(shard).unwrap().allocations > 0);
    }
    heap.trim();
    assert_eq!(heap.statistics().mapped_bytes, 0);
}
