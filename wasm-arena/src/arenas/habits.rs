//! What memories of one shape usually write: learnt, so that cleaning costs what was written.
//!
//! Nothing here decides *whether* a page is cleaned, only how: a wrong guess costs time, never
//! contents. Questions answered for each cleaning:
//!
//! - *Fill without a look?* Pages from the first on that the last two memories both wrote are filled;
//!   every other touched page is looked into, and filled if it holds anything. Looking costs less
//!   than filling, and tells what was written.
//! - *How many pages stay in memory?* A page that is kept costs a look at every cleaning, whether or
//!   not it was written; one that is given back costs a page fault when it is next. So pages are
//!   kept up to what [`Weights`] finds worth it.
//! - *What of the rest?* Asking which pages were touched costs a call. Where nearly all are written,
//!   filling everything costs less; where nobody goes further than what is worth keeping, giving
//!   everything behind that back unseen does: a shorter call, which finds nothing to do.
//!
//! Whoever does not look does not notice memories that write less, or more. So now and then a cleaning
//! *inspects*: it asks, and looks into every page.
#![forbid(unsafe_code)]

mod weights;

use weights::{Weights, class};

/// Shapes told apart. Shapes that share an entry learn from each other's memories.
const ENTRIES: usize = 16;

/// The first cleanings of a shape inspect: there is nothing to go by yet.
const FIRST_INSPECTIONS: u32 = 4;

/// After that, one cleaning in 16 inspects on average: after 8 to 23 others, in no regular order,
/// so that guests that take turns are all met.
const SHORTEST_PAUSE: u32 = 8;
const PAUSES: u32 = 16;

/// Untouched pages whose filling costs as much as a call that finds them, apart from a fourth of
/// those that are touched, each of which the call has to look at.
pub(super) const PAGES_PER_CALL: usize = 24;

/// Inspections in a row that must find nothing behind the usual pages before those are given back
/// unseen. Doubled, up to the most, each time that was wrong, and halved again while it is right.
const LEAST_PATIENCE: u8 = 4;
const MOST_PATIENCE: u8 = 64;

/// What is done about the pages behind the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Fill them, too: nearly all are written.
    Fill,
    /// Give them back unseen: nobody writes them.
    GiveBack,
    /// Ask which of them were touched, and look into those.
    Ask,
}

/// How to clean one memory. Counts are of host pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Advice {
    entry: usize,
    /// Look into every page.
    inspect: bool,
    /// So many pages from the first on are to be filled without a look: 1 at least.
    pub(super) prefix: usize,
    pub(super) rest: Rest,
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
    weights: Weights,
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
    /// What memories wrote at most lately, apart from those that wrote more than is worth keeping.
    reach: u32,
    /// Inspections in a row that found nothing behind the pages from the first on without a gap.
    calm: u8,
    /// How many it takes to give those back unseen.
    patience: u8,
}

impl Habit {
    const UNKNOWN: Self = Self {
        weights: Weights::NONE,
        inspections: 0,
        until: 0,
        unnoted: 0,
        usual: 0,
        last: 1,
        prefix: 1,
        reach: 1,
        calm: 0,
        patience: LEAST_PATIENCE,
    };

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

    /// Whether what lies behind the reach may go back unseen: memories stop there, and are so much
    /// alike that the shortest is worth filling as far as the longest.
    const fn gives_back(&self) -> bool {
        self.calm >= self.patience
            && self.weights.keep() <= (self.prefix as usize).next_power_of_two()
    }

    /// Notes how far a memory went.
    fn follow(&mut self, inspected: bool, findings: &Findings) {
        let gave_back = self.gives_back();
        let keep = self.weights.keep();
        let is_calm = findings.written == findings.prefix && findings.written <= keep;
        if !is_calm {
            self.calm = 0;
            if gave_back {
                self.patience = self.patience.saturating_mul(2).min(MOST_PATIENCE);
            }
        } else if inspected {
            self.calm = self.calm.saturating_add(1);
            if self.calm >= self.patience.saturating_mul(2) {
                self.calm = self.patience;
                self.patience = (self.patience / 2).max(LEAST_PATIENCE);
            }
        }
        if findings.written <= keep {
            let written = u32::try_from(findings.written).unwrap_or(u32::MAX);
            let decayed = self.reach - self.reach.saturating_sub(written) / 8;
            self.reach = decayed.max(written);
        }
    }
}

/// The habits of all shapes.
#[derive(Debug)]
pub(super) struct Habits([Habit; ENTRIES]);

impl Habits {
    pub(super) const UNKNOWN: Self = Self([Habit::UNKNOWN; ENTRIES]);

    /// How to clean a memory whose shape has this hash and of which `pages` may be written, where
    /// asking costs as much as filling so many pages, and giving pages back unseen may cost less.
    pub(super) fn advise(
        &mut self,
        hash: usize,
        pages: usize,
        cost_of_asking: usize,
        may_give_back: bool,
    ) -> Advice {
        // Under the reserved strategy all memories have one shape: tell them apart by size.
        let entry = (hash ^ class(pages).wrapping_mul(5)) % ENTRIES;
        let habit = &mut self.0[entry];
        let inspect = habit.until == 0;
        if inspect {
            habit.schedule();
        } else {
            habit.until -= 1;
        }
        habit.unnoted = habit.unnoted.saturating_add(1);
        let keep = habit.weights.keep();
        let gives_back = !inspect && may_give_back && habit.gives_back();
        let prefix = if inspect {
            1
        } else if gives_back {
            habit.reach as usize
        } else {
            habit.prefix as usize
        };
        let left = pages.saturating_sub(prefix);
        Advice {
            entry,
            inspect,
            prefix: prefix.min(keep),
            rest: if !inspect && prefix > 1 && left <= cost_of_asking + prefix / 4 {
                Rest::Fill
            } else if gives_back {
                Rest::GiveBack
            } else {
                Rest::Ask
            },
            keep,
            usual: habit.usual,
        }
    }

    /// Whether there is something to learn from a cleaning.
    pub(super) fn is_news(advice: &Advice, findings: &Findings) -> bool {
        advice.inspect
            || class(findings.written) != advice.usual
            || findings.prefix != advice.prefix
    }

    /// Learns from a cleaning that brought news.
    pub(super) fn learn(&mut self, advice: &Advice, findings: &Findings) {
        let habit = &mut self.0[advice.entry];
        habit.follow(advice.inspect, findings);
        let class = class(findings.written);
        // Those that brought no news since: as large as usual, or smaller, if this is the first time
        // that somebody looks.
        let before = if advice.inspect {
            habit.usual.min(class)
        } else {
            habit.usual
        };
        habit.weights.add(before, habit.unnoted.saturating_sub(1));
        habit.weights.add(class, 1);
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

    const PAGES: usize = 4096;

    /// A shape whose memories write from the first page on; kept pages stay in memory.
    struct Guests {
        habits: Habits,
        resident: usize,
        asked: usize,
        given_back_unseen: usize,
        filled: usize,
        given_back: usize,
        faults: usize,
    }

    impl Guests {
        fn new() -> Self {
            Self {
                habits: Habits::UNKNOWN,
                resident: 1,
                asked: 0,
                given_back_unseen: 0,
                filled: 0,
                given_back: 0,
                faults: 0,
            }
        }

        fn advise(&mut self, pages: usize) -> Advice {
            self.habits.advise(3, pages, PAGES_PER_CALL, true)
        }

        fn fault_in(&mut self, pages: usize) {
            self.faults += pages.saturating_sub(self.resident);
            self.resident = self.resident.max(pages);
        }

        fn give_back_from(&mut self, page: usize) {
            self.given_back += self.resident.saturating_sub(page);
            self.resident = self.resident.min(page);
        }

        /// A memory of so many pages comes, writes the first of them, and goes.
        fn run(&mut self, pages: usize, written: usize) {
            self.fault_in(written);
            let advice = self.advise(pages);
            self.fault_in(advice.prefix);
            match advice.rest {
                Rest::Fill => {
                    self.filled += pages;
                    self.fault_in(pages);
                }
                Rest::GiveBack => {
                    self.filled += advice.prefix;
                    self.given_back_unseen += 1;
                    self.give_back_from(advice.prefix);
                }
                Rest::Ask => {
                    self.asked += 1;
                    let written = written.max(advice.prefix);
                    let findings = Findings {
                        written,
                        prefix: written,
                    };
                    self.filled += written.min(advice.keep);
                    self.give_back_from(advice.keep);
                    if Habits::is_news(&advice, &findings) {
                        self.habits.learn(&advice, &findings);
                    }
                }
            }
        }

        fn write(&mut self, written: usize) {
            self.run(PAGES, written);
        }
    }

    #[test]
    fn steady_guests_fault_once_and_lose_nothing() {
        for written in [1, 2, 3, 100, 2048, 4096] {
            let mut guests = Guests::new();
            for _ in 0..1000 {
                guests.write(written);
            }
            assert_eq!(guests.given_back, 0, "{written}");
            assert_eq!(guests.faults, written - 1, "{written}");
            let advice = guests.advise(PAGES);
            assert!(advice.inspect || advice.prefix == written || advice.rest == Rest::Fill);
        }
    }

    #[test]
    fn where_nearly_everything_is_written_hardly_anybody_is_asked() {
        let mut guests = Guests::new();
        for _ in 0..1600 {
            guests.run(256, 250);
        }
        assert!(guests.asked <= 1600 / 16 + 5, "{}", guests.asked);
        assert_eq!(guests.given_back_unseen, 0);
        assert!(guests.faults <= 256);
    }

    #[test]
    fn where_nobody_goes_further_hardly_anybody_is_asked() {
        for lengths in [[1, 1], [16, 16], [5, 8], [1000, 1001]] {
            let mut guests = Guests::new();
            for life in 0..1600 {
                guests.write(lengths[life % 2]);
            }
            assert!(guests.asked <= 1600 / 8, "{lengths:?}: {}", guests.asked);
            // Where they differ, the longest is filled for all.
            assert!(
                guests.faults <= lengths[1] + 32,
                "{lengths:?}: {}",
                guests.faults
            );
        }
    }

    #[test]
    fn guests_that_differ_much_are_asked_about() {
        let mut guests = Guests::new();
        for life in 0..1600 {
            guests.write(if life % 2 == 0 { 1 } else { 200 });
        }
        assert!(
            guests.given_back_unseen < 20,
            "{}",
            guests.given_back_unseen
        );
        assert!(guests.faults < 400, "{}", guests.faults);
    }

    #[test]
    fn a_rare_heavy_guest_does_not_make_the_others_pay() {
        let mut guests = Guests::new();
        for cycle in 0..256 * 20 {
            guests.write(if cycle % 256 == 0 { 2048 } else { 1 });
        }
        // The first time nobody knows that it is rare.
        assert!(guests.given_back > 19 * 2000, "{}", guests.given_back);
        assert!(
            guests.filled < 256 * 20 * 2 + 200 * 2048,
            "{}",
            guests.filled
        );
        // It is met by few inspections, so that few others are asked because of it.
        assert!(guests.asked < 256 * 20 / 4, "{}", guests.asked);
    }

    #[test]
    fn a_frequent_heavy_guest_keeps_its_pages() {
        for one_in in [2, 8, 24] {
            let mut guests = Guests::new();
            for cycle in 0..5000 {
                guests.write(if cycle % one_in == 0 { 2048 } else { 1 });
            }
            // Inspections may miss it a few times in a row, but not 200 times.
            assert!(guests.faults < 8 * 2048, "{one_in}: {}", guests.faults);
        }
    }

    #[test]
    fn habits_change() {
        let mut guests = Guests::new();
        for _ in 0..1000 {
            guests.write(3000);
        }
        for _ in 0..4000 {
            guests.write(2);
        }
        assert!(guests.resident <= 2, "{}", guests.resident);
        let filled = guests.filled;
        for _ in 0..100 {
            guests.write(2);
        }
        assert!(
            guests.filled - filled <= 200,
            "the old pages cost nothing any more"
        );
    }

    #[test]
    fn nothing_goes_back_unseen_where_that_is_dear() {
        let mut habits = Habits::UNKNOWN;
        for _ in 0..1000 {
            let advice = habits.advise(3, PAGES, 0, false);
            assert_eq!(advice.rest, Rest::Ask);
            let findings = Findings {
                written: 1,
                prefix: 1,
            };
            habits.learn(&advice, &findings);
        }
    }
}
