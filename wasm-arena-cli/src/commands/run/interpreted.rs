//! A run in wasmi: the guest is interpreted, on arena memory or on wasmi's own.
//!
//! What differs from a run in Wasmtime: there is no code for this machine, a trap has a name but no
//! place, and a memory's room is decided when it is made.

mod call;
mod stock;
mod wasi;

use core::fmt::Display;
use std::time::Instant;

use wasm_arena::{ArenaSystem, MappedPages, PortableArenas, SystemPages};
use wasm_arena_wasmi::{ArenaMemories, ArenaModule, ArenaStore, Guest};
use wasmi::{Config, Engine, Linker};

use super::guest::{Ended, Execution, nanoseconds};
use super::module::GuestModule;
use super::options::{RunOptions, SystemName};
use super::report::{ArenasReport, Time};
use super::system::{Accounts, accounts_of};
use crate::exit::Failure;
use wasi::{HasWasi, Streams, Wasi};

/// How deep calls may go. The interpreter's stack is not the host's.
const RECURSION: usize = 20_000;

/// Runs the guest to its end, measures, and releases its memories.
///
/// # Errors
/// A setting is outside its limits.
pub(super) fn run(options: &RunOptions) -> Result<(Execution, ArenasReport), Failure> {
    match options.system {
        SystemName::Arena => on_arenas::<PortableArenas<SystemPages>>(options),
        SystemName::Mapped => on_arenas::<MappedPages<SystemPages>>(options),
        SystemName::Stock => Ok((stock::run(options), ArenasReport::default())),
    }
}

fn on_arenas<S: ArenaSystem + Default + 'static>(
    options: &RunOptions,
) -> Result<(Execution, ArenasReport), Failure> {
    let (mut accounts, memory_options) = Accounts::<S>::build(options)?;
    let mut memories = ArenaMemories::new(accounts.arenas.clone())
        .and_then(|memories| memories.with_memory_options(memory_options))
        .map_err(Failure::usage)?
        .with_records();
    if let Some(bytes) = options.maximum_bytes() {
        memories = memories.with_maximum_bytes(bytes);
    }
    let execution = match GuestModule::load(&options.module) {
        Ok(module) => execute(options, &module, &memories, &mut accounts),
        Err(failure) => Execution::never_started(failure),
    };
    let report = accounts.finish(&memories.effective_configuration());
    Ok((execution, report))
}

fn execute<S: ArenaSystem + 'static>(
    options: &RunOptions,
    module: &GuestModule,
    memories: &ArenaMemories<S>,
    accounts: &mut Accounts<S>,
) -> Execution {
    let mut time = Time::default();
    match prepare(options, module, memories, &mut time) {
        Ok((linker, compiled, mut store)) => {
            let start = Instant::now();
            let instance = store.instantiate(&linker, &compiled);
            let ended = call::conclude(&mut store, instance, options, module);
            note_time(&mut time, &ended, start);
            let memories = accounts_of(&store.records(), &module.memories);
            accounts.sample();
            drop(store);
            Execution {
                ended,
                time,
                memories,
                contents: None,
            }
        }
        Err(failure) => Execution {
            time,
            ..Execution::never_started(failure)
        },
    }
}

impl HasWasi for Guest<Wasi> {
    fn wasi(&self) -> &Wasi {
        self
    }
}

type Prepared = (Linker<Guest<Wasi>>, ArenaModule, ArenaStore<Wasi>);

fn prepare<S: ArenaSystem + 'static>(
    options: &RunOptions,
    module: &GuestModule,
    memories: &ArenaMemories<S>,
    time: &mut Time,
) -> Result<Prepared, Failure> {
    module.check_limit(options.max_pages)?;
    let program = program(options, module)?;
    let engine = engine();
    let start = Instant::now();
    let compiled =
        ArenaModule::new(&engine, &module.bytes).map_err(|error| unsupported(module, &error))?;
    time.compile_nanoseconds = Some(nanoseconds(start));
    let linker =
        wasi::linker(&engine, compiled.module()).map_err(|error| refuse(module, &error))?;
    Ok((linker, compiled, memories.store(&engine, program)))
}

/// An engine with every proposal wasmi has and this program offers.
fn engine() -> Engine {
    let mut config = Config::default();
    config
        .wasm_custom_page_sizes(true)
        .wasm_memory64(true)
        .wasm_multi_memory(true)
        .set_max_recursion_depth(RECURSION);
    Engine::new(&config)
}

fn refuse(module: &GuestModule, why: &dyn Display) -> Failure {
    Failure::not_started(format_args!("{}: {why}", module.path))
}

fn unsupported(module: &GuestModule, error: &wasmi::Error) -> Failure {
    refuse(
        module,
        &format_args!("damaged or unsupported module: {error}"),
    )
}

fn note_time(time: &mut Time, ended: &Ended, start: Instant) {
    if !matches!(ended, Ended::NotStarted(_)) {
        time.run_nanoseconds = Some(nanoseconds(start));
    }
}

/// What the program is given.
fn program(options: &RunOptions, module: &GuestModule) -> Result<Wasi, Failure> {
    let name = module.path.rsplit('/').next().unwrap_or(&module.path);
    let mut words = vec![name.to_owned()];
    if options.invoke.is_none() {
        words.extend_from_slice(&options.arguments);
    }
    let streams = Streams::of_this_process()
        .map_err(|error| refuse(module, &format_args!("standard streams: {error}")))?;
    Wasi::new(words, &options.variables, streams)
        .map_err(|why| Failure::usage(format_args!("arguments and --env: {why}")))
}
