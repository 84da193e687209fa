//! Every arena system of this machine, each over a bench that watches it.

use core::mem::MaybeUninit;
use std::io::Write;

use conformance::{Observer, Subject};
use os::{FixedMemory, NativeHeap, OsPages, PageSize, PageSource, QnxVersion};
use wasm_arena::{ArenaSystem, LibcArenas, PageSystem};

use crate::bench::Bench;
use crate::heap::{Heap, HeapPages};

/// Something to do with every subject, whatever its type.
pub(crate) trait Visitor {
    fn visit<P: Fresh>(&mut self, subject: &P);
}

/// A subject that can be had fresh again.
pub(crate) trait Fresh: Subject {
    /// Forgets what cases lost on purpose. Nothing of the subject may be in use.
    fn start_over(&self);
}

/// Shows `visitor` every subject, one after the other.
pub(crate) fn visit_all(visitor: &mut impl Visitor) {
    let pages = Bench::new(OsPages::new());
    visitor.visit(&Native::<_, true>::new("arenas", &pages));
    visitor.visit(&Native::<_, false>::new("mappings", &pages));
    for (name, version) in [
        ("heap of SDP 6.5", QnxVersion::Sdp65),
        ("heap of SDP 7.1", QnxVersion::Sdp71),
        ("heap of SDP 8.0", QnxVersion::Sdp80),
    ] {
        let heap = Heap::start(version);
        visitor.visit(&OnHeap { name, heap });
    }
    for (page_size, names) in [
        (4096, ["arenas in an array", "mappings in an array"]),
        (
            16_384,
            [
                "arenas in an array of 16 KiB pages",
                "mappings in an array of 16 KiB pages",
            ],
        ),
    ] {
        // Long, because regions that are lost on purpose stay lost; what was in it before must not
        // show, at least where it is used over and over.
        let mut array = Vec::with_capacity(1 << 30);
        let array = array.spare_capacity_mut();
        array[..24 << 20].fill(MaybeUninit::new(0xa5_u8));
        let page_size = PageSize::new(page_size).expect("a power of two");
        let pages = FixedMemory::new(array, page_size).expect("the array is large enough");
        let pages = Bench::new(pages);
        visitor.visit(&Native::<_, true>::new(names[0], &pages));
        visitor.visit(&Native::<_, false>::new(names[1], &pages));
    }
}

/// Portable arenas, or plain mappings, over the pages of a bench.
struct Native<'a, P, const WHOLE_ARENAS: bool> {
    name: &'static str,
    pages: &'a Bench<P>,
}

impl<'a, P, const WHOLE_ARENAS: bool> Native<'a, P, WHOLE_ARENAS> {
    const fn new(name: &'static str, pages: &'a Bench<P>) -> Self {
        Self { name, pages }
    }
}

impl<'a, P, const WHOLE_ARENAS: bool> Subject for Native<'a, P, WHOLE_ARENAS>
where
    P: PageSource + Send + Sync,
    PageSystem<&'a Bench<P>, WHOLE_ARENAS>: ArenaSystem,
{
    type System = PageSystem<&'a Bench<P>, WHOLE_ARENAS>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn system(&self) -> Self::System {
        PageSystem::new(self.pages)
    }

    fn observer(&self) -> Option<&dyn Observer> {
        Some(self.pages)
    }

    fn about_to_fault(&self, address: usize) {
        announce(address);
    }
}

impl<'a, P, const WHOLE_ARENAS: bool> Fresh for Native<'a, P, WHOLE_ARENAS>
where
    P: PageSource + Send + Sync,
    PageSystem<&'a Bench<P>, WHOLE_ARENAS>: ArenaSystem,
{
    /// Address space is there for more than any case loses.
    fn start_over(&self) {}
}

/// QNX's native arenas, over a heap that stands in for QNX's.
struct OnHeap {
    name: &'static str,
    heap: Heap,
}

impl Subject for OnHeap {
    type System = LibcArenas<Heap, HeapPages>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn system(&self) -> Self::System {
        LibcArenas::new(self.heap, HeapPages)
    }

    fn observer(&self) -> Option<&dyn Observer> {
        Some(&self.heap)
    }

    fn about_to_fault(&self, address: usize) {
        announce(address);
    }
}

impl Fresh for OnHeap {
    fn start_over(&self) {
        Heap::start(self.heap.version());
    }
}

fn announce(address: usize) {
    println!("about to touch {address:#x}");
    std::io::stdout().flush().expect("somebody reads this");
}
