//! Mutexes: which there are, where, of which protocol, and who holds them.
//!
//! A mutex is known by its address. One that was moved is unknown at its new place, and locking it is
//! complained of: QNX promises nothing for a copy. They outlive a reset, as everything does that
//! belongs to the program and not to a case.

#![forbid(unsafe_code)]

use core::ffi::c_int;

use crate::complaints::Complaint;
use crate::qnx::errno;
use crate::state::State;
use crate::table::Table;

/// Mutexes that can be known at once.
const MOST: usize = 1 << 16;

/// What a mutex does for its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// The holder inherits the priority of whoever waits: the default (QNX C Library Reference,
    /// `pthread_mutexattr_init`).
    Inherit,
}

#[derive(Clone, Copy, Debug)]
struct Mutex {
    address: usize,
    protocol: Protocol,
    /// The thread that holds it; 0 if it is free.
    holder: c_int,
}

/// All that were made and not destroyed.
pub(crate) struct Mutexes {
    known: Table<Mutex>,
}

impl Mutexes {
    pub(crate) const fn new() -> Self {
        Self {
            known: Table::new(MOST),
        }
    }

    fn position(&self, address: usize) -> Option<usize> {
        // Those made last are used most.
        self.known
            .all()
            .iter()
            .rposition(|mutex| mutex.address == address)
    }

    /// How many there are whose holders inherit priority, and how many of another protocol.
    pub(crate) fn count(&self, inheriting: bool) -> usize {
        let known = self.known.all().iter();
        known
            .filter(|mutex| (mutex.protocol == Protocol::Inherit) == inheriting)
            .count()
    }
}

impl State {
    /// `pthread_mutex_init` without attributes.
    ///
    /// # Errors
    /// `EBUSY` for one that is known, `EAGAIN` if the switch says so.
    pub(crate) fn mutex_init(&mut self, address: usize) -> Result<(), c_int> {
        if self.switches.mutexes_refused {
            return Err(errno::EAGAIN);
        }
        if self.mutexes.position(address).is_some() {
            return Err(errno::EBUSY);
        }
        let mutex = Mutex {
            address,
            protocol: Protocol::Inherit,
            holder: 0,
        };
        if self.mutexes.known.push(mutex) {
            Ok(())
        } else {
            self.complaints.add(Complaint::StandInLimit, address);
            Err(errno::EAGAIN)
        }
    }

    /// `pthread_mutex_destroy`.
    ///
    /// # Errors
    /// `EINVAL` for one that is not known, `EBUSY` for one that is held.
    pub(crate) fn mutex_destroy(&mut self, address: usize) -> Result<(), c_int> {
        let position = self.mutexes.position(address).ok_or(errno::EINVAL)?;
        if self.mutexes.known.all()[position].holder != 0 {
            self.complaints.add(Complaint::MutexInUse, address);
            return Err(errno::EBUSY);
        }
        self.mutexes.known.remove(position);
        Ok(())
    }

    /// One try to lock.
    ///
    /// # Errors
    /// `EINVAL` for one that is not known, `EDEADLK` for one that this thread holds, `EBUSY` for one
    /// that another does.
    pub(crate) fn mutex_try_lock(&mut self, address: usize, thread: c_int) -> Result<(), c_int> {
        let mutex = self.known_mutex(address)?;
        match mutex.holder {
            0 => {
                mutex.holder = thread;
                Ok(())
            }
            holder if holder == thread => Err(errno::EDEADLK),
            _ => Err(errno::EBUSY),
        }
    }

    /// `pthread_mutex_unlock`.
    ///
    /// # Errors
    /// `EINVAL` for one that is not known, `EPERM` for one that this thread does not hold.
    pub(crate) fn mutex_unlock(&mut self, address: usize, thread: c_int) -> Result<(), c_int> {
        let mutex = self.known_mutex(address)?;
        if mutex.holder == thread {
            mutex.holder = 0;
            return Ok(());
        }
        self.complaints.add(Complaint::MutexNotHeld, address);
        Err(errno::EPERM)
    }

    fn known_mutex(&mut self, address: usize) -> Result<&mut Mutex, c_int> {
        match self.mutexes.position(address) {
            Some(position) => Ok(&mut self.mutexes.known.all_mut()[position]),
            None => {
                self.complaints.add(Complaint::MutexUnknown, address);
                Err(errno::EINVAL)
            }
        }
    }
}
