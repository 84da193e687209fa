//! The border: pointers from C, and how an answer goes back.

use core::ffi::{CStr, c_char};
use core::ptr::NonNull;

use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::status::{WASM_ARENA_OK, wasm_arena_status_t};

/// Does the work of a function, and writes down why it failed.
///
/// # Safety
/// `error` is null or can be written.
pub(crate) unsafe fn answer(
    error: *mut wasm_arena_error_t,
    work: impl FnOnce() -> Result<(), Failure>,
) -> wasm_arena_status_t {
    let Err(failure) = work() else {
        return WASM_ARENA_OK;
    };
    let report = wasm_arena_error_t::from(&failure);
    if let Some(error) = NonNull::new(error) {
        // SAFETY: the caller's promise.
        unsafe { error.write(report) };
    }
    report.status
}

/// A place that C wants an answer in.
#[derive(Debug)]
pub(crate) struct Out<T>(Option<NonNull<T>>);

impl<T> Out<T> {
    /// A place that must be there.
    ///
    /// # Errors
    /// It is null.
    ///
    /// # Safety
    /// `place` is null, or can be written for as long as this value lives.
    pub(crate) unsafe fn new(place: *mut T, argument: &'static str) -> Result<Self, Failure> {
        match NonNull::new(place) {
            Some(place) => Ok(Self(Some(place))),
            None => Err(Failure::NullArgument { argument }),
        }
    }

    /// A place that may be left out.
    ///
    /// # Safety
    /// As for [`new`](Self::new).
    pub(crate) const unsafe fn optional(place: *mut T) -> Self {
        Self(NonNull::new(place))
    }

    /// Writes the answer.
    pub(crate) fn set(&self, value: T) {
        if let Some(place) = self.0 {
            // SAFETY: promised when this value was made. What was there before is plain data.
            unsafe { place.write(value) };
        }
    }
}

/// Bytes that C hands over to be read.
///
/// # Errors
/// The address is null, and the length is not 0.
///
/// # Safety
/// `start` is null, or `len` bytes can be read there, and nobody writes them while the result lives.
pub(crate) unsafe fn bytes<'a>(
    start: *const u8,
    len: usize,
    argument: &'static str,
) -> Result<&'a [u8], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    if start.is_null() {
        return Err(Failure::NullArgument { argument });
    }
    check_length(len, argument)?;
    // SAFETY: the caller's promise; not null, and the length fits an `isize`.
    Ok(unsafe { core::slice::from_raw_parts(start, len) })
}

/// Bytes that C hands over to be written. They need not be initialised before: see below.
///
/// # Errors
/// As [`bytes`].
///
/// # Safety
/// `start` is null, or `len` bytes can be written there, and nobody uses them while the result
/// lives.
pub(crate) unsafe fn bytes_mut<'a>(
    start: *mut u8,
    len: usize,
    argument: &'static str,
) -> Result<&'a mut [u8], Failure> {
    if len == 0 {
        return Ok(&mut []);
    }
    if start.is_null() {
        return Err(Failure::NullArgument { argument });
    }
    check_length(len, argument)?;
    // C code hands over fresh arrays, whose bytes Rust may not take for numbers before they are
    // written.
    // SAFETY: the caller's promise.
    unsafe { start.write_bytes(0, len) };
    // SAFETY: the caller's promise; not null, initialised, and the length fits an `isize`.
    Ok(unsafe { core::slice::from_raw_parts_mut(start, len) })
}

fn check_length(len: usize, argument: &'static str) -> Result<(), Failure> {
    if isize::try_from(len).is_ok() {
        Ok(())
    } else {
        Err(Failure::InvalidArgument {
            argument,
            value: len as u64,
        })
    }
}

/// A text from C.
///
/// # Errors
/// It is null.
///
/// # Safety
/// `text` is null, or a terminated text that nobody changes while the result lives.
pub(crate) unsafe fn text<'a>(
    text: *const c_char,
    argument: &'static str,
) -> Result<&'a CStr, Failure> {
    if text.is_null() {
        return Err(Failure::NullArgument { argument });
    }
    // SAFETY: the caller's promise; not null.
    Ok(unsafe { CStr::from_ptr(text) })
}

/// A struct of options from C, copied; `None` if it is null.
///
/// # Errors
/// Its size, as it says itself, is not that of this version.
///
/// # Safety
/// `options` is null, or a struct whose first field is a `u32`, and as many bytes as that says can
/// be read.
pub(crate) unsafe fn options<T: Copy>(
    options: *const T,
    name: &'static str,
) -> Result<Option<T>, Failure> {
    let Some(options) = NonNull::new(options.cast_mut()) else {
        return Ok(None);
    };
    // SAFETY: the caller's promise; an array of one word is readable whatever the alignment.
    let size = unsafe { options.cast::<u32>().read_unaligned() } as usize;
    let expected = size_of::<T>();
    if size != expected {
        return Err(Failure::StructSize {
            name,
            size,
            expected,
        });
    }
    // SAFETY: as large as it says, and every field is a number or a pointer, so that any bytes are
    // a value.
    Ok(Some(unsafe { options.read_unaligned() }))
}
