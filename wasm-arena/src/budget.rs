//! A ceiling in bytes, shared by any number of memories; ceilings form a tree.
//!
//! ```text
//!            "machine" 64 MiB
//!             ╱            ╲
//!   "plugins" 16 MiB    "control" 32 MiB      a charge on a leaf is a charge on every ancestor
//!       ╱      ╲
//!   memory    memory
//! ```
//!
//! A charge is taken from the budget and all its ancestors, or from none of them. Charging takes
//! one atomic exchange per level, no lock, no system call; it may be done from several threads.
//!
//! Invariant: `used` never exceeds `limit`, not even for a moment.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use os::ResourceLimits;

use crate::AllocError;

/// A ceiling in bytes.
///
/// ```
/// use wasm_arena::{BudgetRef, MemoryBudget};
///
/// static MACHINE: MemoryBudget = MemoryBudget::new("machine", 64 << 20);
/// static PLUGINS: MemoryBudget = MemoryBudget::child("plugins", 16 << 20, &MACHINE);
///
/// let charge = BudgetRef::from(&PLUGINS).charge(10 << 20)?;
/// assert_eq!(MACHINE.used(), 10 << 20);
/// let refusal = BudgetRef::from(&PLUGINS).charge(7 << 20).unwrap_err();
/// assert!(refusal.to_string().contains("\"plugins\""));
/// drop(charge);
/// assert_eq!((MACHINE.used(), MACHINE.peak()), (0, 10 << 20));
/// # Ok::<(), wasm_arena::AllocError>(())
/// ```
#[derive(Debug)]
pub struct MemoryBudget {
    name: &'static str,
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    refusals: AtomicUsize,
    parent: Option<BudgetRef>,
}

impl MemoryBudget {
    /// A budget of `limit` bytes that answers to nobody. `name` appears in refusals and reports.
    #[must_use]
    pub const fn new(name: &'static str, limit: usize) -> Self {
        Self::under(name, limit, None)
    }

    /// A budget of `limit` bytes that also draws on `parent`. The limit may exceed the parent's:
    /// whichever ends first refuses.
    #[must_use]
    pub const fn child(name: &'static str, limit: usize, parent: &'static Self) -> Self {
        Self::under(name, limit, Some(BudgetRef(Handle::Static(parent))))
    }

    /// As [`child`](Self::child), for a parent that is shared rather than static.
    #[must_use]
    pub const fn with_parent(name: &'static str, limit: usize, parent: BudgetRef) -> Self {
        Self::under(name, limit, Some(parent))
    }

    /// A budget of what the limits of the process leave at most: the least of them, whatever else
    /// the process has taken already. `None` if nothing limits it.
    ///
    /// ```
    /// use os::{OsPages, PageSource};
    /// use wasm_arena::MemoryBudget;
    ///
    /// let limits = OsPages::new().limits();
    /// let machine = MemoryBudget::from_limits("machine", &limits).expect("a machine has an end");
    /// assert!(machine.limit() as u64 <= limits.physical_memory.unwrap_or(u64::MAX));
    /// ```
    #[must_use]
    pub fn from_limits(name: &'static str, limits: &ResourceLimits) -> Option<Self> {
        let (_, limit) = limits.least()?;
        Some(Self::new(
            name,
            usize::try_from(limit).unwrap_or(usize::MAX),
        ))
    }

    const fn under(name: &'static str, limit: usize, parent: Option<BudgetRef>) -> Self {
        Self {
            name,
            limit,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            parent,
        }
    }

    /// The name given at construction.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The ceiling, in bytes.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes charged at the moment.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever charged at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// How often this budget itself refused.
    #[must_use]
    pub fn refusals(&self) -> usize {
        self.refusals.load(Ordering::Relaxed)
    }

    /// The budget this one draws on.
    #[must_use]
    pub fn parent(&self) -> Option<&Self> {
        self.parent.as_ref().map(BudgetRef::get)
    }

    /// Takes `bytes` here and in every ancestor, or nowhere.
    fn take(&self, bytes: usize) -> Result<(), AllocError> {
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&total| total <= self.limit)
            });
        match taken {
            Ok(before) => {
                if let Some(parent) = self.parent()
                    && let Err(refusal) = parent.take(bytes)
                {
                    self.used.fetch_sub(bytes, Ordering::Relaxed);
                    return Err(refusal);
                }
                self.peak.fetch_max(before + bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(used) => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                Err(AllocError::BudgetExceeded {
                    budget: self.name,
                    requested: bytes,
                    available: self.limit - used,
                    limit: self.limit,
                })
            }
        }
    }

    /// Gives `bytes` back here and in every ancestor.
    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(parent) = self.parent() {
            parent.give_back(bytes);
        }
    }
}

/// A shared handle to a [`MemoryBudget`]: a `&'static` one, or with the feature `alloc` an `Arc`.
#[derive(Clone)]
pub struct BudgetRef(Handle);

#[derive(Clone)]
enum Handle {
    Static(&'static MemoryBudget),
    #[cfg(feature = "alloc")]
    Shared(alloc::sync::Arc<MemoryBudget>),
}

impl BudgetRef {
    /// The budget.
    #[must_use]
    pub fn get(&self) -> &MemoryBudget {
        match &self.0 {
            Handle::Static(budget) => budget,
            #[cfg(feature = "alloc")]
            Handle::Shared(budget) => budget,
        }
    }

    /// Charges `bytes` to the budget and its ancestors until the result is dropped.
    ///
    /// # Errors
    /// [`AllocError::BudgetExceeded`], naming the budget that refused; nothing is charged then.
    pub fn charge(&self, bytes: usize) -> Result<BudgetCharge, AllocError> {
        self.get().take(bytes)?;
        Ok(BudgetCharge {
            budget: self.clone(),
            bytes,
        })
    }
}

impl fmt::Debug for BudgetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl From<&'static MemoryBudget> for BudgetRef {
    fn from(budget: &'static MemoryBudget) -> Self {
        Self(Handle::Static(budget))
    }
}

#[cfg(feature = "alloc")]
impl From<alloc::sync::Arc<MemoryBudget>> for BudgetRef {
    fn from(budget: alloc::sync::Arc<MemoryBudget>) -> Self {
        Self(Handle::Shared(budget))
    }
}

/// Bytes charged to a budget; dropping it gives them back.
#[derive(Debug)]
#[must_use = "the charge ends when this is dropped"]
pub struct BudgetCharge {
    budget: BudgetRef,
    bytes: usize,
}

impl BudgetCharge {
    /// Bytes held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the charge to `bytes`.
    ///
    /// # Errors
    /// [`AllocError::BudgetExceeded`] if more was asked for and a budget refused; the charge stays
    /// as it was. Lowering never fails.
    pub fn resize(&mut self, bytes: usize) -> Result<(), AllocError> {
        if let Some(more) = bytes.checked_sub(self.bytes) {
            self.budget.get().take(more)?;
        } else {
            self.budget.get().give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for BudgetCharge {
    fn drop(&mut self) {
        self.budget.get().give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_by_the_parent_leaves_the_child_as_it_was() {
        static PARENT: MemoryBudget = MemoryBudget::new("parent", 100);
        static CHILD: MemoryBudget = MemoryBudget::child("child", 1000, &PARENT);
        let mut charge = BudgetRef::from(&CHILD).charge(60).unwrap();
        assert_eq!(
            charge.resize(101),
            Err(AllocError::BudgetExceeded {
                budget: "parent",
                requested: 41,
                available: 40,
                limit: 100
            })
        );
        assert_eq!((CHILD.used(), PARENT.used(), charge.bytes()), (60, 60, 60));
        assert_eq!((CHILD.refusals(), PARENT.refusals()), (0, 1));
        charge.resize(10).unwrap();
        assert_eq!((CHILD.used(), PARENT.used()), (10, 10));
        drop(charge);
        assert_eq!((CHILD.used(), PARENT.used()), (0, 0));
        assert_eq!((CHILD.peak(), PARENT.peak()), (60, 60));
    }

    #[test]
    fn a_sum_that_overflows_is_a_refusal() {
        static BUDGET: MemoryBudget = MemoryBudget::new("all", usize::MAX);
        let one = BudgetRef::from(&BUDGET).charge(1).unwrap();
        assert!(BudgetRef::from(&BUDGET).charge(usize::MAX).is_err());
        assert_eq!(BUDGET.used(), one.bytes());
    }

    #[test]
    fn threads_never_exceed_the_limit_together() {
        static BUDGET: MemoryBudget = MemoryBudget::new("threads", 1000);
        std::thread::scope(|scope| {
            for step in 1..=4_usize {
                scope.spawn(move || {
                    for _ in 0..20_000 {
                        let charge = BudgetRef::from(&BUDGET).charge(step * 97);
                        assert!(BUDGET.used() <= 1000);
                        drop(charge);
                    }
                });
            }
        });
        assert_eq!(BUDGET.used(), 0);
        assert!(BUDGET.peak() <= 1000);
    }
}
