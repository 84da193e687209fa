//! The end of a program that found itself to be wrong: where there is no standard library.

use core::panic::PanicInfo;

unsafe extern "C" {
    /// The C library's.
    safe fn abort() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    abort()
}

/// What `core`, as compilers ship it, names as the one who unwinds. Nothing unwinds here, so nobody
/// calls it; the linker wants the name.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> ! {
    abort()
}
