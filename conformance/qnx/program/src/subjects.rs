//! What the suite runs on here: the three arena systems over QNX's C library.

use conformance::{Observer, Subject};
use os::OsPages;
use wasm_arena::{ArenaSystem, LibcArenas, MappedPages, PortableArenas};

use crate::output::say;

/// A system, by the function that makes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnQnx<S> {
    name: &'static str,
    make: fn() -> S,
}

/// The heap of the C library.
pub(crate) type Libc = LibcArenas<os::SystemHeap, OsPages>;

/// The heap of the C library, by the rules of the version in force.
pub(crate) const LIBC: OnQnx<Libc> = OnQnx {
    name: "libc",
    make: || LibcArenas::new(heap(), OsPages::new()),
};

/// Portable arenas over the C library's `mmap`.
pub(crate) const ARENA: OnQnx<PortableArenas<OsPages>> = OnQnx {
    name: "arena",
    make: || PortableArenas::new(OsPages::new()),
};

/// One mapping for each memory.
pub(crate) const MAPPED: OnQnx<MappedPages<OsPages>> = OnQnx {
    name: "mapped",
    make: || MappedPages::new(OsPages::new()),
};

fn heap() -> os::SystemHeap {
    #[cfg(feature = "stand-in")]
    if let Some(version) = crate::bench::version() {
        return os::SystemHeap::for_version(version);
    }
    os::SystemHeap::new()
}

impl<S: ArenaSystem> Subject for OnQnx<S> {
    type System = S;

    fn name(&self) -> &'static str {
        self.name
    }

    fn system(&self) -> S {
        (self.make)()
    }

    fn observer(&self) -> Option<&dyn Observer> {
        #[cfg(feature = "stand-in")]
        return Some(&crate::bench::StandIn);
        #[cfg(not(feature = "stand-in"))]
        None
    }

    fn about_to_fault(&self, address: usize) {
        say(format_args!("about to fault at {address:#x}\n"));
    }
}
