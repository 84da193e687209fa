//! The host page size, as a type: once checked, arithmetic on it cannot go wrong quietly.

use core::fmt;

/// A host page size in bytes: a power of two, at least 16.
///
/// ```
/// let page = os::PageSize::new(4096).unwrap();
/// assert_eq!(page.round_up(1), Some(4096));
/// assert_eq!(page.round_up(usize::MAX), None);
/// assert_eq!(page.round_down(8191), 4096);
/// assert!(page.divides(65536));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageSize(usize);

impl PageSize {
    /// A page size of `bytes`, if that is a power of two and at least 16.
    #[must_use]
    pub const fn new(bytes: usize) -> Option<Self> {
        if bytes.is_power_of_two() && bytes >= 16 {
            Some(Self(bytes))
        } else {
            None
        }
    }

    /// The size in bytes.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }

    /// The least multiple of the page size that is not below `bytes`; `None` if it does not fit.
    #[must_use]
    pub const fn round_up(self, bytes: usize) -> Option<usize> {
        match bytes.checked_add(self.0 - 1) {
            Some(sum) => Some(sum & !(self.0 - 1)),
            None => None,
        }
    }

    /// The greatest multiple of the page size that is not above `bytes`.
    #[must_use]
    pub const fn round_down(self, bytes: usize) -> usize {
        bytes & !(self.0 - 1)
    }

    /// Whether `bytes` is a multiple of the page size.
    #[must_use]
    pub const fn divides(self, bytes: usize) -> bool {
        bytes & (self.0 - 1) == 0
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} bytes", self.0)
    }
}
