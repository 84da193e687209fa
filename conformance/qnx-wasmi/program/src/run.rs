//! What the words of the command line ask for.
#![forbid(unsafe_code)]

use alloc::format;
use alloc::vec::Vec;
use core::ffi::c_int;

use qnx_guests::guests::{self, Ended, Problem};
use qnx_guests::program::{self, tell_end, tell_memory, usage};
use qnx_guests::wasi::Command;
use qnx_program::arguments::Arguments;
use wasm_arena_wasmi::ArenaStore;
use wasmi::{Error, TrapCode};

use crate::embedding::{COMMANDS, Embedding, Guest};
use crate::wasi::linker;
use crate::{HEAP, cases};

const HELP: &str = "usage: interpreter all | run GUEST [WORD...]\n\
    GUEST is word-index or misbehave. `run` ends with the exit code of the guest, or with 134 if it\n\
    trapped.\n";

/// Does it; the result is the status of the program.
pub(crate) fn run(arguments: &Arguments) -> c_int {
    let words = program::words(arguments);
    if !program::start(&words) {
        return usage(HELP);
    }
    match words[..] {
        ["all"] | ["all", "--host-page", _] => cases::all(),
        ["run", guest, ref rest @ ..] if named(guest).is_some() => {
            tell_end("interpreter", ended(command(guest, rest)))
        }
        _ => usage(HELP),
    }
}

fn named(guest: &str) -> Option<&'static Guest> {
    COMMANDS.iter().find(|known| known.name == guest)
}

/// Runs a command as a shell would, and tells what its memory came from.
fn command(guest: &str, words: &[&str]) -> Result<c_int, Error> {
    let embedding = Embedding::for_commands()?;
    let outcome = start(&embedding, guest, words, None).0;
    tell_memory(&embedding.arenas, &embedding.memories.records(), &HEAP);
    outcome
}

/// Runs a command in a store of its own: how it ended, and what it printed if that is kept.
pub(crate) fn start(
    embedding: &Embedding,
    guest: &str,
    words: &[&str],
    printed: Option<Vec<u8>>,
) -> (Result<c_int, Error>, Option<Vec<u8>>) {
    let command = Command::new(guest, words, printed);
    let mut store = embedding.memories.store(&embedding.engine, command);
    let outcome = enter(embedding, guest, &mut store);
    (outcome, store.data_mut().printed.take())
}

fn enter(
    embedding: &Embedding,
    guest: &str,
    store: &mut ArenaStore<Command>,
) -> Result<c_int, Error> {
    let guest = named(guest).ok_or_else(|| Error::new("no such guest"))?;
    let module = embedding.module(guest)?;
    let instance = store.instantiate(&linker(&embedding.engine)?, &module)?;
    let entry = instance.get_typed_func::<(), ()>(&*store, "_start")?;
    match entry.call(&mut *store, ()) {
        Ok(()) => Ok(0),
        Err(error) => match error.i32_exit_status() {
            Some(status) => Ok(status),
            None => Err(error),
        },
    }
}

/// How a command ended, for those who know no engine.
pub(crate) fn ended(outcome: Result<c_int, Error>) -> Ended {
    outcome.map_err(|error| Problem {
        trap: error.as_trap_code().map(|trap| match trap {
            TrapCode::MemoryOutOfBounds => guests::Trap::OutOfBounds,
            TrapCode::StackOverflow => guests::Trap::StackExhausted,
            TrapCode::UnreachableCodeReached => guests::Trap::Unreachable,
            TrapCode::IntegerDivisionByZero => guests::Trap::DivisionByZero,
            TrapCode::BadSignature => guests::Trap::WrongType,
            _ => guests::Trap::Other,
        }),
        said: format!("{error}"),
    })
}
