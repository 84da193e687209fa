//! Random requests: each is served exactly, which is probed, or refused.

use core::mem::MaybeUninit;
use core::ops::Range;
use std::sync::Arc;

use os::{FixedMemory, OsPages, PageSize, PageSource};
use proptest::prelude::{Just, ProptestConfig, any, prop_assert, prop_oneof, proptest};
use proptest::strategy::Strategy as _;

use wasm_arena::{
    AllocError, ArenaSystem, Arenas, GuardSize, MappedPages, MemoryOptions, MemoryRecords,
    PortableArenas,
};
use wasmtime::{MemoryType, MemoryTypeBuilder};

use crate::memory::{ArenaMemory, Creator};
use crate::request::Request;
use crate::strategy::GUARD_BYTES;
use crate::{MemoryError, Strategy, options};

fn creator<S: ArenaSystem>(system: S, strategy: Strategy, cap: Option<usize>) -> Creator<S> {
    Creator {
        arenas: Arc::new(Arenas::new(system)),
        strategy,
        options: options::resolve(MemoryOptions::DEFAULT, strategy).unwrap(),
        host_maximum: cap,
        records: Some(MemoryRecords::new()),
        spares: crate::spares::Spares::new(),
    }
}

/// A source whose pages can neither fault nor be reserved for free.
fn fixed(bytes: usize) -> FixedMemory<'static> {
    let array = vec![MaybeUninit::uninit(); bytes].leak();
    FixedMemory::new(array, PageSize::new(4096).unwrap()).unwrap()
}

fn memory_type(minimum: u64, maximum: Option<u64>, is_64: bool, page_log2: u8) -> MemoryType {
    MemoryTypeBuilder::default()
        .min(minimum)
        .max(maximum)
        .memory64(is_64)
        .page_size_log2(page_log2)
        .build()
        .unwrap()
}

/// Whether all bytes of a range of the memory's data are zero.
fn is_zero<S: ArenaSystem>(memory: &ArenaMemory<S>, range: Range<usize>) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    let base = memory.base().as_ptr();
    // SAFETY: the data of a live memory, which nobody writes meanwhile.
    let bytes = unsafe { core::slice::from_raw_parts(base, memory.size()) };
    let mut chunks = bytes[range].chunks(ZEROS.len());
    chunks.all(|chunk| chunk == &ZEROS[..chunk.len()])
}

/// Leaves something that the next memory must not see.
fn soil<S: ArenaSystem>(memory: &ArenaMemory<S>) {
    let base = memory.base().as_ptr();
    // SAFETY: the data of a live memory, which nobody else uses.
    unsafe { base.write_bytes(0xa5, memory.size()) };
}

fn is_readable(source: &impl PageSource, address: usize) -> bool {
    source.probe(address).unwrap()
}

/// Probes that the memory is what the request says.
fn check_served<S: ArenaSystem>(
    memory: &ArenaMemory<S>,
    request: &Request<'_>,
    source: &S::Source,
) {
    let page = source.facts().page_size.get();
    let base = memory.base().addr().get();
    let reserved = request.reserved.unwrap_or(0);
    assert_eq!(memory.size(), request.minimum);
    assert!(memory.capacity() >= memory.size().max(reserved));
    assert_eq!(base % page, 0);
    let data_end = base + request.minimum.next_multiple_of(page);
    if request.minimum > 0 {
        let last = request.minimum - 1;
        for offset in [0, last / 2, last] {
            assert!(is_readable(source, base + offset));
            // SAFETY: inside the data of a live memory.
            let address = unsafe { memory.base().add(offset) };
            // SAFETY: readable, as probed above; nobody writes to it.
            let byte = unsafe { address.read() };
            assert_eq!(byte, 0);
        }
    }
    if reserved == 0 && request.guard == 0 {
        return;
    }
    // Compiled code may rely on a fault everywhere from here on.
    let end = base + memory.capacity() + request.guard;
    let mut step = page;
    let mut address = data_end;
    while address < end {
        assert!(
            !is_readable(source, address),
            "readable at {:#x}",
            address - base
        );
        address += step;
        step *= 2;
    }
    for address in [base + memory.capacity() - 1, end - 1] {
        assert!(address < data_end || !is_readable(source, address));
    }
}

const GIB: usize = 1 << 30;

fn sizes() -> impl proptest::strategy::Strategy<Value = usize> {
    prop_oneof![
        Just(0_usize),
        1_usize..300_000,
        (0_usize..64).prop_map(|pages| pages * 65_536),
        Just(3 * GIB),
        Just(isize::MAX as usize),
    ]
}

fn promises() -> impl proptest::strategy::Strategy<Value = usize> {
    prop_oneof![
        3 => Just(0_usize),
        2 => Just(4 * GIB),
        1 => 1_usize..1 << 24,
        1 => (0_usize..1 << 12).prop_map(|pages| pages * 4096),
        1 => Just(GUARD_BYTES),
        1 => Just(GUARD_BYTES + 4096),
        1 => Just(isize::MAX as usize),
        1 => Just(usize::MAX),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn every_request_is_served_exactly_or_refused(
        (minimum, room, has_maximum, whole_pages) in (sizes(), sizes(), any::<bool>(), any::<bool>()),
        reserved in proptest::option::weighted(0.9, promises()),
        guard in promises(),
        cap in proptest::option::weighted(0.3, sizes()),
        (strategy, is_mapped) in (prop_oneof![Just(Strategy::Bounded), Just(Strategy::Reserved)], any::<bool>()),
    ) {
        let log2 = if whole_pages { 16 } else { 0 };
        let minimum = minimum >> log2 << log2;
        let maximum = has_maximum.then(|| minimum.saturating_add(room) >> log2 << log2);
        let pages = |bytes: usize| (bytes >> log2) as u64;
        let ty = memory_type(pages(minimum), maximum.map(pages), true, log2);
        let request = Request { ty: &ty, minimum, maximum, reserved, guard };
        if is_mapped {
            serve(MappedPages::new(OsPages::new()), strategy, cap, &request);
        } else {
            serve(PortableArenas::new(OsPages::new()), strategy, cap, &request);
        }
        // Where nothing can fault, nothing that relies on faults is granted.
        let unprotected = creator(MappedPages::new(fixed(1 << 20)), strategy, cap);
        let granted = unprotected.create(&request);
        prop_assert!(granted.is_err() || (guard == 0 && reserved.unwrap_or(0) == 0));
    }

    #[test]
    fn what_one_memory_held_no_other_sees(
        uses in uses(),
        (strategy, is_mapped) in (prop_oneof![Just(Strategy::Bounded), Just(Strategy::Reserved)], any::<bool>()),
        guard_after in prop_oneof![Just(GuardSize::OneHostPage), Just(GuardSize::Bytes(2 * GUARD_BYTES))],
    ) {
        if is_mapped {
            use_again_and_again(MappedPages::new(OsPages::new()), strategy, guard_after, &uses);
        } else {
            use_again_and_again(PortableArenas::new(OsPages::new()), strategy, guard_after, &uses);
        }
    }
}

/// A request that a host of any size can serve, and how the memory is then used.
#[derive(Debug, Clone, Copy)]
struct Use {
    minimum: usize,
    room: usize,
    shape: Shape,
    grow: usize,
    /// Which of the memories alive ends first.
    end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    SixtyFour,
    BytePages,
    Shared,
}

fn uses() -> impl proptest::strategy::Strategy<Value = Vec<Use>> {
    let shapes = prop_oneof![
        Just(Shape::Plain),
        Just(Shape::SixtyFour),
        Just(Shape::BytePages),
        Just(Shape::Shared),
    ];
    let one = (
        0_usize..200_000,
        0_usize..200_000,
        shapes,
        0_usize..300_000,
        any::<usize>(),
    );
    let one = one.prop_map(|(minimum, room, shape, grow, end)| Use {
        minimum,
        room,
        shape,
        grow,
        end,
    });
    proptest::collection::vec(one, 1..10)
}

fn use_again_and_again<S: ArenaSystem>(
    system: S,
    strategy: Strategy,
    guard_after: GuardSize,
    uses: &[Use],
) {
    let mut creator = creator(system, strategy, None);
    let mut asked = MemoryOptions::DEFAULT;
    asked.guard_after = guard_after;
    creator.options = options::resolve(asked, strategy).unwrap();
    let (reserved, guard) = match strategy {
        Strategy::Bounded => (0, 0),
        Strategy::Reserved => (4 * GIB, options::engine_guard(&creator.options, strategy)),
    };
    let mut live: Vec<ArenaMemory<S>> = Vec::new();
    for use_ in uses {
        let log2 = if use_.shape == Shape::BytePages {
            0
        } else {
            16
        };
        let whole = |bytes: usize| bytes >> log2 << log2;
        let (minimum, maximum) = (whole(use_.minimum), whole(use_.minimum + use_.room));
        let ty = MemoryTypeBuilder::default()
            .min((minimum >> log2) as u64)
            .max(Some((maximum >> log2) as u64))
            .memory64(use_.shape == Shape::SixtyFour)
            .shared(use_.shape == Shape::Shared)
            .page_size_log2(log2)
            .build()
            .unwrap();
        let request = Request {
            ty: &ty,
            minimum,
            maximum: Some(maximum),
            reserved: Some(reserved),
            guard,
        };
        let mut memory = creator.create(&request).unwrap();
        check_served(&memory, &request, creator.arenas.system().source());
        assert!(is_zero(&memory, 0..minimum), "{use_:?}");
        soil(&memory);
        let (base, grown) = (memory.base(), minimum + whole(use_.grow));
        assert_eq!(memory.grow_to(grown).is_ok(), grown <= maximum, "{use_:?}");
        if grown <= maximum {
            assert!(is_zero(&memory, minimum..grown), "{use_:?}");
            let in_place = use_.shape == Shape::Shared || strategy == Strategy::Reserved;
            assert!(!in_place || memory.base() == base);
            soil(&memory);
        }
        live.push(memory);
        if live.len() > 3 {
            live.swap_remove(use_.end % 4);
        }
    }
    drop(live);
    let numbers = creator.arenas.statistics();
    assert_eq!((numbers.live_memories, numbers.unreturned.regions), (0, 0));
}

fn serve<S: ArenaSystem>(system: S, strategy: Strategy, cap: Option<usize>, request: &Request<'_>) {
    let creator = creator(system, strategy, cap);
    let reserved = request.reserved.unwrap_or(0);
    let promise_fits = match strategy {
        Strategy::Bounded => reserved == 0 && request.guard == 0,
        Strategy::Reserved => request.guard <= GUARD_BYTES,
    };
    let within_cap = cap.is_none_or(|cap| request.minimum <= cap);
    // What certainly fits an address space of 47 bits.
    let is_small = request.minimum <= 4 * GIB && reserved <= 8 * GIB;
    match creator.create(request) {
        Ok(mut memory) => {
            assert!(promise_fits && within_cap, "granted: {request:?}");
            check_served(&memory, request, creator.arenas.system().source());
            let (base, size, capacity) = (memory.base(), memory.size(), memory.capacity());
            let limit = request
                .maximum
                .unwrap_or(usize::MAX)
                .min(cap.unwrap_or(usize::MAX));
            let in_place = capacity.min(limit).min(size.saturating_add(1 << 20));
            memory.grow_to(in_place).unwrap();
            assert_eq!((memory.base(), memory.size()), (base, in_place));
            assert!(memory.grow_to(usize::MAX).is_err());
            assert!(in_place == 0 || memory.grow_to(in_place - 1).is_err());
            assert_eq!((memory.base(), memory.size()), (base, in_place));
            drop(memory);
            let record = creator.records.as_ref().unwrap().list()[0];
            assert!(!record.is_live && record.last_refusal.is_some());
        }
        Err(error) => {
            assert!(
                !(promise_fits && within_cap && is_small),
                "refused: {error}"
            );
            if let MemoryError::SettingNotProvided {
                setting,
                requested,
                provided,
            } = error
            {
                assert!(!promise_fits && provided < requested);
                assert!(error.to_string().contains(setting));
            }
            assert_names_the_reason(&error, request, cap);
        }
    }
    assert_eq!(creator.arenas.statistics().live_memories, 0);
    assert_eq!(creator.arenas.statistics().unreturned.regions, 0);
}

/// Every refusal says which limit it was, in numbers.
fn assert_names_the_reason(error: &MemoryError, request: &Request<'_>, cap: Option<usize>) {
    let message = error.to_string();
    let numbers = match *error {
        MemoryError::SettingNotProvided { requested, .. } => {
            assert!(requested == request.guard || Some(requested) == request.reserved);
            vec![requested]
        }
        MemoryError::BeyondHostMaximum { requested, maximum } => {
            assert_eq!((requested, Some(maximum)), (request.minimum, cap));
            vec![requested, maximum]
        }
        // The address space, or what the system has of it.
        MemoryError::Alloc(
            AllocError::TooLarge { .. }
            | AllocError::BeyondResourceLimit { .. }
            | AllocError::Os(_),
        ) => vec![],
        _ => panic!("{message}: {request:?}"),
    };
    for number in numbers {
        assert!(message.contains(&number.to_string()), "{message}");
    }
    assert!(
        message.contains(|character: char| character.is_ascii_digit()),
        "{message}"
    );
}

#[test]
fn sizes_that_contradict_the_type_are_refused() {
    let creator = creator(MappedPages::new(OsPages::new()), Strategy::Bounded, None);
    let ty = memory_type(2, Some(4), false, 16);
    for (minimum, maximum, fits) in [
        (131_072, Some(262_144), true),
        (131_072, Some(131_072), false),
        (131_072, None, false),
        (65_536, Some(262_144), false),
        (131_073, Some(262_144), false),
        (usize::MAX, Some(262_144), false),
    ] {
        let request = Request {
            ty: &ty,
            minimum,
            maximum,
            reserved: Some(0),
            guard: 0,
        };
        match creator.create(&request) {
            Ok(_) => assert!(fits),
            Err(error) => assert_eq!(
                (fits, error),
                (false, MemoryError::InconsistentType { minimum })
            ),
        }
    }
}

#[test]
fn a_shared_memory_reaches_its_maximum_without_moving() {
    for strategy in Strategy::ALL {
        let creator = creator(PortableArenas::new(OsPages::new()), strategy, None);
        let ty = MemoryType::shared(1, 100);
        let mut memory = creator
            .create(&Request {
                ty: &ty,
                minimum: 65_536,
                maximum: Some(6_553_600),
                reserved: Some(0),
                guard: 0,
            })
            .unwrap();
        let base = memory.base();
        for pages in 2..=100 {
            memory.grow_to(pages * 65_536).unwrap();
        }
        assert_eq!(memory.base(), base);
        assert!(memory.grow_to(101 * 65_536).is_err());
    }
}

#[test]
fn shared_memories_under_reservations_refuse_what_could_fail_half_way() {
    let ty = MemoryType::shared(1, 2);
    let request = Request {
        ty: &ty,
        minimum: 65_536,
        maximum: Some(131_072),
        reserved: Some(0),
        guard: 0,
    };
    for strategy in Strategy::ALL {
        let mut creator = creator(PortableArenas::new(OsPages::new()), strategy, None);
        creator.options.prefault = true;
        match creator.create(&request) {
            Ok(memory) => assert_eq!((strategy, memory.size()), (Strategy::Bounded, 65_536)),
            Err(error) => {
                assert_eq!(strategy, Strategy::Reserved);
                assert!(error.to_string().contains("prefault"));
            }
        }
    }
}
