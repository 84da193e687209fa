//! The two promises Wasmtime takes on trust: the only unsafe code of the crate.
//!
//! Wasmtime's compiled code reaches memory without asking anybody. What it may assume follows from
//! the engine's settings, and the traits below are where a creator vouches for them. The arguments
//! are numbered after what the documentation of the traits, and the code that relies on it, ask
//! for.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::Write;

use wasm_arena::ArenaSystem;
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use crate::memory::{ArenaMemory, Creator};
use crate::request::Request;

// SAFETY:
// 1. *Reservation.* "Reserve that many bytes ... plus the guard": a request with a reservation is
//    granted only under `Strategy::Reserved` (`Terms::check_promises`), with a capacity of at least
//    the reservation (`Terms::plan`) and over a page source that protects and reserves; the region
//    then has that capacity, or `allocate_with_capacity` refuses. Where the settings name no
//    reservation, none is relied on.
// 2. *Guard.* "JIT code will elide bounds checks based on the guard": a request with a guard is
//    granted only if the guard in the memory options is at least as large; those options reach the
//    allocator unchanged, and it lays the guard out behind the capacity. Readable guards are
//    refused by `options::resolve`.
// 3. *Everything between the length and the end of the guard faults*, because where a request names
//    a reservation or a guard the room is `RoomAccess::Guarded`: exactly the length, rounded up to
//    host pages, is accessible. Checks are left out only for memories whose Wasm page is a multiple
//    of the host page, for which rounding adds nothing.
// 4. *Zero filled*: promise 2 of `PageAllocator`, whether the region is fresh or kept.
// 5. *Owned by the instance*: each memory has an allocator and a region of its own. Other holders of
//    the arenas can neither reach nor release the region of a live memory.
// 6. *Thread safety*: `Creator` has only shared state behind locks; the compiler checks `Send` and
//    `Sync`.
unsafe impl<S: ArenaSystem + 'static> MemoryCreator for Creator<S> {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let request = Request {
            ty: &ty,
            minimum,
            maximum,
            reserved: reserved_size_in_bytes,
            guard: guard_size_in_bytes,
        };
        match self.create(&request) {
            Ok(memory) => Ok(Box::new(memory)),
            Err(error) => {
                let mut message = String::new();
                // Writing to a string does not fail; an error here would only shorten the message.
                let _written = write!(
                    message,
                    "no linear memory of {minimum} bytes from arenas: {error}"
                );
                Err(message)
            }
        }
    }
}

// SAFETY:
// 1. *Accessible*: `byte_size` bytes from `as_ptr` are readable and writable until the next growth
//    or the drop: promise 1 of `PageAllocator`; nobody else can call it, the allocator is private.
//    Data protections other than read-write were refused by `options::resolve`.
// 2. *Growth up to `byte_capacity` keeps the base*: the capacity is that of the region, up to which
//    the allocator grows in place or refuses. `base` is asked of the allocator, never remembered.
// 3. *Zero*: bytes that come into sight by growing are zero (promise 3 of `PageAllocator`).
// 4. *A refused growth changes nothing*: promised by `grow_bytes`.
// 5. *Alignment*: the base is aligned to the host page (promise 1 of `ArenaSystem`). The size is a
//    multiple of the Wasm page, not always of the host page; where it is not, `MemoryCreator`'s
//    argument 3 applies.
// 6. *After a move under a reservation* the new region has the same guard and guarded room, and a
//    capacity above the old one, which was at least the reservation.
// 7. *Thread safety*: methods that change anything take `&mut self`; shared memories are guarded by
//    Wasmtime's lock, and growing in place touches only pages that were inaccessible before.
unsafe impl<S: ArenaSystem + 'static> LinearMemory for ArenaMemory<S> {
    fn byte_size(&self) -> usize {
        self.size()
    }

    fn byte_capacity(&self) -> usize {
        self.capacity()
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        Ok(Self::grow_to(self, new_size)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.base().as_ptr()
    }
}
