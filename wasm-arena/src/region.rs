//! The shape of a region: where guards, data and room to grow lie. Pure arithmetic, no memory.
//!
//! ```text
//!   start                base (what the runtime gets)
//!     │ guard_before ────▶│ opened ──────────▶│ room to grow ───────▶│ guard_after ───▶│
//!     │ no access         │ readable, writable │ no access (yet)      │ no access       │
//!                         └───────────────── capacity ──────────────┘
//! ```
//!
//! Invariants of [`RegionLayout`]: (1) every length is a multiple of the host page; (2) `opened` is
//! at most `capacity`; (3) the total is neither zero nor above `isize::MAX`.
#![forbid(unsafe_code)]

use core::ops::Range;

use os::PageSize;

use crate::AllocError;

/// Lengths of the parts of a region, in bytes. See the picture in the module documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegionLayout {
    guard_before: usize,
    opened: usize,
    capacity: usize,
    guard_after: usize,
    guards_readable: bool,
    total: usize,
}

/// What a region is asked to look like, before rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RegionRequest {
    /// Inaccessible bytes before the data: a multiple of the host page.
    pub guard_before: usize,
    /// Bytes accessible from the start; rounded up to whole host pages.
    pub opened: usize,
    /// Bytes the data can grow to without moving; rounded up, and raised to `opened`.
    pub capacity: usize,
    /// Inaccessible bytes after the room to grow: a multiple of the host page.
    pub guard_after: usize,
    /// Guards can be read (as zeros) but not written. The room to grow stays inaccessible.
    pub guards_readable: bool,
}

/// Where an address lies within a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionPart {
    /// In the guard before the data.
    GuardBefore {
        /// Bytes from the address up to the base: 1 is the last byte of the guard.
        before_base: usize,
    },
    /// In the data of the memory.
    Data {
        /// Bytes from the base.
        offset: usize,
    },
    /// Behind the data, where the memory may grow to.
    RoomToGrow {
        /// Bytes from the base.
        offset: usize,
    },
    /// In the guard after the room to grow.
    GuardAfter {
        /// Bytes from the base.
        offset: usize,
    },
}

impl RegionLayout {
    /// Rounds and checks a request.
    ///
    /// A request for nothing at all gets a single inaccessible host page, so that every region has
    /// an address of its own.
    ///
    /// # Errors
    /// [`AllocError::Misaligned`] for a guard that is no multiple of the host page;
    /// [`AllocError::TooLarge`] if the parts do not fit `isize::MAX` bytes together.
    pub fn new(page: PageSize, request: RegionRequest) -> Result<Self, AllocError> {
        let RegionRequest {
            guard_before,
            opened,
            capacity,
            mut guard_after,
            guards_readable,
        } = request;
        for guard in [guard_before, guard_after] {
            if !page.divides(guard) {
                return Err(AllocError::Misaligned {
                    value: guard,
                    page_size: page.get(),
                });
            }
        }
        let too_large = |bytes: usize| AllocError::TooLarge {
            bytes: bytes as u64,
        };
        let opened = page.round_up(opened).ok_or(too_large(opened))?;
        let capacity = page
            .round_up(capacity)
            .ok_or(too_large(capacity))?
            .max(opened);
        if guard_before == 0 && capacity == 0 && guard_after == 0 {
            guard_after = page.get();
        }
        let total = guard_before
            .checked_add(capacity)
            .and_then(|sum| sum.checked_add(guard_after))
            .filter(|&sum| isize::try_from(sum).is_ok())
            .ok_or(AllocError::TooLarge {
                bytes: (guard_before as u64)
                    .saturating_add(capacity as u64)
                    .saturating_add(guard_after as u64),
            })?;
        Ok(Self {
            guard_before,
            opened,
            capacity,
            guard_after,
            guards_readable,
            total,
        })
    }

    /// Bytes of the guard before the data; also the distance from the start to the base.
    #[must_use]
    pub const fn guard_before(&self) -> usize {
        self.guard_before
    }

    /// Bytes accessible from the start.
    #[must_use]
    pub const fn opened(&self) -> usize {
        self.opened
    }

    /// Bytes of data and room to grow together.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of the guard after the room to grow.
    #[must_use]
    pub const fn guard_after(&self) -> usize {
        self.guard_after
    }

    /// Whether the guards can be read.
    #[must_use]
    pub const fn guards_readable(&self) -> bool {
        self.guards_readable
    }

    /// Bytes of the whole region.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }

    /// Whether a region of this layout can serve a request for `other`: the same parts, whatever
    /// is opened at the moment.
    #[must_use]
    pub const fn same_shape(&self, other: &Self) -> bool {
        self.guard_before == other.guard_before
            && self.capacity == other.capacity
            && self.guard_after == other.guard_after
            && self.guards_readable == other.guards_readable
    }

    /// Which part of a region that starts at `start`, with `size` bytes of data, holds `address`;
    /// `None` if it lies outside. Constant time.
    #[must_use]
    pub fn part_at(&self, start: usize, size: usize, address: usize) -> Option<RegionPart> {
        let from_start = address
            .checked_sub(start)
            .filter(|&offset| offset < self.total)?;
        Some(match from_start.checked_sub(self.guard_before) {
            None => RegionPart::GuardBefore {
                before_base: self.guard_before - from_start,
            },
            Some(offset) if offset < size => RegionPart::Data { offset },
            Some(offset) if offset < self.capacity => RegionPart::RoomToGrow { offset },
            Some(offset) => RegionPart::GuardAfter { offset },
        })
    }
}

/// `offset .. offset + len`, if that lies inside `size` bytes.
pub(crate) fn checked_range(
    offset: usize,
    len: usize,
    size: usize,
) -> Result<Range<usize>, AllocError> {
    match offset.checked_add(len) {
        Some(end) if end <= size => Ok(offset..end),
        _ => Err(AllocError::OutOfRange { offset, len, size }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    fn layout(before: usize, opened: usize, capacity: usize, after: usize) -> RegionLayout {
        RegionLayout::new(
            PageSize::new(PAGE).unwrap(),
            RegionRequest {
                guard_before: before,
                opened,
                capacity,
                guard_after: after,
                guards_readable: false,
            },
        )
        .unwrap()
    }

    #[test]
    fn invariants_hold_over_a_grid() {
        let page = PageSize::new(PAGE).unwrap();
        let sizes = [0, 1, PAGE - 1, PAGE, PAGE + 1, 65_536, 65_537, 1 << 24];
        for before in [0, PAGE, 65_536] {
            for after in [0, PAGE, 1 << 21] {
                for opened in sizes {
                    for capacity in sizes {
                        let layout = layout(before, opened, capacity, after);
                        for part in [
                            layout.guard_before(),
                            layout.opened(),
                            layout.capacity(),
                            layout.guard_after(),
                        ] {
                            assert!(page.divides(part));
                        }
                        assert!(layout.opened() >= opened && layout.opened() < opened + PAGE);
                        assert!(layout.opened() <= layout.capacity());
                        assert!(layout.capacity() >= capacity);
                        assert_eq!(
                            layout.total(),
                            layout.guard_before() + layout.capacity() + layout.guard_after()
                        );
                        assert!(layout.total() > 0);
                    }
                }
            }
        }
    }

    #[test]
    fn every_byte_belongs_to_one_part() {
        let layout = layout(PAGE, 2 * PAGE, 4 * PAGE, PAGE);
        let (start, size) = (0x10_0000, PAGE + 100);
        let base = start + PAGE;
        assert_eq!(layout.part_at(start, size, start - 1), None);
        assert_eq!(
            layout.part_at(start, size, start),
            Some(RegionPart::GuardBefore { before_base: PAGE })
        );
        assert_eq!(
            layout.part_at(start, size, base - 1),
            Some(RegionPart::GuardBefore { before_base: 1 })
        );
        assert_eq!(
            layout.part_at(start, size, base),
            Some(RegionPart::Data { offset: 0 })
        );
        assert_eq!(
            layout.part_at(start, size, base + size),
            Some(RegionPart::RoomToGrow { offset: size })
        );
        assert_eq!(
            layout.part_at(start, size, base + 4 * PAGE),
            Some(RegionPart::GuardAfter { offset: 4 * PAGE })
        );
        assert_eq!(layout.part_at(start, size, start + layout.total()), None);
    }

    #[test]
    fn sums_that_overflow_are_refused() {
        let page = PageSize::new(PAGE).unwrap();
        let huge = isize::MAX as usize & !(PAGE - 1);
        for request in [
            RegionRequest {
                opened: usize::MAX,
                ..RegionRequest::default()
            },
            RegionRequest {
                capacity: usize::MAX - PAGE,
                ..RegionRequest::default()
            },
            RegionRequest {
                capacity: huge,
                guard_after: PAGE,
                ..RegionRequest::default()
            },
            RegionRequest {
                guard_before: huge,
                guard_after: huge,
                ..RegionRequest::default()
            },
        ] {
            assert!(matches!(
                RegionLayout::new(page, request),
                Err(AllocError::TooLarge { .. })
            ));
        }
    }

    #[test]
    fn a_guard_of_half_a_page_is_refused() {
        let request = RegionRequest {
            guard_after: PAGE / 2,
            ..RegionRequest::default()
        };
        assert_eq!(
            RegionLayout::new(PageSize::new(PAGE).unwrap(), request),
            Err(AllocError::Misaligned {
                value: PAGE / 2,
                page_size: PAGE
            })
        );
    }

    #[test]
    fn ranges_never_wrap() {
        assert_eq!(checked_range(0, 0, 0), Ok(0..0));
        assert_eq!(checked_range(4, 4, 8), Ok(4..8));
        for (offset, len) in [(4, 5), (9, 0), (usize::MAX, 1), (1, usize::MAX)] {
            assert_eq!(
                checked_range(offset, len, 8),
                Err(AllocError::OutOfRange {
                    offset,
                    len,
                    size: 8
                })
            );
        }
    }
}
