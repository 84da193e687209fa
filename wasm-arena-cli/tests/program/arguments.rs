//! Every option does what it says, and what the guest is given arrives.

use std::fs;

use serde_json::Value;

use crate::support::{Folder, guest, run, run_guest};

/// The report of a short run with these options.
fn report(options: &[&str]) -> Value {
    let mut all = vec!["--report", "json"];
    all.extend(options);
    run_guest(&all, "misbehave.wasm", &["exit", "0"]).json()
}

fn setting(report: &Value, name: &str) -> Value {
    let settings = report["configuration"].as_array().expect("a list");
    let found = settings.iter().find(|setting| setting["option"] == name);
    found.expect(name).clone()
}

#[test]
fn settings_arrive_and_are_reported() {
    let given = report(&[
        "--strategy",
        "bounded",
        "--arena-size",
        "64k",
        "--cache-blocks",
        "3",
        "--cache-bytes",
        "2MiB",
        "--lifo",
        "--hold",
        "--guard",
        "64K",
        "--verify",
        "critical",
        "--budget",
        "1g",
    ]);
    for (name, value) in [
        ("arena-size", Value::from(65_536)),
        ("arena-cache-max-blocks", 3.into()),
        ("arena-cache-max-size", (2 << 20).into()),
        ("lifo-free", true.into()),
        ("memory-hold", true.into()),
        ("guard-before", 65_536.into()),
        ("guard-after", 65_536.into()),
        ("verification-level", "critical".into()),
    ] {
        let setting = setting(&given, name);
        assert_eq!(setting["asked"], value, "{name}");
        assert_eq!(setting["in_force"], value, "{name}");
        assert_eq!(setting["outcome"], "applied", "{name}");
    }
    assert_eq!(given["memories"][0]["guard_before_bytes"], 65_536);
    assert_eq!(given["memories"][0]["guard_after_bytes"], 65_536);
    assert_eq!(given["budget"]["limit_bytes"], 1 << 30);
    assert_eq!(
        given["bookkeeping"]["mapped_bytes"], 65_536,
        "one arena of the size asked for"
    );
    assert_eq!(given["strategy"], "bounded");

    let usual = report(&[]);
    assert_eq!(setting(&usual, "arena-size")["in_force"], 32_768);
    assert_eq!(setting(&usual, "lifo-free")["in_force"], false);
    assert_eq!(
        setting(&usual, "verification-level")["in_force"],
        "standard"
    );
    assert_eq!(usual["budget"], Value::Null);
    assert_eq!(usual["strategy"], "reserved");
    assert_eq!(usual["system"], "arena");
}

#[test]
fn what_a_system_does_not_have_is_reported_with_the_reason() {
    let mapped = report(&["--system", "mapped", "--arena-size", "64k"]);
    let setting = setting(&mapped, "arena-size");
    assert_eq!(setting["asked"], 65_536, "{setting}");
    assert_eq!(setting["outcome"], "unsupported", "{setting}");
    assert!(
        setting["reason"].as_str().unwrap().contains("no arenas"),
        "{setting}"
    );
    let module = guest("misbehave.wasm");
    let text = run(&[
        "run",
        "--system",
        "mapped",
        "--arena-size",
        "64k",
        &module,
        "--",
        "null",
    ]);
    assert!(text.stderr.contains("unsupported"), "{text:?}");
}

#[test]
fn guards_can_be_left_out_where_every_access_is_compared() {
    let bare = report(&["--strategy", "bounded", "--guard", "0"]);
    assert_eq!(bare["memories"][0]["guard_before_bytes"], 0);
    assert_eq!(bare["memories"][0]["guard_after_bytes"], 0);
    let reserved = report(&["--guard", "64m"]);
    assert_eq!(reserved["memories"][0]["guard_after_bytes"], 64 << 20);
}

#[test]
fn the_cache_keeps_what_it_may() {
    assert_eq!(report(&[])["cache"]["held_regions"], 1);
    assert_eq!(report(&["--cache-blocks", "0"])["cache"]["held_regions"], 0);
    assert_eq!(
        report(&["--cache-blocks", "0", "--hold"])["cache"]["held_regions"],
        1
    );
    assert_eq!(report(&["--cache-bytes", "4k"])["cache"]["held_regions"], 0);
}

#[test]
fn budget_and_cap_stop_growth_where_they_say() {
    let options = [
        "--report",
        "json",
        "--strategy",
        "bounded",
        "--budget",
        "640k",
    ];
    let finished = run_guest(&options, "misbehave.wasm", &["grow-forever"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let report = finished.json();
    assert_eq!(report["budget"]["limit_bytes"], 640 << 10);
    assert!(report["budget"]["peak_bytes"].as_u64().unwrap() <= 640 << 10);
    assert!(report["budget"]["refusals"].as_u64().unwrap() >= 1);
    let refusal = report["memories"][0]["last_refusal"].as_str().unwrap();
    assert!(refusal.contains("--budget"), "{refusal}");
    assert!(
        report["memories"][0]["moves"].as_u64().unwrap() > 0,
        "{report}"
    );
    assert!(report["memories"][0]["bytes_copied"].as_u64().unwrap() > 0);
    assert_eq!(report["left_over"]["budget_bytes"], 0);

    let options = ["--report", "json", "--max-pages", "9"];
    let report = run_guest(&options, "misbehave.wasm", &["grow-forever", "3"]).json();
    assert_eq!(report["memories"][0]["final_pages"], 8);
    assert_eq!(report["memories"][0]["limit_bytes"], 9 << 16);
    assert_eq!(report["memories"][0]["grows"], 2);
    assert_eq!(report["memories"][0]["refused_grows"], 1);
}

#[test]
fn thorough_verification_runs_a_growing_program() {
    for level in ["off", "sampling", "standard", "full", "critical"] {
        let options = [
            "--report",
            "none",
            "--strategy",
            "bounded",
            "--verify",
            level,
        ];
        let finished = run_guest(&options, "word-index.wasm", &["--words", "5000"]);
        assert_eq!(finished.code, Some(0), "{level}: {finished:?}");
        assert!(
            finished.stdout.contains("index and scan agree"),
            "{finished:?}"
        );
    }
}

#[test]
fn exit_codes_are_passed_on() {
    for code in [0, 1, 3, 125] {
        let finished = run_guest(
            &["--report", "none"],
            "misbehave.wasm",
            &["exit", &code.to_string()],
        );
        assert_eq!(finished.code, Some(code));
        assert_eq!(finished.stderr, "");
    }
}

#[test]
fn folders_variables_and_arguments_arrive() {
    let folder = Folder::new();
    let inside = Folder::new();
    inside.write("note.txt", "from the host");
    // Reads /data/note.txt (the first folder given) and writes it to stdout; then its arguments
    // and variables, as WASI hands them over: ended by zeros.
    let module = folder.write(
        "given.wat",
        r#"(module
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "args_sizes_get"
            (func $args_sizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_sizes_get"
            (func $env_sizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
            (func $name (param i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "note.txt")
          (func $must (param i32) (if (local.get 0) (then unreachable)))
          (func $say (param $from i32) (param $length i32)
            (i32.store (i32.const 64) (local.get $from))
            (i32.store (i32.const 68) (local.get $length))
            (call $must
              (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 72))))
          (func (export "_start")
            (call $must (call $name (i32.const 3) (i32.const 4096) (i32.const 5)))
            (call $say (i32.const 4096) (i32.const 5))
            (call $must (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 8)
              (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32)))
            (i32.store (i32.const 64) (i32.const 1024))
            (i32.store (i32.const 68) (i32.const 1024))
            (call $must (call $read
              (i32.load (i32.const 32)) (i32.const 64) (i32.const 1) (i32.const 36)))
            (call $say (i32.const 1024) (i32.load (i32.const 36)))
            (call $must (call $args_sizes (i32.const 40) (i32.const 44)))
            (call $must (call $args (i32.const 2048) (i32.const 4096)))
            (call $say (i32.const 4096) (i32.load (i32.const 44)))
            (call $must (call $env_sizes (i32.const 40) (i32.const 44)))
            (call $must (call $env (i32.const 2048) (i32.const 4096)))
            (call $say (i32.const 4096) (i32.load (i32.const 44)))))"#,
    );
    let given = format!("{}::/data", inside.path(""));
    let finished = run(&[
        "run", "--report", "none", "--dir", &given, "--env", "A=1", "--env", "B=x=y", &module,
        "--", "first", "--second",
    ]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        finished.stdout,
        "/datafrom the hostgiven.wat\0first\0--second\0A=1\0B=x=y\0"
    );
}

#[test]
fn help_tells_the_exit_codes_and_every_option() {
    let help = run(&["run", "--help"]);
    assert_eq!(help.code, Some(0));
    for expected in [
        "--invoke",
        "--dir",
        "--env",
        "--strategy",
        "--system",
        "--arena-size",
        "--cache-blocks",
        "--cache-bytes",
        "--lifo",
        "--hold",
        "--guard",
        "--max-pages",
        "--budget",
        "--verify",
        "--report",
        "--report-file",
        "126",
        "127",
        "128",
        "134",
        "135",
        "--repeat",
        "--pause",
        "64k",
    ] {
        assert!(help.stdout.contains(expected), "{expected}");
    }
    assert_eq!(
        run(&["--version"]).stdout,
        format!("wasm-arena {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn info_tells_facts_defaults_and_limits() {
    let info = run(&["info"]);
    assert_eq!(info.code, Some(0), "{info:?}");
    for expected in [
        "host page",
        "bounded",
        "reserved",
        "arena-size",
        "256 KiB",
        "guard-after",
    ] {
        assert!(
            info.stdout.contains(expected),
            "{expected} in {}",
            info.stdout
        );
    }
}

#[test]
fn the_commands_shown_in_help_work() {
    // Those of the help text whose files come with the project.
    let root = format!("{}/..", env!("CARGO_MANIFEST_DIR"));
    assert!(fs::metadata(format!("{root}/examples/guests/word-index.wasm")).is_ok());
    let mut command = crate::support::program(&[
        "run",
        "--invoke",
        "add",
        "examples/guests/memories.wat",
        "--",
        "2",
        "40",
    ]);
    let output = command.current_dir(root).output().unwrap();
    assert_eq!(output.stdout, b"42\n");
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(report.contains("memory report"), "{report}");
}
