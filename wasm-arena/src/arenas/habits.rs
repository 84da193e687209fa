//! What memories of one shape usually write: learnt, so that cleaning costs what was written.
//!
//! Nothing here decides *whether* a page is cleaned, only how: a wrong guess costs time, never
//! contents. Three questions are answered for each cleaning.
//!
//! - *Fill without a look?* Pages from the first on that the last two memories both wrote are filled;
//!   every other touched page is looked into, and filled if it holds anything. Looking costs less
//!   than filling, and tells what was written.
//! - *Ask or fill?* Asking which pages were touched costs a call. Where nearly all are written, filling
//!   everything costs less.
//! - *How many pages stay in memory?* A page that is kept costs a look at every cleaning, whether or
//!   not it was written; one that is given back costs a page fault when it is next. So a page
//!   is worth keeping if more than about one memory in [`KEEP_ONE_IN`] writes it. That is read from a
//!   histogram, by powers of two, of how many pages memories wrote lately.
//!
//! Whoever fills without a look does not notice memories that write less. So now and then a cleaning
//! *inspects*: it looks into every page.
#![forbid(unsafe_code)]

/// Shapes told apart. Shapes that share an entry learn from each other's memories.
const ENTRIES: usize = 16;

/// Powers of two of pages told apart; the last class holds everything larger.
const CLASSES: usize = 20;

/// The first cleanings of a shape inspect: there is nothing to go by yet.
const FIRST_INSPECTIONS: u32 = 4;

/// After that, one cleaning in 16 inspects on average: after 8 to 23 others, in no regular order,
/// so that guests that take turns are all met.
const SHORTEST_PAUSE: u32 = 8;
const PAUSES: u32 = 16;

/// A page is kept in memory if more than one memory in so many writes it: looking into a page costs
/// about a fiftieth of giving it back and faulting it in again.
const KEEP_ONE_IN: u32 = 48;

/// What one memory weighs in the histogram; all together weigh 512 times as much in the long run.
const WEIGHT: u16 = 64;
const DECAY_SHIFT: u32 = 9;
const MOST_AT_ONCE: u16 = 1 << DECAY_SHIFT;

/// Untouched pages whose filling costs as much as a call that finds them, apart from a fourth of
/// those that are touched, each of which the call has to look at.
pub(super) const PAGES_PER_CALL: usize = 24;

/// How to clean one memory. Counts are of host pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Advice {
    entry: usize,
    /// Fill everything, ask nobody.
    pub(super) fill_all: bool,
    /// Look into every page.
    inspect: bool,
    /// So many pages from the first on are to be filled without a look: 1 at least.
    pub(super) prefix: usize,
    /// So many touched pages are worth keeping in memory.
    pub(super) keep: usize,
    /// The class of most memories lately.
    usual: usize,
}

/// What a cleaning that asked has found. Counts are of host pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Findings {
    /// Pages that held something other than zero; those filled without a look count.
    pub(super) written: usize,
    /// Such pages from the first on without a gap.
    pub(super) prefix: usize,
}

/// One shape's habits.
#[derive(Debug, Clone, Copy)]
struct Habit {
    weights: [u16; CLASSES],
    inspections: u32,
    /// Cleanings until the next inspection.
    until: u16,
    /// Cleanings that brought no news since the last that did: memories of the usual class.
    unnoted: u16,
    /// The class of the last memory that was news.
    usual: usize,
    /// What it wrote from the first page on without a gap.
    last: u32,
    /// What it and the one before both did.
    prefix: u32,
}

impl Habit {
    const UNKNOWN: Self = Self {
        weights: [0; CLASSES],
        inspections: 0,
        until: 0,
        unnoted: 0,
        usual: 0,
        last: 1,
        prefix: 1,
    };

    /// The class of a memory that wrote so many pages: at most two to the power of the class.
    fn class(pages: usize) -> usize {
        let class = pages.saturating_sub(1).checked_ilog2();
        class.map_or(0, |log| log as usize + 1).min(CLASSES - 1)
    }

    /// Adds so many memories of a class.
    fn weigh(&mut self, class: usize, memories: u16) {
        let memories = memories.min(MOST_AT_ONCE);
        for weight in &mut self.weights {
            let lost = (u32::from(*weight) * u32::from(memories)) >> DECAY_SHIFT;
            *weight = weight.saturating_sub(u16::try_from(lost).unwrap_or(u16::MAX));
        }
        let weight = &mut self.weights[class];
        *weight = weight.saturating_add(WEIGHT.saturating_mul(memories));
    }

    /// Decides when to inspect again.
    fn schedule(&mut self) {
        self.inspections = self.inspections.wrapping_add(1).max(1);
        if self.inspections >= FIRST_INSPECTIONS {
            // Multiplicative hashing of the count: no period that guests could share.
            let random = self.inspections.wrapping_mul(0x9e37_79b9) >> 24;
            let pause = SHORTEST_PAUSE + random % PAUSES;
            self.until = u16::try_from(pause).unwrap_or(0);
        }
    }

    /// Pages worth keeping: the smallest class that leaves too few memories above it.
    fn keep(&self) -> usize {
        let total: u32 = self.weights.iter().copied().map(u32::from).sum();
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
}

/// The habits of all shapes.
#[derive(Debug)]
pub(super) struct Habits([Habit; ENTRIES]);

impl Habits {
    pub(super) const UNKNOWN: Self = Self([Habit::UNKNOWN; ENTRIES]);

    /// How to clean a memory whose shape has this hash and of which `pages` may be written, if asking
    /// costs as much as filling so many pages.
    pub(super) fn advise(&mut self, hash: usize, pages: usize, cost_of_asking: usize) -> Advice {
        // Under the reserved strategy all memories have one shape: tell them apart by size.
        let entry = (hash ^ Habit::class(pages).wrapping_mul(5)) % ENTRIES;
        let habit = &mut self.0[entry];
        let inspect = habit.until == 0;
        if inspect {
            habit.schedule();
        } else {
            habit.until -= 1;
        }
        habit.unnoted = habit.unnoted.saturating_add(1);
        let keep = habit.keep();
        let prefix = if inspect { 1 } else { habit.prefix as usize };
        let rest = pages.saturating_sub(prefix);
        Advice {
            entry,
            fill_all: !inspect && prefix > 1 && rest <= cost_of_asking + prefix / 4,
            inspect,
            prefix: prefix.min(keep),
            keep,
            usual: habit.usual,
        }
    }

    /// Whether there is something to learn from a cleaning.
    pub(super) fn is_news(advice: &Advice, findings: &Findings) -> bool {
        advice.inspect
            || Habit::class(findings.written) != advice.usual
            || findings.prefix != advice.prefix
    }

    /// Learns from a cleaning that brought news.
    pub(super) fn learn(&mut self, advice: &Advice, findings: &Findings) {
        let habit = &mut self.0[advice.entry];
        let class = Habit::class(findings.written);
        // Those that brought no news since: as large as usual, or smaller, if this is the first time
        // that somebody looks.
        let before = if advice.inspect {
            habit.usual.min(class)
        } else {
            habit.usual
        };
        habit.weigh(before, habit.unnoted.saturating_sub(1));
        habit.weigh(class, 1);
        habit.unnoted = 0;
        habit.usual = class;
        let this = u32::try_from(findings.prefix).unwrap_or(u32::MAX).max(1);
        habit.prefix = this.min(habit.last);
        habit.last = this;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shape whose memories of 4096 pages write what `written` says; kept pages stay touched.
    struct Guests {
        habits: Habits,
        resident: usize,
        calls: usize,
        filled: usize,
        given_back: usize,
        faults: usize,
    }

    impl Guests {
        fn new() -> Self {
            Self {
                habits: Habits::UNKNOWN,
                resident: 1,
                calls: 0,
                filled: 0,
                given_back: 0,
                faults: 0,
            }
        }

        fn run(&mut self, pages: usize, written: usize) {
            self.faults += written.saturating_sub(self.resident);
            self.resident = self.resident.max(written);
            let advice = self.habits.advise(3, pages, PAGES_PER_CALL);
            if advice.fill_all {
                self.filled += pages;
                self.faults += pages - self.resident;
                self.resident = pages;
                return;
            }
            self.calls += 1;
            let findings = Findings {
                written: written.max(advice.prefix),
                prefix: written.max(advice.prefix),
            };
            self.filled += self.resident.min(advice.keep);
            if self.resident > advice.keep {
                self.given_back += self.resident - advice.keep;
                self.resident = advice.keep;
            }
            if Habits::is_news(&advice, &findings) {
                self.habits.learn(&advice, &findings);
            }
        }
    }

    #[test]
    fn steady_guests_fault_once_and_lose_nothing() {
        for written in [1, 2, 3, 100, 2048, 4096] {
            let mut guests = Guests::new();
            for _ in 0..1000 {
                guests.run(4096, written);
            }
            assert_eq!(guests.given_back, 0, "{written}");
            assert_eq!(guests.faults, written - 1, "{written}");
            let advice = guests.habits.advise(3, 4096, PAGES_PER_CALL);
            assert!(advice.inspect || advice.prefix == written || advice.fill_all);
        }
    }

    #[test]
    fn where_nearly_everything_is_written_hardly_anybody_is_asked() {
        let mut guests = Guests::new();
        for _ in 0..1600 {
            guests.run(256, 250);
        }
        assert!(guests.calls <= 1600 / 16 + 5, "{}", guests.calls);
        assert!(guests.faults <= 256);
    }

    #[test]
    fn a_rare_heavy_guest_does_not_make_the_others_pay() {
        let mut guests = Guests::new();
        for cycle in 0..256 * 20 {
            guests.run(4096, if cycle % 256 == 0 { 2048 } else { 1 });
        }
        // The first time nobody knows that it is rare.
        assert!(guests.given_back > 19 * 2000, "{}", guests.given_back);
        assert!(
            guests.filled < 256 * 20 * 2 + 200 * 2048,
            "{}",
            guests.filled
        );
    }

    #[test]
    fn a_frequent_heavy_guest_keeps_its_pages() {
        let mut guests = Guests::new();
        for cycle in 0..5000 {
            guests.run(4096, if cycle % 8 == 0 { 2048 } else { 1 });
        }
        // Inspections may miss it a few times in a row, but not 625 times.
        assert!(guests.faults < 8 * 2048, "{}", guests.faults);
    }

    #[test]
    fn habits_change() {
        let mut guests = Guests::new();
        for _ in 0..1000 {
            guests.run(4096, 3000);
        }
        for _ in 0..4000 {
            guests.run(4096, 2);
        }
        assert!(guests.resident <= 2, "{}", guests.resident);
        let filled = guests.filled;
        for _ in 0..100 {
            guests.run(4096, 2);
        }
        assert!(
            guests.filled - filled <= 200,
            "the old pages cost nothing any more"
        );
    }

    #[test]
    fn weights_neither_overflow_nor_vanish() {
        let mut habit = Habit::UNKNOWN;
        for pages in [0, 1, 2, 3, usize::MAX] {
            for _ in 0..10_000 {
                habit.weigh(Habit::class(pages), 16);
            }
            let total: u32 = habit.weights.iter().copied().map(u32::from).sum();
            assert!((10_000..60_000).contains(&total), "{total}");
        }
        assert_eq!(habit.keep(), usize::MAX);
    }
}
