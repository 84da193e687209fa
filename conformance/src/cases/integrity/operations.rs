//! That the operations do what they say: against plain bytes, across growth, and in an array.
#![forbid(unsafe_code)]

use wasm_arena::{
    AtomicMemoryExt, IntegrityError, LinearMemory, NoStdProvider, PageAllocator, VerificationLevel,
};

use super::{checked, entries, filled};
use crate::case::case;
use crate::cases::program::Lots;
use crate::failure::{ensure, ensure_eq, ensure_refused};
use crate::support::{PAGE, build, builder, bytes, moving};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 4] {
    [
        case!(
            checked_operations_do_what_plain_bytes_do,
            "six hundred writes, fills, copies, exchanges and reads at every level"
        ),
        case!(
            checked_operations_stay_inside,
            "and refuse with the numbers"
        ),
        case!(
            checked_memory_grows_and_moves,
            "checksums follow, blocks are joined"
        ),
        case!(
            a_memory_in_an_array_is_checked_too,
            "without any system below"
        ),
    ]
}

/// Bytes of the memory that the model has, too.
const MODEL: usize = 3000;
/// Where they lie: no word, no block starts there, and a block ends inside.
const AT: usize = 4096 - 1001;

fn checked_operations_do_what_plain_bytes_do<P: Subject>(subject: &P) -> Verdict {
    let (memory, table) = (filled(subject)?, entries());
    let mut model = [0; MODEL];
    model.copy_from_slice(bytes(&memory, AT..AT + MODEL)?);
    let ops = checked(&memory, &table[..])?;
    let mut lots = Lots::new(11);
    let mut target = [0; MODEL];
    for step in 0..600 {
        ops.set_verification_level(VerificationLevel::ALL[step / 20 % 5]);
        let len = lots.below(if step % 3 == 0 { 900 } else { 24 });
        let (from, to) = (lots.below(MODEL - len), lots.below(MODEL - len));
        let byte = lots.below(256).to_le_bytes()[0];
        match lots.below(4) {
            0 => {
                let mut source = [byte; 900];
                for (index, place) in source[..len].iter_mut().enumerate() {
                    *place = place.wrapping_add(index.to_le_bytes()[0]);
                }
                ops.atomic_write_with_checksum(AT + to, &source[..len])?;
                model[to..to + len].copy_from_slice(&source[..len]);
            }
            1 => {
                ops.atomic_fill(AT + to, len, byte)?;
                model[to..to + len].fill(byte);
            }
            2 => {
                ops.atomic_copy_within(AT + from, AT + to, len)?;
                model.copy_within(from..from + len, to);
            }
            _ => {
                let place = &mut model[to..to + 8.min(MODEL - to)];
                if let Ok(old) = <[u8; 8]>::try_from(&*place) {
                    let old = u64::from_le_bytes(old);
                    let new = old.rotate_left(7) ^ u64::from(byte);
                    let missed = ops.atomic_compare_exchange(AT + to, !old, new)?;
                    ensure!(missed == Err(old), "another number is not exchanged");
                    let hit = ops.atomic_compare_exchange(AT + to, old, new)?;
                    ensure!(hit == Ok(old), "the right number is");
                    place.copy_from_slice(&new.to_le_bytes());
                }
            }
        }
        ops.atomic_read(AT + from, &mut target[..len])?;
        ensure!(
            target[..len] == model[from..from + len],
            "a read shows what was written"
        );
    }
    ops.set_verification_level(VerificationLevel::Standard);
    ops.verify_integrity()?;
    ops.atomic_read(AT, &mut target)?;
    ensure!(target == model, "and so does a read of everything");
    Ok(())
}

fn checked_operations_stay_inside<P: Subject>(subject: &P) -> Verdict {
    let (memory, table) = (filled(subject)?, entries());
    let ops = checked(&memory, &table[..])?;
    let mut target = [7; 2];
    for (offset, len) in [(PAGE, 1), (PAGE - 1, 2), (usize::MAX, 2), (PAGE + 1, 0)] {
        let outside = IntegrityError::OutOfRange {
            offset,
            len,
            size: PAGE,
        };
        for result in [
            ops.atomic_read(offset, &mut target[..len]),
            ops.atomic_write_with_checksum(offset, &[1, 2][..len]),
            ops.atomic_fill(offset, len, 0),
            ops.atomic_copy_within(offset, 0, len),
            ops.atomic_copy_within(0, offset, len),
            ops.verify_range(offset, len),
            ops.resync(offset, len),
        ] {
            ensure!(result == Err(outside), "refused, with its numbers");
        }
    }
    ensure!(target == [7; 2], "nothing was copied");
    ops.atomic_read(PAGE, &mut [])?;
    ops.verify_integrity()?;
    Ok(())
}

fn checked_memory_grows_and_moves<P: Subject>(subject: &P) -> Verdict {
    for builder in [builder(subject), moving(subject)] {
        let memory = LinearMemory::new(build(subject, builder)?, 1, Some(5))?;
        let table = entries();
        let mut ops = memory.into_atomic_ops_with(&table[..])?;
        ops.set_verification_level(VerificationLevel::Critical);
        let mut block_size = ops.block_size();
        for pages in 1..5_u32 {
            let last = ops.size() - 9;
            ops.write_le(last, 0x0102_0304_0506_0708 + u64::from(pages))?;
            ensure_eq!(ops.grow(1)?, pages, "the previous size");
            ops.verify_integrity()?;
            ensure_eq!(
                ops.read_le::<u64>(last)?,
                0x0102_0304_0506_0708 + u64::from(pages),
                "old bytes are kept"
            );
            ensure_eq!(ops.read_le::<u64>(ops.size() - 8)?, 0, "new ones are zero");
            ensure!(ops.block_size() >= block_size, "blocks are joined");
            block_size = ops.block_size();
        }
        ensure_refused!(
            ops.grow(1),
            IntegrityError::Growth(wasm_arena::AllocError::BeyondMaximum { .. }),
            "the allocator's limit holds"
        );
        ops.verify_integrity()?;
        ensure_eq!(ops.size(), 5 * PAGE, "nothing was changed");
    }
    Ok(())
}

fn a_memory_in_an_array_is_checked_too<P: Subject>(_: &P) -> Verdict {
    static ARRAY: NoStdProvider<{ 2 * PAGE }> = NoStdProvider::new();
    let memory = LinearMemory::new(ARRAY.claim()?, 1, None)?;
    ensure_eq!(memory.allocator().size(), PAGE, "bytes");
    let mut ops = memory.into_atomic_ops()?;
    ops.atomic_write_with_checksum(PAGE - 5, b"array")?;
    ensure_eq!(ops.grow(1)?, 1, "it grows up to the array");
    let mut five = [0; 5];
    ops.atomic_read(PAGE - 5, &mut five)?;
    ensure!(&five == b"array", "and keeps its bytes");
    ops.verify_integrity()?;
    ensure!(ops.grow(1).is_err(), "and no further");
    Ok(())
}
