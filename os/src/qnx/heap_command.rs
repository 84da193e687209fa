//! Commands of QNX's `mallopt`, as far as they may be used.
//!
//! Numbers: qnx-facts §1.2, the same from SDP 6.5 on. Left out on purpose: 2, which writes a struct
//! to the address it takes for a number; 0, 1 and 3, which check the heap's own structure and want
//! the debugging library; 10 to 16, whose meaning no document tells.
#![forbid(unsafe_code)]

use core::ffi::c_int;

/// Size of arenas to come, in bytes; 0 asks. Returns the previous size.
pub const ARENA_SIZE: c_int = 4;
/// Other than 0: `realloc` never asks for more than was requested. Returns 0.
pub const MONOTONIC_GROWTH: c_int = 5;
/// Above 0: no limit to what the arena cache keeps. 0: nothing is kept at all. Returns 0.
pub const MEMORY_HOLD: c_int = 6;
/// Bytes the arena cache may keep; 0 for no limit. Returns the previous value, or 0.
pub const ARENA_CACHE_MAX_SIZE: c_int = 7;
/// Arenas the arena cache may keep. Returns the previous value, or 0.
pub const ARENA_CACHE_MAX_BLOCKS: c_int = 8;
/// Above 0: gives the arena cache back to the operating system. Returns 0.
pub const ARENA_CACHE_FREE_NOW: c_int = 9;

/// SDP 8.0: free bytes at the top of the heap from which they go back (§1.6).
pub const TRIM_THRESHOLD: c_int = 20;
/// SDP 8.0: bytes from which a block gets a mapping of its own (§1.6).
pub const MMAP_THRESHOLD: c_int = 22;
/// SDP 8.0: the least the heap asks the operating system for; a power of two (§1.6).
pub const GRANULARITY: c_int = 24;
