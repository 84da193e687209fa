//! Checked memory from outside: what is detected, what levels mean, growth, protections, tables.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use os::OsPages;
use wasm_arena::{
    AllocError, AtomicMemoryExt, AtomicMemoryOps, ChecksumEntry, CustomProvider, InlineTable,
    IntegrityError, LinearMemory, MappedTable, Protection, QnxAllocatorBuilder, SliceProvider,
    VerificationLevel,
};

const WORD: usize = size_of::<usize>();
const BLOCK: usize = 4096;

/// Four blocks that can be damaged while they are checked.
fn cells() -> Vec<AtomicUsize> {
    (0..4 * BLOCK / WORD)
        .map(|at| AtomicUsize::new(at.wrapping_mul(0x9e37_79b9) ^ at))
        .collect()
}

fn checked(cells: &[AtomicUsize]) -> AtomicMemoryOps<CustomProvider, InlineTable<4>> {
    let base = NonNull::from_ref(cells).cast();
    // SAFETY: the cells outlive the checker in every test, and are only touched as atomics.
    let provider = unsafe { CustomProvider::new(base, size_of_val(cells)) };
    provider.into_atomic_ops_with(InlineTable::new()).unwrap()
}

/// Flips the bits `mask << bit` of the memory, counted from its first byte's lowest.
fn flip(cells: &[AtomicUsize], bit: usize, mask: u32) {
    for (index, byte) in (u64::from(mask) << (bit % 8))
        .to_le_bytes()
        .into_iter()
        .enumerate()
    {
        let offset = bit / 8 + index;
        if byte != 0 {
            let mut bytes = [0; WORD];
            bytes[offset % WORD] = byte;
            cells[offset / WORD].fetch_xor(usize::from_ne_bytes(bytes), Ordering::Relaxed);
        }
    }
}

fn names_block(result: Result<(), IntegrityError>, expected: usize) -> bool {
    matches!(
        result,
        Err(IntegrityError::BlockDamaged { block, offset, len: BLOCK, stored, computed, repaired: false })
            if block == expected && offset == expected * BLOCK && stored != computed
    )
}

#[test]
fn every_flipped_bit_of_a_block_is_detected_and_named() {
    let cells = cells();
    let ops = checked(&cells);
    assert_eq!(ops.block_size(), BLOCK);
    let mut target = [0xff; 8];
    for bit in 0..8 * BLOCK {
        flip(&cells, 8 * BLOCK + bit, 1);
        assert!(
            names_block(ops.atomic_read(BLOCK + 16, &mut target), 1),
            "bit {bit}"
        );
        assert_eq!(target, [0; 8], "damaged bytes go nowhere");
        flip(&cells, 8 * BLOCK + bit, 1);
    }
    ops.verify_integrity().unwrap();
    assert_eq!(ops.statistics().blocks_damaged, 8 * BLOCK);
    assert_eq!(ops.statistics().repairs, 0);
}

#[test]
fn every_burst_of_up_to_32_bits_is_detected_on_a_grid() {
    let cells = cells();
    let ops = checked(&cells);
    let mut seed = 1_u32;
    let mut bursts = 0;
    let ends = [8 * BLOCK, 8 * 2 * BLOCK - 32];
    for start in (8 * BLOCK..8 * 2 * BLOCK - 32).step_by(1009).chain(ends) {
        for len in 1..=32 {
            let edges = 1_u32 | 1 << (len - 1);
            let inside = (edges.wrapping_shl(1) | 1) >> 1;
            assert!(inside & edges != 0);
            for pattern in 0..8_u32 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let within = if len == 32 { u32::MAX } else { (1 << len) - 1 };
                // All ones, none but the edges, and anything in between.
                let filling = match pattern {
                    0 => u32::MAX,
                    1 => 0,
                    _ => seed,
                };
                let burst = (filling & within) | edges;
                flip(&cells, start, burst);
                let result = ops.verify_range(BLOCK, 1);
                assert!(names_block(result, 1), "{burst:#x} at bit {start}");
                flip(&cells, start, burst);
                bursts += 1;
            }
        }
    }
    assert!(bursts > 8000);
    ops.verify_integrity().unwrap();
}

#[test]
fn levels_mean_what_their_table_says() {
    for level in VerificationLevel::ALL {
        let cells = cells();
        let ops = checked(&cells);
        ops.set_verification_level(level);
        assert_eq!(ops.verification_level(), Ok(level));
        let sound = ops.read_le::<u32>(100).unwrap();
        flip(&cells, 8 * 100, 1);
        let reads: Vec<_> = (0..32).map(|_| ops.read_le::<u32>(100)).collect();
        let refused = reads.iter().filter(|read| read.is_err()).count();
        let expected = match level {
            VerificationLevel::Off => 0,
            VerificationLevel::Sampling => 2,
            _ => 32,
        };
        assert_eq!(refused, expected, "{level}");
        assert_eq!(ops.statistics().blocks_damaged, expected, "{level}");
        // A write beside the damage.
        let write = ops.write_le(200, 7_u8);
        // A write over the damage, and a copy of it.
        let over = ops.write_le(100, sound);
        let copy = (0..16).map(|_| ops.atomic_copy_within(100, BLOCK + 100, 4));
        let copies_refused = copy.filter(Result::is_err).count();
        if level >= VerificationLevel::Full {
            assert!(names_block(write, 0) && names_block(over, 0));
        } else {
            write.unwrap();
            over.unwrap();
        }
        match level {
            VerificationLevel::Off => assert_eq!(copies_refused, 0),
            VerificationLevel::Sampling => assert_eq!(copies_refused, 1),
            _ => assert_eq!(copies_refused, 16),
        }
        if level == VerificationLevel::Off {
            assert_eq!(ops.verify_integrity(), Err(IntegrityError::NotVerifying));
            assert_eq!(ops.scrub(1), Err(IntegrityError::NotVerifying));
            assert_eq!(ops.resync(0, 1), Err(IntegrityError::NotVerifying));
            continue;
        }
        // Nothing of this hid the damage; a whole block does away with it.
        assert!(names_block(ops.verify_integrity(), 0), "{level}");
        ops.atomic_fill(0, BLOCK, 9).unwrap();
        ops.verify_integrity().unwrap();
        assert_eq!(ops.read_le::<u8>(100), Ok(9));
    }
}

#[test]
fn leaving_off_takes_checksums_anew() {
    let cells = cells();
    let ops = checked(&cells);
    ops.set_verification_level(VerificationLevel::Off);
    ops.write_le(17, 1_u64).unwrap();
    flip(&cells, 12_345, 1);
    ops.set_verification_level(VerificationLevel::Critical);
    ops.verify_integrity().unwrap();
    flip(&cells, 12_345, 1);
    assert!(names_block(ops.verify_integrity(), 0));
}

#[test]
fn what_a_guest_wrote_is_damage_until_resync_is_told() {
    let cells = cells();
    let ops = checked(&cells);
    flip(&cells, 8 * (BLOCK - 1), 0x1fe);
    assert!(ops.read_le::<u16>(BLOCK - 1).is_err());
    ops.resync(BLOCK - 1, 1).unwrap();
    assert!(names_block(ops.verify_integrity(), 1));
    ops.resync(BLOCK, 1).unwrap();
    ops.verify_integrity().unwrap();
    assert_eq!(ops.statistics().blocks_resynced, 2);
    ops.resync(0, ops.size()).unwrap();
    ops.resync(5, 0).unwrap();
    assert_eq!(ops.statistics().blocks_resynced, 6);
}

#[test]
fn scrub_keeps_to_its_budget_and_comes_round_past_damage() {
    let cells = cells();
    let ops = checked(&cells);
    flip(&cells, 8 * 2 * BLOCK + 5, 1);
    let reports: Vec<_> = (0..4).map(|_| ops.scrub(1).unwrap()).collect();
    for (block, report) in reports.iter().enumerate() {
        assert_eq!(report.blocks_checked, 1);
        assert_eq!(report.blocks_damaged, usize::from(block == 2));
        assert_eq!(report.completed_pass, block == 3);
    }
    assert_eq!(ops.scrub(0).unwrap().blocks_checked, 0);
    // Never more than the whole memory in one call.
    assert_eq!(ops.scrub(1000).unwrap().blocks_checked, 4);
    assert_eq!(ops.statistics().scrub_passes, 2);
}

#[test]
fn nothing_outside_the_memory_can_be_named() {
    let cells = cells();
    let ops = checked(&cells);
    let size = ops.size();
    let mut target = [7; 2];
    for (offset, len) in [(size, 1), (size - 1, 2), (usize::MAX, 2), (size + 1, 0)] {
        let outside = IntegrityError::OutOfRange { offset, len, size };
        assert_eq!(ops.atomic_read(offset, &mut target[..len]), Err(outside));
        assert_eq!(
            ops.atomic_write_with_checksum(offset, &target[..len]),
            Err(outside)
        );
        assert_eq!(ops.atomic_fill(offset, len, 0), Err(outside));
        assert_eq!(ops.atomic_copy_within(offset, 0, len), Err(outside));
        assert_eq!(ops.atomic_copy_within(0, offset, len), Err(outside));
        assert_eq!(ops.verify_range(offset, len), Err(outside));
        assert_eq!(ops.resync(offset, len), Err(outside));
    }
    assert_eq!(target, [7; 2]);
    ops.atomic_write_with_checksum(size, &[]).unwrap();
    ops.atomic_read(size, &mut []).unwrap();
    ops.atomic_copy_within(size, 0, 0).unwrap();
    assert_eq!(ops.statistics().bytes_written, 0);
}

#[test]
fn memory_that_is_no_whole_words_is_refused() {
    let mut memory = [0_usize; 64];
    // SAFETY: plain bytes of an array that is borrowed for as long.
    let bytes =
        unsafe { core::slice::from_raw_parts_mut(memory.as_mut_ptr().cast::<u8>(), 64 * WORD) };
    for (start, end) in [(1, 64 * WORD), (0, 64 * WORD - 1), (1, 1 + WORD)] {
        let slice = &mut bytes[start..end];
        let len = slice.len();
        assert!(matches!(
            SliceProvider::new(slice).into_atomic_ops(),
            Err(IntegrityError::Misaligned { len: named, word: WORD, .. }) if named == len
        ));
    }
    let ops = SliceProvider::new(bytes).into_atomic_ops().unwrap();
    assert_eq!(
        (ops.block_size(), ops.block_count()),
        (256, 64 * WORD / 256)
    );
    let mut small = [0_usize; 2];
    assert_eq!(
        SliceProvider::from_words(&mut [0_usize; 4])
            .mirrored_by(SliceProvider::from_words(&mut small))
            .err(),
        Some(IntegrityError::MirrorTooSmall {
            mirror: 2 * WORD,
            size: 4 * WORD
        })
    );
}

#[test]
fn empty_memories_and_empty_tables() {
    let memory = LinearMemory::new(QnxAllocatorBuilder::new().build().unwrap(), 0, Some(2));
    let mut ops = memory.unwrap().into_atomic_ops().unwrap();
    assert_eq!((ops.size(), ops.block_count()), (0, 0));
    ops.verify_integrity().unwrap();
    assert!(ops.scrub(5).unwrap().completed_pass);
    assert_eq!(ops.grow(1), Ok(0));
    ops.write_le(65_528, u64::MAX).unwrap();
    assert_eq!(ops.grow(1), Ok(1));
    assert_eq!(ops.read_le::<u128>(65_528), Ok(u128::from(u64::MAX)));
    assert!(matches!(
        ops.grow(1),
        Err(IntegrityError::Growth(AllocError::BeyondMaximum { .. }))
    ));
    ops.verify_integrity().unwrap();
    let memory = ops.into_provider();
    assert_eq!(memory.read_le::<u64>(65_528), Ok(u64::MAX));
    let none: &[ChecksumEntry] = &[];
    assert!(matches!(
        memory.into_atomic_ops_with(none),
        Err(IntegrityError::NoTable)
    ));
}

#[test]
fn protections_are_asked_before_anything_is_touched() {
    let page = 65_536;
    let allocator = QnxAllocatorBuilder::new().build().unwrap();
    let mut memory = LinearMemory::new(allocator, 3, None).unwrap();
    memory.protect(page, page, Protection::Read).unwrap();
    let ops = memory.into_atomic_ops().unwrap();
    let refused = Err(IntegrityError::Protected { offset: page });
    assert_eq!(ops.atomic_fill(page - 4, 8, 1), refused);
    assert_eq!(ops.atomic_copy_within(0, page - 1, 2), refused);
    assert_eq!(
        ops.atomic_compare_exchange(page, 0_u8, 1),
        refused.map(|()| Ok(0))
    );
    ops.atomic_fill(2 * page, 8, 1).unwrap();
    ops.atomic_copy_within(page, 0, page).unwrap();
    ops.verify_integrity().unwrap();
    let mut memory = ops.into_provider();
    memory.protect(page, page, Protection::None).unwrap();
    assert!(matches!(
        memory.into_atomic_ops(),
        Err(IntegrityError::Protected { offset }) if offset == page
    ));
}

#[test]
fn tables_of_every_kind_divide_the_memory_as_they_have_room() {
    static ENTRIES: [ChecksumEntry; 64] = [const { ChecksumEntry::new() }; 64];
    let memory =
        || LinearMemory::new(QnxAllocatorBuilder::new().build().unwrap(), 1, None).unwrap();
    let ops = memory().into_atomic_ops_with(&ENTRIES[..]).unwrap();
    assert_eq!(ops.block_size(), 1024);
    ops.write_le(1000, u64::MAX).unwrap();
    ops.verify_integrity().unwrap();
    drop(ops);
    let table = MappedTable::new(OsPages::new(), 1024).unwrap();
    let ops = memory().into_atomic_ops_with(table).unwrap();
    assert_eq!(ops.block_size(), 256);
    ops.atomic_fill(3, 60_000, 0xee).unwrap();
    ops.verify_integrity().unwrap();
}

#[test]
fn compare_exchange_answers_as_the_standard_library_does() {
    let cells = cells();
    let ops = checked(&cells);
    ops.atomic_fill(0, 64, 0).unwrap();
    macro_rules! exchange {
        ($($number:ty),*) => {$(
            for offset in 0..16 {
                let (old, new) = (<$number>::MAX - 1, <$number>::MAX);
                ops.write_le(offset, old).unwrap();
                assert_eq!(ops.atomic_compare_exchange(offset, new, old), Ok(Err(old)));
                assert_eq!(ops.atomic_compare_exchange(offset, old, new), Ok(Ok(old)));
                assert_eq!(ops.read_le::<$number>(offset), Ok(new));
            }
        )*};
    }
    exchange!(u8, i8, u16, i16, u32, i32, u64, i64);
    ops.verify_integrity().unwrap();
}

#[test]
fn errors_say_what_they_know() {
    let damaged = IntegrityError::BlockDamaged {
        block: 3,
        offset: 0x3000,
        len: 4096,
        stored: 0xab,
        computed: 0xcd,
        repaired: true,
    };
    assert_eq!(
        damaged.to_string(),
        "block 3 (4096 bytes at offset 0x3000) is damaged: checksum 0x000000cd, \
         should be 0x000000ab, repaired"
    );
    let growth = IntegrityError::Growth(AllocError::NoMaximum);
    assert!(core::error::Error::source(&growth).is_some());
    assert_eq!(growth.to_string(), AllocError::NoMaximum.to_string());
}
