//! The memory inside an array: claims, growth up to the array, zeros, canaries.

use std::thread;

use wasm_arena::{
    AllocError, AtomicMemoryExt, LinearMemory, NoStdProvider, PageAllocator, Protection,
    VerificationLevel, WASM_PAGE_SIZE,
};

#[test]
fn growth_ends_with_the_array() {
    let array = NoStdProvider::<{ 3 * WASM_PAGE_SIZE }>::new();
    let mut allocator = array.claim().unwrap();
    assert_eq!(allocator.base(), None);
    let (base, size) = allocator.allocate(1, None).unwrap();
    assert_eq!(size, WASM_PAGE_SIZE);
    assert_eq!(allocator.grow(1, 2), Ok(base));
    assert_eq!(
        allocator.grow(3, 1),
        Err(AllocError::NoRoom {
            requested: 4 * WASM_PAGE_SIZE,
            capacity: 3 * WASM_PAGE_SIZE
        })
    );
    assert_eq!(
        allocator.grow(1, 1),
        Err(AllocError::PageCountMismatch {
            given: 1,
            actual: 3
        })
    );
    assert_eq!(
        allocator.allocate(1, None),
        Err(AllocError::AlreadyAllocated {
            size: 3 * WASM_PAGE_SIZE
        })
    );
    allocator.free().unwrap();
    assert_eq!(allocator.free(), Err(AllocError::NotAllocated));
    assert!(matches!(
        allocator.allocate(4, None),
        Err(AllocError::NoRoom { .. })
    ));
    assert!(matches!(
        allocator.allocate(2, Some(1)),
        Err(AllocError::MaximumBelowInitial { .. })
    ));
    allocator.allocate(0, Some(u32::MAX)).unwrap();
    allocator.grow(0, 3).unwrap();
}

#[test]
fn an_agreed_maximum_comes_before_the_array() {
    let array = NoStdProvider::<{ 3 * WASM_PAGE_SIZE }>::new();
    let mut memory = LinearMemory::new(array.claim().unwrap(), 1, Some(2)).unwrap();
    memory.grow(1).unwrap();
    assert_eq!(
        memory.grow(1),
        Err(AllocError::BeyondMaximum {
            requested: 3 * WASM_PAGE_SIZE as u64,
            maximum: 2 * WASM_PAGE_SIZE
        })
    );
}

#[test]
fn memory_is_zero_whatever_was_there_before() {
    static ARRAY: NoStdProvider<{ 2 * WASM_PAGE_SIZE }> = NoStdProvider::new();
    for round in 1..5_u8 {
        let mut memory = LinearMemory::new(ARRAY.claim().unwrap(), 1, None).unwrap();
        let is_zero = |memory: &LinearMemory<_>, from: usize| {
            let bytes: &[u8] = memory.slice(from, memory.size() - from).unwrap();
            bytes.iter().all(|byte| *byte == 0)
        };
        assert!(is_zero(&memory, 0));
        memory.slice_mut(0, WASM_PAGE_SIZE).unwrap().fill(round);
        memory.grow(1).unwrap();
        assert!(is_zero(&memory, WASM_PAGE_SIZE));
        assert_eq!(memory.slice(65_535, 1).unwrap(), [round]);
        memory
            .slice_mut(WASM_PAGE_SIZE, WASM_PAGE_SIZE)
            .unwrap()
            .fill(round);
        memory.reset().unwrap();
        assert_eq!(memory.size(), WASM_PAGE_SIZE);
        assert!(is_zero(&memory, 0));
        memory.grow(1).unwrap();
        assert!(is_zero(&memory, 0));
        memory.slice_mut(0, 2 * WASM_PAGE_SIZE).unwrap().fill(round);
        if round % 2 == 0 {
            let allocator = memory.into_allocator().unwrap();
            assert_eq!(allocator.size(), 0);
        }
    }
}

#[test]
fn one_claim_at_a_time() {
    static ARRAY: NoStdProvider<WASM_PAGE_SIZE> = NoStdProvider::new();
    for _ in 0..20 {
        let claims = thread::scope(|scope| {
            let tries: Vec<_> = (0..4).map(|_| scope.spawn(|| ARRAY.claim())).collect();
            let claims: Vec<_> = tries
                .into_iter()
                .map(|claim| claim.join().unwrap())
                .collect();
            claims.iter().filter(|claim| claim.is_ok()).count()
        });
        assert!(claims >= 1);
        let claim = ARRAY.claim().unwrap();
        assert_eq!(
            ARRAY.claim().err(),
            Some(AllocError::AlreadyAllocated {
                size: WASM_PAGE_SIZE
            })
        );
        drop(claim);
    }
    assert!(!ARRAY.is_claimed());
}

#[test]
fn a_moved_array_starts_over_in_its_new_place() {
    let array = Box::new(NoStdProvider::<WASM_PAGE_SIZE>::new());
    let mut memory = LinearMemory::new(array.claim().unwrap(), 1, None).unwrap();
    memory.write(0, b"old").unwrap();
    drop(memory);
    let array = Box::new(*array);
    let memory = LinearMemory::new(array.claim().unwrap(), 1, None).unwrap();
    assert_eq!(memory.slice(0, 3).unwrap(), [0; 3]);
    memory.allocator().verify().unwrap();
}

#[test]
fn without_a_system_nothing_can_be_protected() {
    let array = NoStdProvider::<WASM_PAGE_SIZE>::new();
    let mut memory = LinearMemory::new(array.claim().unwrap(), 1, None).unwrap();
    memory.protect(0, 4096, Protection::ReadWrite).unwrap();
    for refused in [Protection::None, Protection::Read, Protection::ReadExecute] {
        assert!(matches!(
            memory.protect(0, 4096, refused),
            Err(AllocError::Os(_))
        ));
    }
    assert!(matches!(
        memory.protect(WASM_PAGE_SIZE, 4096, Protection::ReadWrite),
        Err(AllocError::OutOfRange { .. })
    ));
    memory.write(0, &[1]).unwrap();
}

/// Flips the byte that lies `distance` bytes before the array, or after its end.
fn stray(array: &NoStdProvider<WASM_PAGE_SIZE>, base: *mut u8, distance: isize) {
    assert!(array.is_claimed());
    let place = base.wrapping_offset(if distance < 0 {
        distance
    } else {
        WASM_PAGE_SIZE as isize + distance - 1
    });
    let whole = core::ptr::from_ref(array).cast::<u8>();
    // The same address, by a pointer that may reach all of the array's value.
    let place = whole.with_addr(place.addr()).cast_mut();
    // SAFETY: inside the value, in a canary, which is atomic and so may change under a shared
    // reference; nobody else touches it meanwhile.
    unsafe { *place ^= 0x10 };
}

#[test]
fn canaries_tell_of_every_stray_byte_beside_the_array() {
    const WORDS: usize = 8;
    let array = NoStdProvider::<WASM_PAGE_SIZE>::new();
    let canary = isize::try_from(WORDS * size_of::<usize>()).unwrap();
    for distance in (-canary..0).chain(1..=canary) {
        let mut allocator = array.claim().unwrap();
        let (base, _) = allocator.allocate(1, None).unwrap();
        allocator.verify().unwrap();
        stray(&array, base.as_ptr(), distance);
        let address = base.as_ptr().addr();
        let near = |damaged: usize| damaged.abs_diff(address) <= WASM_PAGE_SIZE + 64;
        let damage = |result: Result<(), AllocError>| matches!(result, Err(AllocError::GuardDamaged { address }) if near(address));
        assert!(damage(allocator.verify()));
        assert!(damage(allocator.grow(1, 0).map(drop)));
        assert!(damage(allocator.reset()));
        allocator.set_verification_level(VerificationLevel::Off);
        allocator.grow(1, 0).unwrap();
        allocator.set_verification_level(VerificationLevel::Full);
        assert!(damage(allocator.free()));
        assert_eq!(allocator.base(), None);
        // The next memory starts with sound canaries.
        allocator.allocate(1, None).unwrap();
        allocator.free().unwrap();
    }
}

#[test]
fn it_is_checked_like_any_other_memory() {
    static ARRAY: NoStdProvider<{ 2 * WASM_PAGE_SIZE }> = NoStdProvider::new();
    let memory = LinearMemory::new(ARRAY.claim().unwrap(), 1, None).unwrap();
    let mut ops = memory.into_atomic_ops().unwrap();
    ops.set_verification_level(VerificationLevel::Critical);
    ops.atomic_fill(0, ops.size(), 3).unwrap();
    assert_eq!(ops.grow(1), Ok(1));
    assert_eq!(ops.read_le::<u64>(WASM_PAGE_SIZE - 4), Ok(0x0303_0303));
    ops.verify_integrity().unwrap();
}
