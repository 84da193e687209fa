/* WAMR itself, with its linear memories from arenas and its own objects from the heap beside them.
 *
 * The version that can be had as a package (crate wamr-sys 0.1.1, WAMR of early 2021) calls its
 * allocator without a usage: what it asks for a linear memory is told here by the size, a whole number
 * of pages, which its interpreter asks for nothing else. Later versions say it themselves: `runtime.c`
 * calls as they do. */
#include <stdbool.h>

#include "check.h"
#include "guest.h"

#include "wasm_export.h"

enum { MOST = 64 };

static wasm_arena_arenas_t *arenas;
static wasm_arena_runtime_t *memory;
static void *linear[MOST];

static void **find(void *block)
{
    size_t place;
    for (place = 0; place < MOST; place++) {
        if (linear[place] == block) {
            return &linear[place];
        }
    }
    return NULL;
}

static uint32_t usage_of(void *block, unsigned int size)
{
    bool is_linear = block != NULL ? find(block) != NULL
                                   : size >= WASM_ARENA_PAGE_SIZE && size % WASM_ARENA_PAGE_SIZE == 0;
    return is_linear ? WASM_ARENA_WAMR_FOR_LINEAR_MEMORY : WASM_ARENA_WAMR_FOR_RUNTIME;
}

static void *plain_malloc(unsigned int size)
{
    uint32_t usage = usage_of(NULL, size);
    void *block = wasm_arena_wamr_malloc(usage, memory, size);
    if (block != NULL && usage == WASM_ARENA_WAMR_FOR_LINEAR_MEMORY) {
        void **place = find(NULL);
        CHECK(place != NULL);
        *place = block;
    }
    return block;
}

static void *plain_realloc(void *block, unsigned int size)
{
    uint32_t usage = usage_of(block, size);
    void **place = block != NULL ? find(block) : NULL;
    void *grown = wasm_arena_wamr_realloc(usage, false, memory, block, size);
    if (grown != NULL && place != NULL) {
        *place = grown;
    }
    return grown;
}

static void plain_free(void *block)
{
    void **place = block != NULL ? find(block) : NULL;
    wasm_arena_wamr_free(usage_of(block, 0), memory, block);
    if (place != NULL) {
        *place = NULL;
    }
}

static uint32_t call(wasm_module_inst_t instance, wasm_exec_env_t environment, const char *name,
                     uint32_t count, uint32_t first, uint32_t second)
{
    wasm_function_inst_t function = wasm_runtime_lookup_function(instance, name, NULL);
    uint32_t values[2];
    values[0] = first;
    values[1] = second;
    CHECK(function != NULL);
    if (!wasm_runtime_call_wasm(environment, function, count, values)) {
        fprintf(stderr, "%s: %s\n", name, wasm_runtime_get_exception(instance));
        exit(1);
    }
    return values[0];
}

static void a_guest(void)
{
    uint8_t bytes[sizeof guest];
    char problem[128];
    wasm_module_t module;
    wasm_module_inst_t instance;
    wasm_exec_env_t environment;
    struct wasm_arena_runtime_statistics_t account;
    struct wasm_arena_address_t place;
    struct wasm_arena_error_t refusal;
    uint32_t arguments[1];

    memcpy(bytes, guest, sizeof guest);
    module = wasm_runtime_load(bytes, sizeof bytes, problem, sizeof problem);
    CHECK(module != NULL);
    instance = wasm_runtime_instantiate(module, 8192, 0, problem, sizeof problem);
    CHECK(instance != NULL);
    environment = wasm_runtime_create_exec_env(instance, 8192);
    CHECK(environment != NULL);

    OK(wasm_arena_runtime_statistics(memory, &account, error));
    CHECK_EQUAL(account.memories, 1);
    CHECK(account.object_bytes > 1000);
    OK(wasm_arena_arenas_describe_address(
        arenas, wasm_runtime_addr_app_to_native(instance, 4), &place, error));
    CHECK_EQUAL(place.part, WASM_ARENA_PART_DATA);
    CHECK_EQUAL(place.offset, 4);

    CHECK_EQUAL(call(instance, environment, "sum", 1, WASM_ARENA_PAGE_SIZE, 0), 0);
    call(instance, environment, "put", 2, WASM_ARENA_PAGE_SIZE - 4, 40);
    CHECK_EQUAL(call(instance, environment, "grow", 1, 3, 0), 1);
    call(instance, environment, "put", 2, 4 * WASM_ARENA_PAGE_SIZE - 4, 2);
    CHECK_EQUAL(call(instance, environment, "sum", 1, 4 * WASM_ARENA_PAGE_SIZE, 0), 42);
    CHECK_EQUAL(call(instance, environment, "grow", 1, 9, 0), (uint32_t)-1);

    /* Seven pages are the budget, so the guest cannot have all of its eight. */
    CHECK_EQUAL(call(instance, environment, "grow", 1, 4, 0), (uint32_t)-1);
    OK(wasm_arena_runtime_last_refusal(memory, &refusal, error));
    CHECK_EQUAL(refusal.status, WASM_ARENA_ERROR_BUDGET_EXCEEDED);
    CHECK_EQUAL(call(instance, environment, "grow", 1, 3, 0), 4);
    CHECK_EQUAL(call(instance, environment, "sum", 1, 7 * WASM_ARENA_PAGE_SIZE, 0), 42);

    /* A stray access is a trap of WAMR's own. */
    arguments[0] = 7 * WASM_ARENA_PAGE_SIZE;
    CHECK(!wasm_runtime_call_wasm(environment, wasm_runtime_lookup_function(instance, "get", NULL),
                                  1, arguments));
    CHECK(strstr(wasm_runtime_get_exception(instance), "out of bounds") != NULL);

    wasm_runtime_destroy_exec_env(environment);
    wasm_runtime_deinstantiate(instance);
    wasm_runtime_unload(module);
}

int main(void)
{
    wasm_arena_budget_t *budget = NULL;
    struct wasm_arena_memory_options_t options;
    struct wasm_arena_runtime_statistics_t account;
    struct wasm_arena_arenas_statistics_t of_arenas;
    struct wasm_arena_budget_usage_t usage;
    RuntimeInitArgs arguments;
    int round;

    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    OK(wasm_arena_budget_create("guests", 7 * WASM_ARENA_PAGE_SIZE, NULL, &budget, error));
    OK(wasm_arena_memory_options_init(&options, error));
    options.budget = budget;
    OK(wasm_arena_runtime_create(arenas, &options, 0, &memory, error));

    memset(&arguments, 0, sizeof arguments);
    arguments.mem_alloc_type = Alloc_With_Allocator;
    arguments.mem_alloc_option.allocator.malloc_func = (void *)(size_t)plain_malloc;
    arguments.mem_alloc_option.allocator.realloc_func = (void *)(size_t)plain_realloc;
    arguments.mem_alloc_option.allocator.free_func = (void *)(size_t)plain_free;
    CHECK(wasm_runtime_full_init(&arguments));
    for (round = 0; round < 3; round++) {
        a_guest();
    }
    wasm_runtime_destroy();

    OK(wasm_arena_runtime_statistics(memory, &account, error));
    CHECK_EQUAL(account.memories, 0);
    CHECK_EQUAL(account.object_bytes, 0);
    CHECK_EQUAL(account.strays, 0);
    OK(wasm_arena_budget_usage(budget, &usage, error));
    CHECK_EQUAL(usage.used, 0);
    OK(wasm_arena_arenas_statistics(arenas, &of_arenas, error));
    CHECK(of_arenas.cache_hits >= 2);

    OK(wasm_arena_runtime_destroy(memory, error));
    OK(wasm_arena_budget_destroy(budget, error));
    OK(wasm_arena_arenas_destroy(arenas, error));
    puts("wamr: ok");
    return 0;
}
