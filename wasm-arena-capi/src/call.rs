//! The border: pointers from C, and how an answer goes back.

use core::ffi::{CStr, c_char};
use core::ptr::NonNull;

use crate::error::wasm_arena_error_t;
use crate::failure::Failure;
use crate::handles::{self, Object};
use crate::shared::Shared;
use crate::status::{WASM_ARENA_OK, wasm_arena_status_t};

/// A place that C wants an answer in. It is written only if the function succeeds.
#[derive(Debug)]
pub(crate) struct Place<A> {
    place: *mut A,
    /// The name of the argument, if it must not be null.
    needed_as: Option<&'static str>,
}

impl Place<()> {
    /// For functions that answer with nothing but their status.
    pub(crate) const NONE: Self = Self::optional(core::ptr::null_mut());
}

impl<A> Place<A> {
    /// A place that must be there.
    pub(crate) const fn needed(place: *mut A, argument: &'static str) -> Self {
        Self {
            place,
            needed_as: Some(argument),
        }
    }

    /// A place that may be left out.
    pub(crate) const fn optional(place: *mut A) -> Self {
        Self {
            place,
            needed_as: None,
        }
    }
}

/// The frame of an exported function: does its work, and writes down the answer, or why it failed.
///
/// # Safety
/// `place` and `error` are each null or can be written.
pub(crate) unsafe fn answer<A, E: Into<Failure>>(
    place: Place<A>,
    error: *mut wasm_arena_error_t,
    work: impl FnOnce() -> Result<A, E>,
) -> wasm_arena_status_t {
    let done = match place {
        Place {
            place,
            needed_as: Some(argument),
        } if place.is_null() => Err(Failure::NullArgument { argument }),
        _ => work().map_err(Into::into),
    };
    match done {
        Ok(answer) => {
            if let Some(place) = NonNull::new(place.place) {
                // SAFETY: the caller's promise. What was there before is plain data.
                unsafe { place.write(answer) };
            }
            WASM_ARENA_OK
        }
        Err(failure) => {
            let report = wasm_arena_error_t::from(&failure);
            if let Some(error) = NonNull::new(error) {
                // SAFETY: the caller's promise.
                unsafe { error.write(report) };
            }
            report.status
        }
    }
}

/// The frame of a function that looks at the object of a handle; others may at the same time.
///
/// # Safety
/// As for [`answer`].
pub(crate) unsafe fn look<T: Object, A, E: Into<Failure>>(
    handle: *const T::Opaque,
    place: Place<A>,
    error: *mut wasm_arena_error_t,
    work: impl FnOnce(&T) -> Result<A, E>,
) -> wasm_arena_status_t {
    let work = || {
        let pinned = handles::pin::<T>(handle, T::KIND.argument())?;
        work(T::look(&pinned)?).map_err(Into::into)
    };
    // SAFETY: the caller's promise, passed on unchanged.
    unsafe { answer(place, error, work) }
}

/// The frame of a function that changes the object of a handle, and needs it alone.
///
/// # Safety
/// As for [`answer`].
pub(crate) unsafe fn change<T: Object, A, E: Into<Failure>>(
    handle: *const T::Opaque,
    place: Place<A>,
    error: *mut wasm_arena_error_t,
    work: impl FnOnce(&mut T) -> Result<A, E>,
) -> wasm_arena_status_t {
    let work = || {
        let mut owned = handles::own::<T>(handle, T::KIND.argument())?;
        work(T::change(&mut owned)?).map_err(Into::into)
    };
    // SAFETY: the caller's promise, passed on unchanged.
    unsafe { answer(place, error, work) }
}

/// The frame of a function that makes an object, and answers with its handle in `place`.
///
/// # Safety
/// As for [`answer`].
pub(crate) unsafe fn make<T: Object>(
    place: *mut *mut T::Opaque,
    error: *mut wasm_arena_error_t,
    work: impl FnOnce() -> Result<T, Failure>,
) -> wasm_arena_status_t {
    let place = Place::needed(place, T::KIND.argument());
    // SAFETY: the caller's promise, passed on unchanged.
    unsafe { answer(place, error, || handles::insert(Shared::new(work()?)?)) }
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
