//! An archive of objects for QNX: what it imports, and how it becomes a program here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::imports::{self, List};
use super::target::Target;
use crate::command;
use crate::symbols::Symbols;

/// An archive of objects for a QNX target.
#[derive(Debug, Clone)]
pub(crate) struct Archive<'a> {
    pub(crate) target: &'a Target,
    pub(crate) file: PathBuf,
}

impl Archive<'_> {
    /// What it imports, the compiler's own needs aside.
    pub(crate) fn imports(&self) -> Result<Vec<String>, String> {
        let symbols = Symbols::read(&self.file, &self.target.tool("nm"))?;
        Ok(symbols
            .missing()
            .filter(|name| !imports::is_compilers(name))
            .map(str::to_owned)
            .collect())
    }

    /// Links it with a stand-in, an archive for the target's counterpart on Linux, into a program of
    /// this name in `folder`.
    pub(crate) fn link(
        &self,
        stand_in: &Path,
        list: &List,
        folder: &Path,
        name: &str,
    ) -> Result<PathBuf, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let renamed = self.renamed(folder, list)?;
        let stand_in = sealed(self.target, stand_in, folder)?;
        let program = folder.join(name);
        let mut link = Command::new(self.target.tool("gcc"));
        // One file that needs no library of its own, which an emulator could not find.
        link.arg("-static").arg("-o").arg(&program);
        link.arg("-Wl,--whole-archive").arg(&renamed);
        link.arg("-Wl,--no-whole-archive").arg(&stand_in).arg("-lm");
        command::run(&mut link)?;
        Ok(program)
    }

    /// The archive with every listed import of the C library under the stand-in's name. Code that was
    /// compiled in haste may import a little more, of the compiler's own, and gets it from here.
    fn renamed(&self, folder: &Path, list: &List) -> Result<PathBuf, String> {
        let renamed = folder.join(self.file.file_name().unwrap_or_default());
        let mut objcopy = Command::new(self.target.tool("objcopy"));
        for import in self.imports()? {
            if list.names(&import) {
                let name = self.target.stand_in_name(&import);
                objcopy.args(["--redefine-sym", &format!("{import}={name}")]);
            }
        }
        objcopy.arg(&self.file).arg(&renamed);
        command::run(&mut objcopy)?;
        Ok(renamed)
    }
}

/// The stand-in as one object that shows nothing but its interface: it was compiled by the same
/// compiler as the archive, and both bring parts of Rust's library under the same names.
fn sealed(target: &Target, stand_in: &Path, folder: &Path) -> Result<PathBuf, String> {
    let (joined, sealed) = (folder.join("joined.o"), folder.join("stand-in.o"));
    let mut join = Command::new(target.tool("ld"));
    join.args(["--relocatable", "--whole-archive", "-o"])
        .arg(&joined)
        .arg(stand_in);
    command::run(&mut join)?;
    let mut seal = Command::new(target.tool("objcopy"));
    seal.args([
        "--wildcard",
        "--keep-global-symbol=qnx_*",
        "--keep-global-symbol=stand_in_*",
    ]);
    command::run(seal.arg(&joined).arg(&sealed))?;
    Ok(sealed)
}
