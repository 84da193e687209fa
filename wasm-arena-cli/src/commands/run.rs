//! `wasm-arena run`: runs a guest on the memory asked for, and reports what it cost.
//!
//! ```text
//!   options ─▶ system ─▶ module ─▶ guest runs ─▶ memories released ─▶ explanation, report
//!      │                   │           │
//!      └── a wrong one     └── no      ├── trap: explained, exit code 134
//!          ends here           module: └── damaged memory: named, exit code 135
//!                              one line, exit code 126; the report file says so too
//! ```

mod contents;
mod guest;
mod interpreted;
mod invoke;
mod module;
mod options;
mod output;
mod report;
mod stock;
mod system;
mod trap;

use std::io::{self, Write};

use os::{OsPages, PageSource};

use crate::exit::{self, Failure};
use guest::{Ended, Execution};
use module::GuestModule;
use options::EngineName;
use output::Destination;
use report::{ArenasReport, Engine, Outcome, Report};

pub(crate) use options::RunOptions;

/// The version of Wasmtime, found by the build script.
pub(super) const WASMTIME_VERSION: &str = env!("WASMTIME_VERSION");

/// The version of wasmi, found by the build script.
pub(super) const WASMI_VERSION: &str = env!("WASMI_VERSION");

const fn version(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Wasmtime => WASMTIME_VERSION,
        EngineName::Wasmi => WASMI_VERSION,
    }
}

/// Runs the guest; returns the exit code of the process.
///
/// # Errors
/// It could not be started, or the report or its results could not be written.
pub(crate) fn run(options: &RunOptions) -> Result<u8, Failure> {
    options.check()?;
    let destination = Destination::prepare(options)?;
    let (execution, arenas) = match options.engine {
        EngineName::Wasmtime => compiled(options)?,
        EngineName::Wasmi => interpreted::run(options)?,
    };
    let Execution {
        ended,
        time,
        memories,
        contents,
    } = execution;

    let (code, outcome) = conclude(ended, &memories);
    let never_started = outcome.kind == "failed";
    let report = Report {
        schema: report::SCHEMA,
        wasm_arena_version: env!("CARGO_PKG_VERSION"),
        engine: Engine {
            name: options.engine.name(),
            version: version(options.engine),
        },
        module: options.module.display().to_string(),
        system: options.system.name(),
        strategy: options.strategy().name(),
        host_page_bytes: OsPages::new().facts().page_size.get() as u64,
        outcome,
        time,
        memories,
        contents,
        arenas,
    };
    // A guest that never started gets one line on stderr and no more.
    if never_started && matches!(destination, Destination::Stderr) {
        return Ok(code);
    }
    match destination.write(options.report, &report) {
        Err(failure) if code == 0 => Err(failure),
        Err(failure) => {
            exit::complain(&failure.message);
            Ok(code)
        }
        Ok(()) => Ok(code),
    }
}

/// A run in Wasmtime.
fn compiled(options: &RunOptions) -> Result<(Execution, ArenasReport), Failure> {
    let mut system = system::build(options)?;
    let execution = match GuestModule::load(&options.module) {
        Ok(module) => guest::execute(options, &module, &mut *system),
        Err(failure) => Execution::never_started(failure),
    };
    Ok((execution, system.finish()))
}

/// Says what there is to say of the end, and turns it into an exit code.
fn conclude(ended: Ended, memories: &[report::Memory]) -> (u8, Outcome) {
    let outcome = |kind, exit_code, error, trap| Outcome {
        kind,
        exit_code,
        error,
        trap,
    };
    match ended {
        Ended::Exited(code) => (code, outcome("exited", code, None, None)),
        Ended::Returned(values) => match print(&values) {
            Ok(()) => (0, outcome("returned", 0, None, None)),
            Err(error) => {
                let code = exit::NOT_WRITTEN;
                let message = format!("the results cannot be written: {error}");
                exit::complain(&message);
                (code, outcome("returned", code, Some(message), None))
            }
        },
        Ended::Trapped(trap) => {
            let code = exit::TRAPPED;
            exit::complain(trap.to_text(memories).trim_end());
            let message = trap.message.clone();
            (code, outcome("trapped", code, Some(message), Some(trap)))
        }
        Ended::Damaged(message) => {
            let code = exit::DAMAGED;
            exit::complain(&message);
            (code, outcome("damaged", code, Some(message), None))
        }
        Ended::NotStarted(failure) => {
            exit::complain(&failure.message);
            let code = failure.code;
            (code, outcome("failed", code, Some(failure.message), None))
        }
    }
}

fn print(values: &[String]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for value in values {
        writeln!(stdout, "{value}")?;
    }
    stdout.flush()
}
