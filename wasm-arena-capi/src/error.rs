//! Failures as C sees them: a status, the numbers that matter, and a text.
//!
//! Which number goes where is decided here for what this interface refuses itself, in `of_memory` and
//! `of_contents` for what the library does. What a field means for a status is said with the status,
//! in `status`.
#![forbid(unsafe_code)]

mod of_contents;
mod of_memory;
#[cfg(test)]
mod tests;

use core::ffi::c_char;

use of_contents::of_contents;
use of_memory::{of_heap, of_memory};

use crate::failure::Failure;
use crate::numbers::option_number;
use crate::status::*;
use crate::text;

/// Bytes of the field `subject`, its terminator included.
pub const WASM_ARENA_SUBJECT_SIZE: usize = 48;
/// Bytes of the field `message`, its terminator included.
pub const WASM_ARENA_MESSAGE_SIZE: usize = 256;

/// What went wrong, with its numbers. Functions fill it when they fail, and leave it alone when they
/// succeed. It belongs to the caller, who may keep it in any storage, and may always pass null
/// instead.
///
/// Which fields a status fills is said with the status; the others are 0, or -1 where that is said
/// below.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wasm_arena_error_t {
    /// The status that the function answered with.
    pub status: wasm_arena_status_t,
    /// The error number of the operating system; 0 if it gave none.
    pub os_errno: i32,
    /// A `WASM_ARENA_CALL_...`, or -1: the call that was refused, or would have been needed.
    pub os_call: i32,
    /// A `WASM_ARENA_REASON_...`, or -1.
    pub os_reason: i32,
    /// A `WASM_ARENA_OPTION_...`, or -1.
    pub option: i32,
    /// A `WASM_ARENA_RESOURCE_...`, or -1.
    pub resource: i32,
    /// A `WASM_ARENA_RECORD_...`, or -1.
    pub record: i32,
    /// 1 if what was found damaged was put right, else 0.
    pub repaired: u32,
    /// The checksum as the table has it.
    pub stored: u32,
    /// The second record of it.
    pub second: u32,
    /// The checksum that the data has.
    pub computed: u32,
    /// Always 0.
    pub reserved: u32,
    /// What was asked for.
    pub requested: u64,
    /// The least that is allowed.
    pub minimum: u64,
    /// The most that is allowed.
    pub limit: u64,
    /// What there is, or is left.
    pub available: u64,
    /// In bytes from the base.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// In bytes.
    pub size: u64,
    /// An address.
    pub address: u64,
    /// The index of a block of data that shares a checksum.
    pub block: u64,
    /// What should be there.
    pub expected: u64,
    /// What is there.
    pub found: u64,
    /// The name of a budget, or of an argument.
    pub subject: [c_char; WASM_ARENA_SUBJECT_SIZE],
    /// All of it in words, in English, without an end of line. Cut, with an ellipsis, if it does
    /// not fit.
    pub message: [c_char; WASM_ARENA_MESSAGE_SIZE],
}

const _: () = assert!(size_of::<wasm_arena_error_t>() == 440);
const _: () = assert!(core::mem::offset_of!(wasm_arena_error_t, requested) == 48);
const _: () = assert!(core::mem::offset_of!(wasm_arena_error_t, subject) == 136);

/// The request was refused by the operating system, with an error number.
pub const WASM_ARENA_REASON_ERRNO: i32 = 0;
/// A fixed memory has no such run left. `available`: bytes of the longest free run.
pub const WASM_ARENA_REASON_OUT_OF_PAGES: i32 = 1;
/// The address or the length is no multiple of the page size. `limit`: the page size.
pub const WASM_ARENA_REASON_MISALIGNED: i32 = 2;
/// The length is zero.
pub const WASM_ARENA_REASON_ZERO_LENGTH: i32 = 3;
/// This platform has nothing for this request.
pub const WASM_ARENA_REASON_UNSUPPORTED: i32 = 4;
/// The storage of a fixed memory belongs to another one.
pub const WASM_ARENA_REASON_ALREADY_CLAIMED: i32 = 5;
/// The range is no live run.
pub const WASM_ARENA_REASON_NOT_A_RUN: i32 = 6;
/// A test asked for this failure.
pub const WASM_ARENA_REASON_INJECTED: i32 = 7;
/// None of the others.
pub const WASM_ARENA_REASON_UNKNOWN: i32 = 255;

/// Private, writable memory of the process (`RLIMIT_DATA`).
pub const WASM_ARENA_RESOURCE_DATA: i32 = 0;
/// Address space of the process (`RLIMIT_AS`).
pub const WASM_ARENA_RESOURCE_ADDRESS_SPACE: i32 = 1;
/// Memory locked by the process (`RLIMIT_MEMLOCK`).
pub const WASM_ARENA_RESOURCE_LOCKED_MEMORY: i32 = 2;
/// The memory of the machine.
pub const WASM_ARENA_RESOURCE_PHYSICAL_MEMORY: i32 = 3;
/// None of the others.
pub const WASM_ARENA_RESOURCE_UNKNOWN: i32 = 255;

/// The verification level.
pub const WASM_ARENA_RECORD_LEVEL: i32 = 0;
/// The address of the first byte.
pub const WASM_ARENA_RECORD_BASE: i32 = 1;
/// The size.
pub const WASM_ARENA_RECORD_SIZE: i32 = 2;
/// The size of a block.
pub const WASM_ARENA_RECORD_BLOCK_SIZE: i32 = 3;
/// The address of the second copy.
pub const WASM_ARENA_RECORD_MIRROR: i32 = 4;
/// The checksum of a block.
pub const WASM_ARENA_RECORD_CHECKSUM: i32 = 5;
/// None of the others.
pub const WASM_ARENA_RECORD_UNKNOWN: i32 = 255;

/// No number at all.
const NOTHING: i32 = -1;

impl wasm_arena_error_t {
    const EMPTY: Self = Self {
        status: WASM_ARENA_OK,
        os_errno: 0,
        os_call: NOTHING,
        os_reason: NOTHING,
        option: NOTHING,
        resource: NOTHING,
        record: NOTHING,
        repaired: 0,
        stored: 0,
        second: 0,
        computed: 0,
        reserved: 0,
        requested: 0,
        minimum: 0,
        limit: 0,
        available: 0,
        offset: 0,
        length: 0,
        size: 0,
        address: 0,
        block: 0,
        expected: 0,
        found: 0,
        subject: [0; WASM_ARENA_SUBJECT_SIZE],
        message: [0; WASM_ARENA_MESSAGE_SIZE],
    };

    fn with(status: wasm_arena_status_t) -> Self {
        Self {
            status,
            ..Self::EMPTY
        }
    }

    /// What was refused, or found, last; empty if nothing was.
    pub(crate) fn of_last(failure: Option<&Failure>) -> Self {
        failure.map_or(Self::EMPTY, Self::from)
    }

    fn about(mut self, subject: &str) -> Self {
        text::write(&mut self.subject, &subject);
        self
    }
}

impl From<&Failure> for wasm_arena_error_t {
    fn from(failure: &Failure) -> Self {
        let mut error = numbers(failure);
        text::write(&mut error.message, failure);
        error
    }
}

fn numbers(failure: &Failure) -> wasm_arena_error_t {
    let with = wasm_arena_error_t::with;
    match *failure {
        Failure::NullArgument { argument } => with(WASM_ARENA_ERROR_NULL_ARGUMENT).about(argument),
        Failure::InvalidArgument { argument, value } => wasm_arena_error_t {
            requested: value,
            ..with(WASM_ARENA_ERROR_INVALID_ARGUMENT).about(argument)
        },
        Failure::StructSize {
            name,
            size,
            expected,
        } => wasm_arena_error_t {
            requested: size as u64,
            limit: expected as u64,
            ..with(WASM_ARENA_ERROR_STRUCT_SIZE).about(name)
        },
        Failure::InvalidHandle { argument, number } => wasm_arena_error_t {
            address: number as u64,
            ..with(WASM_ARENA_ERROR_INVALID_HANDLE).about(argument)
        },
        Failure::StaleHandle { argument } => with(WASM_ARENA_ERROR_STALE_HANDLE).about(argument),
        Failure::WrongHandleKind { argument, .. } => {
            with(WASM_ARENA_ERROR_HANDLE_KIND).about(argument)
        }
        Failure::InUse { argument } => with(WASM_ARENA_ERROR_IN_USE).about(argument),
        Failure::StillReferenced {
            argument,
            references,
        } => wasm_arena_error_t {
            available: references as u64,
            ..with(WASM_ARENA_ERROR_STILL_REFERENCED).about(argument)
        },
        Failure::Lent { argument } => with(WASM_ARENA_ERROR_LENT).about(argument),
        Failure::OutOfHandles { limit } => wasm_arena_error_t {
            limit: limit as u64,
            ..with(WASM_ARENA_ERROR_OUT_OF_HANDLES)
        },
        Failure::Busy => with(WASM_ARENA_ERROR_BUSY),
        Failure::NoSuchOption { option } => wasm_arena_error_t {
            option: option_number(option),
            ..with(WASM_ARENA_ERROR_NO_SUCH_OPTION)
        },
        Failure::BudgetExceeded {
            ref name,
            requested,
            available,
            limit,
        } => wasm_arena_error_t {
            requested: requested as u64,
            available: available as u64,
            limit: limit as u64,
            ..with(WASM_ARENA_ERROR_BUDGET_EXCEEDED).about(name.as_str())
        },
        Failure::Alloc(error) => of_memory(&error),
        Failure::Heap(error) => of_heap(&error),
        Failure::Integrity(error) => of_contents(&error),
    }
}
