//! Every kind of complaint, provoked; and that correct programs provoke none.

mod support;

use qnx_libc::qnx::errno::{EFAULT, EINVAL, ENOMEM};
use qnx_libc::qnx::{map, prot};
use qnx_libc::*;
use support::*;

/// A block of `pages` pages, aligned to pages.
fn block(pages: usize) -> usize {
    memalign(PAGE, pages * PAGE).unwrap()
}

const PROFILES: [u32; 5] = [650, 660, 700, 710, 800];

#[test]
fn the_recipe_with_guards_inside_the_block_is_silent() {
    for profile in PROFILES {
        let _turn = turn(profile);
        for pages in [3, 18, 100] {
            let base = block(pages);
            mprotect(base, PAGE, prot::NONE).unwrap();
            mprotect(base + (pages - 1) * PAGE, PAGE, prot::NONE).unwrap();
            mlock(base + PAGE, PAGE).unwrap();
            free(malloc(100));
            assert_eq!(stand_in_check(), 0, "{profile}");
            munlock(base + PAGE, PAGE).unwrap();
            mprotect(base, pages * PAGE, prot::READ_WRITE).unwrap();
            free(base);
        }
        assert_eq!(
            (
                stand_in_check(),
                stand_in_live_blocks(),
                stand_in_locked_bytes()
            ),
            (0, 0, 0)
        );
    }
}

#[test]
fn free_of_an_interior_pointer() {
    for profile in PROFILES {
        let _turn = turn(profile);
        let base = block(20);
        free(base + PAGE);
        assert_eq!(realloc(base + 8, 10), 0);
        assert_eq!(errno(), EINVAL);
        assert_eq!(complaints(), [Complaint::FreeOfInterior; 2]);
        assert_eq!(stand_in_complaint_address(0), base + PAGE);
        assert_eq!(stand_in_live_blocks(), 1, "nothing was done");
    }
}

#[test]
fn free_of_what_was_never_given_out() {
    let _turn = turn(710);
    let mapped = mmap(PAGE);
    let local = 0_u64;
    free(mapped);
    free((&raw const local).addr());
    assert_eq!(complaints(), [Complaint::FreeOfUnknown; 2]);
    assert_eq!(stand_in_mappings(), 1);
}

#[test]
fn double_free() {
    for profile in PROFILES {
        let _turn = turn(profile);
        let pin = malloc(1000);
        for size in [10, 1000, 1 << 20] {
            let base = malloc(size);
            free(base);
            free(base);
        }
        assert_eq!(complaints(), [Complaint::DoubleFree; 3], "{profile}");
        free(pin);
    }
}

#[test]
fn header_and_footer_overwritten() {
    for profile in PROFILES {
        let _turn = turn(profile);
        let base = malloc(1000);
        write_byte(base - 1, 0x77);
        free(malloc(10));
        assert_eq!(complaints(), [Complaint::HeaderOverwritten], "{profile}");
        let (start, len) = block_of(base).unwrap();
        (start + len..start + len + 2 * WORD).for_each(|at| write_byte(at, 0x77));
        assert!(stand_in_check() > 1);
        assert!(complaints().contains(&Complaint::FooterOverwritten));
        let told = stand_in_complaints();
        assert_eq!(stand_in_check(), told, "told once");
        free(base);
        assert_eq!(stand_in_check(), told, "and survived");
    }
}

#[test]
fn the_first_byte_behind_a_guarded_block_is_not_watched_but_its_footer_is() {
    let _turn = turn(700);
    let base = block(18);
    let end = base + 18 * PAGE;
    write_byte(end, 1);
    assert_eq!(
        stand_in_check(),
        0,
        "the tail up to the footer belongs to the block"
    );
    write_byte(end + PAGE - 2 * WORD, 1);
    assert_eq!(stand_in_check(), 1);
    assert_eq!(complaints(), [Complaint::FooterOverwritten]);
}

#[test]
fn guards_outside_of_the_block_cover_header_and_footer() {
    for profile in [650, 660, 700, 710] {
        let _turn = turn(profile);
        let base = block(40);
        mprotect(base - PAGE, PAGE, prot::NONE).unwrap();
        assert_eq!(complaints(), [Complaint::ProtectOfMetadata]);
        assert!(stand_in_check() > 1);
        assert!(complaints().contains(&Complaint::HeaderCovered));
        mprotect(base - PAGE, PAGE, prot::READ_WRITE).unwrap();
        mprotect(base + 40 * PAGE, PAGE, prot::READ).unwrap();
        let before = stand_in_complaints();
        free(malloc(5));
        assert!(
            complaints()[before..].contains(&Complaint::FooterCovered),
            "{profile}"
        );
        // The heap does not fault on what is covered.
        free(base);
        assert!(stand_in_complaints() > before);
    }
}

#[test]
fn free_of_a_block_with_guards() {
    for profile in PROFILES {
        let _turn = turn(profile);
        let base = block(20);
        for (at, protection) in [(0, prot::NONE), (19, prot::NONE), (7, prot::READ)] {
            mprotect(base + at * PAGE, PAGE, protection).unwrap();
            free(base);
            mprotect(base + at * PAGE, PAGE, prot::READ_WRITE).unwrap();
        }
        assert_eq!(complaints(), [Complaint::FreeOfProtected; 3]);
        assert_eq!(stand_in_live_blocks(), 1, "refused: the block is live");
        free(base);
        assert_eq!((stand_in_live_blocks(), stand_in_complaints()), (0, 3));
    }
}

#[test]
fn realloc_of_a_block_with_guards() {
    let _turn = turn(710);
    let base = block(20);
    mprotect(base + 19 * PAGE, PAGE, prot::NONE).unwrap();
    assert_eq!((realloc(base, 10 * PAGE), errno()), (0, EFAULT));
    assert_eq!(complaints(), [Complaint::ReallocOfProtected]);
}

#[test]
fn free_and_realloc_of_locked_blocks() {
    let _turn = turn(710);
    let base = block(40);
    mlock(base, PAGE).unwrap();
    let moved = realloc(base, 80 * PAGE);
    assert_eq!(complaints(), [Complaint::FreeOfLocked]);
    let page = moved.next_multiple_of(PAGE);
    mlock(page, PAGE).unwrap();
    free(moved);
    assert_eq!(complaints(), [Complaint::FreeOfLocked; 2]);
}

#[test]
fn mprotect_of_cached_memory_is_found_when_it_is_taken() {
    let _turn = turn(650);
    let base = block(20);
    free(base);
    mprotect(base, PAGE, prot::NONE).unwrap();
    assert_eq!(complaints(), [Complaint::ProtectOfMetadata]);
    let other = block(20);
    assert_ne!(other, base);
    assert_eq!(complaints()[1..], [Complaint::FreeMemoryProtected]);
}

#[test]
fn mprotect_of_a_free_block_is_found_when_it_is_needed() {
    let _turn = turn(700);
    arena_size(262_144);
    let pin = malloc(50_000);
    // Free memory in front of the block, whole pages of it.
    let free_page = (pin - 40 * PAGE).next_multiple_of(PAGE);
    mprotect(free_page, PAGE, prot::NONE).unwrap();
    let other = malloc(10_000);
    assert_ne!(other, 0);
    let expected = [Complaint::ProtectOfMetadata, Complaint::FreeMemoryProtected];
    assert_eq!(complaints(), expected);
}

#[test]
fn munmap_and_fixed_mmap_of_heap_memory() {
    let _turn = turn(710);
    let base = block(20);
    write_byte(base, 5);
    assert_eq!(munmap(base, 20 * PAGE), Err(EINVAL));
    let flags = ANONYMOUS | map::FIXED;
    assert_eq!(mmap_at(base, PAGE, prot::READ_WRITE, flags), Err(EINVAL));
    assert_eq!(
        complaints(),
        [Complaint::UnmapOfHeap, Complaint::MapOverHeap]
    );
    assert_eq!(read_byte(base), 5);
}

#[test]
fn words_of_the_cache_overwritten() {
    let _turn = turn(650);
    let base = malloc(100_000);
    free(base);
    write_byte(base - base % PAGE, 0x77);
    malloc(100_000);
    assert_eq!(complaints(), [Complaint::HeaderOverwritten]);
}

#[test]
fn full_books_are_named_and_are_no_answer_of_qnx() {
    let _turn = turn(710);
    let base = mmap(65_536 * PAGE);
    let every_second = (1..65_536).step_by(2).map(|page| base + page * PAGE);
    let failed = every_second
        .map(|page| mprotect(page, PAGE, prot::NONE))
        .find(Result::is_err);
    assert_eq!(failed, Some(Err(ENOMEM)));
    assert_eq!(complaints(), [Complaint::StandInLimit]);
    assert_eq!(
        munmap(base, 65_536 * PAGE),
        Ok(()),
        "giving back needs no room"
    );
    assert_eq!(stand_in_complaints(), 1);
}

#[test]
fn protections_and_flags_of_linux_and_no_memory_for_statistics() {
    let _turn = turn(710);
    let base = mmap(PAGE);
    assert_eq!(mprotect(base, PAGE, 3), Err(EINVAL));
    assert_eq!(mmap_at(0, PAGE, prot::READ_WRITE, 0x22), Err(EINVAL));
    assert_eq!(option(qnx::mallopt::STATS, 32_768), -1);
    assert!(mprotect(base, PAGE, 0x700).is_err());
    mprotect(base + 1, 1, prot::READ).unwrap();
    let expected = [
        Complaint::LinuxProtection,
        Complaint::LinuxMapFlags,
        Complaint::StatsToNowhere,
        Complaint::WriteAndExecute,
        Complaint::ProtectUnaligned,
    ];
    assert_eq!(complaints(), expected);
}

#[test]
fn the_list_is_bounded_and_the_count_is_not() {
    let _turn = turn(710);
    let local = 0_u64;
    let address = (&raw const local).addr();
    (0..KEPT + 10).for_each(|_| free(address));
    assert_eq!(stand_in_complaints(), KEPT + 10);
    assert!(!stand_in_complaint(KEPT - 1).is_null());
    assert!(stand_in_complaint(KEPT).is_null());
    assert_eq!(stand_in_complaint_kind(KEPT), 0);
    assert_eq!(
        complaint_text(0).to_bytes(),
        b"free or realloc of an address the heap never gave out"
    );
    stand_in_reset(710);
    assert_eq!(stand_in_complaints(), 0);
}

#[test]
fn kinds_have_distinct_numbers_and_texts() {
    for (index, kind) in Complaint::ALL.iter().enumerate() {
        for other in &Complaint::ALL[index + 1..] {
            assert_ne!(*kind as u32, *other as u32);
            assert_ne!(kind.text(), other.text());
        }
    }
}
