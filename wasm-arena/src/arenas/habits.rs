//! What memories of one shape usually write: learnt, so that cleaning costs what was written.
//!
//! Nothing here decides *whether* a page is cleaned, only how: a wrong guess costs time, never
//! contents. Two questions are answered for each cleaning.
//!
//! - *Ask or fill?* Asking which pages were touched costs a call. Where nearly all are, filling
//!   everything costs less.
//! - *How many pages stay in memory?* A page that is kept costs a fill at every cleaning, whether or
//!   not it was written; one that is given back costs a page fault when it is next. So a page
//!   is worth keeping if more than about one memory in [`KEEP_ONE_IN`] writes it. That is read from a
//!   histogram, by powers of two, of how many pages memories wrote lately.
//!
//! Touched is not written: a page stays touched after it was filled with zeros. So now and then a
//! cleaning *inspects*: it looks into each page before it fills it, and counts those that held
//! anything.
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

/// A page is kept in memory if more than one memory in so many writes it: filling a page costs about
/// a fiftieth of giving it back and faulting it in again.
const KEEP_ONE_IN: u32 = 48;

/// What one memory weighs in the histogram; all together weigh 512 times as much in the long run.
const WEIGHT: u16 = 64;
const DECAY_SHIFT: u32 = 9;

/// Untouched pages whose filling costs as much as a call that finds them, apart from a fourth of
/// those that are touched, each of which the call has to look at.
const PAGES_PER_CALL: usize = 24;

/// How to clean one memory. Counts are of host pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Advice {
    entry: usize,
    /// Fill everything, ask nobody.
    pub(super) fill_all: bool,
    /// Look into pages before filling them.
    pub(super) inspect: bool,
    /// So many pages from the first on are touched as a rule: fill them without asking.
    pub(super) prefix: usize,
    /// So many touched pages are worth keeping in memory.
    pub(super) keep: usize,
    /// So many were touched as a rule; more is news.
    known: usize,
    /// An inspection stands for so many memories.
    stands_for: u16,
}

/// What a cleaning that asked has found. Counts are of host pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Findings {
    /// Pages that were touched.
    pub(super) touched: usize,
    /// Pages that held something other than zero, if it was an inspection.
    pub(super) written: usize,
    /// Touched pages from the first on without a gap.
    pub(super) prefix: usize,
}

/// One shape's habits.
#[derive(Debug, Clone, Copy)]
struct Habit {
    weights: [u16; CLASSES],
    inspections: u32,
    /// Cleanings since the last inspection, and until the next.
    since: u16,
    until: u16,
    prefix: u32,
    touched: u32,
}

impl Habit {
    const UNKNOWN: Self = Self {
        weights: [0; CLASSES],
        inspections: 0,
        since: 0,
        until: 0,
        prefix: 1,
        touched: 0,
    };

    /// The class of a memory that wrote so many pages: at most two to the power of the class.
    fn class(pages: usize) -> usize {
        let class = pages.saturating_sub(1).checked_ilog2();
        class.map_or(0, |log| log as usize + 1).min(CLASSES - 1)
    }

    /// Adds `memories` memories that wrote so many pages.
    fn weigh(&mut self, pages: usize, memories: u16) {
        for weight in &mut self.weights {
            let lost = (u32::from(*weight) * u32::from(memories)) >> DECAY_SHIFT;
            *weight = weight.saturating_sub(u16::try_from(lost).unwrap_or(u16::MAX));
        }
        let weight = &mut self.weights[Self::class(pages)];
        *weight = weight.saturating_add(WEIGHT.saturating_mul(memories));
    }

    /// Decides when to inspect again.
    fn schedule(&mut self) {
        self.since = 0;
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

    /// How to clean a memory whose shape has this hash and of which `pages` may be written.
    pub(super) fn advise(&mut self, hash: usize, pages: usize) -> Advice {
        // Under the reserved strategy all memories have one shape: tell them apart by size.
        let entry = (hash ^ Habit::class(pages).wrapping_mul(5)) % ENTRIES;
        let habit = &mut self.0[entry];
        habit.since = habit.since.saturating_add(1);
        let stands_for = habit.since;
        let inspect = habit.until == 0;
        if inspect {
            habit.schedule();
        } else {
            habit.until -= 1;
        }
        let known = habit.touched as usize;
        let untouched = pages.saturating_sub(known);
        Advice {
            entry,
            fill_all: !inspect && known > 0 && untouched <= PAGES_PER_CALL + known / 4,
            inspect,
            prefix: habit.prefix as usize,
            keep: habit.keep(),
            known,
            stands_for,
        }
    }

    /// Whether there is something to learn from a cleaning.
    pub(super) fn is_news(advice: &Advice, findings: &Findings) -> bool {
        advice.inspect || findings.touched > advice.known || findings.prefix > advice.prefix
    }

    /// Learns from a cleaning that brought news.
    pub(super) fn learn(&mut self, advice: &Advice, findings: &Findings) {
        let habit = &mut self.0[advice.entry];
        if findings.touched > advice.known {
            // Seen whenever it happens, so it stands for itself.
            let written = if advice.inspect {
                findings.written
            } else {
                findings.touched
            };
            habit.weigh(written, 1);
        } else if advice.inspect {
            // Stands for all those that were not looked into.
            habit.weigh(findings.written, advice.stands_for);
        }
        let pages = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let touched = pages(findings.touched.min(advice.keep));
        let prefix = pages(findings.prefix.min(advice.keep).max(1));
        if advice.inspect {
            habit.touched = touched;
            habit.prefix = prefix;
        } else {
            habit.touched = habit.touched.max(touched);
            habit.prefix = habit.prefix.max(prefix);
        }
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
            let advice = self.habits.advise(3, pages);
            if advice.fill_all {
                self.filled += pages;
                self.faults += pages - self.resident;
                self.resident = pages;
                return;
            }
            self.calls += 1;
            let findings = Findings {
                touched: self.resident,
                written,
                prefix: self.resident,
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
            let advice = guests.habits.advise(3, 4096);
            assert_eq!(advice.prefix, written);
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
                habit.weigh(pages, 16);
            }
            let total: u32 = habit.weights.iter().copied().map(u32::from).sum();
            assert!((10_000..60_000).contains(&total), "{total}");
        }
        assert_eq!(habit.keep(), usize::MAX);
    }
}
