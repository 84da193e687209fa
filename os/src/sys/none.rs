//! A target without an operating system: everything is refused, and says so.
//!
//! Use [`FixedMemory`](crate::FixedMemory) there. The page size is nominal: code that only asks
//! for it, to lay something out, gets the usual 4096 bytes.

use core::hint::spin_loop;
use core::ops::Range;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

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
        touched_is_quick: false,
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

/// The pointer of the one thread that is known here.
#[derive(Debug)]
pub(crate) struct SlotKey(AtomicPtr<u8>);

impl SlotKey {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    #[allow(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "every arm answers alike"
    )]
    pub(crate) const fn prepare(&self) -> Result<(), Reason> {
        Ok(())
    }

    pub(crate) fn get(&self) -> *mut u8 {
        self.0.load(Ordering::Relaxed)
    }

    #[allow(clippy::unnecessary_wraps, reason = "every arm answers alike")]
    pub(crate) fn set(&self, value: *mut u8) -> Result<(), Reason> {
        self.0.store(value, Ordering::Relaxed);
        Ok(())
    }
}

pub(super) const fn limits() -> ResourceLimits {
    ResourceLimits::NONE
}
