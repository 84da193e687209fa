//! Wasmtime's locks: a word of its memory each, zero before the first use.
//!
//! The word holds one of [`os`]'s locks, for which all zero bits are "free". Its first four bytes
//! are used.

use lock_api::{RawMutex as _, RawRwLock as _};
use os::{RawSharedLock, WordLock};

const _: () = assert!(size_of::<WordLock>() <= size_of::<usize>());
const _: () = assert!(size_of::<RawSharedLock>() <= size_of::<usize>());
const _: () = assert!(align_of::<WordLock>() <= align_of::<usize>());
const _: () = assert!(align_of::<RawSharedLock>() <= align_of::<usize>());

/// The lock in a word.
///
/// # Safety
/// The word is live, began as zero, and is used by these functions alone, always as this kind of
/// lock.
const unsafe fn exclusive<'a>(word: *mut usize) -> &'a WordLock {
    // SAFETY: large and aligned enough (asserted above), zero or left by this type: the caller's
    // promise. What changes in it is atomic.
    unsafe { &*word.cast::<WordLock>() }
}

/// The lock in a word.
///
/// # Safety
/// As [`exclusive`].
const unsafe fn shared<'a>(word: *mut usize) -> &'a RawSharedLock {
    // SAFETY: as in `exclusive`.
    unsafe { &*word.cast::<RawSharedLock>() }
}

/// Takes a lock, waiting for it if need be.
///
/// # Safety
/// `word` is live, began as zero, and is used by [`acquire`] and [`release`] alone.
pub unsafe fn acquire(word: *mut usize) {
    // SAFETY: the caller's promise.
    unsafe { exclusive(word) }.lock();
}

/// Lets go of a lock.
///
/// # Safety
/// As [`acquire`], which this thread called last.
pub unsafe fn release(word: *mut usize) {
    // SAFETY: the caller's promise.
    let lock = unsafe { exclusive(word) };
    // SAFETY: held by this thread: the caller's promise.
    unsafe { lock.unlock() };
}

/// Enters a lock as one of any number of readers.
///
/// # Safety
/// `word` is live, began as zero, and is used by [`read`], [`read_release`], [`write()`] and
/// [`write_release`] alone.
pub unsafe fn read(word: *mut usize) {
    // SAFETY: the caller's promise.
    unsafe { shared(word) }.lock_shared();
}

/// Leaves a lock as a reader.
///
/// # Safety
/// As [`read`], which this thread called and did not undo.
pub unsafe fn read_release(word: *mut usize) {
    // SAFETY: the caller's promise.
    let lock = unsafe { shared(word) };
    // SAFETY: entered by this thread: the caller's promise.
    unsafe { lock.unlock_shared() };
}

/// Enters a lock as the only one.
///
/// # Safety
/// As [`read`].
pub unsafe fn write(word: *mut usize) {
    // SAFETY: the caller's promise.
    unsafe { shared(word) }.lock_exclusive();
}

/// Leaves a lock as the only one.
///
/// # Safety
/// As [`write()`], which this thread called last.
pub unsafe fn write_release(word: *mut usize) {
    // SAFETY: the caller's promise.
    let lock = unsafe { shared(word) };
    // SAFETY: entered by this thread: the caller's promise.
    unsafe { lock.unlock_exclusive() };
}
