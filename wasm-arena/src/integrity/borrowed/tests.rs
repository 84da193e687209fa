//! Every kind of damage of contents, table and second copy, found, named and mended.

use super::super::view::repaired;
use super::*;
use crate::InlineTable;
use std::vec::Vec;

fn contents(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((at * 31 + at / 7) % 251).unwrap())
        .collect()
}

#[test]
fn sums_are_those_of_another_implementation_at_any_length_and_address() {
    let all = contents(5000);
    for start in 0..WORD {
        for len in (0..300).chain(4080..4110) {
            let bytes = &all[start..start + len];
            assert_eq!(sum(bytes), crc32c::crc32c(bytes), "{start} {len}");
        }
    }
    assert_eq!(sum(b"123456789"), 0xe306_9283);
}

#[test]
fn every_flipped_bit_is_found_and_named() {
    let mut bytes = contents(1300);
    let mut checksums = BorrowedChecksums::new(InlineTable::<6>::new(), 256).unwrap();
    checksums.take(&bytes).unwrap();
    assert_eq!(checksums.verify(&bytes), Ok(()));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let Err(IntegrityError::BlockDamaged {
                block,
                offset,
                len,
                stored,
                computed,
                repaired: false,
            }) = checksums.verify(&bytes)
            else {
                panic!("bit {bit} of byte {at} went unnoticed");
            };
            let end = bytes.len().min(offset + 256);
            assert_eq!((block, offset, len), (at / 256, block * 256, end - offset));
            assert_eq!(computed, crc32c::crc32c(&bytes[offset..end]));
            assert_ne!(stored, computed);
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn damage_of_the_table_is_told_apart_and_mended() {
    let mut bytes = contents(1000);
    let mut checksums = BorrowedChecksums::new(InlineTable::<4>::new(), 256).unwrap();
    checksums.take(&bytes).unwrap();
    for number in 0..4 {
        for second in [false, true] {
            for bit in 0..32 {
                checksums.table.entries()[number].flip(bit, second);
                let damage = checksums.verify(&bytes).unwrap_err();
                assert!(matches!(
                    damage,
                    IntegrityError::ChecksumDamaged { block, .. } if block == number
                ));
                let mended = checksums.mend_block(&mut bytes, None, number).unwrap();
                assert_eq!(mended, Some(repaired(damage)));
                assert_eq!(checksums.verify(&bytes), Ok(()));
            }
        }
    }
    assert_eq!(bytes, contents(1000));
}

#[test]
fn damage_of_one_copy_is_repaired_and_of_both_is_not() {
    let whole = contents(777);
    let (mut bytes, mut mirror) = (whole.clone(), whole.clone());
    let mut checksums = BorrowedChecksums::new(InlineTable::<4>::new(), 256).unwrap();
    checksums.take(&bytes).unwrap();
    let mend = |bytes: &mut Vec<u8>, mirror: &mut Vec<u8>| {
        let mended = checksums.mend_block(bytes, Some(mirror), 3);
        let sound = checksums.verify(bytes).is_ok() && bytes == mirror;
        (mended.unwrap(), sound)
    };
    assert_eq!(mend(&mut bytes, &mut mirror), (None, true));
    for at in [768, 776] {
        bytes[at] ^= 0x10;
        let (found, sound) = mend(&mut bytes, &mut mirror);
        assert!(
            sound
                && matches!(
                    found,
                    Some(IntegrityError::BlockDamaged {
                        block: 3,
                        len: 9,
                        repaired: true,
                        ..
                    })
                )
        );
        mirror[at] ^= 0x10;
        let (found, sound) = mend(&mut bytes, &mut mirror);
        assert!(
            sound
                && matches!(
                    found,
                    Some(IntegrityError::MirrorDamaged { first_difference, repaired: true, .. })
                        if first_difference == at
                )
        );
        assert_eq!((&bytes, &mirror), (&whole, &whole));
    }
    bytes[770] ^= 1;
    mirror[771] ^= 1;
    let (found, sound) = mend(&mut bytes, &mut mirror);
    assert!(!sound);
    assert!(matches!(
        found,
        Some(IntegrityError::BlockDamaged {
            repaired: false,
            ..
        })
    ));
    assert_eq!((bytes[770], mirror[771]), (whole[770] ^ 1, whole[771] ^ 1));
}

#[test]
fn contents_that_grow_are_covered_when_told_and_never_blessed_by_it() {
    let mut bytes = contents(1000);
    let mut checksums = BorrowedChecksums::new(InlineTable::<8>::new(), 256).unwrap();
    checksums.take(&bytes).unwrap();
    bytes.resize(1500, 0);
    let changed = IntegrityError::SizeChanged {
        covered: 1000,
        size: 1500,
    };
    assert_eq!(checksums.verify(&bytes), Err(changed));
    assert_eq!(checksums.verify_block(&bytes, 0), Err(changed));
    // The last block got longer: what was there of it must still be right.
    bytes[990] ^= 4;
    let damage = checksums.renew(&bytes, 0..0).unwrap_err();
    assert!(matches!(
        damage,
        IntegrityError::BlockDamaged {
            block: 3,
            len: 232,
            ..
        }
    ));
    assert_eq!(checksums.size(), 1000);
    bytes[990] ^= 4;
    checksums.renew(&bytes, 0..0).unwrap();
    assert_eq!(checksums.verify(&bytes), Ok(()));
    assert_eq!((checksums.size(), checksums.block_count()), (1500, 6));
    // Nor is damage elsewhere.
    bytes[10] ^= 4;
    checksums.renew(&bytes, 256..1500).unwrap();
    assert!(checksums.verify(&bytes).is_err());
    checksums.renew(&bytes, 10..11).unwrap();
    assert_eq!(checksums.verify(&bytes), Ok(()));
    assert_eq!(
        checksums.renew(&bytes[..1000], 0..0),
        Err(IntegrityError::SizeChanged {
            covered: 1500,
            size: 1000
        })
    );
    bytes.resize(2049, 0);
    assert_eq!(
        checksums.renew(&bytes, 0..0),
        Err(IntegrityError::TableTooSmall {
            entries: 8,
            blocks: 9
        })
    );
    assert_eq!(
        checksums.renew(&bytes[..1500], 1500..1501),
        Err(IntegrityError::OutOfRange {
            offset: 1500,
            len: 1,
            size: 1500
        })
    );
    assert_eq!(checksums.verify(&bytes[..1500]), Ok(()));
}

#[test]
fn sizes_of_blocks_have_limits() {
    for block_size in [0, 1, 128, 255, 300, usize::MAX] {
        let refused = BorrowedChecksums::new(InlineTable::<1>::new(), block_size);
        assert_eq!(
            refused.err(),
            Some(IntegrityError::InvalidBlockSize {
                block_size,
                minimum: 256
            })
        );
    }
    for block_size in [256, 1 << 16, 1 << (usize::BITS - 1)] {
        let mut checksums = BorrowedChecksums::new(InlineTable::<1>::new(), block_size).unwrap();
        checksums.take(&contents(256)).unwrap();
        assert_eq!(checksums.verify(&contents(256)), Ok(()));
        checksums.compare_bookkeeping().unwrap();
    }
}
