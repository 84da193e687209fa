//! `--invoke`: arguments by type, results one a line.

use crate::support::{Finished, Folder, guest, run};

fn invoke(module: &str, name: &str, arguments: &[&str]) -> Finished {
    let mut all = vec!["run", "--report", "none", "--invoke", name, module, "--"];
    all.extend(arguments);
    run(&all)
}

#[test]
fn numbers_go_in_and_come_out() {
    let module = guest("memories.wat");
    for (name, arguments, expected) in [
        ("add", ["2", "40"].as_slice(), "42\n"),
        ("add", &["-1", "0"], "-1\n"),
        ("add", &["4294967295", "0x2"], "1\n"),
        ("fill", &["7"], ""),
        ("sum", &[], "0\n"),
        ("grow0", &["63"], "1\n"),
        ("grow0", &["64"], "-1\n"),
        ("grow1", &["3"], "2\n"),
        ("fill_grow_sum", &["7", "3"], "1507328\n"),
    ] {
        let finished = invoke(&module, name, arguments);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(finished.stdout, expected, "{name} {arguments:?}");
        assert_eq!(finished.stderr, "", "{name}");
    }
}

#[test]
fn every_number_type_and_several_results() {
    let folder = Folder::new();
    let module = folder.write(
        "types.wat",
        "(module
           (func (export \"all\") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
             local.get 3 local.get 2 local.get 1 local.get 0)
           (func (export \"vector\") (result v128) (v128.const i32x4 1 2 3 4))
           (func (export \"reference\") (param externref)))",
    );
    let arguments = ["-5", "9007199254740993", "0.5", "-1e3"];
    let finished = invoke(&module, "all", &arguments);
    assert_eq!(
        finished.stdout, "-1000\n0.5\n9007199254740993\n-5\n",
        "{finished:?}"
    );
    let finished = invoke(&module, "vector", &[]);
    assert_eq!(finished.stdout, "0x00000004000000030000000200000001\n");
    let finished = invoke(&module, "reference", &["1"]);
    assert!(
        finished
            .refusal(127)
            .contains("values of type (ref null extern)"),
        "{finished:?}"
    );
}

#[test]
fn wrong_calls_name_the_signature() {
    let module = guest("memories.wat");
    for (name, arguments, expected) in [
        ("add", ["1"].as_slice(), "takes 2 argument(s), 1 given"),
        ("add", &["1", "2", "3"], "3 given"),
        ("add", &["1", "x"], "argument 2 is \"x\""),
        (
            "add",
            &["1", "4294967296"],
            "from -2147483648 to 4294967295",
        ),
        ("add", &["1.5", "1"], "argument 1"),
        ("subtract", &[], "no such exported function"),
        ("first", &[], "no such exported function"),
    ] {
        let finished = invoke(&module, name, arguments);
        let line = finished.refusal(127);
        assert!(line.contains(expected), "{line}");
        assert!(line.contains("add(i32, i32) -> (i32)"), "{line}");
    }
}

#[test]
fn a_library_is_initialised_first() {
    let folder = Folder::new();
    let module = folder.write(
        "library.wat",
        "(module (global $ready (mut i32) (i32.const 0))
           (func (export \"_initialize\") (global.set $ready (i32.const 1)))
           (func (export \"ready\") (result i32) (global.get $ready)))",
    );
    assert_eq!(invoke(&module, "ready", &[]).stdout, "1\n");
}
