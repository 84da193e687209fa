//! Traps, explained in the guest's terms, under both strategies and on every system.

use crate::support::{Finished, Folder, run, run_guest};

const TRAPPED: i32 = 134;
const STRATEGIES: [&str; 2] = ["bounded", "reserved"];
const SYSTEMS: [&str; 3] = ["arena", "mapped", "stock"];

fn misbehave(options: &[&str], arguments: &[&str]) -> Finished {
    let mut all = vec!["--report", "none"];
    all.extend(options);
    let finished = run_guest(&all, "misbehave.wasm", arguments);
    assert_eq!(finished.code, Some(TRAPPED), "{finished:?}");
    assert!(!finished.stdout.contains("NOT STOPPED"), "{finished:?}");
    assert!(
        finished.stderr.starts_with("wasm-arena: trap: "),
        "{finished:?}"
    );
    finished
}

#[test]
fn a_stray_access_names_instruction_memory_and_function() {
    for system in SYSTEMS {
        for strategy in STRATEGIES {
            let options = ["--system", system, "--strategy", strategy];
            let said = misbehave(&options, &["read-past-end", "5"]).stderr;
            for expected in [
                "out of bounds memory access",
                "i32.load8_u (memory 0)",
                "1 byte",
                "ends at 0x20000",
                "in           read_past_end, at 0x",
                "2 pages, 128 KiB",
                "main at 0x",
            ] {
                assert!(
                    said.contains(expected),
                    "{system} {strategy}: {expected} in {said}"
                );
            }
            // The address is known exactly where the processor noticed.
            let known = said.contains("first outside is offset 0x20005");
            assert_eq!(known, strategy == "reserved", "{said}");
            assert_eq!(
                said.contains("(operand + 0)"),
                strategy == "bounded",
                "{said}"
            );
        }
    }
}

#[test]
fn accesses_across_and_far_beyond_the_end() {
    let said = misbehave(&[], &["straddle-end"]).stderr;
    assert!(
        said.contains("i64.store (memory 0)") && said.contains("8 bytes"),
        "{said}"
    );
    assert!(said.contains("first outside is offset 0x20000"), "{said}");
    let said = misbehave(&[], &["write-past-end", "1000000"]).stderr;
    let offset = format!("{:#x}", 0x20000 + 1_000_000);
    assert!(
        said.contains("i32.store8") && said.contains(&offset),
        "{said}"
    );
    for strategy in STRATEGIES {
        let said = misbehave(&["--strategy", strategy], &["overflow-stack"]).stderr;
        assert!(said.contains("descend_wide"), "{said}");
    }
}

#[test]
fn the_other_kinds() {
    for strategy in STRATEGIES {
        for (way, kind, rest) in [
            ("recurse", "call stack exhausted", "innermost 20 calls"),
            ("abort", "unreachable", "instruction  unreachable"),
            ("divide-by-zero", "integer divide by zero", "i32.div_s"),
            (
                "call-wrong-type",
                "indirect call type mismatch",
                "call_indirect",
            ),
        ] {
            let said = misbehave(&["--strategy", strategy], &[way]).stderr;
            assert!(said.contains(kind) && said.contains(rest), "{way}: {said}");
        }
    }
    let said = misbehave(&[], &["recurse"]).stderr;
    assert!(
        said.lines().count() < 10,
        "recursion takes few lines: {said}"
    );
}

#[test]
fn the_memory_and_the_constant_offset_of_an_instruction() {
    let folder = Folder::new();
    let module = folder.write(
        "second.wat",
        "(module (memory 1) (memory $b 2) (memory $far i64 1)
           (func (export \"load\") (param i32)
             (drop (i32.load16_s $b offset=300 (local.get 0))))
           (func (export \"far\") (param i64) (drop (f64.load $far (local.get 0))))
           (func (export \"copy\") (param i32)
             (memory.copy $b 0 (local.get 0) (i32.const 0) (i32.const 9))))",
    );
    let call = |strategy, name, argument| {
        let options = [
            "run",
            "--report",
            "none",
            "--strategy",
            strategy,
            "--invoke",
            name,
        ];
        let mut all = options.to_vec();
        all.extend([module.as_str(), "--", argument]);
        let finished = run(&all);
        assert_eq!(finished.code, Some(TRAPPED), "{finished:?}");
        finished.stderr
    };
    let said = call("bounded", "load", "131000");
    for expected in [
        "i32.load16_s offset=300 (memory 1)",
        "(operand + 300) of memory 1",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(
        said.contains("2 bytes") && said.contains("ends at 0x20000"),
        "{said}"
    );
    let said = call("reserved", "load", "131000");
    assert!(
        said.contains(&format!("first outside is offset {:#x}", 131_300)),
        "{said}"
    );
    // Memories indexed with 64 bits are compared under both strategies.
    for strategy in STRATEGIES {
        let said = call(strategy, "far", "0x100000000000");
        assert!(said.contains("f64.load (memory 2)"), "{said}");
        assert!(said.contains("compared before the access"), "{said}");
        let said = call(strategy, "copy", "131064");
        assert!(
            said.contains("memory.copy (memory 1)") && said.contains("a range"),
            "{said}"
        );
    }
}

#[test]
fn names_are_demangled() {
    let folder = Folder::new();
    let module = folder.write(
        "rust.wat",
        "(module (func $_ZN4game4loop17h0123456789abcdefE unreachable)
           (func (export \"_start\") (call 0)))",
    );
    let finished = run(&["run", "--report", "none", &module]);
    assert!(
        finished.stderr.contains("in           game::loop"),
        "{finished:?}"
    );
}

#[test]
fn an_unreachable_behind_a_branch_and_a_function_known_by_its_export() {
    let module = crate::support::guest("memories.wat");
    let options = ["run", "--report", "none", "--invoke", "fill_grow_sum"];
    let mut all = options.to_vec();
    all.extend([module.as_str(), "--", "7", "64"]);
    let said = run(&all).stderr;
    assert!(said.contains("instruction  unreachable"), "{said}");
    assert!(said.contains("in           fill_grow_sum"), "{said}");
}

#[test]
fn a_trap_before_the_start_is_a_trap_too() {
    let folder = Folder::new();
    let data = folder.write(
        "data.wat",
        "(module (memory 1) (data (i32.const 65534) \"abc\"))",
    );
    let start = folder.write("start.wat", "(module (func $s unreachable) (start $s))");
    for module in [data, start] {
        for system in SYSTEMS {
            let finished = run(&["run", "--report", "none", "--system", system, &module]);
            assert_eq!(finished.code, Some(TRAPPED), "{finished:?}");
        }
    }
}

#[test]
fn an_exit_code_that_wasi_does_not_know_is_no_exit_code() {
    let folder = Folder::new();
    let module = folder.write(
        "exit.wat",
        "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
           (memory (export \"memory\") 1)
           (func (export \"_start\") (call $exit (i32.const 300))))",
    );
    let finished = run(&["run", "--report", "none", &module]);
    assert_eq!(finished.code, Some(TRAPPED), "{finished:?}");
    assert!(finished.stderr.contains("exit status"), "{finished:?}");
}
