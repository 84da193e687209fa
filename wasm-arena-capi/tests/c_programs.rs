//! The C programs beside this file: compiled without a warning against the committed header, linked
//! with the static and with the shared library, and run.

#![allow(clippy::std_instead_of_alloc, reason = "a test has std")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a static library of Rust's needs from the system on Linux.
const SYSTEM_LIBRARIES: [&str; 5] = ["-lgcc_s", "-lpthread", "-ldl", "-lm", "-lc"];

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

/// Where cargo put the libraries that this test was built with.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    assert!(folder.join("libwasm_arena_capi.a").exists(), "{folder:?}");
    folder.to_path_buf()
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn compiler() -> Command {
    Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
}

/// Compiles a program of this folder, links it as told, and runs it.
fn compile_and_run(name: &str, standard: &str, is_shared: bool) {
    let source = here(&format!("tests/c/{name}.c"));
    let output = output_of(&source, name, standard, is_shared);
    assert_eq!(output, format!("{name}: ok\n"));
}

/// What a program says.
fn output_of(source: &Path, name: &str, standard: &str, is_shared: bool) -> String {
    let libraries = libraries();
    let kind = if is_shared { "shared" } else { "static" };
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{kind}"));
    let mut compile = compiler();
    compile
        .arg(standard)
        .args(STRICT)
        .args(["-g", "-O1"])
        .arg("-I")
        .arg(here("include"))
        .arg(source)
        .arg("-o")
        .arg(&program);
    if is_shared {
        compile.arg(libraries.join("libwasm_arena_capi.so"));
        compile.arg(format!("-Wl,-rpath,{}", libraries.display()));
        compile.arg("-lpthread");
    } else {
        compile.arg(libraries.join("libwasm_arena_capi.a"));
        compile.args(SYSTEM_LIBRARIES);
    }
    run(&mut compile);
    run(&mut Command::new(&program))
}

#[test]
fn life() {
    compile_and_run("life", "-std=c99", false);
}

#[test]
fn life_with_the_shared_library() {
    compile_and_run("life", "-std=c99", true);
}

#[test]
fn misuse() {
    compile_and_run("misuse", "-std=c99", false);
}

#[test]
fn atomic() {
    compile_and_run("atomic", "-std=c99", false);
}

#[test]
fn threads() {
    compile_and_run("threads", "-std=c99", false);
}

#[test]
fn runtime() {
    compile_and_run("runtime", "-std=c99", false);
}

#[test]
fn layout() {
    compile_and_run("layout", "-std=c11", false);
}

#[test]
fn the_guide_s_first_program() {
    let guide = std::fs::read_to_string(here("../docs/c-api.md")).unwrap();
    let (_, block) = guide.split_once("```c\n").expect("the guide has a program");
    let (program, _) = block.split_once("```").expect("it ends");
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide.c");
    std::fs::write(&source, program).unwrap();
    let output = output_of(&source, "guide", "-std=c99", false);
    let promised = "6684672 bytes exceed the maximum of 1048576 bytes";
    assert!(program.contains(promised));
    assert_eq!(output, format!("{promised} (limit 1048576)\n"));
}

/// A header that stands alone: nothing has to be included before it.
#[test]
fn the_header_stands_alone() {
    let mut compile = compiler();
    compile
        .args(["-std=c99", "-fsyntax-only", "-x", "c"])
        .args(STRICT);
    run(compile.arg(here("include/wasm_arena.h")));
}
