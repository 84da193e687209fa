//! A fixed program: operations on memories that share arenas, each carried out on the allocator
//! and on the [model](super::model) alike.
//!
//! Operations are drawn from a generator with a fixed start, so that every run makes the same
//! calls.
#![forbid(unsafe_code)]

use core::ops::Range;

use os::Protection;
use wasm_arena::{AllocError, PROTECTED_RANGES_LIMIT, PageAllocator};

use super::model::{Expected, MOST};
use crate::failure::{ensure_eq, ensure_refused};
use crate::support::{PAGE, facts, fill};
use crate::{Subject, Verdict};

/// Memories on the same arenas.
pub(super) const MEMORIES: usize = 4;

/// A call of the allocator that may fail.
pub(super) type Call<'c, A> = dyn FnMut(&mut A) -> Result<(), AllocError> + 'c;

/// What stands between the model and the allocator: it makes a call, and decides what a failure
/// means. The model is as it was before the call.
pub(super) type Runner<'r, A> = dyn FnMut(&mut A, &mut Expected, &mut Call<'_, A>) -> Verdict + 'r;

/// Numbers that look drawn by lot, and are the same in every run.
#[derive(Debug, Clone)]
pub(super) struct Lots(u32);

impl Lots {
    pub(super) const fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9) | 1)
    }

    /// A number below `bound`.
    pub(super) const fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 3) as usize % bound
    }

    fn seed(&mut self) -> u8 {
        (1 + self.below(255)).to_le_bytes()[0]
    }
}

/// One operation. Lengths are in units, or in Wasm pages where it says so.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    Allocate {
        initial: usize,
        maximum: Option<usize>,
    },
    AllocatePages {
        initial: u32,
        maximum: u32,
    },
    Grow {
        additional: usize,
    },
    GrowPage,
    Write {
        from: usize,
        count: usize,
        seed: u8,
    },
    Protect {
        from: usize,
        count: usize,
        protection: Protection,
    },
    Reset,
    Free,
}

impl Operation {
    /// An operation that makes sense in this state.
    pub(super) fn next(expected: &Expected, lots: &mut Lots, in_pages: bool) -> Self {
        let units = expected.units();
        if expected.size.is_none() {
            return if in_pages {
                let initial = if lots.below(2) == 0 { 1 } else { 2 };
                Self::AllocatePages {
                    initial,
                    maximum: initial + 1,
                }
            } else {
                let initial = lots.below(9);
                let maximum = (lots.below(3) > 0).then(|| initial + lots.below(40));
                Self::Allocate { initial, maximum }
            };
        }
        let from = lots.below(units.max(1));
        let count = 1 + lots.below(8);
        match lots.below(16) {
            0..=4 if in_pages => Self::GrowPage,
            0..=4 => Self::Grow {
                additional: lots.below(9),
            },
            5..=9 => Self::Write {
                from,
                count,
                seed: lots.seed(),
            },
            10..=12 => {
                let choices = [Protection::None, Protection::Read, Protection::ReadWrite];
                let protection = choices[lots.below(3)];
                Self::Protect {
                    from,
                    count,
                    protection,
                }
            }
            13 => Self::Reset,
            _ => Self::Free,
        }
    }
}

/// Carries out an operation that must succeed, or be refused for the reason the model knows. `run`
/// makes each call that may fail.
pub(super) fn carry_out<P: Subject, A: PageBytes>(
    subject: &P,
    memory: &mut A,
    expected: &mut Expected,
    operation: Operation,
    run: &mut Runner<'_, A>,
) -> Verdict {
    match operation {
        Operation::Allocate { initial, maximum } => {
            let initial = initial * expected.unit;
            let maximum = maximum.map(|units| units.min(MOST) * expected.unit);
            run(memory, expected, &mut |memory| {
                memory.allocate_bytes(initial, maximum)
            })?;
            expected.allocate(initial, maximum);
        }
        Operation::AllocatePages { initial, maximum } => {
            run(memory, expected, &mut |memory| {
                memory.allocate(initial, Some(maximum)).map(drop)
            })?;
            expected.allocate(initial as usize * PAGE, Some(maximum as usize * PAGE));
        }
        Operation::Grow { additional } => {
            let size = expected.size.unwrap_or(0);
            let additional = additional.min(MOST - expected.units()) * expected.unit;
            if additional > 0
                && expected
                    .maximum
                    .is_some_and(|most| size + additional > most)
            {
                ensure_refused!(
                    memory.grow_bytes(additional),
                    AllocError::BeyondMaximum { .. },
                    "the maximum holds"
                );
            } else {
                run(memory, expected, &mut |memory| {
                    memory.grow_bytes(additional)
                })?;
                expected.size = Some(size + additional);
            }
        }
        Operation::GrowPage => {
            let size = expected.size.unwrap_or(0);
            let pages = wasm_arena::bytes_to_pages(size);
            if expected.maximum.is_some_and(|most| size + PAGE > most) {
                ensure_refused!(
                    memory.grow(pages, 1),
                    AllocError::BeyondMaximum { .. },
                    "the maximum holds"
                );
            } else {
                run(memory, expected, &mut |memory| {
                    memory.grow(pages, 1).map(drop)
                })?;
                expected.size = Some(size + PAGE);
            }
        }
        Operation::Write { from, count, seed } => write(memory, expected, from, count, seed)?,
        Operation::Protect {
            from,
            count,
            protection,
        } => {
            if facts(subject).pages.can_protect {
                let units = expected.clip(from, count);
                protect(memory, expected, units, protection, run)?;
            }
        }
        Operation::Reset => {
            run(memory, expected, &mut PageAllocator::reset)?;
            expected.reset();
        }
        Operation::Free => {
            run(memory, expected, &mut PageAllocator::free)?;
            expected.end();
        }
    }
    Ok(())
}

/// What the program asks of an allocator besides pages.
pub(super) trait PageBytes: PageAllocator {
    fn allocate_bytes(&mut self, initial: usize, maximum: Option<usize>) -> Result<(), AllocError>;

    fn grow_bytes(&mut self, additional: usize) -> Result<(), AllocError>;
}

impl<R: wasm_arena::ArenasRef> PageBytes for wasm_arena::Allocator<R> {
    fn allocate_bytes(&mut self, initial: usize, maximum: Option<usize>) -> Result<(), AllocError> {
        Self::allocate_bytes(self, initial, maximum).map(drop)
    }

    fn grow_bytes(&mut self, additional: usize) -> Result<(), AllocError> {
        Self::grow_bytes(self, additional).map(drop)
    }
}

fn write<A: PageAllocator>(
    memory: &mut A,
    expected: &mut Expected,
    from: usize,
    count: usize,
    seed: u8,
) -> Verdict {
    let units = expected.clip(from, count);
    let refusal = units
        .clone()
        .find(|&unit| !expected.protections[unit].can_write());
    ensure_eq!(
        memory.first_refusal(expected.bytes(&units), true),
        refusal.map(|unit| unit * expected.unit),
        "what may not be written is known"
    );
    let writable = units.start..refusal.unwrap_or(units.end);
    fill(memory, expected.bytes(&writable), seed)?;
    expected.seeds[writable].fill(seed);
    Ok(())
}

fn protect<A: PageBytes>(
    memory: &mut A,
    expected: &mut Expected,
    units: Range<usize>,
    protection: Protection,
    run: &mut Runner<'_, A>,
) -> Verdict {
    let range = expected.bytes(&units);
    let mut after = expected.clone();
    after.protections[units].fill(protection);
    if after.protected_ranges() > PROTECTED_RANGES_LIMIT {
        ensure_refused!(
            memory.protect(range.start, range.len(), protection),
            AllocError::TooManyProtections { .. },
            "the limit holds"
        );
        return Ok(());
    }
    run(memory, expected, &mut |memory| {
        memory.protect(range.start, range.len(), protection)
    })?;
    *expected = after;
    Ok(())
}
