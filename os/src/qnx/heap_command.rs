//! Commands of QNX's `mallopt`, as far as they may be used.
//!
//! Numbers: qnx-facts §1.2, the same from SDP 6.5 on. Left out on purpose: 2, which writes a struct
//! to the address it takes for a number; 0, 1 and 3, which check the heap's own structure and want
//! the debugging library; 10 to 16, whose meaning no document tells.
#![forbid(unsafe_code)]

/// A command that takes a number. The value is the command's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum HeapCommand {
    /// Size of arenas to come, in bytes; 0 asks. Returns the previous size.
    ArenaSize = 4,
    /// Other than 0: `realloc` never asks for more than was requested. Returns 0.
    MonotonicGrowth = 5,
    /// Above 0: no limit to what the arena cache keeps. 0: nothing is kept at all. Returns 0.
    MemoryHold = 6,
    /// Bytes the arena cache may keep; 0 for no limit. Returns the previous value, or 0.
    ArenaCacheMaxSize = 7,
    /// Arenas the arena cache may keep. Returns the previous value, or 0.
    ArenaCacheMaxBlocks = 8,
    /// Above 0: gives the arena cache back to the operating system. Returns 0.
    ArenaCacheFreeNow = 9,
    /// SDP 8.0: free bytes at the top of the heap from which they go back (§1.6).
    TrimThreshold = 20,
    /// SDP 8.0: bytes from which a block gets a mapping of its own (§1.6).
    MmapThreshold = 22,
    /// SDP 8.0: the least the heap asks the operating system for; a power of two (§1.6).
    Granularity = 24,
}
