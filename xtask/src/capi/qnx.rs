//! The static library as QNX object code: built, sealed, and its imports compared with the list.

use crate::qnx::{Target, import_list, is_compilers};
use crate::symbols::Symbols;
use crate::{command, place};

use super::install::seal;

/// What the library needs of QNX's C library beyond the list of the suite: to end a program that is
/// wrong about itself.
const BEYOND: [&str; 1] = ["abort"];

const TARGETS: [&str; 2] = ["x86_64-pc-nto-qnx710", "aarch64-unknown-nto-qnx710"];

/// Builds the library for each target, and looks at what it imports.
///
/// # Errors
/// It does not build, or imports what the list does not name.
pub(super) fn check() -> Result<(), String> {
    let list = import_list()?;
    for name in TARGETS {
        let target = Target::named(name).ok_or_else(|| format!("no target is called {name}"))?;
        let mut cargo = command::build_std_cargo("rustc");
        cargo
            .args(["--locked", "--profile", "capi", "--target", name])
            .args(["--package", "wasm-arena-capi", "--lib"])
            .args(["--crate-type", "staticlib"]);
        command::run(&mut cargo)?;
        let folder = place::build_std_target().join(name).join("capi");
        let sealed = folder.join("libwasm_arena.a");
        seal(&folder.join("libwasm_arena_capi.a"), &sealed, target.tools)?;
        let symbols = Symbols::read(&sealed, &target.tool("nm"))?;
        let refused: Vec<_> = symbols
            .missing()
            .filter(|import| !is_compilers(import))
            .filter(|import| !list.names(import) && !BEYOND.contains(import))
            .collect();
        if !refused.is_empty() {
            return Err(format!(
                "{name}: the library imports {}",
                refused.join(", ")
            ));
        }
        let count = symbols.missing().count();
        if count == 0 {
            return Err(format!("{name}: the library imports nothing at all"));
        }
        println!("{name}: the static library imports {count} names, all listed");
    }
    Ok(())
}
