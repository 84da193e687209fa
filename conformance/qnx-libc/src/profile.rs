//! One profile per SDP: what the stand-in's answers depend on.

#![forbid(unsafe_code)]

use core::ffi::c_int;

use crate::qnx::map;

/// An SDP version, by the number that `stand_in_reset` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Profile {
    /// SDP 6.5 SP1.
    Sdp65 = 650,
    /// SDP 6.6.
    Sdp66 = 660,
    /// SDP 7.0.
    Sdp70 = 700,
    /// SDP 7.1.
    Sdp71 = 710,
    /// SDP 8.0.
    Sdp80 = 800,
}

impl Profile {
    /// The profile of a number, if there is one.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            650 => Some(Self::Sdp65),
            660 => Some(Self::Sdp66),
            700 => Some(Self::Sdp70),
            710 => Some(Self::Sdp71),
            800 => Some(Self::Sdp80),
            _ => None,
        }
    }

    /// Whether the heap is the one made of arenas (qnx-facts §0).
    #[must_use]
    pub const fn has_arenas(self) -> bool {
        !matches!(self, Self::Sdp80)
    }

    /// Alignment of plain `malloc` in bytes, for words of `word` bytes (qnx-facts §3.2).
    #[must_use]
    pub const fn malloc_alignment(self, word: usize) -> usize {
        match self {
            Self::Sdp71 | Self::Sdp80 if word == 8 => 16,
            _ => 8,
        }
    }

    /// Largest request in bytes; above it the answer is `ENOMEM` (qnx-facts §3.3).
    #[must_use]
    pub const fn largest_request(self, word: usize) -> usize {
        match self {
            Self::Sdp65 | Self::Sdp66 => 0x7FFF_FFFF,
            _ if word == 4 => 0x7FFF_FFFF,
            _ => isize::MAX as usize / 2,
        }
    }

    /// `MALLOC_LAST` (qnx-facts §1.2).
    #[must_use]
    pub const fn mallopt_last(self) -> c_int {
        match self {
            Self::Sdp65 => 12,
            _ => 17,
        }
    }

    /// Whether freed mappings of any size are cached (qnx-facts §4.4).
    #[must_use]
    pub const fn caches_any_size(self) -> bool {
        matches!(self, Self::Sdp65)
    }

    /// Mapping flags that exist (qnx-facts §6.2); all others are refused.
    #[must_use]
    pub const fn map_flags(self) -> c_int {
        let common = map::SHARED
            | map::PRIVATE
            | map::FIXED
            | map::ELF
            | map::LAZY
            | map::STACK
            | map::BELOW
            | map::NOINIT
            | map::PHYS
            | map::ANON;
        match self {
            Self::Sdp65 => common | map::NOSYNCFILE | map::RENAME | map::BIT_17 | map::BIT_18,
            Self::Sdp66 => {
                common
                    | map::NOSYNCFILE
                    | map::RENAME
                    | map::BIT_17
                    | map::BIT_18
                    | map::CONSTRAINED
            }
            Self::Sdp70 => common | map::NOSYNCFILE | map::RENAME | map::CONSTRAINED,
            Self::Sdp71 => common | map::NOSYNCFILE | map::BIT_17 | map::BIT_18,
            Self::Sdp80 => common | map::BIT_17 | map::BIT_18,
        }
    }

    /// Whether a mapping is exactly one of private and shared (qnx-facts §6.2).
    #[must_use]
    pub const fn needs_one_map_type(self) -> bool {
        !matches!(self, Self::Sdp65 | Self::Sdp66)
    }

    /// Whether `MAP_NOINIT` really hands out uncleared memory (qnx-facts §6.2).
    #[must_use]
    pub const fn honours_noinit(self) -> bool {
        matches!(self, Self::Sdp65 | Self::Sdp66)
    }

    /// Whether writing and executing together needs an ability (qnx-facts §6.4).
    #[must_use]
    pub const fn refuses_write_and_execute(self) -> bool {
        !matches!(self, Self::Sdp65 | Self::Sdp66)
    }

    /// `RLIM_NLIMITS` (qnx-facts §7.1).
    #[must_use]
    pub const fn limit_kinds(self) -> usize {
        match self {
            Self::Sdp65 => 10,
            Self::Sdp66 => 11,
            Self::Sdp70 => 12,
            Self::Sdp71 => 14,
            Self::Sdp80 => 19,
        }
    }

    /// The most partitions of the adaptive scheduler; 0 where there is none (qnx-facts §7.4).
    #[must_use]
    pub const fn most_partitions(self) -> usize {
        match self {
            Self::Sdp65 | Self::Sdp66 => 8,
            Self::Sdp70 | Self::Sdp71 => 32,
            Self::Sdp80 => 0,
        }
    }
}
