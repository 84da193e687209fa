//! The handler that opens what a guest touches for the first time.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use super::TABLE;
use super::table::{Bounds, Slot};
use crate::sys::errno;
use crate::sys::page_size;
use crate::{OsCall, OsError};

/// The access was forbidden, as opposed to: there is nothing (`SEGV_ACCERR`).
const FORBIDDEN: c_int = 2;

/// Faults are handled: pages may be closed.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// What handled such signals before us.
#[derive(Debug)]
struct Handler {
    function: AtomicUsize,
    flags: AtomicI32,
}

impl Handler {
    const fn none() -> Self {
        Self {
            function: AtomicUsize::new(libc::SIG_DFL),
            flags: AtomicI32::new(0),
        }
    }

    fn remember(&self, action: &libc::sigaction) {
        self.function.store(action.sa_sigaction, Ordering::Relaxed);
        self.flags.store(action.sa_flags, Ordering::Relaxed);
    }

    /// Passes a signal on.
    fn call(&self, signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let function = self.function.load(Ordering::Relaxed);
        if function == libc::SIG_DFL || function == libc::SIG_IGN {
            // SAFETY: a constant; the fault comes again, and ends the process as it would have.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        } else if self.flags.load(Ordering::Relaxed) & libc::SA_SIGINFO != 0 {
            // SAFETY: what was installed with this flag is such a function.
            let function = unsafe { core::mem::transmute::<usize, Described>(function) };
            function(signal, info, context);
        } else {
            // SAFETY: what was installed without the flag is such a function.
            let function = unsafe { core::mem::transmute::<usize, Plain>(function) };
            function(signal);
        }
    }
}

type Described = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
type Plain = extern "C" fn(c_int);

/// The handler we were put in front of last.
static LAST: Handler = Handler::none();
/// The one we were put in front of first: it does not know of us.
static FIRST: Handler = Handler::none();

/// Left in a part of the description that has no meaning for this signal: we have seen it already, and
/// a handler installed after us hands it back.
const SEEN: c_int = 0x5ee4;

pub(super) fn are_handled() -> bool {
    INSTALLED.load(Ordering::Acquire)
}

/// Installs the handler in front of the one there is.
pub(super) fn handle() -> Result<(), OsError> {
    let failed = || OsError {
        call: OsCall::Protect,
        address: 0,
        len: 0,
        reason: errno::last_reason(),
    };
    let mut previous = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks only; the place has room for the answer.
    if unsafe { libc::sigaction(libc::SIGSEGV, core::ptr::null(), previous.as_mut_ptr()) } != 0 {
        return Err(failed());
    }
    // SAFETY: written by the call above; all zeros would be one, too.
    let previous = unsafe { previous.assume_init() };
    let own: Described = on_fault;
    let own = own as usize;
    if previous.sa_sigaction == own {
        return Ok(());
    }
    LAST.remember(&previous);
    if !are_handled() {
        FIRST.remember(&previous);
    }
    let mut action = previous;
    action.sa_sigaction = own;
    action.sa_flags = previous.sa_flags | libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler does what a signal handler may do, and leaves to the one before what is
    // not its own.
    if unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, null_mut()) } != 0 {
        return Err(failed());
    }
    INSTALLED.store(true, Ordering::Release);
    Ok(())
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid description, which is ours to write to.
    let description = unsafe { &mut *info };
    // SAFETY: of this signal, the description holds an address.
    let address = unsafe { description.si_addr() }.addr();
    if description.si_code == FORBIDDEN
        && let Some((slot, bounds)) = TABLE.at(address)
        && open(slot, bounds, address)
    {
        return;
    }
    if description.si_errno == SEEN {
        FIRST.call(signal, info, context);
    } else {
        description.si_errno = SEEN;
        LAST.call(signal, info, context);
    }
}

/// Opens pages up to the one touched, and as much again, so that few faults follow. Says whether the
/// access can be tried again.
fn open(slot: &Slot, bounds: Bounds, address: usize) -> bool {
    let Bounds {
        closed_from,
        opened_to,
        end,
    } = bounds;
    if address < opened_to {
        // Another thread was faster.
        return true;
    }
    let page = page_size().get();
    let twice = address - closed_from + (address - closed_from) + 1;
    let to = closed_from
        .saturating_add(twice)
        .checked_next_multiple_of(page)
        .map_or(end, |to| to.min(end));
    let (start, len) = (core::ptr::without_provenance_mut(opened_to), to - opened_to);
    // The interrupted code may be about to look at it.
    let kept = errno::last();
    // SAFETY: pages of a live memory that were readable and writable before they were closed: the
    // slot says so, and is not freed before they are opened or gone.
    let status = unsafe { libc::mprotect(start, len, libc::PROT_READ | libc::PROT_WRITE) };
    errno::restore(kept);
    if status == 0 {
        slot.note_opened(to);
    }
    status == 0
}
