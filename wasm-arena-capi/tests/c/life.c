/* The life of memories: made, grown, protected, sealed, reset, freed, and accounted for. */
#include "check.h"

static void options_and_effective_configuration(void)
{
    struct wasm_arena_arena_options_t options;
    struct wasm_arena_effective_option_t effective;
    wasm_arena_arenas_t *arenas = NULL;
    wasm_arena_memory_t *memory = NULL;
    int32_t option;
    int known = 0;

    OK(wasm_arena_arena_options_init(&options, WASM_ARENA_SYSTEM_ARENAS, error));
    CHECK_EQUAL(options.arena_size, 32768);
    CHECK_EQUAL(options.cache_max_blocks, 12);
    options.arena_size = 2 * wasm_arena_host_page_size();
    options.lifo_free = true;
    OK(wasm_arena_arenas_create(&options, &arenas, error));

    OK(wasm_arena_arenas_effective_option(arenas, WASM_ARENA_OPTION_ARENA_SIZE, &effective, error));
    CHECK_EQUAL(effective.option, WASM_ARENA_OPTION_ARENA_SIZE);
    CHECK_EQUAL(effective.outcome, WASM_ARENA_OUTCOME_APPLIED);
    CHECK_EQUAL(effective.in_force.kind, WASM_ARENA_VALUE_BYTES);
    CHECK_EQUAL(effective.in_force.number, 2 * wasm_arena_host_page_size());
    CHECK(strcmp(effective.outcome_text, "applied") == 0);
    CHECK(strncmp(effective.text, "arena-size: ", 12) == 0);
    EXPECT(WASM_ARENA_ERROR_NO_SUCH_OPTION,
           wasm_arena_arenas_effective_option(arenas, WASM_ARENA_OPTION_GUARD_AFTER, &effective,
                                              error));
    CHECK_EQUAL(last_error.option, WASM_ARENA_OPTION_GUARD_AFTER);

    OK(wasm_arena_memory_create(arenas, NULL, &memory, error));
    for (option = 0; option < WASM_ARENA_OPTION_COUNT; option++) {
        CHECK(wasm_arena_option_name(option) != NULL);
        if (wasm_arena_memory_effective_option(memory, option, &effective, NULL) ==
            WASM_ARENA_OK) {
            CHECK_EQUAL(effective.option, option);
            CHECK(strncmp(effective.text, wasm_arena_option_name(option),
                          strlen(wasm_arena_option_name(option))) == 0);
            known++;
        }
    }
    CHECK_EQUAL(known, WASM_ARENA_OPTION_COUNT);
    CHECK(wasm_arena_option_name(option) == NULL);

    options.arena_size = 12345;
    EXPECT(WASM_ARENA_ERROR_MISALIGNED, wasm_arena_arenas_configure(arenas, &options, error));
    options.arena_size = 1 << 20;
    EXPECT(WASM_ARENA_ERROR_INVALID_OPTION, wasm_arena_arenas_configure(arenas, &options, error));
    CHECK_EQUAL(last_error.option, WASM_ARENA_OPTION_ARENA_SIZE);
    CHECK_EQUAL(last_error.requested, 1 << 20);
    CHECK_EQUAL(last_error.limit, 262144);
    options.arena_size = 65536;
    OK(wasm_arena_arenas_configure(arenas, &options, error));

    OK(wasm_arena_memory_destroy(memory, error));
    OK(wasm_arena_arenas_destroy(arenas, error));

    /* What the system cannot do is told, or refused if all was demanded. */
    OK(wasm_arena_arena_options_init(&options, WASM_ARENA_SYSTEM_MAPPED, error));
    CHECK_EQUAL(options.cache_max_blocks, 0);
    options.arena_size = 65536;
    OK(wasm_arena_arenas_create(&options, &arenas, error));
    OK(wasm_arena_arenas_effective_option(arenas, WASM_ARENA_OPTION_ARENA_SIZE, &effective, error));
    CHECK_EQUAL(effective.outcome, WASM_ARENA_OUTCOME_UNSUPPORTED);
    CHECK(strncmp(effective.outcome_text, "not supported here: ", 20) == 0);
    OK(wasm_arena_arenas_destroy(arenas, error));
    options.refuse_partial = 1;
    EXPECT(WASM_ARENA_ERROR_PARTIAL_CONFIGURATION,
           wasm_arena_arenas_create(&options, &arenas, error));
}

static void growth_and_limits(wasm_arena_system_t system)
{
    struct wasm_arena_arena_options_t options;
    struct wasm_arena_memory_statistics_t account;
    struct wasm_arena_view_t view;
    struct wasm_arena_address_t place;
    wasm_arena_arenas_t *arenas = NULL;
    wasm_arena_memory_t *memory = NULL;
    uint8_t *base = NULL;
    uint8_t *moved = NULL;
    uint8_t bytes[8];
    size_t calls = 0;

    OK(wasm_arena_arena_options_init(&options, system, error));
    OK(wasm_arena_arenas_create(&options, &arenas, error));
    OK(wasm_arena_memory_create(arenas, NULL, &memory, error));
    EXPECT(WASM_ARENA_ERROR_NOT_ALLOCATED, wasm_arena_memory_grow(memory, 0, 1, &base, error));
    EXPECT(WASM_ARENA_ERROR_MAXIMUM_BELOW_INITIAL,
           wasm_arena_memory_allocate(memory, 3, 2, &base, error));
    CHECK_EQUAL(last_error.requested, 3 * WASM_ARENA_PAGE_SIZE);
    CHECK_EQUAL(last_error.limit, 2 * WASM_ARENA_PAGE_SIZE);
    CHECK(base == NULL);

    OK(wasm_arena_memory_allocate(memory, 2, 5, &base, error));
    CHECK(base != NULL && (size_t)base % wasm_arena_host_page_size() == 0);
    CHECK(base[0] == 0 && base[2 * WASM_ARENA_PAGE_SIZE - 1] == 0);
    EXPECT(WASM_ARENA_ERROR_ALREADY_ALLOCATED,
           wasm_arena_memory_allocate(memory, 1, WASM_ARENA_NO_MAXIMUM, NULL, error));
    base[7] = 42;
    OK(wasm_arena_memory_grow(memory, 2, 1, &moved, error));
    CHECK(moved == base && moved[7] == 42 && moved[2 * WASM_ARENA_PAGE_SIZE] == 0);
    EXPECT(WASM_ARENA_ERROR_PAGE_COUNT_MISMATCH,
           wasm_arena_memory_grow(memory, 2, 1, &moved, error));
    CHECK_EQUAL(last_error.requested, 2);
    CHECK_EQUAL(last_error.available, 3);
    EXPECT(WASM_ARENA_ERROR_BEYOND_MAXIMUM, wasm_arena_memory_grow(memory, 3, 3, &moved, error));
    CHECK_EQUAL(last_error.limit, 5 * WASM_ARENA_PAGE_SIZE);
    OK(wasm_arena_memory_grow(memory, 3, 0, &moved, error));
    CHECK(moved == base);

    OK(wasm_arena_memory_write(memory, WASM_ARENA_PAGE_SIZE - 3, (const uint8_t *)"seams", 5, error));
    OK(wasm_arena_memory_read(memory, WASM_ARENA_PAGE_SIZE - 3, bytes, 5, error));
    CHECK(memcmp(bytes, "seams", 5) == 0);
    EXPECT(WASM_ARENA_ERROR_OUT_OF_RANGE,
           wasm_arena_memory_read(memory, 3 * WASM_ARENA_PAGE_SIZE - 2, bytes, 3, error));
    CHECK_EQUAL(last_error.offset, 3 * WASM_ARENA_PAGE_SIZE - 2);
    CHECK_EQUAL(last_error.length, 3);
    CHECK_EQUAL(last_error.size, 3 * WASM_ARENA_PAGE_SIZE);
    EXPECT(WASM_ARENA_ERROR_OUT_OF_RANGE,
           wasm_arena_memory_write(memory, SIZE_MAX, bytes, 3, error));

    OK(wasm_arena_memory_protect(memory, WASM_ARENA_PAGE_SIZE, WASM_ARENA_PAGE_SIZE,
                                 WASM_ARENA_PROTECTION_READ, error));
    EXPECT(WASM_ARENA_ERROR_PROTECTED,
           wasm_arena_memory_write(memory, WASM_ARENA_PAGE_SIZE - 1, bytes, 2, error));
    CHECK_EQUAL(last_error.offset, WASM_ARENA_PAGE_SIZE);
    OK(wasm_arena_memory_read(memory, WASM_ARENA_PAGE_SIZE, bytes, 2, error));
    CHECK(memcmp(bytes, "ms", 2) == 0);
    EXPECT(WASM_ARENA_ERROR_WRITE_AND_EXECUTE,
           wasm_arena_memory_protect(memory, 0, WASM_ARENA_PAGE_SIZE,
                                     WASM_ARENA_PROTECTION_READ_WRITE_EXECUTE, error));
    EXPECT(WASM_ARENA_ERROR_MISALIGNED,
           wasm_arena_memory_protect(memory, 1, 1, WASM_ARENA_PROTECTION_READ, error));

    OK(wasm_arena_memory_view(memory, &view, error));
    CHECK(view.base == base);
    CHECK_EQUAL(view.size, 3 * WASM_ARENA_PAGE_SIZE);
    CHECK(view.capacity >= 5 * WASM_ARENA_PAGE_SIZE);
    OK(wasm_arena_memory_describe_address(memory, base + 9, &place, error));
    CHECK_EQUAL(place.part, WASM_ARENA_PART_DATA);
    CHECK_EQUAL(place.offset, 9);
    OK(wasm_arena_arenas_describe_address(arenas, base - 1, &place, error));
    CHECK_EQUAL(place.part, WASM_ARENA_PART_GUARD_BEFORE);
    CHECK_EQUAL(place.offset, 1);
    CHECK_EQUAL(place.memory, 1);
    OK(wasm_arena_arenas_describe_address(arenas, &place, &place, error));
    CHECK_EQUAL(place.part, WASM_ARENA_PART_NONE);
    OK(wasm_arena_memory_verify(memory, error));

    OK(wasm_arena_memory_reset(memory, error));
    OK(wasm_arena_memory_view(memory, &view, error));
    CHECK(view.base == base && base[7] == 0 && base[WASM_ARENA_PAGE_SIZE] == 0);
    CHECK_EQUAL(view.size, 2 * WASM_ARENA_PAGE_SIZE);
    OK(wasm_arena_memory_statistics(memory, &account, error));
    CHECK_EQUAL(account.initial_bytes, 2 * WASM_ARENA_PAGE_SIZE);
    CHECK_EQUAL(account.peak_bytes, 3 * WASM_ARENA_PAGE_SIZE);
    CHECK_EQUAL(account.maximum_bytes, 5 * WASM_ARENA_PAGE_SIZE);
    CHECK_EQUAL(account.grows, 1);
    CHECK_EQUAL(account.refused_grows, 1);
    CHECK_EQUAL(account.protects, 1);
    CHECK_EQUAL(account.resets, 1);

    EXPECT(WASM_ARENA_ERROR_STILL_REFERENCED, wasm_arena_arenas_destroy(arenas, error));
    CHECK_EQUAL(last_error.available, 1);
    OK(wasm_arena_memory_free(memory, error));
    EXPECT(WASM_ARENA_ERROR_NOT_ALLOCATED, wasm_arena_memory_free(memory, error));
    OK(wasm_arena_memory_allocate_bytes(memory, 1000, WASM_ARENA_AUTOMATIC, 100000, &base, error));
    OK(wasm_arena_memory_grow_bytes(memory, 50000, &moved, error));
    CHECK(moved == base);
    OK(wasm_arena_arenas_call_count(arenas, WASM_ARENA_CALL_UNMAP, &calls, error));
    OK(wasm_arena_memory_destroy(memory, error));
    OK(wasm_arena_arenas_destroy(arenas, error));
}

static void budgets(void)
{
    wasm_arena_budget_t *machine = NULL;
    wasm_arena_budget_t *plugins = NULL;
    wasm_arena_arenas_t *arenas = NULL;
    wasm_arena_memory_t *memory = NULL;
    struct wasm_arena_memory_options_t options;
    struct wasm_arena_budget_usage_t usage;

    OK(wasm_arena_budget_create("machine", 4 * WASM_ARENA_PAGE_SIZE, NULL, &machine, error));
    OK(wasm_arena_budget_create("plugins", 9 * WASM_ARENA_PAGE_SIZE, machine, &plugins, error));
    EXPECT(WASM_ARENA_ERROR_STILL_REFERENCED, wasm_arena_budget_destroy(machine, error));
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_budget_create("a name that is far too long for any budget's name", 1, NULL,
                                    &machine, error));
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT,
           wasm_arena_budget_create("not UTF-8: \xff", 1, NULL, &machine, error));
    CHECK_EQUAL(last_error.requested, 11);

    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    OK(wasm_arena_memory_options_init(&options, error));
    options.budget = plugins;
    OK(wasm_arena_memory_create(arenas, &options, &memory, error));
    OK(wasm_arena_memory_allocate(memory, 3, WASM_ARENA_NO_MAXIMUM, NULL, error));
    OK(wasm_arena_budget_usage(machine, &usage, error));
    CHECK_EQUAL(usage.used, 3 * WASM_ARENA_PAGE_SIZE);
    EXPECT(WASM_ARENA_ERROR_BUDGET_EXCEEDED, wasm_arena_memory_grow(memory, 3, 2, NULL, error));
    CHECK(strcmp(last_error.subject, "machine") == 0);
    CHECK_EQUAL(last_error.requested, 2 * WASM_ARENA_PAGE_SIZE);
    CHECK_EQUAL(last_error.available, WASM_ARENA_PAGE_SIZE);
    CHECK_EQUAL(last_error.limit, 4 * WASM_ARENA_PAGE_SIZE);
    CHECK(strstr(last_error.message, "\"machine\"") != NULL);
    OK(wasm_arena_memory_grow(memory, 3, 1, NULL, error));
    EXPECT(WASM_ARENA_ERROR_STILL_REFERENCED, wasm_arena_budget_destroy(plugins, error));
    OK(wasm_arena_memory_destroy(memory, error));
    OK(wasm_arena_budget_usage(plugins, &usage, error));
    CHECK_EQUAL(usage.used, 0);
    CHECK_EQUAL(usage.peak, 4 * WASM_ARENA_PAGE_SIZE);
    OK(wasm_arena_budget_usage(machine, &usage, error));
    CHECK_EQUAL(usage.refusals, 1);
    OK(wasm_arena_budget_destroy(plugins, error));
    OK(wasm_arena_budget_destroy(machine, error));
    OK(wasm_arena_arenas_destroy(arenas, error));
}

static void a_sealed_steady_state(void)
{
    wasm_arena_arenas_t *arenas = NULL;
    wasm_arena_memory_t *memory = NULL;
    struct wasm_arena_arenas_statistics_t account;
    size_t trimmed = 0;
    uint8_t *base = NULL;
    int round;

    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    OK(wasm_arena_memory_create(arenas, NULL, &memory, error));
    OK(wasm_arena_memory_allocate(memory, 1, 1, &base, error));
    OK(wasm_arena_memory_free(memory, error));
    OK(wasm_arena_arenas_seal(arenas, error));
    for (round = 0; round < 3; round++) {
        OK(wasm_arena_memory_allocate(memory, 1, 1, &base, error));
        CHECK_EQUAL(base[77], 0);
        base[77] = 1;
        OK(wasm_arena_memory_free(memory, error));
    }
    EXPECT(WASM_ARENA_ERROR_SEALED, wasm_arena_memory_allocate(memory, 9, 9, &base, error));
    CHECK(last_error.os_call >= 0 && wasm_arena_call_name(last_error.os_call) != NULL);
    EXPECT(WASM_ARENA_ERROR_SEALED, wasm_arena_arenas_trim(arenas, &trimmed, error));
    OK(wasm_arena_arenas_statistics(arenas, &account, error));
    CHECK_EQUAL(account.is_sealed, 1);
    CHECK_EQUAL(account.cache_hits, 3);
    CHECK_EQUAL(account.live_memories, 0);
    OK(wasm_arena_arenas_unseal(arenas, error));
    OK(wasm_arena_arenas_trim(arenas, &trimmed, error));
    CHECK(trimmed >= WASM_ARENA_PAGE_SIZE);

    /* The seal of a single memory, and a destruction that it forbids. */
    OK(wasm_arena_memory_allocate(memory, 1, 2, &base, error));
    OK(wasm_arena_memory_protect(memory, 0, WASM_ARENA_PAGE_SIZE, WASM_ARENA_PROTECTION_READ,
                                 error));
    OK(wasm_arena_memory_seal(memory, error));
    EXPECT(WASM_ARENA_ERROR_SEALED, wasm_arena_memory_grow(memory, 1, 1, &base, error));
    EXPECT(WASM_ARENA_ERROR_SEALED, wasm_arena_memory_destroy(memory, error));
    OK(wasm_arena_memory_unseal(memory, error));
    OK(wasm_arena_memory_set_level(memory, WASM_ARENA_LEVEL_CRITICAL, error));
    OK(wasm_arena_memory_destroy(memory, error));
    OK(wasm_arena_arenas_destroy(arenas, error));
}

int main(void)
{
    CHECK_EQUAL(wasm_arena_version(), WASM_ARENA_VERSION);
    options_and_effective_configuration();
    growth_and_limits(WASM_ARENA_SYSTEM_ARENAS);
    growth_and_limits(WASM_ARENA_SYSTEM_MAPPED);
    budgets();
    a_sealed_steady_state();
    puts("life: ok");
    return 0;
}
