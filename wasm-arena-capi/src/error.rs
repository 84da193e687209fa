//! Failures as C sees them: a status, the numbers that matter, and a text.
//!
//! One place decides which number goes where. What a field means for a status is said with the
//! status, in `status`.
#![forbid(unsafe_code)]

use core::ffi::c_char;

use arena_heap::{ConfigError, HeapError};
use os::{OsError, Reason, Resource};
use wasm_arena::{AllocError, BookkeepingRecord, ConfigOption, IntegrityError};

use crate::failure::Failure;
use crate::numbers::{call_number, option_number};
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
    pub(crate) const EMPTY: Self = Self {
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

fn of_memory(error: &AllocError) -> wasm_arena_error_t {
    let with = wasm_arena_error_t::with;
    match *error {
        AllocError::AlreadyAllocated { size } => wasm_arena_error_t {
            size: size as u64,
            ..with(WASM_ARENA_ERROR_ALREADY_ALLOCATED)
        },
        AllocError::NotAllocated => with(WASM_ARENA_ERROR_NOT_ALLOCATED),
        AllocError::MaximumBelowInitial { initial, maximum } => wasm_arena_error_t {
            requested: initial as u64,
            limit: maximum as u64,
            ..with(WASM_ARENA_ERROR_MAXIMUM_BELOW_INITIAL)
        },
        AllocError::BeyondMaximum { requested, maximum } => wasm_arena_error_t {
            requested,
            limit: maximum as u64,
            ..with(WASM_ARENA_ERROR_BEYOND_MAXIMUM)
        },
        AllocError::PageCountMismatch { given, actual } => wasm_arena_error_t {
            requested: u64::from(given),
            available: u64::from(actual),
            ..with(WASM_ARENA_ERROR_PAGE_COUNT_MISMATCH)
        },
        AllocError::TooLarge { bytes } => wasm_arena_error_t {
            requested: bytes,
            limit: isize::MAX as u64,
            ..with(WASM_ARENA_ERROR_TOO_LARGE)
        },
        AllocError::NoMaximum => with(WASM_ARENA_ERROR_NO_MAXIMUM),
        AllocError::NoRoom {
            requested,
            capacity,
        } => wasm_arena_error_t {
            requested: requested as u64,
            limit: capacity as u64,
            ..with(WASM_ARENA_ERROR_NO_ROOM)
        },
        // A name that lives elsewhere: see the failure of this name.
        error @ AllocError::BudgetExceeded { .. } => numbers(&error.into()),
        AllocError::BeyondResourceLimit {
            resource,
            requested,
            held,
            limit,
        } => wasm_arena_error_t {
            resource: resource_number(resource),
            requested: requested as u64,
            size: held as u64,
            limit,
            ..with(WASM_ARENA_ERROR_RESOURCE_LIMIT)
        },
        AllocError::BeyondBlockLimit { requested, limit } => wasm_arena_error_t {
            requested: requested as u64,
            limit: limit as u64,
            ..with(WASM_ARENA_ERROR_BLOCK_LIMIT)
        },
        AllocError::Os(error) => of_the_system(&error),
        AllocError::Heap(error) => of_heap(&error),
        AllocError::HeapConfiguration(error) => of_heap_configuration(&error),
        AllocError::Sealed { needed } => wasm_arena_error_t {
            os_call: call_number(needed),
            ..with(WASM_ARENA_ERROR_SEALED)
        },
        AllocError::OutOfRange { offset, len, size } => out_of_range(offset, len, size),
        AllocError::Misaligned { value, page_size } => misaligned(value, page_size),
        AllocError::WriteAndExecute => with(WASM_ARENA_ERROR_WRITE_AND_EXECUTE),
        AllocError::Protected { offset } => protected(offset),
        AllocError::TooManyProtections { limit } => wasm_arena_error_t {
            limit: limit as u64,
            ..with(WASM_ARENA_ERROR_TOO_MANY_PROTECTIONS)
        },
        AllocError::InvalidOption {
            option,
            value,
            minimum,
            maximum,
        } => invalid_option(option, value, minimum, maximum),
        AllocError::PartialConfiguration { option } => wasm_arena_error_t {
            option: option_number(option),
            ..with(WASM_ARENA_ERROR_PARTIAL_CONFIGURATION)
        },
        AllocError::GuardDamaged { address } => wasm_arena_error_t {
            address: address as u64,
            ..with(WASM_ARENA_ERROR_GUARD_DAMAGED)
        },
        AllocError::BookkeepingDamaged => with(WASM_ARENA_ERROR_BOOKKEEPING_DAMAGED),
        AllocError::ContentsDamaged {
            offset,
            address,
            found,
        } => wasm_arena_error_t {
            offset: offset as u64,
            address: address as u64,
            found,
            ..with(WASM_ARENA_ERROR_CONTENTS_DAMAGED)
        },
        // A test reads the enum's source, so that none ends up here.
        _ => with(WASM_ARENA_ERROR_UNKNOWN),
    }
}

fn of_the_system(error: &OsError) -> wasm_arena_error_t {
    let mut result = wasm_arena_error_t {
        os_call: call_number(error.call),
        address: error.address as u64,
        length: error.len as u64,
        ..wasm_arena_error_t::with(WASM_ARENA_ERROR_OS)
    };
    result.os_reason = match error.reason {
        Reason::Errno(errno) => {
            result.os_errno = errno.0;
            WASM_ARENA_REASON_ERRNO
        }
        Reason::OutOfPages { longest_free } => {
            result.available = longest_free as u64;
            WASM_ARENA_REASON_OUT_OF_PAGES
        }
        Reason::Misaligned { page_size } => {
            result.limit = page_size as u64;
            WASM_ARENA_REASON_MISALIGNED
        }
        Reason::ZeroLength => WASM_ARENA_REASON_ZERO_LENGTH,
        Reason::Unsupported => WASM_ARENA_REASON_UNSUPPORTED,
        Reason::AlreadyClaimed => WASM_ARENA_REASON_ALREADY_CLAIMED,
        Reason::NotARun => WASM_ARENA_REASON_NOT_A_RUN,
        Reason::Injected => WASM_ARENA_REASON_INJECTED,
        _ => WASM_ARENA_REASON_UNKNOWN,
    };
    result
}

fn of_heap(error: &HeapError) -> wasm_arena_error_t {
    let with = wasm_arena_error_t::with;
    match *error {
        HeapError::TooLarge {
            size,
            align,
            maximum,
        } => wasm_arena_error_t {
            requested: size as u64,
            length: align as u64,
            limit: maximum as u64,
            ..with(WASM_ARENA_ERROR_HEAP_TOO_LARGE)
        },
        HeapError::OutOfMemory { size, source } => wasm_arena_error_t {
            requested: size as u64,
            ..of_the_system(&source)
        },
        HeapError::NotABlock { address } => wasm_arena_error_t {
            address: address as u64,
            ..with(WASM_ARENA_ERROR_HEAP_NOT_A_BLOCK)
        },
        HeapError::AlreadyFree { address } => wasm_arena_error_t {
            address: address as u64,
            ..with(WASM_ARENA_ERROR_HEAP_ALREADY_FREE)
        },
        HeapError::Damaged { address } => wasm_arena_error_t {
            address: address as u64,
            ..with(WASM_ARENA_ERROR_HEAP_DAMAGED)
        },
        _ => with(WASM_ARENA_ERROR_UNKNOWN),
    }
}

fn of_heap_configuration(error: &ConfigError) -> wasm_arena_error_t {
    match *error {
        ConfigError::ArenaSize {
            bytes,
            minimum,
            maximum,
        } => invalid_option(ConfigOption::ArenaSize, bytes, minimum, maximum),
        ConfigError::ArenaSizeMultiple { bytes, page_size } => wasm_arena_error_t {
            option: option_number(ConfigOption::ArenaSize),
            ..misaligned(bytes, page_size)
        },
        ConfigError::Preallocate { bytes, maximum } => {
            invalid_option(ConfigOption::Preallocate, bytes, 0, maximum)
        }
        ConfigError::Bands(_) => wasm_arena_error_t::with(WASM_ARENA_ERROR_HEAP_BANDS),
        ConfigError::BandsInUse => wasm_arena_error_t::with(WASM_ARENA_ERROR_HEAP_BANDS_IN_USE),
        ConfigError::Preallocation(error) => of_the_system(&error),
        _ => wasm_arena_error_t::with(WASM_ARENA_ERROR_UNKNOWN),
    }
}

fn of_contents(error: &IntegrityError) -> wasm_arena_error_t {
    let with = wasm_arena_error_t::with;
    match *error {
        IntegrityError::OutOfRange { offset, len, size } => out_of_range(offset, len, size),
        IntegrityError::Protected { offset } => protected(offset),
        IntegrityError::Misaligned { address, len, word } => wasm_arena_error_t {
            address: address as u64,
            length: len as u64,
            limit: word as u64,
            ..with(WASM_ARENA_ERROR_NOT_WHOLE_WORDS)
        },
        IntegrityError::NoTable => with(WASM_ARENA_ERROR_NO_TABLE),
        IntegrityError::TableTooSmall { entries, blocks } => wasm_arena_error_t {
            available: entries as u64,
            requested: blocks as u64,
            ..with(WASM_ARENA_ERROR_TABLE_TOO_SMALL)
        },
        IntegrityError::InvalidBlockSize {
            block_size,
            minimum,
        } => wasm_arena_error_t {
            requested: block_size as u64,
            minimum: minimum as u64,
            ..with(WASM_ARENA_ERROR_INVALID_BLOCK_SIZE)
        },
        IntegrityError::SizeChanged { covered, size } => wasm_arena_error_t {
            expected: covered as u64,
            size: size as u64,
            ..with(WASM_ARENA_ERROR_SIZE_CHANGED)
        },
        IntegrityError::MirrorTooSmall { mirror, size } => wasm_arena_error_t {
            available: mirror as u64,
            size: size as u64,
            ..with(WASM_ARENA_ERROR_MIRROR_TOO_SMALL)
        },
        IntegrityError::BlockDamaged {
            block,
            offset,
            len,
            stored,
            computed,
            repaired,
        } => wasm_arena_error_t {
            block: block as u64,
            offset: offset as u64,
            length: len as u64,
            stored,
            computed,
            repaired: u32::from(repaired),
            ..with(WASM_ARENA_ERROR_BLOCK_DAMAGED)
        },
        IntegrityError::ChecksumDamaged {
            block,
            offset,
            stored,
            second,
            computed,
            repaired,
        } => wasm_arena_error_t {
            block: block as u64,
            offset: offset as u64,
            stored,
            second,
            computed,
            repaired: u32::from(repaired),
            ..with(WASM_ARENA_ERROR_CHECKSUM_DAMAGED)
        },
        IntegrityError::MirrorDamaged {
            block,
            offset,
            first_difference,
            repaired,
        } => wasm_arena_error_t {
            block: block as u64,
            offset: offset as u64,
            found: first_difference as u64,
            repaired: u32::from(repaired),
            ..with(WASM_ARENA_ERROR_MIRROR_DAMAGED)
        },
        IntegrityError::BookkeepingDamaged {
            record,
            value,
            inverse,
        } => wasm_arena_error_t {
            record: record_number(record),
            found: value as u64,
            expected: inverse as u64,
            ..with(WASM_ARENA_ERROR_INTEGRITY_BOOKKEEPING)
        },
        IntegrityError::ReadBackFailed {
            offset,
            written,
            found,
        } => wasm_arena_error_t {
            offset: offset as u64,
            expected: written,
            found,
            ..with(WASM_ARENA_ERROR_READ_BACK)
        },
        IntegrityError::DetectorFailed { record, bit } => wasm_arena_error_t {
            record: record_number(record),
            found: u64::from(bit),
            ..with(WASM_ARENA_ERROR_DETECTOR_FAILED)
        },
        IntegrityError::Contended { tries } => wasm_arena_error_t {
            limit: tries as u64,
            ..with(WASM_ARENA_ERROR_CONTENDED)
        },
        IntegrityError::NotVerifying => with(WASM_ARENA_ERROR_NOT_VERIFYING),
        IntegrityError::Growth(error) => of_memory(&error),
        _ => with(WASM_ARENA_ERROR_UNKNOWN),
    }
}

fn out_of_range(offset: usize, len: usize, size: usize) -> wasm_arena_error_t {
    wasm_arena_error_t {
        offset: offset as u64,
        length: len as u64,
        size: size as u64,
        ..wasm_arena_error_t::with(WASM_ARENA_ERROR_OUT_OF_RANGE)
    }
}

fn protected(offset: usize) -> wasm_arena_error_t {
    wasm_arena_error_t {
        offset: offset as u64,
        ..wasm_arena_error_t::with(WASM_ARENA_ERROR_PROTECTED)
    }
}

fn misaligned(value: usize, page_size: usize) -> wasm_arena_error_t {
    wasm_arena_error_t {
        requested: value as u64,
        limit: page_size as u64,
        ..wasm_arena_error_t::with(WASM_ARENA_ERROR_MISALIGNED)
    }
}

fn invalid_option(
    option: ConfigOption,
    value: usize,
    minimum: usize,
    maximum: usize,
) -> wasm_arena_error_t {
    wasm_arena_error_t {
        option: option_number(option),
        requested: value as u64,
        minimum: minimum as u64,
        limit: maximum as u64,
        ..wasm_arena_error_t::with(WASM_ARENA_ERROR_INVALID_OPTION)
    }
}

const fn resource_number(resource: Resource) -> i32 {
    match resource {
        Resource::Data => WASM_ARENA_RESOURCE_DATA,
        Resource::AddressSpace => WASM_ARENA_RESOURCE_ADDRESS_SPACE,
        Resource::LockedMemory => WASM_ARENA_RESOURCE_LOCKED_MEMORY,
        Resource::PhysicalMemory => WASM_ARENA_RESOURCE_PHYSICAL_MEMORY,
        _ => WASM_ARENA_RESOURCE_UNKNOWN,
    }
}

const fn record_number(record: BookkeepingRecord) -> i32 {
    match record {
        BookkeepingRecord::Level => WASM_ARENA_RECORD_LEVEL,
        BookkeepingRecord::Base => WASM_ARENA_RECORD_BASE,
        BookkeepingRecord::Size => WASM_ARENA_RECORD_SIZE,
        BookkeepingRecord::BlockSize => WASM_ARENA_RECORD_BLOCK_SIZE,
        BookkeepingRecord::Mirror => WASM_ARENA_RECORD_MIRROR,
        BookkeepingRecord::Checksum => WASM_ARENA_RECORD_CHECKSUM,
        _ => WASM_ARENA_RECORD_UNKNOWN,
    }
}

#[cfg(test)]
mod tests;
