//! The words of the command line, and what a user is told.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::ffi::c_int;

use qnx_program::arguments::Arguments;
use qnx_program::output::say;
use wasm_arena::{ArenaSystem, MemoryRecord, SystemArenas};

use crate::cases::RuntimeHeap;
use crate::guests::Ended;

#[cfg(feature = "stand-in")]
const HELP_WITH_STAND_IN: &str =
    "With the stand-in, `all --host-page N` chooses the bytes of a page (4096, 16384, 65536).\n";

/// As a shell reports a program that aborted.
const TRAPPED: c_int = 134;

/// The words behind the program's name.
#[must_use]
pub fn words(arguments: &Arguments) -> Vec<&'static str> {
    (1..).map_while(|index| arguments.get(index)).collect()
}

/// Starts the stand-in, if there is one, with pages of the size chosen; false if it has none such.
#[must_use]
pub fn start(words: &[&str]) -> bool {
    let host_page = match words {
        ["all", "--host-page", number] => number.parse().unwrap_or(0),
        _ => 4096,
    };
    #[cfg(feature = "stand-in")]
    return qnx_program::bench::start(qnx_program::bench::native_profile(), host_page);
    #[cfg(not(feature = "stand-in"))]
    return host_page == 4096;
}

/// Says how the program is used; the result is its status.
#[must_use]
pub fn usage(help: &str) -> c_int {
    say(format_args!("{help}"));
    #[cfg(feature = "stand-in")]
    say(format_args!("{HELP_WITH_STAND_IN}"));
    2
}

/// Says where memory came from.
pub fn tell_memory(arenas: &SystemArenas, records: &[MemoryRecord], heap: &RuntimeHeap) {
    for record in records {
        let statistics = record.statistics;
        say(format_args!(
            "linear memory from \"{}\": {} bytes at the start, {} at its peak, {} growths, {} moves\n",
            arenas.system().facts().name,
            statistics.initial_bytes,
            statistics.peak_bytes,
            statistics.grows,
            statistics.moves,
        ));
    }
    let heap = heap.statistics();
    say(format_args!(
        "objects of the runtime from the heap: {} allocations, {} bytes at the peak\n",
        heap.allocations, heap.peak_allocated_bytes,
    ));
}

/// Says what went wrong, if something did; the result is the status of the program.
#[must_use]
pub fn tell_end(program: &str, ended: Ended) -> c_int {
    match ended {
        Ok(status) => status,
        Err(problem) => {
            say(format_args!("{program}: {}\n", problem.said));
            if problem.trap.is_some() { TRAPPED } else { 1 }
        }
    }
}
