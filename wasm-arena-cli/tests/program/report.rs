//! The report: every documented key is there and no other, the numbers are true, and a file appears
//! whole or not at all.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::{Folder, guest, run, run_guest};

/// The keys of docs/report.md: what its tables have between the first two backticks of a row.
fn documented() -> BTreeSet<String> {
    let path = format!("{}/../docs/report.md", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split_once('`').unwrap().0.to_owned())
        .collect()
}

/// All keys of a report, those of list items with `[]`.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                found.insert(path.clone());
                keys(field, &path, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                keys(item, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_documented_key_appears_and_no_other() {
    let folder = Folder::new();
    let mut found = BTreeSet::new();
    // A trap explains itself on stderr, so its report goes to a file.
    for (options, arguments) in [
        (["--budget", "1g"].as_slice(), ["abort"].as_slice()),
        (&["--system", "mapped"], &["read-past-end"]),
        (&["--system", "stock"], &["exit", "4"]),
    ] {
        let path = folder.path("report.json");
        let mut all = vec!["--report", "json", "--report-file", &path];
        all.extend(options);
        run_guest(&all, "misbehave.wasm", arguments);
        let text = fs::read_to_string(&path).unwrap();
        keys(&serde_json::from_str(&text).unwrap(), "", &mut found);
    }
    #[cfg(target_os = "linux")]
    keys(&crate::damage::report_of_damage(), "", &mut found);
    assert_eq!(found, documented());
}

#[test]
fn the_numbers_of_a_growing_program_are_consistent() {
    for strategy in ["reserved", "bounded"] {
        let options = ["--report", "json", "--strategy", strategy];
        let finished = run_guest(&options, "word-index.wasm", &["--words", "50000"]);
        let report = finished.json();
        let number = |pointer: &str| {
            let value = report.pointer(pointer).and_then(Value::as_u64);
            value.unwrap_or_else(|| panic!("{pointer} in {report}"))
        };
        // The guest prints what it sees itself.
        let said = finished
            .stdout
            .lines()
            .find(|line| line.starts_with("memory"))
            .unwrap();
        let final_pages = number("/memories/0/final_pages");
        let grows = number("/memories/0/grows");
        assert!(
            said.contains(&format!("{final_pages} now, {grows} growths")),
            "{said}: {report}"
        );
        assert_eq!(number("/memories/0/final_bytes"), final_pages << 16);
        assert_eq!(number("/memories/0/peak_pages"), final_pages);
        let accessible = number("/totals/accessible_bytes");
        let resident = number("/totals/resident_bytes");
        assert!(
            resident > (final_pages << 16) / 2,
            "it filled its memory: {report}"
        );
        assert!(
            resident <= accessible && final_pages << 16 <= accessible,
            "{report}"
        );
        assert!(accessible <= number("/totals/reserved_bytes"));
        assert!(number("/totals/peak_reserved_bytes") >= number("/totals/reserved_bytes"));
        let calls = report["os_calls"].as_object().unwrap();
        let sum: u64 = calls
            .iter()
            .filter(|(kind, _)| *kind != "total")
            .map(|(_, count)| count.as_u64().unwrap())
            .sum();
        assert_eq!(number("/os_calls/total"), sum);
        assert_eq!(
            number("/os_calls/reserve") + number("/os_calls/map"),
            number("/os_calls/unmap"),
            "all of it went back"
        );
        for (key, value) in report["left_over"].as_object().unwrap() {
            assert_eq!(value, 0, "{key}");
        }
        let moved = number("/memories/0/moves");
        assert_eq!(moved > 0, strategy == "bounded", "{report}");
        assert!(number("/time/run_nanoseconds") > 0 && number("/time/compile_nanoseconds") > 0);
        assert_eq!(report["outcome"]["kind"], "exited");
        assert_ne!(report["engine"]["version"], "unknown");
    }
}

#[test]
fn nothing_is_left_over_whatever_happens() {
    let folder = Folder::new();
    let path = folder.path("report.json");
    let needs_two = folder.write("two.wat", "(module (memory 1) (memory 4))");
    let missing = folder.write(
        "missing.wat",
        "(module (import \"a\" \"b\" (func)) (memory 1))",
    );
    let absent = folder.path("absent.wasm");
    let misbehave = guest("misbehave.wasm");
    for (arguments, kind) in [
        (vec![misbehave.as_str(), "--", "recurse"], "trapped"),
        (vec![misbehave.as_str(), "--", "write-past-end"], "trapped"),
        (vec![misbehave.as_str(), "--", "exit", "3"], "exited"),
        // The first memory is granted, the second is not.
        (vec!["--budget", "128k", needs_two.as_str()], "failed"),
        (vec![missing.as_str()], "failed"),
        (vec![absent.as_str()], "failed"),
    ] {
        for system in ["arena", "mapped"] {
            let mut all = vec![
                "run",
                "--system",
                system,
                "--report",
                "json",
                "--report-file",
                &path,
            ];
            all.extend(&arguments);
            let finished = run(&all);
            let report: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            assert_eq!(report["outcome"]["kind"], kind, "{arguments:?} {report}");
            assert_eq!(report["outcome"]["exit_code"], finished.code.unwrap());
            for (key, value) in report["left_over"].as_object().unwrap() {
                assert_eq!(value, 0, "{key} {arguments:?}");
            }
            if kind == "failed" {
                let error = report["outcome"]["error"].as_str().unwrap();
                assert_eq!(finished.stderr, format!("wasm-arena: {error}\n"));
            }
            fs::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn a_trap_is_in_the_report_as_it_is_on_stderr() {
    let folder = Folder::new();
    let path = folder.path("report.json");
    let options = ["--report", "json", "--report-file", &path];
    let finished = run_guest(&options, "misbehave.wasm", &["straddle-end"]);
    assert!(
        !finished.stderr.contains('{'),
        "the report is in the file: {finished:?}"
    );
    let report: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let trap = &report["outcome"]["trap"];
    assert_eq!(trap["kind"], "memory_out_of_bounds");
    assert_eq!(trap["function"], "straddle_end");
    assert_eq!(trap["instruction"], "i64.store (memory 0)");
    assert_eq!(trap["access_bytes"], 8);
    assert_eq!(trap["fault_offset"], 0x20000);
    assert_eq!(trap["backtrace"][1]["function"], "main");
}

#[test]
fn the_text_fits_a_screen_and_names_everything() {
    let finished = run_guest(
        &["--budget", "64m"],
        "word-index.wasm",
        &["--words", "5000"],
    );
    assert!(finished.stdout.contains("index and scan agree"));
    let text = &finished.stderr;
    assert!(text.lines().count() <= 40, "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 132, "{line}");
        assert_eq!(line, line.trim_end());
    }
    for expected in [
        "memory report",
        "exit code 0",
        "strategy reserved",
        "initial",
        "moved",
        "guards",
        "reserved",
        "accessible",
        "resident",
        "os calls",
        "region cache",
        "bookkeeping",
        "budget",
        "nothing: everything was given back",
        "verification-level",
        "standard",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    // Exact numbers stand beside the readable ones.
    assert!(text.contains("64 MiB (67 108 864)"), "{text}");
}

#[test]
fn a_file_is_replaced_whole_and_links_stay_links() {
    let folder = Folder::new();
    let path = folder.write("report.json", "what was there before");
    let options = ["--report", "json", "--report-file", &path];
    let finished = run_guest(&options, "misbehave.wasm", &["exit", "5"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(5), ""));
    let report: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(report["outcome"]["exit_code"], 5);
    assert_eq!(folder.names(), ["report.json"], "nothing beside it");

    // A run that is refused for its options leaves the file alone.
    run_guest(
        &["--guard", "1", "--report-file", &path],
        "misbehave.wasm",
        &["exit", "5"],
    )
    .refusal(127);
    assert_eq!(fs::read(&path).unwrap()[0], b'{');

    #[cfg(unix)]
    {
        let link = folder.path("link.txt");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        run_guest(&["--report-file", &link], "misbehave.wasm", &["exit", "0"]);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&path).unwrap().contains("memory report"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;

    let finished = run_guest(
        &["--report-file", "/dev/null"],
        "misbehave.wasm",
        &["exit", "0"],
    );
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    // A full device: the guest ended with 0, so the failure is the exit code.
    let finished = run_guest(
        &["--report-file", "/dev/full"],
        "misbehave.wasm",
        &["exit", "0"],
    );
    assert_eq!(finished.code, Some(128), "{finished:?}");
    assert!(finished.stderr.contains("/dev/full"), "{finished:?}");
    let finished = run_guest(
        &["--report-file", "/dev/full"],
        "misbehave.wasm",
        &["exit", "9"],
    );
    assert_eq!(
        finished.code,
        Some(9),
        "the guest's own goes first: {finished:?}"
    );
}
