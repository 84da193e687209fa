//! The heap of QNX's C library: each function is one call, with its odd results put straight.

use core::ffi::{CStr, c_int};
use core::ptr::{NonNull, null_mut};

use super::c_library;
use super::errno;
use crate::native_heap::{HeapUsage, NativeHeap};
use crate::{Errno, HeapCommand, OsCall, OsError, QnxVersion, Reason};

/// The heap of the C library this program is linked with. QNX only.
///
/// All values are the same heap: the type has no state but the version whose rules it expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemHeap {
    version: QnxVersion,
}

impl SystemHeap {
    /// The heap, by the rules of the version this code was compiled for. No call.
    #[must_use]
    pub const fn new() -> Self {
        match QnxVersion::of_this_target() {
            Some(version) => Self { version },
            // A target without a version in its name: the oldest rules that 64-bit code can meet
            // forbid nothing that later ones need.
            None => Self {
                version: QnxVersion::Sdp70,
            },
        }
    }

    /// The heap, by the rules of a version that is known better than the target tells.
    #[must_use]
    pub const fn for_version(version: QnxVersion) -> Self {
        Self { version }
    }
}

impl Default for SystemHeap {
    fn default() -> Self {
        Self::new()
    }
}

/// A refusal, with the number the C library left.
fn refused(call: OsCall, address: usize, len: usize) -> OsError {
    OsError {
        call,
        address,
        len,
        reason: errno::last_reason(),
    }
}

/// Fields of 32 bits wrap above 2 GiB; taken as unsigned they last to 4 GiB (qnx-facts §5.2).
#[cfg(not(any(target_env = "nto80", target_os = "qnx")))]
const fn wide(field: c_int) -> usize {
    field.cast_unsigned() as usize
}

// SAFETY: blocks come from the C library's heap, which gives each to one owner until it is freed,
// aligned as asked; a failed reallocation leaves the block alone (qnx-facts §4.6.5).
unsafe impl NativeHeap for SystemHeap {
    fn version(&self) -> QnxVersion {
        self.version
    }

    fn set_option(&self, command: HeapCommand, value: isize) -> Result<c_int, OsError> {
        errno::clear();
        // SAFETY: every `HeapCommand` takes a number; the one that takes an address is not among
        // them.
        let result = unsafe { c_library::mallopt(command as c_int, value) };
        // Several commands return the previous value, which may be -1: only an error number tells
        // a failure (qnx-facts §1.3.1, §1.3.2).
        if result == -1 && errno::last() != 0 {
            return Err(refused(OsCall::Configure, 0, value.unsigned_abs()));
        }
        Ok(result)
    }

    fn allocate(&self, alignment: usize, len: usize) -> Result<NonNull<u8>, OsError> {
        let mut block = null_mut();
        // SAFETY: the place for the result is a live local.
        let status = unsafe { c_library::posix_memalign(&raw mut block, alignment, len) };
        match (status, NonNull::new(block.cast::<u8>())) {
            (0, Some(block)) => Ok(block),
            // One page of the documentation has -1 and an error number (qnx-facts §4.7).
            (-1 | 0, _) => Err(refused(OsCall::Allocate, 0, len)),
            (number, _) => Err(OsError {
                call: OsCall::Allocate,
                address: 0,
                len,
                reason: Reason::Errno(Errno(number)),
            }),
        }
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, len: usize) -> Result<NonNull<u8>, OsError> {
        // SAFETY: a live block of this heap, all of it accessible, by the caller's promise.
        let moved = unsafe { c_library::realloc(block.as_ptr().cast(), len) };
        NonNull::new(moved.cast::<u8>())
            .ok_or_else(|| refused(OsCall::Reallocate, block.addr().get(), len))
    }

    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: a live block of this heap, all of it accessible, by the caller's promise.
        unsafe { c_library::free(block.as_ptr().cast()) };
    }

    fn usage(&self) -> HeapUsage {
        // SAFETY: the call has no preconditions; the struct is that of this version.
        let info = unsafe { c_library::mallinfo() };
        // Fields mean other things to the heap of 8.0 (qnx-facts §5.2).
        #[cfg(not(any(target_env = "nto80", target_os = "qnx")))]
        let usage = HeapUsage {
            from_system: wide(info.arena),
            in_use: wide(info.uordblks).saturating_add(wide(info.usmblks)),
            free: wide(info.fordblks).saturating_add(wide(info.fsmblks)),
        };
        #[cfg(any(target_env = "nto80", target_os = "qnx"))]
        let usage = HeapUsage {
            from_system: info.arena.saturating_add(info.hblkhd),
            in_use: info.uordblks,
            free: info.fordblks,
        };
        usage
    }

    fn has_variable(&self, name: &CStr) -> bool {
        // SAFETY: a live string that ends with a zero.
        let value = unsafe { c_library::getenv(name.as_ptr()) };
        !value.is_null()
    }
}
