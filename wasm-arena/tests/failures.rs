//! The nth call of the operating system fails, for every n: contents intact, nothing leaked, the
//! error names the call.

use os::{FailAt, OsCall, OsPages, Reason};
use wasm_arena::{
    AllocError, AllocatorBuilder, ArenaSystem, GrowthPolicy, GrowthRoom, MappedPages,
    PageAllocator, PortableArenas, Protection, RoomAccess, WASM_PAGE_SIZE,
};

/// The error of a refused call, or a test failure.
fn injected(error: AllocError) -> OsCall {
    match error {
        AllocError::Os(error) if error.reason == Reason::Injected => {
            assert!(error.to_string().starts_with(error.call.name()));
            error.call
        }
        other => panic!("the refused call is not named: {other}"),
    }
}

/// One memory, its expected contents, and the steps of the scenario.
struct Scenario<A> {
    allocator: A,
    expected: Vec<u8>,
    refused: Vec<OsCall>,
    step: u8,
}

impl<A: PageAllocator> Scenario<A> {
    /// Runs a step until it succeeds; a refused one must have changed nothing.
    fn retry<T>(&mut self, mut step: impl FnMut(&mut A) -> Result<T, AllocError>) -> T {
        for _ in 0..3 {
            match step(&mut self.allocator) {
                Ok(result) => return result,
                Err(error) => {
                    self.refused.push(injected(error));
                    self.check();
                }
            }
        }
        panic!("one refusal was planned, not three");
    }

    fn check(&self) {
        assert_eq!(self.allocator.size(), self.expected.len());
        if let Some(base) = self.allocator.base() {
            for (index, page) in self.expected.chunks(4096).enumerate() {
                let range = index * 4096..index * 4096 + page.len();
                if self.allocator.first_refusal(range.clone(), false).is_none() {
                    // SAFETY: inside the size, and readable as the allocator says.
                    let bytes = unsafe {
                        core::slice::from_raw_parts(
                            base.as_ptr().wrapping_add(range.start),
                            page.len(),
                        )
                    };
                    assert!(bytes == page, "page {index} changed");
                }
            }
        }
    }

    fn fill(&mut self) {
        self.step += 1;
        let base = self.allocator.base().unwrap();
        for start in (0..self.expected.len()).step_by(4096) {
            if self
                .allocator
                .first_refusal(start..start + 4096, true)
                .is_none()
            {
                self.expected[start..start + 4096].fill(self.step);
                let page = base.as_ptr().wrapping_add(start);
                // SAFETY: inside the size, and writable as the allocator says.
                unsafe { page.write_bytes(self.step, 4096) };
            }
        }
    }

    fn grow(&mut self, pages: u32) {
        let current = wasm_arena::bytes_to_pages(self.expected.len());
        self.retry(|allocator| allocator.grow(current, pages));
        self.expected
            .resize(self.expected.len() + pages as usize * WASM_PAGE_SIZE, 0);
        self.check();
        self.fill();
    }
}

/// Allocate, grow in place, protect, move, reset, free, and again from the cache, with the `n`th
/// call refused. Returns the calls refused and the calls made.
fn run<S: ArenaSystem>(
    builder: &AllocatorBuilder<S>,
    system: S,
    pages: &FailAt<OsPages>,
    n: usize,
) -> (Vec<OsCall>, usize) {
    let before = pages.calls_seen();
    let arenas = builder.build_arenas_over(system).unwrap();
    pages.fail_nth(n);
    let allocator = builder.clone().build_in(&arenas).unwrap();
    let mut scenario = Scenario {
        allocator,
        expected: Vec::new(),
        refused: Vec::new(),
        step: 0,
    };
    for _ in 0..2 {
        scenario.retry(|allocator| allocator.allocate(2, Some(40)));
        scenario.expected = vec![0; 2 * WASM_PAGE_SIZE];
        scenario.fill();
        scenario.grow(1);
        scenario.retry(|allocator| allocator.protect(4096, 8192, Protection::Read));
        scenario.retry(|allocator| allocator.protect(65_536, 4096, Protection::None));
        scenario.fill();
        scenario.grow(1);
        scenario.grow(9);
        assert!(
            scenario.allocator.first_refusal(4096..4097, true).is_some(),
            "protection lost"
        );
        assert!(
            scenario
                .allocator
                .first_refusal(65_536..65_537, false)
                .is_some()
        );
        scenario.retry(|allocator| allocator.protect(65_536, 4096, Protection::ReadWrite));
        scenario.check();
        // A reset that cannot close the room again has reset nevertheless, and so has its retry.
        let initial = vec![0; 2 * WASM_PAGE_SIZE];
        loop {
            match scenario.allocator.reset() {
                Ok(()) => break,
                Err(error) => {
                    scenario.refused.push(injected(error));
                    if scenario.allocator.size() == initial.len() {
                        scenario.expected.clone_from(&initial);
                    }
                    scenario.check();
                }
            }
        }
        scenario.expected = initial;
        scenario.check();
        scenario.fill();
        // Ending a memory cannot be refused: what fails is counted.
        if let Err(error) = scenario.allocator.free() {
            scenario.refused.push(injected(error));
        }
        scenario.expected.clear();
        scenario.check();
    }
    let Scenario {
        allocator, refused, ..
    } = scenario;
    drop(allocator);
    let calls = pages.calls_seen() - before;
    pages.clear();
    arenas.trim().unwrap();
    let statistics = arenas.statistics();
    assert_eq!(statistics.live_memories, 0);
    // What is still mapped is bookkeeping, or was counted as lost.
    assert_eq!(
        pages.live_bytes(),
        statistics.bookkeeping.mapped_bytes + statistics.unreturned.bytes,
        "leak after refusing call {n} ({refused:?})"
    );
    if statistics.unreturned.regions > 0 {
        assert!(pages.injected() > 0, "a region was lost without a reason");
    }
    (refused, calls)
}

/// Refuses each call of the scenario in turn; `once` runs it with the nth call refused.
fn every_call(
    mut once: impl FnMut(&FailAt<OsPages>, usize) -> (Vec<OsCall>, usize),
) -> Vec<OsCall> {
    let mut kinds = Vec::new();
    let mut n = 1;
    loop {
        let pages = FailAt::new(OsPages::new());
        let (refused, calls) = once(&pages, n);
        if pages.injected() == 0 {
            assert!(n > 10 && calls < n, "the scenario made only {calls} calls");
            return kinds;
        }
        for call in refused {
            if !kinds.contains(&call) {
                kinds.push(call);
            }
        }
        n += 1;
        assert!(n < 1000, "the scenario never ends");
    }
}

const VARIANTS: usize = 7;

fn variants<S: ArenaSystem>() -> [AllocatorBuilder<S>; VARIANTS] {
    let builder = || AllocatorBuilder::<S>::new().with_growth_room(GrowthRoom::Bytes(150_000));
    [
        builder(),
        builder().with_arena_cache_max_blocks(0),
        builder().with_room_access(RoomAccess::Open),
        builder().with_prefault(true),
        builder().with_lock_in_memory(true),
        builder().with_data_protection(Protection::ReadExecute),
        builder().with_growth_policy(GrowthPolicy::ReserveMaximum),
    ]
}

#[test]
fn portable_arenas_survive_every_refusal() {
    for index in 0..VARIANTS {
        let kinds =
            every_call(|pages, n| run(&variants()[index], PortableArenas::new(pages), pages, n));
        for expected in [OsCall::Reserve, OsCall::Commit, OsCall::Protect] {
            assert!(
                kinds.contains(&expected),
                "variant {index} never met a refused {expected}"
            );
        }
    }
}

#[test]
fn mapped_pages_survive_every_refusal() {
    for index in 0..VARIANTS {
        let kinds =
            every_call(|pages, n| run(&variants()[index], MappedPages::new(pages), pages, n));
        for expected in [OsCall::Reserve, OsCall::Commit, OsCall::Protect] {
            assert!(
                kinds.contains(&expected),
                "variant {index} never met a refused {expected}"
            );
        }
    }
}

#[test]
fn a_region_that_cannot_go_back_is_counted() {
    let pages = FailAt::new(OsPages::new());
    let builder = AllocatorBuilder::new().with_arena_cache_max_blocks(0);
    let arenas = builder
        .build_arenas_over(PortableArenas::new(&pages))
        .unwrap();
    let mut allocator = builder.build_in(&arenas).unwrap();
    allocator.allocate(1, Some(1)).unwrap();
    pages.fail_nth_of(OsCall::Unmap, 1);
    allocator.free().unwrap();
    let statistics = arenas.statistics();
    assert_eq!(statistics.unreturned.regions, 1);
    assert!(statistics.unreturned.bytes >= WASM_PAGE_SIZE);
    assert_eq!(
        pages.live_bytes(),
        statistics.bookkeeping.mapped_bytes + statistics.unreturned.bytes
    );
    allocator.allocate(1, Some(1)).unwrap();
}
