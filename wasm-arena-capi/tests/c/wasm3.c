/* wasm3 itself, with all of its memory from arenas. */
#include "check.h"
#include "guest.h"

#include "wasm3.h"
#include "m3_env.h"

/* Calls with arguments as text, which is what version 0.4 takes, and reads the result where it
 * leaves it: at the bottom of its stack. */
static M3Result try_call(IM3Function function, uint32_t count, uint32_t first, uint32_t second)
{
    char texts[2][16];
    const char *arguments[2];
    snprintf(texts[0], sizeof texts[0], "%u", (unsigned)first);
    snprintf(texts[1], sizeof texts[1], "%u", (unsigned)second);
    arguments[0] = texts[0];
    arguments[1] = texts[1];
    return m3_CallWithArgs(function, count, arguments);
}

static uint32_t call(IM3Function function, uint32_t count, uint32_t first, uint32_t second)
{
    uint32_t result;
    CHECK(try_call(function, count, first, second) == m3Err_none);
    memcpy(&result, function->module->runtime->stack, sizeof result);
    return result;
}

static void a_guest(wasm_arena_arenas_t *arenas, wasm_arena_runtime_t *memory)
{
    IM3Environment environment = m3_NewEnvironment();
    IM3Runtime runtime = m3_NewRuntime(environment, 2 * WASM_ARENA_PAGE_SIZE, NULL);
    IM3Module module = NULL;
    IM3Function grow, put, get, sum;
    struct wasm_arena_runtime_statistics_t account;
    struct wasm_arena_address_t place;
    struct wasm_arena_error_t refusal;
    uint8_t *base;
    uint32_t size = 0;

    CHECK(environment != NULL && runtime != NULL);
    CHECK(m3_ParseModule(environment, &module, guest, sizeof guest) == m3Err_none);
    CHECK(m3_LoadModule(runtime, module) == m3Err_none);
    CHECK(m3_FindFunction(&grow, runtime, "grow") == m3Err_none);
    CHECK(m3_FindFunction(&put, runtime, "put") == m3Err_none);
    CHECK(m3_FindFunction(&get, runtime, "get") == m3Err_none);
    CHECK(m3_FindFunction(&sum, runtime, "sum") == m3Err_none);

    /* The guest's memory, and the interpreter's stack, are from arenas; the rest from the heap. */
    base = m3_GetMemory(runtime, &size, 0);
    CHECK_EQUAL(size, WASM_ARENA_PAGE_SIZE);
    OK(wasm_arena_arenas_describe_address(arenas, base, &place, error));
    CHECK_EQUAL(place.part, WASM_ARENA_PART_DATA);
    OK(wasm_arena_runtime_statistics(memory, &account, error));
    CHECK_EQUAL(account.memories, 2);
    CHECK(account.object_bytes > 1000);

    /* Memory is zero, whoever had it before; it keeps its contents while it grows, and is zero
     * where it grew. */
    CHECK_EQUAL(call(sum, 1, WASM_ARENA_PAGE_SIZE, 0), 0);
    call(put, 2, WASM_ARENA_PAGE_SIZE - 4, 40);
    CHECK_EQUAL(call(grow, 1, 3, 0), 1);
    CHECK_EQUAL(call(get, 1, WASM_ARENA_PAGE_SIZE - 4, 0), 40);
    call(put, 2, 4 * WASM_ARENA_PAGE_SIZE - 4, 2);
    CHECK_EQUAL(call(sum, 1, 4 * WASM_ARENA_PAGE_SIZE, 0), 42);
    CHECK_EQUAL(call(grow, 1, 9, 0), (uint32_t)-1);
    base = m3_GetMemory(runtime, &size, 0);
    CHECK_EQUAL(size, 4 * WASM_ARENA_PAGE_SIZE);
    CHECK_EQUAL(base[WASM_ARENA_PAGE_SIZE - 4], 40);

    /* The budget is nine pages: beside the stack's two and the guest's four, not another four. */
    CHECK_EQUAL(call(grow, 1, 4, 0), (uint32_t)-1);
    OK(wasm_arena_runtime_last_refusal(memory, &refusal, error));
    CHECK_EQUAL(refusal.status, WASM_ARENA_ERROR_BUDGET_EXCEEDED);
    CHECK(strcmp(refusal.subject, "guests") == 0);
    m3_GetMemory(runtime, &size, 0);
    CHECK_EQUAL(size, 4 * WASM_ARENA_PAGE_SIZE);
    CHECK_EQUAL(call(sum, 1, 4 * WASM_ARENA_PAGE_SIZE, 0), 42);

    /* A stray access is a trap of wasm3's own. */
    CHECK(try_call(get, 1, 8 * WASM_ARENA_PAGE_SIZE, 0) == m3Err_trapOutOfBoundsMemoryAccess);
    m3_FreeRuntime(runtime);
    m3_FreeEnvironment(environment);
}

int main(void)
{
    wasm_arena_arenas_t *arenas = NULL;
    wasm_arena_budget_t *budget = NULL;
    wasm_arena_runtime_t *memory = NULL;
    struct wasm_arena_memory_options_t options;
    struct wasm_arena_runtime_statistics_t account;
    struct wasm_arena_arenas_statistics_t of_arenas;
    struct wasm_arena_budget_usage_t usage;
    int round;

    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    OK(wasm_arena_budget_create("guests", 9 * WASM_ARENA_PAGE_SIZE, NULL, &budget, error));
    OK(wasm_arena_memory_options_init(&options, error));
    options.budget = budget;
    OK(wasm_arena_runtime_create(arenas, &options, 0, &memory, error));
    EXPECT(WASM_ARENA_ERROR_STILL_REFERENCED, wasm_arena_arenas_destroy(arenas, error));

    /* Nothing is served before it is said from where. */
    CHECK(wasm_arena_wasm3_calloc(1, 1) == NULL);
    OK(wasm_arena_wasm3_use(memory, error));
    for (round = 0; round < 3; round++) {
        a_guest(arenas, memory);
    }
    OK(wasm_arena_runtime_statistics(memory, &account, error));
    CHECK_EQUAL(account.memories, 0);
    CHECK_EQUAL(account.strays, 0);
    OK(wasm_arena_budget_usage(budget, &usage, error));
    CHECK_EQUAL(usage.used, 0);
    OK(wasm_arena_arenas_statistics(arenas, &of_arenas, error));
    CHECK_EQUAL(of_arenas.live_memories, 0);
    CHECK(of_arenas.cache_hits >= 4);
    CHECK_EQUAL(of_arenas.unreturned_regions, 0);

    OK(wasm_arena_wasm3_use(NULL, error));
    OK(wasm_arena_runtime_destroy(memory, error));
    OK(wasm_arena_budget_destroy(budget, error));
    OK(wasm_arena_arenas_destroy(arenas, error));
    puts("wasm3: ok");
    return 0;
}
