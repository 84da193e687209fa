//! Protections of ranges: set, lifted before a region goes back, put back after a failure.

use core::ops::Range;

use os::{OsCall, PageSource, Protection};

use super::Allocator;
use crate::arenas::HeldRegion;
use crate::protection_map::ProtectionMap;
use crate::region::checked_range;
use crate::{AllocError, ArenaSystem, ArenasRef};

impl<R: ArenasRef> Allocator<R> {
    pub(super) fn protect_bytes(
        &mut self,
        offset: usize,
        len: usize,
        protection: Protection,
    ) -> Result<(), AllocError> {
        self.check_operation()?;
        let live = self.live()?;
        let range = checked_range(offset, len, live.size())?;
        let page = self.arenas().system().facts().pages.page_size;
        if !page.divides(range.start) {
            return Err(AllocError::Misaligned {
                value: range.start,
                page_size: page.get(),
            });
        }
        if !page.divides(range.end) && range.end != live.size() {
            return Err(AllocError::Misaligned {
                value: range.end,
                page_size: page.get(),
            });
        }
        if protection == Protection::ReadWriteExecute && !self.options.write_and_execute {
            return Err(AllocError::WriteAndExecute);
        }
        if range.is_empty() {
            return Ok(());
        }
        self.permit(OsCall::Protect)?;
        let range = range.start..self.whole_pages(range.end);
        let protections = self.protections.with(range.clone(), protection)?;
        let (system, region) = (self.arenas().system(), live.held.region());
        // SAFETY: whole accessible pages of our own region (checked above); safe references into
        // the memory borrow the allocator, so there are none.
        let changed = unsafe { system.protect(region, range.start, range.len(), protection) };
        if let Err(error) = changed {
            self.restore(&live.held, &self.protections, range);
            return Err(error);
        }
        self.protections = protections;
        self.statistics.protects += 1;
        Ok(())
    }

    /// Makes every accessible byte readable and writable.
    pub(super) fn lift(
        &self,
        held: &HeldRegion,
        protections: &ProtectionMap,
    ) -> Result<(), AllocError> {
        let accessible = held.region().accessible();
        if protections.common() != Protection::ReadWrite {
            return self.set(held, 0..accessible, Protection::ReadWrite);
        }
        protections
            .exceptions()
            .try_for_each(|(range, _)| self.set(held, range, Protection::ReadWrite))
    }

    /// Gives a region whose accessible bytes are all readable and writable these protections.
    pub(super) fn apply(
        &self,
        held: &HeldRegion,
        protections: &ProtectionMap,
    ) -> Result<(), AllocError> {
        if protections.common() != Protection::ReadWrite {
            self.set(held, 0..held.region().accessible(), protections.common())?;
        }
        protections
            .exceptions()
            .try_for_each(|(range, protection)| self.set(held, range, protection))
    }

    /// Puts the protections of `range` back after a call that failed half-way. Pages whose
    /// protection was really changed get it back: the platform splits nothing it has not split
    /// already, so it has no reason to refuse. Should it refuse nevertheless, the page keeps a
    /// protection nobody asked for, and the error of the first call tells the user of trouble.
    pub(super) fn restore(
        &self,
        held: &HeldRegion,
        protections: &ProtectionMap,
        range: Range<usize>,
    ) {
        let mut position = range.start;
        let clip = |other: Range<usize>| other.start.max(range.start)..other.end.min(range.end);
        for (exception, protection) in protections.exceptions() {
            let exception = clip(exception);
            if exception.is_empty() {
                continue;
            }
            let _first_error_counts =
                self.set(held, position..exception.start, protections.common());
            position = exception.end;
            let _first_error_counts = self.set(held, exception, protection);
        }
        let _first_error_counts = self.set(held, position..range.end, protections.common());
    }

    pub(super) fn set(
        &self,
        held: &HeldRegion,
        range: Range<usize>,
        protection: Protection,
    ) -> Result<(), AllocError> {
        if range.is_empty() {
            return Ok(());
        }
        let system = self.arenas().system();
        // SAFETY: ranges of a protection map, or all accessible bytes: whole accessible pages of
        // our own region; safe references into the memory borrow the allocator, so there are none.
        unsafe { system.protect(held.region(), range.start, range.len(), protection) }
    }

    /// Makes accessible, writable pages resident.
    pub(super) fn prefault_range(
        &self,
        held: &mut HeldRegion,
        offset: usize,
        len: usize,
    ) -> Result<(), AllocError> {
        self.permit(OsCall::Prefault)?;
        // SAFETY: callers name accessible whole pages.
        let address = unsafe { held.region().address(offset) };
        // SAFETY: readable and writable pages of our own region, held mutably: no other writer.
        unsafe { self.arenas().system().source().prefault(address, len)? };
        Ok(())
    }
}
