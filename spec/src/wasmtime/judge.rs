//! Wasmtime, by Wasmtime's own runner of such files.
#![forbid(unsafe_code)]

use wasmtime::Engine;
use wasmtime_wast::{Async, SpectestConfig, WastContext};

use crate::judge::{Judge, Outcome};
use crate::script::Directive;

/// The suite imports memories from a module `spectest`. Those that Wasmtime's runner makes for it
/// are the host's, which no memory creator is asked for; so a module makes them instead.
const MEMORIES: &str = r#"
    (module (memory (export "memory") 1 2) (memory (export "shared_memory") 1 1 shared))
    (register "spectest")"#;

impl Judge for Engine {
    fn run(&self, directives: &[Directive<'_>]) -> Result<Vec<Outcome>, String> {
        let mut context = WastContext::new(self, Async::No, |_store| {});
        // How a refused module is told off is the validator's business. Traps are compared all the
        // same.
        context.generate_dwarf(false).ignore_error_messages(true);
        context
            .register_spectest(&SpectestConfig {
                use_shared_memory: false,
                suppress_prints: true,
            })
            .and_then(|()| context.run_wast("spectest", MEMORIES.as_bytes()))
            .map_err(|error| format!("spectest: {error:?}"))?;
        let outcomes = directives.iter().map(|directive| {
            // The file name permits the confusing characters that some files are about.
            let outcome = context.run_wast("names.wast", directive.text.as_bytes());
            outcome.map_err(|error| format!("{error:?}"))
        });
        Ok(outcomes.collect())
    }
}
