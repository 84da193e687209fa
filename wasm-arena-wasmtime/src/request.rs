//! What Wasmtime asks of a memory creator, checked against what the memories provide.
//!
//! ```text
//!   base          length                    reservation        capacity      + guard
//!     │ data ───────▶│ must fault ──────────────▶│                  │             │
//!     │              │ as soon as compiled code relies on a reservation or a guard ▶│
//! ```
//!
//! Compiled code may leave checks out wherever the engine's settings say that a stray access faults
//! by itself. So a request that names a reservation or a guard is granted only if *everything* from
//! the length up to capacity and guard faults; what else it names must fit the limits. Pure
//! decisions, no memory.
#![forbid(unsafe_code)]

use wasm_arena::{ConfigOption, MemoryOptions, RoomAccess, SystemFacts, WASM_PAGE_SIZE};
use wasmtime::MemoryType;

use crate::{MemoryError, Strategy, options};

/// The arguments of a memory creator. Sizes in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Request<'t> {
    pub(crate) ty: &'t MemoryType,
    pub(crate) minimum: usize,
    pub(crate) maximum: Option<usize>,
    pub(crate) reserved: Option<usize>,
    pub(crate) guard: usize,
}

/// What the memories provide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'o> {
    pub(crate) strategy: Strategy,
    pub(crate) options: &'o MemoryOptions,
    pub(crate) host_maximum: Option<usize>,
    pub(crate) facts: SystemFacts,
}

/// How a granted request is served. Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) minimum: usize,
    pub(crate) maximum: Option<usize>,
    pub(crate) capacity: usize,
    pub(crate) room_access: RoomAccess,
}

impl Terms<'_> {
    /// Grants or refuses.
    pub(crate) fn plan(&self, request: &Request<'_>) -> Result<Plan, MemoryError> {
        let &Request { ty, minimum, .. } = request;
        if !is_consistent(ty, minimum, request.maximum) {
            return Err(MemoryError::InconsistentType { minimum });
        }
        let reservation = request.reserved.unwrap_or(0);
        self.check_promises(reservation, request.guard)?;
        if let Some(maximum) = self.host_maximum.filter(|&maximum| minimum > maximum) {
            return Err(MemoryError::BeyondHostMaximum {
                requested: minimum,
                maximum,
            });
        }
        self.check_shared(ty)?;
        let maximum = match (request.maximum, self.host_maximum) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let may_fault = self.strategy == Strategy::Reserved || ty.is_shared();
        Ok(Plan {
            minimum,
            maximum,
            capacity: if ty.is_shared() {
                // Other threads hold the base, so all growth is in place.
                maximum.unwrap_or(minimum).max(reservation)
            } else if self.strategy == Strategy::Reserved {
                minimum.max(reservation)
            } else {
                self.capacity_with_room(minimum, maximum)
            },
            room_access: if may_fault {
                RoomAccess::Guarded
            } else {
                RoomAccess::Open
            },
        })
    }

    /// Refuses settings that compiled code would rely on in vain.
    fn check_promises(&self, reservation: usize, guard: usize) -> Result<(), MemoryError> {
        let (reservation_provided, guard_provided) = match self.strategy {
            Strategy::Bounded => (0, 0),
            Strategy::Reserved if options::check_facts(self.strategy, &self.facts).is_err() => {
                (0, 0)
            }
            Strategy::Reserved => (
                usize::MAX,
                options::engine_guard(self.options, self.strategy),
            ),
        };
        for (setting, requested, provided) in [
            ("memory_reservation", reservation, reservation_provided),
            ("memory_guard_size", guard, guard_provided),
        ] {
            if requested > provided {
                return Err(MemoryError::SettingNotProvided {
                    setting,
                    requested,
                    provided,
                });
            }
        }
        Ok(())
    }

    /// While one thread grows a shared memory, a stray access of another reaches pages that are
    /// open already but not part of the memory yet, if only a fault would stop it. So nothing may
    /// fail between opening them and adding them: they would be closed again, and not be zero.
    fn check_shared(&self, ty: &MemoryType) -> Result<(), MemoryError> {
        let faults_alone = ty.is_shared() && self.strategy == Strategy::Reserved;
        for (option, is_set) in [
            (ConfigOption::LockInMemory, self.options.lock_in_memory),
            (ConfigOption::Prefault, self.options.prefault),
        ] {
            if faults_alone && is_set {
                return Err(MemoryError::ConflictingOption {
                    option,
                    strategy: self.strategy,
                    accepted: "\"off\", for shared memories,",
                });
            }
        }
        Ok(())
    }

    /// Half as much again, so that few growths move the memory; where room costs memory, one Wasm
    /// page.
    fn capacity_with_room(&self, minimum: usize, maximum: Option<usize>) -> usize {
        let half = if self.facts.pages.reserves_for_free {
            minimum / 2
        } else {
            0
        };
        minimum
            .saturating_add(half.max(WASM_PAGE_SIZE))
            .min(maximum.unwrap_or(usize::MAX))
            .max(minimum)
    }
}

/// Whether the sizes in bytes are those of the type. A maximum beyond the address space counts as
/// none.
fn is_consistent(ty: &MemoryType, minimum: usize, maximum: Option<usize>) -> bool {
    let bytes = |pages: u64| {
        pages
            .checked_mul(ty.page_size())
            .and_then(|bytes| usize::try_from(bytes).ok())
    };
    bytes(ty.minimum()) == Some(minimum)
        && maximum.is_none_or(|maximum| minimum <= maximum)
        // A 32-bit memory without a maximum may be handed over with the end of its address space.
        && ty
            .maximum()
            .is_none_or(|pages| bytes(pages).is_none_or(|limit| maximum == Some(limit)))
}
