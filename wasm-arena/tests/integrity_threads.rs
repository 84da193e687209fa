//! Real threads on one checked memory: no read is torn, no exchange lost, no checksum left behind.

use core::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wasm_arena::{
    AtomicMemoryExt, AtomicMemoryOps, ChecksumTable, InlineTable, LinearMemory, NoStdProvider,
    Provider, QnxAllocatorBuilder, SliceProvider, VerificationLevel,
};

/// Crosses blocks of 256 bytes, and neither starts nor ends at a word.
const RECORD: usize = 777;
const FIRST: usize = 251;
const SECOND: usize = 4099;
const COUNTER: usize = 9001;
const ROUNDS: usize = 2000;

/// A record is whole if all its bytes are the same.
fn is_torn(record: &[u8]) -> bool {
    record.iter().any(|byte| *byte != record[0])
}

/// Two writers, a copier, two that count by exchange, a scrubber, and two readers.
fn run<P, T>(ops: &AtomicMemoryOps<P, T>, level: VerificationLevel)
where
    P: Provider + Sync,
    T: ChecksumTable + Sync,
{
    ops.set_verification_level(level);
    let done = AtomicBool::new(false);
    let reads = thread::scope(|scope| {
        let readers: Vec<_> = [FIRST, SECOND]
            .into_iter()
            .map(|offset| {
                let done = &done;
                scope.spawn(move || {
                    let mut record = [0; RECORD];
                    let mut reads = 0;
                    while !done.load(Ordering::Relaxed) || reads < 100 {
                        ops.atomic_read(offset, &mut record).unwrap();
                        assert!(!is_torn(&record), "a torn read at level {level}");
                        reads += 1;
                    }
                    reads
                })
            })
            .collect();
        let mut writers = Vec::new();
        for writer in 0..2_u8 {
            writers.push(scope.spawn(move || {
                for round in 0..ROUNDS {
                    let byte = u8::try_from(round % 100).unwrap() + writer * 100;
                    if round % 2 == 0 {
                        ops.atomic_write_with_checksum(FIRST, &[byte; RECORD])
                            .unwrap();
                    } else {
                        ops.atomic_fill(FIRST, RECORD, byte).unwrap();
                    }
                }
            }));
            writers.push(scope.spawn(move || {
                for _ in 0..ROUNDS {
                    loop {
                        let seen = ops.read_le::<u64>(COUNTER).unwrap();
                        let exchanged = ops.atomic_compare_exchange(COUNTER, seen, seen + 1);
                        if exchanged.unwrap().is_ok() {
                            break;
                        }
                    }
                }
            }));
        }
        writers.push(scope.spawn(move || {
            for _ in 0..ROUNDS {
                ops.atomic_copy_within(FIRST, SECOND, RECORD).unwrap();
            }
        }));
        writers.push(scope.spawn(move || {
            if level != VerificationLevel::Off {
                for _ in 0..ROUNDS / 10 {
                    assert_eq!(ops.scrub(7).unwrap().first_damage, None);
                }
            }
        }));
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum::<usize>()
    });
    assert!(reads >= 200);
    let counted = ops.read_le::<u64>(COUNTER).unwrap();
    ops.write_le(COUNTER, 0_u64).unwrap();
    assert_eq!(counted, 2 * ROUNDS as u64, "an exchange was lost");
    assert_eq!(ops.last_damage(), None);
    if level != VerificationLevel::Off {
        ops.verify_integrity().unwrap();
    }
}

#[test]
fn no_read_is_torn_at_any_level() {
    let mut words = vec![0; 16_384 / size_of::<usize>()];
    let memory = SliceProvider::from_words(&mut words);
    let ops = memory
        .into_atomic_ops_with(InlineTable::<64>::new())
        .unwrap();
    for level in VerificationLevel::ALL {
        run(&ops, level);
    }
}

#[test]
fn no_read_is_torn_with_a_second_copy() {
    static COPY: NoStdProvider<65_536> = NoStdProvider::new();
    let memory = LinearMemory::new(QnxAllocatorBuilder::new().build().unwrap(), 1, None).unwrap();
    let copy = LinearMemory::new(COPY.claim().unwrap(), 1, None).unwrap();
    let ops = memory.mirrored_by(copy).unwrap().into_atomic_ops().unwrap();
    run(&ops, VerificationLevel::Full);
    let (memory, copy) = ops.into_provider().into_parts();
    assert_eq!(
        memory.slice(0, 65_536).unwrap(),
        copy.slice(0, 65_536).unwrap()
    );
}

#[test]
fn the_detector_sees_a_torn_record() {
    let mut record = [5; RECORD];
    assert!(!is_torn(&record));
    record[RECORD - 1] = 6;
    assert!(is_torn(&record));
}

#[test]
fn levels_change_while_others_work() {
    let mut words = vec![0; 16_384 / size_of::<usize>()];
    let ops = SliceProvider::from_words(&mut words)
        .into_atomic_ops()
        .unwrap();
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            for round in 0..ROUNDS {
                ops.atomic_fill(FIRST, RECORD, u8::try_from(round % 251).unwrap())
                    .unwrap();
                let mut record = [0; RECORD];
                ops.atomic_read(FIRST, &mut record).unwrap();
                assert!(!is_torn(&record));
            }
        });
        for round in 0.. {
            ops.set_verification_level(VerificationLevel::ALL[round % 5]);
            if worker.is_finished() {
                break;
            }
        }
        worker.join().unwrap();
    });
    ops.set_verification_level(VerificationLevel::Full);
    ops.verify_integrity().unwrap();
    assert_eq!(ops.last_damage(), None);
}
