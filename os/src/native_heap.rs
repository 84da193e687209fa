//! The contract of a C library's heap that hands out arenas: what QNX's offers beyond `malloc`.
//!
//! The layer above puts linear memories with guard pages into blocks of such a heap. The trait is
//! there so that its rules can be exercised over a heap that is told to misbehave.

use core::ffi::{CStr, c_int};
use core::ptr::NonNull;

use crate::{HeapCommand, OsError, QnxVersion};

/// Bytes of a heap, as the heap itself tells them. For reports: other threads change them at will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeapUsage {
    /// Taken from the operating system, in bytes.
    pub from_system: usize,
    /// In blocks that somebody holds, in bytes.
    pub in_use: usize,
    /// Free within what was taken, kept arenas included, in bytes.
    pub free: usize,
}

/// A C library's heap.
///
/// Methods take `&self` and may be called from several threads. Each is one call of the C library,
/// which takes the heap's one lock and may enter the operating system: never from a signal handler.
/// Settings belong to the process, not to this value.
///
/// # Safety
/// Callers build memory safety on these promises:
///
/// 1. A block of [`allocate`](Self::allocate) has at least `len` bytes, readable and writable,
///    starts at a multiple of `alignment`, overlaps no other live object, and belongs to the caller
///    until it is freed or reallocated. Its contents are anything.
/// 2. A block of [`reallocate`](Self::reallocate) is the same, except that it may start anywhere;
///    the old contents are at its start. A failed reallocation leaves the old block as it was.
/// 3. [`version`](Self::version) always gives the same answer.
pub unsafe trait NativeHeap {
    /// Whose rules apply.
    fn version(&self) -> QnxVersion;

    /// Sets an option of the process (`mallopt`). The result means what `qnx-facts` §1.3 says of
    /// the command: often the previous value, which may be -1.
    ///
    /// # Errors
    /// The C library returned -1 and an error number.
    fn set_option(&self, command: HeapCommand, value: isize) -> Result<c_int, OsError>;

    /// A block of `len` bytes at a multiple of `alignment`, which is a power of two and at least
    /// 16. Not zeroed.
    ///
    /// # Errors
    /// The heap has no such block.
    fn allocate(&self, alignment: usize, len: usize) -> Result<NonNull<u8>, OsError>;

    /// Makes a block `len` bytes long. It may move, and lose its alignment.
    ///
    /// # Errors
    /// The heap has no such block; the old one is as it was.
    ///
    /// # Safety
    /// `block` is a live block of this heap, every byte of it is readable and writable, and nobody
    /// uses it by its old address again if the call succeeds.
    unsafe fn reallocate(&self, block: NonNull<u8>, len: usize) -> Result<NonNull<u8>, OsError>;

    /// Takes a block back.
    ///
    /// # Safety
    /// `block` is a live block of this heap, every byte of it is readable and writable, no page of
    /// it is locked, and nobody uses it again.
    unsafe fn free(&self, block: NonNull<u8>);

    /// What the heap holds.
    fn usage(&self) -> HeapUsage;

    /// Whether an environment variable is set. The heap itself looked at the environment once,
    /// before `main`: a variable set since then is seen here but does nothing.
    fn has_variable(&self, name: &CStr) -> bool;
}
