//! `mallopt` (qnx-facts §1.3, §1.4, §1.6).

use core::ffi::c_int;

use crate::complaints::Complaint;
use crate::layout::HEAP_PAGE;
use crate::linux;
use crate::profile::Profile;
use crate::qnx::{errno, mallopt};
use crate::state::State;

/// Addresses that no process has: the first pages stay unmapped.
const LOWEST_ADDRESS: usize = 0x1_0001;

impl State {
    /// Obeys a command.
    ///
    /// Commands 10 to 16 are declared from 6.5 and 6.6 on but described nowhere (qnx-facts §12.8);
    /// they are refused, so that nothing comes to lean on them.
    ///
    /// # Errors
    /// `EINVAL` for an unknown command and a value out of range.
    pub(crate) fn mallopt(&mut self, command: c_int, value: isize) -> Result<c_int, c_int> {
        if self.profile == Profile::Sdp80 {
            return self.mallopt_80(command, value);
        }
        if command == mallopt::STATS {
            return self.write_statistics(value.cast_unsigned());
        }
        #[allow(
            clippy::cast_possible_truncation,
            reason = "QNX narrows it too (qnx-facts §1.3.4)"
        )]
        let value = value as c_int;
        let exclusive = self.switches.arena_size_exclusive;
        let settings = &mut self.heap.settings;
        match command {
            mallopt::VERIFY | mallopt::VERIFY_ON | mallopt::FREE_CHECK => Ok(0),
            mallopt::ARENA_SIZE => {
                let previous = c_int::try_from(settings.arena_size).unwrap_or(c_int::MAX);
                if value == 0 || settings.set_arena_size(value, exclusive) {
                    Ok(previous)
                } else {
                    Err(errno::EINVAL)
                }
            }
            mallopt::MONOTONIC_GROWTH => {
                settings.monotonic = value != 0;
                Ok(0)
            }
            mallopt::MEMORY_HOLD => {
                settings.set_hold(value > 0);
                Ok(0)
            }
            mallopt::CACHE_MAXSZ | mallopt::CACHE_MAXBLK => {
                let limit = u32::try_from(value).map_err(|_| errno::EINVAL)?;
                let place = if command == mallopt::CACHE_MAXSZ {
                    &mut settings.cache_bytes
                } else {
                    &mut settings.cache_blocks
                };
                // After a hold this is −1, and a success (qnx-facts §1.3.2).
                let previous = core::mem::replace(place, limit).cast_signed();
                Ok(if self.switches.previous_values {
                    previous
                } else {
                    0
                })
            }
            mallopt::CACHE_FREE_NOW if value < 0 => Err(errno::EINVAL),
            mallopt::CACHE_FREE_NOW => {
                self.empty_cache(value > 0);
                Ok(0)
            }
            _ => {
                let last = self.profile.mallopt_last();
                let ignored = last..=last + mallopt::MMAP_MAX_FROM_LAST;
                if ignored.contains(&command) {
                    Ok(0)
                } else {
                    Err(errno::EINVAL)
                }
            }
        }
    }

    /// The commands of 8.0: three live ones, and those that only their numbers are left of.
    fn mallopt_80(&mut self, command: c_int, value: isize) -> Result<c_int, c_int> {
        let last = self.profile.mallopt_last();
        let success = self.switches.live_success;
        let size = usize::try_from(value).map_err(|_| errno::EINVAL);
        let settings = &mut self.heap.settings;
        match command - last {
            mallopt::TRIM_THRESHOLD_FROM_LAST => settings.trim_threshold = size?,
            mallopt::MMAP_THRESHOLD_FROM_LAST => settings.mmap_threshold = size?,
            mallopt::GRANULARITY_FROM_LAST => {
                let page = self.pages.page().max(HEAP_PAGE);
                let granularity = if size? == 0 { page } else { size? };
                if !granularity.is_power_of_two() || granularity < page {
                    return Err(errno::EINVAL);
                }
                settings.granularity = granularity;
            }
            _ => {
                let deprecated = (0..=last + mallopt::MMAP_MAX_FROM_LAST).contains(&command);
                return if deprecated && !self.switches.deprecated_refused {
                    Ok(0)
                } else {
                    Err(errno::EINVAL)
                };
            }
        }
        Ok(success)
    }

    /// Writes `struct malloc_stats`, with the field type of the profile (qnx-facts §5.1), to an
    /// address that QNX would not look at first.
    fn write_statistics(&mut self, address: usize) -> Result<c_int, c_int> {
        let fields = self.statistics().fields();
        let narrow = matches!(self.profile, Profile::Sdp65 | Profile::Sdp66);
        let mut bytes = [0; 15 * size_of::<usize>()];
        let mut len = 0;
        for field in fields {
            #[allow(clippy::cast_possible_truncation, reason = "6.x has 32-bit fields")]
            let words = (field as u32).to_ne_bytes();
            let word: &[u8] = if narrow { &words } else { &field.to_ne_bytes() };
            bytes[len..len + word.len()].copy_from_slice(word);
            len += word.len();
        }
        // SAFETY: the caller of `qnx_mallopt` gives the address for exactly this; what is no memory
        // at all, Linux finds out.
        let written =
            address >= LOWEST_ADDRESS && unsafe { linux::write_checked(address, &bytes[..len]) };
        if written {
            Ok(0)
        } else {
            self.complaints.add(Complaint::StatsToNowhere, address);
            Err(errno::EINVAL)
        }
    }
}
