//! How much room a region gets: pure decisions, apart from the steps that carry them out.
#![forbid(unsafe_code)]

use crate::{AllocError, GrowthPolicy, GrowthRoom, MemoryOptions};

/// What [`GrowthRoom::Automatic`] reserves at most: the reach of a 32-bit memory. On processors
/// with a small address space, 256 MiB.
const AUTOMATIC_LIMIT: usize = if usize::BITS >= 64 {
    (u32::MAX as usize).wrapping_add(1)
} else {
    1 << 28
};

/// What [`GrowthRoom::Automatic`] reserves at least where there is no maximum.
const AUTOMATIC_LEAST: usize = 16 << 20;

/// Bytes a new region can grow to.
pub(super) fn capacity_at_allocation(
    options: &MemoryOptions,
    reserves_for_free: bool,
    initial: usize,
    maximum: Option<usize>,
) -> Result<usize, AllocError> {
    if options.growth_policy == GrowthPolicy::ReserveMaximum {
        return maximum.ok_or(AllocError::NoMaximum);
    }
    let wanted = match options.growth_room {
        GrowthRoom::Bytes(room) => initial.saturating_add(room),
        GrowthRoom::Automatic if !reserves_for_free => initial,
        GrowthRoom::Automatic => match maximum {
            Some(maximum) => maximum.min(AUTOMATIC_LIMIT),
            None => initial.saturating_add(initial.clamp(AUTOMATIC_LEAST, AUTOMATIC_LIMIT)),
        },
    };
    Ok(wanted.min(maximum.unwrap_or(usize::MAX)).max(initial))
}

/// Bytes the next region can grow to, for a memory that outgrew its region. Half as much again
/// where that costs nothing, so that the bytes copied over a memory's life stay proportional to its
/// size.
pub(super) fn capacity_after_move(
    options: &MemoryOptions,
    reserves_for_free: bool,
    new_size: usize,
    maximum: Option<usize>,
) -> usize {
    let room = match options.growth_room {
        GrowthRoom::Bytes(room) => room,
        GrowthRoom::Automatic => 0,
    };
    let room = if reserves_for_free {
        room.max(new_size / 2)
    } else {
        room
    };
    new_size
        .saturating_add(room)
        .min(maximum.unwrap_or(usize::MAX))
        .max(new_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(policy: GrowthPolicy, room: GrowthRoom) -> MemoryOptions {
        MemoryOptions {
            growth_policy: policy,
            growth_room: room,
            ..MemoryOptions::DEFAULT
        }
    }

    #[test]
    fn capacity_lies_between_initial_and_maximum() {
        for policy in [GrowthPolicy::MoveWhenFull, GrowthPolicy::InPlace] {
            for room in [
                GrowthRoom::Automatic,
                GrowthRoom::Bytes(0),
                GrowthRoom::Bytes(1 << 20),
            ] {
                for free in [false, true] {
                    for initial in [0, 1, 65_536, 1 << 30] {
                        for extra in [None, Some(0), Some(65_536), Some(usize::MAX >> 1)] {
                            let maximum = extra.map(|extra| usize::saturating_add(initial, extra));
                            let capacity = capacity_at_allocation(
                                &options(policy, room),
                                free,
                                initial,
                                maximum,
                            )
                            .unwrap();
                            assert!(capacity >= initial);
                            assert!(maximum.is_none_or(|maximum| capacity <= maximum));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn reserving_the_maximum_takes_it_all() {
        let options = options(GrowthPolicy::ReserveMaximum, GrowthRoom::Bytes(0));
        assert_eq!(
            capacity_at_allocation(&options, false, 1, Some(1 << 20)),
            Ok(1 << 20)
        );
        assert_eq!(
            capacity_at_allocation(&options, true, 1, None),
            Err(AllocError::NoMaximum)
        );
    }

    #[test]
    fn room_that_costs_memory_is_not_taken_unasked() {
        let options = options(GrowthPolicy::MoveWhenFull, GrowthRoom::Automatic);
        assert_eq!(
            capacity_at_allocation(&options, false, 7, Some(1 << 20)),
            Ok(7)
        );
        assert_eq!(capacity_after_move(&options, false, 7, None), 7);
        assert_eq!(capacity_after_move(&options, true, 8, None), 12);
        assert_eq!(capacity_after_move(&options, true, 8, Some(10)), 10);
        assert_eq!(
            capacity_after_move(&options, true, usize::MAX, None),
            usize::MAX
        );
    }
}
