//! How much memory a heap takes for what is alive, measured from outside: in a process of its own for
//! each heap and trace.

use core::alloc::GlobalAlloc;
use std::alloc::System;
use std::env;
use std::fs;
use std::process::Command;

use arena_heap::SharedArenaHeap;
use benches::{AddressSpace, Aim, Report};
use mimalloc::MiMalloc;
use os::{OsPages, RawLock};
use rlsf::GlobalTlsf;
use talc::TalcLock;
use talc::source::GlobalAllocSource;

use super::player::Player;
use super::trace::{Event, Pattern};
use super::{OURS, OURS_DEFAULT, held};

/// The first argument of such a process; then come heap and trace.
const WORD: &str = "--footprint";

const HEAPS: [&str; 6] = [OURS, OURS_DEFAULT, "talc", "rlsf", "glibc", "mimalloc"];

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
            let ratio: f64 = text.trim().parse().map_err(|_| {
                let problem = String::from_utf8_lossy(&output.stderr);
                format!("{WORD} {heap} {}: {problem}", pattern.name())
            })?;
            let what = format!("{}: footprint of {heap} over live bytes", pattern.name());
            let aim = Aim::figure(what, ratio, "×");
            let has_aim = heap == OURS && pattern.is_steady();
            report
                .aims
                .push(if has_aim { aim.at_most(1.15) } else { aim });
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
            OURS => play(&held()?, &events),
            OURS_DEFAULT => play(&SharedArenaHeap::new(OsPages::new()), &events),
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

#[expect(clippy::cast_precision_loss, reason = "some MiB")]
fn play(heap: &impl GlobalAlloc, events: &[Event]) -> Result<f64, String> {
    let mut player = Player::new(heap, events).touching();
    let before = AddressSpace::now()?.resident;
    // From here on the peak counts.
    fs::write("/proc/self/clear_refs", "5").map_err(|error| error.to_string())?;
    let mut live = 0;
    for _ in 0..2 * events.len() {
        player.step()?;
        live = live.max(player.live);
    }
    let peak = AddressSpace::peak_resident()?;
    Ok(peak.saturating_sub(before) as f64 / live as f64)
}
