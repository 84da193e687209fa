//! Which arena system a platform's own is: the one choice by target outside of the crate `os`.
#![forbid(unsafe_code)]

#[cfg(not(all(target_os = "nto", not(target_env = "nto80"))))]
use super::PortableArenas;

/// The operating system's pages, with every call counted.
pub type SystemPages = os::Counted<os::OsPages>;

/// The arena system of [`QnxArenaAllocator`](crate::QnxArenaAllocator) on this platform: the C
/// library's heap on QNX 7.0 and 7.1, portable arenas everywhere else. QNX 8.0 is among those: its
/// heap has no arenas any more.
#[cfg(all(target_os = "nto", not(target_env = "nto80")))]
pub type NativeArenas = super::LibcArenas<os::SystemHeap, SystemPages>;

/// The arena system of [`QnxArenaAllocator`](crate::QnxArenaAllocator) on this platform: the C
/// library's heap on QNX 7.0 and 7.1, portable arenas everywhere else. QNX 8.0 is among those: its
/// heap has no arenas any more.
#[cfg(not(all(target_os = "nto", not(target_env = "nto80"))))]
pub type NativeArenas = PortableArenas<SystemPages>;
