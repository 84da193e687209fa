/*
 * A memory creator for Wasmtime's C API: see wasm_arena_wasmtime.h.
 *
 * What Wasmtime takes on trust, and where it is seen to:
 *
 * 1. A memory has the reservation and the guard that a request names: new_memory refuses one that
 *    names more than was configured, and asks for that much capacity and guard otherwise.
 * 2. Everything from the size to the end of the guard faults where a request names either: the room
 *    is guarded then.
 * 3. Memory is zero when it is new and where it grows, and growth up to the capacity keeps the base:
 *    wasm_arena_memory_allocate_bytes and wasm_arena_memory_grow_bytes promise it.
 * 4. Callbacks may come from any thread: handles are looked up and pinned.
 *
 * A memory's environment is its handle, so there is nothing beside it to allocate or to free.
 */
#include "wasm_arena_wasmtime.h"

#include <stdlib.h>
#include <string.h>

#define RESERVATION (UINT64_C(1) << 32)
#define GUARD ((size_t)32 << 20)

struct creator {
    wasm_arena_arenas_t *arenas;
    enum wasm_arena_wasmtime_strategy strategy;
    struct wasm_arena_memory_options_t options;
};

static wasm_arena_status_t refuse(struct wasm_arena_error_t *error, wasm_arena_status_t status,
                                  const char *subject, uint64_t requested, const char *message)
{
    if (error != NULL) {
        memset(error, 0, sizeof *error);
        error->status = status;
        error->os_call = error->os_reason = error->option = error->resource = error->record = -1;
        error->requested = requested;
        strncpy(error->subject, subject, sizeof error->subject - 1);
        strncpy(error->message, message, sizeof error->message - 1);
    }
    return status;
}

static wasmtime_error_t *failed(const struct wasm_arena_error_t *error)
{
    return wasmtime_error_new(error->message);
}

static uint8_t *get_memory(void *env, size_t *byte_size, size_t *byte_capacity)
{
    struct wasm_arena_view_t view = {NULL, 0, 0};
    /* A handle that is none has no bytes. */
    (void)wasm_arena_memory_view(env, &view, NULL);
    *byte_size = view.size;
    *byte_capacity = view.capacity;
    return view.base;
}

static wasmtime_error_t *grow_memory(void *env, size_t new_size)
{
    struct wasm_arena_view_t view;
    struct wasm_arena_error_t error;
    if (wasm_arena_memory_view(env, &view, &error) != WASM_ARENA_OK) {
        return failed(&error);
    }
    if (new_size < view.size) {
        return wasmtime_error_new("a linear memory does not shrink");
    }
    if (wasm_arena_memory_grow_bytes(env, new_size - view.size, NULL, &error) != WASM_ARENA_OK) {
        return failed(&error);
    }
    return NULL;
}

static void end_memory(void *env)
{
    /* What cannot be given back is counted by the arenas. */
    (void)wasm_arena_memory_destroy(env, NULL);
}

/* Half as much again, so that few growths move the memory. */
static size_t bounded_capacity(size_t minimum, size_t maximum)
{
    size_t room = minimum / 2 > WASM_ARENA_PAGE_SIZE ? minimum / 2 : WASM_ARENA_PAGE_SIZE;
    size_t capacity = minimum > SIZE_MAX - room ? SIZE_MAX : minimum + room;
    return capacity < maximum ? capacity : maximum;
}

static wasmtime_error_t *new_memory(void *env, const wasm_memorytype_t *type, size_t minimum,
                                    size_t maximum, size_t reserved, size_t guard,
                                    wasmtime_linear_memory_t *memory_ret)
{
    const struct creator *creator = env;
    struct wasm_arena_memory_options_t options = creator->options;
    struct wasm_arena_error_t error;
    wasm_arena_memory_t *memory = NULL;
    bool is_reserved = creator->strategy == WASM_ARENA_WASMTIME_RESERVED;
    bool is_shared = wasmtime_memorytype_isshared(type);
    size_t capacity;

    if (maximum < minimum) {
        return wasmtime_error_new("the maximum of the memory is below its initial size");
    }
    if (reserved > (is_reserved ? SIZE_MAX : 0)) {
        return wasmtime_error_new("the engine relies on memory_reservation, which was set after "
                                  "wasm_arena_wasmtime_configure");
    }
    if (guard > (is_reserved ? options.guard_after : 0)) {
        return wasmtime_error_new("the engine relies on a memory_guard_size that is larger than "
                                  "what wasm_arena_wasmtime_configure set");
    }
    if (is_shared && is_reserved && (options.lock_in_memory || options.prefault)) {
        /* While one thread grows, a stray access of another must not reach what may be closed
         * again. */
        return wasmtime_error_new("shared memories cannot be locked or prefaulted under the "
                                  "strategy reserved");
    }
    if (is_shared) {
        /* Other threads hold the base, so all growth is in place. */
        capacity = maximum > reserved ? maximum : reserved;
    } else if (is_reserved) {
        capacity = minimum > reserved ? minimum : reserved;
    } else {
        capacity = bounded_capacity(minimum, maximum);
    }
    options.room = is_reserved || is_shared ? WASM_ARENA_ROOM_GUARDED : WASM_ARENA_ROOM_OPEN;
    if (wasm_arena_memory_create(creator->arenas, &options, &memory, &error) != WASM_ARENA_OK) {
        return failed(&error);
    }
    /* SIZE_MAX stands for no maximum, there as here. */
    if (wasm_arena_memory_allocate_bytes(memory, minimum, maximum, capacity, NULL, &error) !=
        WASM_ARENA_OK) {
        (void)wasm_arena_memory_destroy(memory, NULL);
        return failed(&error);
    }
    memory_ret->env = memory;
    memory_ret->get_memory = get_memory;
    memory_ret->grow_memory = grow_memory;
    memory_ret->finalizer = end_memory;
    return NULL;
}

/* Refuses options about which the strategy decides. */
static wasm_arena_status_t check(const struct wasm_arena_memory_options_t *options,
                                 enum wasm_arena_wasmtime_strategy strategy,
                                 struct wasm_arena_error_t *error)
{
    const wasm_arena_status_t wrong = WASM_ARENA_ERROR_INVALID_ARGUMENT;
    if (strategy != WASM_ARENA_WASMTIME_BOUNDED && strategy != WASM_ARENA_WASMTIME_RESERVED) {
        return refuse(error, wrong, "strategy", (uint64_t)strategy, "there is no such strategy");
    }
    if (options->growth != WASM_ARENA_GROWTH_MOVE_WHEN_FULL) {
        return refuse(error, wrong, "growth", (uint64_t)options->growth,
                      "the strategy decides about growth: only move when full is accepted");
    }
    if (options->growth_room != WASM_ARENA_AUTOMATIC) {
        return refuse(error, wrong, "growth_room", options->growth_room,
                      "the strategy decides about the room: only automatic is accepted");
    }
    if (options->room != WASM_ARENA_ROOM_GUARDED) {
        return refuse(error, wrong, "room", (uint64_t)options->room,
                      "the strategy decides about the room: only guarded is accepted");
    }
    if (options->data_protection != WASM_ARENA_PROTECTION_READ_WRITE) {
        return refuse(error, wrong, "data_protection", (uint64_t)options->data_protection,
                      "the engine itself reads and writes the data");
    }
    if (strategy == WASM_ARENA_WASMTIME_BOUNDED) {
        return WASM_ARENA_OK;
    }
    if (sizeof(size_t) < 8) {
        return refuse(error, wrong, "strategy", (uint64_t)strategy,
                      "the strategy reserved needs a 64-bit host");
    }
    if (options->guard_protection != WASM_ARENA_PROTECTION_NONE) {
        return refuse(error, wrong, "guard_protection", (uint64_t)options->guard_protection,
                      "a stray read would go unnoticed");
    }
    if (options->guard_after != WASM_ARENA_AUTOMATIC && options->guard_after < GUARD) {
        return refuse(error, wrong, "guard_after", options->guard_after,
                      "compiled code relies on a guard of 33554432 bytes");
    }
    return WASM_ARENA_OK;
}

/* Makes an allocator as every memory will: it finds wrong options, and guards that cannot be had. */
static wasm_arena_status_t try_out(const struct creator *creator, struct wasm_arena_error_t *error)
{
    struct wasm_arena_effective_option_t effective;
    wasm_arena_memory_t *memory = NULL;
    wasm_arena_status_t status;

    status = wasm_arena_memory_create(creator->arenas, &creator->options, &memory, error);
    if (status != WASM_ARENA_OK) {
        return status;
    }
    status = wasm_arena_memory_effective_option(memory, WASM_ARENA_OPTION_GUARD_AFTER, &effective,
                                                error);
    (void)wasm_arena_memory_destroy(memory, NULL);
    if (status == WASM_ARENA_OK && creator->strategy == WASM_ARENA_WASMTIME_RESERVED &&
        effective.outcome != WASM_ARENA_OUTCOME_APPLIED) {
        return refuse(error, WASM_ARENA_ERROR_PARTIAL_CONFIGURATION, "guard_after",
                      creator->options.guard_after, effective.text);
    }
    return status;
}

wasm_arena_status_t wasm_arena_wasmtime_configure(wasm_config_t *config,
                                                  wasm_arena_arenas_t *arenas,
                                                  enum wasm_arena_wasmtime_strategy strategy,
                                                  const struct wasm_arena_memory_options_t *options,
                                                  struct wasm_arena_error_t *error)
{
    bool is_reserved = strategy == WASM_ARENA_WASMTIME_RESERVED;
    wasmtime_memory_creator_t hook;
    struct creator *creator;
    wasm_arena_status_t status;

    if (config == NULL) {
        return refuse(error, WASM_ARENA_ERROR_NULL_ARGUMENT, "config", 0, "\"config\" is null");
    }
    creator = malloc(sizeof *creator);
    if (creator == NULL) {
        return refuse(error, WASM_ARENA_ERROR_OS, "creator", sizeof *creator,
                      "malloc has no memory for the creator");
    }
    creator->arenas = arenas;
    creator->strategy = strategy;
    if (options != NULL) {
        creator->options = *options;
        status = WASM_ARENA_OK;
    } else {
        status = wasm_arena_memory_options_init(&creator->options, error);
    }
    if (status == WASM_ARENA_OK) {
        status = check(&creator->options, strategy, error);
    }
    if (is_reserved && creator->options.guard_after == WASM_ARENA_AUTOMATIC) {
        creator->options.guard_after = GUARD;
    }
    if (status == WASM_ARENA_OK) {
        status = try_out(creator, error);
    }
    if (status != WASM_ARENA_OK) {
        free(creator);
        return status;
    }
    wasmtime_config_memory_reservation_set(config, is_reserved ? RESERVATION : 0);
    wasmtime_config_memory_reservation_for_growth_set(config, 0);
    wasmtime_config_memory_guard_size_set(config, is_reserved ? creator->options.guard_after : 0);
    wasmtime_config_memory_may_move_set(config, true);
    /* Images are mapped over Wasmtime's own mappings; with a creator, it panics. */
    wasmtime_config_memory_init_cow_set(config, false);
    hook.env = creator;
    hook.new_memory = new_memory;
    hook.finalizer = free;
    wasmtime_config_host_memory_creator_set(config, &hook);
    return WASM_ARENA_OK;
}
