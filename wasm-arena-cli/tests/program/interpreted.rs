//! `--engine wasmi`: the same guests, interpreted.

use std::fs::File;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Finished, Folder, guest, program, run, run_guest};

/// A run with `--engine wasmi` and these options, with the report as data.
fn interpreted(options: &[&str], guest: &str, arguments: &[&str]) -> Finished {
    let all = [&["--engine", "wasmi", "--report", "json"], options].concat();
    run_guest(&all, guest, arguments)
}

/// The report, which is what is last on stderr.
fn report(finished: &Finished) -> Value {
    let start = finished.stderr.find("{\n").expect(&finished.stderr);
    serde_json::from_str(&finished.stderr[start..]).expect(&finished.stderr)
}

#[test]
fn a_program_prints_the_same_on_every_engine_and_every_memory() {
    let words = ["--words", "4000", "river", "harbour+lantern"];
    let compiled = run_guest(&["--report", "none"], "word-index.wasm", &words);
    assert_eq!(compiled.code, Some(0), "{compiled:?}");
    for system in ["arena", "mapped", "stock"] {
        let finished = interpreted(&["--system", system], "word-index.wasm", &words);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(finished.stdout, compiled.stdout, "{system}");
        let report = report(&finished);
        assert_eq!(report["engine"]["name"], "wasmi");
        assert!(
            report["engine"]["version"]
                .as_str()
                .unwrap()
                .starts_with("2.")
        );
        assert_eq!(
            (&report["system"], &report["strategy"]),
            (&system.into(), &"bounded".into())
        );
        let memory = &report["memories"][0];
        assert_eq!(memory["initial_pages"], 2);
        assert!(memory["final_pages"].as_u64() > Some(2), "{memory}");
        if system == "stock" {
            assert_eq!(report["left_over"], Value::Null);
        } else {
            let grown = memory["final_pages"].as_u64().unwrap() - 2;
            assert!(
                memory["grows"]
                    .as_u64()
                    .is_some_and(|grows| 0 < grows && grows <= grown)
            );
            assert_eq!(memory["moves"], 0);
            assert_eq!(report["left_over"]["live_memories"], 0);
            assert_eq!(report["left_over"]["reserved_bytes"], 0);
        }
    }
}

#[test]
fn misbehaving_guests_end_as_they_do_in_wasmtime() {
    for (words, kind) in [
        (&["read-past-end"][..], "memory_out_of_bounds"),
        (&["write-past-end", "4096"], "memory_out_of_bounds"),
        (&["straddle-end"], "memory_out_of_bounds"),
        (&["recurse"], "stack_overflow"),
        (&["overflow-stack"], "memory_out_of_bounds"),
        (&["abort"], "unreachable_code_reached"),
        (&["divide-by-zero"], "integer_division_by_zero"),
        (&["call-wrong-type"], "bad_signature"),
    ] {
        for system in ["arena", "stock"] {
            let finished = interpreted(&["--system", system], "misbehave.wasm", words);
            assert_eq!(finished.code, Some(134), "{words:?}: {finished:?}");
            assert!(
                finished.stderr.starts_with("wasm-arena: trap: "),
                "{finished:?}"
            );
            let report = report(&finished);
            assert_eq!(report["outcome"]["kind"], "trapped");
            assert_eq!(report["outcome"]["trap"]["kind"], kind, "{words:?}");
        }
    }
    for (words, code) in [
        (&["exit", "42"][..], 42),
        (&["null"], 0),
        (&["grow-huge"], 0),
    ] {
        let finished = interpreted(&["--max-pages", "64"], "misbehave.wasm", words);
        assert_eq!(finished.code, Some(code), "{words:?}: {finished:?}");
    }
}

#[test]
fn growth_ends_at_cap_and_budget_and_the_report_says_why() {
    for (option, value, why) in [
        ("--max-pages", "10", "10 pages"),
        ("--budget", "655360", "--budget"),
    ] {
        let finished = interpreted(&[option, value], "misbehave.wasm", &["grow-forever"]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let report = report(&finished);
        let memory = &report["memories"][0];
        assert_eq!(memory["final_pages"], 10, "{option}");
        assert!(memory["refused_grows"].as_u64() > Some(0), "{memory}");
        let refusal = memory["last_refusal"].as_str().expect("a reason");
        let known = refusal.contains(why) || refusal.contains("655360");
        assert!(known, "{refusal}");
    }
}

#[test]
fn functions_are_called_by_name_with_several_memories() {
    let finished = interpreted(
        &["--invoke", "fill_grow_sum", "--repeat", "2"],
        "memories.wat",
        &["7", "3"],
    );
    // The second call finds grown memories, so its sum is larger.
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let first = interpreted(&["--invoke", "fill_grow_sum"], "memories.wat", &["7", "3"]);
    assert_eq!(first.stdout, "1507328\n");
    let memories = &report(&first)["memories"];
    assert_eq!(
        (&memories[0]["final_pages"], &memories[1]["final_pages"]),
        (&4.into(), &5.into())
    );
    let module = guest("memories.wat");
    let wrong = run(&[
        "run", "--engine", "wasmi", "--invoke", "add", &module, "--", "1",
    ]);
    let line = wrong.refusal(127);
    assert!(
        line.contains("add(i32, i32) -> (i32) takes 2 argument(s), 1 given"),
        "{line}"
    );
    let none = run(&["run", "--engine", "wasmi", "--invoke", "nobody", &module]);
    assert!(
        none.refusal(127)
            .contains("fill_grow_sum(i32, i32) -> (i64)")
    );
}

#[test]
fn what_an_interpreter_has_not_is_refused_by_name() {
    let module = guest("word-index.wasm");
    for (options, said) in [
        (&["--strategy", "reserved"][..], "--strategy reserved"),
        (&["--verify", "full"], "--verify full"),
        (
            &["--system", "stock", "--budget", "1m"],
            "wasmi's own memory",
        ),
        (&["--guard", "100"], "multiple of the host page"),
    ] {
        let all = [&["run", "--engine", "wasmi"], options, &[module.as_str()]].concat();
        let finished = run(&all);
        let line = finished.refusal(127);
        assert!(line.contains(said), "{line}");
    }
    // What it has is taken.
    for options in [
        &["--strategy", "bounded"][..],
        &["--verify", "standard"],
        &["--guard", "64k"],
    ] {
        let finished = interpreted(options, "misbehave.wasm", &["exit", "7"]);
        assert_eq!(finished.code, Some(7), "{finished:?}");
    }
    let unknown = run(&["run", "--engine", "wasm3", &module]);
    assert_eq!(unknown.code, Some(127));
}

#[test]
fn modules_that_cannot_run_are_refused_in_one_line() {
    let folder = Folder::new();
    for (text, said) in [
        ("(module (import \"env\" \"f\" (func)))", "env"),
        ("(module (memory 1))", "no function _start"),
        (
            "(module (import \"wasm-arena\" \"0\" (memory 1)) (memory 1))",
            "wasm-arena",
        ),
    ] {
        let path = folder.write("module.wat", text);
        let finished = run(&["run", "--engine", "wasmi", &path]);
        let line = finished.refusal(126);
        assert!(line.contains(said), "{line}");
    }
    let trapping = folder.write(
        "trap.wat",
        "(module (memory 1) (func $f unreachable) (start $f))",
    );
    assert_eq!(
        run(&["run", "--engine", "wasmi", &trapping]).code,
        Some(134)
    );
}

#[test]
fn what_of_wasi_is_there_works_and_the_rest_says_so() {
    // 10 for each variable, 1 if there is no folder, 2 if a file cannot be opened because that is
    // not supported, 4 if random bytes and a clock answer.
    let text = r#"(module
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (local $sum i32)
            (drop (call $sizes (i32.const 0) (i32.const 4)))
            (local.set $sum (i32.mul (i32.load (i32.const 0)) (i32.const 10)))
            (local.set $sum (i32.add (local.get $sum)
                (i32.eq (call $prestat (i32.const 3) (i32.const 16)) (i32.const 8))))
            (local.set $sum (i32.add (local.get $sum) (i32.mul (i32.const 2) (i32.eq (i32.const 52)
                (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0))))))
            (local.set $sum (i32.add (local.get $sum) (i32.mul (i32.const 4) (i32.eqz (i32.or
                (call $random (i32.const 64) (i32.const 64))
                (call $clock (i32.const 1) (i64.const 0) (i32.const 32)))))))
            (call $exit (local.get $sum))))"#;
    let folder = Folder::new();
    let path = folder.write("environment.wat", text);
    let base = ["run", "--engine", "wasmi", "--report", "none"];
    assert_eq!(run(&[&base[..], &[&path]].concat()).code, Some(7));
    let given = ["--env", "A=1", "--env", "B=2", &path];
    assert_eq!(run(&[&base[..], &given].concat()).code, Some(27));
    let files = run(&[&base[..], &["--dir", ".", &path]].concat());
    assert!(files.refusal(127).contains("--dir"), "{files:?}");
    // An exit code that WASI does not permit is a trap, as in Wasmtime.
    let exit = folder.write(
        "exit.wat",
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 126))))"#,
    );
    for engine in ["wasmtime", "wasmi"] {
        let finished = run(&["run", "--engine", engine, &exit]);
        assert_eq!(finished.code, Some(134), "{finished:?}");
    }
    // Wrong pointers are the guest's fault, and answered.
    let wild = folder.write(
        "wild.wat",
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start")
                (call $exit (call $write (i32.const 1) (i32.const -8) (i32.const 9) (i32.const 0)))))"#,
    );
    assert_eq!(run(&[&base[..], &[&wild]].concat()).code, Some(21));
}

#[test]
fn a_write_that_fails_is_told_to_the_guest() {
    let folder = Folder::new();
    // Leaves with the error number of its second write, so that nothing is put off.
    let writes = folder.write(
        "writes.wat",
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\03\00\00\00")
            (data (i32.const 16) "abc")
            (func $abc (result i32)
                (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (func (export "_start") (drop (call $abc)) (call $exit (call $abc))))"#,
    );
    let status = |engine: &str, stdout: Stdio| {
        let mut command = program(&["run", "--engine", engine, "--report", "none", &writes]);
        command.stdout(stdout).status().unwrap().code()
    };
    // WASI's numbers for a full device and a pipe that nobody reads.
    for engine in ["wasmtime", "wasmi"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(status(engine, full.into()), Some(51), "{engine}");
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(status("wasmi", writer.into()), Some(64));
    let finished = run(&["run", "--engine", "wasmi", "--report", "none", &writes]);
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(0), "abcabc")
    );
}
