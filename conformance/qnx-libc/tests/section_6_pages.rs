//! qnx-facts §6: `mmap`, `munmap`, `mprotect`, `mlock`, page sizes.

mod support;

use std::io::pipe;
use std::os::fd::AsRawFd;

use qnx_libc::qnx::errno::*;
use qnx_libc::qnx::{map, prot, rlimit, sysconf};
use qnx_libc::*;
use support::*;

/// Whether Linux itself can read a byte there, asked without touching it.
fn linux_can_read(address: usize) -> bool {
    let (_reader, writer) = pipe().unwrap();
    let byte = core::ptr::with_exposed_provenance(address);
    // SAFETY: Linux checks the address; one byte is asked for.
    let written = unsafe { qnx_write(writer.as_raw_fd(), byte, 1) };
    assert!(written == 1 || errno() == EFAULT);
    written == 1
}

#[test]
fn section_6_1_protections_are_real() {
    let _turn = turn(710);
    let base = mmap(4 * PAGE);
    assert!(is_full_of(base, 4 * PAGE, 0), "fresh from mmap: zero");
    write_byte(base, 7);
    mprotect(base, PAGE, prot::NONE).unwrap();
    assert!(!linux_can_read(base));
    assert!(linux_can_read(base + PAGE));
    assert_eq!(stand_in_protection(base + 1), 0);
    assert_eq!(stand_in_protection(base + PAGE), 0x300);
    mprotect(base, PAGE, prot::READ).unwrap();
    assert_eq!(read_byte(base), 7, "its bytes stay");
    munmap(base, 4 * PAGE).unwrap();
    assert!(!linux_can_read(base));
    assert_eq!(stand_in_protection(base), -1);
    assert_eq!(complaints(), []);
}

#[test]
fn section_6_1_unknown_bits() {
    let _turn = turn(710);
    let base = mmap(PAGE);
    for bits in [0x1000, 0x10, 8] {
        assert_eq!(mprotect(base, PAGE, bits), Err(EINVAL));
        assert_eq!(mmap_at(0, PAGE, bits, ANONYMOUS), Err(EINVAL));
    }
    assert_eq!(complaints(), []);
    mprotect(base, PAGE, 0xB00).unwrap();
    for bits in [1, 2, 3, 4, 7] {
        assert_eq!(mprotect(base, PAGE, bits), Err(EINVAL));
        assert_eq!(mmap_at(0, PAGE, bits, ANONYMOUS), Err(EINVAL));
    }
    assert_eq!(complaints(), [Complaint::LinuxProtection; 10]);
}

#[test]
fn section_6_2_flags_of_each_version() {
    let accepted = |profile: u32, flag: i32| {
        let _turn = turn(profile);
        mmap_at(0, PAGE, prot::READ_WRITE, ANONYMOUS | flag).is_ok()
    };
    // Flag; then 6.5, 6.6, 7.0, 7.1, 8.0.
    let table = [
        (0x20, [true, true, true, true, true]),
        (0x40, [true, true, true, true, false]),
        (map::LAZY, [true; 5]),
        (map::STACK, [true; 5]),
        (0x4000, [true; 5]),
        (0x8000, [true, true, true, false, false]),
        (map::PHYS, [true; 5]),
        (0x2_0000, [true, true, false, true, true]),
        (0x4_0000, [true, true, false, true, true]),
        (0x0100_0000, [false; 5]),
        (0x0200_0000, [false, true, true, false, false]),
        (0x1000_0000, [false; 5]),
        (0x4000_0000, [false; 5]),
        (0x0080_0000, [false; 5]),
        (0x100, [false; 5]),
        (4, [false; 5]),
        (map::SHARED, [true, true, false, false, false]),
    ];
    for (flag, row) in table {
        for (profile, expected) in [650, 660, 700, 710, 800].into_iter().zip(row) {
            assert_eq!(accepted(profile, flag), expected, "{profile} {flag:#x}");
        }
    }
}

#[test]
fn section_6_2_exactly_one_type_from_7_0() {
    for (profile, strict) in [
        (650, false),
        (660, false),
        (700, true),
        (710, true),
        (800, true),
    ] {
        let _turn = turn(profile);
        let neither = mmap_at(0, PAGE, prot::READ_WRITE, map::ANON);
        assert_eq!(neither.is_err(), strict, "{profile}");
        assert!(mmap_at(0, PAGE, prot::READ_WRITE, map::ANON | map::SHARED).is_ok());
        assert_eq!(
            mmap_at(0, PAGE, prot::READ_WRITE, map::PRIVATE),
            Err(ENOTSUP),
            "no files"
        );
        assert_eq!(mmap_at(0, 0, prot::READ_WRITE, ANONYMOUS), Err(EINVAL));
    }
}

#[test]
fn section_6_2_noinit_hands_out_old_bytes_on_6_x() {
    for (profile, byte) in [(650, GIVEN_BACK), (660, GIVEN_BACK), (700, 0), (710, 0)] {
        let _turn = turn(profile);
        let base = mmap_at(0, PAGE, prot::READ_WRITE, ANONYMOUS | map::NOINIT).unwrap();
        assert!(is_full_of(base, PAGE, byte), "{profile}");
    }
}

#[test]
fn section_6_2_flags_of_linux() {
    let _turn = turn(710);
    assert_eq!(mmap_at(0, PAGE, prot::READ_WRITE, 0x22), Err(EINVAL));
    assert_eq!(complaints(), [Complaint::LinuxMapFlags]);
}

#[test]
fn section_6_2_fixed() {
    let _turn = turn(710);
    let base = mmap(4 * PAGE);
    write_byte(base + PAGE, 1);
    let flags = ANONYMOUS | map::FIXED;
    assert_eq!(
        mmap_at(base + PAGE, PAGE, prot::READ_WRITE, flags),
        Ok(base + PAGE)
    );
    assert_eq!(read_byte(base + PAGE), 0, "replaced");
    assert_eq!(
        (stand_in_mappings(), stand_in_mapped_bytes()),
        (2, 4 * PAGE)
    );
    assert_eq!(
        mmap_at(base + 1, PAGE, prot::READ_WRITE, flags),
        Err(EINVAL)
    );
    let strangers = (&raw const flags).addr() / PAGE * PAGE;
    assert_eq!(
        mmap_at(strangers, PAGE, prot::READ_WRITE, flags),
        Err(EINVAL),
        "not ours"
    );
    munmap(base, 4 * PAGE).unwrap();
    assert_eq!(stand_in_mappings(), 0);
}

#[test]
fn section_6_4_mprotect() {
    let _turn = turn(710);
    let base = mmap(6 * PAGE);
    assert_eq!(mprotect(base, 0, prot::NONE), Err(ENOMEM));
    mprotect(base + 2 * PAGE, PAGE, prot::NONE).unwrap();
    assert_eq!(stand_in_mappings(), 1, "in pieces, but one mapping");
    mprotect(base + PAGE, 3 * PAGE, prot::READ).unwrap();
    assert_eq!(stand_in_protection(base + 2 * PAGE), prot::READ);
    munmap(base + 3 * PAGE, PAGE).unwrap();
    assert_eq!(mprotect(base, 6 * PAGE, prot::NONE), Err(ENOMEM), "a hole");
    assert_eq!(mprotect(usize::MAX - 10, 100, prot::NONE), Err(ENOMEM));
    assert_eq!(complaints(), []);
}

#[test]
fn section_6_4_unaligned_ranges_are_rounded_outward() {
    let _turn = turn(710);
    let base = mmap(4 * PAGE);
    mprotect(base + PAGE + 100, PAGE, prot::NONE).unwrap();
    let protections = [0, 1, 2, 3].map(|page| stand_in_protection(base + page * PAGE));
    assert_eq!(protections, [0x300, 0, 0, 0x300]);
    mprotect(base, 100, prot::READ).unwrap();
    assert_eq!(complaints(), [Complaint::ProtectUnaligned; 2]);
}

#[test]
fn section_6_4_writing_and_executing_together() {
    for (profile, refused) in [
        (650, false),
        (660, false),
        (700, true),
        (710, true),
        (800, true),
    ] {
        let _turn = turn(profile);
        let both = mmap_at(0, PAGE, prot::WRITE | prot::EXEC, ANONYMOUS);
        assert_eq!(both == Err(EACCES), refused, "{profile}");
        let base = mmap(PAGE);
        assert_eq!(mprotect(base, PAGE, 0x700).is_err(), refused);
        assert_eq!(complaints(), [Complaint::WriteAndExecute; 2]);
    }
}

#[test]
fn section_6_5_munmap() {
    let _turn = turn(710);
    let base = mmap(4 * PAGE);
    assert_eq!(munmap(base, 0), Err(EINVAL));
    assert_eq!(munmap(base + 1, PAGE), Err(EINVAL));
    munmap(base + PAGE, 1).unwrap();
    assert_eq!(stand_in_mapped_bytes(), 3 * PAGE);
    assert_eq!(stand_in_mappings(), 1);
    munmap(base, 4 * PAGE).unwrap();
    assert_eq!((stand_in_mappings(), stand_in_mapped_bytes()), (0, 0));
}

#[test]
fn section_6_5_locks_do_not_nest() {
    let _turn = turn(710);
    let base = mmap(4 * PAGE);
    mlock(base, 2 * PAGE).unwrap();
    mlock(base, 2 * PAGE).unwrap();
    assert_eq!(stand_in_locked_bytes(), 2 * PAGE);
    munlock(base, PAGE).unwrap();
    assert_eq!(stand_in_locked_bytes(), PAGE);
    assert_eq!(mlock(base + 1, PAGE), Err(EINVAL));
    assert_eq!(mlock(base, 5 * PAGE), Err(ENOMEM), "a hole");
    munmap(base, 4 * PAGE).unwrap();
    assert_eq!(stand_in_locked_bytes(), 0);
}

#[test]
fn section_6_5_refused_locks() {
    let _turn = turn(710);
    let base = mmap(4 * PAGE);
    for error in [EPERM, EAGAIN] {
        switch(Switch::MlockRefused, isize::try_from(error).unwrap());
        assert_eq!(mlock(base, PAGE), Err(error));
        munlock(base, PAGE).unwrap();
    }
    switch(Switch::MlockRefused, 0);
    assert_eq!(stand_in_limit(7, 8192), 0);
    mlock(base, 2 * PAGE).unwrap();
    mlock(base, 2 * PAGE).unwrap();
    assert_eq!(mlock(base + PAGE, 2 * PAGE), Err(EAGAIN));
    assert_eq!(stand_in_locked_bytes(), 2 * PAGE);
}

#[test]
fn section_6_6_larger_pages() {
    for profile in [710, 800] {
        for page in [16_384, 65_536] {
            let _turn = turn(profile);
            switch(Switch::HostPage, page);
            let page = usize::try_from(page).unwrap();
            assert_eq!(usize::try_from(qnx_sysconf(sysconf::PAGESIZE)), Ok(page));
            let base = mmap(page + 1);
            assert_eq!((base % page, stand_in_mapped_bytes()), (0, 2 * page));
            mprotect(base, page, prot::NONE).unwrap();
            assert_eq!(complaints(), []);
            mprotect(base + PAGE, PAGE, prot::READ).unwrap();
            assert_eq!(
                complaints(),
                [Complaint::ProtectUnaligned],
                "4 KiB are no page here"
            );
            assert_eq!(stand_in_protection(base + page - 1), prot::READ);
            assert_eq!(munmap(base + PAGE, PAGE), Err(EINVAL));
            munmap(base, 2 * page).unwrap();
            for len in [page, 5 * page, 40 * page] {
                let block = memalign(page, len).unwrap();
                mprotect(block, page, prot::NONE).unwrap();
                mprotect(block + len - page, page, prot::NONE).unwrap();
                assert_eq!(stand_in_heap_bytes() % page, 0);
                assert_eq!(stand_in_check(), 1);
                mprotect(block, len, prot::READ_WRITE).unwrap();
                free(block);
            }
            assert_eq!(stand_in_check(), 1);
        }
    }
}

#[test]
fn section_6_6_blocks_aligned_to_4_kib_share_larger_pages_with_the_heap() {
    let _turn = turn(710);
    switch(Switch::HostPage, 65_536);
    let block = memalign(PAGE, 40 * PAGE).unwrap();
    mprotect(block, PAGE, prot::NONE).unwrap();
    assert!(complaints().contains(&Complaint::ProtectOfMetadata));
}

#[test]
fn page_sizes_that_do_not_exist_or_come_too_late() {
    let _turn = turn(710);
    for wrong in [0, 1, 8192, 1 << 20] {
        assert_eq!(stand_in_switch(Switch::HostPage as u32, wrong), -1);
    }
    let base = mmap(PAGE);
    assert_eq!(stand_in_switch(Switch::HostPage as u32, 65_536), -1);
    munmap(base, PAGE).unwrap();
    assert_eq!(stand_in_switch(Switch::HostPage as u32, 65_536), 0);
}

fn limit(kind: i32) -> Result<u64, i32> {
    let mut limit = RLimit::default();
    // SAFETY: the place is a local of ours.
    checked(unsafe { qnx_getrlimit(kind, &raw mut limit) })?;
    assert_eq!(limit.current, limit.maximum);
    Ok(limit.current)
}

#[test]
fn section_7_1_kinds_of_limits() {
    for (profile, kinds) in [(650, 10), (660, 11), (700, 12), (710, 14), (800, 19)] {
        let _turn = turn(profile);
        for kind in 0..kinds {
            assert_eq!(limit(kind), Ok(0xFFFF_FFFF_FFFF_FFFD));
        }
        for kind in [-1, kinds, 100] {
            assert_eq!(limit(kind), Err(EINVAL));
            assert_eq!(stand_in_limit(kind, 1), -1);
        }
        assert_eq!(stand_in_limit(9, 1234), 0);
        assert_eq!(limit(9), Ok(1234));
    }
}

#[test]
fn section_7_1_limits_bind_heap_and_mappings() {
    for kind in [rlimit::DATA, rlimit::AS] {
        let _turn = turn(710);
        assert_eq!(stand_in_limit(i32::try_from(kind).unwrap(), 1 << 20), 0);
        assert_eq!(memalign(PAGE, 2 << 20), Err(ENOMEM));
        assert_eq!(
            mmap_at(0, 1 << 20, 0, ANONYMOUS),
            Err(ENOMEM),
            "reaching it is too much"
        );
        let base = mmap((1 << 20) - PAGE);
        assert_eq!(malloc(1), 0);
        munmap(base, (1 << 20) - PAGE).unwrap();
        assert_ne!(malloc(1), 0);
        assert_eq!(complaints(), []);
    }
}

#[test]
fn section_7_2_physical_pages() {
    let _turn = turn(710);
    assert!(qnx_sysconf(sysconf::PHYS_PAGES) > 0);
    switch(Switch::MemoryLimit, 1 << 20);
    let base = mmap(1 << 19);
    assert_eq!(
        (
            qnx_sysconf(sysconf::PHYS_PAGES),
            qnx_sysconf(sysconf::AVPHYS_PAGES)
        ),
        (256, 128)
    );
    assert_eq!(
        mmap_at(0, 1 << 20, prot::READ_WRITE, ANONYMOUS),
        Err(ENOMEM)
    );
    let lazy = mmap_at(0, 1 << 20, prot::NONE, ANONYMOUS | map::LAZY);
    assert!(lazy.is_ok(), "lazy mappings reserve nothing");
    assert_eq!((qnx_sysconf(30), errno()), (-1, EINVAL));
    munmap(base, 1 << 19).unwrap();
}
