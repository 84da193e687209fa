//! The native arena system of QNX, on this machine: over the stand-in for QNX's C library.
//!
//! `os` makes these calls on QNX; here they are made by hand, with the stand-in's names. What they
//! mean is qnx-facts §1 (`mallopt`), §4 (the heap), §6 (pages).

use core::ffi::{CStr, c_int};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use conformance::Observer;
use os::{
    Errno, Facts, HeapCommand, HeapUsage, NativeHeap, OsCall, OsError, PageSize, PageSource,
    Protection, QnxVersion, Reason,
};
use qnx_libc::qnx::prot;

/// The heap of a version of QNX. There is one at a time in a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heap {
    version: QnxVersion,
    refused_before: &'static AtomicUsize,
}

/// The pages its blocks lie on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeapPages;

impl Heap {
    /// Starts the C library of a version anew; what was there before is gone.
    pub(crate) fn start(version: QnxVersion) -> Self {
        static REFUSED_BEFORE: AtomicUsize = AtomicUsize::new(0);
        let profile = match version {
            QnxVersion::Sdp65 => 650,
            QnxVersion::Sdp66 => 660,
            QnxVersion::Sdp70 => 700,
            QnxVersion::Sdp71 => 710,
            _ => 800,
        };
        assert_eq!(
            qnx_libc::stand_in_reset(profile),
            0,
            "a profile of the stand-in"
        );
        REFUSED_BEFORE.store(0, Ordering::Relaxed);
        Self {
            version,
            refused_before: &REFUSED_BEFORE,
        }
    }
}

fn errno() -> c_int {
    // SAFETY: the place is this thread's, and always live.
    unsafe { qnx_libc::qnx___get_errno_ptr().read() }
}

fn refused(call: OsCall, address: usize, len: usize) -> OsError {
    OsError {
        call,
        address,
        len,
        reason: Reason::Errno(Errno(errno())),
    }
}

// SAFETY: the stand-in gives each block to one owner, aligned as asked, and leaves it alone when it
// refuses a reallocation.
unsafe impl NativeHeap for Heap {
    fn version(&self) -> QnxVersion {
        self.version
    }

    fn set_option(&self, command: HeapCommand, value: isize) -> Result<c_int, OsError> {
        let place = qnx_libc::qnx___get_errno_ptr();
        // SAFETY: the place is this thread's, and always live.
        unsafe { place.write(0) };
        // SAFETY: the commands that the trait allows take numbers.
        let result = unsafe { qnx_libc::qnx_mallopt(command as c_int, value) };
        if result == -1 && errno() != 0 {
            return Err(refused(OsCall::Configure, 0, value.unsigned_abs()));
        }
        Ok(result)
    }

    fn allocate(&self, alignment: usize, len: usize) -> Result<NonNull<u8>, OsError> {
        let mut block = null_mut();
        // SAFETY: the place for the result is a live local.
        let status = unsafe { qnx_libc::qnx_posix_memalign(&raw mut block, alignment, len) };
        NonNull::new(block.cast::<u8>())
            .filter(|_| status == 0)
            .ok_or(OsError {
                call: OsCall::Allocate,
                address: 0,
                len,
                reason: Reason::Errno(Errno(status)),
            })
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, len: usize) -> Result<NonNull<u8>, OsError> {
        // SAFETY: the caller's promise, passed on unchanged.
        let moved = unsafe { qnx_libc::qnx_realloc(block.as_ptr().cast(), len) };
        NonNull::new(moved.cast::<u8>())
            .ok_or_else(|| refused(OsCall::Reallocate, block.addr().get(), len))
    }

    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promise, passed on unchanged.
        unsafe { qnx_libc::qnx_free(block.as_ptr().cast()) };
    }

    fn usage(&self) -> HeapUsage {
        HeapUsage {
            from_system: qnx_libc::stand_in_heap_bytes(),
            in_use: qnx_libc::stand_in_live_block_bytes(),
            free: qnx_libc::stand_in_cached_bytes(),
        }
    }

    fn has_variable(&self, name: &CStr) -> bool {
        // SAFETY: a live string that ends with a zero.
        let value = unsafe { qnx_libc::qnx_getenv(name.as_ptr()) };
        !value.is_null()
    }
}

const fn bits(protection: Protection) -> c_int {
    match protection {
        Protection::None => prot::NONE,
        Protection::Read => prot::READ,
        Protection::ReadWrite => prot::READ_WRITE,
        Protection::ReadExecute => prot::READ | prot::EXEC,
        Protection::ReadWriteExecute => prot::READ_WRITE | prot::EXEC,
    }
}

fn checked(status: c_int, call: OsCall, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
    if status == 0 {
        Ok(())
    } else {
        Err(refused(call, address.addr().get(), len))
    }
}

/// Runs come from the heap, and its blocks must not be taken apart.
const fn not_here(call: OsCall, len: usize) -> OsError {
    OsError {
        call,
        address: 0,
        len,
        reason: Reason::Unsupported,
    }
}

// SAFETY: it hands out no runs; protections and locks are the stand-in's, which are real.
unsafe impl PageSource for HeapPages {
    fn facts(&self) -> Facts {
        let page_size =
            usize::try_from(qnx_libc::qnx_sysconf(qnx_libc::qnx::sysconf::PAGESIZE)).ok();
        Facts {
            page_size: page_size.and_then(PageSize::new).expect("a page size"),
            reserves_for_free: true,
            can_protect: true,
            returns_memory: false,
            discards_cheaply: false,
            can_lock: true,
            can_probe: false,
            can_tell_touched: false,
            touched_is_quick: false,
        }
    }

    fn reserve(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        Err(not_here(OsCall::Reserve, len))
    }

    fn map(&self, len: usize) -> Result<NonNull<u8>, OsError> {
        Err(not_here(OsCall::Map, len))
    }

    unsafe fn commit(&self, _: NonNull<u8>, len: usize) -> Result<(), OsError> {
        Err(not_here(OsCall::Commit, len))
    }

    unsafe fn decommit(&self, _: NonNull<u8>, len: usize) -> Result<(), OsError> {
        Err(not_here(OsCall::Decommit, len))
    }

    unsafe fn discard(&self, _: NonNull<u8>, len: usize) -> Result<(), OsError> {
        Err(not_here(OsCall::Discard, len))
    }

    unsafe fn protect(
        &self,
        address: NonNull<u8>,
        len: usize,
        protection: Protection,
    ) -> Result<(), OsError> {
        let pages = address.as_ptr().cast();
        // SAFETY: the caller's promise, passed on unchanged.
        let status = unsafe { qnx_libc::qnx_mprotect(pages, len, bits(protection)) };
        checked(status, OsCall::Protect, address, len)
    }

    unsafe fn unmap(&self, _: NonNull<u8>, len: usize) -> Result<(), OsError> {
        Err(not_here(OsCall::Unmap, len))
    }

    unsafe fn lock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        let status = qnx_libc::qnx_mlock(address.as_ptr().cast(), len);
        checked(status, OsCall::Lock, address, len)
    }

    unsafe fn unlock(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        let status = qnx_libc::qnx_munlock(address.as_ptr().cast(), len);
        checked(status, OsCall::Unlock, address, len)
    }

    unsafe fn prefault(&self, address: NonNull<u8>, len: usize) -> Result<(), OsError> {
        for offset in (0..len).step_by(self.facts().page_size.get()) {
            // SAFETY: inside the range.
            let byte = unsafe { address.add(offset) };
            // SAFETY: readable and writable, and nobody else's, by the caller's promise.
            let value = unsafe { byte.read_volatile() };
            // SAFETY: as above.
            unsafe { byte.write_volatile(value) };
        }
        Ok(())
    }

    fn resident(&self, _: NonNull<u8>, len: usize) -> Result<usize, OsError> {
        Err(not_here(OsCall::Resident, len))
    }

    fn probe(&self, _: usize) -> Result<bool, OsError> {
        Err(not_here(OsCall::Probe, 1))
    }
}

impl Observer for Heap {
    fn calls(&self) -> usize {
        qnx_libc::stand_in_failable_calls()
    }

    fn refuse_nth(&self, n: usize) {
        let before = qnx_libc::stand_in_failures();
        self.refused_before.store(before, Ordering::Relaxed);
        qnx_libc::stand_in_fail_nth(n);
    }

    fn refusals(&self) -> usize {
        qnx_libc::stand_in_failures() - self.refused_before.load(Ordering::Relaxed)
    }

    fn held_bytes(&self) -> usize {
        qnx_libc::stand_in_live_block_bytes() + qnx_libc::stand_in_mapped_bytes()
    }

    fn locked_bytes(&self) -> usize {
        qnx_libc::stand_in_locked_bytes()
    }

    fn complaints(&self) -> usize {
        qnx_libc::stand_in_check()
    }

    fn complaint(&self, index: usize) -> &'static str {
        let text = qnx_libc::stand_in_complaint(index);
        if text.is_null() {
            return "a complaint beyond those that are kept";
        }
        // SAFETY: complaints are static strings that end with a zero.
        let text: &'static CStr = unsafe { CStr::from_ptr(text) };
        text.to_str().unwrap_or("a complaint")
    }

    fn protection(&self, address: usize) -> Option<Protection> {
        let found = qnx_libc::stand_in_protection(address);
        [
            Protection::None,
            Protection::Read,
            Protection::ReadWrite,
            Protection::ReadExecute,
            Protection::ReadWriteExecute,
        ]
        .into_iter()
        .find(|&protection| bits(protection) == found)
    }
}
