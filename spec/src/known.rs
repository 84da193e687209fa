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

const ABSENT: &str = "Wasmtime 48 does not have the proposal";
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

/// Everything that fails on stock wasmi.
pub const WASMI: &[Known] = &[];

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
        for known in WASMTIME {
            assert!(
                files.iter().any(|file| file.name == known.file),
                "{known:?}"
            );
            let same = WASMTIME.iter().filter(|other| other.file == known.file);
            assert_eq!(same.count(), 1, "{known:?}");
            assert!(
                known.directives > 0 && !known.reason.is_empty(),
                "{known:?}"
            );
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
