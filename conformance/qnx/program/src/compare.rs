//! The declarations of the crate `os` beside those of the `libc` crate, where that crate builds.
//!
//! Two independent readings of the same headers. A difference does not compile.

#[path = "../../../../os/src/sys/qnx/c_library.rs"]
#[allow(dead_code, unreachable_pub, reason = "only the numbers are looked at")]
mod c_library;

macro_rules! same {
    ($($name:ident),*) => {$(
        const _: () = assert!(c_library::$name as i128 == libc::$name as i128);
    )*};
}

same!(PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC);
same!(
    MAP_PRIVATE,
    MAP_FIXED,
    MAP_ANON,
    EPERM,
    _SC_PAGESIZE,
    _SC_PHYS_PAGES
);

same!(RLIMIT_DATA, RLIMIT_AS, RLIMIT_MEMLOCK, RLIM_INFINITY);

macro_rules! same_size {
    ($($name:ident),*) => {$(
        const _: () = assert!(size_of::<c_library::$name>() == size_of::<libc::$name>());
    )*};
}

same_size!(off_t, mallinfo, pthread_mutex_t);

same_size!(rlimit);
