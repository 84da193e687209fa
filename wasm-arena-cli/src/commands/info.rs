//! `wasm-arena info`: what this host's memory can do, the defaults and the limits.

use std::io::{self, Write};
use std::sync::Arc;

use wasm_arena::{
    AllocatorBuilder, ArenaSystem, Arenas, MAX_ARENA_SIZE, MappedPages, OptionValue, Outcome,
    PortableArenas, SystemPages,
};
use wasm_arena_wasmtime::{ArenaMemories, Strategy};

use super::run::{WASMI_VERSION, WASMTIME_VERSION};
use crate::exit::Failure;
use crate::size::{grouped, human};

/// Prints it; returns the exit code.
///
/// # Errors
/// The output cannot be written, or the defaults are refused on this host.
pub(super) fn info() -> Result<u8, Failure> {
    let arenas = build::<PortableArenas<SystemPages>>()?;
    let mappings = build::<MappedPages<SystemPages>>()?;
    let text = describe(&arenas, &mappings);
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| {
            Failure::not_written(format_args!("the output cannot be written: {error}"))
        })?;
    Ok(0)
}

fn build<S: ArenaSystem + Default>() -> Result<Arc<Arenas<S>>, Failure> {
    AllocatorBuilder::<S>::new()
        .build_arenas()
        .map(Arc::new)
        .map_err(Failure::not_started)
}

fn describe(
    arenas: &Arc<Arenas<PortableArenas<SystemPages>>>,
    mappings: &Arc<Arenas<MappedPages<SystemPages>>>,
) -> String {
    let facts = arenas.system().facts().pages;
    let page = facts.page_size.get() as u64;
    let yes_no = |can: bool| if can { "yes" } else { "no" };
    let mut lines = vec![
        format!(
            "wasm-arena {}, wasmtime {WASMTIME_VERSION}, wasmi {WASMI_VERSION}",
            env!("CARGO_PKG_VERSION")
        ),
        String::new(),
        "This host".to_owned(),
        entry("host page", &format!("{} ({})", human(page), grouped(page))),
        entry(
            "reserving address space is free",
            yes_no(facts.reserves_for_free),
        ),
        entry("guards can be made to fault", yes_no(facts.can_protect)),
        entry("memory can be given back", yes_no(facts.returns_memory)),
        entry("memory can be locked", yes_no(facts.can_lock)),
        entry("addresses can be probed", yes_no(facts.can_probe)),
        String::new(),
        "Strategies (--strategy)".to_owned(),
    ];
    for strategy in Strategy::ALL {
        let engine =
            ArenaMemories::new(Arc::clone(arenas), strategy).engine(wasmtime::Config::new());
        let available =
            engine.map_or_else(|error| format!("not here: {error:#}"), |_| "yes".to_owned());
        lines.push(entry(strategy.name(), &available));
    }
    lines.extend([
        String::new(),
        "Limits".to_owned(),
        entry(
            "--arena-size",
            &format!(
                "{} to {}, in host pages",
                human(page),
                human(MAX_ARENA_SIZE as u64)
            ),
        ),
        entry("--guard", "whole host pages; 0: none"),
        entry(
            "any size",
            &format!("up to {} bytes", grouped(isize::MAX as u64)),
        ),
    ]);
    lines.extend([String::new(), "Defaults with --system arena".to_owned()]);
    lines.extend(defaults(arenas));
    lines.extend([String::new(), "Defaults with --system mapped".to_owned()]);
    lines.extend(defaults(mappings));
    lines.join("\n") + "\n"
}

/// What is in force under the default strategy when nothing is asked for.
fn defaults<S: ArenaSystem + 'static>(arenas: &Arc<Arenas<S>>) -> Vec<String> {
    let effective =
        ArenaMemories::new(Arc::clone(arenas), Strategy::Reserved).effective_configuration();
    effective
        .iter()
        .map(|known| {
            let value = match known.in_force {
                OptionValue::Bytes(bytes) => human(bytes as u64),
                other => other.to_string(),
            };
            let value = match known.outcome {
                Outcome::Applied => value,
                other => format!("{value} ({other})"),
            };
            entry(known.option.name(), &value)
        })
        .collect()
}

fn entry(name: &str, value: &str) -> String {
    format!("  {name:<33}{value}")
}
