//! `precompile TARGET FOLDER MODULE...`: compiles modules, binary or text, for a target of Wasmtime's
//! (`pulley64`, `x86_64-unknown-none`, `aarch64-unknown-none`), as the engine for QNX is set up;
//! writes FOLDER/NAME.TARGET.cwasm for each.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use wasm_arena_wasmtime::Strategy;
use wasmtime::{Config, Engine, Error, Result, bail};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let [target, folder, modules @ ..] = &words[..] else {
        eprintln!("usage: precompile TARGET FOLDER MODULE...");
        return ExitCode::from(2);
    };
    match compile_all(target, Path::new(folder), modules) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("precompile: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn compile_all(target: &str, folder: &Path, modules: &[String]) -> Result<()> {
    let engine = compiler(target)?;
    fs::create_dir_all(folder)?;
    for module in modules {
        let module = Path::new(module);
        let Some(name) = module.file_stem().and_then(|name| name.to_str()) else {
            bail!("`{}` is no file of a module", module.display());
        };
        let source = fs::read(module)
            .map_err(|error| Error::from(error).context(module.display().to_string()))?;
        let code = engine
            .precompile_module(&source)
            .map_err(|error| error.context(module.display().to_string()))?;
        let place = folder.join(format!("{name}.{target}.cwasm"));
        fs::write(&place, &code)?;
        println!("{}: {} bytes", place.display(), code.len());
    }
    Ok(())
}

/// An engine that compiles with the settings of the engine that will run the code: explicit checks,
/// no handler of faults.
fn compiler(target: &str) -> Result<Engine> {
    let mut config = Config::new();
    config.target(target)?.signals_based_traps(false);
    Strategy::Bounded.configure_compilation(&mut config);
    Engine::new(&config)
}
