//! Every error of the library has a status, with its numbers and its text.

use super::of_contents::record_number;
use super::of_memory::{of_the_system, resource_number};
use super::*;
use arena_heap::{BandConfig, ConfigError, HeapError};
use os::{Errno, OsCall, OsError, Reason, Resource};
use std::collections::BTreeSet;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;
use wasm_arena::{AllocError, BookkeepingRecord, ConfigOption, IntegrityError, VerificationLevel};

const OS: OsError = OsError {
    call: OsCall::Commit,
    address: 0x7000,
    len: 0x2000,
    reason: Reason::Errno(Errno(12)),
};

/// The names of the variants of an enum, read from its source: for enums that other crates may not
/// match to the end.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let head = format!("pub enum {name} {{\n");
    let (_, body) = source.split_once(&head).expect("the enum is there");
    let (body, _) = body.split_once("\n}\n").expect("it ends");
    let variants: BTreeSet<_> = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(|line| line.split([' ', '(', ',', '{']).next().unwrap().into())
        .collect();
    assert!(variants.len() > 2, "{name}: {variants:?}");
    variants
}

/// Sees that the values given are one of each variant.
fn complete<T: core::fmt::Debug>(values: &[T], source: &str, name: &str) {
    let given: BTreeSet<String> = values
        .iter()
        .map(|value| {
            let text = format!("{value:?}");
            text.split([' ', '(', '{']).next().unwrap().to_string()
        })
        .collect();
    assert_eq!(given, variants(source, name), "{name}");
}

const MEMORY_ERRORS: &str = include_str!("../../../wasm-arena/src/error.rs");
const INTEGRITY_ERRORS: &str = include_str!("../../../wasm-arena/src/integrity/error.rs");
const HEAP_ERRORS: &str = include_str!("../../../arena-heap/src/error.rs");
const HEAP_CONFIG: &str = include_str!("../../../arena-heap/src/config.rs");
const OS_ERRORS: &str = include_str!("../../../os/src/error.rs");
const OS_LIMITS: &str = include_str!("../../../os/src/limits.rs");

fn heap_errors() -> Vec<HeapError> {
    vec![
        HeapError::TooLarge {
            size: 1,
            align: 2,
            maximum: 3,
        },
        HeapError::OutOfMemory {
            size: 1,
            source: OS,
        },
        HeapError::NotABlock { address: 1 },
        HeapError::AlreadyFree { address: 1 },
        HeapError::Damaged { address: 1 },
    ]
}

fn config_errors() -> Vec<ConfigError> {
    let bands = BandConfig::parse("2:64,8,0:32,8,0").unwrap_err();
    vec![
        ConfigError::ArenaSize {
            bytes: 1,
            minimum: 2,
            maximum: 3,
        },
        ConfigError::ArenaSizeMultiple {
            bytes: 1,
            page_size: 2,
        },
        ConfigError::Preallocate {
            bytes: 1,
            maximum: 2,
        },
        ConfigError::Bands(bands),
        ConfigError::BandsInUse,
        ConfigError::Preallocation(OS),
    ]
}

fn memory_errors() -> Vec<AllocError> {
    vec![
        AllocError::AlreadyAllocated { size: 1 },
        AllocError::NotAllocated,
        AllocError::MaximumBelowInitial {
            initial: 2,
            maximum: 1,
        },
        AllocError::BeyondMaximum {
            requested: 2,
            maximum: 1,
        },
        AllocError::PageCountMismatch {
            given: 1,
            actual: 2,
        },
        AllocError::TooLarge { bytes: u64::MAX },
        AllocError::NoMaximum,
        AllocError::NoRoom {
            requested: 2,
            capacity: 1,
        },
        AllocError::BudgetExceeded {
            budget: "plugins",
            requested: 3,
            available: 2,
            limit: 9,
        },
        AllocError::BeyondResourceLimit {
            resource: Resource::Data,
            requested: 3,
            held: 2,
            limit: 4,
        },
        AllocError::BeyondBlockLimit {
            requested: 2,
            limit: 1,
        },
        AllocError::Os(OS),
        AllocError::Heap(HeapError::Damaged { address: 1 }),
        AllocError::HeapConfiguration(ConfigError::BandsInUse),
        AllocError::Sealed {
            needed: OsCall::Commit,
        },
        AllocError::OutOfRange {
            offset: 1,
            len: 2,
            size: 2,
        },
        AllocError::Misaligned {
            value: 1,
            page_size: 4096,
        },
        AllocError::WriteAndExecute,
        AllocError::Protected { offset: 7 },
        AllocError::TooManyProtections { limit: 8 },
        AllocError::InvalidOption {
            option: ConfigOption::ArenaSize,
            value: 1,
            minimum: 2,
            maximum: 3,
        },
        AllocError::PartialConfiguration {
            option: ConfigOption::LifoFree,
        },
        AllocError::GuardDamaged { address: 1 },
        AllocError::BookkeepingDamaged,
        AllocError::ContentsDamaged {
            offset: 1,
            address: 4097,
            found: 8,
        },
    ]
}

fn integrity_errors() -> Vec<IntegrityError> {
    vec![
        IntegrityError::OutOfRange {
            offset: 1,
            len: 2,
            size: 2,
        },
        IntegrityError::Protected { offset: 7 },
        IntegrityError::Misaligned {
            address: 1,
            len: 2,
            word: 8,
        },
        IntegrityError::NoTable,
        IntegrityError::TableTooSmall {
            entries: 1,
            blocks: 2,
        },
        IntegrityError::InvalidBlockSize {
            block_size: 3,
            minimum: 64,
        },
        IntegrityError::SizeChanged {
            covered: 1,
            size: 2,
        },
        IntegrityError::MirrorTooSmall { mirror: 1, size: 2 },
        IntegrityError::BlockDamaged {
            block: 1,
            offset: 64,
            len: 64,
            stored: 1,
            computed: 2,
            repaired: true,
        },
        IntegrityError::ChecksumDamaged {
            block: 1,
            offset: 64,
            stored: 1,
            second: 2,
            computed: 3,
            repaired: false,
        },
        IntegrityError::MirrorDamaged {
            block: 1,
            offset: 64,
            first_difference: 65,
            repaired: true,
        },
        IntegrityError::BookkeepingDamaged {
            record: BookkeepingRecord::Size,
            value: 1,
            inverse: 2,
        },
        IntegrityError::ReadBackFailed {
            offset: 8,
            written: 1,
            found: 2,
        },
        IntegrityError::DetectorFailed {
            record: BookkeepingRecord::Checksum,
            bit: 31,
        },
        IntegrityError::Contended { tries: 16 },
        IntegrityError::NotVerifying,
        IntegrityError::Growth(AllocError::NoMaximum),
    ]
}

fn message(error: &wasm_arena_error_t) -> String {
    let bytes = error.message.iter().map(|byte| byte.to_ne_bytes()[0]);
    String::from_utf8(bytes.take_while(|&byte| byte != 0).collect()).unwrap()
}

#[test]
fn every_variant_has_a_status_and_its_message() {
    complete(&memory_errors(), MEMORY_ERRORS, "AllocError");
    complete(&integrity_errors(), INTEGRITY_ERRORS, "IntegrityError");
    complete(&heap_errors(), HEAP_ERRORS, "HeapError");
    complete(&config_errors(), HEAP_CONFIG, "ConfigError");
    let mut all: Vec<(Failure, String)> = Vec::new();
    for error in memory_errors() {
        all.push((error.into(), error.to_string()));
    }
    for error in integrity_errors() {
        all.push((error.into(), error.to_string()));
    }
    for error in heap_errors() {
        all.push((error.into(), error.to_string()));
        let within = AllocError::from(error);
        all.push((within.into(), within.to_string()));
    }
    for error in config_errors() {
        let within = AllocError::from(error);
        all.push((within.into(), within.to_string()));
        let kept = AllocError::HeapConfiguration(error);
        all.push((kept.into(), kept.to_string()));
    }
    let mut seen = BTreeSet::new();
    for (failure, text) in &all {
        let error = wasm_arena_error_t::from(failure);
        assert_ne!(error.status, WASM_ARENA_OK, "{text}");
        assert_ne!(error.status, WASM_ARENA_ERROR_UNKNOWN, "{text}");
        assert!(find(error.status).is_some(), "{text}");
        assert_eq!(&message(&error), text);
        seen.insert(error.status);
    }
    // And no status of these kinds is there for nothing.
    for entry in ALL.iter().filter(|entry| entry.status >= 100) {
        assert!(seen.contains(&entry.status), "{:?}", entry.name);
    }
}

#[test]
fn every_value_of_every_enumeration_has_a_number() {
    let reasons = [
        Reason::Errno(Errno(12)),
        Reason::OutOfPages { longest_free: 1 },
        Reason::Misaligned { page_size: 1 },
        Reason::ZeroLength,
        Reason::Unsupported,
        Reason::AlreadyClaimed,
        Reason::NotARun,
        Reason::Injected,
    ];
    complete(&reasons, OS_ERRORS, "Reason");
    for (number, reason) in (0..).zip(reasons) {
        assert_eq!(of_the_system(&OsError { reason, ..OS }).os_reason, number);
    }
    let resources = [
        Resource::Data,
        Resource::AddressSpace,
        Resource::LockedMemory,
        Resource::PhysicalMemory,
    ];
    complete(&resources, OS_LIMITS, "Resource");
    for (number, resource) in (0..).zip(resources) {
        assert_eq!(resource_number(resource), number);
    }
    let records = [
        BookkeepingRecord::Level,
        BookkeepingRecord::Base,
        BookkeepingRecord::Size,
        BookkeepingRecord::BlockSize,
        BookkeepingRecord::Mirror,
        BookkeepingRecord::Checksum,
    ];
    complete(&records, INTEGRITY_ERRORS, "BookkeepingRecord");
    for (number, record) in (0..).zip(records) {
        assert_eq!(record_number(record), number);
    }
    // These know all their values themselves.
    assert!(
        VerificationLevel::ALL
            .map(crate::numbers::level_number)
            .is_sorted()
    );
}

#[test]
fn numbers_are_where_the_status_says() {
    let error = wasm_arena_error_t::from(&Failure::from(memory_errors()[8]));
    assert_eq!(error.status, WASM_ARENA_ERROR_BUDGET_EXCEEDED);
    assert_eq!((error.requested, error.available, error.limit), (3, 2, 9));
    let subject = error.subject.map(|byte| byte.to_ne_bytes()[0]);
    assert_eq!(&subject[..8], b"plugins\0");
    assert_eq!((error.os_call, error.option), (-1, -1));

    let error = wasm_arena_error_t::from(&Failure::from(OS));
    assert_eq!(error.status, WASM_ARENA_ERROR_OS);
    assert_eq!(
        (error.os_errno, error.os_reason),
        (12, WASM_ARENA_REASON_ERRNO)
    );
    assert_eq!((error.address, error.length), (0x7000, 0x2000));
    assert_eq!(error.os_call, crate::numbers::WASM_ARENA_CALL_COMMIT);

    let error = wasm_arena_error_t::from(&Failure::from(integrity_errors()[9]));
    assert_eq!(
        (error.stored, error.second, error.computed, error.repaired),
        (1, 2, 3, 0)
    );
    assert_eq!((error.block, error.offset), (1, 64));
}
