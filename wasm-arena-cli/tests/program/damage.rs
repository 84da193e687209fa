//! Memory that changes while the guest sleeps. The damage is real: a bit of the running process's
//! memory is flipped from outside, through `/proc`, at a place that is found by what the guest
//! computed there.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{Finished, Folder, program, run};

/// Computes 64 bytes at 20480 when it is initialised, which are nowhere else; each step counts and
/// leaves them alone.
const TASK: &str = r#"(module
    (memory (export "memory") 2)
    (memory (export "other") 1)
    (memory 1)
    (func (export "_initialize") (local $at i32)
        (loop $next
            (i32.store8 offset=20480 (local.get $at)
                (i32.xor (i32.mul (local.get $at) (i32.const 89)) (i32.const 0x6b)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 64)))))
    (func (export "step") (result i32)
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (i32.load (i32.const 0))))"#;

fn marker() -> Vec<u8> {
    (0..64_u32)
        .map(|at| u8::try_from(((at * 89) ^ 0x6b) & 0xff).unwrap())
        .collect()
}

/// Where the guest's marker lies in the address space of `child`, once it is there.
fn find_marker(child: &mut Child) -> u64 {
    let marker = marker();
    let memory = File::open(format!("/proc/{}/mem", child.id())).unwrap();
    loop {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        let maps = fs::read_to_string(format!("/proc/{}/maps", child.id())).unwrap();
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            let (range, access) = (words.next().unwrap(), words.next().unwrap());
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
            if !access.starts_with("rw") || end - start > 64 << 20 {
                continue;
            }
            let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
            if memory.read_exact_at(&mut bytes, start).is_ok()
                && let Some(at) = bytes.windows(64).position(|window| window == marker)
            {
                return start + at as u64;
            }
        }
    }
}

/// Starts a cyclic task, flips a bit of its memory while it runs, and waits for its end.
fn damage(folder: &Folder, options: &[&str]) -> Finished {
    let task = folder.write("task.wat", TASK);
    let mut all = vec![
        "run", "--invoke", "step", "--repeat", "100000", "--pause", "4",
    ];
    all.extend(options);
    all.push(&task);
    let mut child = program(&all)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let at = find_marker(&mut child) + 17;
    let path = format!("/proc/{}/mem", child.id());
    // A flip that falls into the moment of a call belongs to the call and goes unnoticed; the next
    // one is found.
    for _try in 0..10_000 {
        let Ok(memory) = File::options().read(true).write(true).open(&path) else {
            break;
        };
        let mut byte = [0];
        if memory.read_exact_at(&mut byte, at).is_err()
            || memory.write_all_at(&[byte[0] ^ 0x20], at).is_err()
        {
            break;
        }
        std::thread::sleep(core::time::Duration::from_millis(20));
        if child.try_wait().unwrap().is_some() {
            break;
        }
    }
    let code = child.wait().unwrap().code();
    let read = |from: &mut dyn Read| {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    };
    Finished {
        code,
        stdout: read(&mut child.stdout.take().unwrap()),
        stderr: read(&mut child.stderr.take().unwrap()),
    }
}

/// The report of a run that ended by damage.
pub(crate) fn report_of_damage() -> Value {
    let folder = Folder::new();
    let path = folder.path("report.json");
    let options = [
        "--verify",
        "full",
        "--report",
        "json",
        "--report-file",
        &path,
    ];
    let finished = damage(&folder, &options);
    assert_eq!(finished.code, Some(135), "{finished:?}");
    serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()
}

#[test]
fn a_flip_between_two_calls_is_found_named_and_has_its_exit_code() {
    let folder = Folder::new();
    for (level, system, strategy) in [
        ("full", "arena", "reserved"),
        ("full", "mapped", "bounded"),
        ("critical", "arena", "bounded"),
    ] {
        let options = [
            "--verify",
            level,
            "--system",
            system,
            "--strategy",
            strategy,
        ];
        let finished = damage(&folder, &options);
        assert_eq!(finished.code, Some(135), "{finished:?}");
        assert_eq!(finished.stdout, "", "no result of a damaged guest");
        let first = finished.stderr.lines().next().unwrap();
        assert!(
            first.starts_with(
                "wasm-arena: memory 0 was changed while the guest did not run: \
                 block 5 (4096 bytes at offset 0x5000) is damaged: checksum 0x"
            ),
            "{finished:?}"
        );
        for expected in [
            "damaged (exit code 135)",
            "memory 0: 32 blocks of 4 KiB, sealed",
            "damaged at offset 0x5000",
            "memory 1: 16 blocks of 4 KiB, sealed",
            "no damage",
            "not watched, because not exported: memory 2",
            "nothing: everything was given back",
        ] {
            assert!(
                finished.stderr.contains(expected),
                "{expected}: {finished:?}"
            );
        }
    }
}

#[test]
fn the_report_tells_the_facts_of_the_damage() {
    let report = report_of_damage();
    assert_eq!(report["outcome"]["kind"], "damaged");
    assert_eq!(report["outcome"]["exit_code"], 135);
    let contents = &report["contents"];
    let damage = &contents["damage"];
    assert_eq!(
        (&damage["memory_index"], &damage["block"], &damage["offset"]),
        (&0.into(), &5.into(), &0x5000.into())
    );
    assert_ne!(damage["stored_checksum"], damage["computed_checksum"]);
    assert!(damage["stored_checksum"].is_u64() && damage["computed_checksum"].is_u64());
    let watched = &contents["memories"][0];
    assert_eq!(
        (&watched["bytes"], &watched["blocks"]),
        (&131_072.into(), &32.into())
    );
    assert_eq!(watched["damages"], 1);
    // Sealed after instantiation and after each call; verified before each, the last in vain.
    assert_eq!(watched["seals"], watched["verifications"]);
    assert_eq!(contents["not_watched"], serde_json::json!([2]));
}

#[test]
fn a_whole_memory_is_verified_before_every_call_and_told_to_be_whole() {
    let folder = Folder::new();
    let task = folder.write("task.wat", TASK);
    for level in ["off", "standard", "full", "critical"] {
        let finished = run(&[
            "run", "--verify", level, "--report", "json", "--invoke", "step", "--repeat", "7",
            &task,
        ]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(finished.stdout, "7\n", "of the last call");
        let contents = &finished.json()["contents"];
        if !["full", "critical"].contains(&level) {
            assert!(contents.is_null(), "{contents}");
            continue;
        }
        let watched = &contents["memories"][0];
        // `_initialize` and seven calls; at critical, each seal is verified at once.
        let verified = if level == "full" { 8 } else { 17 };
        assert_eq!(watched["seals"], 9, "{contents}");
        assert_eq!(watched["verifications"], verified, "{contents}");
        assert_eq!(watched["blocks_verified"], verified * 32);
        assert_eq!(
            (&watched["damages"], &contents["damage"]),
            (&0.into(), &Value::Null)
        );
    }
}
