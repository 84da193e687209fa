//! The words of the command line.

use core::ffi::{CStr, c_char, c_int};

/// The words a program was started with.
///
/// Invariant: `values` are `count` strings that live as long as the program.
#[derive(Debug)]
pub struct Arguments {
    count: usize,
    values: *const *const c_char,
}

impl Arguments {
    /// # Safety
    /// `values` are `count` strings that live as long as the program.
    pub unsafe fn new(count: c_int, values: *const *const c_char) -> Self {
        Self {
            count: usize::try_from(count).unwrap_or(0),
            values,
        }
    }

    /// A word; the program's name has index 0.
    pub fn get(&self, index: usize) -> Option<&'static str> {
        if index >= self.count {
            return None;
        }
        // SAFETY: inside the array (invariant).
        let place = unsafe { self.values.add(index) };
        // SAFETY: as above.
        let value = unsafe { place.read() };
        // SAFETY: a string that lives as long as the program (invariant).
        let value: &'static CStr = unsafe { CStr::from_ptr(value) };
        value.to_str().ok()
    }

    /// The word after `name`.
    pub fn after(&self, name: &str) -> Option<&'static str> {
        (1..self.count)
            .find(|&index| self.get(index) == Some(name))
            .and_then(|index| self.get(index + 1))
    }
}
