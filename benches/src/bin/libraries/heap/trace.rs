//! What programs do to a heap, as lists of events that are the same in every run.
#![forbid(unsafe_code)]

/// One call of a heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A block of so many bytes, to be known by a number.
    Allocate { slot: usize, size: usize },
    /// The block of that number goes back.
    Free { slot: usize },
}

/// Patterns of use. Each begins and ends with an empty heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// A thousand blocks are taken, and go back in reverse.
    Lifo,
    /// A thousand blocks live; the oldest goes, a new one comes.
    Fifo,
    /// A thousand places; one at random is filled or emptied.
    Random,
    /// Small blocks, of which every other goes back; then large ones, then small ones again.
    Phases,
}

impl Pattern {
    pub(super) const ALL: [Self; 4] = [Self::Lifo, Self::Fifo, Self::Random, Self::Phases];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lifo => "lifo",
            Self::Fifo => "fifo",
            Self::Random => "random",
            Self::Phases => "phases",
        }
    }

    /// Whether about the same number of bytes is live for most of the time.
    pub(super) const fn is_steady(self) -> bool {
        matches!(self, Self::Fifo | Self::Random)
    }

    pub(super) fn events(self, seed: u64) -> Vec<Event> {
        let mut trace = Trace::new(seed);
        match self {
            Self::Lifo => {
                for _ in 0..20 {
                    (0..LIVE).for_each(|slot| trace.allocate(slot, LARGEST));
                    (0..LIVE).rev().for_each(|slot| trace.free(slot));
                }
            }
            Self::Fifo => {
                for turn in 0..20 * LIVE {
                    trace.free(turn % LIVE);
                    trace.allocate(turn % LIVE, LARGEST);
                }
            }
            Self::Random => {
                for _ in 0..40 * LIVE {
                    let slot = trace.random(LIVE);
                    if trace.live[slot] {
                        trace.free(slot);
                    } else {
                        trace.allocate(slot, LARGEST);
                    }
                }
            }
            Self::Phases => {
                for _ in 0..5 {
                    (0..2 * LIVE).for_each(|slot| trace.allocate(slot, 512));
                    (0..2 * LIVE).step_by(2).for_each(|slot| trace.free(slot));
                    (2 * LIVE..3 * LIVE).for_each(|slot| trace.allocate(slot, LARGEST));
                    (0..2 * LIVE)
                        .step_by(2)
                        .for_each(|slot| trace.allocate(slot, 512));
                    let order = trace.shuffled(3 * LIVE);
                    order.into_iter().for_each(|slot| trace.free(slot));
                }
            }
        }
        (0..trace.live.len()).for_each(|slot| trace.free(slot));
        trace.events
    }
}

/// Blocks alive at once, more or less.
const LIVE: usize = 1000;
/// Numbers there are.
pub(super) const SLOTS: usize = 3 * LIVE;
const SMALLEST: usize = 16;
const LARGEST: usize = 64 << 10;

struct Trace {
    events: Vec<Event>,
    live: [bool; SLOTS],
    state: u64,
}

impl Trace {
    fn new(seed: u64) -> Self {
        Self {
            events: Vec::new(),
            live: [false; SLOTS],
            state: seed,
        }
    }

    /// A number below `limit`: Vigna's splitmix64, the usual generator to begin others with.
    fn random(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % limit as u64).unwrap_or(0)
    }

    /// A block whose size is spread evenly over the powers of two, and within them.
    fn allocate(&mut self, slot: usize, largest: usize) {
        if self.live[slot] {
            return;
        }
        let doublings = (largest / SMALLEST).ilog2() as usize;
        let least = SMALLEST << self.random(doublings);
        let size = least + self.random(least) + 1;
        self.live[slot] = true;
        self.events.push(Event::Allocate { slot, size });
    }

    fn free(&mut self, slot: usize) {
        if self.live[slot] {
            self.live[slot] = false;
            self.events.push(Event::Free { slot });
        }
    }

    fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for index in (1..count).rev() {
            order.swap(index, self.random(index + 1));
        }
        order
    }
}
