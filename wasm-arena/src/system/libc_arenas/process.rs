//! Settings that belong to the process: who of us set which, and what was there before.
//!
//! The C library's heap has one set of options, whoever changes them. This register, one per
//! process, lets an arena system notice that another one set something else, and put back what was
//! there before. It knows only what goes through this crate.
#![forbid(unsafe_code)]

use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, Ordering};

use os::qnx::heap_command;
use os::{Mutex, NativeHeap, OsError};

/// An option of the heap that this project sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    ArenaSize = 0,
    CacheMaxBlocks = 1,
    CacheMaxSize = 2,
    MemoryHold = 3,
    MonotonicGrowth = 4,
    TrimThreshold = 5,
    MmapThreshold = 6,
    Granularity = 7,
}

impl Setting {
    pub(super) const COUNT: usize = 8;

    /// In the order in which they are put back: limits after hold, which sets both of them.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::MemoryHold,
        Self::ArenaSize,
        Self::CacheMaxBlocks,
        Self::CacheMaxSize,
        Self::MonotonicGrowth,
        Self::TrimThreshold,
        Self::MmapThreshold,
        Self::Granularity,
    ];

    pub(super) const fn command(self) -> core::ffi::c_int {
        match self {
            Self::ArenaSize => heap_command::ARENA_SIZE,
            Self::CacheMaxBlocks => heap_command::ARENA_CACHE_MAX_BLOCKS,
            Self::CacheMaxSize => heap_command::ARENA_CACHE_MAX_SIZE,
            Self::MemoryHold => heap_command::MEMORY_HOLD,
            Self::MonotonicGrowth => heap_command::MONOTONIC_GROWTH,
            Self::TrimThreshold => heap_command::TRIM_THRESHOLD,
            Self::MmapThreshold => heap_command::MMAP_THRESHOLD,
            Self::Granularity => heap_command::GRANULARITY,
        }
    }

    /// The documented default, where there is one (qnx-facts §3.1; none is documented for 8.0).
    const fn default_value(self) -> Option<isize> {
        match self {
            Self::ArenaSize => Some(32 * 1024),
            Self::CacheMaxBlocks => Some(12),
            Self::CacheMaxSize | Self::MemoryHold | Self::MonotonicGrowth => Some(0),
            Self::TrimThreshold | Self::MmapThreshold | Self::Granularity => None,
        }
    }

    /// What was in force before, as far as the result of setting it tells.
    ///
    /// Of the three commands that return the previous value, two may return 0 for success instead
    /// (qnx-facts §1.3.1); -1 is a limit lifted by hold (§1.3.2).
    const fn previous(self, result: i32) -> Option<isize> {
        match self {
            Self::ArenaSize | Self::CacheMaxBlocks | Self::CacheMaxSize if result > 0 => {
                Some(result as isize)
            }
            _ => self.default_value(),
        }
    }
}

/// The identity of one arena system, among all of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner(NonZeroU32);

impl Owner {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
    }
}

/// What stands in force, as far as this crate set it.
#[derive(Debug, Clone, Copy)]
pub(super) struct InForce {
    owner: Owner,
    value: isize,
    /// What was there before the first of us set anything; `None` if nobody knows.
    original: Option<isize>,
}

type Register = [Option<InForce>; Setting::COUNT];

static PROCESS: Mutex<Register> = Mutex::new([None; Setting::COUNT]);

impl InForce {
    /// The value, if another live arena system asked for it and it is not `value`.
    pub(super) fn displaced_by(self, owner: Owner, value: isize) -> Option<isize> {
        (self.owner != owner && self.value != value).then_some(self.value)
    }
}

/// Sets an option of the process for `owner`; returns what stood in the register before. The
/// register's lock is held meanwhile, so that it always says what the heap was told last.
pub(super) fn set(
    heap: &impl NativeHeap,
    owner: Owner,
    setting: Setting,
    value: isize,
) -> Result<Option<InForce>, OsError> {
    let mut register = PROCESS.lock();
    let before = register[setting as usize];
    let result = heap.set_option(setting.command(), value)?;
    register[setting as usize] = Some(InForce {
        owner,
        value,
        original: before.map_or_else(|| setting.previous(result), |before| before.original),
    });
    Ok(before)
}

/// What stands in force, if somebody else than `owner` set it and it is not `value`.
pub(super) fn overruled(owner: Owner, setting: Setting, value: isize) -> Option<isize> {
    PROCESS.lock()[setting as usize].and_then(|known| known.displaced_by(owner, value))
}

/// Takes back what `owner` told in a configuration that failed: what stood in the register before
/// stands there again.
pub(super) fn take_back(
    heap: &impl NativeHeap,
    owner: Owner,
    setting: Setting,
    before: Option<InForce>,
) {
    let mut register = PROCESS.lock();
    let entry = &mut register[setting as usize];
    if let Some(known) = entry.filter(|known| known.owner == owner) {
        let value = before.map_or(known.original, |before| Some(before.value));
        put_back(heap, setting, value);
        *entry = before;
    }
}

/// `owner` is gone: its settings stay in force but are nobody's, or what was there before is put
/// back. What the heap refuses to take back stays as it is.
pub(super) fn retire(heap: &impl NativeHeap, owner: Owner, restore: bool) {
    let mut register = PROCESS.lock();
    let held = register[Setting::MemoryHold as usize].is_some_and(|known| known.owner == owner);
    for setting in Setting::ALL {
        let Some(known) = register[setting as usize] else {
            // Lifting hold sets both limits to 0, whoever set them before (qnx-facts §9.22).
            if restore && held && is_limit(setting) {
                put_back(heap, setting, setting.default_value());
            }
            continue;
        };
        if known.owner == owner {
            register[setting as usize] = None;
            if restore {
                put_back(heap, setting, known.original);
            }
        } else if restore && held && is_limit(setting) {
            put_back(heap, setting, Some(known.value));
        }
    }
}

const fn is_limit(setting: Setting) -> bool {
    matches!(setting, Setting::CacheMaxBlocks | Setting::CacheMaxSize)
}

fn put_back(heap: &impl NativeHeap, setting: Setting, value: Option<isize>) {
    if let Some(value) = value {
        let _nobody_to_tell = heap.set_option(setting.command(), value);
    }
}
