//! The C programs of the crate's tests, against what is installed, under AddressSanitizer and under
//! memcheck.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{command, place};

pub(super) const C_FLAGS: &[&str] = &["-Wall", "-Wextra", "-Werror", "-pedantic"];

/// Programs that take nothing but the header. `cargo test` runs them too.
const PROGRAMS: &[&str] = &["life", "misuse", "atomic", "threads", "runtime"];

pub(super) fn compiler() -> OsString {
    std::env::var_os("CC").unwrap_or_else(|| "cc".into())
}

pub(super) fn source(name: &str) -> PathBuf {
    place::root().join(format!("wasm-arena-capi/tests/c/{name}.c"))
}

pub(super) fn folder(name: &str) -> Result<PathBuf, String> {
    let folder = place::target().join("capi-programs").join(name);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Runs a program, and sees that it came to its end.
pub(super) fn run(command: &mut Command, name: &str) -> Result<(), String> {
    let output = command::output(command)?;
    if output == format!("{name}: ok\n") {
        Ok(())
    } else {
        Err(format!("{name} says: {output}"))
    }
}

/// Compiles the programs with what pkg-config says of an installation, and runs them, with the
/// shared and with the static library.
///
/// # Errors
/// One does not compile, or fails.
pub(super) fn run_installed(prefix: &Path) -> Result<(), String> {
    let lib = prefix.join("lib");
    let mut ask = Command::new("pkg-config");
    ask.env("PKG_CONFIG_PATH", lib.join("pkgconfig"));
    let flags = command::output(ask.args(["--cflags", "--libs", "wasm_arena"]))?;
    let folder = folder("installed")?;
    for name in PROGRAMS {
        for is_static in [false, true] {
            let program = folder.join(name);
            let mut compile = Command::new(compiler());
            compile.args(["-std=c99", "-O2"]).args(C_FLAGS);
            compile.arg("-o").arg(&program).arg(source(name));
            if is_static {
                compile.arg("-I").arg(prefix.join("include"));
                compile.arg(lib.join("libwasm_arena.a"));
            } else {
                compile.args(flags.split_whitespace());
            }
            command::run(compile.arg("-lpthread"))?;
            let mut program = Command::new(&program);
            run(program.env("LD_LIBRARY_PATH", &lib), name)?;
        }
    }
    Ok(())
}

/// Builds the static library with AddressSanitizer, and the programs with it too.
///
/// # Errors
/// One does not compile, fails, or does what it must not.
pub(crate) fn run_sanitized() -> Result<(), String> {
    let mut cargo = command::cargo("rustc");
    cargo
        .args(["--locked", "--package", "wasm-arena-capi", "--lib"])
        .args(["--crate-type", "staticlib", "--target", command::HOST])
        .env("CARGO_TARGET_DIR", place::sanitizer_target())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address");
    command::run(&mut cargo)?;
    let library = place::sanitizer_target()
        .join(command::HOST)
        .join("debug/libwasm_arena_capi.a");
    let folder = folder("sanitized")?;
    for name in PROGRAMS {
        let program = folder.join(name);
        let mut compile = Command::new(compiler());
        compile.args(["-std=c99", "-g", "-O1", "-fsanitize=address,undefined"]);
        compile.arg("-fno-sanitize-recover=all").args(C_FLAGS);
        compile
            .arg("-I")
            .arg(place::root().join("wasm-arena-capi/include"));
        compile.arg("-o").arg(&program).arg(source(name));
        compile.arg(&library).args(SYSTEM_LIBRARIES);
        command::run(&mut compile)?;
        run(&mut Command::new(&program), name)?;
    }
    Ok(())
}

/// What a static library with Rust's own library in it needs from the system.
const SYSTEM_LIBRARIES: &[&str] = &["-lgcc_s", "-lpthread", "-ldl", "-lm"];

/// Runs the programs under memcheck, with the library as it is installed.
///
/// # Errors
/// One fails, reads what nobody wrote, or loses memory.
pub(crate) fn run_under_memcheck() -> Result<(), String> {
    let prefix = place::target().join("capi-installed");
    super::install::install(&prefix)?;
    let folder = folder("memcheck")?;
    for name in PROGRAMS {
        let program = folder.join(name);
        let mut compile = Command::new(compiler());
        compile.args(["-std=c99", "-g", "-O1"]).args(C_FLAGS);
        compile.arg("-I").arg(prefix.join("include"));
        compile.arg("-o").arg(&program).arg(source(name));
        compile
            .arg(prefix.join("lib/libwasm_arena.a"))
            .arg("-lpthread");
        command::run(&mut compile)?;
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
            .args(["--show-leak-kinds=definite,indirect"])
            .args(["--errors-for-leak-kinds=definite,indirect"])
            .arg(format!(
                "--suppressions={}",
                source("memcheck").with_extension("supp").display()
            ))
            .arg(&program);
        run(&mut valgrind, name)?;
    }
    Ok(())
}
