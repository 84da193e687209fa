//! What QNX objects may import: one list for the suite, which is the porting contract, and one for
//! each program that needs more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::target::Target;
use crate::{place, symbols};

/// What the suite may import.
pub(super) const OF_THE_SUITE: &str = "conformance/qnx/imports.txt";

/// Begins the names by which the suite asks the stand-in to watch, refuse and tell.
const CONTROL: &str = "stand_in_";

/// Whether a name belongs to the bench, and not to a C library.
pub(super) fn is_control(name: &str) -> bool {
    name.starts_with(CONTROL)
}

/// What compilers and linkers make themselves on 32-bit processors: division of 64-bit numbers, and
/// the table that position-independent code finds its data by.
const OF_32_BITS: [&str; 5] = [
    "_GLOBAL_OFFSET_TABLE_",
    "__divdi3",
    "__moddi3",
    "__udivdi3",
    "__umoddi3",
];

/// The remainder of floating-point numbers: no processor here has an instruction for it, and the
/// library of mathematics has a function.
const OF_FLOATING_POINT: [&str; 2] = ["fmod", "fmodf"];

/// Whether the compiler may have put the call there by itself.
pub(crate) fn is_compilers(name: &str) -> bool {
    symbols::is_compilers(name) || OF_32_BITS.contains(&name) || OF_FLOATING_POINT.contains(&name)
}

/// The names that may be imported, each with what it is for.
#[derive(Debug)]
pub(crate) struct List {
    file: &'static str,
    names: BTreeMap<String, String>,
}

impl List {
    /// Reads a list of this checkout.
    pub(super) fn read(file: &'static str) -> Result<Self, String> {
        let path = place::root().join(file);
        let text = fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
        Self::parse(file, &text)
    }

    /// Whether it names this.
    pub(crate) fn names(&self, import: &str) -> bool {
        self.names.contains_key(import)
    }

    fn parse(file: &'static str, text: &str) -> Result<Self, String> {
        let mut names = BTreeMap::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, purpose) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| format!("{file}: `{line}` does not say what it is for"))?;
            let purpose = purpose.trim().to_owned();
            if names.insert(name.to_owned(), purpose).is_some() {
                return Err(format!("{file}: `{name}` is listed twice"));
            }
        }
        if names.is_empty() {
            return Err(format!("{file} lists nothing"));
        }
        Ok(Self { file, names })
    }
}

/// What was imported by any target so far.
#[derive(Debug, Default)]
pub(super) struct Used(BTreeSet<String>);

impl Used {
    /// Checks the imports of a target.
    pub(super) fn check(
        &mut self,
        list: &List,
        target: &Target,
        imports: &[String],
    ) -> Result<(), String> {
        let library: Vec<_> = imports.iter().filter(|name| !is_control(name)).collect();
        let refused: Vec<_> = library
            .iter()
            .filter(|name| !list.names(name))
            .map(|name| name.as_str())
            .collect();
        if !refused.is_empty() {
            return Err(format!(
                "{}: imports what {} does not list: {}",
                target.name,
                list.file,
                refused.join(", ")
            ));
        }
        if library.is_empty() {
            return Err(format!("{}: imports nothing at all", target.name));
        }
        println!(
            "{}: imports {} names, all listed",
            target.name,
            library.len()
        );
        self.0.extend(library.into_iter().cloned());
        Ok(())
    }

    /// Checks that the list names nothing that no target imports.
    pub(super) fn nothing_else_in(&self, list: &List) -> Result<(), String> {
        let stale: Vec<_> = list
            .names
            .keys()
            .filter(|name| !self.0.contains(*name))
            .map(String::as_str)
            .collect();
        if stale.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "{} lists what nothing imports: {}",
                list.file,
                stale.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qnx::target::TARGETS;

    fn names(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn what_is_not_listed_is_refused_and_what_is_not_used_is_stale() {
        let list = List::parse("list", "# of memory\nmmap  maps\nfree  gives back\n").unwrap();
        let mut used = Used::default();
        let target = &TARGETS[0];
        used.check(&list, target, &names(&["mmap", "stand_in_calls"]))
            .unwrap();
        let refused = used.check(&list, target, &names(&["mmap", "dlsym"]));
        assert!(refused.unwrap_err().ends_with("dlsym"));
        used.check(&list, target, &names(&["stand_in_calls"]))
            .unwrap_err();
        assert!(used.nothing_else_in(&list).unwrap_err().ends_with("free"));
        used.check(&list, target, &names(&["free"])).unwrap();
        assert_eq!(used.nothing_else_in(&list), Ok(()));
    }

    #[test]
    fn a_list_says_what_each_name_is_for_once() {
        List::parse("list", "mmap\n").unwrap_err();
        List::parse("list", "mmap a\nmmap b\n").unwrap_err();
        List::parse("list", "# nothing\n").unwrap_err();
    }
}
