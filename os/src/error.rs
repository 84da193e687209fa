//! Errors of the page layer: which call, where, how much, and why.

use core::fmt;

/// A kind of request to a page source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OsCall {
    /// Address space was reserved.
    Reserve,
    /// Address space was reserved and committed at once.
    Map,
    /// Reserved pages were made accessible.
    Commit,
    /// Pages were made inaccessible and their contents dropped.
    Decommit,
    /// The contents of accessible pages were dropped.
    Discard,
    /// The protection of pages was changed.
    Protect,
    /// A run was given back.
    Unmap,
    /// Pages were locked in memory.
    Lock,
    /// Pages were unlocked.
    Unlock,
    /// Pages were made resident ahead of use.
    Prefault,
    /// Resident bytes were counted.
    Resident,
    /// Pages that may hold data were looked up.
    Touched,
    /// An address was tested for readability.
    Probe,
    /// A block was asked of the C library's heap (`posix_memalign`).
    Allocate,
    /// A block of the C library's heap was resized (`realloc`).
    Reallocate,
    /// An option of the C library's heap was set (`mallopt`).
    Configure,
}

impl OsCall {
    /// Every kind, in the order of the report.
    pub const ALL: [Self; 16] = [
        Self::Reserve,
        Self::Map,
        Self::Commit,
        Self::Decommit,
        Self::Discard,
        Self::Protect,
        Self::Unmap,
        Self::Lock,
        Self::Unlock,
        Self::Prefault,
        Self::Resident,
        Self::Touched,
        Self::Probe,
        Self::Allocate,
        Self::Reallocate,
        Self::Configure,
    ];

    /// The name used in messages and reports: a stable, lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Map => "map",
            Self::Commit => "commit",
            Self::Decommit => "decommit",
            Self::Discard => "discard",
            Self::Protect => "protect",
            Self::Unmap => "unmap",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Prefault => "prefault",
            Self::Resident => "resident",
            Self::Touched => "touched",
            Self::Probe => "probe",
            Self::Allocate => "allocate",
            Self::Reallocate => "reallocate",
            Self::Configure => "configure",
        }
    }
}

impl fmt::Display for OsCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error number of the platform, as its C library reports it.
///
/// Numbers differ between platforms; compare only with constants of the same platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "errno {}", self.0)
    }
}

/// Why a page source refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The operating system said no.
    Errno(Errno),
    /// A fixed memory, or whoever else divides a run, has none of that many bytes left; the longest
    /// free one is given.
    OutOfPages {
        /// Bytes of the longest run still free.
        longest_free: usize,
    },
    /// The address or the length is no multiple of the page size.
    Misaligned {
        /// The page size, in bytes.
        page_size: usize,
    },
    /// The length is zero.
    ZeroLength,
    /// This platform or source has nothing for this request.
    Unsupported,
    /// The storage of a fixed memory already belongs to another one.
    AlreadyClaimed,
    /// The range is no live run of this source (found by sources that keep books).
    NotARun,
    /// A test asked for this failure.
    Injected,
}

/// A refused request to a page source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OsError {
    /// What was asked.
    pub call: OsCall,
    /// The address it was about; 0 when a new run was asked for.
    pub address: usize,
    /// Its length, in bytes.
    pub len: usize,
    /// Why it was refused.
    pub reason: Reason,
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call,
            address,
            len,
            reason,
        } = self;
        write!(f, "{call} of {len:#x} bytes")?;
        if *address != 0 {
            write!(f, " at {address:#x}")?;
        }
        f.write_str(" failed: ")?;
        match reason {
            Reason::Errno(errno) => write!(f, "{errno}"),
            Reason::OutOfPages { longest_free } => {
                write!(f, "the longest free run is {longest_free:#x} bytes")
            }
            Reason::Misaligned { page_size } => {
                write!(f, "not a multiple of the page size {page_size:#x}")
            }
            Reason::ZeroLength => f.write_str("the length is zero"),
            Reason::Unsupported => f.write_str("not available on this platform"),
            Reason::AlreadyClaimed => f.write_str("the storage belongs to another fixed memory"),
            Reason::NotARun => f.write_str("the range is no live run of this source"),
            Reason::Injected => f.write_str("injected by a test"),
        }
    }
}

impl core::error::Error for OsError {}
