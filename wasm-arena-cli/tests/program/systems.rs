//! The same guest on every system under every strategy: the same bytes, the same pages.

use core::time::Duration;
use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use crate::support::{Folder, guest, program, run_guest};

const COMBINATIONS: [[&str; 4]; 5] = [
    ["--system", "stock", "--strategy", "bounded"],
    ["--system", "arena", "--strategy", "reserved"],
    ["--system", "arena", "--strategy", "bounded"],
    ["--system", "mapped", "--strategy", "reserved"],
    ["--system", "mapped", "--strategy", "bounded"],
];

/// What must not depend on where memory comes from.
fn essence(
    options: &[&str],
    module: &str,
    arguments: &[&str],
) -> (Option<i32>, String, Vec<[u64; 3]>) {
    let folder = Folder::new();
    let path = folder.path("report.json");
    let mut all = vec!["--report", "json", "--report-file", &path];
    all.extend(options);
    let finished = run_guest(&all, module, arguments);
    let report: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let memories = report["memories"].as_array().expect("a list").iter();
    let pages = memories.map(|memory| {
        ["initial_pages", "final_pages", "peak_pages"].map(|key| memory[key].as_u64().expect(key))
    });
    let pages = pages.collect();
    (finished.code, finished.stdout, pages)
}

fn assert_same_everywhere(options: &[&str], module: &str, arguments: &[&str]) -> Vec<[u64; 3]> {
    let with = |combination: &[&str]| {
        let mut all = options.to_vec();
        all.extend(combination);
        essence(&all, module, arguments)
    };
    let reference = with(&["--system", "stock"]);
    for combination in COMBINATIONS {
        assert_eq!(
            with(&combination),
            reference,
            "{combination:?} {arguments:?}"
        );
    }
    reference.2
}

#[test]
fn a_program_that_grows_computes_the_same() {
    let pages = assert_same_everywhere(&[], "word-index.wasm", &["--words", "20000", "river"]);
    assert!(pages[0][1] > pages[0][0] + 4, "it grew: {pages:?}");
}

#[test]
fn the_cap_and_refusals_are_the_same() {
    let cap = ["--max-pages", "37"];
    let pages = assert_same_everywhere(&cap, "misbehave.wasm", &["grow-forever", "5"]);
    assert_eq!(pages, [[2, 37, 37]]);
    assert_same_everywhere(&[], "misbehave.wasm", &["grow-huge"]);
    assert_same_everywhere(&[], "misbehave.wasm", &["exit", "125"]);
    assert_same_everywhere(&[], "misbehave.wasm", &["null"]);
}

#[test]
fn several_memories_compute_the_same() {
    let call = ["--invoke", "fill_grow_sum"];
    let pages = assert_same_everywhere(&call, "memories.wat", &["7", "63"]);
    assert_eq!(pages, [[1, 64, 64], [2, 65, 65]]);
    // The first refuses its 64th growth, the module traps.
    let pages = assert_same_everywhere(&call, "memories.wat", &["7", "64"]);
    assert_eq!(pages, [[1, 1, 1], [2, 2, 2]]);
}

#[test]
fn custom_page_sizes_and_64_bits_compute_the_same() {
    let folder = Folder::new();
    let module = folder.write(
        "pages.wat",
        "(module (memory 70001 (pagesize 1)) (memory i64 1 9)
           (func (export \"_start\")
             (drop (memory.grow 0 (i32.const 30000)))
             (i32.store8 0 (i32.const 100000) (i32.const 7))
             (drop (memory.grow 1 (i64.const 8)))
             (i64.store 1 (i64.const 589816) (i64.const -1))))",
    );
    for combination in [
        vec![],
        vec!["--strategy", "bounded"],
        vec!["--system", "stock"],
    ] {
        let mut all = vec!["run", "--report", "json"];
        all.extend(combination);
        all.push(&module);
        let report = crate::support::run(&all).json();
        let memories = &report["memories"];
        assert_eq!(memories[0]["page_size_bytes"], 1, "{report}");
        assert_eq!(memories[0]["initial_pages"], 70_001);
        assert_eq!(memories[0]["final_pages"], 100_001);
        assert_eq!(memories[1]["is_64"], true);
        assert_eq!(memories[1]["final_pages"], 9);
        assert_eq!(memories[1]["maximum_pages"], 9);
    }
}

#[test]
fn the_second_of_two_alike_is_not_taken_for_the_first() {
    let folder = Folder::new();
    let module = folder.write(
        "alike.wat",
        "(module (memory (export \"a\") 1) (memory (export \"b\") 1)
           (func (export \"_start\") (drop (memory.grow 1 (i32.const 3)))))",
    );
    for system in ["stock", "arena"] {
        let options = ["run", "--report", "json", "--system", system, &module];
        let report = crate::support::run(&options).json();
        let last = [0, 1].map(|index| report["memories"][index]["final_pages"].clone());
        assert_eq!(last, [1, 4], "{system}");
    }
}

#[test]
fn growth_that_no_type_can_express_is_refused_and_counted_nowhere_else() {
    let folder = Folder::new();
    let module = folder.write(
        "express.wat",
        "(module (memory 8 (pagesize 1))
           (func (export \"_start\")
             (drop (memory.grow (i32.const 8)))
             (drop (memory.grow (i32.const -1)))))",
    );
    for system in ["stock", "arena"] {
        let options = ["run", "--report", "json", "--system", system, &module];
        let report = crate::support::run(&options).json();
        assert_eq!(report["memories"][0]["final_pages"], 16, "{report}");
        assert_eq!(report["memories"][0]["grows"], 1, "{report}");
    }
}

/// A guest that never ends by itself ends with the process, at the first request.
#[cfg(unix)]
#[test]
fn a_signal_ends_a_guest_that_spins() {
    use std::os::unix::process::ExitStatusExt;

    let folder = Folder::new();
    let module = folder.write(
        "spin.wat",
        "(module (import \"wasi_snapshot_preview1\" \"fd_write\"
             (func $write (param i32 i32 i32 i32) (result i32)))
           (memory (export \"memory\") 1)
           (data (i32.const 0) \"\\08\\00\\00\\00\\03\\00\\00\\00up\\0a\")
           (func (export \"_start\")
             (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
             (loop $again (br $again))))",
    );
    let report = folder.path("report.json");
    let mut child = program(&["run", "--report", "json", "--report-file", &report, &module])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 3];
    child.stdout.take().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"up\n");
    assert!(child.try_wait().unwrap().is_none(), "it spins");
    let kill = std::process::Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", child.id())])
        .status();
    assert!(kill.unwrap().success());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.signal(), Some(15));
    assert_eq!(folder.names(), ["spin.wat"], "no half a report");
}

/// Whoever closes the pipe early gets no panic in return.
#[test]
fn a_closed_pipe_is_no_panic() {
    let module = guest("memories.wat");
    for arguments in [
        ["run", "--invoke", "sum", module.as_str()].as_slice(),
        ["info"].as_slice(),
        ["--help"].as_slice(),
    ] {
        let mut child = program(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.code().is_some_and(|code| code != 101),
            "{output:?}"
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{said}");
    }
    let mut child = program(&["run", &guest("misbehave.wasm"), "--", "abort"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(134));
}
