/* The memory of a C runtime, called as WAMR 2 calls its allocator: with a usage, a flag and user data. */
#include <stdbool.h>

#include "check.h"

static wasm_arena_arenas_t *arenas;
static wasm_arena_runtime_t *memory;

/* With a usage, a flag and user data: the shapes of WAMR 2's allocator. */
static void as_wamr_calls(void)
{
    void *(*malloc_function)(uint32_t, void *, unsigned int) = wasm_arena_wamr_malloc;
    void *(*realloc_function)(uint32_t, bool, void *, void *, unsigned int) =
        wasm_arena_wamr_realloc;
    void (*free_function)(uint32_t, void *, void *) = wasm_arena_wamr_free;
    wasm_arena_runtime_t *reserved = NULL;
    struct wasm_arena_runtime_statistics_t account;
    struct wasm_arena_address_t place;
    uint8_t *base;
    uint8_t *grown;
    uint8_t *object;
    size_t byte;

    OK(wasm_arena_runtime_create(arenas, NULL, (size_t)8 << 30, &reserved, error));
    base = malloc_function(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, reserved, WASM_ARENA_PAGE_SIZE);
    CHECK(base != NULL);
    for (byte = 0; byte < WASM_ARENA_PAGE_SIZE; byte++) {
        CHECK_EQUAL(base[byte], 0);
        base[byte] = 0xff;
    }
    /* Mapped in full: it must stay where it is, and what is behind it must fault. */
    grown = realloc_function(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, true, reserved, base,
                             3 * WASM_ARENA_PAGE_SIZE);
    CHECK(grown == base && grown[0] == 0xff && grown[WASM_ARENA_PAGE_SIZE] == 0);
    OK(wasm_arena_arenas_describe_address(arenas, base + 3 * WASM_ARENA_PAGE_SIZE, &place, error));
    CHECK_EQUAL(place.part, WASM_ARENA_PART_ROOM);
    OK(wasm_arena_arenas_describe_address(arenas, base + ((size_t)8 << 30) - 1, &place, error));
    CHECK_EQUAL(place.part, WASM_ARENA_PART_ROOM);
    free_function(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, reserved, base);

    /* Recycled memory is zero again: what an allocator that only wraps malloc forgets. */
    base = malloc_function(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, reserved, WASM_ARENA_PAGE_SIZE);
    for (byte = 0; byte < WASM_ARENA_PAGE_SIZE; byte++) {
        CHECK_EQUAL(base[byte], 0);
    }
    object = realloc_function(WASM_ARENA_WAMR_FOR_RUNTIME, false, reserved, NULL, 100);
    CHECK(object != NULL && (size_t)object % 16 == 0);
    memset(object, 7, 100);
    object = realloc_function(WASM_ARENA_WAMR_FOR_RUNTIME, false, reserved, object, 100000);
    CHECK(object != NULL && object[99] == 7);
    free_function(WASM_ARENA_WAMR_FOR_RUNTIME, reserved, object);

    /* Without room to grow in place, what must not move is refused. */
    CHECK(realloc_function(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, true, memory, base,
                           2 * WASM_ARENA_PAGE_SIZE) == NULL);
    free_function(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, memory, base);
    OK(wasm_arena_runtime_statistics(memory, &account, error));
    CHECK_EQUAL(account.strays, 2);
    CHECK(malloc_function(WASM_ARENA_WAMR_FOR_RUNTIME, NULL, 1) == NULL);
    CHECK(malloc_function(WASM_ARENA_WAMR_FOR_RUNTIME, arenas, 1) == NULL);
    OK(wasm_arena_runtime_statistics(reserved, &account, error));
    CHECK_EQUAL(account.memories, 1);
    /* What the runtime did not free is ended with its memory. */
    OK(wasm_arena_runtime_destroy(reserved, error));
}

/* Many memories at once, freed out of order, some of them moved: each is found by its address. */
static void many_memories(void)
{
    enum { COUNT = 300 };
    static uint32_t *memories[COUNT];
    struct wasm_arena_memory_options_t options;
    struct wasm_arena_runtime_statistics_t account;
    wasm_arena_runtime_t *crowd = NULL;
    uint32_t number;

    OK(wasm_arena_memory_options_init(&options, error));
    /* Without room, so that growing moves them. */
    options.growth_room = 0;
    OK(wasm_arena_runtime_create(arenas, &options, 0, &crowd, error));
    for (number = 0; number < COUNT; number++) {
        memories[number] = wasm_arena_wamr_malloc(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, crowd, 4096);
        CHECK(memories[number] != NULL && memories[number][1023] == 0);
        memories[number][1023] = number;
    }
    for (number = 0; number < COUNT; number += 3) {
        uint32_t *moved = wasm_arena_wamr_realloc(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, false, crowd,
                                                  memories[number], 4 * WASM_ARENA_PAGE_SIZE);
        CHECK(moved != NULL && moved != memories[number]);
        CHECK(moved[1023] == number && moved[1024] == 0);
        memories[number] = moved;
    }
    OK(wasm_arena_runtime_statistics(crowd, &account, error));
    CHECK_EQUAL(account.memories, COUNT);
    for (number = 0; number < COUNT; number++) {
        /* 7 and 300 have no common factor: every one comes once. */
        uint32_t next = number * 7 % COUNT;
        CHECK_EQUAL(memories[next][1023], next);
        wasm_arena_wamr_free(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, crowd, memories[next]);
    }
    /* Twice is once too often, and does no harm. */
    wasm_arena_wamr_free(WASM_ARENA_WAMR_FOR_LINEAR_MEMORY, crowd, memories[0]);
    OK(wasm_arena_runtime_statistics(crowd, &account, error));
    CHECK_EQUAL(account.memories, 0);
    CHECK_EQUAL(account.strays, 1);
    CHECK_EQUAL(account.refusals, 0);
    OK(wasm_arena_runtime_destroy(crowd, error));
}

/* As wasm3 takes memory: by size alone, and from small to large in one call. */
static void as_wasm3_calls(void)
{
    struct wasm_arena_runtime_statistics_t account;
    unsigned char *block;
    size_t byte;

    CHECK(wasm_arena_wasm3_calloc(1, 1) == NULL);
    EXPECT(WASM_ARENA_ERROR_HANDLE_KIND,
           wasm_arena_wasm3_use((wasm_arena_runtime_t *)arenas, error));
    OK(wasm_arena_wasm3_use(memory, error));
    CHECK(wasm_arena_wasm3_calloc(SIZE_MAX, 2) == NULL);
    block = wasm_arena_wasm3_calloc(10, 10);
    CHECK(block != NULL && block[99] == 0);
    memset(block, 3, 100);
    block = wasm_arena_wasm3_realloc(block, WASM_ARENA_WASM3_THRESHOLD + 32);
    CHECK(block != NULL && block[99] == 3);
    OK(wasm_arena_runtime_statistics(memory, &account, error));
    CHECK_EQUAL(account.memories, 1);
    block = wasm_arena_wasm3_realloc(block, 9 * WASM_ARENA_WASM3_THRESHOLD);
    CHECK(block != NULL && block[0] == 3);
    for (byte = WASM_ARENA_WASM3_THRESHOLD + 32; byte < 9 * WASM_ARENA_WASM3_THRESHOLD; byte++) {
        CHECK_EQUAL(block[byte], 0);
    }
    wasm_arena_wasm3_free(block);
    wasm_arena_wasm3_free(NULL);
    block = wasm_arena_wasm3_realloc(NULL, 5);
    CHECK(block != NULL);
    wasm_arena_wasm3_free(block);
    OK(wasm_arena_runtime_statistics(memory, &account, error));
    CHECK_EQUAL(account.memories, 0);
    CHECK_EQUAL(account.object_bytes, 0);
    OK(wasm_arena_wasm3_use(NULL, error));
}

static void what_cannot_be_had_is_refused(void)
{
    struct wasm_arena_memory_options_t options;
    struct wasm_arena_error_t refusal;
    wasm_arena_runtime_t *never = NULL;

    OK(wasm_arena_memory_options_init(&options, error));
    options.room = WASM_ARENA_ROOM_OPEN;
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_runtime_create(arenas, &options, 1 << 20, &never, error));
    OK(wasm_arena_memory_options_init(&options, error));
    options.guard_after = 1;
    EXPECT(WASM_ARENA_ERROR_MISALIGNED,
           wasm_arena_runtime_create(arenas, &options, 0, &never, error));
    OK(wasm_arena_runtime_last_refusal(memory, &refusal, error));
    CHECK_EQUAL(refusal.status, WASM_ARENA_ERROR_TOO_LARGE);
}

int main(void)
{
    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    OK(wasm_arena_runtime_create(arenas, NULL, 0, &memory, error));
    EXPECT(WASM_ARENA_ERROR_STILL_REFERENCED, wasm_arena_arenas_destroy(arenas, error));
    as_wamr_calls();
    many_memories();
    as_wasm3_calls();
    what_cannot_be_had_is_refused();
    OK(wasm_arena_runtime_destroy(memory, error));
    OK(wasm_arena_arenas_destroy(arenas, error));
    puts("runtime: ok");
    return 0;
}
