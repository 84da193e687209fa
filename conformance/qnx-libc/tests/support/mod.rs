//! What all tests share: turns, and safe faces of the functions that take pointers.
//!
//! The stand-in's state belongs to the process and tests run in threads, so that each test takes a
//! turn. A turn that panicked does not spoil the next one: every turn starts with a reset.
#![allow(dead_code, reason = "every test program uses its own part")]

use core::ffi::{CStr, c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use qnx_libc::qnx::{mallopt, map, prot};
use qnx_libc::*;

static TURNS: Mutex<()> = Mutex::new(());

pub(crate) const PAGE: usize = 4096;
pub(crate) const WORD: usize = size_of::<usize>();
pub(crate) const ANONYMOUS: c_int = map::ANON | map::PRIVATE;

/// The right to use the stand-in, freshly reset.
pub(crate) struct Turn {
    _held: MutexGuard<'static, ()>,
}

/// Waits for a turn and resets the stand-in to a profile.
pub(crate) fn turn(profile: u32) -> Turn {
    let held = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(stand_in_reset(profile), 0);
    set_errno(0);
    Turn { _held: held }
}

impl Drop for Turn {
    fn drop(&mut self) {
        stand_in_reset(710);
    }
}

pub(crate) fn errno() -> c_int {
    // SAFETY: the cell lives as long as the process; turns keep other tests away.
    unsafe { *qnx___get_errno_ptr() }
}

pub(crate) fn set_errno(value: c_int) {
    // SAFETY: as for `errno`.
    unsafe { *qnx___get_errno_ptr() = value };
}

fn pointer(address: usize) -> *mut c_void {
    core::ptr::with_exposed_provenance_mut(address)
}

pub(crate) fn option(command: c_int, value: isize) -> c_int {
    // SAFETY: tests that pass an address pass one of their own, or want the complaint.
    unsafe { qnx_mallopt(command, value) }
}

pub(crate) fn arena_size(value: isize) -> c_int {
    option(mallopt::ARENA_SIZE, value)
}

pub(crate) fn malloc(size: usize) -> usize {
    qnx_malloc(size).expose_provenance()
}

/// The address, or what `posix_memalign` answered.
pub(crate) fn memalign(alignment: usize, size: usize) -> Result<usize, c_int> {
    let mut place = pointer(1);
    // SAFETY: the place is a local of ours.
    let answer = unsafe { qnx_posix_memalign(&raw mut place, alignment, size) };
    if answer != 0 {
        assert_eq!(place.addr(), 1, "written on failure");
        return Err(answer);
    }
    Ok(place.expose_provenance())
}

pub(crate) fn realloc(address: usize, size: usize) -> usize {
    // SAFETY: tests use the old block no more, except to provoke a complaint.
    unsafe { qnx_realloc(pointer(address), size) }.expose_provenance()
}

pub(crate) fn free(address: usize) {
    // SAFETY: as for `realloc`.
    unsafe { qnx_free(pointer(address)) };
}

/// The address, or errno.
pub(crate) fn mmap_at(
    address: usize,
    len: usize,
    protection: c_int,
    flags: c_int,
) -> Result<usize, c_int> {
    // SAFETY: fixed addresses of the tests are their own mappings, or want the complaint.
    let base = unsafe { qnx_mmap(pointer(address), len, protection, flags, -1, 0) };
    if base.addr() == usize::MAX {
        Err(errno())
    } else {
        Ok(base.expose_provenance())
    }
}

pub(crate) fn mmap(len: usize) -> usize {
    mmap_at(0, len, prot::READ_WRITE, ANONYMOUS).unwrap()
}

pub(crate) fn mprotect(address: usize, len: usize, protection: c_int) -> Result<(), c_int> {
    // SAFETY: tests touch what they protect no more.
    checked(unsafe { qnx_mprotect(pointer(address), len, protection) })
}

pub(crate) fn munmap(address: usize, len: usize) -> Result<(), c_int> {
    // SAFETY: tests touch what they unmap no more.
    checked(unsafe { qnx_munmap(pointer(address), len) })
}

pub(crate) fn mlock(address: usize, len: usize) -> Result<(), c_int> {
    checked(qnx_mlock(pointer(address), len))
}

pub(crate) fn munlock(address: usize, len: usize) -> Result<(), c_int> {
    checked(qnx_munlock(pointer(address), len))
}

/// Errno for −1.
pub(crate) fn checked(answer: c_int) -> Result<(), c_int> {
    match answer {
        0 => Ok(()),
        -1 => Err(errno()),
        other => panic!("neither 0 nor -1: {other}"),
    }
}

pub(crate) fn read_byte(address: usize) -> u8 {
    let place: *const u8 = core::ptr::with_exposed_provenance(address);
    // SAFETY: tests read open memory of the stand-in only.
    unsafe { place.read_volatile() }
}

pub(crate) fn write_byte(address: usize, byte: u8) {
    let place: *mut u8 = core::ptr::with_exposed_provenance_mut(address);
    // SAFETY: tests write open memory of the stand-in only.
    unsafe { place.write_volatile(byte) };
}

pub(crate) fn read_word(address: usize) -> usize {
    let place: *const usize = core::ptr::with_exposed_provenance(address);
    // SAFETY: tests read open memory of the stand-in only.
    unsafe { place.read_unaligned() }
}

/// Whether every byte of a range is `byte`.
pub(crate) fn is_full_of(start: usize, len: usize, byte: u8) -> bool {
    (start..start + len).all(|address| read_byte(address) == byte)
}

/// The kinds of all complaints so far.
pub(crate) fn complaints() -> Vec<Complaint> {
    let kind = |index| {
        let number = stand_in_complaint_kind(index);
        Complaint::ALL
            .iter()
            .copied()
            .find(|&kind| kind as u32 == number)
            .unwrap()
    };
    (0..stand_in_complaints()).map(kind).collect()
}

/// The text of a complaint.
pub(crate) fn complaint_text(index: usize) -> &'static CStr {
    let text = stand_in_complaint(index);
    assert!(!text.is_null());
    // SAFETY: the texts are static C strings.
    unsafe { CStr::from_ptr(text) }
}

pub(crate) fn switch(which: Switch, value: isize) {
    assert_eq!(stand_in_switch(which as u32, value), 0, "{which:?} {value}");
}

pub(crate) fn calls(call: Call) -> usize {
    stand_in_calls(call as u32)
}

pub(crate) fn setting(which: Setting) -> isize {
    stand_in_setting(which as u32)
}
