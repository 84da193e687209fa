//! Where things are.

use std::env;
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
