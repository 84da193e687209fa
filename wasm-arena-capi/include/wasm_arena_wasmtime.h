/*
 * Linear memories for Wasmtime's C API from arenas.
 *
 * Compile `wasm_arena_wasmtime.c` beside your program, against the headers of Wasmtime's C API and of
 * wasm-arena, and call wasm_arena_wasmtime_configure on a configuration before an engine is made of
 * it. Written for, and driven by, version 48 of Wasmtime.
 */
#ifndef WASM_ARENA_WASMTIME_H
#define WASM_ARENA_WASMTIME_H

#include <wasmtime.h>

#include "wasm_arena.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How compiled code keeps a guest inside its memory. */
enum wasm_arena_wasmtime_strategy {
    /* Every access is compared with the size of the memory. Needs nothing of the host. */
    WASM_ARENA_WASMTIME_BOUNDED = 0,
    /* 4 GiB of address space and a guard of 32 MiB for every memory, so that a stray access faults
     * by itself. Needs a 64-bit host that protects pages, and where address space costs nothing. */
    WASM_ARENA_WASMTIME_RESERVED = 1
};

/*
 * Puts the linear memories of engines made of `config` on `arenas`, each with the options given
 * (null: the defaults). The strategy decides about growth, room and protection of the data: options
 * that say otherwise are refused. So is a guard after the room of less than 32 MiB if the strategy
 * is reserved.
 *
 * Everything in `config` that decides where compiled code may reach (memory_reservation,
 * memory_reservation_for_growth, memory_guard_size, memory_may_move, memory_init_cow, the memory
 * creator) is set to what the strategy needs: call this last. If it is changed afterwards so that
 * compiled code would rely on more than these memories provide, every instantiation is refused with
 * the name of the setting; with memory_init_cow set again, Wasmtime itself panics.
 *
 * `config` keeps the handle of the arenas, and the budget in the options: they must live until all
 * engines and stores are gone. If they do not, memories are refused, and nothing worse happens. On
 * failure `config` is not changed.
 */
wasm_arena_status_t wasm_arena_wasmtime_configure(wasm_config_t *config,
                                                  wasm_arena_arenas_t *arenas,
                                                  enum wasm_arena_wasmtime_strategy strategy,
                                                  const struct wasm_arena_memory_options_t *options,
                                                  struct wasm_arena_error_t *error);

#ifdef __cplusplus
}
#endif

#endif
