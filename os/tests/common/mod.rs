//! Looking at memory of a run.

use core::ptr::NonNull;
use core::slice;

/// Bytes of a range that must be committed and unused by anybody else.
pub(crate) fn bytes(address: NonNull<u8>, len: usize) -> Vec<u8> {
    // SAFETY: the tests call this on committed pages of their own runs only.
    unsafe { slice::from_raw_parts(address.as_ptr(), len) }.to_vec()
}

/// Fills a range that must be writable.
pub(crate) fn fill(address: NonNull<u8>, len: usize, value: u8) {
    // SAFETY: the tests call this on writable pages of their own runs only.
    unsafe { address.write_bytes(value, len) };
}

/// The address `offset` bytes into a run.
pub(crate) fn at(run: NonNull<u8>, offset: usize) -> NonNull<u8> {
    // SAFETY: the tests stay inside their runs.
    unsafe { run.add(offset) }
}
