//! The libraries as a C program finds them: `include/`, `lib/`, `lib/pkgconfig/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::symbols::Symbols;
use crate::{command, place};

/// What the libraries may need from the C library on Linux, beyond what compilers use by themselves.
const SYSTEM: &[&str] = &[
    "__errno_location",
    "abort",
    "close",
    "getrlimit",
    "ioctl",
    "madvise",
    "mincore",
    "mlock",
    "mmap",
    "mprotect",
    "munlock",
    "munmap",
    "open",
    "syscall",
    "sysconf",
    "_GLOBAL_OFFSET_TABLE_",
    "__cxa_finalize",
    "__gmon_start__",
    "__tls_get_addr",
];

/// Begins every name that the libraries show.
const PREFIX: &str = "wasm_arena_";

/// Builds the libraries and lays everything out.
///
/// # Errors
/// It does not build, needs or shows what it must not, or cannot be written.
pub(super) fn install(prefix: &Path) -> Result<(), String> {
    // Without the library for Rust, so that everything becomes one object.
    command::run(
        command::cargo("rustc")
            .args(["--locked", "--profile", "capi"])
            .args(["--package", "wasm-arena-capi", "--lib"])
            .args(["--crate-type", "staticlib,cdylib"]),
    )?;
    let built = place::target().join("capi");
    let prefix = absolute(prefix);
    let (include, lib) = (prefix.join("include"), prefix.join("lib"));
    for folder in [&include, &lib.join("pkgconfig")] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let archive = lib.join("libwasm_arena.a");
    seal(&built.join("libwasm_arena_capi.a"), &archive, "")?;
    check(&archive)?;
    let shared = lib.join("libwasm_arena.so");
    copy(&built.join("libwasm_arena_capi.so"), &shared)?;
    check_shared(&shared)?;
    for header in headers()? {
        let name = header.file_name().unwrap_or_default();
        copy(&header, &include.join(name))?;
    }
    let description = lib.join("pkgconfig/wasm_arena.pc");
    fs::write(&description, pkg_config(&prefix))
        .map_err(|error| format!("{}: {error}", description.display()))?;
    println!("installed under {}", prefix.display());
    Ok(())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to)
        .map(drop)
        .map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

fn headers() -> Result<Vec<PathBuf>, String> {
    let folder = place::root().join("wasm-arena-capi/include");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut headers: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    headers.sort();
    Ok(headers)
}

/// Makes an archive of one object that shows nothing but the interface, so that it can be linked
/// beside other libraries that were written in Rust.
pub(super) fn seal(archive: &Path, sealed: &Path, tools: &str) -> Result<(), String> {
    let joined = archive.with_extension("joined.o");
    let mut join = Command::new(format!("{tools}ld"));
    join.args([
        "--relocatable",
        "--gc-sections",
        "--entry=wasm_arena_version",
    ]);
    // The roots of what is kept: everything that C may call.
    for name in Symbols::read(archive, &format!("{tools}nm"))?
        .defined
        .iter()
        .filter(|name| name.starts_with(PREFIX))
    {
        join.arg(format!("--undefined={name}"));
    }
    join.arg("-o").arg(&joined).arg(archive);
    command::run(&mut join)?;
    let mut hide = Command::new(format!("{tools}objcopy"));
    // The compiler's intermediate code, which archivers of another version stumble over.
    hide.args(["--remove-section=.llvmbc", "--remove-section=.llvmcmd"]);
    hide.args(["--wildcard", "--strip-debug"]);
    hide.arg(format!("--keep-global-symbol={PREFIX}*"));
    command::run(hide.arg(&joined))?;
    if sealed.exists() {
        fs::remove_file(sealed).map_err(|error| format!("{}: {error}", sealed.display()))?;
    }
    let mut pack = Command::new(format!("{tools}ar"));
    command::run(pack.args(["rcs"]).arg(sealed).arg(&joined))
}

/// The archive needs the C library alone, and no allocator of it.
fn check(archive: &Path) -> Result<(), String> {
    let symbols = Symbols::of(archive)?;
    crate::symbols::check("the static library", &symbols, SYSTEM)?;
    let shown = shown(archive, &["--extern-only", "--defined-only"])?;
    shown_is_interface("the static library", &shown)
}

fn check_shared(library: &Path) -> Result<(), String> {
    let shown = shown(library, &["--dynamic", "--extern-only", "--defined-only"])?;
    shown_is_interface("the shared library", &shown)
}

/// The names that a library shows to others.
fn shown(library: &Path, options: &[&str]) -> Result<Vec<String>, String> {
    let mut nm = Command::new("nm");
    nm.args(["--quiet", "--format=just-symbols"]).args(options);
    let text = command::output(nm.arg(library))?;
    Ok(text
        .lines()
        .filter(|line| !line.is_empty() && !line.ends_with(':'))
        .map(str::to_owned)
        .collect())
}

fn shown_is_interface(name: &str, shown: &[String]) -> Result<(), String> {
    // In a shared library that one stays visible: it is named by tables that have no name for it.
    let strange: Vec<_> = shown
        .iter()
        .filter(|symbol| !symbol.starts_with(PREFIX) && *symbol != "rust_eh_personality")
        .map(String::as_str)
        .collect();
    if !strange.is_empty() {
        return Err(format!("{name} shows {}", strange.join(", ")));
    }
    if shown.len() < 40 {
        return Err(format!("{name} shows {} names only", shown.len()));
    }
    println!("{name} shows {} names, all of the interface", shown.len());
    Ok(())
}

fn pkg_config(prefix: &Path) -> String {
    format!(
        "prefix={}\n\
         libdir=${{prefix}}/lib\n\
         includedir=${{prefix}}/include\n\
         \n\
         Name: wasm_arena\n\
         Description: Linear memories for WebAssembly runtimes on real-time systems\n\
         Version: {}\n\
         Libs: -L${{libdir}} -lwasm_arena\n\
         Cflags: -I${{includedir}}\n",
        prefix.display(),
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_interface_is_named() {
        let names = |more: &[&str]| -> Vec<String> {
            let interface = (0..50).map(|number| format!("wasm_arena_{number}"));
            interface
                .chain(more.iter().map(|&name| name.to_owned()))
                .collect()
        };
        assert_eq!(shown_is_interface("it", &names(&[])), Ok(()));
        let error = shown_is_interface("it", &names(&["malloc"])).unwrap_err();
        assert_eq!(error, "it shows malloc");
        shown_is_interface("it", &[]).unwrap_err();
    }
}
