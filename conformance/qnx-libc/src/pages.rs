//! The books of all pages, and the only place that maps, unmaps, protects and locks.
//!
//! ```text
//!   runs, sorted:   | heap rw | user none | user rw |      hole      | heap rw |
//! ```
//!
//! Invariants: (1) runs are sorted, do not overlap, and start and end at multiples of the modelled page
//! size; (2) every page of a run is mapped in Linux with the protection of the run; (3) no other code
//! of the process maps or unmaps inside a run.

use core::ffi::c_int;

use crate::linux;
use crate::qnx::errno;
use crate::table::Table;

/// Who asked for a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The heap.
    Heap,
    /// A caller of `mmap`.
    User,
}

/// Neighbouring pages of one mapping in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// QNX's bits.
    pub(crate) protection: c_int,
    pub(crate) locked: bool,
    pub(crate) owner: Owner,
    /// Which mapping it belongs to.
    pub(crate) mapping: u64,
    /// Without a reservation of memory.
    pub(crate) lazy: bool,
}

/// Where a mapping is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Wherever there is room.
    Anywhere,
    /// At this address.
    At(usize),
}

/// The books.
pub(crate) struct Pages {
    runs: Table<Run>,
    next_mapping: u64,
    page: usize,
}

impl Pages {
    /// Empty books for pages of 4 KiB.
    pub(crate) const fn new() -> Self {
        Self {
            runs: Table::new(1 << 15),
            next_mapping: 1,
            page: 4096,
        }
    }

    /// Whether the books have room for what one call may cut.
    pub(crate) fn has_room(&mut self) -> bool {
        self.runs.has_room(4)
    }

    /// The modelled page size in bytes.
    pub(crate) fn page(&self) -> usize {
        self.page
    }

    /// Sets the modelled page size; only while nothing is mapped.
    pub(crate) fn set_page(&mut self, page: usize) -> bool {
        let fits = page >= linux::page_size() && self.runs.all().is_empty();
        if fits {
            self.page = page;
        }
        fits
    }

    /// Gives every page back.
    pub(crate) fn clear(&mut self) {
        for run in self.runs.all() {
            // SAFETY: a run is ours (2), and whoever resets the stand-in says it is used no more.
            unsafe { linux::unmap(run.start, run.end - run.start) };
        }
        self.runs.clear();
        self.page = linux::page_size().max(4096);
    }

    /// The index of the first run that ends above `address`.
    fn index(&self, address: usize) -> usize {
        self.runs.all().partition_point(|run| run.end <= address)
    }

    /// The run that holds `address`.
    pub(crate) fn run_of(&self, address: usize) -> Option<&Run> {
        self.runs
            .all()
            .get(self.index(address))
            .filter(|run| run.start <= address)
    }

    /// The runs that touch `start .. end`.
    pub(crate) fn touching(&self, start: usize, end: usize) -> impl Iterator<Item = &Run> {
        self.runs.all()[self.index(start)..]
            .iter()
            .take_while(move |run| run.start < end)
    }

    /// Whether every page of `start .. end` is mapped.
    pub(crate) fn is_mapped(&self, start: usize, end: usize) -> bool {
        self.allows(start, end, 0)
    }

    /// Whether every page of `start .. end` is mapped and has all `bits`.
    pub(crate) fn allows(&self, start: usize, end: usize, bits: c_int) -> bool {
        let mut reached = start;
        for run in self.touching(start, end) {
            if run.start > reached || run.protection & bits != bits {
                return false;
            }
            reached = run.end;
        }
        reached >= end
    }

    /// Whether a page of `start .. end` is locked.
    pub(crate) fn any_locked(&self, start: usize, end: usize) -> bool {
        self.touching(start, end).any(|run| run.locked)
    }

    /// Bytes of all runs that `which` picks.
    pub(crate) fn bytes(&self, which: impl Fn(&Run) -> bool) -> usize {
        self.runs
            .all()
            .iter()
            .filter(|run| which(run))
            .map(|run| run.end - run.start)
            .sum()
    }

    /// Number of mappings made by callers of `mmap` of which a page is left.
    pub(crate) fn user_mappings(&self) -> usize {
        let runs = self.runs.all();
        let is_first = |index: usize, run: &Run| {
            runs[..index]
                .iter()
                .all(|before| before.mapping != run.mapping)
        };
        runs.iter()
            .enumerate()
            .filter(|(index, run)| run.owner == Owner::User && is_first(*index, run))
            .count()
    }

    /// Maps `len` bytes, rounded up to pages.
    ///
    /// # Errors
    /// `ENOMEM` if Linux or the books have no room; `EINVAL` for a place that is not free.
    pub(crate) fn map(
        &mut self,
        place: Place,
        len: usize,
        protection: c_int,
        owner: Owner,
        lazy: bool,
    ) -> Result<usize, c_int> {
        let len = len
            .checked_next_multiple_of(self.page)
            .ok_or(errno::ENOMEM)?;
        if !self.has_room() {
            return Err(errno::ENOMEM);
        }
        let start = match place {
            Place::Anywhere => {
                linux::map_aligned(len, self.page, protection).ok_or(errno::ENOMEM)?
            }
            Place::At(start) => {
                let end = start.checked_add(len).ok_or(errno::EINVAL)?;
                // What callers mapped there goes, as with every fixed mapping.
                self.unmap(start, end)?;
                if !linux::map_at(start, len, protection) {
                    return Err(errno::EINVAL);
                }
                start
            }
        };
        let mapping = self.next_mapping;
        self.next_mapping += 1;
        let end = start + len;
        let run = Run {
            start,
            end,
            protection,
            locked: false,
            owner,
            mapping,
            lazy,
        };
        let index = self.index(start);
        self.runs.insert(index, run);
        Ok(start)
    }

    /// Cuts the run around `address`, so that a run starts there.
    fn cut(&mut self, address: usize) -> Result<(), c_int> {
        let index = self.index(address);
        let Some(run) = self.runs.all().get(index).copied() else {
            return Ok(());
        };
        if run.start >= address {
            return Ok(());
        }
        if !self.runs.insert(
            index + 1,
            Run {
                start: address,
                ..run
            },
        ) {
            return Err(errno::ENOMEM);
        }
        self.runs.all_mut()[index].end = address;
        Ok(())
    }

    /// Joins neighbours of one mapping that are in one state.
    fn join(&mut self, start: usize, end: usize) {
        let mut index = self.index(start).saturating_sub(1);
        while index + 1 < self.runs.all().len() && self.runs.all()[index].start <= end {
            let (left, right) = (self.runs.all()[index], self.runs.all()[index + 1]);
            if left.end == right.start
                && (Run {
                    start: left.start,
                    ..right
                }) == (Run {
                    end: right.end,
                    ..left
                })
            {
                self.runs.all_mut()[index].end = right.end;
                self.runs.remove(index + 1);
            } else {
                index += 1;
            }
        }
    }

    /// Takes the pages of `start .. end` away, as far as they are in the books.
    ///
    /// # Errors
    /// `ENOMEM` if the books have no room for the cut; nothing is changed then.
    pub(crate) fn unmap(&mut self, start: usize, end: usize) -> Result<(), c_int> {
        self.cut(start)?;
        self.cut(end)?;
        loop {
            let index = self.index(start);
            let Some(run) = self.runs.all().get(index).copied() else {
                return Ok(());
            };
            if run.start >= end {
                return Ok(());
            }
            // SAFETY: a run is ours (2); the caller of `munmap` or the heap says it is used no more.
            unsafe { linux::unmap(run.start, run.end - run.start) };
            self.runs.remove(index);
        }
    }

    /// Changes the protection of `start .. end`, all of which is mapped.
    ///
    /// # Errors
    /// `ENOMEM` for a hole, and if Linux or the books have no room.
    pub(crate) fn protect(
        &mut self,
        start: usize,
        end: usize,
        protection: c_int,
    ) -> Result<(), c_int> {
        if !self.is_mapped(start, end) {
            return Err(errno::ENOMEM);
        }
        self.cut(start)?;
        self.cut(end)?;
        // SAFETY: all pages are in the books, so they are ours (2).
        if !unsafe { linux::protect(start, end - start, protection) } {
            return Err(errno::ENOMEM);
        }
        self.change(start, end, |run| run.protection = protection);
        Ok(())
    }

    /// Locks or unlocks `start .. end`, all of which is mapped.
    ///
    /// # Errors
    /// `ENOMEM` for a hole, and if the books have no room.
    pub(crate) fn set_locked(
        &mut self,
        start: usize,
        end: usize,
        locked: bool,
    ) -> Result<(), c_int> {
        if !self.is_mapped(start, end) {
            return Err(errno::ENOMEM);
        }
        self.cut(start)?;
        self.cut(end)?;
        linux::lock(start, end - start, locked);
        self.change(start, end, |run| run.locked = locked);
        Ok(())
    }

    fn change(&mut self, start: usize, end: usize, how: impl Fn(&mut Run)) {
        let first = self.index(start);
        for run in self.runs.all_mut()[first..]
            .iter_mut()
            .take_while(|run| run.start < end)
        {
            how(run);
        }
        self.join(start, end);
    }
}
