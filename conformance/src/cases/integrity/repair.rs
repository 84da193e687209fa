//! What is repaired, and what cannot be: mirrors, scrubbing, taking checksums anew.
#![forbid(unsafe_code)]

use wasm_arena::{AtomicMemoryExt, IntegrityError, VerificationLevel};

use super::{BLOCK, BLOCKS, Data, checked, entries, filled, flip_entry, names_block, provider};
use crate::case::case;
use crate::failure::{ensure, ensure_eq};
use crate::support::{PAGE, bytes};
use crate::{Case, Subject, Verdict};

pub(super) fn cases<P: Subject>() -> [Case<P>; 4] {
    [
        case!(
            a_mirror_repairs_all_damage_of_one_copy,
            "every 61st bit of a block of 4 KiB in data and mirror, every bit of an entry, and whole blocks"
        )
        .exhaustive(),
        case!(
            damage_of_both_copies_is_told_and_left,
            "nothing vouches for either"
        ),
        case!(
            scrub_keeps_to_its_budget,
            "comes round, repairs what it can, and passes over what it cannot"
        ),
        case!(what_a_guest_wrote_is_damage_until_resync, "block by block"),
    ]
}

fn a_mirror_repairs_all_damage_of_one_copy<P: Subject>(subject: &P) -> Verdict {
    let (memory, mirror, table) = (filled(subject)?, filled(subject)?, entries());
    let (data, copy) = (Data::of(&memory)?, Data::of(&mirror)?);
    let both = provider(&memory)?.mirrored_by(provider(&mirror)?)?;
    let ops = both.into_atomic_ops_with(&table[..])?;
    ensure!(ops.is_mirrored(), "there is a second copy");
    ops.set_verification_level(VerificationLevel::Full);
    let mut repairs = 0;
    for bit in (8 * BLOCK..16 * BLOCK).step_by(61).chain([16 * BLOCK - 1]) {
        data.flip(bit, 1);
        ops.read_le::<u8>(bit / 8)?;
        ensure!(
            matches!(
                ops.last_damage(),
                Some(IntegrityError::BlockDamaged {
                    block: 1,
                    repaired: true,
                    ..
                })
            ),
            "the read repaired the data, and tells"
        );
        copy.flip(bit, 1);
        ensure!(
            matches!(
                ops.verify_range(BLOCK, 1),
                Err(IntegrityError::MirrorDamaged { block: 1, first_difference, repaired: false, .. })
                    if first_difference == bit / 8
            ),
            "the copy is damaged, at this byte"
        );
        ensure_eq!(
            ops.scrub(BLOCKS)?.blocks_repaired,
            1,
            "scrubbing repairs it"
        );
        ops.verify_range(BLOCK, 1)?;
        repairs += 2;
    }
    for bit in 0..64 {
        flip_entry(&table, 2, bit);
        ensure_eq!(ops.scrub(BLOCKS)?.blocks_repaired, 1, "the entry");
        repairs += 1;
    }
    for damaged in [&data, &copy] {
        for word in &damaged.words()[3 * BLOCK / super::WORD..4 * BLOCK / super::WORD] {
            word.fetch_xor(usize::MAX / 3, core::sync::atomic::Ordering::Relaxed);
        }
        ensure_eq!(ops.scrub(BLOCKS)?.blocks_repaired, 1, "a whole block");
        repairs += 1;
    }
    ops.verify_integrity()?;
    ensure_eq!(ops.statistics().repairs, repairs, "each repair is counted");
    crate::support::ensure_pattern(&memory, 0..PAGE, 7)?;
    ensure!(
        bytes(&memory, 0..PAGE)? == bytes(&mirror, 0..PAGE)?,
        "both copies are alike"
    );
    Ok(())
}

fn damage_of_both_copies_is_told_and_left<P: Subject>(subject: &P) -> Verdict {
    let (memory, mirror, table) = (filled(subject)?, filled(subject)?, entries());
    let (data, copy) = (Data::of(&memory)?, Data::of(&mirror)?);
    let both = provider(&memory)?.mirrored_by(provider(&mirror)?)?;
    let ops = both.into_atomic_ops_with(&table[..])?;
    data.flip(5, 1);
    copy.flip(6, 1);
    let report = ops.scrub(BLOCKS)?;
    ensure_eq!(report.blocks_damaged, 1, "one block");
    ensure_eq!(report.blocks_repaired, 0, "which nothing can repair");
    ensure!(names_block(ops.read_le::<u8>(0), 0), "it is not read");
    ops.read_le::<u8>(BLOCK)?;
    // A record and the data of a memory without a mirror are the same.
    let alone = entries();
    let ops = checked(&mirror, &alone[..])?;
    flip_entry(&alone, 1, 40);
    copy.flip(8 * BLOCK, 1);
    let report = ops.scrub(BLOCKS)?;
    ensure_eq!(report.blocks_damaged, 1, "one block");
    ensure!(
        matches!(
            report.first_damage,
            Some(IntegrityError::ChecksumDamaged {
                block: 1,
                repaired: false,
                ..
            })
        ),
        "neither record is that of the data"
    );
    Ok(())
}

fn scrub_keeps_to_its_budget<P: Subject>(subject: &P) -> Verdict {
    let (memory, table) = (filled(subject)?, entries());
    let data = Data::of(&memory)?;
    let ops = checked(&memory, &table[..])?;
    flip_entry(&table, 5, 33);
    data.flip(8 * 9 * BLOCK + 77, 1);
    for round in 0..2 {
        for block in 0..BLOCKS {
            let report = ops.scrub(1)?;
            ensure_eq!(report.blocks_checked, 1, "within the budget");
            let repaired = usize::from(block == 5 && round == 0);
            ensure_eq!(report.blocks_repaired, repaired, "the entry, once");
            let damaged = usize::from(block == 9);
            ensure_eq!(report.blocks_damaged, damaged, "the data, each time");
            ensure_eq!(
                report.completed_pass,
                block + 1 == BLOCKS,
                "the end of a pass"
            );
        }
    }
    ensure_eq!(ops.scrub(0)?.blocks_checked, 0, "no budget");
    ensure_eq!(ops.scrub(1000)?.blocks_checked, BLOCKS, "one pass at most");
    ensure_eq!(ops.statistics().scrub_passes, 3, "passes");
    Ok(())
}

fn what_a_guest_wrote_is_damage_until_resync<P: Subject>(subject: &P) -> Verdict {
    let (memory, table) = (filled(subject)?, entries());
    let data = Data::of(&memory)?;
    let ops = checked(&memory, &table[..])?;
    // The last byte of a block and the first of the next.
    data.flip(8 * (BLOCK - 1), 0x1fe);
    ensure!(names_block(ops.read_le::<u16>(BLOCK - 1), 0), "damage");
    ops.resync(BLOCK - 1, 1)?;
    ensure!(names_block(ops.verify_integrity(), 1), "of the next block");
    ops.resync(BLOCK, 1)?;
    ops.verify_integrity()?;
    ops.read_le::<u16>(BLOCK - 1)?;
    ensure_eq!(ops.statistics().blocks_resynced, 2, "blocks taken anew");
    Ok(())
}
