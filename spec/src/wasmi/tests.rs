use super::*;
use crate::compare::{Tally, compare};
use crate::script::directives;
use crate::suite;

/// What directives are about.
const SUBJECT: &str = r#"
    (module $named
        (memory (export "memory") 1 2)
        (global (export "seven") i32 (i32.const 7))
        (func (export "one") (result i32) (i32.const 1))
        (func (export "two results") (result i32 i64) (i32.const 1) (i64.const 2))
        (func (export "same") (param f32) (result f32) (local.get 0))
        (func (export "nan") (param i32) (result f32) (f32.reinterpret_i32 (local.get 0)))
        (func (export "vector") (result v128) (v128.const f32x4 1 nan 3 4))
        (func (export "null") (result funcref) (ref.null func))
        (func (export "host") (param externref) (result externref) (local.get 0))
        (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
        (func $deep (export "deep") (call $deep)))
    (register "subject")"#;

/// Directives that hold, each with one that differs from it and does not.
const PAIRS: [(&str, &str); 17] = [
    (
        r#"(assert_return (invoke "one") (i32.const 1))"#,
        r#"(assert_return (invoke "one") (i32.const 2))"#,
    ),
    (
        r#"(assert_return (invoke $named "one") (i32.const 1))"#,
        r#"(assert_return (invoke $named "one") (i64.const 1))"#,
    ),
    (
        r#"(assert_return (get "seven") (i32.const 7))"#,
        r#"(assert_return (get "seven") (i32.const 8))"#,
    ),
    (
        r#"(assert_return (invoke "two results") (i32.const 1) (i64.const 2))"#,
        r#"(assert_return (invoke "two results") (i32.const 1))"#,
    ),
    (
        r#"(assert_return (invoke "same" (f32.const -0)) (f32.const -0))"#,
        r#"(assert_return (invoke "same" (f32.const -0)) (f32.const 0))"#,
    ),
    // Canonical, of either sign; one more bit is arithmetic; without the quiet bit it is neither.
    (
        r#"(assert_return (invoke "nan" (i32.const 0xffc00000)) (f32.const nan:canonical))"#,
        r#"(assert_return (invoke "nan" (i32.const 0x7fc00001)) (f32.const nan:canonical))"#,
    ),
    (
        r#"(assert_return (invoke "nan" (i32.const 0x7fc00001)) (f32.const nan:arithmetic))"#,
        r#"(assert_return (invoke "nan" (i32.const 0x7f800001)) (f32.const nan:arithmetic))"#,
    ),
    (
        r#"(assert_return (invoke "vector") (v128.const f32x4 1 nan:canonical 3 4))"#,
        r#"(assert_return (invoke "vector") (v128.const f32x4 1 nan:canonical 3 5))"#,
    ),
    (
        r#"(assert_return (invoke "null") (ref.null func))"#,
        r#"(assert_return (invoke "null") (ref.func))"#,
    ),
    (
        r#"(assert_return (invoke "host" (ref.extern 5)) (ref.extern 5))"#,
        r#"(assert_return (invoke "host" (ref.extern 5)) (ref.extern 6))"#,
    ),
    (
        r#"(assert_trap (invoke "load" (i32.const 65536)) "out of bounds memory access")"#,
        r#"(assert_trap (invoke "load" (i32.const 65532)) "out of bounds memory access")"#,
    ),
    (
        r#"(assert_trap (module (func $f unreachable) (start $f)) "unreachable")"#,
        r#"(assert_trap (module (func $f unreachable) (start $f)) "integer divide by zero")"#,
    ),
    (
        r#"(assert_exhaustion (invoke "deep") "call stack exhausted")"#,
        r#"(assert_exhaustion (invoke "one") "call stack exhausted")"#,
    ),
    (
        r#"(assert_invalid (module (func (result i32))) "type mismatch")"#,
        r#"(assert_invalid (module (func)) "type mismatch")"#,
    ),
    (
        r#"(assert_malformed (module binary "\00asm") "unexpected end")"#,
        r#"(assert_malformed (module binary "\00asm\01\00\00\00") "unexpected end")"#,
    ),
    (
        r#"(assert_unlinkable (module (import "subject" "memory" (memory 2))) "incompatible")"#,
        r#"(assert_unlinkable (module (import "subject" "memory" (memory 1))) "incompatible")"#,
    ),
    (r#"(invoke "one")"#, r#"(invoke "none")"#),
];

fn ours(memories: impl FnOnce(Memories) -> Memories) -> impl Judge {
    let arenas = Arc::new(Arenas::new(PortableArenas::new(OsPages::new())));
    Interpreter(FromArenas {
        engine: engine(),
        memories: memories(ArenaMemories::new(arenas).unwrap()),
    })
}

type Memories = ArenaMemories<PortableArenas<OsPages>>;

#[test]
fn what_does_not_hold_is_told_from_what_holds() {
    for judge in [
        Box::new(Interpreter(Stock(engine()))) as Box<dyn Judge>,
        Box::new(ours(|memories| memories)),
    ] {
        for (holds, fails) in PAIRS {
            let text = format!("{SUBJECT}\n{holds}\n{fails}\n{holds}");
            let outcomes = judge.run(&directives(&text)).unwrap();
            let told: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
            assert_eq!(
                told,
                [true, true, true, false, true],
                "{text}: {outcomes:?}"
            );
        }
    }
}

#[test]
fn modules_are_defined_once_and_made_often() {
    const TEXT: &str = r#"
        (module definition $counter
            (global $g (mut i32) (i32.const 0))
            (func (export "next") (result i32)
                (global.set $g (i32.add (global.get $g) (i32.const 1)))
                (global.get $g)))
        (module instance $a $counter)
        (module instance $b $counter)
        (assert_return (invoke $a "next") (i32.const 1))
        (assert_return (invoke $a "next") (i32.const 2))
        (assert_return (invoke $b "next") (i32.const 1))
        (module instance $c $nobody)"#;
    let outcomes = Interpreter(Stock(engine())).run(&directives(TEXT)).unwrap();
    let (last, others) = outcomes.split_last().unwrap();
    assert!(others.iter().all(Result::is_ok), "{outcomes:?}");
    assert!(last.is_err());
}

fn judged(judge: &dyn Judge) -> Tally {
    let mut tally = Tally::default();
    let reference = Interpreter(Stock(engine()));
    for file in suite::files() {
        if file.name.ends_with("/memory_grow.wast") {
            let directives = directives(file.text);
            let expected = reference.run(&directives).unwrap();
            let found = judge.run(&directives).unwrap();
            tally.add(&compare(&file.name, &directives, &expected, &found));
        }
    }
    tally
}

#[test]
fn memories_that_grow_less_are_found_and_others_are_not() {
    let tally = judged(&ours(|memories| memories));
    assert_eq!(tally.failures, [""; 0]);
    assert!(tally.assertions > 100, "{tally:?}");
    let tally = judged(&ours(|memories| memories.with_maximum_bytes(2 << 16)));
    assert!(!tally.failures.is_empty() && tally.passed > 0, "{tally:?}");
}
