//! How much memories of one shape wrote lately: a histogram by powers of two, with decay.
#![forbid(unsafe_code)]

/// Powers of two of pages told apart; the last class holds everything larger.
const CLASSES: usize = 20;

/// A page is kept in memory if more than one memory in so many writes it: looking into a page costs
/// about a fiftieth of giving it back and faulting it in again.
const KEEP_ONE_IN: u32 = 48;

/// What one memory weighs in the histogram; all together weigh 512 times as much in the long run.
const WEIGHT: u16 = 64;
const DECAY_SHIFT: u32 = 9;
const MOST_AT_ONCE: u16 = 1 << DECAY_SHIFT;

/// The class of a memory that wrote so many pages: at most two to the power of the class.
pub(super) fn class(pages: usize) -> usize {
    let class = pages.saturating_sub(1).checked_ilog2();
    class.map_or(0, |log| log as usize + 1).min(CLASSES - 1)
}

/// The histogram, and what follows from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    weights: [u16; CLASSES],
    /// Worked out when a weight changes, because it is asked for more often.
    keep: usize,
}

impl Weights {
    pub(super) const NONE: Self = Self {
        weights: [0; CLASSES],
        keep: usize::MAX,
    };

    /// Pages worth keeping: the smallest power of two that leaves too few memories above it.
    pub(super) const fn keep(&self) -> usize {
        self.keep
    }

    /// Adds so many memories of a class.
    pub(super) fn add(&mut self, class: usize, memories: u16) {
        let memories = memories.min(MOST_AT_ONCE);
        for weight in &mut self.weights {
            let lost = (u32::from(*weight) * u32::from(memories)) >> DECAY_SHIFT;
            *weight = weight.saturating_sub(u16::try_from(lost).unwrap_or(u16::MAX));
        }
        let weight = &mut self.weights[class];
        *weight = weight.saturating_add(WEIGHT.saturating_mul(memories));
        self.keep = self.worth_keeping();
    }

    fn worth_keeping(&self) -> usize {
        let total = self.total();
        let mut above = 0;
        for class in (0..CLASSES).rev() {
            above += u32::from(self.weights[class]);
            if above * KEEP_ONE_IN > total {
                return if class == CLASSES - 1 {
                    usize::MAX
                } else {
                    1 << class
                };
            }
        }
        usize::MAX
    }

    fn total(&self) -> u32 {
        self.weights.iter().copied().map(u32::from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_neither_overflow_nor_vanish() {
        let mut weights = Weights::NONE;
        for pages in [0, 1, 2, 3, usize::MAX] {
            for _ in 0..10_000 {
                weights.add(class(pages), 16);
            }
            let total = weights.total();
            assert!((10_000..60_000).contains(&total), "{total}");
        }
        assert_eq!(weights.keep(), usize::MAX);
    }

    #[test]
    fn a_page_is_worth_keeping_if_more_than_one_memory_in_48_writes_it() {
        for (one_in, keep) in [(24, 1024), (96, 2)] {
            let mut weights = Weights::NONE;
            for memory in 0..5000 {
                let pages = if memory % one_in == 0 { 1000 } else { 2 };
                weights.add(class(pages), 1);
            }
            assert_eq!(weights.keep(), keep, "one in {one_in}");
        }
    }
}
