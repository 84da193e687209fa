//! The numbers of errors about contents: checksums, second copies, bookkeeping.
#![forbid(unsafe_code)]

use wasm_arena::{BookkeepingRecord, IntegrityError};

use super::of_memory::{out_of_range, protected};
use super::*;

pub(super) fn of_contents(error: &IntegrityError) -> wasm_arena_error_t {
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

pub(super) const fn record_number(record: BookkeepingRecord) -> i32 {
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
