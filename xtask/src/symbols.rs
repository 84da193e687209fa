//! What an archive of objects needs from elsewhere, as `nm` tells it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::command;

/// What a compiler, or Rust's `core`, may call without being asked: copying, filling, comparing and
/// measuring memory.
const COMPILER_NEEDS: &[&str] = &[
    "memcpy", "memmove", "memset", "memclr", "memcmp", "bcmp", "strlen",
];

/// Names that give memory away, and take it back.
const ALLOCATORS: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "free",
    "cfree",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "valloc",
    "pvalloc",
    "malloc_usable_size",
    "strdup",
    "sbrk",
    "brk",
    "_Znwm",
    "_Znam",
    "_ZdlPv",
    "_ZdaPv",
    "alloca",
];

/// Parts of names by which Rust's own allocator is reached; mangling puts more around them.
const RUST_ALLOCATORS: &[&str] = &[
    "__rust_alloc",
    "__rust_dealloc",
    "__rust_realloc",
    "__rust_no_alloc_shim",
    "__rg_",
    "__rdl_",
    "alloc_error_handler",
    "handle_alloc_error",
];

/// Whether a symbol belongs to an allocator other than ours.
pub(crate) fn is_allocator(symbol: &str) -> bool {
    ALLOCATORS.contains(&symbol) || RUST_ALLOCATORS.iter().any(|part| symbol.contains(part))
}

/// Whether the compiler itself may have put the call there. On 32-bit ARM the same functions have
/// a prefix, and a suffix for the alignment they count on.
pub(crate) fn is_compilers(symbol: &str) -> bool {
    let plain = match symbol.strip_prefix("__aeabi_") {
        Some(name) => name.trim_end_matches(['4', '8']),
        None => symbol,
    };
    COMPILER_NEEDS.contains(&plain)
}

/// The symbols of an archive, over all its objects.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    pub(crate) defined: BTreeSet<String>,
    pub(crate) referenced: BTreeSet<String>,
}

impl Symbols {
    /// Reads an archive.
    ///
    /// # Errors
    /// `nm` is missing or does not understand the archive.
    pub(crate) fn of(archive: &Path) -> Result<Self, String> {
        Self::read(archive, "nm")
    }

    /// Reads an archive with an `nm` that understands it.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(crate) fn read(archive: &Path, nm: &str) -> Result<Self, String> {
        let listing = command::output(
            Command::new(nm)
                .args(["--quiet", "--format=posix"])
                .arg(archive),
        )?;
        Self::parse(&listing)
    }

    fn parse(listing: &str) -> Result<Self, String> {
        let mut symbols = Self::default();
        for line in listing.lines() {
            let mut words = line.split_whitespace();
            let (Some(name), Some(kind)) = (words.next(), words.next()) else {
                continue;
            };
            match kind {
                // Undefined, or weakly so.
                "U" | "w" | "v" => symbols.referenced.insert(name.to_owned()),
                kind if kind.len() == 1 => symbols.defined.insert(name.to_owned()),
                _ => continue,
            };
        }
        if symbols.defined.is_empty() {
            return Err("the archive defines no symbol at all".to_owned());
        }
        Ok(symbols)
    }

    /// What is referenced and in none of the archive's objects.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &str> {
        self.referenced
            .difference(&self.defined)
            .map(String::as_str)
    }

    /// Everything that belongs to an allocator, wherever it is defined.
    pub(crate) fn allocators(&self) -> impl Iterator<Item = &str> {
        let all = self.referenced.union(&self.defined);
        all.map(String::as_str).filter(|name| is_allocator(name))
    }
}

/// Prints what `symbols` needs from elsewhere, and checks it against what may be needed.
///
/// # Errors
/// An allocator is referenced, or something that `allowed` does not name.
pub(crate) fn check(target: &str, symbols: &Symbols, allowed: &[&str]) -> Result<(), String> {
    println!("{target}: needs from elsewhere");
    let mut refused = Vec::new();
    for name in symbols.missing() {
        let verdict = if is_allocator(name) {
            "AN ALLOCATOR"
        } else if is_compilers(name) {
            "ok, the compiler's"
        } else if allowed.contains(&name) {
            "ok, the system's"
        } else {
            "NOT ALLOWED"
        };
        println!("    {name:<32} {verdict}");
        if !verdict.starts_with("ok") {
            refused.push(name);
        }
    }
    refused.extend(symbols.allocators());
    refused.sort_unstable();
    refused.dedup();
    if refused.is_empty() {
        println!(
            "{target}: {} symbols defined, no allocator among what they need",
            symbols.defined.len()
        );
        Ok(())
    } else {
        Err(format!(
            "{target}: must not be referenced: {}",
            refused.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(reference: &str) -> Symbols {
        let text = format!(
            "lib.a[one.o]:\nprobe T 0 10\nmemcpy U         \nhelper U\n{reference} U\n\
             lib.a[two.o]:\nhelper t 0 4\n"
        );
        Symbols::parse(&text).unwrap()
    }

    #[test]
    fn what_another_object_defines_is_not_missing() {
        let missing: Vec<_> = listing("memset").missing().map(str::to_owned).collect();
        assert_eq!(missing, ["memcpy", "memset"]);
        assert_eq!(check("here", &listing("memset"), &[]), Ok(()));
    }

    #[test]
    fn allocators_are_refused_even_if_allowed_or_defined() {
        for name in [
            "malloc",
            "free",
            "posix_memalign",
            "__rust_alloc",
            "_RNvCsabc_7___rustc12___rust_alloc",
            "__rdl_realloc",
            "_ZN5alloc5alloc18handle_alloc_error17habcE",
        ] {
            check("here", &listing(name), &[name]).expect_err(name);
            let mut defined = listing("memset");
            defined.defined.insert(name.to_owned());
            check("here", &defined, &[]).expect_err(name);
        }
        // Ours, or harmless: parts of words must not count.
        for name in ["arena_free", "mallocator", "_RNvCs_10arena_heap8allocate"] {
            assert!(!is_allocator(name), "{name}");
        }
    }

    #[test]
    fn what_is_not_named_is_refused() {
        assert_eq!(check("here", &listing("__aeabi_memclr8"), &[]), Ok(()));
        check("here", &listing("__aeabi_malloc"), &[]).expect_err("no such helper");
        check("here", &listing("mmap"), &[]).expect_err("mmap is not allowed here");
        assert_eq!(check("here", &listing("mmap"), &["mmap"]), Ok(()));
        Symbols::parse("lib.a:\n").expect_err("nothing was built");
    }
}
