//! What the words of the command line ask for.
#![forbid(unsafe_code)]

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::ffi::c_int;

use qnx_program::arguments::Arguments;
use qnx_program::output::say;
use wasm_arena::ArenaSystem;
use wasm_arena_wasmi::ArenaStore;
use wasmi::Error;

use crate::embedding::{COMMANDS, Embedding, Guest};
use crate::wasi::{self, Command};
use crate::{HEAP, cases};

const HELP: &str = "usage: interpreter all | run GUEST [WORD...]\n\
    GUEST is word-index or misbehave. `run` ends with the exit code of the guest, or with 134 if it\n\
    trapped.\n";
#[cfg(feature = "stand-in")]
const HELP_WITH_STAND_IN: &str =
    "With the stand-in, `all --host-page N` chooses the bytes of a page (4096, 16384, 65536).\n";

/// As a shell reports a program that aborted.
const TRAPPED: c_int = 134;

/// Does it; the result is the status of the program.
pub(crate) fn run(arguments: &Arguments) -> c_int {
    let words: Vec<&str> = (1..).map_while(|index| arguments.get(index)).collect();
    #[cfg(feature = "stand-in")]
    if !start_stand_in(&words) {
        return usage();
    }
    match words[..] {
        ["all"] | ["all", "--host-page", _] => cases::all(),
        ["run", guest, ref rest @ ..] => match COMMANDS.iter().find(|known| known.name == guest) {
            Some(guest) => command(guest, rest),
            None => usage(),
        },
        _ => usage(),
    }
}

/// Starts the stand-in with pages of the size chosen; false if it has none such.
#[cfg(feature = "stand-in")]
fn start_stand_in(words: &[&str]) -> bool {
    let host_page = match words {
        ["all", "--host-page", number] => number.parse().unwrap_or(0),
        _ => 4096,
    };
    qnx_program::bench::start(qnx_program::bench::native_profile(), host_page)
}

fn usage() -> c_int {
    say(format_args!("{HELP}"));
    #[cfg(feature = "stand-in")]
    say(format_args!("{HELP_WITH_STAND_IN}"));
    2
}

/// Runs a command as a shell would, and tells what its memory came from.
fn command(guest: &Guest, words: &[&str]) -> c_int {
    match run_command(guest, words) {
        Ok(status) => status,
        Err(error) => {
            say(format_args!("interpreter: {error}\n"));
            if error.as_trap_code().is_some() {
                TRAPPED
            } else {
                1
            }
        }
    }
}

fn run_command(guest: &Guest, words: &[&str]) -> Result<c_int, Error> {
    let embedding = Embedding::for_commands()?;
    let ended = start(&embedding, guest, words, None).0;
    for record in embedding.memories.records() {
        let statistics = record.statistics;
        say(format_args!(
            "linear memory from \"{}\": {} bytes at the start, {} at its peak, {} growths, {} moves\n",
            embedding.arenas.system().facts().name,
            statistics.initial_bytes,
            statistics.peak_bytes,
            statistics.grows,
            statistics.moves,
        ));
    }
    let heap = HEAP.statistics();
    say(format_args!(
        "objects of the runtime from the heap: {} allocations, {} bytes at the peak\n",
        heap.allocations, heap.peak_allocated_bytes,
    ));
    ended
}

/// Runs a command in a store of its own: how it ended, and what it printed if that is kept.
pub(crate) fn start(
    embedding: &Embedding,
    guest: &Guest,
    words: &[&str],
    printed: Option<Vec<u8>>,
) -> (Result<c_int, Error>, Option<Vec<u8>>) {
    let words = [&guest.name].into_iter().chain(words);
    let command = Command {
        words: words.map(|&word| word.to_owned()).collect(),
        printed,
    };
    let mut store = embedding.memories.store(&embedding.engine, command);
    let ended = enter(embedding, guest, &mut store);
    (ended, store.data_mut().printed.take())
}

fn enter(
    embedding: &Embedding,
    guest: &Guest,
    store: &mut ArenaStore<Command>,
) -> Result<c_int, Error> {
    let module = embedding.module(guest)?;
    let instance = store.instantiate(&wasi::linker(&embedding.engine)?, &module)?;
    let entry = instance.get_typed_func::<(), ()>(&*store, "_start")?;
    match entry.call(&mut *store, ()) {
        Ok(()) => Ok(0),
        Err(error) => match error.i32_exit_status() {
            Some(status) => Ok(status),
            None => Err(error),
        },
    }
}
