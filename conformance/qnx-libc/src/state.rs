//! The state of the stand-in: one value behind one lock.

#![forbid(unsafe_code)]

use core::ffi::c_int;

use crate::aps::Partitions;
use crate::calls::Calls;
use crate::complaints::{Complaint, Complaints};
use crate::heap::Heap;
use crate::layout::Shape;
use crate::lock::{Guard, Spin};
use crate::mutexes::Mutexes;
use crate::pages::{Owner, Pages, Place};
use crate::profile::Profile;
use crate::qnx::{errno, rlimit};
use crate::switches::Switches;

/// Everything.
pub(crate) struct State {
    pub(crate) profile: Profile,
    pub(crate) calls: Calls,
    pub(crate) complaints: Complaints,
    pub(crate) switches: Switches,
    pub(crate) limits: [u64; rlimit::MOST_KINDS],
    pub(crate) pages: Pages,
    pub(crate) heap: Heap,
    pub(crate) partitions: Partitions,
    pub(crate) mutexes: Mutexes,
}

static STATE: Spin<State> = Spin::new(State::new());

/// The state, for this thread alone until the guard is dropped.
pub(crate) fn state() -> Guard<'static, State> {
    STATE.lock()
}

impl State {
    const fn new() -> Self {
        Self {
            profile: Profile::Sdp71,
            calls: Calls::new(),
            complaints: Complaints::new(),
            switches: Switches::new(),
            limits: [rlimit::INFINITY; rlimit::MOST_KINDS],
            pages: Pages::new(),
            heap: Heap::new(),
            partitions: Partitions::new(),
            mutexes: Mutexes::new(),
        }
    }

    /// Gives everything back and starts again with a profile. Mutexes stay: a program has them in
    /// statics.
    pub(crate) fn reset(&mut self, profile: Profile) {
        self.pages.clear();
        self.heap.clear();
        self.complaints.clear();
        self.profile = profile;
        self.calls = Calls::new();
        self.switches = Switches::new();
        self.limits = [rlimit::INFINITY; rlimit::MOST_KINDS];
        self.partitions = Partitions::new();
    }

    /// The shape of the heap here and now.
    pub(crate) fn shape(&self) -> Shape {
        Shape::of(self.profile, size_of::<usize>())
    }

    /// Says so, once per call, when the books are full: what follows is no answer of QNX's.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn books_have_room(&mut self) -> Result<(), c_int> {
        let heap = &mut self.heap;
        let room = heap.blocks.has_room(4)
            && heap.arenas.has_room(1)
            && heap.cache.has_room(1)
            && self.pages.has_room();
        if room {
            return Ok(());
        }
        self.complaints.add(Complaint::StandInLimit, 0);
        Err(errno::ENOMEM)
    }

    /// Maps memory within all limits.
    ///
    /// # Errors
    /// `ENOMEM` over a limit (qnx-facts §7.1: refused when the new total reaches it), or what
    /// [`Pages::map`] says.
    pub(crate) fn map_within_limits(
        &mut self,
        place: Place,
        len: usize,
        protection: c_int,
        owner: Owner,
        lazy: bool,
    ) -> Result<usize, c_int> {
        let held = self.pages.bytes(|run| !run.lazy);
        let total = held.checked_add(len).ok_or(errno::ENOMEM)?;
        let limit = self.switches.memory_limit;
        if limit != 0 && !lazy && total > limit {
            return Err(errno::ENOMEM);
        }
        let spoken_for = self
            .pages
            .bytes(|_| true)
            .checked_add(len)
            .ok_or(errno::ENOMEM)? as u64;
        if [rlimit::DATA, rlimit::AS]
            .iter()
            .any(|&kind| spoken_for >= self.limits[kind])
        {
            return Err(errno::ENOMEM);
        }
        self.pages.map(place, len, protection, owner, lazy)
    }
}
