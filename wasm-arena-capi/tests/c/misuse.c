/* Everything that a C program can get wrong about handles and arguments is an error with a name. */
#include "check.h"

static void null_arguments(wasm_arena_arenas_t *arenas, wasm_arena_memory_t *memory)
{
    struct wasm_arena_view_t view;
    uint8_t byte = 0;

    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_arenas_create(NULL, NULL, error));
    CHECK(strcmp(last_error.subject, "arenas") == 0);
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_arenas_destroy(NULL, error));
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_memory_create(NULL, NULL, &memory, error));
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_memory_create(arenas, NULL, NULL, error));
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_memory_view(memory, NULL, error));
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_memory_view(NULL, &view, error));
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_memory_write(memory, 0, NULL, 1, error));
    CHECK(strcmp(last_error.subject, "source") == 0);
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_memory_read(memory, 0, NULL, 1, error));
    OK(wasm_arena_memory_read(memory, 0, NULL, 0, error));
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_memory_write(memory, 0, &byte, SIZE_MAX, error));
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_arenas_configure(arenas, NULL, error));
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_budget_create(NULL, 1, NULL, NULL, error));
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT, wasm_arena_memory_options_init(NULL, error));

    /* An error need not be asked for. */
    CHECK_EQUAL(wasm_arena_arenas_destroy(NULL, NULL), WASM_ARENA_ERROR_NULL_ARGUMENT);
    CHECK_EQUAL(wasm_arena_memory_grow(NULL, 0, 0, NULL, NULL), WASM_ARENA_ERROR_NULL_ARGUMENT);
}

static void stray_and_mistaken_handles(wasm_arena_arenas_t *arenas, wasm_arena_memory_t *memory)
{
    struct wasm_arena_view_t view;
    struct wasm_arena_arenas_statistics_t account;
    char array[64];
    size_t step;

    memset(array, 0, sizeof array);
    /* Addresses of anything, and no addresses at all. */
    for (step = 0; step < sizeof array; step += 2) {
        wasm_arena_status_t status =
            wasm_arena_memory_view((wasm_arena_memory_t *)(void *)(array + step), &view, NULL);
        CHECK(status == WASM_ARENA_ERROR_INVALID_HANDLE);
    }
    for (step = 1; step < 4096; step++) {
        wasm_arena_memory_t *stray = (wasm_arena_memory_t *)step;
        if (stray != memory) {
            CHECK(wasm_arena_memory_view(stray, &view, NULL) != WASM_ARENA_OK);
        }
        stray = (wasm_arena_memory_t *)(SIZE_MAX - step);
        CHECK(wasm_arena_memory_view(stray, &view, NULL) != WASM_ARENA_OK);
        CHECK(wasm_arena_memory_destroy(stray, NULL) != WASM_ARENA_OK);
    }
    EXPECT(WASM_ARENA_ERROR_HANDLE_KIND,
           wasm_arena_memory_view((wasm_arena_memory_t *)arenas, &view, error));
    CHECK(strstr(last_error.message, "stands for arenas") != NULL);
    EXPECT(WASM_ARENA_ERROR_HANDLE_KIND,
           wasm_arena_arenas_statistics((wasm_arena_arenas_t *)memory, &account, error));
    OK(wasm_arena_memory_view(memory, &view, error));
}

static void destroyed_handles(wasm_arena_arenas_t *arenas)
{
    wasm_arena_memory_t *old = NULL;
    wasm_arena_memory_t *next = NULL;
    struct wasm_arena_view_t view;
    int round;

    OK(wasm_arena_memory_create(arenas, NULL, &old, error));
    OK(wasm_arena_memory_destroy(old, error));
    EXPECT(WASM_ARENA_ERROR_STALE_HANDLE, wasm_arena_memory_destroy(old, error));
    EXPECT(WASM_ARENA_ERROR_STALE_HANDLE, wasm_arena_memory_view(old, &view, error));
    /* Its place is used again, many times; the old handle never means another memory. */
    for (round = 0; round < 1000; round++) {
        OK(wasm_arena_memory_create(arenas, NULL, &next, error));
        CHECK(next != old);
        EXPECT(WASM_ARENA_ERROR_STALE_HANDLE, wasm_arena_memory_view(old, &view, error));
        OK(wasm_arena_memory_destroy(next, error));
    }
}

static void structs_and_numbers(wasm_arena_arenas_t *arenas)
{
    struct wasm_arena_memory_options_t options;
    struct wasm_arena_arena_options_t arena_options;
    wasm_arena_memory_t *memory = NULL;
    wasm_arena_arenas_t *others = NULL;
    size_t calls = 0;

    memset(&options, 0, sizeof options);
    EXPECT(WASM_ARENA_ERROR_STRUCT_SIZE,
           wasm_arena_memory_create(arenas, &options, &memory, error));
    CHECK_EQUAL(last_error.limit, sizeof options);
    OK(wasm_arena_memory_options_init(&options, error));
    CHECK_EQUAL(options.struct_size, sizeof options);
    options.level = 5;
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_memory_create(arenas, &options, &memory, error));
    CHECK(strcmp(last_error.subject, "level") == 0);
    CHECK_EQUAL(last_error.requested, 5);
    OK(wasm_arena_memory_options_init(&options, error));
    options.prefault = 2;
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_memory_create(arenas, &options, &memory, error));
    OK(wasm_arena_memory_options_init(&options, error));
    options.guard_after = 1;
    EXPECT(WASM_ARENA_ERROR_MISALIGNED,
           wasm_arena_memory_create(arenas, &options, &memory, error));
    OK(wasm_arena_memory_options_init(&options, error));
    options.guard_protection = WASM_ARENA_PROTECTION_READ_WRITE;
    EXPECT(WASM_ARENA_ERROR_INVALID_OPTION,
           wasm_arena_memory_create(arenas, &options, &memory, error));
    CHECK(memory == NULL);

    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_arena_options_init(&arena_options, 2, error));
    OK(wasm_arena_arena_options_init(&arena_options, WASM_ARENA_SYSTEM_ARENAS, error));
    CHECK_EQUAL(arena_options.struct_size, sizeof arena_options);
    arena_options.system = -1;
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_arenas_create(&arena_options, &others, error));
    arena_options.system = WASM_ARENA_SYSTEM_MAPPED;
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_arenas_configure(arenas, &arena_options, error));
    CHECK(others == NULL);
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_arenas_call_count(arenas, WASM_ARENA_CALL_COUNT, &calls, error));
}

static void texts(void)
{
    wasm_arena_status_t status;
    int known = 0;
    for (status = -5; status < 1000; status++) {
        CHECK(wasm_arena_status_text(status) != NULL);
        known += strcmp(wasm_arena_status_name(status), "?") != 0;
    }
    CHECK(known > 40);
    CHECK(strcmp(wasm_arena_status_name(WASM_ARENA_ERROR_STALE_HANDLE),
                 "WASM_ARENA_ERROR_STALE_HANDLE") == 0);
    CHECK(strcmp(wasm_arena_level_name(WASM_ARENA_LEVEL_FULL), "full") == 0);
    CHECK(wasm_arena_level_name(-1) == NULL);
}

int main(void)
{
    wasm_arena_arenas_t *arenas = NULL;
    wasm_arena_memory_t *memory = NULL;

    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    OK(wasm_arena_memory_create(arenas, NULL, &memory, error));
    OK(wasm_arena_memory_allocate(memory, 1, 2, NULL, error));
    null_arguments(arenas, memory);
    stray_and_mistaken_handles(arenas, memory);
    destroyed_handles(arenas);
    structs_and_numbers(arenas);
    texts();
    OK(wasm_arena_memory_destroy(memory, error));
    OK(wasm_arena_arenas_destroy(arenas, error));
    EXPECT(WASM_ARENA_ERROR_STALE_HANDLE, wasm_arena_arenas_destroy(arenas, error));
    puts("misuse: ok");
    return 0;
}
