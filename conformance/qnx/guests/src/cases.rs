//! Cases: what is run, how it is counted, and what every case has to leave behind.
#![forbid(unsafe_code)]

use alloc::format;
use alloc::string::String;
use core::ffi::c_int;
use core::fmt;

use arena_heap::{HeapStatistics, SharedArenaHeap};
use os::FixedMemory;
use qnx_program::output::say;
use wasm_arena::{RegionPart, SystemArenas};

/// The heap of the runtime's own objects.
pub type RuntimeHeap = SharedArenaHeap<FixedMemory<'static>>;

/// Passed, or why not.
pub type Verdict = Result<(), String>;

/// A named case; `R` is what runs it.
#[derive(Debug)]
pub struct Case<R> {
    /// The name.
    pub name: &'static str,
    /// What is run.
    pub run: R,
}

/// Ends a case with a text unless something holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::cases::reason(format_args!($($text)+)));
        }
    };
}
pub use ensure;

/// A text, as the reason why a case failed.
#[must_use]
pub fn reason(text: fmt::Arguments<'_>) -> String {
    alloc::fmt::format(text)
}

/// How many cases passed and failed.
#[derive(Debug, Default)]
pub struct Count {
    passed: u32,
    failed: u32,
}

impl Count {
    /// Counts a case, and says how it ended.
    pub fn add(&mut self, name: fmt::Arguments<'_>, verdict: Verdict) {
        match verdict {
            Ok(()) => {
                self.passed += 1;
                say(format_args!("{name} ok\n"));
            }
            Err(reason) => {
                self.failed += 1;
                say(format_args!("{name} FAILED: {reason}\n"));
            }
        }
    }

    /// Says the sum; the result is the status of the program.
    #[must_use]
    pub fn sum_up(&self) -> c_int {
        let Self { passed, failed } = self;
        say(format_args!("{passed} passed, {failed} failed\n"));
        c_int::from(*failed > 0)
    }
}

/// Runs a case on a C library nobody used before, and looks at what it left behind.
pub fn fresh(heap: &RuntimeHeap, run: impl FnOnce() -> Verdict) -> Verdict {
    #[cfg(feature = "stand-in")]
    qnx_program::bench::start_anew();
    let verdict = run();
    #[cfg(feature = "stand-in")]
    let verdict = verdict.and_then(|()| crate::watch::nothing_left());
    verdict.and_then(|()| {
        heap.verify()
            .map_err(|damage| format!("the runtime's heap: {damage:?}"))
    })
}

/// Bytes of the runtime's objects.
#[must_use]
pub fn object_bytes(heap: &HeapStatistics) -> usize {
    heap.list_allocated_bytes + heap.band_allocated_bytes
}

/// What an address is to the arenas.
///
/// # Errors
/// They are busy.
pub fn part_of(arenas: &SystemArenas, address: usize) -> Result<Option<RegionPart>, String> {
    let description = arenas.describe_address(address);
    let description = description.map_err(|busy| format!("{busy:?}"))?;
    Ok(description.map(|description| description.part))
}

/// The first byte of `size` from `base` on, one in the middle and the last are data of one memory.
///
/// # Errors
/// One is something else; with the stand-in also if it is in no block of the C library's heap.
pub fn is_data(arenas: &SystemArenas, base: usize, size: usize) -> Verdict {
    for offset in [0, size / 2, size - 1] {
        let part = part_of(arenas, base + offset)?;
        ensure!(
            part == Some(RegionPart::Data { offset }),
            "offset {offset:#x} is {part:?}"
        );
        #[cfg(feature = "stand-in")]
        crate::watch::is_in_a_block_of_the_c_library(base + offset)?;
    }
    Ok(())
}
