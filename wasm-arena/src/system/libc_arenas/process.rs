//! Settings that belong to the process: who of us set which, and what was there before.
//!
//! The C library's heap has one set of options, whoever changes them. This register, one per
//! process, lets an arena system notice that another one set something else, and put back what was
//! there before. It knows only what goes through this crate.
#![forbid(unsafe_code)]

use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, Ordering};

use os::{HeapCommand, Mutex, NativeHeap, OsError};

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

    pub(super) const fn command(self) -> HeapCommand {
        match self {
            Self::ArenaSize => HeapCommand::ArenaSize,
            Self::CacheMaxBlocks => HeapCommand::ArenaCacheMaxBlocks,
            Self::CacheMaxSize => HeapCommand::ArenaCacheMaxSize,
            Self::MemoryHold => HeapCommand::MemoryHold,
            Self::MonotonicGrowth => HeapCommand::MonotonicGrowth,
            Self::TrimThreshold => HeapCommand::TrimThreshold,
            Self::MmapThreshold => HeapCommand::MmapThreshold,
            Self::Granularity => HeapCommand::Granularity,
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
    /// Who set it; `None` once that system is gone.
    owner: Option<Owner>,
    value: isize,
    /// What another live system had set before, and who.
    replaced: Option<(Owner, isize)>,
}

impl InForce {
    /// The value, if another arena system asked for it and it is not `value`.
    pub(super) fn displaced_by(self, owner: Owner, value: isize) -> Option<isize> {
        (self.owner != Some(owner) && self.value != value).then_some(self.value)
    }
}

/// What stands in force, what was there before the first of us set anything, and how many live arena
/// systems have told each setting.
#[derive(Debug, Clone, Copy)]
struct Register {
    in_force: [Option<InForce>; Setting::COUNT],
    original: [Option<isize>; Setting::COUNT],
    tellers: [u32; Setting::COUNT],
}

static PROCESS: Mutex<Register> = Mutex::new(Register {
    in_force: [None; Setting::COUNT],
    original: [None; Setting::COUNT],
    tellers: [0; Setting::COUNT],
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
        if LIMITS.contains(&setting) && self.is_held() {
            // A limit would end what hold has lifted; it counts again when hold is lifted.
            heap.set_option(Setting::MemoryHold.command(), 1)?;
        }
        Ok(())
    }

    /// Whether hold is in force by one of us.
    fn is_held(&self) -> bool {
        self.in_force[Setting::MemoryHold as usize].is_some_and(|hold| hold.value != 0)
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
                    self.original[limit as usize] = None;
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

    /// One system less has told a setting: without any, nothing needs to be remembered of it.
    fn one_teller_less(&mut self, setting: Setting) {
        let tellers = &mut self.tellers[setting as usize];
        *tellers = tellers.saturating_sub(1);
        if *tellers == 0 {
            self.in_force[setting as usize] = None;
            self.original[setting as usize] = None;
        }
    }
}

/// What there was before a setting was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// As far as this crate set it.
    pub(super) in_force: Option<InForce>,
    /// The value, as far as it is known.
    pub(super) value: Option<isize>,
}

/// Sets an option of the process for `owner`, which has told it before or not; returns what there
/// was before. The register's lock is held meanwhile, so that it always says what the heap was told
/// last.
pub(super) fn set(
    heap: &impl NativeHeap,
    owner: Owner,
    setting: Setting,
    value: isize,
    told_before: bool,
) -> Result<Before, OsError> {
    let mut register = PROCESS.lock();
    let index = setting as usize;
    let in_force = register.in_force[index];
    if let Err(refusal) = register.tell(heap, setting, value) {
        register.forget_learnt();
        return Err(refusal);
    }
    let replaced = in_force.and_then(|known| match known.owner {
        Some(other) if other != owner => Some((other, known.value)),
        _ => known.replaced,
    });
    let before = Before {
        in_force,
        value: register.value(setting),
    };
    register.in_force[index] = Some(InForce {
        owner: Some(owner),
        value,
        replaced,
    });
    register.tellers[index] += u32::from(!told_before);
    Ok(before)
}

/// What stands in force, if somebody else than `owner` set it and it is not `value`.
pub(super) fn overruled(owner: Owner, setting: Setting, value: isize) -> Option<isize> {
    PROCESS.lock().in_force[setting as usize].and_then(|known| known.displaced_by(owner, value))
}

/// Whether `owner`, or another live system, has lifted the limits of the heap's cache.
pub(super) fn is_held() -> bool {
    PROCESS.lock().is_held()
}

/// Takes back what `owner` told in a configuration that failed: what stood in the register before
/// stands there again.
pub(super) fn take_back(
    heap: &impl NativeHeap,
    owner: Owner,
    setting: Setting,
    before: Option<InForce>,
    told_before: bool,
) {
    let mut register = PROCESS.lock();
    let index = setting as usize;
    if register.in_force[index].is_some_and(|known| known.owner == Some(owner)) {
        register.in_force[index] = before;
        if let Some(value) = register.value(setting) {
            register.put_back(heap, setting, value);
        }
    }
    if !told_before {
        register.one_teller_less(setting);
        register.forget_learnt();
    }
}

/// `owner`, which has told these settings, is gone: they stay in force but are nobody's, or what was
/// there before is put back: what another live system had asked for, else what was there before any
/// of us.
pub(super) fn retire(
    heap: &impl NativeHeap,
    owner: Owner,
    told: &[Option<isize>; Setting::COUNT],
    restore: bool,
) {
    let mut register = PROCESS.lock();
    for setting in Setting::ALL {
        let index = setting as usize;
        if told[index].is_none() {
            continue;
        }
        if let Some(known) = register.in_force[index] {
            if known.owner == Some(owner) {
                register.in_force[index] = match known.replaced {
                    Some((other, value)) if restore => Some(InForce {
                        owner: Some(other),
                        value,
                        replaced: None,
                    }),
                    _ if restore => None,
                    _ => Some(InForce {
                        owner: None,
                        ..known
                    }),
                };
                if restore && let Some(value) = register.value(setting) {
                    register.put_back(heap, setting, value);
                }
            } else if known.replaced.is_some_and(|(other, _)| other == owner) {
                register.in_force[index] = Some(InForce {
                    replaced: None,
                    ..known
                });
            }
        }
        register.one_teller_less(setting);
    }
    register.forget_learnt();
}
