//! What an engine itself does not do as the suite has it: counted file by file, so that nothing
//! that stops working on the reference goes unnoticed.
#![forbid(unsafe_code)]

/// Directives of a file that fail on the reference.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The file, by its first name.
    pub file: &'static str,
    /// How many directives fail.
    pub directives: usize,
    /// Why.
    pub reason: &'static str,
}

/// Everything that fails on stock Wasmtime.
#[rustfmt::skip]
pub const WASMTIME: &[Known] = &[
    known("wasm-v2/binary-leb128.wast", 2, ALLOWED_SINCE),
    known("wasm-v2/binary.wast", 8, ALLOWED_SINCE),
    known("wasm-v2/imports.wast", 3, ALLOWED_SINCE),
    known("wasm-v2/memory.wast", 2, ALLOWED_SINCE),
    known("wasm-v1/binary-leb128.wast", 4, ALLOWED_SINCE),
    known("wasm-v1/elem.wast", 1, WORDS),
    known("wasm-v1/imports.wast", 3, ALLOWED_SINCE),
    known("wasm-v1/memory.wast", 2, ALLOWED_SINCE),
    known("custom-descriptors/array_new_exact.wast", 1, ABSENT),
    known("custom-descriptors/binary-descriptors.wast", 2, ABSENT),
    known("custom-descriptors/br_on_cast.wast", 1, ABSENT),
    known("custom-descriptors/br_on_cast_desc_eq.wast", 99, ABSENT),
    known("custom-descriptors/br_on_cast_desc_eq_fail.wast", 99, ABSENT),
    known("custom-descriptors/br_on_cast_fail.wast", 1, ABSENT),
    known("custom-descriptors/descriptors.wast", 6, ABSENT),
    known("custom-descriptors/exact-casts.wast", 111, ABSENT),
    known("custom-descriptors/exact-func-import.wast", 21, ABSENT),
    known("custom-descriptors/exact.wast", 16, ABSENT),
    known("custom-descriptors/ref_cast_desc_eq.wast", 93, ABSENT),
    known("custom-descriptors/ref_get_desc.wast", 26, ABSENT),
    known("custom-descriptors/struct_new_desc.wast", 25, ABSENT),
    known("function-references/binary.wast", 8, ALLOWED_SINCE),
    known("memory64/binary.wast", 8, ALLOWED_SINCE),
    known("memory64/memory.wast", 2, ALLOWED_SINCE),
    known("memory64/memory64.wast", 2, ALLOWED_SINCE),
    known("multi-value/binary.wast", 8, ALLOWED_SINCE),
    known("mutable-global/linking.wast", 4, CHECKED_FIRST),
    known("reference-types/binary-leb128.wast", 4, ALLOWED_SINCE),
    known("reference-types/binary.wast", 12, ALLOWED_SINCE),
    known("reference-types/imports.wast", 3, ALLOWED_SINCE),
    known("reference-types/unreached-invalid.wast", 1, ALLOWED_SINCE),
    known("threads/imports.wast", 6, ALLOWED_SINCE),
    known("threads/memory.wast", 2, ALLOWED_SINCE),
];

/// Everything that fails on stock wasmi.
#[rustfmt::skip]
pub const WASMI: &[Known] = &[
    known("wasm-latest/br_on_non_null.wast", 10, NEEDS_ABSENT),
    known("wasm-latest/br_on_null.wast", 8, NEEDS_ABSENT),
    known("wasm-latest/br_table.wast", 162, NEEDS_ABSENT),
    known("wasm-latest/call_ref.wast", 28, NEEDS_ABSENT),
    known("wasm-latest/data.wast", 2, NEEDS_ABSENT),
    known("wasm-latest/elem.wast", 18, NEEDS_ABSENT),
    known("wasm-latest/global.wast", 8, NEEDS_ABSENT),
    known("wasm-latest/imports.wast", 19, NEEDS_ABSENT),
    known("wasm-latest/instance.wast", 20, NEEDS_ABSENT),
    known("wasm-latest/linking.wast", 28, NEEDS_ABSENT),
    known("wasm-latest/local_init.wast", 6, NEEDS_ABSENT),
    known("wasm-latest/ref.wast", 1, NEEDS_ABSENT),
    known("wasm-latest/ref_as_non_null.wast", 5, NEEDS_ABSENT),
    known("wasm-latest/ref_is_null.wast", 20, NEEDS_ABSENT),
    known("wasm-latest/ref_null.wast", 34, NEEDS_ABSENT),
    known("wasm-latest/return_call.wast", 35, NEEDS_ABSENT),
    known("wasm-latest/return_call_indirect.wast", 51, NEEDS_ABSENT),
    known("wasm-latest/return_call_ref.wast", 37, NEEDS_ABSENT),
    known("wasm-latest/table.wast", 11, NEEDS_ABSENT),
    known("wasm-latest/type-canon.wast", 2, NEEDS_ABSENT),
    known("wasm-latest/type-equivalence.wast", 20, NEEDS_ABSENT),
    known("wasm-latest/type-rec.wast", 16, NEEDS_ABSENT),
    known("wasm-latest/unreached-valid.wast", 11, NEEDS_ABSENT),
    known("wasm-v2/binary.wast", 8, ALLOWED_SINCE),
    known("wasm-v2/imports.wast", 3, ALLOWED_SINCE),
    known("wasm-v2/memory.wast", 2, ALLOWED_SINCE),
    known("wasm-v1/binary-leb128.wast", 2, ALLOWED_SINCE),
    known("wasm-v1/elem.wast", 1, WORDS),
    known("wasm-v1/imports.wast", 3, ALLOWED_SINCE),
    known("wasm-v1/memory.wast", 2, ALLOWED_SINCE),
    known("bulk-memory/table-sub.wast", 1, NEEDS_ABSENT),
    known("bulk-memory/table_init.wast", 2, NEEDS_ABSENT),
    known("custom-descriptors/array_new_exact.wast", 1, ABSENT_IN_WASMI),
    known("custom-descriptors/binary-descriptors.wast", 2, ABSENT_IN_WASMI),
    known("custom-descriptors/br_on_cast.wast", 31, ABSENT_IN_WASMI),
    known("custom-descriptors/br_on_cast_desc_eq.wast", 99, ABSENT_IN_WASMI),
    known("custom-descriptors/br_on_cast_desc_eq_fail.wast", 99, ABSENT_IN_WASMI),
    known("custom-descriptors/br_on_cast_fail.wast", 31, ABSENT_IN_WASMI),
    known("custom-descriptors/descriptors.wast", 6, ABSENT_IN_WASMI),
    known("custom-descriptors/exact-casts.wast", 111, ABSENT_IN_WASMI),
    known("custom-descriptors/exact-func-import.wast", 24, ABSENT_IN_WASMI),
    known("custom-descriptors/exact.wast", 16, ABSENT_IN_WASMI),
    known("custom-descriptors/ref_cast_desc_eq.wast", 93, ABSENT_IN_WASMI),
    known("custom-descriptors/ref_get_desc.wast", 26, ABSENT_IN_WASMI),
    known("custom-descriptors/struct_new_desc.wast", 25, ABSENT_IN_WASMI),
    known("exceptions/tag.wast", 6, ABSENT_IN_WASMI),
    known("exceptions/throw.wast", 10, ABSENT_IN_WASMI),
    known("exceptions/throw_ref.wast", 13, ABSENT_IN_WASMI),
    known("exceptions/try_table.wast", 54, ABSENT_IN_WASMI),
    known("function-references/binary.wast", 8, ALLOWED_SINCE),
    known("function-references/br_on_non_null.wast", 8, ABSENT_IN_WASMI),
    known("function-references/br_on_null.wast", 8, ABSENT_IN_WASMI),
    known("function-references/call_ref.wast", 28, ABSENT_IN_WASMI),
    known("function-references/elem.wast", 16, ABSENT_IN_WASMI),
    known("function-references/linking.wast", 28, ABSENT_IN_WASMI),
    known("function-references/ref_null.wast", 4, ABSENT_IN_WASMI),
    known("function-references/return_call_ref.wast", 37, ABSENT_IN_WASMI),
    known("function-references/table.wast", 11, ABSENT_IN_WASMI),
    known("function-references/type-equivalence.wast", 7, ABSENT_IN_WASMI),
    known("function-references/unreached-valid.wast", 10, ABSENT_IN_WASMI),
    known("gc/array.wast", 48, ABSENT_IN_WASMI),
    known("gc/array_copy.wast", 31, ABSENT_IN_WASMI),
    known("gc/array_fill.wast", 27, ABSENT_IN_WASMI),
    known("gc/array_init_data.wast", 44, ABSENT_IN_WASMI),
    known("gc/array_init_elem.wast", 33, ABSENT_IN_WASMI),
    known("gc/array_new_data.wast", 28, ABSENT_IN_WASMI),
    known("gc/array_new_elem.wast", 24, ABSENT_IN_WASMI),
    known("gc/br_on_cast.wast", 31, ABSENT_IN_WASMI),
    known("gc/br_on_cast_fail.wast", 31, ABSENT_IN_WASMI),
    known("gc/extern.wast", 18, ABSENT_IN_WASMI),
    known("gc/i31.wast", 71, ABSENT_IN_WASMI),
    known("gc/ref_cast.wast", 45, ABSENT_IN_WASMI),
    known("gc/ref_eq.wast", 83, ABSENT_IN_WASMI),
    known("gc/ref_test.wast", 71, ABSENT_IN_WASMI),
    known("gc/struct.wast", 25, ABSENT_IN_WASMI),
    known("gc/type-subtyping.wast", 83, ABSENT_IN_WASMI),
    known("memory64/binary.wast", 8, ALLOWED_SINCE),
    known("memory64/memory.wast", 2, ALLOWED_SINCE),
    known("memory64/memory64.wast", 2, ALLOWED_SINCE),
    known("multi-value/binary.wast", 8, ALLOWED_SINCE),
    known("mutable-global/linking.wast", 4, CHECKED_FIRST),
    known("reference-types/binary-leb128.wast", 2, ALLOWED_SINCE),
    known("reference-types/binary.wast", 10, ALLOWED_SINCE),
    known("reference-types/imports.wast", 3, ALLOWED_SINCE),
    known("reference-types/unreached-invalid.wast", 1, ALLOWED_SINCE),
    known("threads/atomic.wast", 249, ABSENT_IN_WASMI),
    known("threads/exports.wast", 6, ABSENT_IN_WASMI),
    known("threads/imports.wast", 8, ABSENT_IN_WASMI),
    known("threads/memory.wast", 4, ABSENT_IN_WASMI),
];

const ABSENT: &str = "Wasmtime 48 does not have the proposal";
const ABSENT_IN_WASMI: &str = "wasmi 2.0 does not have the proposal";
const NEEDS_ABSENT: &str =
    "a module needs typed references, garbage collection or exceptions, which wasmi 2.0 has not";
const ALLOWED_SINCE: &str = "refuses what later versions of the standard allow";
const CHECKED_FIRST: &str = "until bulk memory, no segment was written unless all of them fitted";
const WORDS: &str = "the trap does not name the element's number";

const fn known(file: &'static str, directives: usize, reason: &'static str) -> Known {
    Known {
        file,
        directives,
        reason,
    }
}

/// What is known of a file.
#[must_use]
pub fn find(known: &'static [Known], file: &str) -> Option<&'static Known> {
    known.iter().find(|known| known.file == file)
}

/// Whether as many directives fail on the reference as are known to.
///
/// # Errors
/// How many do, and how many should.
pub fn check(known: &'static [Known], file: &str, failing: usize) -> Result<(), String> {
    let expected = find(known, file).map_or(0, |known| known.directives);
    if failing == expected {
        Ok(())
    } else {
        Err(format!(
            "{file}: {failing} directives fail on stock memory, {expected} are known to"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_of_the_suite_and_said_once() {
        let files = crate::suite::files();
        for list in [WASMTIME, WASMI] {
            for known in list {
                assert!(
                    files.iter().any(|file| file.name == known.file),
                    "{known:?}"
                );
                let same = list.iter().filter(|other| other.file == known.file);
                assert_eq!(same.count(), 1, "{known:?}");
                assert!(
                    known.directives > 0 && !known.reason.is_empty(),
                    "{known:?}"
                );
            }
        }
    }

    #[test]
    fn more_failures_and_fewer_are_both_told() {
        const SOME: &[Known] = &[Known {
            file: "a",
            directives: 2,
            reason: "an example",
        }];
        assert_eq!(check(SOME, "a", 2), Ok(()));
        assert_eq!(check(SOME, "b", 0), Ok(()));
        for (file, failing) in [("a", 0), ("a", 1), ("a", 3), ("b", 1)] {
            assert!(check(SOME, file, failing).is_err());
        }
    }
}
