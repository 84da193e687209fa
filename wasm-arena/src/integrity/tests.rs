//! Damage that only the inside can do: to the table, to the bookkeeping, to both copies.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;

use super::*;
use crate::{AtomicMemoryExt, CustomProvider, MirroredProvider};

const WORDS: usize = 3 * 4096 / WORD;

/// Memory that can be damaged while it is checked.
fn cells() -> Vec<AtomicUsize> {
    (0..WORDS)
        .map(|at| AtomicUsize::new(at.wrapping_mul(0x9e37_79b9)))
        .collect()
}

fn provider(cells: &[AtomicUsize]) -> CustomProvider {
    let base = NonNull::from_ref(cells).cast();
    // SAFETY: the cells outlive the checker in every test, and are only touched as atomics.
    unsafe { CustomProvider::new(base, WORDS * WORD) }
}

fn plain(cells: &[AtomicUsize]) -> AtomicMemoryOps<CustomProvider, InlineTable<3>> {
    provider(cells)
        .into_atomic_ops_with(InlineTable::new())
        .unwrap()
}

type Mirrored = AtomicMemoryOps<MirroredProvider<CustomProvider, CustomProvider>, InlineTable<3>>;

fn mirrored(cells: &[AtomicUsize], copy: &[AtomicUsize]) -> Mirrored {
    let memory = provider(cells).mirrored_by(provider(copy)).unwrap();
    memory.into_atomic_ops_with(InlineTable::new()).unwrap()
}

fn contents(ops: &AtomicMemoryOps<impl Provider, impl ChecksumTable>) -> Vec<u8> {
    let mut bytes = std::vec![0; ops.size()];
    load_all(ops, &mut bytes);
    bytes
}

fn load_all(ops: &AtomicMemoryOps<impl Provider, impl ChecksumTable>, bytes: &mut [u8]) {
    words::Span::new(&(0..bytes.len())).load(ops.data(), bytes);
}

#[test]
fn every_flip_in_the_table_is_told_from_a_flip_in_the_data() {
    for level in [VerificationLevel::Full, VerificationLevel::Critical] {
        for bit in 0..32 {
            for second in [false, true] {
                let cells = cells();
                let ops = plain(&cells);
                ops.set_verification_level(level);
                ops.table.entries()[1].flip(bit, second);
                let before = contents(&ops);
                let named = |error: &IntegrityError, fixed: bool| {
                    matches!(error, IntegrityError::ChecksumDamaged {
                        block: 1, offset: 4096, repaired, stored, second, computed,
                    } if *repaired == fixed && (stored == computed || second == computed))
                };
                assert!(named(&ops.verify_integrity().unwrap_err(), false));
                // The other blocks do not suffer.
                ops.read_le::<u64>(0).unwrap();
                ops.read_le::<u64>(8192).unwrap();
                // A read mends it, and a second one finds nothing.
                ops.read_le::<u64>(4096).unwrap();
                assert!(named(&ops.last_damage().unwrap(), true));
                ops.verify_integrity().unwrap();
                let statistics = ops.statistics();
                assert_eq!(statistics.blocks_damaged, 0);
                assert_eq!((statistics.checksums_damaged, statistics.repairs), (2, 1));
                assert_eq!(contents(&ops), before);
            }
        }
    }
}

#[test]
fn damage_of_table_and_data_at_once_is_not_repaired_from_either() {
    let cells = cells();
    let ops = plain(&cells);
    ops.table.entries()[0].flip(3, true);
    cells[9].fetch_xor(1 << 20, Ordering::Relaxed);
    let report = ops.scrub(1).unwrap();
    assert_eq!((report.blocks_repaired, report.blocks_damaged), (0, 1));
    assert!(matches!(
        report.first_damage,
        Some(IntegrityError::ChecksumDamaged {
            block: 0,
            repaired: false,
            ..
        })
    ));
    assert!(ops.read_le::<u8>(0).is_err());
}

#[test]
fn critical_finds_every_flip_in_the_bookkeeping_before_it_is_used() {
    for index in 0..4 {
        for bit in 0..usize::BITS {
            for second in [false, true] {
                let cells = cells();
                let mut ops = plain(&cells);
                ops.set_verification_level(VerificationLevel::Critical);
                ops.blocks.flip(index, bit, second);
                let damaged = |result: Result<(), IntegrityError>| {
                    // A size that shrank or grew can put the range outside first.
                    matches!(
                        result,
                        Err(IntegrityError::BookkeepingDamaged { .. }
                            | IntegrityError::OutOfRange { .. })
                    )
                };
                assert!(damaged(ops.read_le::<u32>(4).map(drop)));
                assert!(damaged(ops.write_le(4, 1_u32)));
                assert!(damaged(ops.atomic_copy_within(0, 8, 8)));
                assert!(damaged(ops.atomic_compare_exchange(0, 1_u8, 2).map(drop)));
                assert!(damaged(ops.resync(0, 8)));
                assert!(damaged(ops.scrub(1).map(drop)));
                assert!(damaged(ops.verify_integrity()));
                assert!(damaged(ops.grow(0).map(drop)));
            }
        }
    }
}

#[test]
fn a_damaged_level_stops_everything_until_it_is_set_anew() {
    for bit in 0..32 {
        let cells = cells();
        let ops = plain(&cells);
        ops.level.flip(bit);
        let damaged = Err(IntegrityError::BookkeepingDamaged {
            record: BookkeepingRecord::Level,
            value: 0,
            inverse: 0,
        });
        let kind = |result: Result<(), IntegrityError>| {
            result.map_err(|error| match error {
                IntegrityError::BookkeepingDamaged { record, .. } => {
                    IntegrityError::BookkeepingDamaged {
                        record,
                        value: 0,
                        inverse: 0,
                    }
                }
                other => other,
            })
        };
        assert_eq!(kind(ops.write_le(0, 1_u8)), damaged);
        assert_eq!(kind(ops.read_le::<u8>(0).map(drop)), damaged);
        assert_eq!(kind(ops.verify_integrity()), damaged);
        ops.set_verification_level(VerificationLevel::Full);
        ops.verify_integrity().unwrap();
        ops.write_le(0, 1_u8).unwrap();
    }
}

#[test]
fn every_damage_of_one_copy_is_repaired() {
    let (cells, copy) = (cells(), cells());
    let ops = mirrored(&cells, &copy);
    ops.set_verification_level(VerificationLevel::Full);
    let before = contents(&ops);
    let sound = |kind: &str| {
        ops.verify_integrity()
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(contents(&ops), before, "{kind}");
    };
    // Every bit of one word in each block, the edges of the blocks among them, and whole blocks.
    for word in [0, 511, 512, 700, WORDS - 1] {
        for bit in 0..usize::BITS {
            cells[word].fetch_xor(1 << bit, Ordering::Relaxed);
            ops.read_le::<u8>(word * WORD).unwrap();
            sound("data, by a read");
            cells[word].fetch_xor(1 << bit, Ordering::Relaxed);
            assert_eq!(ops.scrub(3).unwrap().blocks_repaired, 1);
            sound("data, by a scrub");
            copy[word].fetch_xor(1 << bit, Ordering::Relaxed);
            let report = ops.scrub(3).unwrap();
            assert!(matches!(
                report.first_damage,
                Some(IntegrityError::MirrorDamaged { repaired: true, first_difference, .. })
                    if first_difference / WORD == word
            ));
            sound("mirror");
        }
    }
    for block in 0..3 {
        for (damaged, kind) in [(&cells, "data"), (&copy, "mirror")] {
            for word in &damaged[block * 512..(block + 1) * 512] {
                word.store(0, Ordering::Relaxed);
            }
            assert_eq!(ops.scrub(3).unwrap().blocks_repaired, 1);
            sound(kind);
        }
        for second in [false, true] {
            for bit in 0..32 {
                ops.table.entries()[block].flip(bit, second);
                assert_eq!(ops.scrub(3).unwrap().blocks_repaired, 1);
                sound("table");
            }
        }
    }
    // Two places at once, as long as something vouches for what is left.
    ops.table.entries()[0].flip(1, false);
    cells[5].fetch_xor(4, Ordering::Relaxed);
    assert_eq!(ops.scrub(3).unwrap().blocks_damaged, 0);
    sound("a record and the data");
    ops.table.entries()[1].flip(1, false);
    copy[600].fetch_xor(4, Ordering::Relaxed);
    assert_eq!(ops.scrub(3).unwrap().blocks_damaged, 0);
    sound("a record and the mirror");
    // The same byte in both copies: nothing vouches for anything.
    cells[5].fetch_xor(4, Ordering::Relaxed);
    copy[5].fetch_xor(8, Ordering::Relaxed);
    let report = ops.scrub(3).unwrap();
    assert_eq!((report.blocks_repaired, report.blocks_damaged), (0, 1));
    assert!(ops.read_le::<u8>(0).is_err());
    ops.read_le::<u8>(4096).unwrap();
}

#[test]
fn growth_joins_blocks_and_keeps_damage_visible() {
    use crate::{LinearMemory, QnxAllocatorBuilder};
    for damaged in [None, Some(100), Some(70_000)] {
        let memory = LinearMemory::new(QnxAllocatorBuilder::new().build().unwrap(), 2, None);
        let mut ops = memory
            .unwrap()
            .into_atomic_ops_with(InlineTable::<8>::new())
            .unwrap();
        ops.atomic_fill(0, ops.size(), 0x5a).unwrap();
        assert_eq!((ops.block_size(), ops.block_count()), (16_384, 8));
        if let Some(offset) = damaged {
            ops.data()[offset / WORD].fetch_xor(1, Ordering::Relaxed);
        }
        assert_eq!(ops.grow(5).unwrap(), 2);
        assert_eq!((ops.block_size(), ops.block_count()), (65_536, 7));
        match (damaged, ops.verify_integrity()) {
            (None, result) => result.unwrap(),
            (Some(offset), result) => assert!(matches!(
                result,
                Err(IntegrityError::BlockDamaged { block, .. }) if block == offset / 65_536
            )),
        }
        assert_eq!(ops.read_le::<u64>(7 * 65_536 - 8).unwrap(), 0);
    }
}

#[test]
fn an_interrupted_writer_does_not_lock_readers_out() {
    let cells = cells();
    let ops = plain(&cells);
    // As if a writer had panicked: the number stays odd, the lock is free.
    let writer = core::panic::AssertUnwindSafe(|| ops.sequence.write(|| panic!("on purpose")));
    std::panic::catch_unwind(writer).unwrap_err();
    let mut target = [0; 8];
    assert_eq!(
        ops.try_atomic_read(0, &mut target),
        Err(IntegrityError::Contended { tries: 16 })
    );
    ops.atomic_read(0, &mut target).unwrap();
    assert_eq!(ops.statistics().reads_under_lock, 1);
    ops.write_le(0, 7_u64).unwrap();
    ops.try_atomic_read(0, &mut target).unwrap();
    assert_eq!(u64::from_le_bytes(target), 7);
}

#[test]
fn what_cannot_be_read_back_is_told_and_stays_visible() {
    let cells = cells();
    let part = |words: &[AtomicUsize]| {
        // SAFETY: the cells outlive the checker, and are only touched as atomics. Data and mirror
        // overlap, against the promise, so that each store damages the word behind it.
        unsafe { CustomProvider::new(NonNull::from_ref(words).cast(), 512 * WORD) }
    };
    let ops = part(&cells[..512])
        .mirrored_by(part(&cells[1..513]))
        .unwrap();
    let ops = ops.into_atomic_ops_with(InlineTable::<1>::new()).unwrap();
    ops.set_verification_level(VerificationLevel::Standard);
    ops.resync(0, 0).unwrap();
    ops.atomic_fill(0, ops.size(), 0).unwrap();
    ops.verify_integrity().unwrap();
    ops.set_verification_level(VerificationLevel::Full);
    let bytes: Vec<u8> = (1..=2).flat_map(|byte| [byte; WORD]).collect();
    let failed = ops.atomic_write_with_checksum(0, &bytes).unwrap_err();
    let number = |byte: u8| usize::from_ne_bytes([byte; WORD]) as u64;
    assert_eq!(
        failed,
        IntegrityError::ReadBackFailed {
            offset: WORD,
            written: number(2),
            found: number(1)
        }
    );
    assert_eq!(ops.last_damage(), Some(failed));
    assert_eq!(ops.statistics().failed_read_backs, 1);
    assert!(matches!(
        ops.verify_integrity(),
        Err(IntegrityError::BlockDamaged { block: 0, .. })
    ));
}
