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

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};

use os::Mutex;

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

/// An object that is being used, together with others.
#[derive(Debug)]
pub(crate) struct Pinned<T: Object> {
    slot: &'static Slot,
    object: PhantomData<T>,
}

/// Pins the object of a handle for reading.
///
/// # Errors
/// It is no live handle of this kind, or another thread uses the object alone.
pub(crate) fn pin<T: Object>(
    handle: *const T::Opaque,
    argument: &'static str,
) -> Result<Pinned<T>, Failure> {
    let (slot, generation, _) = read::<T>(handle, argument)?;
    let mut word = slot.word.load(Ordering::Relaxed);
    loop {
        // One place is kept free below the two special numbers.
        if users(word, generation, argument)? >= ALONE - 1 {
            return Err(Failure::InUse { argument });
        }
        match slot
            .word
            .compare_exchange_weak(word, word + 1, Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) => break,
            Err(now) => word = now,
        }
    }
    let pinned = Pinned {
        slot,
        object: PhantomData,
    };
    check_kind::<T>(slot, argument)?;
    Ok(pinned)
}

/// The reference in a slot, without taking it over.
///
/// # Safety
/// The caller is among the users of the slot, whose kind is that of `T`, for as long as the result
/// lives.
const unsafe fn reference<T: Object>(body: &*mut ()) -> &Shared<T> {
    // SAFETY: `Shared` is a pointer to the body and nothing else; the slot holds a live one
    // (invariants 2 and 3).
    unsafe { &*ptr::from_ref(body).cast::<Shared<T>>() }
}

impl<T: Object> Pinned<T> {
    /// A further reference to the object.
    pub(crate) fn share(&self) -> Shared<T> {
        let body = self.slot.body.load(Ordering::Relaxed);
        // SAFETY: pinned, and the kind was checked.
        unsafe { reference::<T>(&body) }.clone()
    }

    /// How many references there are, the handle's own included.
    pub(crate) fn references(&self) -> usize {
        let body = self.slot.body.load(Ordering::Relaxed);
        // SAFETY: pinned, and the kind was checked.
        unsafe { reference::<T>(&body) }.references()
    }
}

/// The value of the object in a slot.
///
/// # Safety
/// As for [`reference()`]; the caller chooses how long the borrow lasts.
unsafe fn value<'s, T: Object>(slot: &'static Slot) -> &'s T {
    let body = slot.body.load(Ordering::Relaxed);
    // SAFETY: the caller's promise, passed on unchanged.
    let pointer = unsafe { reference::<T>(&body) }.value_pointer();
    // SAFETY: the value lives as long as a reference to it, and the slot holds one (invariant 3).
    unsafe { pointer.as_ref() }
}

impl<T: Object> Deref for Pinned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: pinned for as long as `self` lives; the kind was checked.
        unsafe { value(self.slot) }
    }
}

impl<T: Object> Drop for Pinned<T> {
    fn drop(&mut self) {
        self.slot.word.fetch_sub(1, Ordering::Release);
    }
}

/// An object that nobody else uses through its handle.
#[derive(Debug)]
pub(crate) struct Owned<T: Object> {
    slot: &'static Slot,
    generation: usize,
    index: usize,
    object: PhantomData<T>,
}

/// Pins the object of a handle for one user alone.
///
/// # Errors
/// It is no live handle of this kind, or another thread uses the object.
pub(crate) fn own<T: Object>(
    handle: *const T::Opaque,
    argument: &'static str,
) -> Result<Owned<T>, Failure> {
    let (slot, generation, index) = read::<T>(handle, argument)?;
    let free = generation << USER_BITS;
    if let Err(word) =
        slot.word
            .compare_exchange(free, free | ALONE, Ordering::Acquire, Ordering::Relaxed)
    {
        users(word, generation, argument)?;
        return Err(Failure::InUse { argument });
    }
    let owned = Owned {
        slot,
        generation,
        index,
        object: PhantomData,
    };
    check_kind::<T>(slot, argument)?;
    Ok(owned)
}

impl<T: Object> Owned<T> {
    /// The object, if nothing else refers to it.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        if self.references() != 1 {
            return None;
        }
        let body = self.slot.body.load(Ordering::Relaxed);
        // SAFETY: alone in the slot, and the kind was checked.
        let mut pointer = unsafe { reference::<T>(&body) }.value_pointer();
        // SAFETY: the slot's reference is the only one, and this user of it the only one.
        Some(unsafe { pointer.as_mut() })
    }

    /// How many references there are, the handle's own included.
    pub(crate) fn references(&self) -> usize {
        let body = self.slot.body.load(Ordering::Relaxed);
        // SAFETY: alone in the slot, and the kind was checked.
        unsafe { reference::<T>(&body) }.references()
    }

    /// A further reference to the object.
    pub(crate) fn share(&self) -> Shared<T> {
        let body = self.slot.body.load(Ordering::Relaxed);
        // SAFETY: alone in the slot, and the kind was checked.
        unsafe { reference::<T>(&body) }.clone()
    }

    /// Ends the handle; what it stood for ends with the last reference.
    pub(crate) fn remove(self) -> Shared<T> {
        let raw = self.slot.body.swap(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the address of a body (invariant 2).
        let raw = unsafe { NonNull::new_unchecked(raw) };
        // SAFETY: from `into_raw` of this type (invariant 2), and no longer in the slot.
        let object = unsafe { Shared::from_raw(raw) };
        let next = self.generation.wrapping_add(1);
        self.slot
            .word
            .store((next << USER_BITS) | VACANT, Ordering::Release);
        let mut free = FREE.lock();
        self.slot.next_free.store(free.first, Ordering::Relaxed);
        free.first = self.index;
        drop(free);
        core::mem::forget(self);
        object
    }
}

impl<T: Object> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: alone in the slot for as long as `self` lives; the kind was checked.
        unsafe { value(self.slot) }
    }
}

impl<T: Object> Drop for Owned<T> {
    fn drop(&mut self) {
        self.slot
            .word
            .store(self.generation << USER_BITS, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicUsize;
    use std::thread;
    use std::vec::Vec;

    struct Number(AtomicUsize);
    struct NumberHandle;

    // SAFETY: the tests have no other object of this kind.
    unsafe impl Object for Number {
        type Opaque = NumberHandle;
        const KIND: Kind = Kind::Runtime;
    }

    struct Other;

    // SAFETY: as above.
    unsafe impl Object for Other {
        type Opaque = NumberHandle;
        const KIND: Kind = Kind::Atomic;
    }

    fn make(number: usize) -> *mut NumberHandle {
        insert(Shared::new(Number(AtomicUsize::new(number))).unwrap()).unwrap()
    }

    fn end(handle: *mut NumberHandle) {
        drop(own::<Number>(handle, "handle").unwrap().remove());
    }

    #[test]
    fn places_follow_each_other_without_a_gap() {
        let mut expected = (0, 0);
        for index in 0..10_000 {
            assert_eq!(place(index), expected);
            expected.1 += 1;
            if expected.1 == FIRST_CHUNK << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        assert_eq!(place(LIMIT).0, CHUNKS);
    }

    #[test]
    fn what_is_no_live_handle_is_named() {
        let handle = make(7);
        assert_eq!(
            pin::<Number>(handle, "h")
                .unwrap()
                .0
                .load(Ordering::Relaxed),
            7
        );
        assert!(matches!(
            pin::<Other>(handle, "h"),
            Err(Failure::WrongHandleKind {
                found: "runtime's memory",
                ..
            })
        ));
        let null = ptr::null::<NumberHandle>();
        assert!(matches!(
            pin::<Number>(null, "h"),
            Err(Failure::NullArgument { argument: "h" })
        ));
        for stray in [2, 4, 8, 16, 4096, usize::MAX & !1, usize::MAX] {
            let stray = ptr::without_provenance::<NumberHandle>(stray);
            assert!(matches!(
                pin::<Number>(stray, "h"),
                Err(Failure::InvalidHandle { .. })
            ));
        }
        // Another kind, by changing the handle's bits.
        let forged = ptr::without_provenance::<NumberHandle>(
            handle.addr() & !0xe | ((Kind::Atomic as usize) << 1),
        );
        assert!(matches!(
            pin::<Other>(forged, "h"),
            Err(Failure::StaleHandle { .. })
        ));
        end(handle);
        assert!(matches!(
            pin::<Number>(handle, "h"),
            Err(Failure::StaleHandle { argument: "h" })
        ));
        assert!(matches!(
            own::<Number>(handle, "h"),
            Err(Failure::StaleHandle { argument: "h" })
        ));
        // The slot is used again, and the old handle means as little as before.
        let next = make(8);
        assert!(pin::<Number>(handle, "h").is_err());
        end(next);
    }

    #[test]
    fn users_exclude_an_owner_and_an_owner_everybody() {
        let handle = make(1);
        let (one, two) = (
            pin::<Number>(handle, "h").unwrap(),
            pin::<Number>(handle, "h").unwrap(),
        );
        assert!(matches!(
            own::<Number>(handle, "h"),
            Err(Failure::InUse { .. })
        ));
        drop(one);
        drop(two);
        let mut owned = own::<Number>(handle, "h").unwrap();
        assert!(matches!(
            pin::<Number>(handle, "h"),
            Err(Failure::InUse { .. })
        ));
        assert!(owned.get_mut().is_some());
        let shared = owned.share();
        assert!(owned.get_mut().is_none());
        drop(shared);
        drop(owned);
        end(handle);
    }

    #[test]
    fn threads_that_make_and_end_handles_never_see_another_s() {
        thread::scope(|scope| {
            for thread in 0..4_usize {
                scope.spawn(move || {
                    for round in 0..200_usize {
                        let handles: Vec<_> =
                            (0..40).map(|n| make(thread * 1000 + round + n)).collect();
                        for (n, &handle) in handles.iter().enumerate() {
                            let value = pin::<Number>(handle, "h")
                                .unwrap()
                                .0
                                .load(Ordering::Relaxed);
                            assert_eq!(value, thread * 1000 + round + n);
                            end(handle);
                            assert!(pin::<Number>(handle, "h").is_err());
                        }
                    }
                });
            }
        });
    }
}
