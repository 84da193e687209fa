//! The atomics under the reader/writer protocol: one name, so that a test can put a model checker's
//! in their place.
#![forbid(unsafe_code)]

pub(super) use core::sync::atomic::{AtomicUsize, Ordering, fence};
