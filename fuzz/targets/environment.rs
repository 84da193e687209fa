//! Any text as the environment: it is read without a panic, and what is accepted is legal.
//!
//! The input is read as lines of `NAME=value`; the first line for a name counts. The whole input is
//! read as a band configuration, too.
#![no_main]

use arena_heap::{ArenaHeap, BandConfig, HeapConfig, Outcome};
use libfuzzer_sys::fuzz_target;
use os::{FailAt, OsPages, PageSize};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = core::str::from_utf8(input) else {
        return;
    };
    for bytes in [4096, 16_384, 65_536] {
        environment(text, PageSize::new(bytes).expect("a power of two"));
    }
    if let Ok(bands) = BandConfig::parse(text) {
        assert!(bands.bands().len() <= BandConfig::MAX_BANDS);
        // What was understood once is understood again, from its parts.
        assert_eq!(BandConfig::new(bands.bands()), Ok(bands));
    }
});

fn environment(text: &str, page_size: PageSize) {
    let value = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    let start = HeapConfig::for_page_size(page_size);
    let (config, report) = start.with_environment(page_size, value);
    config
        .validate(page_size)
        .expect("what is accepted is legal");
    for (variable, outcome) in report.iter() {
        let set = value(variable.name()).is_some();
        assert_eq!(set, outcome != Outcome::Unset, "{variable:?}");
    }
    if report
        .iter()
        .all(|(_, outcome)| !matches!(outcome, Outcome::Accepted { .. }))
    {
        assert_eq!(config, start, "nothing was accepted, something changed");
    }
    // The text of a report must not be what panics.
    assert_eq!(
        report.to_string().is_empty(),
        report.iter().all(|(_, outcome)| outcome == Outcome::Unset)
    );
    // A legal configuration makes a heap that works; large preallocations only cost time.
    if config.preallocate <= 1 << 20 {
        let source = FailAt::new(OsPages::new());
        if source_page_size() == page_size {
            let mut heap = ArenaHeap::with_config(&source, config).expect("validated");
            heap.prepare().expect("there is memory for it");
            heap.verify().expect("nothing was damaged");
        }
        assert_eq!(source.live_bytes(), 0);
    }
}

fn source_page_size() -> PageSize {
    os::PageSource::facts(&OsPages::new()).page_size
}
