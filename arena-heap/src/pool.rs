//! A pool: one block of the list heap, cut into equal blocks of a band.
//!
//! What is free is a bit in the pool's foot, so a free block holds nothing of ours: writing through
//! a stale pointer cannot hurt the heap, taking a block does not touch its memory, and freeing one
//! twice is always noticed while the pool lives. Blocks are taken lowest address first.
//!
//! A [`Pool`] is a promise, made where it is constructed: *it is the address of a foot inside an
//! arena of the heap that is being operated on, and that heap is borrowed exclusively*.
//!
//! Invariants of a foot: (1) a bit of `bitmap` is set exactly if that block is free, and `free`
//! counts them; (2) a bit of `words` is set exactly if that word of `bitmap` is not zero.

use core::ptr::NonNull;

use crate::block::Block;
use crate::layout::WORD;
use crate::pool_layout::{self, FIRST, FOOT, MAX_BLOCKS};

const BITS: usize = usize::BITS as usize;
const WORDS: usize = MAX_BLOCKS / BITS;

#[repr(C)]
struct Foot {
    next: Option<Pool>,
    previous: Option<Pool>,
    /// The address of block 0, which `distance` tells as well.
    first: usize,
    // From here on: what taking and giving back look at, in one line of the cache. No two fields that
    // are written lie in one word of 32 bits, or reading one of them as part of such a word would have
    // to wait for the other.
    check: usize,
    reciprocal: u32,
    free: u32,
    /// From the header of the pool's block to the foot.
    distance: u16,
    stride: u16,
    count: u16,
    band: u8,
    words: u8,
    bitmap: [usize; WORDS],
}

const _: () = assert!(size_of::<Foot>() == FOOT && WORDS <= 8);

/// The address of a pool's foot: see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Pool(NonNull<Foot>);

/// A block of a pool whose address was checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockIndex(usize);

impl Pool {
    /// Cuts the block `block`, `length` bytes to the end of the foot, into blocks of `stride`
    /// bytes, all of them free, in no list.
    ///
    /// # Safety
    /// The promise of the module for `block`, in use, whose bytes belong to no one else; `length`
    /// ends one word before a window boundary, and lies inside the block.
    pub(crate) unsafe fn create(block: Block, length: usize, stride: u16, band: u8) -> Self {
        let count = pool_layout::capacity(length, usize::from(stride));
        // SAFETY: the foot lies at the end of `length`, inside the block.
        let foot = unsafe { block.as_ptr().add(length - FOOT) };
        let mut bitmap = [0; WORDS];
        let mut words = 0;
        for (index, bits) in bitmap.iter_mut().enumerate() {
            let left = count.saturating_sub(index * BITS);
            if left > 0 {
                *bits = usize::MAX >> (BITS - left.min(BITS));
                words |= 1 << index;
            }
        }
        let pool = Self(foot.cast());
        #[allow(
            clippy::cast_possible_truncation,
            reason = "pools are at most 16 KiB, 256 blocks"
        )]
        let foot = Foot {
            check: pool.expected_check(),
            next: None,
            previous: None,
            first: block.address() + FIRST,
            reciprocal: pool_layout::reciprocal(usize::from(stride)),
            free: count as u32,
            distance: (length - FOOT) as u16,
            stride,
            count: count as u16,
            band,
            words,
            bitmap,
        };
        // SAFETY: the foot is word-aligned and part of the block, which the caller owns.
        unsafe { pool.0.write(foot) };
        pool
    }

    /// The foot that belongs to a band block at `address`, if there is a pool.
    ///
    /// # Safety
    /// The promise of the module, for the window around `address`.
    #[inline]
    pub(crate) unsafe fn of_block(address: NonNull<u8>, window: usize) -> Self {
        let distance = pool_layout::distance_to_foot(address.addr().get(), window);
        // SAFETY: the foot lies in the same window as the block, and so inside the same arena.
        Self(unsafe { address.byte_add(distance) }.cast())
    }

    fn foot(&self) -> &Foot {
        // SAFETY: the promise of the module; foot bytes are never handed out.
        unsafe { self.0.as_ref() }
    }

    fn foot_mut(&mut self) -> &mut Foot {
        // SAFETY: the promise of the module; foot bytes are never handed out, and the reference
        // dies before another one to the same foot is made.
        unsafe { self.0.as_mut() }
    }

    pub(crate) fn address(self) -> usize {
        self.0.addr().get()
    }

    fn expected_check(self) -> usize {
        // Its lower half stays recognisable in a memory dump: "pool", mixed with the address.
        self.address() ^ 0x706f_6f6c
    }

    /// Whether this really is the foot of a living pool.
    #[inline]
    pub(crate) fn is_alive(self) -> bool {
        self.foot().check == self.expected_check()
    }

    /// Ends the pool; its block can be used otherwise. Later frees into it are refused.
    pub(crate) fn end(mut self) -> Block {
        self.foot_mut().check = 0;
        self.block()
    }

    /// The block of the list heap that the pool lives in.
    pub(crate) fn block(self) -> Block {
        let distance = usize::from(self.foot().distance);
        // SAFETY: `distance` is what lies between header and foot since `create`.
        let header = unsafe { self.0.byte_sub(distance) };
        // SAFETY: the pool's block is a block of the same arena.
        unsafe { Block::at(header.cast()) }
    }

    pub(crate) fn band(self) -> usize {
        usize::from(self.foot().band)
    }

    /// Bytes of one block.
    #[inline]
    pub(crate) fn stride(self) -> usize {
        usize::from(self.foot().stride)
    }

    /// Blocks of the pool, free and in use.
    pub(crate) fn count(self) -> usize {
        usize::from(self.foot().count)
    }

    /// Blocks of the pool that are free.
    #[inline]
    pub(crate) fn free(self) -> usize {
        self.foot().free as usize
    }

    pub(crate) fn next(self) -> Option<Self> {
        self.foot().next
    }

    pub(crate) fn previous(self) -> Option<Self> {
        self.foot().previous
    }

    pub(crate) fn set_next(mut self, next: Option<Self>) {
        self.foot_mut().next = next;
    }

    pub(crate) fn set_previous(mut self, previous: Option<Self>) {
        self.foot_mut().previous = previous;
    }

    /// Takes the lowest free block. The pool must have one. Returns it and how many are left.
    #[inline]
    pub(crate) fn take(mut self) -> (NonNull<u8>, u32) {
        let foot = self.foot_mut();
        let word = foot.words.trailing_zeros() as usize % WORDS;
        let bits = foot.bitmap[word];
        let index = word * BITS + bits.trailing_zeros() as usize;
        let rest = bits & bits.wrapping_sub(1);
        foot.bitmap[word] = rest;
        if rest == 0 {
            foot.words &= !(1 << word);
        }
        foot.free -= 1;
        let (distance, left) = (usize::from(foot.distance), foot.free);
        let back = distance - FIRST - index * usize::from(foot.stride);
        // SAFETY: a set bit of the bitmap belongs to a block of this pool, invariant (1), and that
        // block lies `back` bytes before the foot.
        (unsafe { self.0.byte_sub(back) }.cast(), left)
    }

    /// Which block in use begins at `address`; none if the pool is no longer alive.
    #[inline(always)]
    pub(crate) fn find(self, address: NonNull<u8>) -> Option<BlockIndex> {
        let index = self.index_of(address)?;
        (self.is_alive() && !self.has_free(index)).then_some(BlockIndex(index))
    }

    /// Whether a free block begins at `address`.
    pub(crate) fn is_free(self, address: NonNull<u8>) -> bool {
        self.index_of(address)
            .is_some_and(|index| self.has_free(index))
    }

    #[inline(always)]
    fn index_of(self, address: NonNull<u8>) -> Option<usize> {
        let foot = self.foot();
        let first = self
            .address()
            .wrapping_sub(usize::from(foot.distance) - FIRST);
        let offset = address.addr().get().wrapping_sub(first);
        pool_layout::index_of(offset, foot.reciprocal, foot.count)
    }

    #[inline(always)]
    fn has_free(self, index: usize) -> bool {
        self.foot().bitmap[index / BITS % WORDS] & (1 << (index % BITS)) != 0
    }

    /// Gives a block in use back. Returns how many are free now.
    #[inline]
    pub(crate) fn give_back(mut self, BlockIndex(index): BlockIndex) -> u32 {
        let foot = self.foot_mut();
        foot.bitmap[index / BITS % WORDS] |= 1 << (index % BITS);
        foot.words |= 1 << (index / BITS);
        foot.free += 1;
        foot.free
    }

    /// Whether the foot's numbers agree with each other and with a pool whose block is
    /// `block`, `size` bytes, in a band of `stride` bytes. Reads the foot only.
    pub(crate) fn is_consistent(self, block: Block, size: usize, strides: &[u16]) -> bool {
        let foot = self.foot();
        let distance = self.address().wrapping_sub(block.address());
        let Some(stride) = strides.get(usize::from(foot.band)) else {
            return false;
        };
        let mut free = 0;
        let mut words = 0;
        for (index, bits) in foot.bitmap.iter().enumerate() {
            free += bits.count_ones();
            words |= u8::from(*bits != 0) << index;
        }
        let beyond = (usize::from(foot.count)..MAX_BLOCKS)
            .any(|index| foot.bitmap[index / BITS] & (1 << (index % BITS)) != 0);
        foot.stride == *stride
            && usize::from(foot.distance) == distance
            && distance + FOOT <= size
            && foot.first == block.address() + FIRST
            && usize::from(foot.count)
                == pool_layout::capacity(distance + FOOT, usize::from(*stride))
            && foot.reciprocal == pool_layout::reciprocal(usize::from(*stride))
            && foot.free == free
            && foot.words == words
            && !beyond
    }
}

const _: () = assert!(FIRST == 2 * WORD);
