/* The hook for Wasmtime, its callbacks driven as Wasmtime 48's C API drives them (`src/config.rs` of
 * the crate wasmtime-c-api-impl): compiled against the real headers, with the functions it calls of
 * Wasmtime played here. `wasmtime.c` is the same by Wasmtime itself. */
#include "check.h"

#include "wasm_arena_wasmtime.h"

static wasmtime_memory_creator_t hook;
static uint64_t reservation = 1;
static uint64_t guard = 1;
static bool images = true;
static bool is_shared;
static char problem[300];

void wasmtime_config_memory_reservation_set(wasm_config_t *config, uint64_t bytes)
{
    (void)config;
    reservation = bytes;
}

void wasmtime_config_memory_reservation_for_growth_set(wasm_config_t *config, uint64_t bytes)
{
    (void)config;
    CHECK_EQUAL(bytes, 0);
}

void wasmtime_config_memory_guard_size_set(wasm_config_t *config, uint64_t bytes)
{
    (void)config;
    guard = bytes;
}

void wasmtime_config_memory_may_move_set(wasm_config_t *config, bool on)
{
    (void)config;
    CHECK(on);
}

void wasmtime_config_memory_init_cow_set(wasm_config_t *config, bool on)
{
    (void)config;
    images = on;
}

void wasmtime_config_host_memory_creator_set(wasm_config_t *config,
                                             wasmtime_memory_creator_t *creator)
{
    (void)config;
    hook = *creator;
}

wasmtime_error_t *wasmtime_error_new(const char *text)
{
    snprintf(problem, sizeof problem, "%s", text);
    return (wasmtime_error_t *)problem;
}

bool wasmtime_memorytype_isshared(const wasm_memorytype_t *type)
{
    (void)type;
    return is_shared;
}

static void memories(bool is_reserved)
{
    const size_t page = WASM_ARENA_PAGE_SIZE;
    size_t maximum = is_shared ? 8 * page : SIZE_MAX;
    wasmtime_linear_memory_t memory;
    size_t size = 0;
    size_t capacity = 0;
    uint8_t *base;
    uint8_t *later;

    CHECK(hook.new_memory(hook.env, NULL, page, maximum, (size_t)reservation, (size_t)guard,
                          &memory) == NULL);
    base = memory.get_memory(memory.env, &size, &capacity);
    CHECK(base != NULL && base[page - 1] == 0);
    CHECK_EQUAL(size, page);
    CHECK(capacity >= page && (!is_reserved || capacity >= reservation));
    base[page - 1] = 9;
    CHECK(memory.grow_memory(memory.env, 4 * page) == NULL);
    later = memory.get_memory(memory.env, &size, &capacity);
    CHECK_EQUAL(size, 4 * page);
    CHECK(later[page - 1] == 9 && later[4 * page - 1] == 0);
    /* What was promised not to move has not moved. */
    CHECK(later == base || (!is_reserved && !is_shared));
    CHECK(memory.grow_memory(memory.env, page) != NULL && strstr(problem, "shrink") != NULL);
    if (is_shared) {
        CHECK(memory.grow_memory(memory.env, 9 * page) != NULL);
        CHECK(strstr(problem, "maximum") != NULL);
    }
    memory.finalizer(memory.env);

    CHECK(hook.new_memory(hook.env, NULL, 0, 0, (size_t)reservation, (size_t)guard, &memory) ==
          NULL);
    memory.get_memory(memory.env, &size, &capacity);
    CHECK_EQUAL(size, 0);
    memory.finalizer(memory.env);

    CHECK(hook.new_memory(hook.env, NULL, page, 0, 0, 0, &memory) != NULL);
    CHECK(hook.new_memory(hook.env, NULL, page, maximum, (size_t)reservation,
                          (size_t)guard + page, &memory) != NULL);
    CHECK(strstr(problem, "memory_guard_size") != NULL);
    if (!is_reserved) {
        CHECK(hook.new_memory(hook.env, NULL, page, maximum, 1, 0, &memory) != NULL);
        CHECK(strstr(problem, "memory_reservation") != NULL);
    }
}

int main(void)
{
    wasm_arena_arenas_t *arenas = NULL;
    struct wasm_arena_arenas_statistics_t account;
    wasm_config_t *config = (wasm_config_t *)problem;
    int strategy;

    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    for (strategy = 0; strategy < 2; strategy++) {
        images = true;
        OK(wasm_arena_wasmtime_configure(config, arenas,
                                         (enum wasm_arena_wasmtime_strategy)strategy, NULL,
                                         error));
        CHECK(!images);
        CHECK_EQUAL(reservation, strategy == 1 ? UINT64_C(1) << 32 : 0);
        CHECK_EQUAL(guard, strategy == 1 ? 32 << 20 : 0);
        is_shared = false;
        memories(strategy == 1);
        is_shared = true;
        memories(strategy == 1);
        hook.finalizer(hook.env);
    }
    OK(wasm_arena_arenas_statistics(arenas, &account, error));
    CHECK_EQUAL(account.live_memories, 0);
    CHECK_EQUAL(account.unreturned_regions, 0);
    OK(wasm_arena_arenas_destroy(arenas, error));
    puts("wasmtime_callbacks: ok");
    return 0;
}
