//! What the words of the command line ask for.
#![forbid(unsafe_code)]

use alloc::format;
use alloc::vec::Vec;
use core::ffi::c_int;

use qnx_guests::guests::{self, Ended, Problem};
use qnx_guests::program::{self, tell_end, tell_memory, usage};
use qnx_guests::wasi::Command;
use qnx_program::arguments::Arguments;
use qnx_program::output::say;
use wasmtime::{Error, Store, Trap};

use crate::code::{COMMANDS, Code, Guest};
use crate::embedding::Embedding;
use crate::wasi::{Exit, linker};
use crate::{HEAP, PLATFORM, cases};

const HELP: &str = "usage: engine all | run pulley|native GUEST [WORD...]\n\
    GUEST is word-index or misbehave. `run` ends with the exit code of the guest, or with 134 if it\n\
    trapped.\n";

/// Does it; the result is the status of the program.
pub(crate) fn run(arguments: &Arguments) -> c_int {
    let words = program::words(arguments);
    if !program::start(&words) {
        return usage(HELP);
    }
    if let Err(reason) = PLATFORM.prepare() {
        say(format_args!("no slots for threads: {reason:?}\n"));
        return 1;
    }
    match words[..] {
        ["all"] | ["all", "--host-page", _] => cases::all(),
        ["run", code, guest, ref rest @ ..] => match Code::named(code) {
            Some(code) if named(guest).is_some() => {
                tell_end("engine", ended(command(code, guest, rest)))
            }
            _ => usage(HELP),
        },
        _ => usage(HELP),
    }
}

fn named(guest: &str) -> Option<&'static Guest> {
    COMMANDS.iter().find(|known| known.name == guest)
}

/// Runs a command as a shell would, and tells what its memory came from.
fn command(code: Code, guest: &str, words: &[&str]) -> wasmtime::Result<c_int> {
    let embedding = Embedding::new(code)?;
    let outcome = start(&embedding, code, guest, words, None).0;
    tell_memory(&embedding.arenas, &embedding.memories.records(), &HEAP);
    outcome
}

/// Runs a command in a store of its own: how it ended, and what it printed if that is kept.
pub(crate) fn start(
    embedding: &Embedding,
    code: Code,
    guest: &str,
    words: &[&str],
    printed: Option<Vec<u8>>,
) -> (wasmtime::Result<c_int>, Option<Vec<u8>>) {
    let command = Command::new(guest, words, printed);
    let mut store = Store::new(&embedding.engine, command);
    let outcome = enter(embedding, code, guest, &mut store);
    (outcome, store.into_data().printed)
}

fn enter(
    embedding: &Embedding,
    code: Code,
    guest: &str,
    store: &mut Store<Command>,
) -> wasmtime::Result<c_int> {
    let guest = named(guest).ok_or_else(|| Error::msg("no such guest"))?;
    let module = embedding.module(guest, code)?;
    let instance = linker(&embedding.engine)?.instantiate(&mut *store, &module)?;
    let entry = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
    match entry.call(store, ()) {
        Ok(()) => Ok(0),
        Err(error) => match error.downcast_ref::<Exit>() {
            Some(&Exit(status)) => Ok(status),
            None => Err(error),
        },
    }
}

/// How a command ended, for those who know no engine.
pub(crate) fn ended(outcome: wasmtime::Result<c_int>) -> Ended {
    outcome.map_err(|error| Problem {
        trap: error.downcast_ref().map(|trap| match trap {
            Trap::MemoryOutOfBounds => guests::Trap::OutOfBounds,
            Trap::StackOverflow => guests::Trap::StackExhausted,
            Trap::UnreachableCodeReached => guests::Trap::Unreachable,
            Trap::IntegerDivisionByZero => guests::Trap::DivisionByZero,
            Trap::BadSignature => guests::Trap::WrongType,
            _ => guests::Trap::Other,
        }),
        said: format!("{error:?}"),
    })
}
