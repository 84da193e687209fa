//! What a memory must show after a run of operations: sizes, patterns, protections.
//!
//! ```text
//!   memory  | unit 0 | unit 1 | unit 2 | ...      a unit: a host page, at least 4 KiB
//!   seeds   |   17   |    0   |   17   | ...      the pattern it holds; 0: zeros
//!   protect |  rw    |    r   |  none  | ...
//! ```
//!
//! That is all that is remembered: bytes follow from it.
#![forbid(unsafe_code)]

use core::ops::Range;

use os::Protection;
use wasm_arena::{Allocator, ArenasRef, PageAllocator};

use crate::failure::{ensure, ensure_eq};
use crate::support::{
    ensure_guarded, ensure_pattern, ensure_protection, ensure_zero, facts, signed,
};
use crate::{Subject, Verdict};

/// The most units a memory grows to.
pub(super) const MOST: usize = 48;

/// What a memory must show.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// Bytes of a unit.
    pub(super) unit: usize,
    /// Bytes of data; none without a memory.
    pub(super) size: Option<usize>,
    /// Bytes of data at allocation.
    pub(super) initial: usize,
    /// Bytes it may grow to.
    pub(super) maximum: Option<usize>,
    /// The pattern of each unit; 0 for zeros.
    pub(super) seeds: [u8; MOST],
    /// The protection of each unit.
    pub(super) protections: [Protection; MOST],
}

impl Expected {
    pub(super) fn new<P: Subject>(subject: &P) -> Self {
        Self {
            unit: facts(subject).pages.page_size.get().max(4096),
            size: None,
            initial: 0,
            maximum: None,
            seeds: [0; MOST],
            protections: [Protection::ReadWrite; MOST],
        }
    }

    /// Units of data; 0 without a memory.
    pub(super) fn units(&self) -> usize {
        self.size.unwrap_or(0) / self.unit
    }

    /// The range of `count` units from `from` on, as far as there are so many.
    pub(super) fn clip(&self, from: usize, count: usize) -> Range<usize> {
        let end = (from + count).min(self.units());
        from.min(end)..end
    }

    pub(super) fn bytes(&self, units: &Range<usize>) -> Range<usize> {
        units.start * self.unit..units.end * self.unit
    }

    pub(super) fn allocate(&mut self, initial: usize, maximum: Option<usize>) {
        self.size = Some(initial);
        self.initial = initial;
        self.maximum = maximum;
        self.seeds = [0; MOST];
        self.protections = [Protection::ReadWrite; MOST];
    }

    pub(super) fn reset(&mut self) {
        self.allocate(self.initial, self.maximum);
    }

    pub(super) fn end(&mut self) {
        self.size = None;
    }

    /// Runs of units that differ from plain ones.
    pub(super) fn protected_ranges(&self) -> usize {
        let mut previous = Protection::ReadWrite;
        let mut ranges = 0;
        for &protection in &self.protections[..self.units()] {
            if protection != previous && protection != Protection::ReadWrite {
                ranges += 1;
            }
            previous = protection;
        }
        ranges
    }
}

/// Fails unless the memory has the size expected, and its first and last bytes are as expected.
pub(super) fn glance<A: PageAllocator>(memory: &A, expected: &Expected) -> Verdict {
    ensure_eq!(
        memory.base().is_some(),
        expected.size.is_some(),
        "there is a memory or not"
    );
    ensure_eq!(
        memory.size(),
        expected.size.unwrap_or(0),
        "the size is as expected"
    );
    let units = expected.units();
    if units > 0 {
        check_unit(memory, expected, 0)?;
        check_unit(memory, expected, units - 1)?;
    }
    Ok(())
}

/// Fails unless every byte is as expected.
pub(super) fn check_contents<A: PageAllocator>(memory: &A, expected: &Expected) -> Verdict {
    glance(memory, expected)?;
    for unit in 0..expected.units() {
        check_unit(memory, expected, unit)?;
    }
    Ok(())
}

fn check_unit<A: PageAllocator>(memory: &A, expected: &Expected, unit: usize) -> Verdict {
    let range = expected.bytes(&(unit..unit + 1));
    let protection = expected.protections[unit];
    for (write, allowed) in [
        (false, protection.can_read()),
        (true, protection.can_write()),
    ] {
        ensure_eq!(
            memory.first_refusal(range.clone(), write).is_none(),
            allowed,
            "the protection is remembered"
        );
    }
    match expected.seeds[unit] {
        _ if !protection.can_read() => Ok(()),
        0 => ensure_zero(memory, range),
        seed => ensure_pattern(memory, range, seed),
    }
}

/// Fails unless every byte, every protection and the guards are as expected: seen through the
/// bench, where there is one.
pub(super) fn check<P: Subject, R: ArenasRef>(
    subject: &P,
    memory: &Allocator<R>,
    expected: &Expected,
) -> Verdict {
    check_contents(memory, expected)?;
    ensure!(
        memory.capacity() >= memory.size(),
        "the capacity holds the size"
    );
    if expected.size.is_none() {
        return Ok(());
    }
    ensure_guarded(subject, memory)?;
    let mut previous = None;
    for unit in 0..expected.units() {
        // The ends of every run of equal protections are enough to place it.
        let protection = expected.protections[unit];
        if previous != Some(protection) {
            let start = signed(unit * expected.unit);
            ensure_protection(subject, memory, start, protection)?;
            if let Some(previous) = previous {
                ensure_protection(subject, memory, start - 1, previous)?;
            }
        }
        previous = Some(protection);
    }
    Ok(())
}
