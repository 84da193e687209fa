//! Switches: where the facts about QNX leave more than one answer, or where a test wants another
//! machine.

#![forbid(unsafe_code)]

use core::ffi::c_int;

use crate::qnx::errno;

/// What `stand_in_switch` changes. Every switch is back at its default after `stand_in_reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Switch {
    /// 1: `posix_memalign` answers −1 and sets errno; 0 (default): the error number (§4.7).
    MemalignMinusOne = 0,
    /// 1 (default): the cache limits answer with the previous value; 0: with 0 (§1.3.1).
    PreviousValues = 1,
    /// 1: an arena size of 256 KiB is refused; 0 (default): accepted (§1.3).
    ArenaSizeExclusive = 2,
    /// 1: freed mappings of any size are cached; 0: only up to the arena size, unless memory is held;
    /// −1 (default): as the profile says (§4.4).
    LargeBlocksCached = 3,
    /// 1: a block that comes straight from a fresh mapping is zero; 0 (default): poisoned as all are.
    FreshMemoryZero = 4,
    /// 1: `realloc` moves always; 0 (default): as §4.6 says.
    ReallocMoves = 5,
    /// 1: `realloc` keeps the alignment of what it moves, up to a page; 0 (default): loses it.
    ReallocKeepsAlignment = 6,
    /// Bytes of a host page: 4096 (default), 16384 or 65536. Only while nothing is mapped.
    HostPage = 7,
    /// 1 (default): the adaptive scheduler is there; 0: it is not, and `SchedCtl` says `ENOSYS`.
    ApsModule = 8,
    /// 1 (default): deprecated commands of 8.0 answer −1 with `EINVAL`; 0: they answer 0.
    DeprecatedRefused = 9,
    /// `mlock` is refused with this error: `EPERM` (1) or `EAGAIN` (11); 0 (default): it works.
    MlockRefused = 10,
    /// Bytes that heap and mappings may have together; above it `ENOMEM`. 0 (default): no limit.
    /// Mappings with `MAP_LAZY` do not count (§6.3).
    MemoryLimit = 11,
    /// What a live command of 8.0 answers on success: 0 (default) or 1 (§1.6).
    LiveSuccess = 12,
    /// 1: `pthread_mutex_init` answers `EAGAIN`; 0 (default): it works.
    MutexesRefused = 13,
}

impl Switch {
    /// Every switch, in the order of its number.
    pub const ALL: &'static [Self] = &[
        Self::MemalignMinusOne,
        Self::PreviousValues,
        Self::ArenaSizeExclusive,
        Self::LargeBlocksCached,
        Self::FreshMemoryZero,
        Self::ReallocMoves,
        Self::ReallocKeepsAlignment,
        Self::HostPage,
        Self::ApsModule,
        Self::DeprecatedRefused,
        Self::MlockRefused,
        Self::MemoryLimit,
        Self::LiveSuccess,
        Self::MutexesRefused,
    ];

    /// The switch with a number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// The positions of all switches but the page size, which the books of pages keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Switches {
    pub(crate) memalign_minus_one: bool,
    pub(crate) previous_values: bool,
    pub(crate) arena_size_exclusive: bool,
    pub(crate) large_blocks_cached: Option<bool>,
    pub(crate) fresh_memory_zero: bool,
    pub(crate) realloc_moves: bool,
    pub(crate) realloc_keeps_alignment: bool,
    pub(crate) aps_module: bool,
    pub(crate) deprecated_refused: bool,
    pub(crate) mlock_refused: c_int,
    pub(crate) memory_limit: usize,
    pub(crate) live_success: c_int,
    pub(crate) mutexes_refused: bool,
}

impl Switches {
    pub(crate) const fn new() -> Self {
        Self {
            memalign_minus_one: false,
            previous_values: true,
            arena_size_exclusive: false,
            large_blocks_cached: None,
            fresh_memory_zero: false,
            realloc_moves: false,
            realloc_keeps_alignment: false,
            aps_module: true,
            deprecated_refused: true,
            mlock_refused: 0,
            memory_limit: 0,
            live_success: 0,
            mutexes_refused: false,
        }
    }

    /// Sets a switch; false for a value it does not have. The page size is not set here.
    pub(crate) fn set(&mut self, switch: Switch, value: isize) -> bool {
        let on = value == 1;
        let is_flag = value == 0 || on;
        match switch {
            Switch::LargeBlocksCached => {
                self.large_blocks_cached = is_flag.then_some(on);
                return (-1..=1).contains(&value);
            }
            Switch::MlockRefused => {
                let refused = [0, errno::EPERM, errno::EAGAIN]
                    .into_iter()
                    .find(|&error| isize::try_from(error) == Ok(value));
                self.mlock_refused = refused.unwrap_or(self.mlock_refused);
                return refused.is_some();
            }
            Switch::MemoryLimit => {
                let limit = usize::try_from(value);
                self.memory_limit = limit.unwrap_or(self.memory_limit);
                return limit.is_ok();
            }
            Switch::HostPage => return false,
            _ if !is_flag => return false,
            Switch::MemalignMinusOne => self.memalign_minus_one = on,
            Switch::PreviousValues => self.previous_values = on,
            Switch::ArenaSizeExclusive => self.arena_size_exclusive = on,
            Switch::FreshMemoryZero => self.fresh_memory_zero = on,
            Switch::ReallocMoves => self.realloc_moves = on,
            Switch::ReallocKeepsAlignment => self.realloc_keeps_alignment = on,
            Switch::ApsModule => self.aps_module = on,
            Switch::DeprecatedRefused => self.deprecated_refused = on,
            Switch::MutexesRefused => self.mutexes_refused = on,
            Switch::LiveSuccess => self.live_success = c_int::from(on),
        }
        true
    }
}
