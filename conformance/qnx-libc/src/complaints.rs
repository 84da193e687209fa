//! Complaints: what a caller did that would have hurt on QNX, named.

#![forbid(unsafe_code)]

use core::ffi::CStr;

macro_rules! complaints {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// A kind of misuse.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Complaint {
            $($(#[$doc])* $name = $number,)*
        }

        impl Complaint {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The misuse in words.
            #[must_use]
            pub const fn text(self) -> &'static CStr {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

complaints! {
    /// `free` or `realloc` of an address inside a block.
    FreeOfInterior = 1, c"free or realloc of an address inside a block";
    /// `free` or `realloc` of an address the heap never gave out.
    FreeOfUnknown = 2, c"free or realloc of an address the heap never gave out";
    /// `free` or `realloc` of a block given back before.
    DoubleFree = 3, c"free or realloc of a block given back before";
    /// The word before a block, or an arena's own, was written.
    HeaderOverwritten = 4, c"header overwritten";
    /// The word behind a block was written.
    FooterOverwritten = 5, c"footer overwritten";
    /// The page of a header is protected.
    HeaderCovered = 6, c"the page of a header is not open for reading and writing";
    /// The page of a footer is protected.
    FooterCovered = 7, c"the page of a footer is not open for reading and writing";
    /// `free` of a block with pages that are not open.
    FreeOfProtected = 8, c"free of a block with pages that are not open for reading and writing";
    /// `realloc` of a block with pages that are not open.
    ReallocOfProtected = 9,
        c"realloc of a block with pages that are not open for reading and writing";
    /// `free` or a moving `realloc` of a block with locked pages.
    FreeOfLocked = 10, c"free or realloc of a block with locked pages";
    /// `mprotect` over words of the heap, outside of live blocks.
    ProtectOfMetadata = 11, c"mprotect reaches heap memory outside of live blocks";
    /// `mprotect` of a range that is not made of whole pages.
    ProtectUnaligned = 12, c"mprotect of a range that is not made of whole pages";
    /// `munmap` of heap memory.
    UnmapOfHeap = 13, c"munmap of heap memory";
    /// `mmap` with a fixed address over heap memory.
    MapOverHeap = 14, c"mmap with a fixed address over heap memory";
    /// Protection bits of Linux.
    LinuxProtection = 15, c"protection bits of Linux";
    /// Mapping flags of Linux.
    LinuxMapFlags = 16, c"mapping flags of Linux";
    /// `mallopt` with `MALLOC_STATS` and an address that is no writable memory.
    StatsToNowhere = 17, c"mallopt was told to write statistics to an address that is not writable";
    /// Writing and executing together.
    WriteAndExecute = 18, c"writable and executable memory";
    /// Memory that was given back, or never given out, is protected when the heap needs it.
    FreeMemoryProtected = 19, c"heap memory outside of live blocks is not open when the heap needs it";
    /// The stand-in's own books are full, or an argument of the control interface is unknown.
    StandInLimit = 20, c"limit of the stand-in reached, not of QNX";
    /// Locking or unlocking a mutex that was not made at this address.
    MutexUnknown = 21, c"use of a mutex that was not made at this address";
    /// Unlocking a mutex that the thread does not hold.
    MutexNotHeld = 22, c"unlock of a mutex that the thread does not hold";
    /// Destroying a mutex that is held.
    MutexInUse = 23, c"destruction of a mutex that is held";
}

/// A complaint and where it arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What happened.
    pub(crate) kind: Complaint,
    /// The address it happened to.
    pub(crate) address: usize,
}

/// Complaints kept word for word; later ones are only counted.
pub const KEPT: usize = 256;

/// The list.
pub(crate) struct Complaints {
    entries: [Option<Entry>; KEPT],
    count: usize,
}

impl Complaints {
    pub(crate) const fn new() -> Self {
        Self {
            entries: [None; KEPT],
            count: 0,
        }
    }

    pub(crate) fn add(&mut self, kind: Complaint, address: usize) {
        if let Some(place) = self.entries.get_mut(self.count) {
            *place = Some(Entry { kind, address });
        }
        self.count += 1;
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn get(&self, index: usize) -> Option<Entry> {
        self.entries.get(index).copied().flatten()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }
}
