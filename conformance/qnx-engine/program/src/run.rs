//! What the words of the command line ask for.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::ffi::c_int;

use qnx_program::arguments::Arguments;
use qnx_program::output::say;
use wasm_arena::ArenaSystem;
use wasmtime::{Store, Trap};

use crate::code::{COMMANDS, Code, Guest};
use crate::embedding::Embedding;
use crate::wasi::{Command, Exit};
use crate::{HEAP, PLATFORM, cases, wasi};

const HELP: &str = "usage: engine all | run pulley|native GUEST [WORD...]\n\
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
    if let Err(reason) = PLATFORM.prepare() {
        say(format_args!("no slots for threads: {reason:?}\n"));
        return 1;
    }
    match words[..] {
        ["all"] | ["all", "--host-page", _] => cases::all(),
        ["run", code, guest, ref rest @ ..] => {
            let guest = COMMANDS.iter().find(|known| known.name == guest);
            match (Code::named(code), guest) {
                (Some(code), Some(guest)) => command(code, guest, rest),
                _ => usage(),
            }
        }
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
fn command(code: Code, guest: &Guest, words: &[&str]) -> c_int {
    match run_command(code, guest, words) {
        Ok(status) => status,
        Err(error) => {
            say(format_args!("engine: {error:?}\n"));
            if error.is::<Trap>() { TRAPPED } else { 1 }
        }
    }
}

fn run_command(code: Code, guest: &Guest, words: &[&str]) -> wasmtime::Result<c_int> {
    let embedding = Embedding::new(code)?;
    let ended = start(&embedding, code, guest, words, None).0;
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
    code: Code,
    guest: &Guest,
    words: &[&str],
    printed: Option<Vec<u8>>,
) -> (wasmtime::Result<c_int>, Option<Vec<u8>>) {
    let words = [&guest.name].into_iter().chain(words);
    let command = Command {
        words: words.map(|&word| word.to_owned()).collect(),
        printed,
    };
    let mut store = Store::new(&embedding.engine, command);
    let ended = enter(embedding, code, guest, &mut store);
    (ended, store.into_data().printed)
}

fn enter(
    embedding: &Embedding,
    code: Code,
    guest: &Guest,
    store: &mut Store<Command>,
) -> wasmtime::Result<c_int> {
    let module = embedding.module(guest, code)?;
    let instance = wasi::linker(&embedding.engine)?.instantiate(&mut *store, &module)?;
    let entry = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
    match entry.call(store, ()) {
        Ok(()) => Ok(0),
        Err(error) => match error.downcast_ref::<Exit>() {
            Some(&Exit(status)) => Ok(status),
            None => Err(error),
        },
    }
}
