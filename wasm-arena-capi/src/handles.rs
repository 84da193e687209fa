//! Handles: numbers that C takes for pointers, and the table that knows which of them mean something.
//!
//! ```text
//!   handle    | generation | index | kind, 1 |            never an address, never dereferenced
//!                              │
//!   chunks    [64 slots] [128 slots] [256 slots] ...      made when needed, never given back
//!                              │
//!   slot      | generation, users | kind | body |         body: a `Shared<T>`
//! ```
//!
//! C code may hand over anything: a null pointer, a stray one, a handle that was destroyed, one of
//! another kind. Nothing is read through it before its index, generation and kind are known to be
//! those of a live slot, so each of these is an error and none is undefined behaviour. A number is
//! mistaken for a live handle only if a slot was used again so often that its generations came
//! round: 2^32 times, 2^16 on 32-bit processors.
//!
//! A slot in use is pinned, by any number of readers or by one owner. Who would have to wait gets an
//! error instead: a second thread in a function that needs the object alone is a mistake of the
//! program, and a real-time thread had better hear of it than wait.
//!
//! Invariants: (1) a chunk is initialised before its pointer is published, and lives for ever;
//! (2) a slot whose users are not `VACANT` holds a body, made by `Shared::into_raw` of its kind's
//! type; (3) who has counted himself among the users, or put `ALONE` there, may use the body until
//! he takes that back; (4) generation, kind and body change only while the users are `VACANT`, by
//! the thread that has taken the slot from the list of free ones, or by whoever is `ALONE`.

mod pins;
#[cfg(test)]
mod tests;

use core::alloc::Layout;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};

use os::Mutex;

pub(crate) use pins::{Owned, Pinned, own, pin};

use crate::failure::Failure;
use crate::shared::{self, Shared};

/// What a handle stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Arenas = 0,
    Budget = 1,
    Memory = 2,
    Atomic = 3,
    Runtime = 4,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Arenas => "arenas",
            Self::Budget => "budget",
            Self::Memory => "memory",
            Self::Atomic => "atomic operations",
            Self::Runtime => "runtime's memory",
        }
    }

    /// What the argument is called that such a handle is handed over in.
    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::Arenas => "arenas",
            Self::Budget => "budget",
            Self::Memory => "memory",
            Self::Atomic => "atomic",
            Self::Runtime => "runtime",
        }
    }

    const ALL: [Self; 5] = [
        Self::Arenas,
        Self::Budget,
        Self::Memory,
        Self::Atomic,
        Self::Runtime,
    ];
}

/// A type that handles stand for.
///
/// # Safety
/// Each kind belongs to one type.
pub(crate) unsafe trait Object: Send + Sync + Sized + 'static {
    /// What C code knows it as.
    type Opaque;
    const KIND: Kind;

    /// The object, for functions that look at it.
    ///
    /// # Errors
    /// Its own: that it is pinned is not enough.
    fn look(pinned: &Pinned<Self>) -> Result<&Self, Failure> {
        Ok(pinned)
    }

    /// The object, for functions that change it.
    ///
    /// # Errors
    /// Something else refers to it.
    fn change(owned: &mut Owned<Self>) -> Result<&mut Self, Failure> {
        owned.get_mut().ok_or(Failure::InUse {
            argument: Self::KIND.argument(),
        })
    }
}

/// The lowest bits: the kind, and a bit that no aligned address has.
const KIND_BITS: u32 = 4;

/// The lower half of the word of a slot counts its users; the upper half is its generation.
const USER_BITS: u32 = usize::BITS / 2;
const USERS: usize = (1 << USER_BITS) - 1;
const VACANT: usize = USERS;
const ALONE: usize = USERS - 1;

/// Generations take the upper half of a handle as well, indices what is left.
const INDEX_BITS: u32 = usize::BITS - USER_BITS - KIND_BITS;

/// Slots of the first chunk; each further one has twice as many.
const FIRST_CHUNK: usize = 64;

/// As many as indices allow, and no more than four million slots.
const CHUNKS: usize = if INDEX_BITS > 22 { 16 } else { 6 };

/// The greatest number of handles at a time.
pub(crate) const LIMIT: usize = FIRST_CHUNK * ((1 << CHUNKS) - 1);

const _: () = assert!(LIMIT <= 1 << INDEX_BITS);

#[derive(Debug)]
struct Slot {
    word: AtomicUsize,
    kind: AtomicU8,
    body: AtomicPtr<()>,
    next_free: AtomicUsize,
}

impl Slot {
    const fn vacant() -> Self {
        Self {
            word: AtomicUsize::new(VACANT),
            kind: AtomicU8::new(0),
            body: AtomicPtr::new(ptr::null_mut()),
            next_free: AtomicUsize::new(NONE),
        }
    }
}

/// No slot.
const NONE: usize = usize::MAX;

struct Free {
    /// The first of a list of slots that were used before.
    first: usize,
    /// Slots that were used at some time; the next fresh one is at this index.
    used: usize,
}

static CHUNK_STARTS: [AtomicPtr<Slot>; CHUNKS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS];
static FREE: Mutex<Free> = Mutex::new(Free {
    first: NONE,
    used: 0,
});

/// The chunk of an index, and the place in it.
const fn place(index: usize) -> (usize, usize) {
    // Chunk `c` begins at 64 * (2^c - 1).
    let chunk = (index / FIRST_CHUNK + 1).ilog2() as usize;
    (chunk, index - FIRST_CHUNK * ((1 << chunk) - 1))
}

/// The slot at an index; `None` if there never was one.
fn slot(index: usize) -> Option<&'static Slot> {
    let (chunk, offset) = place(index);
    let start = NonNull::new(CHUNK_STARTS.get(chunk)?.load(Ordering::Acquire))?;
    // SAFETY: inside the chunk, which has 64 * 2^chunk slots: `place` answers smaller offsets.
    let slot = unsafe { start.add(offset) };
    // SAFETY: invariant 1.
    Some(unsafe { slot.as_ref() })
}

/// Makes the chunk that holds this index, if it is the first index in it.
fn make_chunk(index: usize) -> Result<(), Failure> {
    let (chunk, offset) = place(index);
    if offset != 0 {
        return Ok(());
    }
    let Some(start) = CHUNK_STARTS.get(chunk) else {
        return Err(Failure::OutOfHandles { limit: LIMIT });
    };
    let count = FIRST_CHUNK << chunk;
    let layout =
        Layout::array::<Slot>(count).map_err(|_| Failure::OutOfHandles { limit: LIMIT })?;
    let slots = shared::allocate(layout)?.cast::<Slot>();
    for number in 0..count {
        // SAFETY: inside the block, which has room for `count` slots.
        let slot = unsafe { slots.add(number) };
        // SAFETY: a fresh block, nobody else's yet.
        unsafe { slot.write(Slot::vacant()) };
    }
    start.store(slots.as_ptr(), Ordering::Release);
    Ok(())
}

/// Puts an object into the table.
///
/// # Errors
/// There are too many handles, or no memory for more; the object is dropped.
pub(crate) fn insert<T: Object>(object: Shared<T>) -> Result<*mut T::Opaque, Failure> {
    let mut free = FREE.lock();
    let index = if free.first == NONE {
        make_chunk(free.used)?;
        free.used
    } else {
        free.first
    };
    let slot = slot(index).ok_or(Failure::OutOfHandles { limit: LIMIT })?;
    if free.first == NONE {
        free.used += 1;
    } else {
        free.first = slot.next_free.load(Ordering::Relaxed);
    }
    drop(free);
    // Ours alone from here (invariant 4): vacant, and in no list.
    let generation = slot.word.load(Ordering::Relaxed) >> USER_BITS;
    slot.kind.store(T::KIND as u8, Ordering::Relaxed);
    slot.body
        .store(object.into_raw().as_ptr(), Ordering::Relaxed);
    slot.word.store(generation << USER_BITS, Ordering::Release);
    let number = (generation << USER_BITS) | (index << KIND_BITS) | ((T::KIND as usize) << 1) | 1;
    Ok(ptr::without_provenance_mut(number))
}

/// The slot that a handle names and its generation, as far as the handle itself tells.
fn read<T: Object>(
    handle: *const T::Opaque,
    argument: &'static str,
) -> Result<(&'static Slot, usize, usize), Failure> {
    let number = handle.addr();
    if number == 0 {
        return Err(Failure::NullArgument { argument });
    }
    let kind = Kind::ALL.get((number >> 1) & 7);
    let (Some(&kind), 1) = (kind, number & 1) else {
        return Err(Failure::InvalidHandle { argument, number });
    };
    let index = (number >> KIND_BITS) & ((1 << INDEX_BITS) - 1);
    let Some(slot) = slot(index) else {
        return Err(Failure::InvalidHandle { argument, number });
    };
    if kind != T::KIND {
        return Err(Failure::WrongHandleKind {
            argument,
            expected: T::KIND.name(),
            found: kind.name(),
        });
    }
    Ok((slot, number >> USER_BITS, index))
}

/// Whether a slot's word is that of the generation, and who uses it.
fn users(word: usize, generation: usize, argument: &'static str) -> Result<usize, Failure> {
    match word & USERS {
        _ if word >> USER_BITS != generation => Err(Failure::StaleHandle { argument }),
        VACANT => Err(Failure::StaleHandle { argument }),
        users => Ok(users),
    }
}

fn check_kind<T: Object>(slot: &Slot, argument: &'static str) -> Result<(), Failure> {
    if slot.kind.load(Ordering::Relaxed) == T::KIND as u8 {
        Ok(())
    } else {
        // A handle with a forged kind; the generation was right.
        Err(Failure::StaleHandle { argument })
    }
}
