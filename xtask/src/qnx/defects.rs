//! `cargo xtask qnx-defects`: puts known defects back, one at a time, and sees that the suite finds
//! each by name.
//!
//! ```text
//!   copy of the sources ─▶ one edit ─▶ suite for QNX, linked ─▶ the named case must fail
//!            ▲                                                        │
//!            └──────────────────── edit undone ◀──────────────────────┘
//! ```
//!
//! A case that passes whatever the code does shows nothing. These edits are mistakes that other
//! allocators for WebAssembly on QNX are known to have made, and some that would leave a check
//! without effect.

mod known;

use std::fs;
use std::path::{Path, PathBuf};

use super::build::{Flavour, Sources};
use super::execute;
use super::imports::{self, List};
use super::target::{TARGETS, Target};
use crate::place;
use crate::tasks::Failure;

/// A mistake, and the case that finds it.
struct Defect {
    /// Words joined by hyphens.
    name: &'static str,
    /// What would be wrong.
    mistake: &'static str,
    edits: &'static [Edit],
    /// The system and the name of the case.
    case: &'static str,
}

/// A piece of text that occurs once in a file, and what to put in its place.
struct Edit {
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

/// What the defects are compiled for.
const TARGET: &Target = &TARGETS[0];

/// Puts back the defects named, or all.
///
/// # Errors
/// A word that is no defect; a defect that is not found, or cannot be put back any more.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let known = &known::DEFECTS;
    if words == ["--list"] {
        for defect in known {
            println!("{:<32} {}", defect.name, defect.mistake);
        }
        return Ok(());
    }
    if let Some(word) = words
        .iter()
        .find(|word| known.iter().all(|defect| defect.name != *word))
    {
        return Err(Failure::Usage(format!("no defect is called `{word}`")));
    }
    let wanted = |defect: &&Defect| words.is_empty() || words.iter().any(|w| w == defect.name);
    Ok(check(&known.iter().filter(wanted).collect::<Vec<_>>())?)
}

/// All of them, for the list of checks.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_all() -> Result<(), String> {
    check(&known::DEFECTS.iter().collect::<Vec<_>>())
}

fn check(defects: &[&Defect]) -> Result<(), String> {
    let folder = place::target().join("defects");
    let sources = Sources {
        root: folder.join("sources"),
        target: folder.join("build"),
        in_haste: true,
    };
    // What a run that was interrupted left behind may have a defect in it.
    if sources.root.exists() {
        fs::remove_dir_all(&sources.root).map_err(|error| error.to_string())?;
    }
    copy(place::root(), &sources.root)?;
    sources.stand_ins(&[TARGET])?;
    let list = List::read(imports::OF_THE_SUITE)?;
    let sound = build(&sources, &list)?;
    for defect in defects {
        let (passed, said) = execute::one(TARGET, &sound, defect.case)?;
        if !passed {
            return Err(format!("{} fails without a defect: {said}", defect.case));
        }
    }
    let mut unnoticed = Vec::new();
    for defect in defects {
        let undo = defect.put_back(&sources.root)?;
        let program = build(&sources, &list);
        for (file, text) in undo {
            write(&sources.root.join(file), &text)?;
        }
        let (passed, said) = execute::one(TARGET, &program?, defect.case)?;
        println!("{}: {}: {said}", defect.name, defect.case);
        if passed {
            unnoticed.push(defect.name);
        }
    }
    println!(
        "{} passed, {} failed",
        defects.len() - unnoticed.len(),
        unnoticed.len()
    );
    if unnoticed.is_empty() {
        Ok(())
    } else {
        Err(format!("not noticed: {}", unnoticed.join(", ")))
    }
}

fn build(sources: &Sources, list: &List) -> Result<PathBuf, String> {
    sources.suites(&[TARGET], Flavour::Watched)?;
    sources.link(TARGET, Flavour::Watched, list)
}

impl Defect {
    /// Makes the edits; returns the files with their texts from before.
    fn put_back(&self, root: &Path) -> Result<Vec<(&'static str, String)>, String> {
        let mut undo = Vec::new();
        for edit in self.edits {
            let path = root.join(edit.file);
            let text = read(&path)?;
            let found = text.matches(edit.from).count();
            if found != 1 {
                return Err(format!(
                    "{}: {} has `{}` {found} times, not once: the list of defects is out of date",
                    self.name, edit.file, edit.from
                ));
            }
            write(&path, &text.replace(edit.from, edit.to))?;
            undo.insert(0, (edit.file, text));
        }
        Ok(undo)
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Copies what is under version control in effect: everything but what builds leave behind.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let problem = |error: std::io::Error| format!("{}: {error}", from.display());
    fs::create_dir_all(to).map_err(problem)?;
    for entry in fs::read_dir(from).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let name = entry.file_name();
        if name == "target" || name == ".git" {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type().map_err(problem)?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).map_err(problem)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_can_be_put_back_and_has_a_name_of_its_own() {
        for (index, defect) in known::DEFECTS.iter().enumerate() {
            let others = &known::DEFECTS[..index];
            assert!(others.iter().all(|other| other.name != defect.name));
            assert!(defect.case.split(' ').count() == 2, "{}", defect.case);
            for edit in defect.edits {
                let text = read(&place::root().join(edit.file)).unwrap();
                assert_eq!(
                    text.matches(edit.from).count(),
                    1,
                    "{}: {}",
                    defect.name,
                    edit.from
                );
                assert_ne!(edit.from, edit.to);
            }
        }
    }
}
