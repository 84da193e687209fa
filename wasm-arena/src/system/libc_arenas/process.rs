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
}

impl InForce {
    /// The value, if another live arena system asked for it and it is not `value`.
    pub(super) fn displaced_by(self, owner: Owner, value: isize) -> Option<isize> {
        (self.owner != owner && self.value != value).then_some(self.value)
    }
}

/// What stands in force, and what was there before the first of us set anything.
#[derive(Debug, Clone, Copy)]
struct Register {
    in_force: [Option<InForce>; Setting::COUNT],
    original: [Option<isize>; Setting::COUNT],
}

static PROCESS: Mutex<Register> = Mutex::new(Register {
    in_force: [None; Setting::COUNT],
    original: [None; Setting::COUNT],
});

/// Hold sets both of them: to no limit when it is switched on, to "keep nothing" when it is switched
/// off (qnx-facts §1.3, §9.22).
const LIMITS: [Setting; 2] = [Setting::CacheMaxBlocks, Setting::CacheMaxSize];

impl Register {
    /// Tells the heap, and remembers what was there before.
    fn tell(
        &mut self,
        heap: &impl NativeHeap,
        setting: Setting,
        value: isize,
    ) -> Result<(), OsError> {
        if setting == Setting::MemoryHold && value != 0 {
            for limit in LIMITS {
                self.learn(heap, limit)?;
            }
        }
        let result = heap.set_option(setting.command(), value)?;
        let original = &mut self.original[setting as usize];
        *original = original.or(setting.previous(result));
        if setting == Setting::MemoryHold && value == 0 {
            self.set_limits_again(heap)?;
        }
        Ok(())
    }

    /// Sets both limits to what they are without hold. If that is refused, hold is on again.
    fn set_limits_again(&self, heap: &impl NativeHeap) -> Result<(), OsError> {
        for limit in LIMITS {
            if let Some(value) = self.value(limit)
                && let Err(refusal) = heap.set_option(limit.command(), value)
            {
                let _first_error_counts = heap.set_option(Setting::MemoryHold.command(), 1);
                return Err(refusal);
            }
        }
        Ok(())
    }

    /// Forgets limits that were only learnt because of hold, once nobody holds.
    fn forget_learnt(&mut self) {
        if self.in_force[Setting::MemoryHold as usize].is_none() {
            for limit in LIMITS {
                if self.in_force[limit as usize].is_none() {
                    self.forget(limit);
                }
            }
        }
    }

    /// Learns a limit before hold lifts it: only setting it tells what it was.
    fn learn(&mut self, heap: &impl NativeHeap, limit: Setting) -> Result<(), OsError> {
        let known = self.in_force[limit as usize].is_some();
        let (false, None, Some(default)) =
            (known, self.original[limit as usize], limit.default_value())
        else {
            return Ok(());
        };
        let found = limit.previous(heap.set_option(limit.command(), default)?);
        self.original[limit as usize] = found;
        if let Some(found) = found
            && let Err(refusal) = heap.set_option(limit.command(), found)
        {
            self.put_back(heap, limit, found);
            return Err(refusal);
        }
        Ok(())
    }

    /// What is in force for a setting, or was before any of us, or is documented.
    fn value(&self, setting: Setting) -> Option<isize> {
        self.in_force[setting as usize]
            .map(|known| known.value)
            .or(self.original[setting as usize])
            .or(setting.default_value())
    }

    /// Tells the heap what was there before. What it refuses stays as it is: nobody is there to be
    /// told.
    fn put_back(&mut self, heap: &impl NativeHeap, setting: Setting, value: isize) {
        let _nobody_to_tell = self.tell(heap, setting, value);
    }

    /// Forgets what was there before, once nobody has set anything else.
    fn forget(&mut self, setting: Setting) {
        self.in_force[setting as usize] = None;
        self.original[setting as usize] = None;
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
    if let Err(refusal) = register.tell(heap, setting, value) {
        register.forget_learnt();
        return Err(refusal);
    }
    let now = Some(InForce { owner, value });
    Ok(core::mem::replace(
        &mut register.in_force[setting as usize],
        now,
    ))
}

/// What stands in force, if somebody else than `owner` set it and it is not `value`.
pub(super) fn overruled(owner: Owner, setting: Setting, value: isize) -> Option<isize> {
    PROCESS.lock().in_force[setting as usize].and_then(|known| known.displaced_by(owner, value))
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
    if register.in_force[setting as usize].is_some_and(|known| known.owner == owner) {
        register.in_force[setting as usize] = before;
        if let Some(value) = register.value(setting) {
            register.put_back(heap, setting, value);
        }
        if before.is_none() {
            register.forget(setting);
            register.forget_learnt();
        }
    }
}

/// `owner` is gone: its settings stay in force but are nobody's, or what was there before is put
/// back.
pub(super) fn retire(heap: &impl NativeHeap, owner: Owner, restore: bool) {
    let mut register = PROCESS.lock();
    for setting in Setting::ALL {
        if register.in_force[setting as usize].is_none_or(|known| known.owner != owner) {
            continue;
        }
        register.in_force[setting as usize] = None;
        if restore && let Some(value) = register.value(setting) {
            register.put_back(heap, setting, value);
        }
        register.forget(setting);
    }
    register.forget_learnt();
}
