//! Which memory, and which part of it, an address falls in.

use core::fmt;
use core::sync::atomic::Ordering;

use super::Arenas;
use super::record::Chain;
use crate::{ArenaSystem, RegionPart};

/// The number of a memory: its place in the order of allocation on its arenas, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryId(usize);

impl MemoryId {
    pub(super) const fn from_number(number: usize) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl fmt::Display for MemoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressDescription {
    /// The memory.
    pub memory: MemoryId,
    /// The part of its region.
    pub part: RegionPart,
}

impl fmt::Display for AddressDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory {}: ", self.memory)?;
        match self.part {
            RegionPart::GuardBefore { before_base } => {
                write!(
                    f,
                    "guard before the data, {before_base:#x} bytes below the base"
                )
            }
            RegionPart::Data { offset } => write!(f, "data, offset {offset:#x}"),
            RegionPart::RoomToGrow { offset } => write!(f, "room to grow, offset {offset:#x}"),
            RegionPart::GuardAfter { offset } => {
                write!(f, "guard after the data, offset {offset:#x}")
            }
        }
    }
}

/// The register of live memories is being changed at this moment; ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the register of live memories is being changed; ask again")
    }
}

impl core::error::Error for Busy {}

impl<S: ArenaSystem> Arenas<S> {
    /// Tells which live memory, and which part of it, `address` falls in; `None` if in none.
    ///
    /// Never blocks, never allocates, makes no system call: it may be called from a handler of
    /// memory faults. Cost grows with the number of regions, live and kept.
    ///
    /// # Errors
    /// [`Busy`] if the register is locked at this moment, perhaps by the very thread that was
    /// interrupted.
    pub fn describe_address(&self, address: usize) -> Result<Option<AddressDescription>, Busy> {
        let state = self.state.try_lock().ok_or(Busy)?;
        for record in state.register.iter(Chain::Register) {
            // SAFETY: in the register, so initialised; the lock is held, so what is read here rests,
            // but for atomics.
            let fields = unsafe { record.as_ref() };
            let Some(memory) = fields.memory() else {
                continue;
            };
            let size = fields.size.load(Ordering::Relaxed);
            if let Some(part) = fields
                .layout
                .part_at(fields.start.addr().get(), size, address)
            {
                return Ok(Some(AddressDescription { memory, part }));
            }
        }
        Ok(None)
    }
}
