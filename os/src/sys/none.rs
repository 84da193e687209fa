//! A target without an operating system: everything is refused, and says so.
//!
//! Use [`FixedMemory`](crate::FixedMemory) there. The page size is nominal: code that only asks
//! for it, to lay something out, gets the usual 4096 bytes.

use core::hint::spin_loop;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use crate::{Facts, PageSize, Protection, Reason, ResourceLimits, Touched};

const NOMINAL_PAGE_SIZE: PageSize = PageSize::new(4096).unwrap();

pub(super) const fn page_size() -> PageSize {
    NOMINAL_PAGE_SIZE
}

pub(super) const fn facts() -> Facts {
    Facts {
        page_size: NOMINAL_PAGE_SIZE,
        reserves_for_free: false,
        can_protect: false,
        returns_memory: false,
        discards_cheaply: false,
        can_lock: false,
        can_probe: false,
        can_tell_touched: false,
    }
}

pub(super) const fn reserve(_len: usize) -> Result<NonNull<u8>, Reason> {
    Err(Reason::Unsupported)
}

pub(super) const fn map(_len: usize) -> Result<NonNull<u8>, Reason> {
    Err(Reason::Unsupported)
}

pub(super) const unsafe fn commit(_address: NonNull<u8>, _len: usize) -> Result<(), Reason> {
    Err(Reason::Unsupported)
}

pub(super) const unsafe fn decommit(_address: NonNull<u8>, _len: usize) -> Result<(), Reason> {
    Err(Reason::Unsupported)
}

pub(super) const unsafe fn discard(_address: NonNull<u8>, _len: usize) -> Result<(), Reason> {
    Err(Reason::Unsupported)
}

pub(super) const unsafe fn protect(
    _address: NonNull<u8>,
    _len: usize,
    _protection: Protection,
) -> Result<(), Reason> {
    Err(Reason::Unsupported)
}

pub(super) const unsafe fn unmap(_address: NonNull<u8>, _len: usize) -> Result<(), Reason> {
    Err(Reason::Unsupported)
}

pub(super) const unsafe fn lock(_address: NonNull<u8>, _len: usize) -> Result<(), Reason> {
    Err(Reason::Unsupported)
}

pub(super) const unsafe fn unlock(_address: NonNull<u8>, _len: usize) -> Result<(), Reason> {
    Err(Reason::Unsupported)
}

pub(super) const unsafe fn prefault(_address: NonNull<u8>, _len: usize) -> Result<(), Reason> {
    Err(Reason::Unsupported)
}

pub(super) const fn resident(_address: NonNull<u8>, _len: usize) -> Result<usize, Reason> {
    Err(Reason::Unsupported)
}

pub(super) const fn touched(
    _address: NonNull<u8>,
    _len: usize,
    _found: &mut [Range<usize>],
) -> Result<Touched, Reason> {
    Err(Reason::Unsupported)
}

pub(super) const fn probe(_address: usize) -> Result<bool, Reason> {
    Err(Reason::Unsupported)
}

/// There is nobody to wait with: the caller tries again after a pause of the processor.
pub(crate) fn wait(_word: &AtomicU32, _expected: u32) {
    spin_loop();
}

/// Waiters poll, so there is nobody to wake.
pub(crate) fn wake_one(_word: &AtomicU32) {}

pub(super) const fn limits() -> ResourceLimits {
    ResourceLimits::NONE
}
