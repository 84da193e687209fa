//! How much memory a heap takes for what is alive, measured from outside: in a process of its own for
//! each heap and trace.

use core::alloc::GlobalAlloc;
use core::fmt;
use std::alloc::System;
use std::env;
use std::fs;
use std::process::Command;

use arena_heap::HeapConfig;
use benches::{AddressSpace, Aim, Report};
use mimalloc::MiMalloc;
use os::RawLock;
use rlsf::GlobalTlsf;
use talc::TalcLock;
use talc::source::GlobalAllocSource;

use super::player::Player;
use super::trace::{Event, Pattern, SLOTS};
use super::{ON_HOLD, OURS, OURS_DEFAULT, OURS_ON_HOLD, PREALLOCATED, shared};

/// The first argument of such a process; then come heap and trace.
const WORD: &str = "--footprint";

const HEAPS: [&str; 7] = [
    OURS,
    OURS_ON_HOLD,
    OURS_DEFAULT,
    "talc",
    "rlsf",
    "glibc",
    "mimalloc",
];

/// Starts a process for each heap and each trace, and adds what they find.
pub(super) fn measure(report: &mut Report) -> Result<(), String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    for pattern in Pattern::ALL {
        for heap in HEAPS {
            let output = Command::new(&program)
                .args([WORD, heap, pattern.name()])
                .output()
                .map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(&output.stdout);
            let found = Footprint::parse(&text).ok_or_else(|| {
                let problem = String::from_utf8_lossy(&output.stderr);
                format!("{WORD} {heap} {}: {problem}", pattern.name())
            })?;
            let has_aim = heap == OURS && pattern.is_steady();
            for (what, ratio) in [
                ("greatest footprint of", found.greatest),
                ("footprint when most is alive of", found.when_most_is_alive),
            ] {
                let what = format!("{}: {what} {heap}, over live bytes", pattern.name());
                let aim = Aim::figure(what, ratio, "×");
                report
                    .aims
                    .push(if has_aim { aim.at_most(1.15) } else { aim });
            }
        }
    }
    Ok(())
}

/// If this is such a process: what it found, for standard output.
pub(crate) fn child() -> Option<Result<String, String>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [word, heap, pattern] = &words[..] else {
        return None;
    };
    (word == WORD).then(|| {
        let pattern = Pattern::ALL.into_iter().find(|one| one.name() == pattern);
        let pattern = pattern.ok_or("no such trace")?;
        let events = pattern.events(1);
        let ratio = match heap.as_str() {
            OURS => play(&shared(PREALLOCATED)?, &events),
            OURS_ON_HOLD => play(&shared(ON_HOLD)?, &events),
            OURS_DEFAULT => play(&shared(HeapConfig::DEFAULT)?, &events),
            "talc" => {
                let talc = TalcLock::<RawLock, _>::new(GlobalAllocSource::new(System));
                play(&talc, &events)
            }
            "rlsf" => play(&GlobalTlsf::<()>::new(), &events),
            "glibc" => play(&System, &events),
            "mimalloc" => play(&MiMalloc, &events),
            _ => Err(format!("no heap is called {heap}")),
        };
        ratio.map(|ratio| ratio.to_string())
    })
}

/// Resident bytes over the most bytes alive at once.
#[derive(Clone, Copy)]
struct Footprint {
    /// The greatest of two turns of the trace.
    greatest: f64,
    /// That of the moment at which most bytes are alive for the first time.
    when_most_is_alive: f64,
}

impl Footprint {
    /// What [`Display`](fmt::Display) wrote.
    fn parse(text: &str) -> Option<Self> {
        let (greatest, when_most_is_alive) = text.trim().split_once(' ')?;
        Some(Self {
            greatest: greatest.parse().ok()?,
            when_most_is_alive: when_most_is_alive.parse().ok()?,
        })
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.greatest, self.when_most_is_alive)
    }
}

#[expect(clippy::cast_precision_loss, reason = "some MiB")]
fn play(heap: &impl GlobalAlloc, events: &[Event]) -> Result<Footprint, String> {
    let most = most_alive(events);
    let mut player = Player::new(heap, events).touching();
    let before = AddressSpace::now()?.resident;
    // From here on the peak counts.
    fs::write("/proc/self/clear_refs", "5").map_err(|error| error.to_string())?;
    let mut then = None;
    for _ in 0..2 * events.len() {
        player.step()?;
        if player.live == most && then.is_none() {
            then = Some(AddressSpace::now()?.resident);
        }
    }
    let then = then.ok_or("the trace was never at its peak")?;
    let peak = AddressSpace::peak_resident()?;
    let over_live = |resident: u64| resident.saturating_sub(before) as f64 / most as f64;
    Ok(Footprint {
        greatest: over_live(peak),
        when_most_is_alive: over_live(then),
    })
}

/// The most bytes that the trace has alive at once.
fn most_alive(events: &[Event]) -> usize {
    let mut sizes = [0; SLOTS];
    let (mut live, mut most) = (0, 0);
    for event in events {
        match *event {
            Event::Allocate { slot, size } => {
                sizes[slot] = size.max(8);
                live += sizes[slot];
            }
            Event::Free { slot } => live -= sizes[slot],
        }
        most = most.max(live);
    }
    most
}
