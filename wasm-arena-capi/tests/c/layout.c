/* The structs have the layout that Rust asserts of them (C11, for its static assertions). */
#include <stddef.h>
#include <stdio.h>

#include "wasm_arena.h"

#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#define OFFSET(type, field, bytes) \
    _Static_assert(offsetof(struct type, field) == (bytes), #type "." #field)

SIZE(wasm_arena_error_t, 440);
OFFSET(wasm_arena_error_t, requested, 48);
OFFSET(wasm_arena_error_t, subject, 136);
OFFSET(wasm_arena_error_t, message, 136 + WASM_ARENA_SUBJECT_SIZE);
SIZE(wasm_arena_value_t, 64);
SIZE(wasm_arena_effective_option_t, 624);
OFFSET(wasm_arena_effective_option_t, asked, 16);
OFFSET(wasm_arena_effective_option_t, text, 368);
SIZE(wasm_arena_arenas_statistics_t, 144);
SIZE(wasm_arena_memory_statistics_t, 112);
SIZE(wasm_arena_atomic_statistics_t, 96);
SIZE(wasm_arena_scrub_t, 32 + sizeof(struct wasm_arena_error_t));
SIZE(wasm_arena_address_t, 24);
SIZE(wasm_arena_budget_usage_t, 32);
SIZE(wasm_arena_atomic_info_t, 32);
SIZE(wasm_arena_arena_options_t, 16 + 4 * sizeof(size_t));
OFFSET(wasm_arena_arena_options_t, arena_size, 8);
SIZE(wasm_arena_memory_options_t, 32 + 4 * sizeof(size_t));
OFFSET(wasm_arena_memory_options_t, guard_before, 24);
OFFSET(wasm_arena_memory_options_t, budget, 24 + 3 * sizeof(size_t));
SIZE(wasm_arena_runtime_statistics_t, 40);
SIZE(wasm_arena_view_t, 3 * sizeof(size_t));

int main(void)
{
    puts("layout: ok");
    return 0;
}
