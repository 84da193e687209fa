//! Pins: while one lives, the object of a handle stays.
//!
//! ```text
//!   users of a slot    0 ──pin──▶ 1 ──pin──▶ 2 ...        any number that look
//!                      └──own──▶ ALONE ──remove──▶ VACANT  one that changes or ends
//! ```

use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

use super::{ALONE, FREE, Object, Slot, USER_BITS, VACANT, check_kind, read, users};
use crate::failure::Failure;
use crate::shared::Shared;

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
