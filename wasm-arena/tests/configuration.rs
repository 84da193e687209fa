//! Settings: checked, applied, reported option by option; budgets; addresses; the safe face.

use core::mem::MaybeUninit;

use os::{FixedMemory, OsPages, PageSize};
use wasm_arena::{
    AllocError, AllocatorBuilder, ConfigOption, GrowthPolicy, GrowthRoom, GuardSize, LinearMemory,
    MAX_ARENA_SIZE, MappedPages, MemoryBudget, OptionValue, Outcome, PageAllocator, PortableArenas,
    Protection, QnxAllocatorBuilder, QnxArenaAllocatorBuilder, RegionPart, VerificationLevel,
    WASM_PAGE_SIZE,
};

#[test]
fn every_option_is_reported() {
    let allocator = QnxArenaAllocatorBuilder::new()
        .with_arena_size(64 * 1024)
        .with_arena_cache_max_blocks(8)
        .with_arena_cache_max_size(256 * 1024)
        .with_lifo_free(true)
        .with_memory_hold(true)
        .with_monotonic_growth(true)
        .with_preallocation(64 * 1024)
        .with_guard_before(GuardSize::Bytes(8192))
        .with_guard_after(GuardSize::Bytes(65_536))
        .with_guard_protection(Protection::Read)
        .with_data_protection(Protection::ReadWriteExecute)
        .with_write_and_execute(true)
        .with_growth_policy(GrowthPolicy::InPlace)
        .with_growth_room(GrowthRoom::Bytes(1 << 20))
        .with_prefault(true)
        .with_lock_in_memory(true)
        .with_verification_level(VerificationLevel::Critical)
        .refuse_partial_configuration(true)
        .build()
        .unwrap();
    let effective = allocator.effective_configuration();
    for option in ConfigOption::ALL {
        let known = effective
            .get(option)
            .unwrap_or_else(|| panic!("{option} is not reported"));
        assert_eq!(known.outcome, Outcome::Applied, "{known}");
        assert_eq!(known.asked, known.in_force);
    }
    for (option, value) in [
        (ConfigOption::ArenaSize, OptionValue::Bytes(65_536)),
        (ConfigOption::ArenaCacheMaxBlocks, OptionValue::Count(8)),
        (ConfigOption::GuardBefore, OptionValue::Bytes(8192)),
        (ConfigOption::GrowthPolicy, OptionValue::Choice("in-place")),
        (
            ConfigOption::VerificationLevel,
            OptionValue::Choice("critical"),
        ),
    ] {
        assert_eq!(effective.get(option).unwrap().in_force, value);
    }
}

#[test]
fn wrong_settings_are_errors_with_the_limit_in_them() {
    for bytes in [0, 4095, MAX_ARENA_SIZE + 4096, usize::MAX] {
        let error = QnxArenaAllocatorBuilder::new()
            .with_arena_size(bytes)
            .build()
            .unwrap_err();
        let AllocError::InvalidOption {
            option,
            value,
            minimum,
            maximum,
        } = error
        else {
            panic!("{bytes}: {error}");
        };
        assert_eq!((option, value), (ConfigOption::ArenaSize, bytes));
        assert_eq!((minimum, maximum), (4096, MAX_ARENA_SIZE));
    }
    let error = QnxArenaAllocatorBuilder::new()
        .with_arena_size(40_000)
        .build()
        .unwrap_err();
    assert_eq!(
        error,
        AllocError::Misaligned {
            value: 40_000,
            page_size: 4096
        }
    );
    let guard = GuardSize::Bytes(100);
    let error = QnxArenaAllocatorBuilder::new()
        .with_guard_after(guard)
        .build()
        .unwrap_err();
    assert_eq!(
        error,
        AllocError::Misaligned {
            value: 100,
            page_size: 4096
        }
    );
    let executable = Protection::ReadWriteExecute;
    let error = QnxArenaAllocatorBuilder::new()
        .with_data_protection(executable)
        .build();
    assert_eq!(error.unwrap_err(), AllocError::WriteAndExecute);
    let writable = Protection::ReadWrite;
    let error = QnxArenaAllocatorBuilder::new()
        .with_guard_protection(writable)
        .build();
    assert!(matches!(
        error,
        Err(AllocError::InvalidOption {
            option: ConfigOption::GuardProtection,
            ..
        })
    ));
}

#[test]
fn what_cannot_be_had_is_reported_or_refused() {
    // Mappings have no arenas.
    let builder = QnxAllocatorBuilder::new().with_arena_size(65_536);
    let allocator = builder.clone().build().unwrap();
    let known = *allocator
        .effective_configuration()
        .get(ConfigOption::ArenaSize)
        .unwrap();
    assert!(matches!(known.outcome, Outcome::Unsupported(_)), "{known}");
    assert_eq!(
        builder
            .refuse_partial_configuration(true)
            .build()
            .unwrap_err(),
        AllocError::PartialConfiguration {
            option: ConfigOption::ArenaSize
        }
    );
    QnxAllocatorBuilder::new()
        .refuse_partial_configuration(true)
        .build()
        .unwrap();

    // An array cannot protect.
    let mut array = vec![MaybeUninit::<u8>::uninit(); 1 << 20];
    let pages = FixedMemory::new(&mut array, PageSize::new(4096).unwrap()).unwrap();
    let builder = AllocatorBuilder::new();
    let allocator = builder
        .clone()
        .build_over(PortableArenas::new(&pages))
        .unwrap();
    for option in [ConfigOption::GuardBefore, ConfigOption::GuardAfter] {
        let known = allocator.effective_configuration().get(option).unwrap();
        assert_eq!(known.in_force, OptionValue::Bytes(0));
        assert!(matches!(known.outcome, Outcome::Unsupported(_)), "{known}");
    }
    assert!(matches!(
        builder
            .refuse_partial_configuration(true)
            .build_over(PortableArenas::new(&pages)),
        Err(AllocError::PartialConfiguration {
            option: ConfigOption::GuardBefore
        })
    ));

    // Portable arenas have no reallocation of their own.
    let builder = QnxArenaAllocatorBuilder::new().with_growth_policy(GrowthPolicy::Reallocate);
    let allocator = builder.clone().build().unwrap();
    let known = *allocator
        .effective_configuration()
        .get(ConfigOption::GrowthPolicy)
        .unwrap();
    assert_eq!(known.in_force, OptionValue::Choice("move-when-full"));
    assert!(builder.refuse_partial_configuration(true).build().is_err());
}

#[test]
fn growth_policies_keep_their_promises() {
    let builder = QnxArenaAllocatorBuilder::new().with_growth_room(GrowthRoom::Bytes(0));
    let mut in_place = builder
        .clone()
        .with_growth_policy(GrowthPolicy::InPlace)
        .build()
        .unwrap();
    in_place.allocate(1, None).unwrap();
    assert_eq!(
        in_place.grow(1, 1),
        Err(AllocError::NoRoom {
            requested: 2 * WASM_PAGE_SIZE,
            capacity: WASM_PAGE_SIZE
        })
    );

    let mut reserving = builder
        .clone()
        .with_growth_policy(GrowthPolicy::ReserveMaximum)
        .build()
        .unwrap();
    assert_eq!(reserving.allocate(1, None), Err(AllocError::NoMaximum));
    let (base, _) = reserving.allocate(1, Some(1000)).unwrap();
    for pages in 1..1000 {
        assert_eq!(reserving.grow(pages, 1), Ok(base));
    }
    assert_eq!(
        (reserving.statistics().moves, reserving.statistics().grows),
        (0, 999)
    );

    // Moves are amortised: the bytes copied stay proportional to the final size.
    let mut moving = builder.build().unwrap();
    moving.allocate(1, None).unwrap();
    for pages in 1..1000 {
        moving.grow(pages, 1).unwrap();
    }
    let statistics = moving.statistics();
    assert!(statistics.moves < 20, "{} moves", statistics.moves);
    assert!(statistics.bytes_copied < 3 * statistics.current_bytes);
}

#[test]
fn zero_pages_are_legal() {
    for guards in [true, false] {
        let mut allocator = QnxArenaAllocatorBuilder::new()
            .with_guard_pages(guards)
            .build()
            .unwrap();
        let (base, size) = allocator.allocate(0, Some(0)).unwrap();
        assert_eq!(size, 0);
        assert_eq!(allocator.grow(0, 0), Ok(base));
        assert!(matches!(
            allocator.grow(0, 1),
            Err(AllocError::BeyondMaximum { .. })
        ));
        allocator.protect(0, 0, Protection::None).unwrap();
        allocator.reset().unwrap();
        allocator.free().unwrap();
        allocator.allocate(0, None).unwrap();
        allocator.grow(0, 3).unwrap();
    }
}

#[test]
fn sizes_beyond_the_address_space_are_refused_and_nothing_is_left() {
    let mut allocator = QnxArenaAllocatorBuilder::new().build().unwrap();
    // 2^32 - 1 pages are 256 TiB: more than a process can have, and an error like any other.
    assert!(allocator.allocate(u32::MAX, None).is_err());
    assert_eq!(allocator.statistics().current_bytes, 0);
    assert_eq!(allocator.arenas().statistics().reserved_bytes, 0);
    allocator.allocate(1, Some(u32::MAX)).unwrap();
    assert!(allocator.grow(1, u32::MAX - 1).is_err());
    assert_eq!(allocator.size(), WASM_PAGE_SIZE);
    assert!(allocator.grow_bytes(usize::MAX).is_err());
    allocator.grow(1, 1).unwrap();
}

#[test]
fn a_budget_pays_for_memories_and_gets_it_back() {
    static MACHINE: MemoryBudget = MemoryBudget::new("machine", 10 * WASM_PAGE_SIZE);
    static GUEST: MemoryBudget = MemoryBudget::child("guest", 6 * WASM_PAGE_SIZE, &MACHINE);
    let builder = QnxArenaAllocatorBuilder::new().with_budget(&GUEST);
    let mut first = builder.clone().build().unwrap();
    let mut second = builder.build().unwrap();
    first.allocate(4, None).unwrap();
    second.allocate(1, None).unwrap();
    assert_eq!(
        (GUEST.used(), MACHINE.used()),
        (5 * WASM_PAGE_SIZE, 5 * WASM_PAGE_SIZE)
    );
    assert_eq!(
        second.grow(1, 2),
        Err(AllocError::BudgetExceeded {
            budget: "guest",
            requested: 2 * WASM_PAGE_SIZE,
            available: WASM_PAGE_SIZE,
            limit: 6 * WASM_PAGE_SIZE,
        })
    );
    second.grow(1, 1).unwrap();
    second.reset().unwrap();
    assert_eq!(GUEST.used(), 5 * WASM_PAGE_SIZE);
    first.free().unwrap();
    assert_eq!(GUEST.used(), WASM_PAGE_SIZE);
    drop(second);
    assert_eq!((GUEST.used(), MACHINE.used()), (0, 0));
    assert_eq!(GUEST.peak(), 6 * WASM_PAGE_SIZE);
}

#[test]
fn addresses_are_described_across_memories() {
    let builder = QnxArenaAllocatorBuilder::new().with_growth_room(GrowthRoom::Bytes(65_536));
    let arenas = builder.build_arenas().unwrap();
    let mut first = builder.clone().build_in(&arenas).unwrap();
    let mut second = builder.build_in(&arenas).unwrap();
    let base_of_first = first.allocate(1, None).unwrap().0.addr().get();
    let base_of_second = second.allocate(2, None).unwrap().0.addr().get();
    for (allocator, base, size) in [
        (&first, base_of_first, 65_536),
        (&second, base_of_second, 131_072),
    ] {
        for (address, part) in [
            (base - 1, RegionPart::GuardBefore { before_base: 1 }),
            (base, RegionPart::Data { offset: 0 }),
            (base + size - 1, RegionPart::Data { offset: size - 1 }),
            (base + size, RegionPart::RoomToGrow { offset: size }),
            (
                base + size + 65_536,
                RegionPart::GuardAfter {
                    offset: size + 65_536,
                },
            ),
        ] {
            let found = arenas.describe_address(address).unwrap().unwrap();
            assert_eq!((found.memory, found.part), (allocator.id().unwrap(), part));
            assert_eq!(allocator.describe_address(address), Some(part));
        }
    }
    let text = arenas
        .describe_address(base_of_second + 5)
        .unwrap()
        .unwrap()
        .to_string();
    assert_eq!(text, "memory 2: data, offset 0x5");
    assert_eq!(arenas.describe_address(16).unwrap(), None);
    first.free().unwrap();
    assert_eq!(arenas.describe_address(base_of_first).unwrap(), None);
}

#[test]
fn the_safe_face_refuses_what_would_fault() {
    let allocator = AllocatorBuilder::<MappedPages<OsPages>>::new()
        .build()
        .unwrap();
    let mut memory = LinearMemory::new(allocator, 1, Some(3)).unwrap();
    memory.write(0, b"hello").unwrap();
    memory.protect(4096, 4096, Protection::Read).unwrap();
    memory.protect(8192, 4096, Protection::None).unwrap();
    assert_eq!(memory.read_le::<u8>(4096), Ok(0));
    assert_eq!(
        memory.write_le(4095, 1_u16),
        Err(AllocError::Protected { offset: 4096 })
    );
    assert_eq!(
        memory.read_le::<u8>(4095),
        Ok(0),
        "a refused write writes nothing"
    );
    assert_eq!(
        memory.slice(0, 65_536),
        Err(AllocError::Protected { offset: 8192 })
    );
    assert_eq!(memory.grow(2), Ok(1));
    assert_eq!(
        memory.slice(0, 8193),
        Err(AllocError::Protected { offset: 8192 })
    );
    memory.write_le(3 * 65_536 - 8, u64::MAX).unwrap();
    assert_eq!(
        memory.write_le(3 * 65_536 - 7, u64::MAX),
        Err(AllocError::OutOfRange {
            offset: 3 * 65_536 - 7,
            len: 8,
            size: 3 * 65_536
        })
    );
    assert!(memory.slice(usize::MAX, 2).is_err());
    assert_eq!(memory.slice(3 * 65_536, 0), Ok(&[][..]));
    memory.reset().unwrap();
    assert_eq!(memory.size_in_pages(), 1);
    assert!(
        memory
            .slice(0, 65_536)
            .unwrap()
            .iter()
            .all(|&byte| byte == 0)
    );
    memory.write(4096, b"writable again").unwrap();
    let allocator = memory.into_allocator().unwrap();
    assert_eq!(allocator.size(), 0);
    assert_eq!(allocator.statistics().peak_bytes, 3 * WASM_PAGE_SIZE);
}

#[test]
fn read_only_memories_stay_so() {
    let mut allocator = QnxArenaAllocatorBuilder::new()
        .with_data_protection(Protection::Read)
        .with_growth_room(GrowthRoom::Bytes(65_536))
        .build()
        .unwrap();
    allocator.allocate(1, None).unwrap();
    assert_eq!(allocator.first_refusal(0..65_536, true), Some(0));
    allocator.protect(0, 4096, Protection::ReadWrite).unwrap();
    // SAFETY: the first page is writable now.
    unsafe { allocator.base().unwrap().write_bytes(5, 4096) };
    for pages in [1, 2] {
        allocator.grow(pages, 1).unwrap();
        assert_eq!(allocator.first_refusal(0..4096, true), None);
        assert_eq!(
            allocator.first_refusal(4096..allocator.size(), true),
            Some(4096)
        );
    }
    assert_eq!(allocator.statistics().moves, 1);
    // SAFETY: readable, initialised, and moved along.
    assert_eq!(unsafe { allocator.base().unwrap().read() }, 5);
    allocator.reset().unwrap();
    assert_eq!(allocator.first_refusal(0..65_536, true), Some(0));
    // SAFETY: readable and initialised.
    assert_eq!(unsafe { allocator.base().unwrap().read() }, 0);
}
