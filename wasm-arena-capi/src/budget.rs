//! Budgets: ceilings in bytes, shared by any number of memories.

use core::ffi::c_char;

use wasm_arena::{BudgetRef, MemoryBudget};

use crate::call::{self, Place, answer, look, make};
use crate::error::{WASM_ARENA_SUBJECT_SIZE, wasm_arena_error_t};
use crate::failure::Failure;
use crate::handles::{self, Kind, Object};
use crate::shared::Shared;
use crate::status::wasm_arena_status_t;

/// A ceiling in bytes; ceilings form a tree. Made by `wasm_arena_budget_create`, ended by
/// `wasm_arena_budget_destroy`. Any number of threads may use it at once.
#[derive(Debug)]
pub struct wasm_arena_budget_t {
    _never_dereferenced: [u8; 0],
}

/// The account of a budget, in bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_budget_usage_t {
    /// The ceiling.
    pub limit: u64,
    /// Charged at the moment.
    pub used: u64,
    /// The most that was ever charged at once.
    pub peak: u64,
    /// How often this budget itself refused.
    pub refusals: u64,
}

const _: () = assert!(size_of::<wasm_arena_budget_usage_t>() == 32);

/// The name of a budget, in a place that does not move.
type Name = [u8; WASM_ARENA_SUBJECT_SIZE];

/// What the handle stands for.
///
/// Invariants: (1) `budget` borrows from `name` and `parent`, whose objects do not move and live as
/// long as this value; they are dropped after it. (2) Who holds a reference into `budget` beyond a
/// borrow holds a `Shared<Budget>` for longer.
#[derive(Debug)]
pub(crate) struct Budget {
    budget: MemoryBudget,
    _parent: Option<Shared<Budget>>,
    _name: Shared<Name>,
}

// SAFETY: the only type of this kind.
unsafe impl Object for Budget {
    type Opaque = wasm_arena_budget_t;
    const KIND: Kind = Kind::Budget;
}

/// A reference to a budget for the library, which asks for a static one.
///
/// # Safety
/// The caller keeps `budget`, or a clone of it, until the result and all its clones are gone.
pub(crate) unsafe fn reference(budget: &Shared<Budget>) -> BudgetRef {
    // SAFETY: the value is in place and alive for as long as a `Shared` exists, which the caller
    // sees to.
    let kept: &'static Budget = unsafe { budget.value_pointer().as_ref() };
    BudgetRef::from(&kept.budget)
}

impl Budget {
    fn new(name: &str, limit: usize, parent: Option<Shared<Self>>) -> Result<Self, Failure> {
        let mut bytes = [0; WASM_ARENA_SUBJECT_SIZE];
        // One byte is left for the terminator that it gets in an error.
        let Some(place) = bytes
            .get_mut(..name.len())
            .filter(|place| place.len() < WASM_ARENA_SUBJECT_SIZE)
        else {
            return Err(Failure::InvalidArgument {
                argument: "length of name",
                value: name.len() as u64,
            });
        };
        place.copy_from_slice(name.as_bytes());
        let kept = Shared::new(bytes)?;
        // SAFETY: in place and alive for as long as `kept`, which is dropped after the budget
        // (invariant 1); shared access only.
        let kept_bytes: &'static Name = unsafe { kept.value_pointer().as_ref() };
        let name = kept_bytes
            .get(..name.len())
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or_default();
        let budget = match &parent {
            None => MemoryBudget::new(name, limit),
            // SAFETY: `parent` is kept beside the budget, and dropped after it (invariant 1).
            Some(parent) => MemoryBudget::with_parent(name, limit, unsafe { reference(parent) }),
        };
        Ok(Self {
            budget,
            _parent: parent,
            _name: kept,
        })
    }
}

/// Makes a budget of `limit` bytes that also draws on `parent`, if that is not null; whichever ends
/// first refuses. `name` is copied: UTF-8, at most 47 bytes; it appears in refusals. The handle
/// belongs to the caller, until `wasm_arena_budget_destroy`; the parent stays his too.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_budget_create(
    name: *const c_char,
    limit: usize,
    parent: *mut wasm_arena_budget_t,
    budget: *mut *mut wasm_arena_budget_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        // SAFETY: the caller's promise.
        let name = unsafe { call::text(name, "name")? };
        let name = name.to_str().map_err(|error| Failure::InvalidArgument {
            argument: "name, which is no UTF-8 from this byte on",
            value: error.valid_up_to() as u64,
        })?;
        let parent = if parent.is_null() {
            None
        } else {
            Some(handles::pin::<Budget>(parent, "parent")?.share())
        };
        Budget::new(name, limit, parent)
    };
    // SAFETY: the caller's promise.
    unsafe { make(budget, error, work) }
}

/// Ends a budget. Refused with `WASM_ARENA_ERROR_STILL_REFERENCED`, and nothing is changed, while
/// memories or other budgets draw on it.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_budget_destroy(
    budget: *mut wasm_arena_budget_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = || {
        let owned = handles::own::<Budget>(budget, "budget")?;
        let others = owned.references() - 1;
        if others > 0 {
            return Err(Failure::StillReferenced {
                argument: "budget",
                references: others,
            });
        }
        drop(owned.remove());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { answer(Place::NONE, error, work) }
}

/// The account of a budget. Constant time, no system call.
///
/// # Safety
/// Pointers are as said at the head of this header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_arena_budget_usage(
    budget: *mut wasm_arena_budget_t,
    usage: *mut wasm_arena_budget_usage_t,
    error: *mut wasm_arena_error_t,
) -> wasm_arena_status_t {
    let work = |budget: &Budget| {
        Ok::<_, Failure>(wasm_arena_budget_usage_t {
            limit: budget.budget.limit() as u64,
            used: budget.budget.used() as u64,
            peak: budget.budget.peak() as u64,
            refusals: budget.budget.refusals() as u64,
        })
    };
    // SAFETY: the caller's promise.
    unsafe { look(budget, Place::needed(usage, "usage"), error, work) }
}
