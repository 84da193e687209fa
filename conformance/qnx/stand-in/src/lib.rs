//! The stand-in for QNX's C library as an archive of objects: what the crate exports, and nothing
//! more.
#![no_std]

// Its functions are exported by name; nothing is called from here.
use qnx_libc as _;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // A stand-in that is wrong about itself must not go on: its process ends with a signal.
    qnx_libc::qnx_abort()
}
