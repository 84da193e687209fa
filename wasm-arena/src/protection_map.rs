//! Which ranges of a memory have a protection of their own. Pure, fixed size, no heap.
//!
//! A memory has one protection for all its data and up to [`LIMIT`] ranges that differ from it. The
//! map remembers them, so that growth that moves can put them back, release can lift them, and the
//! safe face of a memory can refuse an access that would fault.
//!
//! Invariants: (1) ranges are sorted, not empty, and do not overlap; (2) neighbours that touch have
//! different protections; (3) no range has the common protection.
#![forbid(unsafe_code)]

use core::ops::Range;

use os::Protection;

use crate::AllocError;

/// Ranges with a protection of their own that one memory keeps.
pub const LIMIT: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    start: usize,
    end: usize,
    protection: Protection,
}

const NOTHING: Entry = Entry {
    start: 0,
    end: 0,
    protection: Protection::ReadWrite,
};

/// The protections of one memory.
#[derive(Debug, Clone)]
pub(crate) struct ProtectionMap {
    common: Protection,
    len: usize,
    entries: [Entry; LIMIT],
}

impl ProtectionMap {
    /// A map without exceptions.
    pub(crate) const fn new(common: Protection) -> Self {
        Self {
            common,
            len: 0,
            entries: [NOTHING; LIMIT],
        }
    }

    /// Forgets all exceptions. Constant time, whatever the limit.
    pub(crate) const fn reset(&mut self, common: Protection) {
        self.common = common;
        self.len = 0;
    }

    /// Whether all data can be read and written, and nothing else.
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self.common, Protection::ReadWrite) && self.len == 0
    }

    /// The protection of everything that has none of its own.
    pub(crate) const fn common(&self) -> Protection {
        self.common
    }

    /// The ranges that differ from the common protection, in ascending order.
    pub(crate) fn exceptions(&self) -> impl Iterator<Item = (Range<usize>, Protection)> + '_ {
        self.entries[..self.len]
            .iter()
            .map(|entry| (entry.start..entry.end, entry.protection))
    }

    /// This map with `range` set to `protection`; the map itself stays as it is.
    pub(crate) fn with(
        &self,
        range: Range<usize>,
        protection: Protection,
    ) -> Result<Self, AllocError> {
        let mut result = Self::new(self.common);
        let mut placed = false;
        for &entry in &self.entries[..self.len] {
            if entry.start >= range.end && !placed {
                result.push(Entry {
                    start: range.start,
                    end: range.end,
                    protection,
                })?;
                placed = true;
            }
            let before = Entry {
                end: entry.end.min(range.start),
                ..entry
            };
            result.push(before)?;
            if entry.end > range.end && !placed {
                result.push(Entry {
                    start: range.start,
                    end: range.end,
                    protection,
                })?;
                placed = true;
            }
            let after = Entry {
                start: entry.start.max(range.end),
                ..entry
            };
            result.push(after)?;
        }
        if !placed {
            result.push(Entry {
                start: range.start,
                end: range.end,
                protection,
            })?;
        }
        Ok(result)
    }

    /// Appends a piece, unless it is empty or common; joins it to an equal neighbour.
    fn push(&mut self, entry: Entry) -> Result<(), AllocError> {
        if entry.start >= entry.end || entry.protection == self.common {
            return Ok(());
        }
        if let Some(last) = self.entries[..self.len].last_mut()
            && last.end == entry.start
            && last.protection == entry.protection
        {
            last.end = entry.end;
            return Ok(());
        }
        let Some(slot) = self.entries.get_mut(self.len) else {
            return Err(AllocError::TooManyProtections { limit: LIMIT });
        };
        *slot = entry;
        self.len += 1;
        Ok(())
    }

    /// The first byte of `range` whose protection does not satisfy `allows`.
    pub(crate) fn first_refusal(
        &self,
        range: Range<usize>,
        allows: impl Fn(Protection) -> bool,
    ) -> Option<usize> {
        if range.is_empty() {
            return None;
        }
        let common_allows = allows(self.common);
        let mut position = range.start;
        for entry in &self.entries[..self.len] {
            if entry.end <= position {
                continue;
            }
            if entry.start >= range.end {
                break;
            }
            if position < entry.start && !common_allows {
                return Some(position);
            }
            if !allows(entry.protection) {
                return Some(position.max(entry.start));
            }
            position = entry.end;
        }
        (position < range.end && !common_allows).then_some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Protection::{None as NoAccess, Read, ReadExecute, ReadWrite};

    /// The obvious model: one protection per byte.
    fn apply(model: &mut [Protection], range: Range<usize>, protection: Protection) {
        model[range].fill(protection);
    }

    fn check(map: &ProtectionMap, model: &[Protection]) {
        let mut bytes = std::vec![map.common(); model.len()];
        let mut last_end = 0;
        for (range, protection) in map.exceptions() {
            assert!(range.start >= last_end && range.start < range.end);
            assert_ne!(protection, map.common());
            last_end = range.end;
            bytes[range].fill(protection);
        }
        assert_eq!(bytes, model);
    }

    #[test]
    fn follows_a_byte_wise_model() {
        let mut seed = 0x9e37_79b9_u32;
        let mut next = |bound: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            seed as usize % bound
        };
        for common in [ReadWrite, Read] {
            let mut map = ProtectionMap::new(common);
            let mut model = std::vec![common; 64];
            for _ in 0..20_000 {
                let start = next(64);
                let range = start..start + 1 + next(64 - start);
                let protection = [NoAccess, Read, ReadWrite, ReadExecute][next(4)];
                match map.with(range.clone(), protection) {
                    Ok(changed) => {
                        map = changed;
                        apply(&mut model, range, protection);
                    }
                    Err(error) => {
                        assert_eq!(error, AllocError::TooManyProtections { limit: LIMIT });
                    }
                }
                check(&map, &model);
                let start = next(64);
                let range = start..start + next(65 - start);
                assert_eq!(
                    map.first_refusal(range.clone(), Protection::can_write),
                    range.clone().find(|&byte| !model[byte].can_write())
                );
                assert_eq!(
                    map.first_refusal(range.clone(), Protection::can_read),
                    range.clone().find(|&byte| !model[byte].can_read())
                );
            }
        }
    }

    #[test]
    fn the_limit_is_an_error_that_changes_nothing() {
        let mut map = ProtectionMap::new(ReadWrite);
        for index in 0..LIMIT {
            map = map.with(index * 2..index * 2 + 1, Read).unwrap();
        }
        assert_eq!(
            map.with(100..101, Read).err(),
            Some(AllocError::TooManyProtections { limit: LIMIT })
        );
        assert_eq!(map.exceptions().count(), LIMIT);
        assert_eq!(
            map.with(0..1000, ReadWrite).unwrap().exceptions().count(),
            0
        );
    }
}
