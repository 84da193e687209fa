//! Which memory options are the user's, which are decided by how wasmi uses memory, and how much
//! room a memory gets.
#![forbid(unsafe_code)]

use wasm_arena::{
    AllocError, ConfigOption, GrowthPolicy, GrowthRoom, MemoryOptions, Protection, RoomAccess,
    WASM_PAGE_SIZE,
};
use wasmi::MemoryType;

use crate::MemoryError;

/// Room of a memory without a maximum, where room costs nothing: 1 GiB; 64 MiB with 32-bit
/// addresses.
pub const DEFAULT_CAPACITY: usize = if usize::BITS > 32 { 1 << 30 } else { 64 << 20 };

/// What the user asked for, completed with what wasmi's way decides. Conflicts are refused.
pub(crate) fn resolve(mut options: MemoryOptions) -> Result<MemoryOptions, MemoryError> {
    let conflict = |option, accepted| MemoryError::ConflictingOption { option, accepted };
    match options.growth_policy {
        GrowthPolicy::MoveWhenFull | GrowthPolicy::InPlace => {}
        // wasmi keeps the address of the room for as long as the store lives.
        _ => {
            return Err(conflict(
                ConfigOption::GrowthPolicy,
                "in-place, or the default,",
            ));
        }
    }
    // wasmi itself writes and reads the data, outside of any handler of faults.
    if options.data_protection != Protection::ReadWrite {
        return Err(conflict(ConfigOption::DataProtection, "read-write"));
    }
    options.growth_policy = GrowthPolicy::InPlace;
    // wasmi takes the room as a slice, all of which must be accessible; it compares every access
    // with the size.
    options.room_access = RoomAccess::Open;
    // wasmi writes zeros over new bytes, which makes them resident.
    options.prefault = false;
    Ok(options)
}

/// What a memory is asked to be. Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) initial: usize,
    /// The most it may grow to.
    pub(crate) limit: usize,
    /// Bytes a Wasm page has.
    pub(crate) page_size: u64,
    /// The maximum of the type wasmi is given, by which it tells memories apart to a limiter: the
    /// declared one, or the limit where that is beyond the address space (for which wasmi's sums
    /// are not made).
    pub(crate) maximum: Option<usize>,
}

impl Plan {
    /// The type of the memory for wasmi.
    pub(crate) fn wasmi_type(&self, declared: MemoryType) -> Result<MemoryType, wasmi::Error> {
        let mut builder = MemoryType::builder();
        builder
            .memory64(declared.is_64())
            .min(declared.minimum())
            .max(self.maximum.map(|bytes| bytes as u64 / self.page_size));
        if self.page_size == 1 {
            builder.page_size_log2(0);
        }
        Ok(builder.build()?)
    }
}

/// Bytes of a Wasm page of the type, which wasmi does not tell: a type with the usual pages equals
/// one that was built with them.
fn page_size(ty: MemoryType) -> u64 {
    let mut usual = MemoryType::builder();
    usual
        .memory64(ty.is_64())
        .min(ty.minimum())
        .max(ty.maximum());
    if usual.build().is_ok_and(|usual| usual == ty) {
        WASM_PAGE_SIZE as u64
    } else {
        1
    }
}

/// Plans a memory: how much room it gets.
pub(crate) fn plan(
    ty: MemoryType,
    options: &MemoryOptions,
    host_maximum: Option<usize>,
    reserves_for_free: bool,
) -> Result<Plan, MemoryError> {
    let page_size = page_size(ty);
    let bytes = |pages: u64| u128::from(pages) * u128::from(page_size);
    let wide = bytes(ty.minimum());
    if let Some(maximum) = host_maximum.filter(|&maximum| wide > maximum as u128) {
        return Err(MemoryError::BeyondHostMaximum {
            requested: wide,
            maximum,
        });
    }
    let initial = usize::try_from(wide)
        .ok()
        .filter(|&bytes| isize::try_from(bytes).is_ok())
        .ok_or(MemoryError::Alloc(AllocError::TooLarge {
            bytes: u64::try_from(wide).unwrap_or(u64::MAX),
        }))?;
    let declared = ty
        .maximum()
        .map(|pages| usize::try_from(bytes(pages)).unwrap_or(usize::MAX));
    let room = match options.growth_room {
        GrowthRoom::Bytes(room) => initial.saturating_add(room),
        _ => match (declared, reserves_for_free) {
            (Some(declared), _) => declared,
            (None, true) => initial.max(DEFAULT_CAPACITY),
            (None, false) => initial,
        },
    };
    let limit = room
        .min(declared.unwrap_or(usize::MAX))
        .min(host_maximum.unwrap_or(usize::MAX))
        .min(isize::MAX as usize)
        .max(initial);
    // Whole Wasm pages: nobody could reach the rest.
    let page = usize::try_from(page_size).unwrap_or(1);
    let limit = limit - limit % page;
    Ok(Plan {
        initial,
        limit,
        page_size,
        maximum: declared.map(|bytes| {
            if isize::try_from(bytes).is_ok() {
                bytes
            } else {
                limit
            }
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 65_536;

    fn with(change: impl FnOnce(&mut MemoryOptions)) -> MemoryOptions {
        let mut options = MemoryOptions::DEFAULT;
        change(&mut options);
        options
    }

    #[test]
    fn what_wasmi_decides_is_refused_by_name() {
        for (options, expected) in [
            (
                with(|o| o.growth_policy = GrowthPolicy::Reallocate),
                ConfigOption::GrowthPolicy,
            ),
            (
                with(|o| o.growth_policy = GrowthPolicy::ReserveMaximum),
                ConfigOption::GrowthPolicy,
            ),
            (
                with(|o| o.data_protection = Protection::Read),
                ConfigOption::DataProtection,
            ),
        ] {
            match resolve(options) {
                Err(MemoryError::ConflictingOption { option, .. }) => assert_eq!(option, expected),
                other => panic!("{other:?}"),
            }
        }
        let resolved = resolve(with(|o| o.growth_policy = GrowthPolicy::InPlace)).unwrap();
        assert_eq!(resolved.room_access, RoomAccess::Open);
    }

    #[test]
    fn room_is_what_was_declared_asked_for_and_allowed() {
        let automatic = MemoryOptions::DEFAULT;
        let three = with(|o| o.growth_room = GrowthRoom::Bytes(3 * PAGE));
        let limit = |minimum, maximum, options: &MemoryOptions, host, free| {
            plan(MemoryType::new(minimum, maximum), options, host, free).map(|plan| plan.limit)
        };
        assert_eq!(limit(1, Some(4), &automatic, None, true), Ok(4 * PAGE));
        assert_eq!(limit(1, Some(4), &automatic, None, false), Ok(4 * PAGE));
        assert_eq!(limit(1, None, &automatic, None, true), Ok(DEFAULT_CAPACITY));
        assert_eq!(limit(1, None, &automatic, None, false), Ok(PAGE));
        assert_eq!(limit(1, None, &three, None, false), Ok(4 * PAGE));
        assert_eq!(limit(1, Some(2), &three, None, true), Ok(2 * PAGE));
        // The host's cap need not be whole pages.
        assert_eq!(
            limit(1, None, &automatic, Some(2 * PAGE + 5), true),
            Ok(2 * PAGE)
        );
        assert_eq!(
            limit(3, None, &automatic, Some(2 * PAGE), true),
            Err(MemoryError::BeyondHostMaximum {
                requested: 3 * PAGE as u128,
                maximum: 2 * PAGE
            })
        );
        let huge = MemoryType::new64(1 << 48, None);
        assert!(matches!(
            plan(huge, &automatic, None, true),
            Err(MemoryError::Alloc(AllocError::TooLarge { .. }))
        ));
    }
}
