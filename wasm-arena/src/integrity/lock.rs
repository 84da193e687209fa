//! The lock that writers take: the one place where its kind is chosen.
//!
//! Writers exclude each other with the lock of the house: a short spin, then a wait in the
//! operating system. It does not inherit priority. A system whose lock does is put in here, by
//! giving [`WriterLock`] another raw lock; nothing else of the protocol knows what it is. A holder
//! copies and checks at most what one call was asked to.
#![forbid(unsafe_code)]

/// Mutual exclusion of writers, and what only they touch.
pub(super) type WriterLock<T> = os::Mutex<T>;

/// The lock, held.
pub(super) type WriterGuard<'a, T> = os::MutexGuard<'a, T>;
