//! Random programs on checked memory, in lockstep with a plain vector of bytes.
//!
//! A program is a list of steps drawn by `proptest`; it runs at every level, on memories whose
//! blocks, tables and edges differ, with and without a second copy. Every read of the program and,
//! at its end, every byte and every checksum must be what the vector says.

use proptest::prelude::*;
use wasm_arena::{
    AtomicMemoryExt, AtomicMemoryOps, ChecksumTable, InlineTable, LinearMemory, NoStdProvider,
    Provider, QnxAllocatorBuilder, SliceProvider, VerificationLevel, WASM_PAGE_SIZE,
};

/// One step; places are fractions of the memory, so that they fit whatever it has grown to.
#[derive(Debug, Clone)]
enum Step {
    Write {
        at: u16,
        bytes: Vec<u8>,
    },
    Read {
        at: u16,
        len: usize,
    },
    Fill {
        at: u16,
        len: usize,
        byte: u8,
    },
    Copy {
        from: u16,
        to: u16,
        len: usize,
    },
    Near {
        from: u16,
        distance: i16,
        len: usize,
    },
    Exchange {
        at: u16,
        hit: bool,
        new: u32,
    },
    Number {
        at: u16,
        value: u64,
    },
    Level(usize),
    Scrub(usize),
    Resync {
        at: u16,
        len: usize,
    },
    Grow,
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..40_usize, 2 => 0..1200_usize, 1 => 0..20_000_usize]
}

fn at() -> impl Strategy<Value = u16> {
    any::<u16>()
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = length().prop_flat_map(|len| prop::collection::vec(any::<u8>(), len..=len));
    prop_oneof![
        4 => (at(), bytes).prop_map(|(at, bytes)| Step::Write { at, bytes }),
        3 => (at(), length()).prop_map(|(at, len)| Step::Read { at, len }),
        2 => (at(), length(), any::<u8>()).prop_map(|(at, len, byte)| Step::Fill { at, len, byte }),
        2 => (at(), at(), length()).prop_map(|(from, to, len)| Step::Copy { from, to, len }),
        3 => (at(), -600..600_i16, length())
            .prop_map(|(from, distance, len)| Step::Near { from, distance, len }),
        2 => (at(), any::<bool>(), any::<u32>()).prop_map(|(at, hit, new)| Step::Exchange { at, hit, new }),
        2 => (at(), any::<u64>()).prop_map(|(at, value)| Step::Number { at, value }),
        1 => (0..5_usize).prop_map(Step::Level),
        1 => (0..50_usize).prop_map(Step::Scrub),
        1 => (at(), length()).prop_map(|(at, len)| Step::Resync { at, len }),
        1 => Just(Step::Grow),
    ]
}

/// Where in a memory of `size` bytes the fraction `at` lies, such that `len` bytes fit if they can.
fn place(at: u16, len: usize, size: usize) -> usize {
    (usize::from(at) * (size - len.min(size) + 1)) >> 16
}

/// Runs a program; `grows` says whether the memory is expected to.
fn run<P: Provider, T: ChecksumTable>(
    ops: &mut AtomicMemoryOps<P, T>,
    program: &[Step],
    grows: bool,
) {
    let mut model = vec![0; ops.size()];
    ops.atomic_read(0, &mut model).unwrap();
    for step in program {
        let size = model.len();
        match step {
            Step::Write { at, bytes } => {
                let at = place(*at, bytes.len(), size);
                let result = ops.atomic_write_with_checksum(at, bytes);
                assert_eq!(result.is_ok(), at + bytes.len() <= size, "{result:?}");
                if result.is_ok() {
                    model[at..at + bytes.len()].copy_from_slice(bytes);
                }
            }
            Step::Read { at, len } => {
                let at = place(*at, *len, size);
                let mut target = vec![0xee; *len];
                let result = ops.atomic_read(at, &mut target);
                assert_eq!(result.is_ok(), at + len <= size, "{result:?}");
                if result.is_ok() {
                    assert!(target == model[at..at + len], "{step:?}");
                }
            }
            Step::Fill { at, len, byte } => {
                let at = place(*at, *len, size);
                if ops.atomic_fill(at, *len, *byte).is_ok() {
                    model[at..at + len].fill(*byte);
                } else {
                    assert!(at + len > size);
                }
            }
            Step::Copy { from, to, len } => {
                let (from, to) = (place(*from, *len, size), place(*to, *len, size));
                copy(ops, &mut model, from, to, *len);
            }
            Step::Near {
                from,
                distance,
                len,
            } => {
                let from = place(*from, *len, size);
                let to = from.saturating_add_signed(isize::from(*distance));
                copy(ops, &mut model, from, to, *len);
            }
            Step::Exchange { at, hit, new } => {
                let at = place(*at, 4, size);
                let there = u32::from_le_bytes(model[at..at + 4].try_into().unwrap());
                let current = if *hit { there } else { !there };
                let result = ops.atomic_compare_exchange(at, current, *new).unwrap();
                assert_eq!(result, if *hit { Ok(there) } else { Err(there) });
                if *hit {
                    model[at..at + 4].copy_from_slice(&new.to_le_bytes());
                }
            }
            Step::Number { at, value } => {
                let at = place(*at, 8, size);
                ops.write_le(at, *value).unwrap();
                assert_eq!(ops.read_le::<u64>(at), Ok(*value));
                model[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
            Step::Level(index) => ops.set_verification_level(VerificationLevel::ALL[*index]),
            Step::Scrub(budget) => {
                if ops.verification_level() == Ok(VerificationLevel::Off) {
                    ops.scrub(*budget).unwrap_err();
                } else {
                    assert_eq!(ops.scrub(*budget).unwrap().first_damage, None);
                }
            }
            Step::Resync { at, len } => {
                let at = place(*at, *len, size);
                let off = ops.verification_level() == Ok(VerificationLevel::Off);
                let result = ops.resync(at, *len);
                assert_eq!(result.is_ok(), at + len <= size && !off, "{result:?}");
            }
            Step::Grow => {
                let result = ops.grow(1);
                assert!(result.is_err() || grows);
                if result.is_ok() {
                    model.resize(size + WASM_PAGE_SIZE, 0);
                }
            }
        }
        assert_eq!(ops.size(), model.len());
    }
    if ops.verification_level() == Ok(VerificationLevel::Off) {
        ops.set_verification_level(VerificationLevel::Full);
    }
    ops.verify_integrity().unwrap();
    let mut all = vec![0; model.len()];
    ops.atomic_read(0, &mut all).unwrap();
    assert!(all == model, "contents differ");
    assert_eq!(ops.last_damage(), None);
}

fn copy<P: Provider, T: ChecksumTable>(
    ops: &AtomicMemoryOps<P, T>,
    model: &mut [u8],
    from: usize,
    to: usize,
    len: usize,
) {
    let fits = from + len <= model.len() && to + len <= model.len();
    assert_eq!(ops.atomic_copy_within(from, to, len).is_ok(), fits);
    if fits {
        model.copy_within(from..from + len, to);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    /// A size that is no multiple of the block, so that the last block is short.
    #[test]
    fn fixed_memories_with_short_last_blocks(
        program in prop::collection::vec(step(), 1..60),
        extra in 0..300_usize,
        level in 0..5_usize,
    ) {
        let words = 9_000 / size_of::<usize>() + extra;
        let mut memory: Vec<usize> = (0..words).collect();
        let provider = SliceProvider::from_words(&mut memory);
        let mut ops = provider.into_atomic_ops_with(InlineTable::<5>::new()).unwrap();
        ops.set_verification_level(VerificationLevel::ALL[level]);
        run(&mut ops, &program, false);
    }

    /// A table that becomes too small, so that blocks are joined again and again.
    #[test]
    fn growing_memories_whose_blocks_are_joined(
        program in prop::collection::vec(step(), 1..60),
        level in 0..5_usize,
    ) {
        let allocator = QnxAllocatorBuilder::new().build().unwrap();
        let memory = LinearMemory::new(allocator, 1, Some(6)).unwrap();
        let mut ops = memory.into_atomic_ops_with(InlineTable::<70>::new()).unwrap();
        ops.set_verification_level(VerificationLevel::ALL[level]);
        run(&mut ops, &program, true);
    }

    #[test]
    fn mirrored_memories_stay_alike(
        program in prop::collection::vec(step(), 1..60),
        level in 1..5_usize,
    ) {
        static COPY: NoStdProvider<{ 3 * 65_536 }> = NoStdProvider::new();
        let allocator = QnxAllocatorBuilder::new().build().unwrap();
        let memory = LinearMemory::new(allocator, 1, None).unwrap();
        let copy = LinearMemory::new(COPY.claim().unwrap(), 2, None).unwrap();
        let mirrored = memory.mirrored_by(copy).unwrap();
        let mut ops = mirrored.into_atomic_ops().unwrap();
        ops.set_verification_level(VerificationLevel::ALL[level]);
        run(&mut ops, &program, true);
        let size = ops.size();
        let (memory, copy) = ops.into_provider().into_parts();
        prop_assert!(memory.slice(0, size).unwrap() == copy.slice(0, size).unwrap());
    }
}
