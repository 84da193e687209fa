//! The status codes: every function answers with one.
//!
//! Numbers are stable: 1 to 99 are the C interface's own, from 100 on they are of memories, from 200
//! on of checked contents.
#![forbid(unsafe_code)]

use core::ffi::CStr;

/// What came of a call: `WASM_ARENA_OK`, or an error. The fields of `wasm_arena_error_t` that an
/// error fills are named with it; the others are zero, or -1 where that is said there.
pub type wasm_arena_status_t = i32;

/// Success.
pub const WASM_ARENA_OK: wasm_arena_status_t = 0;
/// An argument that must not be null is null; `subject` names it.
pub const WASM_ARENA_ERROR_NULL_ARGUMENT: wasm_arena_status_t = 1;
/// An argument, or a field of a struct, has a value that means nothing; `subject` names it,
/// `requested` is the value.
pub const WASM_ARENA_ERROR_INVALID_ARGUMENT: wasm_arena_status_t = 2;
/// A struct of options was not initialised by its function, or is one of another version of this
/// header. `subject`: its name; `requested`: its size as it says; `limit`: as it should be, in
/// bytes.
pub const WASM_ARENA_ERROR_STRUCT_SIZE: wasm_arena_status_t = 3;
/// An argument never was a handle. `subject` names it; `address` is the value.
pub const WASM_ARENA_ERROR_INVALID_HANDLE: wasm_arena_status_t = 4;
/// The handle was destroyed already. `subject` names the argument.
pub const WASM_ARENA_ERROR_STALE_HANDLE: wasm_arena_status_t = 5;
/// The handle stands for something else. `subject` names the argument.
pub const WASM_ARENA_ERROR_HANDLE_KIND: wasm_arena_status_t = 6;
/// Another thread uses the handle at this moment, and the function needs it alone (or the other way
/// round). `subject` names the argument. Nothing waits: handles that belong to one thread at a time
/// never get this.
pub const WASM_ARENA_ERROR_IN_USE: wasm_arena_status_t = 7;
/// Memories, budgets or hooks still depend on what was to be destroyed. `available`: how many.
pub const WASM_ARENA_ERROR_STILL_REFERENCED: wasm_arena_status_t = 8;
/// The memory is under atomic operations until these are closed.
pub const WASM_ARENA_ERROR_LENT: wasm_arena_status_t = 9;
/// There are too many handles. `limit`: the greatest number at a time.
pub const WASM_ARENA_ERROR_OUT_OF_HANDLES: wasm_arena_status_t = 10;
/// The register of live memories is being changed at this moment; ask again.
pub const WASM_ARENA_ERROR_BUSY: wasm_arena_status_t = 11;
/// The object has no such option. `option`.
pub const WASM_ARENA_ERROR_NO_SUCH_OPTION: wasm_arena_status_t = 12;
/// An error of the library that this version of the C interface has no code for; `message` tells
/// it.
pub const WASM_ARENA_ERROR_UNKNOWN: wasm_arena_status_t = 13;
/// There is a memory already; free it first. `size`: its bytes.
pub const WASM_ARENA_ERROR_ALREADY_ALLOCATED: wasm_arena_status_t = 100;
/// There is no memory.
pub const WASM_ARENA_ERROR_NOT_ALLOCATED: wasm_arena_status_t = 101;
/// `requested`: the initial size; `limit`: the maximum; in bytes.
pub const WASM_ARENA_ERROR_MAXIMUM_BELOW_INITIAL: wasm_arena_status_t = 102;
/// `requested`: the size asked for; `limit`: the maximum; in bytes.
pub const WASM_ARENA_ERROR_BEYOND_MAXIMUM: wasm_arena_status_t = 103;
/// `requested`: the Wasm pages the caller named; `available`: those the memory has.
pub const WASM_ARENA_ERROR_PAGE_COUNT_MISMATCH: wasm_arena_status_t = 104;
/// `requested`: bytes; `limit`: the most there can be.
pub const WASM_ARENA_ERROR_TOO_LARGE: wasm_arena_status_t = 105;
/// The growth policy reserves the maximum, and there is none.
pub const WASM_ARENA_ERROR_NO_MAXIMUM: wasm_arena_status_t = 106;
/// `requested`: the size asked for; `limit`: the size up to which there is room; in bytes.
pub const WASM_ARENA_ERROR_NO_ROOM: wasm_arena_status_t = 107;
/// `subject`: the name of the budget that refused; `requested`, `available`, `limit`: bytes.
pub const WASM_ARENA_ERROR_BUDGET_EXCEEDED: wasm_arena_status_t = 108;
/// `resource`; `requested`, `limit`, and `size`, which these arenas hold already: bytes.
pub const WASM_ARENA_ERROR_RESOURCE_LIMIT: wasm_arena_status_t = 109;
/// `requested`, `limit`: bytes.
pub const WASM_ARENA_ERROR_BLOCK_LIMIT: wasm_arena_status_t = 110;
/// The operating system, or its C library's heap, refused. `os_call`, `os_reason`, `os_errno`;
/// `address` and `length` of what it was about; `requested`: bytes asked of a heap, if it was one.
pub const WASM_ARENA_ERROR_OS: wasm_arena_status_t = 111;
/// Sealed, and it would need the call `os_call`.
pub const WASM_ARENA_ERROR_SEALED: wasm_arena_status_t = 112;
/// `offset`, `length`, `size`: bytes.
pub const WASM_ARENA_ERROR_OUT_OF_RANGE: wasm_arena_status_t = 113;
/// `requested`: the value; `limit`: the host page; in bytes.
pub const WASM_ARENA_ERROR_MISALIGNED: wasm_arena_status_t = 114;
/// Write and execute together were asked for, but not permitted by the options.
pub const WASM_ARENA_ERROR_WRITE_AND_EXECUTE: wasm_arena_status_t = 115;
/// `offset`: the first forbidden byte.
pub const WASM_ARENA_ERROR_PROTECTED: wasm_arena_status_t = 116;
/// `limit`: how many a memory keeps.
pub const WASM_ARENA_ERROR_TOO_MANY_PROTECTIONS: wasm_arena_status_t = 117;
/// `option`; `requested`: its value; `minimum`, `limit`: what is allowed.
pub const WASM_ARENA_ERROR_INVALID_OPTION: wasm_arena_status_t = 118;
/// All options were demanded, and `option` cannot be had as asked.
pub const WASM_ARENA_ERROR_PARTIAL_CONFIGURATION: wasm_arena_status_t = 119;
/// `address`: the first byte found so. The region is taken out of use when its memory ends.
pub const WASM_ARENA_ERROR_GUARD_DAMAGED: wasm_arena_status_t = 120;
/// The bookkeeping of this memory is inconsistent; do not use it further.
pub const WASM_ARENA_ERROR_BOOKKEEPING_DAMAGED: wasm_arena_status_t = 121;
/// Memory that must be zero is not. `offset`, `address`: of the first such byte; `found`: the word
/// there.
pub const WASM_ARENA_ERROR_CONTENTS_DAMAGED: wasm_arena_status_t = 122;
/// `requested`: bytes; `length`: alignment; `limit`: the largest block.
pub const WASM_ARENA_ERROR_HEAP_TOO_LARGE: wasm_arena_status_t = 130;
/// `address`.
pub const WASM_ARENA_ERROR_HEAP_NOT_A_BLOCK: wasm_arena_status_t = 131;
/// `address`.
pub const WASM_ARENA_ERROR_HEAP_ALREADY_FREE: wasm_arena_status_t = 132;
/// `address`.
pub const WASM_ARENA_ERROR_HEAP_DAMAGED: wasm_arena_status_t = 133;
/// The bands of the heap cannot be built; `message` says why.
pub const WASM_ARENA_ERROR_HEAP_BANDS: wasm_arena_status_t = 134;
/// The bands of the heap cannot change once it was used.
pub const WASM_ARENA_ERROR_HEAP_BANDS_IN_USE: wasm_arena_status_t = 135;
/// `address`, `length`, `limit`: bytes of a machine word.
pub const WASM_ARENA_ERROR_NOT_WHOLE_WORDS: wasm_arena_status_t = 200;
/// The table has no room for a single checksum.
pub const WASM_ARENA_ERROR_NO_TABLE: wasm_arena_status_t = 201;
/// `available`: bytes of the copy; `size`: of the memory.
pub const WASM_ARENA_ERROR_MIRROR_TOO_SMALL: wasm_arena_status_t = 202;
/// `block`, `offset`, `length`, `stored`, `computed`, `repaired`.
pub const WASM_ARENA_ERROR_BLOCK_DAMAGED: wasm_arena_status_t = 203;
/// The two records of a checksum differ. `block`, `offset`, `stored`, `second`, `computed`,
/// `repaired`.
pub const WASM_ARENA_ERROR_CHECKSUM_DAMAGED: wasm_arena_status_t = 204;
/// The block itself is whole. `block`, `offset`, `found`: the offset of the first byte that
/// differs, `repaired`.
pub const WASM_ARENA_ERROR_MIRROR_DAMAGED: wasm_arena_status_t = 205;
/// `record`; `found`: the number; `expected`: its copy, stored inverted. Do not use the memory
/// further, except that a damaged level can be set anew.
pub const WASM_ARENA_ERROR_INTEGRITY_BOOKKEEPING: wasm_arena_status_t = 206;
/// `offset`; `expected`: what was written; `found`: what is there. The block is damaged from now
/// on.
pub const WASM_ARENA_ERROR_READ_BACK: wasm_arena_status_t = 207;
/// `limit`: how often it was tried.
pub const WASM_ARENA_ERROR_CONTENDED: wasm_arena_status_t = 208;
/// Checksums are not kept at the level off.
pub const WASM_ARENA_ERROR_NOT_VERIFYING: wasm_arena_status_t = 209;
/// A bit was flipped on purpose and not found. `record`; `found`: which bit, 0 being the lowest.
pub const WASM_ARENA_ERROR_DETECTOR_FAILED: wasm_arena_status_t = 210;
/// The table has no room for the checksums of so many blocks. `available`: its entries; `requested`:
/// the blocks there are.
pub const WASM_ARENA_ERROR_TABLE_TOO_SMALL: wasm_arena_status_t = 211;
/// A size that blocks cannot have. `requested`, `minimum`: bytes.
pub const WASM_ARENA_ERROR_INVALID_BLOCK_SIZE: wasm_arena_status_t = 212;
/// The contents are not as long as when their checksums were taken. `expected`: bytes then; `size`:
/// bytes now.
pub const WASM_ARENA_ERROR_SIZE_CHANGED: wasm_arena_status_t = 213;

/// A status, its name and its text.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) status: wasm_arena_status_t,
    pub(crate) name: &'static CStr,
    pub(crate) text: &'static CStr,
}

const fn entry(status: wasm_arena_status_t, name: &'static CStr, text: &'static CStr) -> Entry {
    Entry { status, name, text }
}

/// Every status, in ascending order.
pub(crate) const ALL: &[Entry] = &[
    entry(WASM_ARENA_OK, c"WASM_ARENA_OK", c"nothing is wrong"),
    entry(
        WASM_ARENA_ERROR_NULL_ARGUMENT,
        c"WASM_ARENA_ERROR_NULL_ARGUMENT",
        c"an argument that must not be null is null",
    ),
    entry(
        WASM_ARENA_ERROR_INVALID_ARGUMENT,
        c"WASM_ARENA_ERROR_INVALID_ARGUMENT",
        c"an argument has a value that means nothing",
    ),
    entry(
        WASM_ARENA_ERROR_STRUCT_SIZE,
        c"WASM_ARENA_ERROR_STRUCT_SIZE",
        c"a struct was not initialised, or belongs to another version of the header",
    ),
    entry(
        WASM_ARENA_ERROR_INVALID_HANDLE,
        c"WASM_ARENA_ERROR_INVALID_HANDLE",
        c"an argument never was a handle",
    ),
    entry(
        WASM_ARENA_ERROR_STALE_HANDLE,
        c"WASM_ARENA_ERROR_STALE_HANDLE",
        c"the handle was destroyed already",
    ),
    entry(
        WASM_ARENA_ERROR_HANDLE_KIND,
        c"WASM_ARENA_ERROR_HANDLE_KIND",
        c"the handle stands for something else",
    ),
    entry(
        WASM_ARENA_ERROR_IN_USE,
        c"WASM_ARENA_ERROR_IN_USE",
        c"another thread uses the handle at this moment",
    ),
    entry(
        WASM_ARENA_ERROR_STILL_REFERENCED,
        c"WASM_ARENA_ERROR_STILL_REFERENCED",
        c"other objects still depend on it",
    ),
    entry(
        WASM_ARENA_ERROR_LENT,
        c"WASM_ARENA_ERROR_LENT",
        c"the memory is under atomic operations",
    ),
    entry(
        WASM_ARENA_ERROR_OUT_OF_HANDLES,
        c"WASM_ARENA_ERROR_OUT_OF_HANDLES",
        c"there are too many handles",
    ),
    entry(
        WASM_ARENA_ERROR_BUSY,
        c"WASM_ARENA_ERROR_BUSY",
        c"the register of live memories is being changed; ask again",
    ),
    entry(
        WASM_ARENA_ERROR_NO_SUCH_OPTION,
        c"WASM_ARENA_ERROR_NO_SUCH_OPTION",
        c"this object has no such option",
    ),
    entry(
        WASM_ARENA_ERROR_UNKNOWN,
        c"WASM_ARENA_ERROR_UNKNOWN",
        c"an error that this version of the C interface does not know",
    ),
    entry(
        WASM_ARENA_ERROR_ALREADY_ALLOCATED,
        c"WASM_ARENA_ERROR_ALREADY_ALLOCATED",
        c"the allocator already holds a memory",
    ),
    entry(
        WASM_ARENA_ERROR_NOT_ALLOCATED,
        c"WASM_ARENA_ERROR_NOT_ALLOCATED",
        c"the allocator holds no memory",
    ),
    entry(
        WASM_ARENA_ERROR_MAXIMUM_BELOW_INITIAL,
        c"WASM_ARENA_ERROR_MAXIMUM_BELOW_INITIAL",
        c"the maximum is below the initial size",
    ),
    entry(
        WASM_ARENA_ERROR_BEYOND_MAXIMUM,
        c"WASM_ARENA_ERROR_BEYOND_MAXIMUM",
        c"growth past the maximum agreed at allocation",
    ),
    entry(
        WASM_ARENA_ERROR_PAGE_COUNT_MISMATCH,
        c"WASM_ARENA_ERROR_PAGE_COUNT_MISMATCH",
        c"the caller is wrong about the current size",
    ),
    entry(
        WASM_ARENA_ERROR_TOO_LARGE,
        c"WASM_ARENA_ERROR_TOO_LARGE",
        c"the size does not fit the address space",
    ),
    entry(
        WASM_ARENA_ERROR_NO_MAXIMUM,
        c"WASM_ARENA_ERROR_NO_MAXIMUM",
        c"reserving the maximum needs a maximum",
    ),
    entry(
        WASM_ARENA_ERROR_NO_ROOM,
        c"WASM_ARENA_ERROR_NO_ROOM",
        c"there is no room to grow in place, and the memory must not move",
    ),
    entry(
        WASM_ARENA_ERROR_BUDGET_EXCEEDED,
        c"WASM_ARENA_ERROR_BUDGET_EXCEEDED",
        c"a budget refused",
    ),
    entry(
        WASM_ARENA_ERROR_RESOURCE_LIMIT,
        c"WASM_ARENA_ERROR_RESOURCE_LIMIT",
        c"a limit of the process refuses",
    ),
    entry(
        WASM_ARENA_ERROR_BLOCK_LIMIT,
        c"WASM_ARENA_ERROR_BLOCK_LIMIT",
        c"more than one block of the C library's heap is asked to hold",
    ),
    entry(
        WASM_ARENA_ERROR_OS,
        c"WASM_ARENA_ERROR_OS",
        c"the operating system refused",
    ),
    entry(
        WASM_ARENA_ERROR_SEALED,
        c"WASM_ARENA_ERROR_SEALED",
        c"the arenas or the memory are sealed, and this needs the operating system",
    ),
    entry(
        WASM_ARENA_ERROR_OUT_OF_RANGE,
        c"WASM_ARENA_ERROR_OUT_OF_RANGE",
        c"the range is not inside the memory",
    ),
    entry(
        WASM_ARENA_ERROR_MISALIGNED,
        c"WASM_ARENA_ERROR_MISALIGNED",
        c"not a multiple of the host page",
    ),
    entry(
        WASM_ARENA_ERROR_WRITE_AND_EXECUTE,
        c"WASM_ARENA_ERROR_WRITE_AND_EXECUTE",
        c"memory that is writable and executable was not permitted",
    ),
    entry(
        WASM_ARENA_ERROR_PROTECTED,
        c"WASM_ARENA_ERROR_PROTECTED",
        c"a protection forbids this access",
    ),
    entry(
        WASM_ARENA_ERROR_TOO_MANY_PROTECTIONS,
        c"WASM_ARENA_ERROR_TOO_MANY_PROTECTIONS",
        c"too many separately protected ranges",
    ),
    entry(
        WASM_ARENA_ERROR_INVALID_OPTION,
        c"WASM_ARENA_ERROR_INVALID_OPTION",
        c"a setting is outside its limits",
    ),
    entry(
        WASM_ARENA_ERROR_PARTIAL_CONFIGURATION,
        c"WASM_ARENA_ERROR_PARTIAL_CONFIGURATION",
        c"a setting is not available here, and all were demanded",
    ),
    entry(
        WASM_ARENA_ERROR_GUARD_DAMAGED,
        c"WASM_ARENA_ERROR_GUARD_DAMAGED",
        c"a guard is damaged",
    ),
    entry(
        WASM_ARENA_ERROR_BOOKKEEPING_DAMAGED,
        c"WASM_ARENA_ERROR_BOOKKEEPING_DAMAGED",
        c"the bookkeeping of this memory is damaged",
    ),
    entry(
        WASM_ARENA_ERROR_CONTENTS_DAMAGED,
        c"WASM_ARENA_ERROR_CONTENTS_DAMAGED",
        c"memory that must be zero is not",
    ),
    entry(
        WASM_ARENA_ERROR_HEAP_TOO_LARGE,
        c"WASM_ARENA_ERROR_HEAP_TOO_LARGE",
        c"larger than any block of the heap",
    ),
    entry(
        WASM_ARENA_ERROR_HEAP_NOT_A_BLOCK,
        c"WASM_ARENA_ERROR_HEAP_NOT_A_BLOCK",
        c"the address is no block of the heap",
    ),
    entry(
        WASM_ARENA_ERROR_HEAP_ALREADY_FREE,
        c"WASM_ARENA_ERROR_HEAP_ALREADY_FREE",
        c"the block is free already",
    ),
    entry(
        WASM_ARENA_ERROR_HEAP_DAMAGED,
        c"WASM_ARENA_ERROR_HEAP_DAMAGED",
        c"the words around the block were overwritten",
    ),
    entry(
        WASM_ARENA_ERROR_HEAP_BANDS,
        c"WASM_ARENA_ERROR_HEAP_BANDS",
        c"the bands of the heap cannot be built",
    ),
    entry(
        WASM_ARENA_ERROR_HEAP_BANDS_IN_USE,
        c"WASM_ARENA_ERROR_HEAP_BANDS_IN_USE",
        c"bands cannot change once the heap was used",
    ),
    entry(
        WASM_ARENA_ERROR_NOT_WHOLE_WORDS,
        c"WASM_ARENA_ERROR_NOT_WHOLE_WORDS",
        c"the memory does not start and end at whole machine words",
    ),
    entry(
        WASM_ARENA_ERROR_NO_TABLE,
        c"WASM_ARENA_ERROR_NO_TABLE",
        c"the table has no room for a checksum",
    ),
    entry(
        WASM_ARENA_ERROR_MIRROR_TOO_SMALL,
        c"WASM_ARENA_ERROR_MIRROR_TOO_SMALL",
        c"the second copy is smaller than the memory",
    ),
    entry(
        WASM_ARENA_ERROR_BLOCK_DAMAGED,
        c"WASM_ARENA_ERROR_BLOCK_DAMAGED",
        c"a block of data is damaged",
    ),
    entry(
        WASM_ARENA_ERROR_CHECKSUM_DAMAGED,
        c"WASM_ARENA_ERROR_CHECKSUM_DAMAGED",
        c"the checksum of a block is damaged",
    ),
    entry(
        WASM_ARENA_ERROR_MIRROR_DAMAGED,
        c"WASM_ARENA_ERROR_MIRROR_DAMAGED",
        c"the second copy of a block is damaged",
    ),
    entry(
        WASM_ARENA_ERROR_INTEGRITY_BOOKKEEPING,
        c"WASM_ARENA_ERROR_INTEGRITY_BOOKKEEPING",
        c"the bookkeeping of the checked memory is damaged",
    ),
    entry(
        WASM_ARENA_ERROR_READ_BACK,
        c"WASM_ARENA_ERROR_READ_BACK",
        c"what was written cannot be read back",
    ),
    entry(
        WASM_ARENA_ERROR_CONTENDED,
        c"WASM_ARENA_ERROR_CONTENDED",
        c"writers came in between each time",
    ),
    entry(
        WASM_ARENA_ERROR_NOT_VERIFYING,
        c"WASM_ARENA_ERROR_NOT_VERIFYING",
        c"checksums are not kept at this level",
    ),
    entry(
        WASM_ARENA_ERROR_DETECTOR_FAILED,
        c"WASM_ARENA_ERROR_DETECTOR_FAILED",
        c"a flipped bit was not found by the self-test",
    ),
    entry(
        WASM_ARENA_ERROR_TABLE_TOO_SMALL,
        c"WASM_ARENA_ERROR_TABLE_TOO_SMALL",
        c"the table has too few entries for the blocks",
    ),
    entry(
        WASM_ARENA_ERROR_INVALID_BLOCK_SIZE,
        c"WASM_ARENA_ERROR_INVALID_BLOCK_SIZE",
        c"a size that blocks cannot have",
    ),
    entry(
        WASM_ARENA_ERROR_SIZE_CHANGED,
        c"WASM_ARENA_ERROR_SIZE_CHANGED",
        c"the size changed since the checksums were taken",
    ),
];

/// The entry of a status.
pub(crate) fn find(status: wasm_arena_status_t) -> Option<&'static Entry> {
    let found = ALL.binary_search_by_key(&status, |entry| entry.status);
    ALL.get(found.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_ascend_and_have_names_and_texts_of_their_own() {
        for pair in ALL.windows(2) {
            assert!(pair[0].status < pair[1].status);
        }
        for (index, entry) in ALL.iter().enumerate() {
            assert!(find(entry.status).is_some_and(|found| found.name == entry.name));
            for other in &ALL[index + 1..] {
                assert_ne!(entry.name, other.name);
                assert_ne!(entry.text, other.text);
            }
        }
        assert!(find(-1).is_none() && find(99).is_none());
    }
}
