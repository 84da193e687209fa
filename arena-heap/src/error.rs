//! What can go wrong while a heap works, with the numbers that say why.
#![forbid(unsafe_code)]

use core::fmt;

use os::OsError;

/// A request that a heap refused. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeapError {
    /// The request is larger than any block can be.
    TooLarge {
        /// Bytes asked for.
        size: usize,
        /// Alignment asked for.
        align: usize,
        /// The largest block, in bytes.
        maximum: usize,
    },
    /// No free block fits, and the page source gave no arena.
    OutOfMemory {
        /// Bytes asked of the heap.
        size: usize,
        /// Why the page source refused.
        source: OsError,
    },
    /// The address is no block of this heap.
    NotABlock {
        /// The address.
        address: usize,
    },
    /// The block at this address is free already.
    AlreadyFree {
        /// The address.
        address: usize,
    },
    /// The words around the block were overwritten.
    Damaged {
        /// The address.
        address: usize,
    },
}

impl fmt::Display for HeapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLarge {
                size,
                align,
                maximum,
            } => {
                write!(
                    f,
                    "{size} bytes aligned to {align} are above the maximum of {maximum}"
                )
            }
            Self::OutOfMemory { size, source } => {
                write!(f, "no memory for {size} bytes: {source}")
            }
            Self::NotABlock { address } => write!(f, "no block begins at {address:#x}"),
            Self::AlreadyFree { address } => write!(f, "the block at {address:#x} is free already"),
            Self::Damaged { address } => {
                write!(
                    f,
                    "the words around the block at {address:#x} were overwritten"
                )
            }
        }
    }
}

impl core::error::Error for HeapError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::OutOfMemory { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A contradiction in a heap's own structures, found by [`verify`](crate::ArenaHeap::verify).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corruption {
    /// Where: the header, foot, link or arena that contradicts; 0 if a sum of the heap does.
    pub address: usize,
    /// What is wrong there.
    pub damage: Damage,
}

/// What is wrong with a heap's structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// An arena's header does not match its check word.
    ArenaHeader,
    /// The list of arenas or of cached arenas is longer or shorter than the heap's count.
    ArenaList,
    /// An arena is noted as wholly free and is not, or the other way round.
    ArenaState,
    /// A block header has an impossible size.
    BlockSize {
        /// The size it has, in bytes.
        size: usize,
    },
    /// A block header has an impossible combination of marks.
    BlockMarks,
    /// A block says the one before it is free and it is not, or the other way round.
    NeighbourState,
    /// Two free blocks lie side by side.
    NotJoined,
    /// A free block's footer differs from its header.
    Footer {
        /// The size the footer has, in bytes.
        size: usize,
    },
    /// A link of a list leads outside the arenas or to something that is no such list's member.
    Link {
        /// Where it leads.
        target: usize,
    },
    /// A list does not return to where it began, or holds other members than exist.
    List,
    /// The bitmaps and the lists of a size class differ.
    Bitmap {
        /// The number of the class.
        class: usize,
    },
    /// A pool's foot contradicts itself, its block or its band.
    PoolFoot,
    /// A counter differs from what the walk counted.
    Counter {
        /// Which counter.
        name: &'static str,
        /// What the heap says.
        recorded: usize,
        /// What was counted.
        counted: usize,
    },
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:#x}: ", self.address)?;
        match self.damage {
            Damage::ArenaHeader => f.write_str("arena header does not match its check word"),
            Damage::ArenaList => f.write_str("list of arenas differs from their count"),
            Damage::ArenaState => f.write_str("arena is wrongly noted as cached or as in use"),
            Damage::BlockSize { size } => write!(f, "impossible block size {size:#x}"),
            Damage::BlockMarks => f.write_str("impossible marks in a block header"),
            Damage::NeighbourState => f.write_str("wrong mark about the block before"),
            Damage::NotJoined => f.write_str("two free blocks side by side"),
            Damage::Footer { size } => write!(f, "footer has size {size:#x}, not the header's"),
            Damage::Link { target } => write!(f, "link to {target:#x} is wrong"),
            Damage::List => f.write_str("list is broken"),
            Damage::Bitmap { class } => write!(f, "bitmaps are wrong about size class {class}"),
            Damage::PoolFoot => f.write_str("foot of a pool is wrong"),
            Damage::Counter {
                name,
                recorded,
                counted,
            } => {
                write!(f, "counter {name} is {recorded}, counted {counted}")
            }
        }
    }
}

impl core::error::Error for Corruption {}

/// What a call of [`trim`](crate::ArenaHeap::trim) achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trimmed {
    /// Arenas given back to the page source.
    pub arenas: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Arenas the page source refused to take; they stay in the heap, usable.
    pub failures: usize,
}
