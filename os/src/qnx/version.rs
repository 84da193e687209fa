//! QNX's versions, and what each can do.
//!
//! | SDP | heap | `realloc`, guards, `mlock` | freed blocks above an arena | partitions |
//! |---|---|---|---|---|
//! | 6.5 | arenas | yes | kept, up to 12 | 8 |
//! | 6.6 | arenas | yes | returned, unless held | 8 |
//! | 7.0, 7.1 | arenas | yes | returned, unless held | 32 |
//! | 8.0 | three parameters | yes | returned | none |
#![forbid(unsafe_code)]
#![allow(
    unexpected_cfgs,
    reason = "compilers before 1.97 have no `qnx` among their systems"
)]

use core::fmt;

/// A version of QNX's Software Development Platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum QnxVersion {
    /// SDP 6.5, service pack 1. 32-bit only; no Rust target exists for it.
    Sdp65,
    /// SDP 6.6. 32-bit only; no Rust target exists for it.
    Sdp66,
    /// SDP 7.0.
    Sdp70,
    /// SDP 7.1.
    Sdp71,
    /// SDP 8.0: a heap without arenas.
    Sdp80,
}

/// What a heap does with a freed block that is larger than an arena (qnx-facts §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LargeBlocks {
    /// It keeps them within the limits of its cache: the next one comes back dirty.
    Kept,
    /// By its documentation it returns them to the operating system, unless memory is held.
    ReturnedUnlessHeld,
    /// It returns them.
    Returned,
}

/// What a version can do, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QnxProfile {
    /// The heap has arenas, and `mallopt` commands for them (§1.2, §1.6).
    pub has_arenas: bool,
    /// What becomes of large blocks that are freed (§4.4, §4.9).
    pub large_blocks: LargeBlocks,
    /// Bytes of the largest block this project asks that heap for. The sizes inside the heap are
    /// signed 32-bit numbers in the one implementation that is public, so what is larger might be
    /// cut short rather than refused (§3.3).
    pub largest_block: usize,
    /// Adaptive partitions there can be; 0 where the scheduler has none (§7.4).
    pub partitions: u16,
    /// The arena system to prefer, by its name in reports.
    pub recommended_system: &'static str,
}

impl QnxVersion {
    /// Every version known, the oldest first.
    pub const ALL: [Self; 5] = [
        Self::Sdp65,
        Self::Sdp66,
        Self::Sdp70,
        Self::Sdp71,
        Self::Sdp80,
    ];

    /// The version this code was compiled for, if its target tells (§8.3).
    #[must_use]
    pub const fn of_this_target() -> Option<Self> {
        if cfg!(any(target_env = "nto80", target_os = "qnx")) {
            Some(Self::Sdp80)
        } else if cfg!(any(target_env = "nto71", target_env = "nto71_iosock")) {
            Some(Self::Sdp71)
        } else if cfg!(target_env = "nto70") {
            Some(Self::Sdp70)
        } else {
            None
        }
    }

    /// The number people say: `"7.1"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sdp65 => "6.5",
            Self::Sdp66 => "6.6",
            Self::Sdp70 => "7.0",
            Self::Sdp71 => "7.1",
            Self::Sdp80 => "8.0",
        }
    }

    /// What this version can do.
    ///
    /// ```
    /// use os::{LargeBlocks, QnxVersion};
    ///
    /// let profile = QnxVersion::Sdp71.profile();
    /// assert!(profile.has_arenas);
    /// assert_eq!(profile.large_blocks, LargeBlocks::ReturnedUnlessHeld);
    /// assert!(!QnxVersion::Sdp80.profile().has_arenas);
    /// ```
    #[must_use]
    pub const fn profile(self) -> QnxProfile {
        let arenas = QnxProfile {
            has_arenas: true,
            large_blocks: LargeBlocks::ReturnedUnlessHeld,
            largest_block: i32::MAX as usize,
            partitions: 32,
            recommended_system: "libc",
        };
        match self {
            Self::Sdp65 => QnxProfile {
                large_blocks: LargeBlocks::Kept,
                partitions: 8,
                ..arenas
            },
            Self::Sdp66 => QnxProfile {
                partitions: 8,
                ..arenas
            },
            Self::Sdp70 | Self::Sdp71 => arenas,
            Self::Sdp80 => QnxProfile {
                has_arenas: false,
                large_blocks: LargeBlocks::Returned,
                partitions: 0,
                recommended_system: "arena",
                ..arenas
            },
        }
    }
}

impl fmt::Display for QnxVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QNX SDP {}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_version_lacks_arenas_and_partitions() {
        for version in QnxVersion::ALL {
            let newest = version == QnxVersion::Sdp80;
            assert_eq!(version.profile().has_arenas, !newest);
            assert_eq!(version.profile().partitions == 0, newest);
        }
    }

    #[test]
    fn versions_are_in_order_and_have_names_of_their_own() {
        for pair in QnxVersion::ALL.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].name() < pair[1].name());
        }
    }
}
