//! What procnto does: `mmap`, `munmap`, `mprotect`, `mlock` (qnx-facts §6).

#![forbid(unsafe_code)]

use core::ffi::c_int;

use crate::complaints::Complaint;
use crate::memory;
use crate::pages::{Owner, Place};
use crate::qnx::{errno, map, prot, rlimit};
use crate::state::State;

/// The protection bits of Linux: 1, 2, 4.
const LINUX_PROTECTION: c_int = 7;

impl State {
    /// Whether any page of `start .. end` is the heap's.
    fn touches_heap(&self, start: usize, end: usize) -> bool {
        self.pages
            .touching(start, end)
            .any(|run| run.owner == Owner::Heap)
    }

    /// Refuses protection bits that do not exist, and complains about those of Linux and about
    /// writing together with executing.
    fn check_protection(&mut self, address: usize, protection: c_int) -> Result<(), c_int> {
        if protection & !prot::MASK != 0 {
            if protection & LINUX_PROTECTION != 0 {
                self.complaints.add(Complaint::LinuxProtection, address);
            }
            return Err(errno::EINVAL);
        }
        if protection & prot::WRITE != 0 && protection & prot::EXEC != 0 {
            self.complaints.add(Complaint::WriteAndExecute, address);
            if self.profile.refuses_write_and_execute() {
                return Err(errno::EACCES);
            }
        }
        Ok(())
    }

    /// `mmap` of anonymous memory; files and devices are not modelled (`ENOTSUP`).
    ///
    /// # Errors
    /// `EINVAL`, `ENOMEM`, `EACCES`, `ENOTSUP`.
    pub(crate) fn mmap(
        &mut self,
        address: usize,
        len: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
    ) -> Result<usize, c_int> {
        self.books_have_room()?;
        self.check_protection(address, protection)?;
        let anonymous = flags & map::ANON != 0;
        // Linux's MAP_ANONYMOUS is 0x20, which is another flag here.
        if !anonymous && flags & map::ELF != 0 && fd == -1 {
            self.complaints.add(Complaint::LinuxMapFlags, address);
            return Err(errno::EINVAL);
        }
        let kind = flags & (map::PRIVATE | map::SHARED);
        let one_kind = kind == map::PRIVATE || kind == map::SHARED;
        let unknown = flags & !self.profile.map_flags() != 0;
        if len == 0 || unknown || (self.profile.needs_one_map_type() && !one_kind) {
            return Err(errno::EINVAL);
        }
        if !anonymous && kind != (map::PRIVATE | map::SHARED) {
            return Err(errno::ENOTSUP);
        }
        let place = if flags & map::FIXED == 0 {
            Place::Anywhere
        } else {
            let end = address.checked_add(len).ok_or(errno::EINVAL)?;
            if !address.is_multiple_of(self.pages.page()) {
                return Err(errno::EINVAL);
            }
            if self.touches_heap(address, end) {
                self.complaints.add(Complaint::MapOverHeap, address);
                return Err(errno::EINVAL);
            }
            Place::At(address)
        };
        let lazy = flags & map::LAZY != 0;
        let base = self.map_within_limits(place, len, protection, Owner::User, lazy)?;
        if flags & map::NOINIT != 0 && self.profile.honours_noinit() {
            memory::fill(&self.pages, base, base + len, memory::GIVEN_BACK);
        }
        Ok(base)
    }

    /// `munmap`; holes are no error.
    ///
    /// # Errors
    /// `EINVAL`, `ENOMEM`.
    pub(crate) fn munmap(&mut self, address: usize, len: usize) -> Result<(), c_int> {
        let page = self.pages.page();
        let end = address
            .checked_add(len)
            .and_then(|end| end.checked_next_multiple_of(page))
            .ok_or(errno::EINVAL)?;
        if len == 0 || !address.is_multiple_of(page) {
            return Err(errno::EINVAL);
        }
        if self.touches_heap(address, end) {
            self.complaints.add(Complaint::UnmapOfHeap, address);
            return Err(errno::EINVAL);
        }
        // Only a cut needs room in the books.
        self.pages.unmap(address, end).inspect_err(|_| {
            self.complaints.add(Complaint::StandInLimit, address);
        })
    }

    /// `mprotect`: rounds outward to whole pages, as the kernel does.
    ///
    /// # Errors
    /// `EINVAL` for unknown bits, `ENOMEM` for no length and for a hole, `EACCES`.
    pub(crate) fn mprotect(
        &mut self,
        address: usize,
        len: usize,
        protection: c_int,
    ) -> Result<(), c_int> {
        self.books_have_room()?;
        self.check_protection(address, protection)?;
        let page = self.pages.page();
        let end = address.checked_add(len).ok_or(errno::ENOMEM)?;
        if len == 0 {
            return Err(errno::ENOMEM);
        }
        if !address.is_multiple_of(page) || !len.is_multiple_of(page) {
            self.complaints.add(Complaint::ProtectUnaligned, address);
        }
        let start = address - address % page;
        let end = end.checked_next_multiple_of(page).ok_or(errno::ENOMEM)?;
        let header = self.shape().header;
        let outside = self.pages.touching(start, end).any(|run| {
            let (from, to) = (run.start.max(start), run.end.min(end));
            run.owner == Owner::Heap && !self.heap.is_inside_live(from, to, header)
        });
        if outside && self.pages.is_mapped(start, end) {
            self.complaints.add(Complaint::ProtectOfMetadata, address);
        }
        self.pages.protect(start, end, protection)
    }

    /// `mlock` and `munlock`: the address is a page multiple, the length is rounded up.
    ///
    /// # Errors
    /// `EINVAL`, `ENOMEM` for a hole, `EPERM` or `EAGAIN` when refused, `EAGAIN` over
    /// `RLIMIT_MEMLOCK`.
    pub(crate) fn set_locked(
        &mut self,
        address: usize,
        len: usize,
        locked: bool,
    ) -> Result<(), c_int> {
        self.books_have_room()?;
        let page = self.pages.page();
        let end = address
            .checked_add(len)
            .and_then(|end| end.checked_next_multiple_of(page))
            .ok_or(errno::ENOMEM)?;
        if !address.is_multiple_of(page) {
            return Err(errno::EINVAL);
        }
        if locked && self.switches.mlock_refused != 0 {
            return Err(self.switches.mlock_refused);
        }
        let already = self.pages.bytes(|run| run.locked);
        let again: usize = self
            .pages
            .touching(address, end)
            .filter(|run| run.locked)
            .map(|run| run.end.min(end) - run.start.max(address))
            .sum();
        let total = (already - again).saturating_add(end - address);
        if locked && total as u64 > self.limits[rlimit::MEMLOCK] {
            return Err(errno::EAGAIN);
        }
        self.pages.set_locked(address, end, locked)
    }
}
