use alloc::vec;
use std::string::ToString;

use super::*;

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Number and contents of every section.
fn sections(wasm: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let survey = Survey::of_any_namespace(wasm);
    survey
        .into_iter()
        .map(|(id, range)| (id, slice(wasm, &range).unwrap().to_vec()))
        .collect()
}

impl Survey {
    /// The sections of a module that may have been changed already.
    fn of_any_namespace(wasm: &[u8]) -> Vec<(u8, Range<u64>)> {
        Parser::new(0)
            .parse_all(wasm)
            .filter_map(|payload| payload.unwrap().as_section())
            .collect()
    }
}

#[test]
fn every_other_section_keeps_its_bytes_and_its_place() {
    let text = r#"(module
        (@custom "first" (before first) "abc")
        (type (func (param i32) (result i32)))
        (import "env" "f" (func $f (param i32) (result i32)))
        (import "env" "m" (memory $theirs 1))
        (memory $mine (export "mine") 2 5)
        (memory $other i64 3)
        (table 4 funcref)
        (global $g (mut i32) (i32.const 7))
        (func $start (i32.store $mine (i32.const 0) (i32.const 1)))
        (func (export "run") (type 0) (memory.grow $mine (local.get 0)))
        (start $start)
        (elem (i32.const 0) $f)
        (data (memory $mine) (i32.const 16) "hello")
        (data (memory $theirs) (i32.const 16) "there")
        (@custom "last" (after data) "xyz")
    )"#;
    let before = wasm(text);
    let imported = import_own_memories(&before).unwrap();
    assert_eq!(*imported.indices(), 1..3);
    let without = |sections: Vec<(u8, Vec<u8>)>| -> Vec<_> {
        let kept = sections.into_iter();
        kept.filter(|(id, _)| ![IMPORT, MEMORY].contains(id))
            .collect()
    };
    assert_eq!(
        without(sections(&before)),
        without(sections(imported.wasm()))
    );
    let ids: Vec<u8> = sections(&before).iter().map(|(id, _)| *id).collect();
    let mut after: Vec<u8> = sections(imported.wasm())
        .iter()
        .map(|(id, _)| *id)
        .collect();
    let place = ids.iter().position(|id| *id == MEMORY).unwrap();
    after.insert(place, MEMORY);
    assert_eq!(ids, after);
    // Again: there is nothing left to do, and the namespace tells.
    assert_eq!(
        import_own_memories(imported.wasm()),
        Err(ImportError::NamespaceTaken)
    );
}

#[test]
fn imports_get_a_section_after_the_types_if_there_was_none() {
    for text in [
        "(module (memory 1))",
        "(module (memory 1) (func))",
        r#"(module (@custom "c" (before first) "") (memory 1) (func (export "f")))"#,
        r#"(module (table 1 funcref) (memory (export "m") 1 2))"#,
    ] {
        let before = wasm(text);
        let imported = import_own_memories(&before).unwrap();
        let engine = wasmi::Engine::default();
        let module = wasmi::Module::new(&engine, imported.wasm()).unwrap();
        assert_eq!(module.imports().len(), 1, "{text}");
        let same = module.exports().map(|export| export.name().to_string());
        let original = wasmi::Module::new(&engine, &before).unwrap();
        let expected = original.exports().map(|export| export.name().to_string());
        assert_eq!(same.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

#[test]
fn modules_without_a_memory_of_their_own_are_not_touched() {
    for text in [
        "(module)",
        "(module (func))",
        r#"(module (import "env" "m" (memory 1)))"#,
    ] {
        let before = wasm(text);
        let imported = import_own_memories(&before).unwrap();
        assert!(matches!(imported.wasm, Cow::Borrowed(same) if same == before));
        assert!(imported.indices().is_empty());
    }
}

#[test]
fn what_is_impossible_is_refused_by_name() {
    let refusal = |wasm: &[u8]| import_own_memories(wasm).unwrap_err();
    assert_eq!(
        refusal(&wasm("(module (memory 1) (memory 1 2 shared))")),
        ImportError::SharedMemory { index: 1 }
    );
    assert_eq!(
        refusal(&wasm(
            r#"(module (import "wasm-arena" "x" (func)) (memory 1))"#
        )),
        ImportError::NamespaceTaken
    );
    // The header of a component: version 13, layer 1.
    assert_eq!(refusal(b"\0asm\x0d\0\x01\0"), ImportError::Component);
    assert_eq!(refusal(b"(module)"), ImportError::Malformed { offset: 0 });
    assert!(refusal(b"(module)").to_string().contains("byte 0"));
}

/// Whatever is cut off or changed, there is an answer and no panic.
#[test]
fn broken_modules_have_an_answer() {
    let whole = wasm(r#"(module (import "a" "b" (func)) (memory 1) (data (i32.const 0) "abc"))"#);
    for end in 0..whole.len() {
        let _any = import_own_memories(&whole[..end]);
    }
    for position in 0..whole.len() {
        for value in [0, 1, 5, 0x7f, 0x80, 0xff] {
            let mut broken = whole.clone();
            broken[position] = value;
            let _any = import_own_memories(&broken);
        }
    }
    let overlong = vec![0x80; 64];
    assert!(import_own_memories(&overlong).is_err());
}
