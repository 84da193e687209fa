//! The lock that writers take: the one place where its kind is chosen.
//!
//! Writers exclude each other with the lock of the house: on QNX the C library's mutex, whose holder
//! inherits the priority of whoever waits; elsewhere a short spin, then a wait in the operating
//! system. Another system whose lock inherits priority is put in by giving [`WriterLock`] another
//! raw lock; nothing else of the protocol knows what it is. A holder copies and checks at most what
//! one call was asked to.
#![forbid(unsafe_code)]

/// Mutual exclusion of writers, and what only they touch.
pub(super) type WriterLock<T> = os::Mutex<T>;

/// The lock, held.
pub(super) type WriterGuard<'a, T> = os::MutexGuard<'a, T>;
