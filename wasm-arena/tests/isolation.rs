//! What one guest wrote, the next never reads: whatever way memory is cleaned, and whatever the
//! operating system refuses meanwhile.
//!
//! Memories above 128 KiB are cleaned by what is learnt of their shape, so every case here runs many
//! lives, with guests that write much, little, here and there, in turns.

use os::{Counted, FailAt, OsCall, OsPages, PageSource};
use wasm_arena::{
    AllocError, Allocator, AllocatorBuilder, ArenaSystem, Arenas, GrowthRoom, MappedPages,
    MemoryBudget, PageAllocator, PortableArenas, RoomAccess, WASM_PAGE_SIZE,
};

type Pages<'a> = &'a FailAt<Counted<OsPages>>;

/// Which host pages of a memory a guest writes.
#[derive(Debug, Clone, Copy)]
enum Writes {
    Nothing,
    First,
    Last,
    Prefix,
    /// More ranges than one question about touched pages can name.
    EverySecond,
    Scattered(usize),
    Everything,
}

const HABITS: [Writes; 8] = [
    Writes::First,
    Writes::Everything,
    Writes::Nothing,
    Writes::EverySecond,
    Writes::Last,
    Writes::Prefix,
    Writes::Scattered(7),
    Writes::Scattered(61),
];

impl Writes {
    fn includes(self, page: usize, pages: usize) -> bool {
        match self {
            Self::Nothing => false,
            Self::First => page == 0,
            Self::Last => page + 1 == pages,
            Self::Prefix => page < pages / 2,
            Self::EverySecond => page % 2 == 1,
            Self::Scattered(step) => page % step == step - 1,
            Self::Everything => true,
        }
    }
}

/// Writes one byte, or a whole page, into each host page chosen: the last byte is what a careless
/// look at a page misses.
fn write_secrets(allocator: &impl PageAllocator, page: usize, writes: Writes, life: usize) {
    let (base, size) = (allocator.base().unwrap(), allocator.size());
    for index in (0..size / page).filter(|&index| writes.includes(index, size / page)) {
        let (offset, len) = match life % 3 {
            0 => (index * page + page - 1, 1),
            1 => (index * page, page),
            _ => (index * page + (index * 8) % page, 1),
        };
        // SAFETY: inside the memory.
        let place = unsafe { base.add(offset) };
        // SAFETY: inside the memory, which is writable and nobody else's.
        unsafe { place.write_bytes(0x5e, len) };
    }
}

fn assert_zero(allocator: &impl PageAllocator, context: &dyn core::fmt::Debug) {
    let (base, size) = (allocator.base().unwrap(), allocator.size());
    // SAFETY: initialised memory of that size, readable throughout; the borrow keeps it in place.
    let bytes = unsafe { core::slice::from_raw_parts(base.as_ptr(), size) };
    let (words, rest) = bytes.as_chunks::<8>();
    let secret = words
        .iter()
        .position(|word| *word != [0; 8])
        .map(|word| word * 8)
        .or_else(|| rest.iter().position(|byte| *byte != 0));
    assert_eq!(secret, None, "a secret of another guest: {context:?}");
}

/// Nothing, or which calls are refused in every life.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Nothing,
    /// The nth question about touched pages.
    Question(usize),
    Discard,
}

fn arm(pages: Pages<'_>, refused: Refused) {
    match refused {
        Refused::Nothing => pages.clear(),
        Refused::Question(n) => pages.fail_nth_of(OsCall::Touched, n),
        Refused::Discard => pages.fail_nth_of(OsCall::Discard, 1),
    }
}

static BUDGET: MemoryBudget = MemoryBudget::new("isolation", 1 << 30);

/// One guest after another on the same arenas: each starts small, reads zeros, writes, grows, reads
/// zeros above, writes there, and ends in one way or another.
fn lives<S: ArenaSystem>(
    builder: &AllocatorBuilder<S>,
    arenas: &Arenas<S>,
    pages: Pages<'_>,
    case: Case,
    habit: impl Fn(usize) -> Writes,
) {
    let Case {
        refused, initial, ..
    } = case;
    let page = pages.facts().page_size.get();
    for life in 0..20 {
        arm(pages, refused);
        let writes = habit(life);
        let context = (case, life, writes);
        let mut allocator = builder.clone().build_in(arenas).unwrap();
        allocator.allocate(initial, Some(initial + 40)).unwrap();
        assert_zero(&allocator, &context);
        write_secrets(&allocator, page, writes, life);
        match life % 5 {
            0 => {}
            1 => {
                let before = allocator.size();
                allocator.grow(initial, 3).unwrap();
                let base = allocator.base().unwrap();
                // SAFETY: inside the memory.
                let start = unsafe { base.add(before) };
                // SAFETY: the new part of the memory, initialised and nobody else's.
                let new =
                    unsafe { core::slice::from_raw_parts(start.as_ptr(), 3 * WASM_PAGE_SIZE) };
                assert!(new.iter().all(|byte| *byte == 0), "{context:?}");
                write_secrets(&allocator, page, Writes::Everything, life);
            }
            2 => {
                let error = allocator.grow(initial, 50).unwrap_err();
                assert!(matches!(error, AllocError::BeyondMaximum { .. }));
            }
            3 => {
                arm(pages, refused);
                allocator.reset().unwrap();
                assert_zero(&allocator, &context);
                allocator.grow(initial, 2).unwrap();
                assert_zero(&allocator, &context);
                write_secrets(&allocator, page, writes, life);
            }
            _ => {
                // Beyond the region: the memory moves and leaves its bytes behind.
                allocator.grow(initial, 30).unwrap();
                write_secrets(&allocator, page, writes, life);
            }
        }
        if life % 2 == 0 {
            allocator.free().unwrap();
        }
        drop(allocator);
        pages.clear();
    }
}

/// One system in one configuration, and what goes wrong in each life.
#[derive(Debug, Clone, Copy)]
struct Case {
    room_access: RoomAccess,
    refused: Refused,
    initial: u32,
}

fn every_case(run: impl Fn(Pages<'_>, Case)) {
    for room_access in [RoomAccess::Open, RoomAccess::Guarded] {
        for refused in [
            Refused::Nothing,
            Refused::Question(1),
            Refused::Question(2),
            Refused::Discard,
        ] {
            for initial in [3, 17] {
                let pages = FailAt::new(Counted::new(OsPages::new()));
                let case = Case {
                    room_access,
                    refused,
                    initial,
                };
                run(&pages, case);
            }
        }
    }
}

fn every_habit<S: ArenaSystem>(system: S, pages: Pages<'_>, case: Case) {
    let builder = AllocatorBuilder::<S>::new()
        .with_arena_cache_max_blocks(12)
        .with_lifo_free(case.initial == 3)
        .with_room_access(case.room_access)
        .with_growth_room(GrowthRoom::Bytes(4 * WASM_PAGE_SIZE))
        .with_budget(&BUDGET);
    let arenas = builder.build_arenas_over(system).unwrap();
    for constant in HABITS {
        lives(&builder, &arenas, pages, case, |_| constant);
    }
    let mixed = |life: usize| HABITS[(life * 5 + life / 8) % HABITS.len()];
    lives(&builder, &arenas, pages, case, mixed);
    assert!(arenas.statistics().cache_hits > 100);
}

#[test]
fn nothing_survives_in_portable_arenas() {
    every_case(|pages, case| every_habit(PortableArenas::new(pages), pages, case));
}

#[test]
fn nothing_survives_in_mapped_pages() {
    every_case(|pages, case| every_habit(MappedPages::new(pages), pages, case));
}

/// Most guests write a page, some go anywhere; who looks at everything opens everything, so few do.
#[cfg(target_os = "linux")]
#[test]
fn nothing_survives_behind_windows() {
    use os::WindowedPages;

    const LIVES: usize = 2000;
    WindowedPages::handle_faults().unwrap();
    for initial in [1, 3, 17] {
        let pages = FailAt::new(Counted::new(OsPages::new()));
        let page = pages.facts().page_size.get();
        let builder = AllocatorBuilder::<PortableArenas<WindowedPages<Pages<'_>>>>::new()
            .with_room_access(RoomAccess::Guarded)
            .with_growth_room(GrowthRoom::Bytes(4 * WASM_PAGE_SIZE));
        let system = PortableArenas::new(WindowedPages::new(&pages));
        let arenas = builder.build_arenas_over(system).unwrap();
        let mut earlier = Writes::Nothing;
        for life in 0..LIVES {
            if life % 50 == 33 {
                arm(
                    &pages,
                    [Refused::Question(1), Refused::Discard][life / 50 % 2],
                );
            }
            let mut allocator = builder.clone().build_in(&arenas).unwrap();
            allocator.allocate(initial, Some(initial + 4)).unwrap();
            let context = (initial, life, earlier);
            let (base, size) = (allocator.base().unwrap(), allocator.size());
            for index in (0..size / page).filter(|&index| earlier.includes(index, size / page)) {
                // SAFETY: inside the memory.
                let place = unsafe { base.add(index * page) };
                // SAFETY: a page of the memory, initialised and nobody else's.
                let bytes = unsafe { core::slice::from_raw_parts(place.as_ptr(), page) };
                assert!(bytes.iter().all(|byte| *byte == 0), "{context:?}");
            }
            // Calm for long enough to be closed, then not calm at all.
            let writes = match life % 250 {
                180.. if life % 2 == 0 => HABITS[life / 2 % HABITS.len()],
                120 => HABITS[life / 250 % HABITS.len()],
                _ => Writes::First,
            };
            write_secrets(&allocator, page, writes, life);
            match life % 250 {
                110 | 200 => {
                    allocator.grow(initial, 3).unwrap();
                    write_secrets(&allocator, page, Writes::Last, life);
                }
                115 | 210 => assert_eq!(allocator.verify(), Ok(())),
                121 | 189 | 220 => {
                    allocator.reset().unwrap();
                    assert_zero(&allocator, &context);
                }
                _ => {}
            }
            earlier = writes;
            drop(allocator);
            pages.clear();
        }
        let counts = pages.call_counts().unwrap();
        // Where this kernel can tell: once asked, it mostly need not be asked again.
        let asked = counts.get(OsCall::Touched);
        assert!(asked == 1 || counts.get(OsCall::Protect) > 1, "{counts:?}");
        assert!(asked < LIVES * 3 / 4, "{counts:?}");
    }
}

#[test]
fn the_kernel_is_asked_as_often_as_it_has_something_to_tell() {
    let pages = FailAt::new(Counted::new(OsPages::new()));
    let mut allocator = AllocatorBuilder::<PortableArenas<Pages<'_>>>::new()
        .build_over(PortableArenas::new(&pages))
        .unwrap();
    let mut calls_of_lives = |writes| {
        let before = pages.call_counts().unwrap();
        for _ in 0..100 {
            allocator.allocate(64, Some(64)).unwrap();
            assert_zero(&allocator, &"");
            write_secrets(&allocator, 4096, writes, 1);
            allocator.free().unwrap();
        }
        let after = pages.call_counts().unwrap();
        let made = |call| after.get(call) - before.get(call);
        (made(OsCall::Touched), made(OsCall::Discard))
    };
    match calls_of_lives(Writes::First) {
        // This kernel cannot tell, and is asked once.
        (asked, given_back) if asked <= 1 => assert_eq!(given_back, 99),
        (asked, given_back) => {
            // The first four times, and then now and then.
            assert!((8..=16).contains(&asked), "{asked}");
            assert_eq!(asked + given_back, 99);
            // Noticed by the next inspection, after 23 lives at most.
            let (asked, _) = calls_of_lives(Writes::Last);
            assert!(asked >= 76, "{asked}");
            // Soon known to be worth keeping.
            let (asked, given_back) = calls_of_lives(Writes::Last);
            assert_eq!((asked, given_back), (100, 0));
        }
    }
}

#[test]
fn large_memories_of_two_threads_never_meet() {
    let builder = AllocatorBuilder::<PortableArenas<OsPages>>::new()
        .with_room_access(RoomAccess::Open)
        .with_arena_cache_max_blocks(3);
    let arenas = builder.build_arenas().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3_usize {
            let (builder, arenas) = (&builder, &arenas);
            scope.spawn(move || {
                let mut allocator: Allocator<&Arenas<_>> =
                    builder.clone().build_in(arenas).unwrap();
                for life in 0..200 {
                    allocator.allocate(20, Some(24)).unwrap();
                    assert_zero(&allocator, &(thread, life));
                    let writes = HABITS[(life + thread * 3) % HABITS.len()];
                    write_secrets(&allocator, 4096, writes, life);
                    if life % 3 == 0 {
                        allocator.grow(20, 4).unwrap();
                        write_secrets(&allocator, 4096, Writes::Last, life);
                    }
                    allocator.free().unwrap();
                }
            });
        }
    });
}

#[test]
fn a_move_keeps_every_byte_and_copies_no_more_than_was_touched() {
    let initial = 64;
    for refused in [Refused::Nothing, Refused::Question(1), Refused::Question(2)] {
        for writes in HABITS {
            let pages = FailAt::new(Counted::new(OsPages::new()));
            let page = pages.facts().page_size.get();
            let mut allocator = AllocatorBuilder::<PortableArenas<Pages<'_>>>::new()
                .with_growth_room(GrowthRoom::Bytes(0))
                .build_over(PortableArenas::new(&pages))
                .unwrap();
            allocator.allocate(initial, None).unwrap();
            let size = allocator.size();
            write_secrets(&allocator, page, writes, 1);
            arm(&pages, refused);
            allocator.grow(initial, 16).unwrap();
            pages.clear();
            let base = allocator.base().unwrap();
            // SAFETY: initialised memory of that size, readable throughout, and not moving.
            let bytes = unsafe { core::slice::from_raw_parts(base.as_ptr(), allocator.size()) };
            for (index, bytes) in bytes.chunks(page).enumerate() {
                let secret = index < size / page && writes.includes(index, size / page);
                let expected = if secret { 0x5e } else { 0 };
                let wrong = bytes.iter().find(|byte| **byte != expected);
                assert_eq!(wrong, None, "page {index}: {writes:?} {refused:?}");
            }
            let statistics = allocator.statistics();
            assert_eq!(statistics.moves, 1);
            let written = (0..size / page)
                .filter(|&index| writes.includes(index, size / page))
                .count();
            let asked = pages.call_counts().unwrap().get(OsCall::Touched) == 1;
            if asked && matches!(refused, Refused::Nothing) && pages.facts().can_tell_touched {
                // The first page is written back to itself.
                assert!(
                    statistics.bytes_copied <= (written + 1) * page,
                    "{writes:?}"
                );
            }
        }
    }
}
