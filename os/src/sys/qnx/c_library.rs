//! QNX's C library, as far as it is called here: types, numbers, functions.
//!
//! Declared here rather than taken from the `libc` crate, because the crate (0.2.191) builds neither
//! for the targets of SDP 8.0 that older compilers have nor for the 32-bit one, has no name for half
//! of what is needed, and gives `mallopt` a second argument of the wrong width on 32-bit targets. So there is one place to compare with a header, for all
//! versions alike. The program that runs on QNX compares these numbers with the crate's wherever the
//! crate builds.
//!
//! Each group names the section of `qnx-facts` it was taken from; nothing here is from memory. What
//! the facts do not cover (`usleep`, `sched_yield`, `getenv`, thread-specific data) is POSIX. Sleeping goes by a plain number,
//! because the facts do not tell how wide the fields of a `timespec` are.

#![allow(non_camel_case_types, reason = "C's names for C's things")]

use core::ffi::{c_char, c_int, c_long, c_uint, c_void};

/// `off_t`: 64 bits wide, as the `libc` crate has it. On 32-bit targets the C library may take 32;
/// only 0 is ever passed, which reads the same (qnx-facts §6.2).
pub(crate) type off_t = i64;

/// `pthread_key_t`, as the `libc` crate has it (LC191).
pub(crate) type pthread_key_t = c_int;

/// `struct rlimit`, for 64-bit targets (qnx-facts §7.1).
#[repr(C)]
#[cfg(target_pointer_width = "64")]
pub(crate) struct rlimit {
    pub(crate) rlim_cur: u64,
    pub(crate) rlim_max: u64,
}

/// The type of the fields of `struct mallinfo` (qnx-facts §5.2).
#[cfg(not(any(target_env = "nto80", target_os = "qnx")))]
pub(crate) type mallinfo_field = c_int;
/// The type of the fields of `struct mallinfo` (qnx-facts §5.2).
#[cfg(any(target_env = "nto80", target_os = "qnx"))]
pub(crate) type mallinfo_field = usize;

/// `struct mallinfo` (qnx-facts §5.2).
#[repr(C)]
pub(crate) struct mallinfo {
    pub(crate) arena: mallinfo_field,
    pub(crate) ordblks: mallinfo_field,
    pub(crate) smblks: mallinfo_field,
    pub(crate) hblks: mallinfo_field,
    pub(crate) hblkhd: mallinfo_field,
    pub(crate) usmblks: mallinfo_field,
    pub(crate) fsmblks: mallinfo_field,
    pub(crate) uordblks: mallinfo_field,
    pub(crate) fordblks: mallinfo_field,
    pub(crate) keepcost: mallinfo_field,
}

const _: () = assert!(size_of::<mallinfo>() == 10 * size_of::<mallinfo_field>());

/// `pthread_mutex_t`: two numbers of 32 bits, whatever they mean (the `libc` crate, 0.2.183 and
/// 0.2.191, `src/unix/nto/mod.rs`: `sync_t`). Only the C library looks into it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct pthread_mutex_t {
    pub(crate) fields: [c_uint; 2],
}

// Protection bits: qnx-facts §6.1, the same in all versions.
pub(crate) const PROT_NONE: c_int = 0;
pub(crate) const PROT_READ: c_int = 0x100;
pub(crate) const PROT_WRITE: c_int = 0x200;
pub(crate) const PROT_EXEC: c_int = 0x400;

// Mapping flags: qnx-facts §6.2, the same in all versions. `MAP_NORESERVE` must not appear: up to
// 7.0 its number means "do not clear".
pub(crate) const MAP_PRIVATE: c_int = 2;
pub(crate) const MAP_FIXED: c_int = 0x10;
pub(crate) const MAP_LAZY: c_int = 0x80;
pub(crate) const MAP_ANON: c_int = 0x0008_0000;
pub(crate) const MAP_FAILED: *mut c_void = usize::MAX as *mut c_void;

// Error numbers: qnx-facts §8.1.
pub(crate) const EPERM: c_int = 1;

// sysconf: qnx-facts §6.6, §7.2.
pub(crate) const _SC_PAGESIZE: c_int = 11;
pub(crate) const _SC_PHYS_PAGES: c_int = 93;

// Resources: qnx-facts §7.1. `RLIMIT_FREEMEM` exists from SDP 6.6 on, which all targets are.
#[cfg(target_pointer_width = "64")]
pub(crate) const RLIMIT_DATA: c_int = 2;
#[cfg(target_pointer_width = "64")]
pub(crate) const RLIMIT_AS: c_int = 6;
#[cfg(target_pointer_width = "64")]
pub(crate) const RLIMIT_MEMLOCK: c_int = 7;
#[cfg(target_pointer_width = "64")]
pub(crate) const RLIMIT_FREEMEM: c_int = 10;
#[cfg(target_pointer_width = "64")]
pub(crate) const RLIM_INFINITY: u64 = 0xffff_ffff_ffff_fffd;

unsafe extern "C" {
    // qnx-facts §8.1.
    pub(crate) fn __get_errno_ptr() -> *mut c_int;

    // qnx-facts §6.
    pub(crate) fn mmap(
        address: *mut c_void,
        len: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: off_t,
    ) -> *mut c_void;
    pub(crate) fn munmap(address: *mut c_void, len: usize) -> c_int;
    pub(crate) fn mprotect(address: *mut c_void, len: usize, protection: c_int) -> c_int;
    pub(crate) fn mlock(address: *const c_void, len: usize) -> c_int;
    pub(crate) fn munlock(address: *const c_void, len: usize) -> c_int;
    pub(crate) fn sysconf(name: c_int) -> c_long;

    // qnx-facts §7.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn getrlimit(resource: c_int, limit: *mut rlimit) -> c_int;
    pub(crate) fn SchedCtl(command: c_int, data: *mut c_void, len: usize) -> c_int;

    // qnx-facts §1.1 (`intptr_t` from 7.0 on), §4.6, §4.7, §5.2.
    pub(crate) fn mallopt(command: c_int, value: isize) -> c_int;
    pub(crate) fn posix_memalign(block: *mut *mut c_void, alignment: usize, len: usize) -> c_int;
    pub(crate) fn realloc(block: *mut c_void, len: usize) -> *mut c_void;
    pub(crate) fn free(block: *mut c_void);
    pub(crate) fn mallinfo() -> mallinfo;

    // POSIX. The attributes of a mutex are never looked at here; none are the default ones.
    pub(crate) fn pthread_key_create(
        key: *mut pthread_key_t,
        destructor: Option<unsafe extern "C" fn(*mut c_void)>,
    ) -> c_int;
    pub(crate) fn pthread_key_delete(key: pthread_key_t) -> c_int;
    pub(crate) fn pthread_getspecific(key: pthread_key_t) -> *mut c_void;
    pub(crate) fn pthread_setspecific(key: pthread_key_t, value: *const c_void) -> c_int;
    pub(crate) fn pthread_mutex_init(
        mutex: *mut pthread_mutex_t,
        attributes: *const c_void,
    ) -> c_int;
    pub(crate) fn pthread_mutex_destroy(mutex: *mut pthread_mutex_t) -> c_int;
    pub(crate) fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int;
    pub(crate) fn pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> c_int;
    pub(crate) fn pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int;
    pub(crate) fn getenv(name: *const c_char) -> *mut c_char;
    pub(crate) fn usleep(microseconds: c_uint) -> c_int;
    pub(crate) fn sched_yield() -> c_int;
}

const _: () = assert!(size_of::<c_uint>() == 4 && size_of::<c_int>() == 4);
