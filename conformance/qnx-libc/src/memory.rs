//! Access to memory by address, after a look into the books.
//!
//! Every function takes the [`Pages`] and asks them first: where the books do not say that the pages
//! are mapped and allow the access, nothing is touched and the answer says so. On QNX, the C library
//! would fault there.
//!
//! Invariant behind every `unsafe` here: what the books call mapped is mapped with at least the
//! protection the books name, because [`Pages`] alone maps, unmaps and protects, under the one lock.

use crate::pages::Pages;
use crate::qnx::prot;

/// A block handed out is full of these.
pub const HANDED_OUT: u8 = 0xA5;
/// A block given back is full of these.
pub const GIVEN_BACK: u8 = 0xDB;

/// Bytes filled at the head of a large range; what follows stays as it is, so that a memory of 4 GiB
/// does not cost 4 GiB.
pub const FILL_HEAD: usize = 32 << 20;
/// Bytes filled at the end of a large range.
pub const FILL_TAIL: usize = 1 << 20;

/// Reads a word, if the books allow reading it.
pub(crate) fn load(pages: &Pages, address: usize) -> Option<usize> {
    if !pages.allows(address, address + size_of::<usize>(), prot::READ) {
        return None;
    }
    let place: *const usize = core::ptr::with_exposed_provenance(address);
    // SAFETY: mapped and readable by the books (the invariant above); any bytes are a word.
    Some(unsafe { place.read_unaligned() })
}

/// Writes a word, if the books allow reading and writing there.
pub(crate) fn store(pages: &Pages, address: usize, value: usize) -> bool {
    if !pages.allows(address, address + size_of::<usize>(), prot::READ_WRITE) {
        return false;
    }
    let place: *mut usize = core::ptr::with_exposed_provenance_mut(address);
    // SAFETY: mapped and writable by the books (the invariant above); it is the heap's own word, or a
    // block that was just given back.
    unsafe { place.write_unaligned(value) };
    true
}

/// Fills a range with one byte, within [`FILL_HEAD`] and [`FILL_TAIL`], if the books allow it.
pub(crate) fn fill(pages: &Pages, start: usize, end: usize, byte: u8) -> bool {
    if !pages.allows(start, end, prot::READ_WRITE) {
        return false;
    }
    let head = (end - start).min(FILL_HEAD);
    let tail = (end - start - head).min(FILL_TAIL);
    for (from, len) in [(start, head), (end - tail, tail)] {
        let place: *mut u8 = core::ptr::with_exposed_provenance_mut(from);
        // SAFETY: mapped and writable by the books (the invariant above); no block in use is filled.
        unsafe { place.write_bytes(byte, len) };
    }
    true
}

/// Copies `len` bytes between blocks that do not overlap, if the books allow it.
pub(crate) fn copy(pages: &Pages, from: usize, to: usize, len: usize) -> bool {
    if !pages.allows(from, from + len, prot::READ) || !pages.allows(to, to + len, prot::READ_WRITE)
    {
        return false;
    }
    let source: *const u8 = core::ptr::with_exposed_provenance(from);
    let target: *mut u8 = core::ptr::with_exposed_provenance_mut(to);
    // SAFETY: both ranges are mapped and allow their access by the books (the invariant above); they
    // are two blocks of the heap, and blocks do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(source, target, len) };
    true
}
