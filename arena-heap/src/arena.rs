//! Arenas: the runs of pages a heap took from its source, in two lists.
//!
//! ```text
//!  heap ─▶ arena ⇄ arena ⇄ arena ⇄ arena          all of them, newest first
//!             ╎                 ╎
//!  cached ─▶  ╎ ⇄───────────────╎                 the wholly free ones
//!
//!  |check|next|previous|length|cached next|cached previous|state|  7 words at the base
//! ```
//!
//! An [`Arena`] is a promise, made where it is constructed: *it is the base of an arena of the heap
//! that is being operated on, that heap is borrowed exclusively, and the arena is still mapped*.
//!
//! The check word covers base, length and the links of the first list, so that a walk knows a
//! damaged header before it follows it.

use core::ptr::NonNull;

use crate::block::Block;
use crate::header::Header;
use crate::layout::{ARENA_HEADER, ARENA_OVERHEAD, WORD};

/// What is written at the base of an arena.
#[repr(C)]
struct ArenaHeader {
    check: usize,
    next: Option<Arena>,
    previous: Option<Arena>,
    length: usize,
    cached_next: Option<Arena>,
    cached_previous: Option<Arena>,
    cached: usize,
}

const _: () = assert!(size_of::<ArenaHeader>() == ARENA_HEADER);

/// The base of an arena: see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Arena(NonNull<ArenaHeader>);

fn address_of(arena: Option<Arena>) -> usize {
    arena.map_or(0, |arena| arena.address())
}

impl Arena {
    /// The arena whose first block is `block`.
    ///
    /// # Safety
    /// `block` is marked as the first of its arena.
    pub(crate) unsafe fn of_first_block(block: Block) -> Self {
        // SAFETY: the arena's header lies right before its first block.
        Self(unsafe { block.as_ptr().sub(ARENA_HEADER) }.cast())
    }

    /// Writes the header, the end word and one fresh free block over a new run of pages. Neither
    /// the block nor the arena is in any list yet.
    ///
    /// # Safety
    /// `base` is a run of `length` bytes, zero, readable and writable, that belongs to the heap;
    /// `length` is a page multiple above the overhead of an arena.
    pub(crate) unsafe fn create(base: NonNull<u8>, length: usize) -> Self {
        let arena = Self(base.cast());
        let header = ArenaHeader {
            check: 0,
            next: None,
            previous: None,
            length,
            cached_next: None,
            cached_previous: None,
            cached: 0,
        };
        // SAFETY: the run is long enough, page-aligned and the heap's own.
        unsafe { arena.0.write(header) };
        // SAFETY: the end word is the last word of the run.
        let end = unsafe { base.add(length - WORD) };
        // SAFETY: the end word counts as the header of the last block.
        let end = unsafe { Block::at(end) };
        end.set_header(Header::END.with_before_free(true));
        let free = Header::free(length - ARENA_OVERHEAD)
            .with_first()
            .with_special(true);
        // SAFETY: the block is what lies between header and end word, and is the heap's own.
        unsafe { arena.first_block().write_free(free) };
        arena
    }

    fn header(&mut self) -> &mut ArenaHeader {
        // SAFETY: the promise of the module; header bytes are never handed out, and the reference
        // dies before another one to the same arena is made: it borrows this handle only for the
        // length of one expression of this file.
        unsafe { self.0.as_mut() }
    }

    fn read(self) -> ArenaHeader {
        // SAFETY: the promise of the module.
        unsafe { self.0.read() }
    }

    pub(crate) fn address(self) -> usize {
        self.0.addr().get()
    }

    pub(crate) fn base(self) -> NonNull<u8> {
        self.0.cast()
    }

    /// Bytes of the whole arena.
    pub(crate) fn length(self) -> usize {
        self.read().length
    }

    /// The next older arena of the heap.
    pub(crate) fn next(self) -> Option<Self> {
        self.read().next
    }

    /// Whether the arena is in the list of cached ones.
    pub(crate) fn is_cached(self) -> bool {
        self.read().cached == 1
    }

    /// The next older cached arena.
    pub(crate) fn cached_next(self) -> Option<Self> {
        self.read().cached_next
    }

    /// The next newer cached arena.
    pub(crate) fn cached_previous(self) -> Option<Self> {
        self.read().cached_previous
    }

    pub(crate) fn first_block(self) -> Block {
        // SAFETY: an arena is longer than its header.
        let address = unsafe { self.base().add(ARENA_HEADER) };
        // SAFETY: the first block of an arena follows its header.
        unsafe { Block::at(address) }
    }

    /// Whether the check word agrees with what it covers.
    pub(crate) fn is_intact(self) -> bool {
        let header = self.read();
        header.check == self.checksum(&header)
    }

    fn checksum(self, header: &ArenaHeader) -> usize {
        let words = [
            self.address(),
            header.length,
            address_of(header.next),
            address_of(header.previous),
        ];
        let mut sum: usize = 0x5ea1_a4e4;
        for word in words {
            sum = (sum ^ word).rotate_left(13).wrapping_mul(0x9e37_79b1);
        }
        sum
    }

    fn link(mut self, change: impl FnOnce(&mut ArenaHeader)) {
        change(self.header());
        let check = self.checksum(&self.read());
        self.header().check = check;
    }
}

/// Both lists of arenas and their sums.
pub(crate) struct ArenaList {
    newest: Option<Arena>,
    newest_cached: Option<Arena>,
    oldest_cached: Option<Arena>,
    /// Arenas in the first list, and their bytes.
    pub(crate) count: usize,
    pub(crate) bytes: usize,
    /// Arenas in the second list, and their bytes.
    pub(crate) cached_count: usize,
    pub(crate) cached_bytes: usize,
    /// Every block there ever was begins within `span` bytes from `lowest` on, and the headers behind
    /// them do.
    lowest: usize,
    span: usize,
}

impl ArenaList {
    pub(crate) const fn new() -> Self {
        Self {
            newest: None,
            newest_cached: None,
            oldest_cached: None,
            count: 0,
            bytes: 0,
            cached_count: 0,
            cached_bytes: 0,
            lowest: 0,
            span: 0,
        }
    }

    pub(crate) fn newest(&self) -> Option<Arena> {
        self.newest
    }

    pub(crate) fn newest_cached(&self) -> Option<Arena> {
        self.newest_cached
    }

    pub(crate) fn oldest_cached(&self) -> Option<Arena> {
        self.oldest_cached
    }

    /// Whether a block, or the header behind one, may begin at `address`; certainly not if false.
    /// Constant time.
    #[inline]
    pub(crate) fn may_contain(&self, address: usize) -> bool {
        address.wrapping_sub(self.lowest) < self.span
    }

    pub(crate) fn add(&mut self, arena: Arena) {
        let next = self.newest.replace(arena);
        arena.link(|header| {
            header.next = next;
            header.previous = None;
        });
        if let Some(next) = next {
            next.link(|header| header.previous = Some(arena));
        }
        let length = arena.length();
        self.count += 1;
        self.bytes += length;
        let (first, end) = (arena.address() + ARENA_OVERHEAD, arena.address() + length);
        if self.span == 0 {
            self.lowest = first;
        }
        let highest = end.max(self.lowest + self.span);
        self.lowest = self.lowest.min(first);
        self.span = highest - self.lowest;
    }

    /// The arena's own header is left as it is: if it cannot be unmapped, [`add`](Self::add) puts
    /// it back.
    pub(crate) fn remove(&mut self, arena: Arena) {
        let header = arena.read();
        match header.previous {
            None => self.newest = header.next,
            Some(previous) => previous.link(|previous| previous.next = header.next),
        }
        if let Some(next) = header.next {
            next.link(|next| next.previous = header.previous);
        }
        self.count -= 1;
        self.bytes -= header.length;
    }

    /// Notes that an arena became wholly free.
    pub(crate) fn cache(&mut self, mut arena: Arena) {
        let next = self.newest_cached.replace(arena);
        let header = arena.header();
        header.cached = 1;
        header.cached_next = next;
        header.cached_previous = None;
        self.cached_bytes += header.length;
        self.cached_count += 1;
        match next {
            Some(mut next) => next.header().cached_previous = Some(arena),
            None => self.oldest_cached = Some(arena),
        }
    }

    /// Notes that a cached arena is wholly free no longer, or is about to be unmapped.
    pub(crate) fn uncache(&mut self, mut arena: Arena) {
        let header = arena.read();
        match header.cached_previous {
            None => self.newest_cached = header.cached_next,
            Some(mut previous) => previous.header().cached_next = header.cached_next,
        }
        match header.cached_next {
            None => self.oldest_cached = header.cached_previous,
            Some(mut next) => next.header().cached_previous = header.cached_previous,
        }
        arena.header().cached = 0;
        self.cached_count -= 1;
        self.cached_bytes -= header.length;
    }
}
