//! The C interface: what QNX's C library exports, under `qnx_` names, in QNX's numbers.
//!
//! Every function counts itself, fails if it was told to, and answers as the section of qnx-facts
//! says. The state is behind one lock, so that all may be called from any thread; none may be called
//! from a signal handler, which holds on QNX for the heap as well (qnx-facts §4.1.4).

mod heap;
mod mutexes;
mod pages;
mod process;
mod threads;

pub use heap::{
    qnx_free, qnx_mallinfo, qnx_mallinfo_800, qnx_malloc, qnx_mallopt, qnx_posix_memalign,
    qnx_realloc,
};
pub use mutexes::{
    PthreadMutex, qnx_pthread_mutex_destroy, qnx_pthread_mutex_init, qnx_pthread_mutex_lock,
    qnx_pthread_mutex_trylock, qnx_pthread_mutex_unlock,
};
pub use pages::{qnx_mlock, qnx_mmap, qnx_mmap64, qnx_mprotect, qnx_munlock, qnx_munmap};
pub use process::{
    RLimit, qnx___get_errno_ptr, qnx__exit, qnx_SchedCtl, qnx_abort, qnx_getenv, qnx_getrlimit,
    qnx_sched_yield, qnx_sysconf, qnx_usleep, qnx_write,
};
pub use threads::{
    qnx_pthread_getspecific, qnx_pthread_key_create, qnx_pthread_key_delete,
    qnx_pthread_setspecific,
};

use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, Ordering};

/// errno: one cell for the process. Threads would have one each on QNX; without `std` there is no
/// storage per thread here, so that tests of errno run one at a time.
static ERRNO: AtomicI32 = AtomicI32::new(0);

/// The cell, for callers that read and write it.
fn errno_cell() -> *mut c_int {
    ERRNO.as_ptr()
}

/// Sets errno and answers −1.
fn fail(error: c_int) -> c_int {
    ERRNO.store(error, Ordering::Relaxed);
    -1
}

/// 0, or −1 with errno set.
fn answer(result: Result<(), c_int>) -> c_int {
    result.map_or_else(fail, |()| 0)
}
