//! QNX's numbers, written down for the stand-in alone.
//!
//! No other crate of the workspace is asked for them: the stand-in judges those crates, and a judge
//! that borrows the numbers of the judged finds nothing. Source of every number: the section of
//! qnx-facts named beside it.

#![forbid(unsafe_code)]

use core::ffi::c_int;

/// Error numbers (qnx-facts §8.1).
pub mod errno {
    use super::c_int;

    /// Operation not permitted.
    pub const EPERM: c_int = 1;
    /// No such process or thread.
    pub const ESRCH: c_int = 3;
    /// Try again.
    pub const EAGAIN: c_int = 11;
    /// Not enough memory.
    pub const ENOMEM: c_int = 12;
    /// Permission denied.
    pub const EACCES: c_int = 13;
    /// Bad address.
    pub const EFAULT: c_int = 14;
    /// In use (the `libc` crate, 0.2.191, `src/unix/nto/mod.rs`).
    pub const EBUSY: c_int = 16;
    /// It exists already.
    pub const EEXIST: c_int = 17;
    /// Invalid argument.
    pub const EINVAL: c_int = 22;
    /// No room left.
    pub const ENOSPC: c_int = 28;
    /// A reserved field is not zero.
    pub const EDOM: c_int = 33;
    /// It would wait for itself (the `libc` crate, 0.2.191, `src/unix/nto/mod.rs`).
    pub const EDEADLK: c_int = 45;
    /// Not supported.
    pub const ENOTSUP: c_int = 48;
    /// Over the quota.
    pub const EDQUOT: c_int = 49;
    /// The name is too long.
    pub const ENAMETOOLONG: c_int = 78;
    /// Not implemented.
    pub const ENOSYS: c_int = 89;
}

/// Protection bits (qnx-facts §6.1).
pub mod prot {
    use super::c_int;

    /// No access.
    pub const NONE: c_int = 0;
    /// Reading.
    pub const READ: c_int = 0x100;
    /// Writing.
    pub const WRITE: c_int = 0x200;
    /// Executing.
    pub const EXEC: c_int = 0x400;
    /// Every bit that exists, with `PROT_NOCACHE` (0x800).
    pub const MASK: c_int = 0xF00;
    /// Reading and writing.
    pub const READ_WRITE: c_int = READ | WRITE;
}

/// Mapping flags (qnx-facts §6.2).
pub mod map {
    use super::c_int;

    /// Shared.
    pub const SHARED: c_int = 1;
    /// Private.
    pub const PRIVATE: c_int = 2;
    /// At the given address.
    pub const FIXED: c_int = 0x10;
    /// An executable's mapping; the bit that Linux calls anonymous.
    pub const ELF: c_int = 0x20;
    /// Do not write back.
    pub const NOSYNCFILE: c_int = 0x40;
    /// Physical memory at first touch.
    pub const LAZY: c_int = 0x80;
    /// A stack.
    pub const STACK: c_int = 0x1000;
    /// Below the given address.
    pub const BELOW: c_int = 0x2000;
    /// Not cleared (6.x only).
    pub const NOINIT: c_int = 0x4000;
    /// BSD's name without effect, up to 7.0.
    pub const RENAME: c_int = 0x8000;
    /// Physical memory.
    pub const PHYS: c_int = 0x1_0000;
    /// 6.x: `MAP_NOX64K`; from 7.1: `MAP_NOINHERIT`.
    pub const BIT_17: c_int = 0x2_0000;
    /// 6.x: `MAP_BELOW16M`; from 7.1: `MAP_HANDLE`.
    pub const BIT_18: c_int = 0x4_0000;
    /// Anonymous.
    pub const ANON: c_int = 0x8_0000;
    /// Under the constrained threshold (named for 6.6 and 7.0).
    pub const CONSTRAINED: c_int = 0x0200_0000;
}

/// Commands of `mallopt` (qnx-facts §1.2).
pub mod mallopt {
    use super::c_int;

    /// Walks the heap.
    pub const VERIFY: c_int = 0;
    /// Walks the heap at every call.
    pub const VERIFY_ON: c_int = 1;
    /// Writes the statistics to the address given as value.
    pub const STATS: c_int = 2;
    /// Looks for double frees.
    pub const FREE_CHECK: c_int = 3;
    /// Size of arenas made from now on.
    pub const ARENA_SIZE: c_int = 4;
    /// No growth by one half in `realloc`.
    pub const MONOTONIC_GROWTH: c_int = 5;
    /// No limits for the cache.
    pub const MEMORY_HOLD: c_int = 6;
    /// Limit of the cache in bytes.
    pub const CACHE_MAXSZ: c_int = 7;
    /// Limit of the cache in arenas.
    pub const CACHE_MAXBLK: c_int = 8;
    /// Empties the cache.
    pub const CACHE_FREE_NOW: c_int = 9;
    /// Distance of `M_TRIM_THRESHOLD` from `MALLOC_LAST`.
    pub const TRIM_THRESHOLD_FROM_LAST: c_int = 3;
    /// Distance of `M_MMAP_THRESHOLD` from `MALLOC_LAST`.
    pub const MMAP_THRESHOLD_FROM_LAST: c_int = 5;
    /// Distance of `M_MMAP_MAX` from `MALLOC_LAST`: the last of the names that SysV and GNU gave.
    pub const MMAP_MAX_FROM_LAST: c_int = 6;
    /// Distance of `M_GRANULARITY` from `MALLOC_LAST`; 8.0 only.
    pub const GRANULARITY_FROM_LAST: c_int = 7;
    /// The largest arena size, inclusive in the 6.4 code (§1.3).
    pub const ARENA_SIZE_MAX: usize = 0x4_0000;
}

/// Defaults of the arena heap (qnx-facts §3.1) and, by analogy, of the 8.0 heap (§1.6).
pub mod default {
    /// Bytes of an arena.
    pub const ARENA_SIZE: usize = 32_768;
    /// Arenas in the cache.
    pub const CACHE_BLOCKS: u32 = 12;
    /// Bytes in the cache; 0 is no limit.
    pub const CACHE_BYTES: u32 = 0;
    /// 8.0: free bytes above which memory is given back (inferred).
    pub const TRIM_THRESHOLD: usize = 2 << 20;
    /// 8.0: requests from here on have a mapping of their own (inferred).
    pub const MMAP_THRESHOLD: usize = 256 << 10;
    /// 8.0: the least amount asked of `mmap` (inferred).
    pub const GRANULARITY: usize = 64 << 10;
}

/// What `sysconf` is asked for (qnx-facts §6.6, §7.2).
pub mod sysconf {
    use super::c_int;

    /// Bytes of a page.
    pub const PAGESIZE: c_int = 11;
    /// Physical pages that are free.
    pub const AVPHYS_PAGES: c_int = 67;
    /// Physical pages.
    pub const PHYS_PAGES: c_int = 93;
}

/// Kinds of limits (qnx-facts §7.1).
pub mod rlimit {
    /// Private anonymous memory.
    pub const DATA: usize = 2;
    /// Address space.
    pub const AS: usize = 6;
    /// Locked memory.
    pub const MEMLOCK: usize = 7;
    /// The most kinds any profile has.
    pub const MOST_KINDS: usize = 19;
    /// No limit: 2^64 − 3.
    pub const INFINITY: u64 = 0xFFFF_FFFF_FFFF_FFFD;
}

/// Commands of `SchedCtl` (qnx-facts §7.4).
pub mod sched {
    use super::c_int;

    /// Parameters of the scheduler.
    pub const QUERY_PARMS: c_int = 200;
    /// Makes a partition.
    pub const CREATE_PARTITION: c_int = 202;
    /// Finds a partition by its name.
    pub const LOOKUP: c_int = 203;
    /// Describes a partition.
    pub const QUERY_PARTITION: c_int = 204;
    /// Puts a thread into a partition.
    pub const JOIN_PARTITION: c_int = 205;
    /// Changes a partition.
    pub const MODIFY_PARTITION: c_int = 206;
    /// Times of partitions.
    pub const PARTITION_STATS: c_int = 207;
    /// The longest name, without its end.
    pub const NAME_LENGTH: usize = 15;
    /// Length of the averaging window in milliseconds.
    pub const WINDOW_MS: u16 = 100;
}
