//! Versions, names and texts.

use core::ffi::{CStr, c_char};

use os::{OsPages, PageSource};

use crate::numbers::{self, CALL_NAMES, LEVEL_NAMES, OPTION_NAMES};
use crate::status::{self, wasm_arena_status_t};

/// The version of this header: 10000 times the major, 100 times the minor, and the patch number.
pub const WASM_ARENA_VERSION: u32 = 100;

/// The version of the library that is linked. It is to equal `WASM_ARENA_VERSION`: before version 1,
/// structs may change with every minor version.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_arena_version() -> u32 {
    WASM_ARENA_VERSION
}

/// Bytes of a host page. One system call at first.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_arena_host_page_size() -> usize {
    OsPages::new().facts().page_size.get()
}

/// What a status says, in one English line: static, never null. For the numbers, see the message in
/// `wasm_arena_error_t`.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_arena_status_text(status: wasm_arena_status_t) -> *const c_char {
    status::find(status)
        .map_or(c"no status of this library", |entry| entry.text)
        .as_ptr()
}

/// The name of a status as this header has it: static, never null.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_arena_status_name(status: wasm_arena_status_t) -> *const c_char {
    status::find(status)
        .map_or(c"?", |entry| entry.name)
        .as_ptr()
}

/// The name of an option (`WASM_ARENA_OPTION_...`) in reports: static, null for another number.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_arena_option_name(option: i32) -> *const c_char {
    name(&OPTION_NAMES, option)
}

/// The name of a call (`WASM_ARENA_CALL_...`) in reports: static, null for another number.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_arena_call_name(call: i32) -> *const c_char {
    name(&CALL_NAMES, call)
}

/// The name of a level (`WASM_ARENA_LEVEL_...`) in reports: static, null for another number.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_arena_level_name(level: i32) -> *const c_char {
    name(&LEVEL_NAMES, level)
}

fn name(names: &[&'static CStr], number: i32) -> *const c_char {
    numbers::at(names, number).map_or(core::ptr::null(), CStr::as_ptr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_package_s() {
        let number = |text: &str| text.parse::<u32>().unwrap();
        let expected = number(env!("CARGO_PKG_VERSION_MAJOR")) * 10_000
            + number(env!("CARGO_PKG_VERSION_MINOR")) * 100
            + number(env!("CARGO_PKG_VERSION_PATCH"));
        assert_eq!(WASM_ARENA_VERSION, expected);
    }
}
