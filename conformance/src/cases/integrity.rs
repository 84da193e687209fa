//! Checked memory on what the subject hands out: damage is done from outside and must be found.
//!
//! ```text
//!   data    of an allocator of the subject    damaged through a pointer, as a stray write would
//!   table   entries of the case               damaged as two words, as a flipped cell would
//!   numbers of the checker itself             damaged by its own self-test
//! ```
//!
//! There are no threads here. Readers and writers meet all the same, because the table is the
//! caller's: the checker asks it for its entries in the middle of an operation, and an answer can
//! be preceded by another operation. What real threads and a model checker show is shown natively,
//! by `wasm-arena/tests/integrity_threads.rs` and `integrity_protocol.rs`.

mod detection;
mod interleaving;
mod operations;
mod repair;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use wasm_arena::{
    AtomicMemoryExt, AtomicMemoryOps, ChecksumEntry, ChecksumTable, CustomProvider, IntegrityError,
    PageAllocator,
};

use crate::support::{Memory, PAGE, build, builder, fill_all};
use crate::{Case, Failure, Subject};

pub(super) fn cases<P: Subject>() -> impl Iterator<Item = Case<P>> {
    detection::cases()
        .into_iter()
        .chain(repair::cases())
        .chain(operations::cases())
        .chain(interleaving::cases())
}

/// Bytes of a block, in a memory of one Wasm page with [`BLOCKS`] entries.
const BLOCK: usize = 4096;
/// Blocks of a memory of one Wasm page.
const BLOCKS: usize = PAGE / BLOCK;

/// A table on the stack of a case.
type Entries = [ChecksumEntry; BLOCKS];

fn entries() -> Entries {
    [const { ChecksumEntry::new() }; BLOCKS]
}

/// A memory of one page that is full of a pattern.
#[track_caller]
fn filled<P: Subject>(subject: &P) -> Result<Memory<P>, Failure> {
    let mut memory = build(subject, builder(subject))?;
    memory.allocate(1, Some(2))?;
    fill_all(&mut memory, 7)?;
    Ok(memory)
}

/// The bytes of a memory, for a checker.
#[track_caller]
fn provider<A: PageAllocator>(memory: &A) -> Result<CustomProvider, Failure> {
    let base = memory
        .base()
        .ok_or(Failure::here("there is a memory", 0, 0))?;
    // SAFETY: cases declare the memory before the checker, so it lives longer, and do nothing with
    // it meanwhile; damage is done between operations.
    Ok(unsafe { CustomProvider::new(base, memory.size()) })
}

/// A checker for a memory, with the checksums in `table`.
#[track_caller]
fn checked<A: PageAllocator, T: ChecksumTable>(
    memory: &A,
    table: T,
) -> Result<AtomicMemoryOps<CustomProvider, T>, Failure> {
    Ok(provider(memory)?.into_atomic_ops_with(table)?)
}

/// Where the data of a memory lies, as words that can be damaged between operations.
#[derive(Clone, Copy)]
struct Data {
    words: NonNull<AtomicUsize>,
    len: usize,
}

const WORD: usize = size_of::<usize>();

impl Data {
    #[track_caller]
    fn of<A: PageAllocator>(memory: &A) -> Result<Self, Failure> {
        let base = memory
            .base()
            .ok_or(Failure::here("there is a memory", 0, 0))?;
        Ok(Self {
            words: base.cast(),
            len: memory.size() / WORD,
        })
    }

    /// As [`of`](Self::of), with the room behind the data, which is open.
    #[track_caller]
    fn with_room<A: PageAllocator>(memory: &A, capacity: usize) -> Result<Self, Failure> {
        Ok(Self {
            len: capacity / WORD,
            ..Self::of(memory)?
        })
    }

    fn words(&self) -> &[AtomicUsize] {
        // SAFETY: whole words of a live memory (cases keep it longer than this value) that are
        // touched as atomics only while a checker has them.
        unsafe { core::slice::from_raw_parts(self.words.as_ptr(), self.len) }
    }

    /// Flips the bits of `mask`, the lowest of them being bit `bit` of the memory.
    fn flip(&self, bit: usize, mask: u32) {
        let shifted = (u64::from(mask) << (bit % 8)).to_le_bytes();
        for (index, byte) in shifted.into_iter().enumerate() {
            let offset = bit / 8 + index;
            if byte != 0 {
                let mut bytes = [0; WORD];
                bytes[offset % WORD] = byte;
                let word = &self.words()[offset / WORD];
                word.fetch_xor(usize::from_ne_bytes(bytes), Ordering::Relaxed);
            }
        }
    }
}

/// Flips one of the 64 bits of an entry, between operations.
fn flip_entry(entries: &[ChecksumEntry], block: usize, bit: u32) {
    let words: *const [AtomicU32; 2] = (&raw const entries[block]).cast();
    // SAFETY: an entry is 8 bytes of atomics, as its documentation says, aligned to four of them,
    // and borrowed here.
    let words = unsafe { &*words };
    words[(bit / 32) as usize].fetch_xor(1 << (bit % 32), Ordering::Relaxed);
}

const _: () = assert!(size_of::<ChecksumEntry>() == 8 && align_of::<ChecksumEntry>() == 4);

/// Whether the damage is that of the data of a block, with all that is known of it.
fn names_block<T>(result: Result<T, IntegrityError>, expected: usize) -> bool {
    matches!(
        result,
        Err(IntegrityError::BlockDamaged {
            block, offset, len: BLOCK, stored, computed, repaired: false,
        }) if block == expected && offset == expected * BLOCK && stored != computed
    )
}
