//! Host pages: where every byte of wasm-arena comes from.
//!
//! This crate is the bottom of the house. It says, in one trait, what the layers above need of a
//! platform, and implements it once per platform. It uses neither `std` nor `alloc`.
//!
//! ```text
//!                reserve              commit                 protect
//!   nothing ───────────────▶ reserved ──────▶ committed ◀──────────────▶ protected
//!      ▲                        ▲  ▲              │  ▲  └─ discard: reads zero again
//!      │         unmap          │  └── decommit ──┘  │
//!      └────────────────────────┴────────────────────┘ map = reserve + commit in one call
//! ```
//!
//! | name | what it is |
//! |---|---|
//! | [`PageSource`] | the contract: reserve, map, commit, decommit, discard, protect, unmap, lock, unlock, prefault |
//! | [`OsPages`] | the operating system's pages; on a target without one, every call says so |
//! | [`FixedMemory`] | pages cut from an array the caller owns: bare metal, or a hard upper bound |
//! | [`Counted`] | any source, with every call counted by kind |
//! | `WindowedPages` | any source, on Linux: closes what memories never touch, so that what was touched is known without a call |
//! | [`FailAt`] | any source, failing its nth call on purpose: for tests of error paths |
//! | [`Mutex`] | the one lock of the house |
//! | [`RwLock`] | the same for many readers, where a runtime asks for it |
//! | [`ThreadSlot`] | a pointer for each thread |
//! | [`bitmap`] | runs of bits, for whoever hands pages out |
//! | [`NativeHeap`] | a C library's heap that has arenas: QNX's, as `SystemHeap` there |
//! | [`ResourceLimits`] | what the operating system lets this process have |
//! | [`partition`] | adaptive partitions of QNX's scheduler |
//! | [`qnx`] | QNX's versions and what each can do |
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod bitmap;
mod check;
mod counted;
mod error;
mod fail_at;
mod fixed;
mod limits;
mod lock;
mod native_heap;
mod page_size;
pub mod partition;
pub mod qnx;
mod shared_lock;
mod source;
mod sys;
mod thread_shards;
mod thread_slot;
#[cfg(target_os = "linux")]
mod windows;

pub use counted::{CallCounts, Counted};
pub use error::{Errno, OsCall, OsError, Reason};
pub use fail_at::FailAt;
pub use fixed::{FixedMemory, FixedStorage};
pub use limits::{Resource, ResourceLimits};
pub use lock::{Mutex, MutexGuard, WordLock};
pub use native_heap::{HeapUsage, NativeHeap};
pub use page_size::PageSize;
pub use qnx::{HeapCommand, LargeBlocks, QnxProfile, QnxVersion};
pub use shared_lock::{RawSharedLock, RwLock};
pub use source::{Facts, PageSource, Protection, Touched};
#[cfg(any(target_os = "nto", target_os = "qnx"))]
pub use sys::SystemHeap;
pub use sys::{OsPages, RawLock};
pub use thread_shards::ThreadShards;
pub use thread_slot::ThreadSlot;
#[cfg(target_os = "linux")]
pub use windows::WindowedPages;
