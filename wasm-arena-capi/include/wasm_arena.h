/*
 * wasm-arena for C: linear memories for WebAssembly runtimes.
 *
 * Made from the crate wasm-arena-capi by `cargo xtask capi`; do not edit. docs/c-api.md is the guide.
 *
 * Rules that hold for every function:
 *
 * - It answers with a status: WASM_ARENA_OK, or why not. If it fails and `error` is not null, that is
 *   filled with the numbers and a text; if it succeeds, `error` is left alone. There is no hidden
 *   state behind it, of a thread or of the process.
 * - On failure nothing has changed, and places for answers are left alone, unless its text says
 *   otherwise.
 * - Handles (arenas, budget, memory, atomic, runtime) are made by a function that says so, belong to who
 *   asked for them, and end with the function of the same family that says so. They are numbers in
 *   the shape of pointers, never dereferenced: a null, stray, destroyed or mistaken handle is an error
 *   with its own status, and never undefined behaviour.
 * - Other pointers are taken on trust. Where the text does not say that one may be null, null is
 *   WASM_ARENA_ERROR_NULL_ARGUMENT. One that is not null must be aligned, and point to as many bytes
 *   as its type or the length beside it says, which nobody else changes during the call. Nothing
 *   keeps such a pointer after the function has come back.
 * - Any thread may call. Nothing waits for another thread, but for the few dozen instructions of the
 *   locks inside the arenas, and where the text says so. Not for signal handlers, but where the text
 *   says so.
 * - Sizes are in bytes unless the name says pages: Wasm pages of WASM_ARENA_PAGE_SIZE bytes.
 * - Making a handle may make a system call; other functions say whether they may.
 */


#ifndef WASM_ARENA_H
#define WASM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// As the size of a guard: one host page. As room to grow: as much as suits the platform. As a maximum
// or a capacity in bytes: none.
#define WASM_ARENA_AUTOMATIC SIZE_MAX

// In force as asked, or as by default.
#define WASM_ARENA_OUTCOME_APPLIED 0

// In force with another value, because the platform takes no other.
#define WASM_ARENA_OUTCOME_CLAMPED 1

// In force in part: for the regions kept here, but not in the platform's own heap, say.
#define WASM_ARENA_OUTCOME_PARTIAL 2

// It was in force, until another allocator of the same process set another value.
#define WASM_ARENA_OUTCOME_OVERRULED 3

// Not in force here.
#define WASM_ARENA_OUTCOME_UNSUPPORTED 4

// None of the others.
#define WASM_ARENA_OUTCOME_UNKNOWN 255

// The value is a number of bytes.
#define WASM_ARENA_VALUE_BYTES 0

// The value is a count.
#define WASM_ARENA_VALUE_COUNT 1

// The value is 0 or 1.
#define WASM_ARENA_VALUE_SWITCH 2

// The value is a name, and only in words.
#define WASM_ARENA_VALUE_CHOICE 3

// Bytes of the field `subject`, its terminator included.
#define WASM_ARENA_SUBJECT_SIZE 48

// Bytes of the field `message`, its terminator included.
#define WASM_ARENA_MESSAGE_SIZE 256

// The request was refused by the operating system, with an error number.
#define WASM_ARENA_REASON_ERRNO 0

// A fixed memory has no such run left. `available`: bytes of the longest free run.
#define WASM_ARENA_REASON_OUT_OF_PAGES 1

// The address or the length is no multiple of the page size. `limit`: the page size.
#define WASM_ARENA_REASON_MISALIGNED 2

// The length is zero.
#define WASM_ARENA_REASON_ZERO_LENGTH 3

// This platform has nothing for this request.
#define WASM_ARENA_REASON_UNSUPPORTED 4

// The storage of a fixed memory belongs to another one.
#define WASM_ARENA_REASON_ALREADY_CLAIMED 5

// The range is no live run.
#define WASM_ARENA_REASON_NOT_A_RUN 6

// A test asked for this failure.
#define WASM_ARENA_REASON_INJECTED 7

// None of the others.
#define WASM_ARENA_REASON_UNKNOWN 255

// Private, writable memory of the process (`RLIMIT_DATA`).
#define WASM_ARENA_RESOURCE_DATA 0

// Address space of the process (`RLIMIT_AS`).
#define WASM_ARENA_RESOURCE_ADDRESS_SPACE 1

// Memory locked by the process (`RLIMIT_MEMLOCK`).
#define WASM_ARENA_RESOURCE_LOCKED_MEMORY 2

// The memory of the machine.
#define WASM_ARENA_RESOURCE_PHYSICAL_MEMORY 3

// None of the others.
#define WASM_ARENA_RESOURCE_UNKNOWN 255

// The verification level.
#define WASM_ARENA_RECORD_LEVEL 0

// The address of the first byte.
#define WASM_ARENA_RECORD_BASE 1

// The size.
#define WASM_ARENA_RECORD_SIZE 2

// The size of a block.
#define WASM_ARENA_RECORD_BLOCK_SIZE 3

// The address of the second copy.
#define WASM_ARENA_RECORD_MIRROR 4

// The checksum of a block.
#define WASM_ARENA_RECORD_CHECKSUM 5

// None of the others.
#define WASM_ARENA_RECORD_UNKNOWN 255

// The version of this header: 10000 times the major, 100 times the minor, and the patch number.
#define WASM_ARENA_VERSION 100

// Bytes of a Wasm page.
#define WASM_ARENA_PAGE_SIZE 65536

// Option: bytes of an arena.
#define WASM_ARENA_OPTION_ARENA_SIZE 0

// Option: regions kept for the next request.
#define WASM_ARENA_OPTION_ARENA_CACHE_MAX_BLOCKS 1

// Option: bytes that kept regions may hold.
#define WASM_ARENA_OPTION_ARENA_CACHE_MAX_SIZE 2

// Option: reuse what was freed last.
#define WASM_ARENA_OPTION_LIFO_FREE 3

// Option: keep everything that is released.
#define WASM_ARENA_OPTION_MEMORY_HOLD 4

// Option: never round growth of small blocks up.
#define WASM_ARENA_OPTION_MONOTONIC_GROWTH 5

// Option: bytes of arenas taken beforehand.
#define WASM_ARENA_OPTION_PREALLOCATE 6

// Option: put settings of the process back at the end.
#define WASM_ARENA_OPTION_RESTORE_ON_DROP 7

// Option: bytes of the guard before the data.
#define WASM_ARENA_OPTION_GUARD_BEFORE 8

// Option: bytes of the guard after the room to grow.
#define WASM_ARENA_OPTION_GUARD_AFTER 9

// Option: what may be done with the guards.
#define WASM_ARENA_OPTION_GUARD_PROTECTION 10

// Option: what may be done with the data.
#define WASM_ARENA_OPTION_DATA_PROTECTION 11

// Option: how the memory grows.
#define WASM_ARENA_OPTION_GROWTH_POLICY 12

// Option: room to grow beyond the initial size.
#define WASM_ARENA_OPTION_GROWTH_ROOM 13

// Option: what lies between the data and the guard.
#define WASM_ARENA_OPTION_ROOM_ACCESS 14

// Option: lock the data in memory.
#define WASM_ARENA_OPTION_LOCK_IN_MEMORY 15

// Option: make the data resident beforehand.
#define WASM_ARENA_OPTION_PREFAULT 16

// Option: permit writing and executing at once.
#define WASM_ARENA_OPTION_WRITE_AND_EXECUTE 17

// Option: how much is checked.
#define WASM_ARENA_OPTION_VERIFICATION_LEVEL 18

// How many options there are.
#define WASM_ARENA_OPTION_COUNT 19

// Call: address space was to be reserved.
#define WASM_ARENA_CALL_RESERVE 0

// Call: address space was to be reserved and made accessible.
#define WASM_ARENA_CALL_MAP 1

// Call: reserved pages were to be made accessible.
#define WASM_ARENA_CALL_COMMIT 2

// Call: pages were to be closed and their contents dropped.
#define WASM_ARENA_CALL_DECOMMIT 3

// Call: contents of pages were to be dropped.
#define WASM_ARENA_CALL_DISCARD 4

// Call: a protection was to be changed.
#define WASM_ARENA_CALL_PROTECT 5

// Call: a run was to be given back.
#define WASM_ARENA_CALL_UNMAP 6

// Call: pages were to be locked in memory.
#define WASM_ARENA_CALL_LOCK 7

// Call: pages were to be unlocked.
#define WASM_ARENA_CALL_UNLOCK 8

// Call: pages were to be made resident.
#define WASM_ARENA_CALL_PREFAULT 9

// Call: resident bytes were to be counted.
#define WASM_ARENA_CALL_RESIDENT 10

// Call: an address was to be tested.
#define WASM_ARENA_CALL_PROBE 11

// Call: a block was asked of the C library's heap.
#define WASM_ARENA_CALL_ALLOCATE 12

// Call: a block of the C library's heap was to be resized.
#define WASM_ARENA_CALL_REALLOCATE 13

// Call: the C library's heap was to be configured.
#define WASM_ARENA_CALL_CONFIGURE 14

// Call: the pages that were written were to be told.
#define WASM_ARENA_CALL_TOUCHED 15

// How many kinds of calls there are.
#define WASM_ARENA_CALL_COUNT 16

// WAMR's tag for its own objects, `Alloc_For_Runtime`.
#define WASM_ARENA_WAMR_FOR_RUNTIME 0

// WAMR's tag for linear memories, `Alloc_For_LinearMemory`.
#define WASM_ARENA_WAMR_FOR_LINEAR_MEMORY 1

// Blocks from this size on come from arenas, in regions of their own with guards: wasm3's linear
// memories (a page and more, with wasm3's header in front) and stacks of that size. wasm3 does not
// say what a block is for.
#define WASM_ARENA_WASM3_THRESHOLD 65536

// A maximum, in Wasm pages, that is none.
#define WASM_ARENA_NO_MAXIMUM 4294967295

// In no memory.
#define WASM_ARENA_PART_NONE 0

// In the guard before the data.
#define WASM_ARENA_PART_GUARD_BEFORE 1

// In the data of a memory.
#define WASM_ARENA_PART_DATA 2

// Behind the data, where the memory may grow to.
#define WASM_ARENA_PART_ROOM 3

// In the guard after the room to grow.
#define WASM_ARENA_PART_GUARD_AFTER 4

// Where memories come from: arenas, a cache of released regions, and their accounts. Made by
// `wasm_arena_arenas_create`, ended by `wasm_arena_arenas_destroy`. Any number of threads may use
// it at once.
typedef struct wasm_arena_arenas_t wasm_arena_arenas_t;

// Reads and writes of a memory that are atomic to each other, and checked. Made by
// `wasm_arena_atomic_create`, ended by `wasm_arena_atomic_close`. Any number of threads may use it
// at once: writers exclude each other, readers never see half of a write. No function of it makes
// a system call, except to wait for a writer, and where that is said.
typedef struct wasm_arena_atomic_t wasm_arena_atomic_t;

// A ceiling in bytes; ceilings form a tree. Made by `wasm_arena_budget_create`, ended by
// `wasm_arena_budget_destroy`. Any number of threads may use it at once.
typedef struct wasm_arena_budget_t wasm_arena_budget_t;

// An allocator that holds one memory at most, on arenas. Made by `wasm_arena_memory_create`, ended
// by `wasm_arena_memory_destroy`. Functions that change it need it alone: a second thread gets
// `WASM_ARENA_ERROR_IN_USE`. Functions that look at it may run at once.
typedef struct wasm_arena_memory_t wasm_arena_memory_t;

// The memory of a C runtime: its linear memories come from arenas, its own objects from a heap of
// bounded time beside them. Made by `wasm_arena_runtime_create`, ended by
// `wasm_arena_runtime_destroy`. Any number of threads may use it at once.
typedef struct wasm_arena_runtime_t wasm_arena_runtime_t;

// What came of a call: `WASM_ARENA_OK`, or an error. The fields of `wasm_arena_error_t` that an
// error fills are named with it; the others are zero, or -1 where that is said there.
typedef int32_t wasm_arena_status_t;

// Which arena system: one of `WASM_ARENA_SYSTEM_...`.
typedef int32_t wasm_arena_system_t;

// Settings of arenas. Initialise with `wasm_arena_arena_options_init`, then change what is to
// differ. Switches are 0 or 1.
typedef struct wasm_arena_arena_options_t {
    // Set by the initialisation; leave it alone.
    uint32_t struct_size;
    // Which arena system.
    wasm_arena_system_t system;
    // Bytes taken from the operating system at a time: a multiple of the host page, at least one,
    // at most 262144. Default 32768.
    size_t arena_size;
    // How many released regions are kept. 0 with a byte limit: no limit by count; 0 without one:
    // none is kept. Default 12, or 0 for `WASM_ARENA_SYSTEM_MAPPED`.
    size_t cache_max_blocks;
    // Bytes of memory that kept regions may hold together; 0: no limit by bytes. Default 0.
    size_t cache_max_bytes;
    // Bytes of arenas taken beforehand for small blocks. Default 0.
    size_t preallocate;
    // Reuse what was freed last rather than first. Default 0.
    uint8_t lifo_free;
    // Keep everything that is released, whatever the limits. Default 0.
    uint8_t memory_hold;
    // Never round the growth of small blocks up. Default 0.
    uint8_t monotonic_growth;
    // Where settings belong to the process (QNX's C library): put back at the end what was in
    // force before. Default 0.
    uint8_t restore_on_drop;
    // Refuse if any option cannot be had as asked. Default 0: the effective options tell.
    uint8_t refuse_partial;
    // Always 0.
    uint8_t reserved[3];
} wasm_arena_arena_options_t;

// What went wrong, with its numbers. Functions fill it when they fail, and leave it alone when they
// succeed. It belongs to the caller, who may keep it in any storage, and may always pass null
// instead.
//
// Which fields a status fills is said with the status; the others are 0, or -1 where that is said
// below.
typedef struct wasm_arena_error_t {
    // The status that the function answered with.
    wasm_arena_status_t status;
    // The error number of the operating system; 0 if it gave none.
    int32_t os_errno;
    // A `WASM_ARENA_CALL_...`, or -1: the call that was refused, or would have been needed.
    int32_t os_call;
    // A `WASM_ARENA_REASON_...`, or -1.
    int32_t os_reason;
    // A `WASM_ARENA_OPTION_...`, or -1.
    int32_t option;
    // A `WASM_ARENA_RESOURCE_...`, or -1.
    int32_t resource;
    // A `WASM_ARENA_RECORD_...`, or -1.
    int32_t record;
    // 1 if what was found damaged was put right, else 0.
    uint32_t repaired;
    // The checksum as the table has it.
    uint32_t stored;
    // The second record of it.
    uint32_t second;
    // The checksum that the data has.
    uint32_t computed;
    // Always 0.
    uint32_t reserved;
    // What was asked for.
    uint64_t requested;
    // The least that is allowed.
    uint64_t minimum;
    // The most that is allowed.
    uint64_t limit;
    // What there is, or is left.
    uint64_t available;
    // In bytes from the base.
    uint64_t offset;
    // In bytes.
    uint64_t length;
    // In bytes.
    uint64_t size;
    // An address.
    uint64_t address;
    // The index of a block of data that shares a checksum.
    uint64_t block;
    // What should be there.
    uint64_t expected;
    // What is there.
    uint64_t found;
    // The name of a budget, or of an argument.
    char subject[WASM_ARENA_SUBJECT_SIZE];
    // All of it in words, in English, without an end of line. Cut, with an ellipsis, if it does
    // not fit.
    char message[WASM_ARENA_MESSAGE_SIZE];
} wasm_arena_error_t;

// The account of all memories on the same arenas. Sizes in bytes.
typedef struct wasm_arena_arenas_statistics_t {
    // Memories alive.
    uint64_t live_memories;
    // Memories allocated so far, without those that were refused.
    uint64_t memories_allocated;
    // Memories that were refused: by a limit, a budget, a seal, a check or the operating system.
    uint64_t refused_allocations;
    // Bytes of address space held, for live and kept regions.
    uint64_t reserved_bytes;
    // The most there ever were of these.
    uint64_t peak_reserved_bytes;
    // Bytes of data that can be accessed, in live and kept regions.
    uint64_t accessible_bytes;
    // The most there ever were of these.
    uint64_t peak_accessible_bytes;
    // The most bytes that `wasm_arena_arenas_measure_resident` found resident so far.
    uint64_t peak_resident_bytes;
    // Regions kept for the next request.
    uint64_t cached_regions;
    // Bytes that the kept regions may hold in memory.
    uint64_t cached_bytes;
    // Requests served by a kept region.
    uint64_t cache_hits;
    // Requests that needed a fresh region.
    uint64_t cache_misses;
    // Kept regions that were given back because of the limits.
    uint64_t evictions;
    // Regions that could not be given back, or must not be used further.
    uint64_t unreturned_regions;
    // Their bytes of address space.
    uint64_t unreturned_bytes;
    // Bytes taken from the operating system for small blocks of bookkeeping.
    uint64_t bookkeeping_bytes;
    // Bytes of these in use.
    uint64_t bookkeeping_used_bytes;
    // 1 if the arenas are sealed, else 0.
    uint64_t is_sealed;
} wasm_arena_arenas_statistics_t;

// Where an address lies.
typedef struct wasm_arena_address_t {
    // A `WASM_ARENA_PART_...`.
    int32_t part;
    // Always 0.
    int32_t reserved;
    // The number of the memory: its place in the order of allocation on its arenas, from 1. 0 if
    // in no memory, or where one memory was asked.
    uint64_t memory;
    // Bytes from the base; in the guard before the data, bytes from the address up to the base.
    uint64_t offset;
} wasm_arena_address_t;

// The value of an option.
typedef struct wasm_arena_value_t {
    // A `WASM_ARENA_VALUE_...`.
    int32_t kind;
    // Always 0.
    int32_t reserved;
    // Bytes, a count, or 0 or 1; 0 for a name.
    uint64_t number;
    // The value in words.
    char text[48];
} wasm_arena_value_t;

// What became of one option.
typedef struct wasm_arena_effective_option_t {
    // A `WASM_ARENA_OPTION_...`.
    int32_t option;
    // A `WASM_ARENA_OUTCOME_...`.
    int32_t outcome;
    // 1 if it holds for the whole process, 0 if for these arenas or this memory alone.
    uint32_t process_wide;
    // 1 if `displaced` says which value of another live allocator this one replaced, else 0.
    uint32_t has_displaced;
    // What was asked for, or the default.
    struct wasm_arena_value_t asked;
    // What is in force.
    struct wasm_arena_value_t in_force;
    // See `has_displaced`.
    struct wasm_arena_value_t displaced;
    // How that came about, in words: "applied", or why it is not in force as asked.
    char outcome_text[160];
    // All of it in words.
    char text[256];
} wasm_arena_effective_option_t;

// What one call of `wasm_arena_atomic_scrub` did.
typedef struct wasm_arena_scrub_t {
    // Blocks that were checked.
    uint64_t blocks_checked;
    // Of these, how many were damaged and put right.
    uint64_t blocks_repaired;
    // Of these, how many are damaged still.
    uint64_t blocks_damaged;
    // 1 if the end of the memory was reached: the next call starts over. Else 0.
    uint64_t completed_pass;
    // The first damage found, repaired or not; its status is `WASM_ARENA_OK` if there was none.
    struct wasm_arena_error_t first_damage;
} wasm_arena_scrub_t;

// How much is checked: one of `WASM_ARENA_LEVEL_...`.
typedef int32_t wasm_arena_level_t;

// Sizes of a checked memory.
typedef struct wasm_arena_atomic_info_t {
    // Bytes of the memory.
    uint64_t size;
    // Bytes that share a checksum: a power of two.
    uint64_t block_size;
    // Blocks of the memory.
    uint64_t block_count;
    // 1 if there is a second copy to repair from, else 0.
    uint64_t is_mirrored;
} wasm_arena_atomic_info_t;

// The account of a checked memory. Counts wrap at the machine word.
typedef struct wasm_arena_atomic_statistics_t {
    // Operations that changed data.
    uint64_t writes;
    // Bytes they changed.
    uint64_t bytes_written;
    // Attempts to read that were repeated because a writer came in between.
    uint64_t reads_repeated;
    // Reads that waited for the writers' lock.
    uint64_t reads_under_lock;
    // Blocks looked at by `wasm_arena_atomic_scrub`.
    uint64_t blocks_scrubbed;
    // Times that it came to the end of the memory.
    uint64_t scrub_passes;
    // Blocks whose checksums were taken anew by `wasm_arena_atomic_resync`.
    uint64_t blocks_resynced;
    // Times that damaged data was found, repaired or not.
    uint64_t blocks_damaged;
    // Times that a damaged checksum was found, repaired or not.
    uint64_t checksums_damaged;
    // Times that damage of the second copy was found, repaired or not.
    uint64_t mirrors_damaged;
    // Damages of these three kinds that were put right.
    uint64_t repairs;
    // Writes that could not be read back.
    uint64_t failed_read_backs;
} wasm_arena_atomic_statistics_t;

// The account of a budget, in bytes.
typedef struct wasm_arena_budget_usage_t {
    // The ceiling.
    uint64_t limit;
    // Charged at the moment.
    uint64_t used;
    // The most that was ever charged at once.
    uint64_t peak;
    // How often this budget itself refused.
    uint64_t refusals;
} wasm_arena_budget_usage_t;

// How a memory grows: one of `WASM_ARENA_GROWTH_...`.
typedef int32_t wasm_arena_growth_t;

// What lies between the data and the guard: one of `WASM_ARENA_ROOM_...`.
typedef int32_t wasm_arena_room_t;

// What may be done with pages: one of `WASM_ARENA_PROTECTION_...`.
typedef int32_t wasm_arena_protection_t;

// Settings of a memory. Initialise with `wasm_arena_memory_options_init`, then change what is to
// differ. Switches are 0 or 1.
typedef struct wasm_arena_memory_options_t {
    // Set by the initialisation; leave it alone.
    uint32_t struct_size;
    // How much is checked. Default standard.
    wasm_arena_level_t level;
    // How the memory grows. Default move when full.
    wasm_arena_growth_t growth;
    // What lies between the data and the guard. Default guarded.
    wasm_arena_room_t room;
    // What may be done with the data at first. Default read and write.
    wasm_arena_protection_t data_protection;
    // What may be done with the guards: none (default) or read.
    wasm_arena_protection_t guard_protection;
    // Bytes of the guard before the data: a multiple of the host page, or `WASM_ARENA_AUTOMATIC`
    // for one host page (default).
    size_t guard_before;
    // The same after the room to grow.
    size_t guard_after;
    // Bytes of room beyond the initial size, or `WASM_ARENA_AUTOMATIC` (default): where reserving
    // costs nothing, up to the maximum, at most 4 GiB; where it costs memory, none.
    size_t growth_room;
    // The budget that pays, or null (default). It is kept alive by the memory.
    struct wasm_arena_budget_t *budget;
    // Lock the data in memory. Default 0.
    uint8_t lock_in_memory;
    // Make the data resident at allocation and growth. Default 0.
    uint8_t prefault;
    // Permit protections that allow writing and executing at once. Default 0.
    uint8_t write_and_execute;
    // Refuse if any option cannot be had as asked. Default 0: the effective options tell.
    uint8_t refuse_partial;
    // Always 0.
    uint8_t reserved[4];
} wasm_arena_memory_options_t;

// Where a memory lies.
typedef struct wasm_arena_view_t {
    // Where the data starts; null if there is no memory. Valid until the next growth, reset, free
    // or destruction.
    uint8_t *base;
    // Size in bytes; 0 if there is no memory.
    size_t size;
    // Bytes that the memory can grow to without moving.
    size_t capacity;
} wasm_arena_view_t;

// The account of one memory, since it was allocated. Sizes in bytes.
typedef struct wasm_arena_memory_statistics_t {
    // Size at allocation.
    uint64_t initial_bytes;
    // Size now, or when it was freed.
    uint64_t current_bytes;
    // Greatest size so far.
    uint64_t peak_bytes;
    // Bytes of the guard before the data.
    uint64_t guard_before_bytes;
    // Bytes of the guard after the room to grow.
    uint64_t guard_after_bytes;
    // Bytes the memory can grow to without moving.
    uint64_t capacity_bytes;
    // Growths by more than nothing that succeeded.
    uint64_t grows;
    // Of these, how many moved the memory.
    uint64_t moves;
    // Bytes copied by moves.
    uint64_t bytes_copied;
    // Growths that were refused.
    uint64_t refused_grows;
    // Changes of protection.
    uint64_t protects;
    // Resets to the initial size.
    uint64_t resets;
    // The maximum agreed at allocation; `UINT64_MAX` if there is none.
    uint64_t maximum_bytes;
    // 1 if the guards could not be put up again after a reallocation, else 0.
    uint32_t guards_down;
    // 1 if the region came from the cache, else 0.
    uint32_t from_cache;
} wasm_arena_memory_statistics_t;

// The account of a runtime's memory.
typedef struct wasm_arena_runtime_statistics_t {
    // Linear memories (and other blocks that came from arenas) alive.
    uint64_t memories;
    // Bytes of the runtime's own objects, as it asked for them and rounded up.
    uint64_t object_bytes;
    // Bytes taken from the operating system for these.
    uint64_t object_mapped_bytes;
    // Requests that were refused.
    uint64_t refusals;
    // Blocks that were to be freed or resized, and were none.
    uint64_t strays;
} wasm_arena_runtime_statistics_t;

// The platform's own arenas: the C library's heap on QNX 7.0 and 7.1, portable arenas elsewhere.
#define WASM_ARENA_SYSTEM_ARENAS 0

// A mapping for each memory. Arena settings do not apply, and nothing is kept unless a cache is
// asked for.
#define WASM_ARENA_SYSTEM_MAPPED 1

// Arguments and bounds only.
#define WASM_ARENA_LEVEL_OFF 0

// And the bookkeeping now and then.
#define WASM_ARENA_LEVEL_SAMPLING 1

// And the bookkeeping at every operation.
#define WASM_ARENA_LEVEL_STANDARD 2

// And the guards at growth and release.
#define WASM_ARENA_LEVEL_FULL 3

// And the bookkeeping against its second copy.
#define WASM_ARENA_LEVEL_CRITICAL 4

// Every access faults.
#define WASM_ARENA_PROTECTION_NONE 0

// Reads only.
#define WASM_ARENA_PROTECTION_READ 1

// Reads and writes.
#define WASM_ARENA_PROTECTION_READ_WRITE 2

// Reads and instruction fetches.
#define WASM_ARENA_PROTECTION_READ_EXECUTE 3

// Everything; refused unless `write_and_execute` was set.
#define WASM_ARENA_PROTECTION_READ_WRITE_EXECUTE 4

// In place while there is room, else into a new region: the base may change.
#define WASM_ARENA_GROWTH_MOVE_WHEN_FULL 0

// In place or not at all: the base never changes.
#define WASM_ARENA_GROWTH_IN_PLACE 1

// The maximum is reserved at allocation: the base never changes.
#define WASM_ARENA_GROWTH_RESERVE_MAXIMUM 2

// By the platform's `realloc`, with the guards down while it runs.
#define WASM_ARENA_GROWTH_REALLOCATE 3

// Inaccessible until the memory has grown into it.
#define WASM_ARENA_ROOM_GUARDED 0

// Accessible and zero from the start: growth in place makes no system call.
#define WASM_ARENA_ROOM_OPEN 1

// Success.
#define WASM_ARENA_OK 0

// An argument that must not be null is null; `subject` names it.
#define WASM_ARENA_ERROR_NULL_ARGUMENT 1

// An argument, or a field of a struct, has a value that means nothing; `subject` names it,
// `requested` is the value.
#define WASM_ARENA_ERROR_INVALID_ARGUMENT 2

// A struct of options was not initialised by its function, or is one of another version of this
// header. `subject`: its name; `requested`: its size as it says; `limit`: as it should be, in
// bytes.
#define WASM_ARENA_ERROR_STRUCT_SIZE 3

// An argument never was a handle. `subject` names it; `address` is the value.
#define WASM_ARENA_ERROR_INVALID_HANDLE 4

// The handle was destroyed already. `subject` names the argument.
#define WASM_ARENA_ERROR_STALE_HANDLE 5

// The handle stands for something else. `subject` names the argument.
#define WASM_ARENA_ERROR_HANDLE_KIND 6

// Another thread uses the handle at this moment, and the function needs it alone (or the other way
// round). `subject` names the argument. Nothing waits: handles that belong to one thread at a time
// never get this.
#define WASM_ARENA_ERROR_IN_USE 7

// Memories, budgets or hooks still depend on what was to be destroyed. `available`: how many.
#define WASM_ARENA_ERROR_STILL_REFERENCED 8

// The memory is under atomic operations until these are closed.
#define WASM_ARENA_ERROR_LENT 9

// There are too many handles. `limit`: the greatest number at a time.
#define WASM_ARENA_ERROR_OUT_OF_HANDLES 10

// The register of live memories is being changed at this moment; ask again.
#define WASM_ARENA_ERROR_BUSY 11

// The object has no such option. `option`.
#define WASM_ARENA_ERROR_NO_SUCH_OPTION 12

// An error of the library that this version of the C interface has no code for; `message` tells
// it.
#define WASM_ARENA_ERROR_UNKNOWN 13

// There is a memory already; free it first. `size`: its bytes.
#define WASM_ARENA_ERROR_ALREADY_ALLOCATED 100

// There is no memory.
#define WASM_ARENA_ERROR_NOT_ALLOCATED 101

// `requested`: the initial size; `limit`: the maximum; in bytes.
#define WASM_ARENA_ERROR_MAXIMUM_BELOW_INITIAL 102

// `requested`: the size asked for; `limit`: the maximum; in bytes.
#define WASM_ARENA_ERROR_BEYOND_MAXIMUM 103

// `requested`: the Wasm pages the caller named; `available`: those the memory has.
#define WASM_ARENA_ERROR_PAGE_COUNT_MISMATCH 104

// `requested`: bytes; `limit`: the most there can be.
#define WASM_ARENA_ERROR_TOO_LARGE 105

// The growth policy reserves the maximum, and there is none.
#define WASM_ARENA_ERROR_NO_MAXIMUM 106

// `requested`: the size asked for; `limit`: the size up to which there is room; in bytes.
#define WASM_ARENA_ERROR_NO_ROOM 107

// `subject`: the name of the budget that refused; `requested`, `available`, `limit`: bytes.
#define WASM_ARENA_ERROR_BUDGET_EXCEEDED 108

// `resource`; `requested`, `limit`, and `size`, which these arenas hold already: bytes.
#define WASM_ARENA_ERROR_RESOURCE_LIMIT 109

// `requested`, `limit`: bytes.
#define WASM_ARENA_ERROR_BLOCK_LIMIT 110

// The operating system, or its C library's heap, refused. `os_call`, `os_reason`, `os_errno`;
// `address` and `length` of what it was about; `requested`: bytes asked of a heap, if it was one.
#define WASM_ARENA_ERROR_OS 111

// Sealed, and it would need the call `os_call`.
#define WASM_ARENA_ERROR_SEALED 112

// `offset`, `length`, `size`: bytes.
#define WASM_ARENA_ERROR_OUT_OF_RANGE 113

// `requested`: the value; `limit`: the host page; in bytes.
#define WASM_ARENA_ERROR_MISALIGNED 114

// Write and execute together were asked for, but not permitted by the options.
#define WASM_ARENA_ERROR_WRITE_AND_EXECUTE 115

// `offset`: the first forbidden byte.
#define WASM_ARENA_ERROR_PROTECTED 116

// `limit`: how many a memory keeps.
#define WASM_ARENA_ERROR_TOO_MANY_PROTECTIONS 117

// `option`; `requested`: its value; `minimum`, `limit`: what is allowed.
#define WASM_ARENA_ERROR_INVALID_OPTION 118

// All options were demanded, and `option` cannot be had as asked.
#define WASM_ARENA_ERROR_PARTIAL_CONFIGURATION 119

// `address`: the first byte found so. The region is taken out of use when its memory ends.
#define WASM_ARENA_ERROR_GUARD_DAMAGED 120

// The bookkeeping of this memory is inconsistent; do not use it further.
#define WASM_ARENA_ERROR_BOOKKEEPING_DAMAGED 121

// Memory that must be zero is not. `offset`, `address`: of the first such byte; `found`: the word
// there.
#define WASM_ARENA_ERROR_CONTENTS_DAMAGED 122

// `requested`: bytes; `length`: alignment; `limit`: the largest block.
#define WASM_ARENA_ERROR_HEAP_TOO_LARGE 130

// `address`.
#define WASM_ARENA_ERROR_HEAP_NOT_A_BLOCK 131

// `address`.
#define WASM_ARENA_ERROR_HEAP_ALREADY_FREE 132

// `address`.
#define WASM_ARENA_ERROR_HEAP_DAMAGED 133

// The bands of the heap cannot be built; `message` says why.
#define WASM_ARENA_ERROR_HEAP_BANDS 134

// The bands of the heap cannot change once it was used.
#define WASM_ARENA_ERROR_HEAP_BANDS_IN_USE 135

// `address`, `length`, `limit`: bytes of a machine word.
#define WASM_ARENA_ERROR_NOT_WHOLE_WORDS 200

// The table has no room for a single checksum.
#define WASM_ARENA_ERROR_NO_TABLE 201

// `available`: bytes of the copy; `size`: of the memory.
#define WASM_ARENA_ERROR_MIRROR_TOO_SMALL 202

// `block`, `offset`, `length`, `stored`, `computed`, `repaired`.
#define WASM_ARENA_ERROR_BLOCK_DAMAGED 203

// The two records of a checksum differ. `block`, `offset`, `stored`, `second`, `computed`,
// `repaired`.
#define WASM_ARENA_ERROR_CHECKSUM_DAMAGED 204

// The block itself is whole. `block`, `offset`, `found`: the offset of the first byte that
// differs, `repaired`.
#define WASM_ARENA_ERROR_MIRROR_DAMAGED 205

// `record`; `found`: the number; `expected`: its copy, stored inverted. Do not use the memory
// further, except that a damaged level can be set anew.
#define WASM_ARENA_ERROR_INTEGRITY_BOOKKEEPING 206

// `offset`; `expected`: what was written; `found`: what is there. The block is damaged from now
// on.
#define WASM_ARENA_ERROR_READ_BACK 207

// `limit`: how often it was tried.
#define WASM_ARENA_ERROR_CONTENDED 208

// Checksums are not kept at the level off.
#define WASM_ARENA_ERROR_NOT_VERIFYING 209

// A bit was flipped on purpose and not found. `record`; `found`: which bit, 0 being the lowest.
#define WASM_ARENA_ERROR_DETECTOR_FAILED 210

// The table has no room for the checksums of so many blocks. `available`: its entries; `requested`:
// the blocks there are.
#define WASM_ARENA_ERROR_TABLE_TOO_SMALL 211

// A size that blocks cannot have. `requested`, `minimum`: bytes.
#define WASM_ARENA_ERROR_INVALID_BLOCK_SIZE 212

// The contents are not as long as when their checksums were taken. `expected`: bytes then; `size`:
// bytes now.
#define WASM_ARENA_ERROR_SIZE_CHANGED 213

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Fills `options` with the defaults of a system. An unknown system is an error, and nothing is
// written. No system call.
wasm_arena_status_t wasm_arena_arena_options_init(struct wasm_arena_arena_options_t *options,
                                                  wasm_arena_system_t system,
                                                  struct wasm_arena_error_t *error);

// Makes arenas, and stores their handle in `arenas`. `options` may be null: the defaults of
// `WASM_ARENA_SYSTEM_ARENAS`. Takes nothing from the operating system for memories yet, except what
// `preallocate` asks for; the first handle of a program takes an arena for handles.
//
// The handle belongs to the caller, until `wasm_arena_arenas_destroy`.
wasm_arena_status_t wasm_arena_arenas_create(const struct wasm_arena_arena_options_t *options,
                                             struct wasm_arena_arenas_t **arenas,
                                             struct wasm_arena_error_t *error);

// Ends arenas, and gives all that they kept back to the operating system. Refused with
// `WASM_ARENA_ERROR_STILL_REFERENCED`, and nothing is changed, while memories or hooks depend on
// them.
wasm_arena_status_t wasm_arena_arenas_destroy(struct wasm_arena_arenas_t *arenas,
                                              struct wasm_arena_error_t *error);

// Applies settings from now on; the system must be the one that the arenas have. Lowered limits act
// at once. On failure nothing is changed, unless only the preallocation was refused: then the
// settings are in force all the same. `refuse_partial` is not looked at.
wasm_arena_status_t wasm_arena_arenas_configure(struct wasm_arena_arenas_t *arenas,
                                                const struct wasm_arena_arena_options_t *options,
                                                struct wasm_arena_error_t *error);

// From now on nothing is asked of the operating system for these arenas: kept regions are reused,
// released ones are all kept, and what would need a call is refused with
// `WASM_ARENA_ERROR_SEALED`. For the cyclic part of a program, after it has set up. No system call.
wasm_arena_status_t wasm_arena_arenas_seal(struct wasm_arena_arenas_t *arenas,
                                           struct wasm_arena_error_t *error);

// Undoes `wasm_arena_arenas_seal`; regions kept beyond the limits meanwhile go back to the
// operating system.
wasm_arena_status_t wasm_arena_arenas_unseal(struct wasm_arena_arenas_t *arenas,
                                             struct wasm_arena_error_t *error);

// Gives everything that is kept and not in use back to the operating system, whatever the limits
// say; `bytes` (may be null) is the address space given back. Makes system calls; the cost grows
// with what is kept.
wasm_arena_status_t wasm_arena_arenas_trim(struct wasm_arena_arenas_t *arenas,
                                           size_t *bytes,
                                           struct wasm_arena_error_t *error);

// The account of all memories on these arenas. Constant time, no system call.
wasm_arena_status_t wasm_arena_arenas_statistics(struct wasm_arena_arenas_t *arenas,
                                                 struct wasm_arena_arenas_statistics_t *statistics,
                                                 struct wasm_arena_error_t *error);

// Counts the resident bytes of all regions, live and kept. For reports: one system call per
// 16 MiB, during which other threads wait.
wasm_arena_status_t wasm_arena_arenas_measure_resident(struct wasm_arena_arenas_t *arenas,
                                                       size_t *bytes,
                                                       struct wasm_arena_error_t *error);

// How often these arenas made a call of the operating system: `call` is a `WASM_ARENA_CALL_...`.
// Constant time, no system call.
wasm_arena_status_t wasm_arena_arenas_call_count(struct wasm_arena_arenas_t *arenas,
                                                 int32_t call,
                                                 size_t *count,
                                                 struct wasm_arena_error_t *error);

// Tells which live memory, and which part of it, an address falls in; `part` is
// `WASM_ARENA_PART_NONE` if in none. Never waits, makes no system call: it may be called from a
// handler of memory faults, where `WASM_ARENA_ERROR_BUSY` means that the register of live memories
// was being changed when the fault came. The cost grows with the number of live memories.
//
// # Safety
// Pointers are as said at the head of this header. `address` may be anything.
wasm_arena_status_t wasm_arena_arenas_describe_address(struct wasm_arena_arenas_t *arenas,
                                                       const void *address,
                                                       struct wasm_arena_address_t *description,
                                                       struct wasm_arena_error_t *error);

// What became of an option of the arenas: `option` is a `WASM_ARENA_OPTION_...`. An option that is
// a memory's own is `WASM_ARENA_ERROR_NO_SUCH_OPTION` here. No system call.
wasm_arena_status_t wasm_arena_arenas_effective_option(struct wasm_arena_arenas_t *arenas,
                                                       int32_t option,
                                                       struct wasm_arena_effective_option_t *effective,
                                                       struct wasm_arena_error_t *error);

// Puts a memory under atomic operations, and stores their handle in `atomic`. Reads the whole
// memory once. Until `wasm_arena_atomic_close`, the functions of the memory's handle refuse with
// `WASM_ARENA_ERROR_LENT`; on failure it is as it was.
//
// `mirror` is null, or a second memory, at least as large, from which damage is repaired; what it
// held is lost, and it is lent too. `table_entries` is how many checksums there are at most (0:
// 256): the size of a block follows from it. They lie in host pages of their own: one system call.
// The level is standard at first.
wasm_arena_status_t wasm_arena_atomic_create(struct wasm_arena_memory_t *memory,
                                             struct wasm_arena_memory_t *mirror,
                                             size_t table_entries,
                                             struct wasm_arena_atomic_t **atomic,
                                             struct wasm_arena_error_t *error);

// Ends atomic operations; the memory's handle can be used again, and a mirror's too. One system
// call.
wasm_arena_status_t wasm_arena_atomic_close(struct wasm_arena_atomic_t *atomic,
                                            struct wasm_arena_error_t *error);

// Writes `length` bytes at `offset`, and brings the checksums up to date. Cost: the bytes; from
// level full on also up to two blocks. On failure nothing is written, except with
// `WASM_ARENA_ERROR_READ_BACK`: everything was, and did not hold.
wasm_arena_status_t wasm_arena_atomic_write(struct wasm_arena_atomic_t *atomic,
                                            size_t offset,
                                            const uint8_t *source,
                                            size_t length,
                                            struct wasm_arena_error_t *error);

// Copies `length` bytes at `offset` into `target`, all of one moment. What is found damaged is
// repaired if there is anything to repair it from; otherwise it is an error, and `target` is zero.
// Cost: the bytes, and the blocks they touch as far as the level has them checked.
wasm_arena_status_t wasm_arena_atomic_read(struct wasm_arena_atomic_t *atomic,
                                           size_t offset,
                                           uint8_t *target,
                                           size_t length,
                                           struct wasm_arena_error_t *error);

// As `wasm_arena_atomic_read`, but never waits and never repairs: with
// `WASM_ARENA_ERROR_CONTENDED`, writers came in between each time.
wasm_arena_status_t wasm_arena_atomic_try_read(struct wasm_arena_atomic_t *atomic,
                                               size_t offset,
                                               uint8_t *target,
                                               size_t length,
                                               struct wasm_arena_error_t *error);

// Writes `length` times the same byte. Otherwise as `wasm_arena_atomic_write`.
wasm_arena_status_t wasm_arena_atomic_fill(struct wasm_arena_atomic_t *atomic,
                                           size_t offset,
                                           size_t length,
                                           uint8_t byte,
                                           struct wasm_arena_error_t *error);

// Copies `length` bytes within the memory, from offset `from` to offset `to`; the ranges may
// overlap. No writer comes in between, and no reader sees a part of it. Damage is never copied, as
// far as the level has it checked.
wasm_arena_status_t wasm_arena_atomic_copy_within(struct wasm_arena_atomic_t *atomic,
                                                  size_t from,
                                                  size_t to,
                                                  size_t length,
                                                  struct wasm_arena_error_t *error);

// Writes `desired` at `offset` if the 8-bit number there, little-endian and in any alignment,
// equals `expected`. `found` (may be null) is the number that was there: equal to `expected` if,
// and only if, it was exchanged.
wasm_arena_status_t wasm_arena_atomic_compare_exchange_u8(struct wasm_arena_atomic_t *atomic,
                                                          size_t offset,
                                                          uint8_t expected,
                                                          uint8_t desired,
                                                          uint8_t *found,
                                                          struct wasm_arena_error_t *error);

// Writes `desired` at `offset` if the 16-bit number there, little-endian and in any alignment,
// equals `expected`. `found` (may be null) is the number that was there: equal to `expected` if,
// and only if, it was exchanged.
wasm_arena_status_t wasm_arena_atomic_compare_exchange_u16(struct wasm_arena_atomic_t *atomic,
                                                           size_t offset,
                                                           uint16_t expected,
                                                           uint16_t desired,
                                                           uint16_t *found,
                                                           struct wasm_arena_error_t *error);

// Writes `desired` at `offset` if the 32-bit number there, little-endian and in any alignment,
// equals `expected`. `found` (may be null) is the number that was there: equal to `expected` if,
// and only if, it was exchanged.
wasm_arena_status_t wasm_arena_atomic_compare_exchange_u32(struct wasm_arena_atomic_t *atomic,
                                                           size_t offset,
                                                           uint32_t expected,
                                                           uint32_t desired,
                                                           uint32_t *found,
                                                           struct wasm_arena_error_t *error);

// Writes `desired` at `offset` if the 64-bit number there, little-endian and in any alignment,
// equals `expected`. `found` (may be null) is the number that was there: equal to `expected` if,
// and only if, it was exchanged.
wasm_arena_status_t wasm_arena_atomic_compare_exchange_u64(struct wasm_arena_atomic_t *atomic,
                                                           size_t offset,
                                                           uint64_t expected,
                                                           uint64_t desired,
                                                           uint64_t *found,
                                                           struct wasm_arena_error_t *error);

// Checks every block of the memory, both records of their checksums, the second copy and the
// bookkeeping. Repairs nothing. Never holds up a writer for longer than one block takes.
wasm_arena_status_t wasm_arena_atomic_verify(struct wasm_arena_atomic_t *atomic,
                                             struct wasm_arena_error_t *error);

// As `wasm_arena_atomic_verify`, for the blocks that a range touches.
wasm_arena_status_t wasm_arena_atomic_verify_range(struct wasm_arena_atomic_t *atomic,
                                                   size_t offset,
                                                   size_t length,
                                                   struct wasm_arena_error_t *error);

// Checks up to `blocks` blocks from where the last call ended, and repairs what can be repaired.
// For a cyclic task: damage that cannot be repaired is reported and passed over. `report` may be
// null.
wasm_arena_status_t wasm_arena_atomic_scrub(struct wasm_arena_atomic_t *atomic,
                                            size_t blocks,
                                            struct wasm_arena_scrub_t *report,
                                            struct wasm_arena_error_t *error);

// Takes the checksums of the blocks that a range touches anew, from what they hold: for bytes that
// a guest changed without these operations. What else is wrong with these blocks is blessed with
// it.
wasm_arena_status_t wasm_arena_atomic_resync(struct wasm_arena_atomic_t *atomic,
                                             size_t offset,
                                             size_t length,
                                             struct wasm_arena_error_t *error);

// Grows by `additional_pages`; `previous_pages` (may be null) is the size before. Needs the handle
// alone. The base may change. On failure the memory is as it was.
wasm_arena_status_t wasm_arena_atomic_grow(struct wasm_arena_atomic_t *atomic,
                                           uint32_t additional_pages,
                                           uint32_t *previous_pages,
                                           struct wasm_arena_error_t *error);

// How much is checked.
wasm_arena_status_t wasm_arena_atomic_level(struct wasm_arena_atomic_t *atomic,
                                            wasm_arena_level_t *level,
                                            struct wasm_arena_error_t *error);

// Changes how much is checked, from the next operation on. Leaving level off takes all checksums
// anew, which costs the whole memory once, with writers and readers waiting.
wasm_arena_status_t wasm_arena_atomic_set_level(struct wasm_arena_atomic_t *atomic,
                                                wasm_arena_level_t level,
                                                struct wasm_arena_error_t *error);

// Sizes of the memory and of its blocks. Constant time.
wasm_arena_status_t wasm_arena_atomic_info(struct wasm_arena_atomic_t *atomic,
                                           struct wasm_arena_atomic_info_t *info,
                                           struct wasm_arena_error_t *error);

// What happened so far. Constant time.
wasm_arena_status_t wasm_arena_atomic_statistics(struct wasm_arena_atomic_t *atomic,
                                                 struct wasm_arena_atomic_statistics_t *statistics,
                                                 struct wasm_arena_error_t *error);

// The damage found last, and whether it was repaired, in `damage`; its status is `WASM_ARENA_OK`
// if there was none. Waits for writers.
wasm_arena_status_t wasm_arena_atomic_last_damage(struct wasm_arena_atomic_t *atomic,
                                                  struct wasm_arena_error_t *damage,
                                                  struct wasm_arena_error_t *error);

// Makes a budget of `limit` bytes that also draws on `parent`, if that is not null; whichever ends
// first refuses. `name` is copied: UTF-8, at most 47 bytes; it appears in refusals. The handle
// belongs to the caller, until `wasm_arena_budget_destroy`; the parent stays his too.
wasm_arena_status_t wasm_arena_budget_create(const char *name,
                                             size_t limit,
                                             struct wasm_arena_budget_t *parent,
                                             struct wasm_arena_budget_t **budget,
                                             struct wasm_arena_error_t *error);

// Ends a budget. Refused with `WASM_ARENA_ERROR_STILL_REFERENCED`, and nothing is changed, while
// memories or other budgets draw on it.
wasm_arena_status_t wasm_arena_budget_destroy(struct wasm_arena_budget_t *budget,
                                              struct wasm_arena_error_t *error);

// The account of a budget. Constant time, no system call.
wasm_arena_status_t wasm_arena_budget_usage(struct wasm_arena_budget_t *budget,
                                            struct wasm_arena_budget_usage_t *usage,
                                            struct wasm_arena_error_t *error);

// The version of the library that is linked. It is to equal `WASM_ARENA_VERSION`: before version 1,
// structs may change with every minor version.
uint32_t wasm_arena_version(void);

// Bytes of a host page. One system call at first.
size_t wasm_arena_host_page_size(void);

// What a status says, in one English line: static, never null. For the numbers, see the message in
// `wasm_arena_error_t`.
const char *wasm_arena_status_text(wasm_arena_status_t status);

// The name of a status as this header has it: static, never null.
const char *wasm_arena_status_name(wasm_arena_status_t status);

// The name of an option (`WASM_ARENA_OPTION_...`) in reports: static, null for another number.
const char *wasm_arena_option_name(int32_t option);

// The name of a call (`WASM_ARENA_CALL_...`) in reports: static, null for another number.
const char *wasm_arena_call_name(int32_t call);

// The name of a level (`WASM_ARENA_LEVEL_...`) in reports: static, null for another number.
const char *wasm_arena_level_name(int32_t level);

// Makes an allocator on `arenas`, without a memory yet, and stores its handle in `memory`.
// `options` may be null: the defaults. The arenas, and the budget in the options, cannot be
// destroyed before it. No system call for memory. The handle belongs to the caller, until
// `wasm_arena_memory_destroy`.
wasm_arena_status_t wasm_arena_memory_create(struct wasm_arena_arenas_t *arenas,
                                             const struct wasm_arena_memory_options_t *options,
                                             struct wasm_arena_memory_t **memory,
                                             struct wasm_arena_error_t *error);

// Ends an allocator, and its memory if there is one, as `wasm_arena_memory_free` does. If that is
// refused because of a seal, nothing is changed. If the memory is found damaged, or cannot be
// given back, the error tells, and the handle is gone nevertheless. Pointers into the memory must
// not be used again.
wasm_arena_status_t wasm_arena_memory_destroy(struct wasm_arena_memory_t *memory,
                                              struct wasm_arena_error_t *error);

// Allocates a memory of `initial_pages` Wasm pages that may grow to `maximum_pages`, or without a
// limit of its own with `WASM_ARENA_NO_MAXIMUM`. 0 pages are legal. `base` (may be null) is where
// it starts; all of it is zero. On failure nothing is left behind.
//
// No system call if a kept region fits, else one to five.
wasm_arena_status_t wasm_arena_memory_allocate(struct wasm_arena_memory_t *memory,
                                               uint32_t initial_pages,
                                               uint32_t maximum_pages,
                                               uint8_t **base,
                                               struct wasm_arena_error_t *error);

// As `wasm_arena_memory_allocate`, in bytes, which need not be multiples of anything.
// `maximum_bytes` may be `WASM_ARENA_AUTOMATIC` for none. `capacity_bytes` is the size up to which
// growth never moves the memory, whatever the options say of room, and even beyond the maximum;
// with `WASM_ARENA_AUTOMATIC` the options decide. For runtimes whose compiled code relies on so
// much address space.
wasm_arena_status_t wasm_arena_memory_allocate_bytes(struct wasm_arena_memory_t *memory,
                                                     size_t initial_bytes,
                                                     size_t maximum_bytes,
                                                     size_t capacity_bytes,
                                                     uint8_t **base,
                                                     struct wasm_arena_error_t *error);

// Grows by `additional_pages`. `current_pages` must be the current size. `base` (may be null) is
// where the memory starts now, which may have changed; growing by 0 tells it. New bytes are zero,
// contents and protections stay. On failure the memory is as it was, and still usable.
//
// In place: no system call where the room is open, else one. Moving: the calls of an allocation,
// and a copy of the data.
wasm_arena_status_t wasm_arena_memory_grow(struct wasm_arena_memory_t *memory,
                                           uint32_t current_pages,
                                           uint32_t additional_pages,
                                           uint8_t **base,
                                           struct wasm_arena_error_t *error);

// As `wasm_arena_memory_grow`, in bytes, which need not be multiples of anything.
wasm_arena_status_t wasm_arena_memory_grow_bytes(struct wasm_arena_memory_t *memory,
                                                 size_t additional_bytes,
                                                 uint8_t **base,
                                                 struct wasm_arena_error_t *error);

// Changes what may be done with a range of the data: whole host pages, in bytes from the base; the
// last page may be named by the memory's end. On failure nothing is changed. One system call.
wasm_arena_status_t wasm_arena_memory_protect(struct wasm_arena_memory_t *memory,
                                              size_t offset,
                                              size_t length,
                                              wasm_arena_protection_t protection,
                                              struct wasm_arena_error_t *error);

// Takes the memory back to its initial size, all zero, with its initial protection. The base
// stays. For the next guest of the same kind.
wasm_arena_status_t wasm_arena_memory_reset(struct wasm_arena_memory_t *memory,
                                            struct wasm_arena_error_t *error);

// Ends the memory; the allocator stays, for another one. Pointers into the memory must not be used
// again. Except for `WASM_ARENA_ERROR_SEALED`, `WASM_ARENA_ERROR_NOT_ALLOCATED`, and errors about
// the handle, the memory is gone in any case: what was found damaged, or could not be given back,
// is taken out of use, counted, and told. No system call if the region is kept.
wasm_arena_status_t wasm_arena_memory_free(struct wasm_arena_memory_t *memory,
                                           struct wasm_arena_error_t *error);

// From now on this memory asks nothing of the operating system: what would need a call is refused
// with `WASM_ARENA_ERROR_SEALED`. No system call.
wasm_arena_status_t wasm_arena_memory_seal(struct wasm_arena_memory_t *memory,
                                           struct wasm_arena_error_t *error);

// Undoes `wasm_arena_memory_seal`.
wasm_arena_status_t wasm_arena_memory_unseal(struct wasm_arena_memory_t *memory,
                                             struct wasm_arena_error_t *error);

// Changes how much is checked, from the next operation on. No system call.
wasm_arena_status_t wasm_arena_memory_set_level(struct wasm_arena_memory_t *memory,
                                                wasm_arena_level_t level,
                                                struct wasm_arena_error_t *error);

// Checks the bookkeeping and the guards now, whatever the level. Up to four system calls.
wasm_arena_status_t wasm_arena_memory_verify(struct wasm_arena_memory_t *memory,
                                             struct wasm_arena_error_t *error);

// Where the memory lies, and how large it is. Constant time, no system call.
wasm_arena_status_t wasm_arena_memory_view(struct wasm_arena_memory_t *memory,
                                           struct wasm_arena_view_t *view,
                                           struct wasm_arena_error_t *error);

// Copies `length` bytes at `offset` out of the memory, into `target`, which is no part of it. A
// range outside, or one that a protection forbids to read, is an error and no fault; `target` is
// then zero. No system call.
wasm_arena_status_t wasm_arena_memory_read(struct wasm_arena_memory_t *memory,
                                           size_t offset,
                                           uint8_t *target,
                                           size_t length,
                                           struct wasm_arena_error_t *error);

// Copies `length` bytes from `source`, which is no part of the memory, into it at `offset`. A
// range outside, or one that a protection forbids to write, is an error and no fault; nothing is
// written then. No system call.
wasm_arena_status_t wasm_arena_memory_write(struct wasm_arena_memory_t *memory,
                                            size_t offset,
                                            const uint8_t *source,
                                            size_t length,
                                            struct wasm_arena_error_t *error);

// The account of the memory held, or held last. Constant time, no system call.
wasm_arena_status_t wasm_arena_memory_statistics(struct wasm_arena_memory_t *memory,
                                                 struct wasm_arena_memory_statistics_t *statistics,
                                                 struct wasm_arena_error_t *error);

// What became of an option of the memory or of its arenas: `option` is a `WASM_ARENA_OPTION_...`.
// No system call.
wasm_arena_status_t wasm_arena_memory_effective_option(struct wasm_arena_memory_t *memory,
                                                       int32_t option,
                                                       struct wasm_arena_effective_option_t *effective,
                                                       struct wasm_arena_error_t *error);

// Tells which part of the memory an address falls in; `part` is `WASM_ARENA_PART_NONE` if in none.
// Constant time, no system call, never waits.
wasm_arena_status_t wasm_arena_memory_describe_address(struct wasm_arena_memory_t *memory,
                                                       const void *address,
                                                       struct wasm_arena_address_t *description,
                                                       struct wasm_arena_error_t *error);

// Fills `options` with the defaults: guards of one host page, data that can be read and written,
// growth in place while there is room.
wasm_arena_status_t wasm_arena_memory_options_init(struct wasm_arena_memory_options_t *options,
                                                   struct wasm_arena_error_t *error);

// What `core`, as compilers ship it, names as the one who unwinds. Nothing unwinds here, so nobody
// calls it; the linker wants the name.
void rust_eh_personality(void);

// Makes the memory of a runtime, and stores its handle in `runtime`. Linear memories come from
// `arenas`, each with the options given (null: the defaults); the runtime's own objects come from a
// heap of its own. The arenas, and the budget in the options, cannot be destroyed before it.
//
// `reserved` is 0, or how much address space behind the base of every linear memory is to fault or
// to be its data, as a runtime needs that leaves checks out of compiled code: 8 GiB for WAMR with
// hardware bounds checks. Memories then never move. Refused where address space costs memory.
wasm_arena_status_t wasm_arena_runtime_create(struct wasm_arena_arenas_t *arenas,
                                              const struct wasm_arena_memory_options_t *options,
                                              size_t reserved,
                                              struct wasm_arena_runtime_t **runtime,
                                              struct wasm_arena_error_t *error);

// Ends the memory of a runtime: all of its linear memories and all of its objects, freed by it or
// not. End the runtime first.
//
// # Safety
// Pointers are as said at the head of this header; nothing the runtime got from it is used again.
wasm_arena_status_t wasm_arena_runtime_destroy(struct wasm_arena_runtime_t *runtime,
                                               struct wasm_arena_error_t *error);

// The account of a runtime's memory. No system call.
wasm_arena_status_t wasm_arena_runtime_statistics(struct wasm_arena_runtime_t *runtime,
                                                  struct wasm_arena_runtime_statistics_t *statistics,
                                                  struct wasm_arena_error_t *error);

// Why a request of the runtime was refused last, in `refusal`: the runtime itself only sees a null
// pointer. Its status is `WASM_ARENA_OK` if none was.
wasm_arena_status_t wasm_arena_runtime_last_refusal(struct wasm_arena_runtime_t *runtime,
                                                    struct wasm_arena_error_t *refusal,
                                                    struct wasm_arena_error_t *error);

// For WAMR's `mem_alloc_option.allocator.malloc_func`, built with `WASM_MEM_ALLOC_WITH_USAGE` and
// `WASM_MEM_ALLOC_WITH_USER_DATA`. `user_data` is a `wasm_arena_runtime_t`. A linear memory is zero
// and lies between guards; null if it is refused.
void *wasm_arena_wamr_malloc(uint32_t usage, void *user_data, unsigned int size);

// For WAMR's `realloc_func`, as `wasm_arena_wamr_malloc`. What a linear memory gains is zero. With
// `full_size_mapped` the runtime counts on the base staying where it is: the memory then grows in
// place or not at all.
//
// # Safety
// As C's `realloc`: `block` is null or a live block of this runtime, which is not used by its old
// address after success.
void *wasm_arena_wamr_realloc(uint32_t usage,
                              bool full_size_mapped,
                              void *user_data,
                              void *block,
                              unsigned int size);

// For WAMR's `free_func`, as `wasm_arena_wamr_malloc`. A block that is none is counted and left
// alone, as far as it can be told.
//
// # Safety
// As C's `free`: `block` is null or a live block of this runtime, which is not used again.
void wasm_arena_wamr_free(uint32_t usage, void *user_data, void *block);

// Says where wasm3's functions take memory from, for the whole process: wasm3 passes them nothing to
// tell by. Call it before wasm3 does anything, and with null after its end.
//
// # Safety
// Pointers are as said at the head of this header; no block of another runtime is in use by wasm3.
wasm_arena_status_t wasm_arena_wasm3_use(struct wasm_arena_runtime_t *runtime,
                                         struct wasm_arena_error_t *error);

// In the place of `calloc` in wasm3: see `wasm_arena_wasm3.h`.
//
// # Safety
// None of its own.
void *wasm_arena_wasm3_calloc(size_t count, size_t size);

// In the place of `realloc` in wasm3: see `wasm_arena_wasm3.h`. What a block from arenas gains is
// zero.
//
// # Safety
// As C's `realloc`: `block` is null or a live block of the runtime in use, which is not used by its
// old address after success.
void *wasm_arena_wasm3_realloc(void *block, size_t size);

// In the place of `free` in wasm3: see `wasm_arena_wasm3.h`.
//
// # Safety
// As C's `free`: `block` is null or a live block of the runtime in use, which is not used again.
void wasm_arena_wasm3_free(void *block);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WASM_ARENA_H */
