//! Everything that keeps a guest from starting: one clear line, and an exit code that no guest has.

use std::fs;

use crate::support::{Folder, guest, run};

const NOT_STARTED: i32 = 126;
const USAGE: i32 = 127;

#[test]
fn a_file_that_holds_no_module() {
    let folder = Folder::new();
    let whole = fs::read(guest("word-index.wasm")).unwrap();
    let mut damaged = whole.clone();
    // Inside the type section.
    damaged[12] = 0x77;
    let cases = [
        (folder.path("absent.wasm"), "No such file"),
        (folder.path(""), "is a folder"),
        (folder.write("empty.wasm", ""), "the file is empty"),
        (
            folder.write("short.wasm", &whole[..5]),
            "ends within its first 8 bytes",
        ),
        (
            folder.write("cut.wasm", &whole[..whole.len() / 2]),
            "damaged",
        ),
        (folder.write("cut-in-header.wasm", &whole[..9]), "damaged"),
        (folder.write("bits.wasm", &damaged), "damaged"),
        (
            folder.write("elf.wasm", b"\x7fELF\x02\x01"),
            "neither the binary form",
        ),
        (
            folder.write("component.wasm", b"\0asm\x0d\0\x01\0"),
            "is a component",
        ),
        (
            folder.write("text.wat", "(module\n  (func (i32.cnst 1)))"),
            "line 2, column",
        ),
        (
            folder.write("types.wat", "(module (func (result i32)))"),
            "damaged or unsupported",
        ),
        (
            folder.write("shared.wat", "(module (memory 1 2 shared))"),
            "shared between threads",
        ),
    ];
    for (path, expected) in &cases {
        let finished = run(&["run", path]);
        let line = finished.refusal(NOT_STARTED);
        assert!(line.contains(expected), "{path}: {line}");
        assert!(line.starts_with(path), "names the file: {line}");
    }
}

#[test]
fn every_cut_of_a_small_module_is_refused_in_one_line() {
    let folder = Folder::new();
    let whole = wat::parse_str(
        "(module (memory (export \"m\") 1) (data (i32.const 9) \"abc\")
           (func (export \"_start\") (drop (memory.grow (i32.const 1)))))",
    )
    .unwrap();
    // A cut between two sections can leave a whole module; then it lacks its start.
    for length in 1..whole.len() {
        let path = folder.write("cut.wasm", &whole[..length]);
        let finished = run(&["run", "--report", "none", &path]);
        if finished.code != Some(0) {
            finished.refusal(NOT_STARTED);
        } else {
            assert!(length > whole.len() - 12, "cut at {length} ran");
        }
    }
}

#[test]
fn a_missing_import_is_named_with_its_type_and_a_hint() {
    let folder = Folder::new();
    let cases = [
        (
            "(import \"env\" \"log\" (func (param i32 f64) (result i64)))",
            "env::log (function (i32, f64) -> (i64))",
            "only WASI preview 1",
        ),
        (
            "(import \"wasi_snapshot_preview1\" \"fd_dream\" (func))",
            "wasi_snapshot_preview1::fd_dream",
            "no such function in WASI preview 1",
        ),
        (
            "(import \"wasi_unstable\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))",
            "wasi_unstable::fd_write",
            "older WASI",
        ),
        (
            "(import \"env\" \"memory\" (memory 1))",
            "env::memory (memory)",
            "only WASI",
        ),
        (
            "(import \"a\" \"b\" (global i32))",
            "a::b (global of type i32)",
            "only WASI",
        ),
    ];
    for (import, name, hint) in cases {
        let path = folder.write("import.wat", format!("(module {import})"));
        let finished = run(&["run", &path]);
        let line = finished.refusal(NOT_STARTED);
        assert!(line.contains(name) && line.contains(hint), "{line}");
    }
    let wrong_type = "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func)))";
    let finished = run(&["run", &folder.write("type.wat", wrong_type)]);
    assert!(
        finished.refusal(NOT_STARTED).contains("fd_write"),
        "{finished:?}"
    );
}

#[test]
fn a_memory_that_is_refused_is_refused_with_the_numbers() {
    let module = guest("misbehave.wasm");
    for system in ["arena", "mapped", "stock"] {
        let finished = run(&["run", "--system", system, "--max-pages", "1", &module]);
        let line = finished.refusal(NOT_STARTED);
        assert!(
            line.contains("starts with 2 pages") && line.contains("allows 1 "),
            "{line}"
        );
    }
    for (strategy, system) in [("bounded", "arena"), ("reserved", "mapped")] {
        let options = ["--strategy", strategy, "--system", system];
        let mut all = vec!["run", "--budget", "100000"];
        all.extend(options);
        all.push(&module);
        let finished = run(&all);
        let line = finished.refusal(NOT_STARTED);
        assert!(
            line.contains("--budget") && line.contains("of its 100000 bytes"),
            "{line}"
        );
    }
    let folder = Folder::new();
    let huge = folder.write("huge.wat", "(module (memory i64 0x800000000000))");
    run(&["run", &huge]).refusal(NOT_STARTED);
}

#[test]
fn a_module_without_a_start_names_what_can_be_called() {
    let finished = run(&["run", &guest("memories.wat")]);
    let line = finished.refusal(NOT_STARTED);
    assert!(
        line.contains("_start") && line.contains("add(i32, i32) -> (i32)"),
        "{line}"
    );
}

#[test]
fn wrong_options_say_what_is_right() {
    let module = guest("misbehave.wasm");
    let folder = Folder::new();
    let file = folder.write("file", "x");
    let below_a_file = format!("{file}/report.json");
    let cases: &[(&[&str], &str)] = &[
        (&["--bogus"], "'--bogus'"),
        (&["--guard", "5"], "guard-after"),
        (&["--strategy", "bounded", "--guard", "5"], "0x1000"),
        (&["--guard", "64k"], "33554432"),
        (&["--guard", "many"], "2MiB"),
        (&["--arena-size", "5"], "4096 and 262144"),
        (&["--arena-size", "1m"], "4096 and 262144"),
        (&["--arena-size", "5000"], "--arena-size"),
        (
            &["--cache-bytes", "99999999999999999999"],
            "9223372036854775807",
        ),
        (&["--cache-blocks=-1"], "--cache-blocks"),
        (&["--max-pages", "lots"], "--max-pages"),
        (&["--budget", "1.5m"], "2MiB"),
        (&["--verify", "paranoid"], "critical"),
        (&["--strategy", "lucky"], "bounded, reserved"),
        (&["--system", "heap"], "arena, mapped, stock"),
        (&["--report", "xml"], "text, json, none"),
        (&["--env", "X"], "NAME=VALUE"),
        (&["--dir", "::x"], "HOST::GUEST"),
        (&["--dir", "/no/such/folder::/x"], "/no/such/folder"),
        (&["--dir", file.as_str()], file.as_str()),
        (
            &["--report-file", below_a_file.as_str()],
            "cannot be written",
        ),
        (&["--report-file", "/"], "cannot be written"),
        (&["--report", "none", "--report-file", "x"], "--report-file"),
        (&["--repeat", "3"], "--invoke"),
        (&["--invoke", "f", "--repeat", "0"], "--repeat"),
        (&["--invoke", "f", "--pause", "1"], "--repeat"),
        (&["--system", "stock", "--lifo"], "--lifo does not apply"),
        (
            &["--system", "stock", "--budget", "1g"],
            "--budget does not apply",
        ),
        (
            &["--system", "stock", "--verify", "off"],
            "--verify does not apply",
        ),
    ];
    for (options, expected) in cases {
        let mut all = vec!["run"];
        all.extend(*options);
        all.push(&module);
        let finished = run(&all);
        let line = finished.refusal(USAGE);
        assert!(line.contains(expected), "{options:?}: {line}");
    }
    assert!(run(&["run"]).refusal(USAGE).contains("MODULE"));
    assert!(run(&[]).refusal(USAGE).contains("no command"));
    assert!(run(&["fly"]).refusal(USAGE).contains("'fly'"));
    assert_eq!(folder.names(), ["file"], "nothing was left behind");
}
