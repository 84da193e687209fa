//! Random programs on every kind of page source, against the plain model.

mod support;

use core::mem::MaybeUninit;

use arena_heap::{Band, BandConfig, FreeOrder, HeapConfig};
use os::{FailAt, FixedMemory, OsPages, PageSize, PageSource};
use proptest::prelude::*;
use support::{Model, TestHeap, TestShards, bytes};

/// Runs a program, frees all, trims, and expects that not a byte stays with the heap.
fn run_and_return_everything<Q: PageSource>(
    source: &FailAt<Q>,
    config: HeapConfig,
    program: &[u8],
    verify_every: usize,
) -> Model {
    let mut heap = TestHeap::with_config(source, config).unwrap();
    let mut model = Model::default();
    model.run(&mut heap, program, verify_every);
    model.check_contents();
    model.free_all(&mut heap);
    model.check(&heap);
    heap.trim();
    assert_eq!(heap.statistics().mapped_bytes, 0);
    assert_eq!(source.live_bytes(), 0);
    heap.verify().unwrap();
    model
}

/// The same in shards of `share` bytes each.
fn run_in_shards<Q: PageSource, const SHARDS: usize>(
    source: &FailAt<Q>,
    share: usize,
    config: HeapConfig,
    program: &[u8],
) -> Model {
    let mut heap: TestShards<'_, Q, SHARDS> = TestShards::new(source, SHARDS * share);
    heap.configure(config).unwrap();
    let mut model = Model::default();
    model.run(&mut heap, program, 50);
    model.check_contents();
    model.free_all(&mut heap);
    model.check(&heap);
    heap.trim();
    assert_eq!(heap.statistics().mapped_bytes, 0);
    heap.verify().unwrap();
    drop(heap);
    assert_eq!(source.live_bytes(), 0);
    model
}

fn config(page: usize) -> HeapConfig {
    HeapConfig::for_page_size(PageSize::new(page).unwrap())
}

#[test]
fn long_programs_over_pages_of_the_operating_system() {
    for seed in 0..4 {
        let source = FailAt::new(OsPages::new());
        let page = source.facts().page_size.get();
        let program = bytes(seed, 60_000);
        let model = run_and_return_everything(&source, config(page), &program, 50);
        assert!(model.done > 15_000, "{}", model.done);
        assert_eq!(model.refused, 0);
    }
}

#[test]
fn long_programs_over_a_fixed_array_that_is_too_small_at_times() {
    let mut memory = vec![MaybeUninit::uninit(); 2 << 20];
    let mut refused = 0;
    for (seed, page) in [(10, 256), (11, 1024), (12, 4096), (13, 16384), (14, 65536)] {
        let memory = FixedMemory::new(&mut memory, PageSize::new(page).unwrap()).unwrap();
        let source = FailAt::new(memory);
        let program = bytes(seed, 40_000);
        let model = run_and_return_everything(&source, config(page), &program, 50);
        assert!(model.done > 10_000, "{}", model.done);
        assert_eq!(source.inner().free_bytes(), source.inner().capacity());
        refused += model.refused;
    }
    assert!(
        refused > 0,
        "the array was never too small: nothing was shown"
    );
}

#[test]
fn long_programs_in_shards_that_are_too_small_at_times() {
    let page = OsPages::new().facts().page_size.get();
    let mut refused = 0;
    for seed in 30..33 {
        let source = FailAt::new(OsPages::new());
        let program = bytes(seed, 40_000);
        let model = run_in_shards::<_, 5>(&source, 700 << 10, config(page), &program);
        assert!(model.done > 10_000, "{}", model.done);
        refused += model.refused;
    }
    assert!(refused > 0, "there was always room: nothing was shown");
    let source = FailAt::new(OsPages::new());
    let model = run_in_shards::<_, 8>(&source, 64 << 20, config(page), &bytes(33, 40_000));
    assert_eq!(model.refused, 0);
}

#[test]
fn long_programs_in_shards_of_a_fixed_array() {
    let mut memory = vec![MaybeUninit::uninit(); 3 << 20];
    for (seed, page) in [(40, 256), (41, 4096), (42, 65536)] {
        let memory = FixedMemory::new(&mut memory, PageSize::new(page).unwrap()).unwrap();
        let share = memory.longest_free_run() / 4;
        let source = FailAt::new(memory);
        run_in_shards::<_, 4>(&source, share, config(page), &bytes(seed, 30_000));
        assert_eq!(source.inner().free_bytes(), source.inner().capacity());
    }
}

#[test]
fn long_programs_with_other_settings() {
    let page = OsPages::new().facts().page_size.get();
    let base = config(page);
    let wide = [Band::of_size(24), Band::of_size(200), Band::of_size(2048)];
    let many = "8:2,32,60:15,32,60:29,32,60:55,24,60:100,24,60:130,24,60:260,8,60:600,4,60";
    for (seed, config) in [
        (
            20,
            HeapConfig {
                bands: BandConfig::NONE,
                ..base
            },
        ),
        (
            21,
            HeapConfig {
                bands: BandConfig::new(&wide).unwrap(),
                ..base
            },
        ),
        (
            22,
            HeapConfig {
                bands: BandConfig::parse(many).unwrap(),
                ..base
            },
        ),
        (
            23,
            HeapConfig {
                free_order: FreeOrder::Lifo,
                arena_size: 256 << 10,
                ..base
            },
        ),
        (
            24,
            HeapConfig {
                cache_max_blocks: 0,
                arena_size: page,
                ..base
            },
        ),
        (
            25,
            HeapConfig {
                hold: true,
                preallocate: 1 << 20,
                ..base
            },
        ),
    ] {
        let source = FailAt::new(OsPages::new());
        run_and_return_everything(&source, config, &bytes(seed, 20_000), 50);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn short_programs_verified_at_every_step(program in prop::collection::vec(any::<u8>(), 0..1500)) {
        let source = FailAt::new(OsPages::new());
        let page = source.facts().page_size.get();
        run_and_return_everything(&source, config(page), &program, 1);
    }
}
