//! Text to the standard output, without a heap or a buffer; and the end of the program.

use core::ffi::{c_int, c_void};
use core::fmt;

const STANDARD_OUTPUT: c_int = 1;

unsafe extern "C" {
    fn write(file: c_int, bytes: *const c_void, len: usize) -> isize;
    fn _exit(status: c_int) -> !;
}

struct StandardOutput;

impl fmt::Write for StandardOutput {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: the bytes are a live slice.
            let written = unsafe { write(STANDARD_OUTPUT, rest.as_ptr().cast(), rest.len()) };
            let written = usize::try_from(written).map_err(|_| fmt::Error)?;
            rest = rest.get(written..).ok_or(fmt::Error)?;
        }
        Ok(())
    }
}

/// Prints. An output that cannot be written ends the program: a verdict nobody can read is none.
pub fn say(text: fmt::Arguments<'_>) {
    if fmt::write(&mut StandardOutput, text).is_err() {
        end(102);
    }
}

/// Ends the program.
pub fn end(status: c_int) -> ! {
    // SAFETY: ends the process, whatever state it is in.
    unsafe { _exit(status) }
}
