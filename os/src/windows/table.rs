//! Where windows are written down, so that a signal handler can read it.
//!
//! ```text
//!                    closed_from        opened_to              end
//!        │ data, accessible │ opened by faults │ closed, zero   │
//! ```
//!
//! A slot is changed only by whoever holds its memory exclusively, between two of its lives, except
//! for `opened_to`, which faults move. A handler that meets a slot in the middle of a change passes
//! it by: the memory it looks for is in use, so its slot is not being changed.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};

/// Memories with a window at a time. One that finds no slot does without.
const SLOTS: usize = 1024;

/// Slots looked at for one memory.
const PROBES: usize = 8;

/// An end that no memory has: the slot is being set up.
const CLAIMED: usize = 1;

/// One memory. All addresses are of whole host pages. Owners write to their slots, so that no two
/// share a cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Slot {
    /// Odd while the bounds change.
    version: AtomicUsize,
    /// Where the memory ends: what it is found by. 0: nobody's.
    end: AtomicUsize,
    /// Where it was closed from; 0 while it is not.
    closed_from: AtomicUsize,
    /// Up to where faults have opened it again.
    opened_to: AtomicUsize,
    /// Lives since the last change.
    pub(super) lives: AtomicU32,
    /// The furthest address that lives since then have touched.
    pub(super) furthest: AtomicUsize,
    /// Most of what is accessible was touched when somebody asked last.
    pub(super) is_dense: AtomicBool,
    /// All that should be closed is.
    is_certain: AtomicBool,
}

/// The bounds of a closed slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) closed_from: usize,
    pub(super) opened_to: usize,
    pub(super) end: usize,
}

impl Slot {
    const fn free_one() -> Self {
        Self {
            version: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            closed_from: AtomicUsize::new(0),
            opened_to: AtomicUsize::new(0),
            lives: AtomicU32::new(0),
            furthest: AtomicUsize::new(0),
            is_dense: AtomicBool::new(false),
            is_certain: AtomicBool::new(true),
        }
    }

    /// The bounds, if it is closed and nobody is changing it.
    pub(super) fn bounds(&self) -> Option<Bounds> {
        let before = self.version.load(Ordering::Acquire);
        let bounds = Bounds {
            closed_from: self.closed_from.load(Ordering::Relaxed),
            opened_to: self.opened_to.load(Ordering::Relaxed),
            end: self.end.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let after = self.version.load(Ordering::Relaxed);
        (before == after && before.is_multiple_of(2) && bounds.closed_from != 0).then_some(bounds)
    }

    fn change(&self, what: impl FnOnce()) {
        self.version.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        what();
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Whether everything from [`Bounds::opened_to`] on is closed.
    pub(super) fn is_certain(&self) -> bool {
        self.is_certain.load(Ordering::Relaxed)
    }

    /// Notes that it is closed from there on. Only for whoever holds the memory.
    pub(super) fn note_closed(&self, from: usize) {
        self.is_certain.store(true, Ordering::Relaxed);
        self.set_closed(from);
    }

    /// Notes that parts are closed from there on, and nobody knows which: faults are handled, and
    /// nothing follows from there being none. Only for whoever holds the memory.
    pub(super) fn note_closed_in_part(&self, from: usize) {
        self.is_certain.store(false, Ordering::Relaxed);
        self.set_closed(from);
    }

    fn set_closed(&self, from: usize) {
        self.change(|| {
            self.closed_from.store(from, Ordering::Relaxed);
            self.opened_to.store(from, Ordering::Relaxed);
        });
        self.forget_lives();
    }

    /// Notes that a fault opened it up to there. For everybody.
    pub(super) fn note_opened(&self, to: usize) {
        self.opened_to.fetch_max(to, Ordering::Relaxed);
        self.is_dense.store(false, Ordering::Relaxed);
        self.forget_lives();
    }

    pub(super) fn forget_lives(&self) {
        self.lives.store(0, Ordering::Relaxed);
        self.furthest.store(0, Ordering::Relaxed);
    }

    /// Gives it back. Only for whoever holds the memory.
    pub(super) fn free(&self) {
        self.change(|| {
            self.closed_from.store(0, Ordering::Relaxed);
            self.end.store(0, Ordering::Relaxed);
        });
    }

    /// Whether its closed part, or its last byte, lies in the range.
    fn concerns(&self, start: usize, end: usize) -> bool {
        let own_end = self.end.load(Ordering::Relaxed);
        let own_start = match self.closed_from.load(Ordering::Relaxed) {
            0 => own_end.saturating_sub(1),
            from => from,
        };
        own_end > CLAIMED && own_start < end && start < own_end
    }
}

/// All slots. Slots above `used` were never anybody's.
#[derive(Debug)]
pub(super) struct Table {
    slots: [Slot; SLOTS],
    used: AtomicUsize,
}

impl Table {
    pub(super) const fn new() -> Self {
        Self {
            slots: [const { Slot::free_one() }; SLOTS],
            used: AtomicUsize::new(0),
        }
    }

    /// The slot of a memory that ends there; a new one if it has none.
    pub(super) fn of(&self, end: usize) -> Option<&Slot> {
        // Multiplicative hashing; the lowest bits of an address of a page say nothing.
        let first = (end >> 12).wrapping_mul(0x9e37_79b9) >> 8;
        let indexes = (0..PROBES).map(|probe| (first + probe) % SLOTS);
        let known = indexes
            .clone()
            .find(|&index| self.slots[index].end.load(Ordering::Relaxed) == end);
        if let Some(index) = known {
            return Some(&self.slots[index]);
        }
        for index in indexes {
            let slot = &self.slots[index];
            let claimed =
                slot.end
                    .compare_exchange(0, CLAIMED, Ordering::Acquire, Ordering::Relaxed);
            if claimed.is_ok() {
                self.used.fetch_max(index + 1, Ordering::Relaxed);
                slot.is_dense.store(false, Ordering::Relaxed);
                slot.forget_lives();
                slot.change(|| slot.end.store(end, Ordering::Relaxed));
                return Some(slot);
            }
        }
        None
    }

    fn used(&self) -> &[Slot] {
        let used = self.used.load(Ordering::Relaxed).min(SLOTS);
        &self.slots[..used]
    }

    /// The closed slot in whose closed part, or what was opened of it, the address lies.
    pub(super) fn at(&self, address: usize) -> Option<(&Slot, Bounds)> {
        self.used().iter().find_map(|slot| {
            let bounds = slot.bounds()?;
            (bounds.closed_from..bounds.end)
                .contains(&address)
                .then_some((slot, bounds))
        })
    }

    /// Slots of memories that a change of this range concerns. Their memories are the caller's: nobody
    /// else changes pages there.
    pub(super) fn concerned(&self, start: usize, end: usize) -> impl Iterator<Item = &Slot> {
        self.used()
            .iter()
            .filter(move |slot| slot.concerns(start, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_by_end_and_by_address() {
        let table = Table::new();
        let slot = table.of(0x20_000).unwrap();
        assert!(core::ptr::eq(slot, table.of(0x20_000).unwrap()));
        assert!(!core::ptr::eq(slot, table.of(0x30_000).unwrap()));
        assert_eq!(slot.bounds(), None);
        slot.note_closed(0x1c_000);
        for (address, found) in [
            (0x1b_fff, false),
            (0x1c_000, true),
            (0x1f_fff, true),
            (0x20_000, false),
        ] {
            assert_eq!(table.at(address).is_some(), found, "{address:#x}");
        }
        slot.note_opened(0x1d_000);
        slot.note_opened(0x1c_800);
        let bounds = slot.bounds().unwrap();
        assert_eq!((bounds.closed_from, bounds.opened_to), (0x1c_000, 0x1d_000));
        // What is opened stays in the slot: another thread may have faulted there, too.
        assert!(table.at(0x1c_000).is_some());
    }

    #[test]
    fn a_change_concerns_what_it_overlaps_and_no_neighbour() {
        let table = Table::new();
        let slot = table.of(0x20_000).unwrap();
        let concerned = |start, end| table.concerned(start, end).count();
        assert_eq!(concerned(0x10_000, 0x20_000), 1, "its last page");
        assert_eq!(concerned(0x10_000, 0x1f_000), 0, "nothing is closed");
        slot.note_closed(0x18_000);
        assert_eq!(concerned(0x10_000, 0x1f_000), 1);
        assert_eq!(concerned(0x10_000, 0x18_000), 0);
        assert_eq!(concerned(0x1f_fff, 0x30_000), 1);
        assert_eq!(concerned(0x20_000, 0x30_000), 0, "somebody else's");
        slot.free();
        assert_eq!(concerned(0, usize::MAX), 0);
    }

    #[test]
    fn a_full_table_gives_nothing_away() {
        let table = Table::new();
        let given = (1..=4 * SLOTS)
            .filter_map(|page| table.of(page << 12))
            .count();
        assert!((SLOTS / 2..=SLOTS).contains(&given), "{given}");
        let ends: usize = table
            .slots
            .iter()
            .filter(|slot| slot.end.load(Ordering::Relaxed) > CLAIMED)
            .count();
        assert_eq!(given, ends);
        for page in 1..=4 * SLOTS {
            for slot in table.concerned((page << 12) - 1, page << 12) {
                slot.free();
            }
        }
        assert!(
            table
                .slots
                .iter()
                .all(|slot| slot.end.load(Ordering::Relaxed) == 0)
        );
    }
}
