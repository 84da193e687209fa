/* Threads: what may be shared is shared, what may not is an error and never a race. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "check.h"

enum { THREADS = 4, ROUNDS = 3000 };

static wasm_arena_arenas_t *arenas;
static wasm_arena_budget_t *budget;
static wasm_arena_atomic_t *atomic;
static wasm_arena_memory_t *contested;

/* Each thread has memories of its own on the same arenas and budget. */
static void *churn(void *unused)
{
    struct wasm_arena_memory_options_t options;
    struct wasm_arena_error_t error;
    int round;
    (void)unused;

    CHECK_EQUAL(wasm_arena_memory_options_init(&options, NULL), WASM_ARENA_OK);
    options.budget = budget;
    for (round = 0; round < ROUNDS / 10; round++) {
        wasm_arena_memory_t *memory = NULL;
        uint8_t *base = NULL;
        CHECK_EQUAL(wasm_arena_memory_create(arenas, &options, &memory, &error), WASM_ARENA_OK);
        CHECK_EQUAL(wasm_arena_memory_allocate(memory, 1, 2, &base, &error), WASM_ARENA_OK);
        CHECK_EQUAL(base[round], 0);
        base[round] = 1;
        CHECK_EQUAL(wasm_arena_memory_grow(memory, 1, 1, &base, &error), WASM_ARENA_OK);
        CHECK_EQUAL(wasm_arena_memory_destroy(memory, &error), WASM_ARENA_OK);
    }
    return NULL;
}

/* All threads write and read the same checked memory; nobody sees half of a write. */
static void *share(void *number)
{
    uint8_t mine[64];
    uint8_t seen[64];
    int round;
    size_t byte;

    memset(mine, (int)(size_t)number, sizeof mine);
    for (round = 0; round < ROUNDS; round++) {
        uint64_t before = 0;
        uint64_t found = 0;
        CHECK_EQUAL(wasm_arena_atomic_write(atomic, 96, mine, sizeof mine, NULL), WASM_ARENA_OK);
        CHECK_EQUAL(wasm_arena_atomic_read(atomic, 96, seen, sizeof seen, NULL), WASM_ARENA_OK);
        for (byte = 1; byte < sizeof seen; byte++) {
            CHECK_EQUAL(seen[byte], seen[0]);
        }
        /* A counter that loses nothing. */
        do {
            before = found;
            CHECK_EQUAL(wasm_arena_atomic_compare_exchange_u64(atomic, 8, before, before + 1,
                                                               &found, NULL),
                        WASM_ARENA_OK);
        } while (found != before);
    }
    return NULL;
}

/* One memory, grown by all: each attempt succeeds or is refused by name. */
static void *contest(void *successes)
{
    int round;
    for (round = 0; round < ROUNDS; round++) {
        wasm_arena_status_t status = wasm_arena_memory_grow_bytes(contested, 16, NULL, NULL);
        if (status == WASM_ARENA_OK) {
            ++*(size_t *)successes;
        } else {
            CHECK_EQUAL(status, WASM_ARENA_ERROR_IN_USE);
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    size_t successes[THREADS] = {0};
    size_t sum = 0;
    struct wasm_arena_view_t view;
    struct wasm_arena_budget_usage_t usage;
    wasm_arena_memory_t *shared = NULL;
    uint64_t counted = 0;
    size_t number;

    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    OK(wasm_arena_budget_create("threads", 2 * THREADS * WASM_ARENA_PAGE_SIZE, NULL, &budget,
                                error));
    for (number = 0; number < THREADS; number++) {
        CHECK(pthread_create(&threads[number], NULL, churn, NULL) == 0);
    }
    for (number = 0; number < THREADS; number++) {
        CHECK(pthread_join(threads[number], NULL) == 0);
    }
    OK(wasm_arena_budget_usage(budget, &usage, error));
    CHECK_EQUAL(usage.used, 0);

    OK(wasm_arena_memory_create(arenas, NULL, &shared, error));
    OK(wasm_arena_memory_allocate(shared, 1, 1, NULL, error));
    OK(wasm_arena_atomic_create(shared, NULL, 0, &atomic, error));
    for (number = 0; number < THREADS; number++) {
        CHECK(pthread_create(&threads[number], NULL, share, (void *)(number + 1)) == 0);
    }
    for (number = 0; number < THREADS; number++) {
        CHECK(pthread_join(threads[number], NULL) == 0);
    }
    OK(wasm_arena_atomic_verify(atomic, error));
    OK(wasm_arena_atomic_read(atomic, 8, (uint8_t *)&counted, sizeof counted, error));
    CHECK_EQUAL(counted, THREADS * ROUNDS);
    OK(wasm_arena_atomic_close(atomic, error));

    OK(wasm_arena_memory_create(arenas, NULL, &contested, error));
    OK(wasm_arena_memory_allocate_bytes(contested, 0, WASM_ARENA_AUTOMATIC, 1 << 20, NULL, error));
    for (number = 0; number < THREADS; number++) {
        CHECK(pthread_create(&threads[number], NULL, contest, &successes[number]) == 0);
    }
    for (number = 0; number < THREADS; number++) {
        CHECK(pthread_join(threads[number], NULL) == 0);
        sum += successes[number];
    }
    OK(wasm_arena_memory_view(contested, &view, error));
    CHECK_EQUAL(view.size, 16 * sum);

    OK(wasm_arena_memory_destroy(contested, error));
    OK(wasm_arena_memory_destroy(shared, error));
    OK(wasm_arena_budget_destroy(budget, error));
    OK(wasm_arena_arenas_destroy(arenas, error));
    puts("threads: ok");
    return 0;
}
