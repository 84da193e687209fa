//! What is detected: bits and bursts in the data, in the table, in the numbers of the checker.
#![forbid(unsafe_code)]

use wasm_arena::{AllocError, IntegrityError, PageAllocator, RoomAccess, VerificationLevel};

use super::{BLOCK, BLOCKS, Data, checked, entries, filled, flip_entry, names_block};
use crate::case::case;
use crate::cases::program::Lots;
use crate::failure::{ensure, ensure_eq, ensure_refused};
use crate::support::{PAGE, builder};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 7] {
    [
        case!(
            every_flipped_bit_of_a_block_is_found,
            "all 32 768 of a block of 4 KiB, and the block is named"
        )
        .exhaustive(),
        case!(
            bursts_of_up_to_32_bits_are_found,
            "every length at every 1009th place of a block of 4 KiB, in five patterns"
        )
        .exhaustive(),
        case!(
            every_flipped_bit_of_the_table_is_told_from_one_of_the_data,
            "all 64 of each of 16 entries, at Full and Critical"
        )
        .exhaustive(),
        case!(
            every_flipped_bit_of_the_bookkeeping_is_found,
            "both copies, and named: the self-test"
        )
        .exhaustive(),
        case!(
            levels_check_what_they_say,
            "how many of 32 reads of a damaged block are refused"
        ),
        case!(
            critical_finds_what_nobody_wrote_above_the_size,
            "in open room, at growth and release; and in a region that is handed out again"
        )
        .losing(),
        case!(
            a_write_beside_damage_does_not_hide_it,
            "only a whole block does away with it"
        ),
    ]
}

fn every_flipped_bit_of_a_block_is_found<P: Subject>(subject: &P) -> Verdict {
    let (memory, table) = (filled(subject)?, entries());
    let data = Data::of(&memory)?;
    let ops = checked(&memory, &table[..])?;
    ensure_eq!(ops.block_size(), BLOCK, "bytes of a block");
    let mut target = [0xff; 8];
    for bit in 0..8 * BLOCK {
        data.flip(8 * BLOCK + bit, 1);
        let read = ops.atomic_read(BLOCK + 16, &mut target);
        ensure!(names_block(read, 1), "a read finds the flipped bit");
        ensure!(target == [0; 8], "damaged bytes go nowhere");
        data.flip(8 * BLOCK + bit, 1);
    }
    ops.verify_integrity()?;
    let statistics = ops.statistics();
    ensure_eq!(statistics.blocks_damaged, 8 * BLOCK, "damages counted");
    ensure_eq!(statistics.repairs, 0, "nothing to repair from");
    Ok(())
}

fn bursts_of_up_to_32_bits_are_found<P: Subject>(subject: &P) -> Verdict {
    let (memory, table) = (filled(subject)?, entries());
    let data = Data::of(&memory)?;
    let ops = checked(&memory, &table[..])?;
    let mut lots = Lots::new(5);
    let (first, last) = (8 * BLOCK, 8 * 2 * BLOCK - 32);
    for start in (first..last).step_by(1009).chain([last]) {
        for len in 1..=32 {
            let edges = 1_u32 | (1 << (len - 1));
            let within = u32::MAX >> (32 - len);
            let mut drawn =
                || u32::try_from(lots.below(1 << 29)).map_or(0, |drawn| drawn << 3 ^ drawn >> 11);
            for filling in [u32::MAX, 0, 0x5555_5555, drawn(), drawn()] {
                let burst = (filling & within) | edges;
                data.flip(start, burst);
                let found = ops.verify_range(BLOCK, 1);
                ensure!(names_block(found, 1), "the burst is found");
                data.flip(start, burst);
            }
        }
    }
    ops.verify_integrity()?;
    Ok(())
}

fn every_flipped_bit_of_the_table_is_told_from_one_of_the_data<P: Subject>(subject: &P) -> Verdict {
    let (memory, table) = (filled(subject)?, entries());
    let ops = checked(&memory, &table[..])?;
    for level in [VerificationLevel::Full, VerificationLevel::Critical] {
        ops.set_verification_level(level);
        for block in 0..BLOCKS {
            for bit in 0..64 {
                flip_entry(&table, block, bit);
                let named = |error: Option<IntegrityError>, fixed: bool| {
                    matches!(error, Some(IntegrityError::ChecksumDamaged {
                        block: named, offset, repaired, stored, second, computed,
                    }) if (named, offset, repaired) == (block, block * BLOCK, fixed)
                        && stored != second && (stored == computed || second == computed))
                };
                let found = ops.verify_range(block * BLOCK, 1).err();
                ensure!(named(found, false), "verifying names the table");
                // A read mends it from the data and the other record.
                ops.read_le::<u64>(block * BLOCK)?;
                ensure!(
                    named(ops.last_damage(), true),
                    "the read tells of its repair"
                );
                ops.verify_range(block * BLOCK, 1)?;
            }
        }
    }
    let statistics = ops.statistics();
    ensure_eq!(statistics.blocks_damaged, 0, "the data was sound");
    ensure_eq!(statistics.repairs, 2 * BLOCKS * 64, "each was put right");
    // An entry in the place of another contradicts itself, too.
    for bit in [0, 32] {
        flip_entry(&table, 0, bit);
        flip_entry(&table, 0, bit + 1);
        ensure!(ops.verify_range(0, 1).is_err(), "two flips of one record");
        flip_entry(&table, 0, bit);
        flip_entry(&table, 0, bit + 1);
    }
    ops.verify_integrity()?;
    Ok(())
}

fn every_flipped_bit_of_the_bookkeeping_is_found<P: Subject>(subject: &P) -> Verdict {
    let (memory, table) = (filled(subject)?, entries());
    let mut ops = checked(&memory, &table[..])?;
    for level in VerificationLevel::ALL {
        ops.set_verification_level(level);
        let of_table = if level == VerificationLevel::Off {
            0
        } else {
            64
        };
        let bits = usize::BITS as usize;
        ensure_eq!(
            ops.self_test()?,
            4 * 2 * bits + 32 + of_table,
            "flips that were found and named"
        );
    }
    // The test leaves nothing behind, and says so if something was wrong before.
    ops.verify_integrity()?;
    flip_entry(&table, 0, 3);
    ensure!(
        matches!(
            ops.self_test(),
            Err(IntegrityError::ChecksumDamaged { block: 0, .. })
        ),
        "real damage comes first"
    );
    Ok(())
}

fn levels_check_what_they_say<P: Subject>(subject: &P) -> Verdict {
    for level in VerificationLevel::ALL {
        let (memory, table) = (filled(subject)?, entries());
        let data = Data::of(&memory)?;
        let ops = checked(&memory, &table[..])?;
        ops.set_verification_level(level);
        data.flip(8 * 100, 1);
        let refused = (0..32).filter(|_| ops.read_le::<u32>(100).is_err()).count();
        let expected = match level {
            VerificationLevel::Off => 0,
            VerificationLevel::Sampling => 2,
            _ => 32,
        };
        ensure_eq!(refused, expected, "reads refused");
        let partial = ops.write_le(200, 7_u8);
        if level >= VerificationLevel::Full {
            ensure!(names_block(partial, 0), "checked before it is written");
        } else {
            partial?;
        }
        if level == VerificationLevel::Off {
            ensure!(
                ops.verify_integrity() == Err(IntegrityError::NotVerifying),
                "nothing to verify against"
            );
            ops.set_verification_level(VerificationLevel::Standard);
            ops.verify_integrity()?;
        }
    }
    Ok(())
}

fn a_write_beside_damage_does_not_hide_it<P: Subject>(subject: &P) -> Verdict {
    let (memory, table) = (filled(subject)?, entries());
    let data = Data::of(&memory)?;
    let ops = checked(&memory, &table[..])?;
    data.flip(8 * 100, 1);
    ops.write_le(200, 0xabcd_u16)?;
    ops.atomic_fill(0, 64, 9)?;
    ops.atomic_copy_within(BLOCK, 2000, 500)?;
    // Not even over the damage: that it was there is what is known of the block.
    ops.write_le(100, 0_u32)?;
    ensure!(names_block(ops.verify_integrity(), 0), "still damaged");
    let copied = ops.atomic_copy_within(100, BLOCK + 100, 4);
    ensure!(names_block(copied, 0), "damage is not copied");
    ops.atomic_fill(0, BLOCK, 9)?;
    ops.verify_integrity()?;
    ensure_eq!(
        ops.read_le::<u8>(100)?,
        9,
        "the block holds what was written"
    );
    Ok(())
}

fn critical_finds_what_nobody_wrote_above_the_size<P: Subject>(subject: &P) -> Verdict {
    let builder = builder(subject)
        .with_room_access(RoomAccess::Open)
        .with_verification_level(VerificationLevel::Critical);
    let arenas = builder.build_arenas_over(subject.system())?;
    let mut memory = builder.build_in(&arenas)?;
    for above in [0, 1, 4095, PAGE / 2 + 3, 2 * PAGE - 1] {
        memory.allocate(1, Some(3))?;
        let offset = PAGE + above;
        let room = Data::with_room(&memory, memory.capacity())?;
        room.flip(8 * offset + 3, 1);
        for result in [memory.verify(), memory.grow(1, 1).map(drop), memory.reset()] {
            ensure_refused!(
                result,
                AllocError::ContentsDamaged { offset: named, found: 8, .. } if named == offset,
                "the byte is named"
            );
        }
        ensure_eq!(memory.size(), PAGE, "nothing was changed");
        room.flip(8 * offset + 3, 1);
        memory.grow(1, 1)?;
        memory.free()?;
        // A kept region that was damaged meanwhile, where it was never data.
        room.flip(8 * (3 * PAGE - 1), 1);
        ensure_refused!(
            memory.allocate(1, Some(3)),
            AllocError::ContentsDamaged { offset: named, found: 1, .. } if named == 3 * PAGE - 1,
            "it is not handed out"
        );
    }
    let lost = arenas.statistics().unreturned.regions;
    ensure_eq!(lost, 5, "damaged regions are out of use");
    Ok(())
}
