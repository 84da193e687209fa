//! A block of the list heap: nothing but tiny functions that turn a header's address into fields.
//!
//! ```text
//!  in use  |header|payload ...............................|
//!  free    |header|next|previous|.........................|size|
//!                                                         footer, read only while free
//! ```
//!
//! A [`Block`] is a promise, made where it is constructed: *it is the address of a block header
//! inside an arena of the heap that is being operated on, and that heap is borrowed exclusively*.
//! The functions here rest on that promise alone and on the headers being undamaged; those that
//! touch links or the footer also say so. The pointer was derived from the arena's own, so it may
//! reach every byte of the arena.

use core::ptr::NonNull;

use crate::header::Header;
use crate::layout::WORD;

/// The address of a block header: see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Block(NonNull<usize>);

/// The neighbours of a free block in its bin, or both ends of a bin.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Links {
    pub(crate) next: Option<Block>,
    pub(crate) previous: Option<Block>,
}

impl Links {
    pub(crate) const NONE: Self = Self {
        next: None,
        previous: None,
    };
}

impl Block {
    /// The block with its header at `address`.
    ///
    /// # Safety
    /// The promise of the module.
    #[inline]
    pub(crate) unsafe fn at(address: NonNull<u8>) -> Self {
        Self(address.cast())
    }

    /// The block with its payload at `payload`.
    ///
    /// # Safety
    /// The promise of the module, for the word before `payload`.
    #[inline]
    pub(crate) unsafe fn of_payload(payload: NonNull<u8>) -> Self {
        // SAFETY: by the promise the word before the payload is inside the same arena.
        Self(unsafe { payload.cast::<usize>().sub(1) })
    }

    /// The address of the header.
    #[inline]
    pub(crate) fn address(self) -> usize {
        self.0.addr().get()
    }

    /// The header's address as a pointer into the arena.
    #[inline]
    pub(crate) fn as_ptr(self) -> NonNull<u8> {
        self.0.cast()
    }

    /// The first byte that belongs to the owner.
    #[inline]
    pub(crate) fn payload(self) -> NonNull<u8> {
        // SAFETY: every block is longer than its header, so this stays inside the arena.
        unsafe { self.0.add(1) }.cast()
    }

    #[inline]
    pub(crate) fn header(self) -> Header {
        // SAFETY: the promise: the address of a header, aligned, nobody else writes it.
        Header(unsafe { self.0.read() })
    }

    #[inline]
    pub(crate) fn set_header(self, header: Header) {
        // SAFETY: the promise: the address of a header, aligned, nobody else reads it.
        unsafe { self.0.write(header.0) }
    }

    /// Changes what the header says about the block before it.
    #[inline]
    pub(crate) fn set_before_free(self, before_free: bool) {
        self.set_header(self.header().with_before_free(before_free));
    }

    /// The block `distance` bytes behind this one.
    ///
    /// # Safety
    /// There is a block header or an end word of the same arena, or one is about to be written.
    #[inline]
    pub(crate) unsafe fn behind(self, distance: usize) -> Self {
        // SAFETY: the caller's promise keeps the address inside the arena.
        Self(unsafe { self.0.byte_add(distance) })
    }

    /// The free block before this one.
    ///
    /// # Safety
    /// The header says that the block before is free, so its footer is in the word before.
    #[inline]
    pub(crate) unsafe fn before(self) -> Self {
        // SAFETY: the footer of the free block before lies in the same arena.
        let footer = unsafe { self.0.sub(1) };
        // SAFETY: the footer was written when that block became free.
        let size = unsafe { footer.read() };
        // SAFETY: the footer holds that block's size, so this is its header.
        Self(unsafe { self.0.byte_sub(size) })
    }

    /// Writes header and footer of a free block, links left alone.
    ///
    /// # Safety
    /// The block's bytes, `header.size()` of them, belong to no one else.
    #[inline]
    pub(crate) unsafe fn write_free(self, header: Header) {
        self.set_header(header);
        let size = header.size();
        // SAFETY: the last word of the block lies inside the arena.
        let footer = unsafe { self.0.byte_add(size - WORD) };
        // SAFETY: the word is part of the block, which the caller owns.
        unsafe { footer.write(size) }
    }

    /// Where the links are, while the block is free.
    #[inline]
    pub(crate) fn links(self) -> NonNull<Links> {
        // SAFETY: every block has room for two links behind its header.
        unsafe { self.0.add(1) }.cast()
    }

    /// Both links, next one first, as whatever they are: damaged ones included.
    pub(crate) fn raw_links(self) -> [*mut u8; 2] {
        // SAFETY: two words inside the arena; every bit pattern is a raw pointer.
        unsafe { self.links().cast().read() }
    }

    /// The word that is the footer of a free block of `size` bytes, whatever it holds.
    ///
    /// # Safety
    /// `size` bytes from the header on lie inside the arena.
    pub(crate) unsafe fn raw_footer(self, size: usize) -> usize {
        // SAFETY: the caller's promise.
        let footer = unsafe { self.0.byte_add(size - WORD) };
        // SAFETY: word-aligned, as header and size are, and inside the arena.
        unsafe { footer.read() }
    }

    /// Makes the payload of a block cut from a fresh one read as zero: links and footer are all
    /// that was ever written there.
    ///
    /// # Safety
    /// The block is in use, was cut from a fresh block, and nobody has its payload yet.
    #[inline]
    pub(crate) unsafe fn clear_links_and_footer(self) {
        let size = self.header().size();
        // SAFETY: these two words are part of the payload, which belongs to no one yet.
        unsafe { self.links().write_bytes(0, 1) };
        // SAFETY: the last word of the block lies inside the arena.
        let footer = unsafe { self.0.byte_add(size - WORD) };
        // SAFETY: it is part of the payload, which belongs to no one yet.
        unsafe { footer.write(0) }
    }
}
