/* Wasmtime's own C API, with its linear memories from arenas. */
#include "check.h"
#include "guest.h"

#include "wasm_arena_wasmtime.h"

static wasm_arena_arenas_t *arenas;

static void expect_no_error(wasmtime_error_t *problem)
{
    if (problem != NULL) {
        wasm_name_t message;
        wasmtime_error_message(problem, &message);
        fprintf(stderr, "wasmtime: %.*s\n", (int)message.size, message.data);
        exit(1);
    }
}

/* The error must say this. */
static void expect_error(wasmtime_error_t *problem, const char *words)
{
    wasm_name_t message;
    char text[512];
    CHECK(problem != NULL);
    wasmtime_error_message(problem, &message);
    snprintf(text, sizeof text, "%.*s", (int)message.size, message.data);
    wasm_name_delete(&message);
    wasmtime_error_delete(problem);
    if (strstr(text, words) == NULL) {
        fprintf(stderr, "\"%s\" does not say \"%s\"\n", text, words);
        exit(1);
    }
}

struct guest_instance {
    wasmtime_store_t *store;
    wasmtime_context_t *context;
    wasmtime_instance_t instance;
};

static wasmtime_error_t *start(wasm_engine_t *engine, struct guest_instance *made)
{
    wasmtime_module_t *module = NULL;
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *problem;
    expect_no_error(wasmtime_module_new(engine, guest, sizeof guest, &module));
    made->store = wasmtime_store_new(engine, NULL, NULL);
    made->context = wasmtime_store_context(made->store);
    problem = wasmtime_instance_new(made->context, module, NULL, 0, &made->instance, &trap);
    CHECK(trap == NULL);
    wasmtime_module_delete(module);
    return problem;
}

/* Calls; `result` may be null. Answers the trap, if there was one. */
static wasm_trap_t *call(struct guest_instance *of, const char *name, size_t count, int32_t first,
                         int32_t second, int32_t *result)
{
    wasmtime_extern_t item;
    wasmtime_val_t arguments[2];
    wasmtime_val_t results[1];
    wasm_trap_t *trap = NULL;
    CHECK(wasmtime_instance_export_get(of->context, &of->instance, name, strlen(name), &item));
    CHECK_EQUAL(item.kind, WASMTIME_EXTERN_FUNC);
    memset(arguments, 0, sizeof arguments);
    arguments[0].kind = arguments[1].kind = WASMTIME_I32;
    arguments[0].of.i32 = first;
    arguments[1].of.i32 = second;
    expect_no_error(wasmtime_func_call(of->context, &item.of.func, arguments, count, results,
                                       result != NULL, &trap));
    if (result != NULL && trap == NULL) {
        *result = results[0].of.i32;
    }
    return trap;
}

static void a_guest(wasm_engine_t *engine, size_t pages)
{
    struct guest_instance guest_of;
    struct wasm_arena_address_t place;
    wasmtime_extern_t memory;
    wasm_trap_t *trap;
    int32_t result = -2;

    expect_no_error(start(engine, &guest_of));
    CHECK(wasmtime_instance_export_get(guest_of.context, &guest_of.instance, "memory", 6, &memory));
    OK(wasm_arena_arenas_describe_address(
        arenas, wasmtime_memory_data(guest_of.context, &memory.of.memory), &place, error));
    CHECK_EQUAL(place.part, WASM_ARENA_PART_DATA);
    CHECK_EQUAL(place.offset, 0);

    CHECK(call(&guest_of, "sum", 1, WASM_ARENA_PAGE_SIZE, 0, &result) == NULL && result == 0);
    CHECK(call(&guest_of, "put", 2, WASM_ARENA_PAGE_SIZE - 4, 40, NULL) == NULL);
    CHECK(call(&guest_of, "grow", 1, (int32_t)pages - 1, 0, &result) == NULL && result == 1);
    CHECK(call(&guest_of, "put", 2, (int32_t)pages * WASM_ARENA_PAGE_SIZE - 4, 2, NULL) == NULL);
    CHECK(call(&guest_of, "sum", 1, (int32_t)pages * WASM_ARENA_PAGE_SIZE, 0, &result) == NULL);
    CHECK_EQUAL(result, 42);
    /* Beyond the budget, whether or not there is room. */
    CHECK(call(&guest_of, "grow", 1, 2, 0, &result) == NULL && result == -1);
    CHECK_EQUAL(wasmtime_memory_size(guest_of.context, &memory.of.memory), pages);

    /* A stray access is a trap, right behind the end and far from it. */
    trap = call(&guest_of, "get", 1, (int32_t)pages * WASM_ARENA_PAGE_SIZE - 3, 0, &result);
    CHECK(trap != NULL);
    wasm_trap_delete(trap);
    trap = call(&guest_of, "get", 1, -4, 0, &result);
    CHECK(trap != NULL);
    wasm_trap_delete(trap);
    CHECK(call(&guest_of, "get", 1, WASM_ARENA_PAGE_SIZE - 4, 0, &result) == NULL && result == 40);
    wasmtime_store_delete(guest_of.store);
}

static void guests(enum wasm_arena_wasmtime_strategy strategy)
{
    wasm_arena_budget_t *budget = NULL;
    struct wasm_arena_memory_options_t options;
    struct wasm_arena_arenas_statistics_t account;
    struct wasm_arena_budget_usage_t usage;
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine;
    int round;

    OK(wasm_arena_budget_create("guests", 5 * WASM_ARENA_PAGE_SIZE, NULL, &budget, error));
    OK(wasm_arena_memory_options_init(&options, error));
    options.budget = budget;
    OK(wasm_arena_wasmtime_configure(config, arenas, strategy, &options, error));
    engine = wasm_engine_new_with_config(config);
    CHECK(engine != NULL);
    for (round = 0; round < 3; round++) {
        /* Bounded memories may have to move, and then the budget pays for both. */
        a_guest(engine, strategy == WASM_ARENA_WASMTIME_RESERVED ? 5 : 4);
    }
    wasm_engine_delete(engine);
    OK(wasm_arena_arenas_statistics(arenas, &account, error));
    CHECK_EQUAL(account.live_memories, 0);
    CHECK(account.cache_hits >= 2);
    CHECK_EQUAL(account.unreturned_regions, 0);
    OK(wasm_arena_budget_usage(budget, &usage, error));
    CHECK_EQUAL(usage.used, 0);
    CHECK(usage.refusals >= 3);
    OK(wasm_arena_budget_destroy(budget, error));
}

static void what_the_strategy_decides_is_refused(void)
{
    struct wasm_arena_memory_options_t options;
    wasm_config_t *config = wasm_config_new();
    OK(wasm_arena_memory_options_init(&options, error));
    options.room = WASM_ARENA_ROOM_OPEN;
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_wasmtime_configure(config, arenas, WASM_ARENA_WASMTIME_RESERVED, &options,
                                         error));
    CHECK(strcmp(last_error.subject, "room") == 0);
    OK(wasm_arena_memory_options_init(&options, error));
    options.guard_after = 65536;
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_wasmtime_configure(config, arenas, WASM_ARENA_WASMTIME_RESERVED, &options,
                                         error));
    options.struct_size = 1;
    EXPECT(WASM_ARENA_ERROR_STRUCT_SIZE,
           wasm_arena_wasmtime_configure(config, arenas, WASM_ARENA_WASMTIME_BOUNDED, &options,
                                         error));
    EXPECT(WASM_ARENA_ERROR_NULL_ARGUMENT,
           wasm_arena_wasmtime_configure(config, NULL, WASM_ARENA_WASMTIME_BOUNDED, NULL, error));
    wasm_config_delete(config);
}

/* Settings that were changed afterwards are noticed before any code relies on them. */
static void what_is_not_provided_is_refused_by_name(void)
{
    struct guest_instance never;
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine;
    OK(wasm_arena_wasmtime_configure(config, arenas, WASM_ARENA_WASMTIME_BOUNDED, NULL, error));
    wasmtime_config_memory_reservation_set(config, UINT64_C(1) << 32);
    engine = wasm_engine_new_with_config(config);
    expect_error(start(engine, &never), "memory_reservation");
    wasmtime_store_delete(never.store);
    wasm_engine_delete(engine);

    config = wasm_config_new();
    OK(wasm_arena_wasmtime_configure(config, arenas, WASM_ARENA_WASMTIME_RESERVED, NULL, error));
    wasmtime_config_memory_guard_size_set(config, UINT64_C(64) << 20);
    engine = wasm_engine_new_with_config(config);
    expect_error(start(engine, &never), "memory_guard_size");
    wasmtime_store_delete(never.store);
    wasm_engine_delete(engine);
}

/* Arenas that end before an engine refuse its memories, and nothing worse. */
static void arenas_that_end_too_early(void)
{
    struct guest_instance never;
    wasm_arena_arenas_t *early = NULL;
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine;
    OK(wasm_arena_arenas_create(NULL, &early, error));
    OK(wasm_arena_wasmtime_configure(config, early, WASM_ARENA_WASMTIME_BOUNDED, NULL, error));
    engine = wasm_engine_new_with_config(config);
    OK(wasm_arena_arenas_destroy(early, error));
    expect_error(start(engine, &never), "destroyed already");
    wasmtime_store_delete(never.store);
    wasm_engine_delete(engine);
}

int hook_test(void);

int hook_test(void)
{
    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    guests(WASM_ARENA_WASMTIME_BOUNDED);
    guests(WASM_ARENA_WASMTIME_RESERVED);
    what_the_strategy_decides_is_refused();
    what_is_not_provided_is_refused_by_name();
    arenas_that_end_too_early();
    OK(wasm_arena_arenas_destroy(arenas, error));
    puts("wasmtime: ok");
    return 0;
}
