//! A temporary folder that is gone when its owner is.

use std::fs;
use std::path::{Path, PathBuf};

/// A new folder of this process, gone when this value is.
pub(super) struct TemporaryFolder {
    pub(super) path: PathBuf,
}

impl TemporaryFolder {
    pub(super) fn create() -> Result<Self, String> {
        let name = format!("wasm-arena-real-programs-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path })
    }

    pub(super) fn remove(self) -> Result<(), String> {
        fs::remove_dir_all(&self.path).map_err(|e| format!("{}: {e}", self.path.display()))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // After `remove` there is nothing left to remove; on the way out of an error, the error
        // is what must be seen.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Writes a file; the error names it.
pub(super) fn write(path: &Path, contents: &str) -> Result<(), String> {
    fs::write(path, contents).map_err(|error| format!("{}: {error}", path.display()))
}
