//! What the operating system lets this process have.
#![forbid(unsafe_code)]

use core::fmt;

/// A limit that can bind a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Private, writable memory of the process: `RLIMIT_DATA`.
    Data,
    /// Address space of the process: `RLIMIT_AS`.
    AddressSpace,
    /// Memory locked by the process: `RLIMIT_MEMLOCK`.
    LockedMemory,
    /// The memory of the machine.
    PhysicalMemory,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data (RLIMIT_DATA)",
            Self::AddressSpace => "address space (RLIMIT_AS)",
            Self::LockedMemory => "locked memory (RLIMIT_MEMLOCK)",
            Self::PhysicalMemory => "physical memory",
        })
    }
}

/// The limits in force when they were asked for, in bytes; `None` where there is none or it could
/// not be learnt.
///
/// The process shares them: what its other parts take counts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ResourceLimits {
    /// See [`Resource::Data`].
    pub data: Option<u64>,
    /// See [`Resource::AddressSpace`].
    pub address_space: Option<u64>,
    /// See [`Resource::LockedMemory`].
    pub locked_memory: Option<u64>,
    /// See [`Resource::PhysicalMemory`].
    pub physical_memory: Option<u64>,
    /// QNX from SDP 6.6 on: the part of the machine's memory, in thousandths, that an allocation of
    /// this process must leave free (`RLIMIT_FREEMEM`, qnx-facts §7.1).
    pub least_free_thousandths: Option<u16>,
}

impl ResourceLimits {
    /// No limits.
    pub const NONE: Self = Self {
        data: None,
        address_space: None,
        locked_memory: None,
        physical_memory: None,
        least_free_thousandths: None,
    };

    /// The least of what bounds the memory of this process as a whole, and which it is.
    ///
    /// ```
    /// use os::{Resource, ResourceLimits};
    ///
    /// let mut limits = ResourceLimits::NONE;
    /// assert_eq!(limits.least(), None);
    /// limits.physical_memory = Some(64 << 20);
    /// limits.least_free_thousandths = Some(250);
    /// limits.data = Some(56 << 20);
    /// assert_eq!(limits.least(), Some((Resource::PhysicalMemory, 48 << 20)));
    /// ```
    #[must_use]
    pub fn least(&self) -> Option<(Resource, u64)> {
        let kept_free = u64::from(self.least_free_thousandths.unwrap_or(0).min(1000));
        // Divided first: the product might not fit, and the remainder is less than a page.
        let physical = self
            .physical_memory
            .map(|bytes| bytes - bytes / 1000 * kept_free - bytes % 1000 * kept_free / 1000);
        [
            (Resource::Data, self.data),
            (Resource::AddressSpace, self.address_space),
            (Resource::PhysicalMemory, physical),
        ]
        .into_iter()
        .filter_map(|(resource, limit)| Some((resource, limit?)))
        .min_by_key(|&(_, limit)| limit)
    }
}
