//! The guest: compiled, linked to WASI, run to its end.

use core::fmt::Display;
use core::num::NonZeroUsize;
use core::time::Duration;
use std::time::Instant;

use wasmtime::{Config, Engine, ExternType, Instance, Linker, Module, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use super::contents::Watch;
use super::invoke;
use super::module::GuestModule;
use super::options::{RunOptions, SystemName};
use super::report::{Contents, Memory, Time};
use super::stock::StoreWatch;
use super::system::MemorySystem;
use super::trap::{FRAMES, Trap};
use crate::exit::Failure;

/// How the guest ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// With an exit code of its own.
    Exited(u8),
    /// A function called by name gave back these values.
    Returned(Vec<String>),
    /// By a trap.
    Trapped(Trap),
    /// Its memory was found damaged before a call.
    Damaged(String),
    /// It was never started.
    NotStarted(Failure),
}

/// A run that is over; its memories are released.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) ended: Ended,
    pub(super) time: Time,
    pub(super) memories: Vec<Memory>,
    /// What the memories hold, where that was watched.
    pub(super) contents: Option<Contents>,
}

impl Execution {
    /// Of a guest that could not be started.
    pub(super) fn never_started(failure: Failure) -> Self {
        Self {
            ended: Ended::NotStarted(failure),
            time: Time::default(),
            memories: Vec::new(),
            contents: None,
        }
    }
}

/// What host functions can reach.
struct Host {
    wasi: WasiP1Ctx,
    watch: StoreWatch,
}

/// Runs the guest to its end, measures, and releases its memories.
pub(super) fn execute(
    options: &RunOptions,
    module: &GuestModule,
    system: &mut dyn MemorySystem,
) -> Execution {
    let mut time = Time::default();
    let mut prepared = match prepare(options, module, system, &mut time) {
        Ok(prepared) => prepared,
        Err(failure) => {
            return Execution {
                time,
                ..Execution::never_started(failure)
            };
        }
    };
    let start = Instant::now();
    let ended = prepared.run(options, module);
    if !matches!(ended, Ended::NotStarted(_)) {
        time.run_nanoseconds = Some(nanoseconds(start));
    }
    let memories = system
        .memories(&module.memories)
        .unwrap_or_else(|| prepared.store.data().watch.account());
    system.sample();
    drop(prepared.store);
    Execution {
        ended,
        time,
        memories,
        contents: prepared.contents,
    }
}

/// Everything that is needed to run.
struct Prepared {
    linker: Linker<Host>,
    compiled: Module,
    store: Store<Host>,
    /// The account of what was watched, after the run.
    contents: Option<Contents>,
}

fn prepare(
    options: &RunOptions,
    module: &GuestModule,
    system: &dyn MemorySystem,
    time: &mut Time,
) -> Result<Prepared, Failure> {
    let refuse = |why: &dyn Display| Failure::not_started(format_args!("{}: {why}", module.path));
    module.check_limit(options.max_pages)?;
    let wasi = wasi(options, module)?;
    let engine = system
        .engine(config())
        .map_err(|error| refuse(&format_args!("{error:#}")))?;
    let start = Instant::now();
    let compiled = compile(&engine, module).map_err(|error| refuse(&error))?;
    time.compile_nanoseconds = Some(nanoseconds(start));

    let mut linker = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |host: &mut Host| &mut host.wasi)
        .map_err(|error| refuse(&format_args!("{error:#}")))?;
    let cap = options.maximum_bytes();
    let watch = StoreWatch::new(&module.memories, cap);
    let mut store = Store::new(&engine, Host { wasi, watch });
    if options.system == SystemName::Stock {
        store.limiter(|host| &mut host.watch);
    }
    check_imports(&compiled, &linker, &mut store).map_err(|why| refuse(&why))?;
    Ok(Prepared {
        linker,
        compiled,
        store,
        contents: None,
    })
}

fn config() -> Config {
    let mut config = Config::new();
    config.wasm_custom_page_sizes(true);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES));
    // File and line in backtraces, for modules that carry them.
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable);
    config
}

fn compile(engine: &Engine, module: &GuestModule) -> Result<Module, String> {
    Module::new(engine, &module.bytes)
        .map_err(|error| format!("damaged or unsupported module: {error:#}"))
}

fn wasi(options: &RunOptions, module: &GuestModule) -> Result<WasiP1Ctx, Failure> {
    let mut wasi = WasiCtxBuilder::new();
    // One guest, one thread: nothing else could use the time that a switch of threads costs.
    wasi.inherit_stdio().allow_blocking_current_thread(true);
    let name = module.path.rsplit('/').next().unwrap_or(&module.path);
    wasi.arg(name);
    if options.invoke.is_none() {
        wasi.args(&options.arguments);
    }
    wasi.envs(&options.variables);
    for folder in &options.folders {
        wasi.preopened_dir(&folder.host, &folder.guest, FsPerms::ReadWrite)
            .map_err(|error| {
                Failure::usage(format_args!(
                    "--dir {}: {}",
                    folder.host.display(),
                    error.root_cause()
                ))
            })?;
    }
    Ok(wasi.build_p1())
}

/// Names the first import that nobody provides.
fn check_imports(
    compiled: &Module,
    linker: &Linker<Host>,
    store: &mut Store<Host>,
) -> Result<(), String> {
    let missing = compiled
        .imports()
        .find(|import| linker.get_by_import(&mut *store, import).is_none());
    let Some(import) = missing else {
        return Ok(());
    };
    let of_type = match import.ty() {
        ExternType::Func(function) => format!("function {}", invoke::signature(&function)),
        ExternType::Memory(_) => "memory".to_owned(),
        ExternType::Table(_) => "table".to_owned(),
        ExternType::Global(global) => format!("global of type {}", global.content()),
        _ => "tag".to_owned(),
    };
    let hint = match import.module() {
        "wasi_snapshot_preview1" => "there is no such function in WASI preview 1",
        "wasi_unstable" => "that is an older WASI; rebuild the program for WASI preview 1",
        _ => "only WASI preview 1 (wasi_snapshot_preview1) is provided",
    };
    Err(format!(
        "missing import {}::{} ({of_type}): {hint}",
        import.module(),
        import.name()
    ))
}

impl Prepared {
    fn run(&mut self, options: &RunOptions, module: &GuestModule) -> Ended {
        let refuse = |why: &dyn Display| {
            Ended::NotStarted(Failure::not_started(format_args!("{}: {why}", module.path)))
        };
        let ended = match self.linker.instantiate(&mut self.store, &self.compiled) {
            Ok(instance) => {
                let ended = self.call_watched(instance, options, module);
                self.read_sizes(instance, module);
                ended
            }
            Err(error) => Err(error),
        };
        match ended {
            Ok(ended) => ended,
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(exit) => match u8::try_from(exit.0) {
                    Ok(code) => Ended::Exited(code),
                    Err(_) => refuse(&exit),
                },
                None if error.is::<wasmtime::Trap>() || error.is::<wasmtime::WasmBacktrace>() => {
                    Ended::Trapped(Trap::explain(&error, module))
                }
                None => refuse(&format_args!("{error:#}")),
            },
        }
    }

    /// Calls what is to be called, with memories under checksums if that was asked for.
    fn call_watched(
        &mut self,
        instance: Instance,
        options: &RunOptions,
        module: &GuestModule,
    ) -> wasmtime::Result<Ended> {
        let Some(level) = options.contents_level() else {
            return self.call(instance, options, module);
        };
        let watch = match Watch::start(level, &mut self.store, instance, module) {
            Ok(watch) => watch,
            Err(damage) => {
                self.contents = Some(Contents {
                    memories: Vec::new(),
                    not_watched: Vec::new(),
                    damage: Some(damage.report),
                });
                return Ok(Ended::Damaged(damage.message));
            }
        };
        let ended = self.call(instance, options, module);
        let damage = ended.as_ref().err().and_then(|error| watch.damage(error));
        let mut contents = watch.report();
        let (ended, damage) = match damage {
            None => (ended, None),
            Some(damage) => (Ok(Ended::Damaged(damage.message)), Some(damage.report)),
        };
        contents.damage = damage;
        self.contents = Some(contents);
        ended
    }

    /// Calls what is to be called. An error is a trap or an exit.
    fn call(
        &mut self,
        instance: Instance,
        options: &RunOptions,
        module: &GuestModule,
    ) -> wasmtime::Result<Ended> {
        let store = &mut self.store;
        if let Some(name) = &options.invoke {
            let mut call = match invoke::prepare(store, instance, name, &options.arguments) {
                Ok(call) => call,
                Err(why) => {
                    return Ok(Ended::NotStarted(Failure::usage(format_args!(
                        "--invoke {name}: {why}"
                    ))));
                }
            };
            if let Some(initialize) = instance.get_func(&mut *store, "_initialize") {
                initialize
                    .typed::<(), ()>(&mut *store)?
                    .call(&mut *store, ())?;
            }
            let mut results = call.run(&mut *store)?;
            for _more in 1..options.repeat.unwrap_or(1) {
                if let Some(milliseconds) = options.pause {
                    std::thread::sleep(Duration::from_millis(milliseconds));
                }
                results = call.run(&mut *store)?;
            }
            return Ok(Ended::Returned(results));
        }
        match instance.get_typed_func::<(), ()>(&mut *store, "_start") {
            Ok(start) => {
                start.call(&mut *store, ())?;
                Ok(Ended::Exited(0))
            }
            Err(_) => Ok(Ended::NotStarted(Failure::not_started(format_args!(
                "{}: exports no function _start without parameters, so it is no program; \
                 --invoke calls one of: {}",
                module.path,
                invoke::exported_functions(store, instance)
            )))),
        }
    }

    /// Reads the true size of every memory that is exported.
    fn read_sizes(&mut self, instance: Instance, module: &GuestModule) {
        for (name, index) in module.exported_memories() {
            if let Some(memory) = instance.get_memory(&mut self.store, &name) {
                let bytes = memory.data_size(&self.store);
                self.store.data_mut().watch.correct(index, bytes);
            }
        }
    }
}

pub(super) fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
