//! The numbers of an allocator's errors, a heap's and the operating system's.
#![forbid(unsafe_code)]

use arena_heap::{ConfigError, HeapError};
use os::{OsError, Reason, Resource};
use wasm_arena::{AllocError, ConfigOption};

use super::*;
use crate::numbers::call_number;

pub(super) fn of_memory(error: &AllocError) -> wasm_arena_error_t {
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

pub(super) fn of_the_system(error: &OsError) -> wasm_arena_error_t {
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

pub(super) fn of_heap(error: &HeapError) -> wasm_arena_error_t {
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

pub(super) fn out_of_range(offset: usize, len: usize, size: usize) -> wasm_arena_error_t {
    wasm_arena_error_t {
        offset: offset as u64,
        length: len as u64,
        size: size as u64,
        ..wasm_arena_error_t::with(WASM_ARENA_ERROR_OUT_OF_RANGE)
    }
}

pub(super) fn protected(offset: usize) -> wasm_arena_error_t {
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

pub(super) const fn resource_number(resource: Resource) -> i32 {
    match resource {
        Resource::Data => WASM_ARENA_RESOURCE_DATA,
        Resource::AddressSpace => WASM_ARENA_RESOURCE_ADDRESS_SPACE,
        Resource::LockedMemory => WASM_ARENA_RESOURCE_LOCKED_MEMORY,
        Resource::PhysicalMemory => WASM_ARENA_RESOURCE_PHYSICAL_MEMORY,
        _ => WASM_ARENA_RESOURCE_UNKNOWN,
    }
}
