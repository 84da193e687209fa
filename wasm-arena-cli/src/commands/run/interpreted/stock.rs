//! The same on wasmi's own memory, for comparison.

use std::time::Instant;

use wasmi::errors::{MemoryError, TableError};
use wasmi::{Linker, Module, ResourceLimiter, Store};
use wasmi_core::LimiterError;

use super::super::guest::{Execution, nanoseconds};
use super::super::module::GuestModule;
use super::super::options::RunOptions;
use super::super::report::Time;
use super::super::stock::StoreWatch;
use super::wasi::{self, HasWasi, Wasi};
use super::{call, engine, note_time, program, refuse, unsupported};
use crate::exit::Failure;

/// What host functions can reach.
struct Host {
    program: Wasi,
    watch: Watch,
}

impl HasWasi for Host {
    fn wasi(&self) -> &Wasi {
        &self.program
    }
}

/// The watch over a store of Wasmtime's, which asks the same questions, for one of wasmi's.
struct Watch(StoreWatch);

impl ResourceLimiter for Watch {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(
            wasmtime::ResourceLimiter::memory_growing(&mut self.0, current, desired, maximum)
                .unwrap_or(false),
        )
    }

    fn memory_grow_failed(&mut self, error: &MemoryError) -> Result<(), LimiterError> {
        // wasmi tells only of growths that were allowed before.
        let error = wasmtime::Error::msg(error.to_string());
        wasmtime::ResourceLimiter::memory_grow_failed(&mut self.0, error)
            .map_err(|_| LimiterError::ResourceLimiterDeniedAllocation)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(desired <= maximum.unwrap_or(usize::MAX))
    }

    fn table_grow_failed(&mut self, _error: &TableError) -> Result<(), LimiterError> {
        Ok(())
    }

    fn instances(&self) -> usize {
        usize::MAX
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

/// Runs the guest to its end.
pub(super) fn run(options: &RunOptions) -> Execution {
    match GuestModule::load(&options.module) {
        Ok(module) => execute(options, &module),
        Err(failure) => Execution::never_started(failure),
    }
}

fn execute(options: &RunOptions, module: &GuestModule) -> Execution {
    let mut time = Time::default();
    let (linker, compiled, mut store) = match prepare(options, module, &mut time) {
        Ok(prepared) => prepared,
        Err(failure) => {
            return Execution {
                time,
                ..Execution::never_started(failure)
            };
        }
    };
    let start = Instant::now();
    let instance = linker.instantiate_and_start(&mut store, &compiled);
    let exports = instance.as_ref().ok().copied();
    let ended = call::conclude(&mut store, instance, options, module);
    note_time(&mut time, &ended, start);
    for (name, index) in module.exported_memories() {
        if let Some(memory) = exports.and_then(|exports| exports.get_memory(&store, &name)) {
            let bytes = memory.data_size(&store);
            store.data_mut().watch.0.correct(index, bytes);
        }
    }
    Execution {
        ended,
        time,
        memories: store.data().watch.0.account(),
        contents: None,
    }
}

fn prepare(
    options: &RunOptions,
    module: &GuestModule,
    time: &mut Time,
) -> Result<(Linker<Host>, Module, Store<Host>), Failure> {
    module.check_limit(options.max_pages)?;
    let program = program(options, module)?;
    let engine = engine();
    let start = Instant::now();
    let compiled =
        Module::new(&engine, &module.bytes).map_err(|error| unsupported(module, &error))?;
    time.compile_nanoseconds = Some(nanoseconds(start));
    let linker = wasi::linker(&engine, &compiled).map_err(|error| refuse(module, &error))?;
    let watch = Watch(StoreWatch::new(&module.memories, options.maximum_bytes()));
    let mut store = Store::new(&engine, Host { program, watch });
    store.limiter(|host| &mut host.watch);
    Ok((linker, compiled, store))
}
