//! Where things are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The target folder of the workspace.
pub(crate) fn target() -> PathBuf {
    // A relative path counts from where cargo was started, as cargo itself has it.
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => env::current_dir().unwrap_or_default().join(folder),
        None => root().join("target"),
    }
}

/// The target folder of what is built by the second compiler, with its own `core`.
pub(crate) fn build_std_target() -> PathBuf {
    target().join("build-std")
}

/// The target folder of what is built with AddressSanitizer.
pub(crate) fn sanitizer_target() -> PathBuf {
    target().join("sanitizer")
}

/// The bytes of all files below a folder; what cannot be looked at counts nothing.
pub(crate) fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => size(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_add_up_over_folders() {
        let folder = target().join("tmp/sizes-add-up");
        fs::create_dir_all(folder.join("below")).unwrap();
        fs::write(folder.join("a"), [1; 1000]).unwrap();
        fs::write(folder.join("below/b"), [2; 24]).unwrap();
        assert_eq!(size(&folder), 1024);
        assert_eq!(size(&folder.join("not there")), 0);
    }
}
